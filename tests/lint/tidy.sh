#!/bin/sh
# tidy.sh BUILD: clang-tidy finds nothing in what BUILD/compile_commands.json compiles. What is disabled, and why, is in
# .clang-tidy.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${1:-build/dev}
tidy=$(command -v clang-tidy-14 || command -v clang-tidy) || exit 1
find api daemon tests -name '*.c' | sort >"$build/tidy-files"
# One process for a few files each; the largest files are spread by the shuffling of the sorted list over the jobs.
if xargs -P 2 -n 1 "$tidy" -p "$build" --quiet <"$build/tidy-files" >"$build/tidy-log" 2>&1; then
        echo "$(wc -l <"$build/tidy-files") files are tidy"
else
        grep -vE '^[0-9]+ warnings? (generated|treated as errors?)|^Suppressed|^Use -header-filter' "$build/tidy-log"
        exit 1
fi
