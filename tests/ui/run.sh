#!/bin/sh
# run.sh SCRATCH SCRIPT...: runs a script of this folder with the pinned browser driver, installed into the scratch folder;
# $SOCKWRIGHTD is the daemon.
set -eu
scratch=$1
script=$2
shift 2
here=$(dirname "$(realpath "$0")")

mkdir -p "$scratch"
# A finished installation leaves the lock file that it was made from.
if ! cmp -s "$here/package-lock.json" "$scratch/installed.json"; then
        cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$scratch"
        (cd "$scratch" && npm ci --ignore-scripts --prefer-offline --no-audit --no-fund --loglevel=error)
        cp "$here/package-lock.json" "$scratch/installed.json"
fi
UI_MODULES=$scratch/node_modules exec node "$here/$script" "$@"
