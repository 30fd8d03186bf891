#!/bin/sh
# seccomp_calls.sh OUT FILE... : writes CALL(name) for each system call that a comment "seccomp: name name" in a file names.
set -eu
out=$1
shift
sed -n 's:^.*[ *]seccomp\: \([a-z0-9_ ]*\) \*/$:\1:p' "$@" | tr -s ' ' '\n' | LC_ALL=C sort -u | sed 's/.*/CALL(&)/' >"$out.new"
[ -s "$out.new" ]
if cmp -s "$out" "$out.new"; then rm "$out.new"; else mv "$out.new" "$out"; fi
touch "$out"
