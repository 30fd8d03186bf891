#!/bin/sh
# lint.sh OPENAPI SCRATCH: lints the document with the pinned public linter, installed into the scratch folder.
set -eu
document=$(realpath "$1")
scratch=$2
here=$(dirname "$(realpath "$0")")

mkdir -p "$scratch"
cp "$here/package.json" "$here/.npmrc" "$here/redocly.yaml" "$scratch"
# A finished installation leaves the lock file that it was made from.
if ! cmp -s "$here/package-lock.json" "$scratch/installed.json"; then
        cp "$here/package-lock.json" "$scratch"
        (cd "$scratch" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
        cp "$here/package-lock.json" "$scratch/installed.json"
fi

export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
cd "$scratch"
# A warning is a failure too.
output=$(node_modules/.bin/redocly lint --config redocly.yaml "$document" 2>&1) || {
        printf '%s\n' "$output"
        exit 1
}
printf '%s\n' "$output"
case $output in *[Ww]arning*) exit 1 ;; esac
