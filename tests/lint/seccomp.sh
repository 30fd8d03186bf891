#!/bin/sh
# seccomp.sh: every system call that a source makes by its name is named in a comment "seccomp:" of that file, or in
# daemon/seccomp.def.
set -u
cd "$(dirname "$0")/../.." || exit 1

# Made before the filter is installed, never after.
before="fchmod ftruncate getrlimit memfd_create mkdir setrlimit signalfd"
# Wrappers, and what they call.
wrappers="send=sendto recv=recvfrom eventfd=eventfd2 open=openat"

calls=$(printf '#include <sys/syscall.h>\n' | cc -E -dM - | sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/\1/p')
known=$(sed -n 's/^[A-Z].*/&/p' daemon/seccomp.def | grep -oE '\([a-z0-9_]+[),]' | tr -d '(),')
status=0
for file in daemon/*.c api/*.c daemon/sockets/*.c; do
        # The keeper is another process, which has no filter.
        [ "$file" != daemon/keeper.c ] || continue
        named=$(sed -n 's:^.*[ *]seccomp\: \([a-z0-9_ ]*\) \*/$:\1:p' "$file")
        # Without comments, and without members and functions of that name: calls stand after no letter, dot or arrow.
        made=$(gcc -fpreprocessed -dD -E -P -x c "$file" 2>/dev/null | sed 's/"[^"]*"//g' |
                grep -oE '(^|[^A-Za-z0-9_.>*])[a-z][a-z0-9_]*\(' | grep -oE '[a-z][a-z0-9_]*' | sort -u)
        for name in $made; do
                for pair in $wrappers; do
                        [ "${pair%%=*}" != "$name" ] || name=${pair#*=}
                done
                case " $(echo $calls) " in *" $name "*) ;; *) continue ;; esac
                case " $(echo $before $known $named) " in
                *" $name "*) ;;
                *)
                        echo "$file: calls $name, and no comment \"seccomp: $name\" says so"
                        status=1
                        ;;
                esac
        done
done
[ $status -eq 0 ] && echo "the filter knows all calls"
exit $status
