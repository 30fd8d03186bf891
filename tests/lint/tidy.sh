#!/bin/sh
# tidy.sh BUILD: clang-tidy finds nothing in what BUILD/compile_commands.json compiles. What is disabled, and why, is in
# .clang-tidy.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${1:-build/dev}
tidy=$(command -v clang-tidy-14 || command -v clang-tidy) || exit 1
find api daemon tests -name '*.c' | sort >"$build/tidy-files"

# check FOLDERS ARGUMENT...: two at a time, each file by a process of its own.
check() {
        grep -E "^($1)/" "$build/tidy-files" >"$build/tidy-part"
        shift
        xargs -P 2 -n 1 "$tidy" -p "$build" --quiet "$@" <"$build/tidy-part" >>"$build/tidy-log" 2>&1
}

# The tests run under sanitizers, all of them; the analyzer, which follows each path, is for what is installed.
: >"$build/tidy-log"
status=0
check 'api|daemon' || status=1
check tests '--checks=-clang-analyzer-*' || status=1
if [ $status -eq 0 ]; then
        echo "$(wc -l <"$build/tidy-files") files are tidy"
else
        grep -vE '^[0-9]+ warnings? (generated|treated as errors?)|^Suppressed|^Use -header-filter' "$build/tidy-log"
fi
exit $status
