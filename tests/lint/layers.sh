#!/bin/sh
# layers.sh: includes go one way: daemon/ -> api/ -> daemon/sockets/; and only daemon/ knows libmicrohttpd, only daemon/ and
# api/ know JSON.
set -u
cd "$(dirname "$0")/../.." || exit 1
status=0

# forbid WHAT FILES... : prints every line that matches, and remembers that there was one.
forbid() {
        what=$1
        shift
        [ $# -eq 0 ] && return
        if grep -nE "$what" "$@" /dev/null; then
                status=1
        fi
}

includes='^[[:space:]]*#[[:space:]]*include[[:space:]]*'
forbid "$includes"'("api/|"daemon/[^"/]*"|"tests/|<jansson\.h>|<microhttpd\.h>)' $(find daemon/sockets -name '*.[ch]' -o -name '*.def' | grep '^daemon/sockets/')
forbid "$includes"'("daemon/[^"/]*"|"tests/|<microhttpd\.h>)' $(find api -name '*.[ch]' -o -name '*.def' | grep '^api/')
forbid "$includes"'"tests/' $(find daemon -maxdepth 1 -name '*.[ch]')
# Every include names its file from the top, so that the arrows can be read.
forbid "$includes"'"([^"/]*|\.[^"]*)"' $(find daemon api tests -name '*.[ch]')

[ $status -eq 0 ] && echo "includes go one way"
exit $status
