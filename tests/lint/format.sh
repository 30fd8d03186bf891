#!/bin/sh
# format.sh: every .c and .h is laid out as .clang-format says; each opens with its one purpose and stays short.
set -u
cd "$(dirname "$0")/../.." || exit 1
files=$(find api daemon tests -name '*.[ch]')
status=0
# shellcheck disable=SC2086 # a list of words
clang-format --dry-run -Werror $files || status=1
for file in $files; do
        name=${file##*/}
        case $(head -n 1 "$file") in
        "/* $name: "*) ;;
        *)
                echo "$file:1: does not open with '/* $name: its purpose'"
                status=1
                ;;
        esac
        lines=$(wc -l <"$file")
        if [ "$lines" -gt 500 ]; then
                echo "$file: $lines lines; 500 is the most"
                status=1
        fi
done
[ $status -eq 0 ] && echo "$(echo "$files" | wc -l) files are in shape"
exit $status
