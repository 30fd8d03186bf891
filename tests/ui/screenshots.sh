#!/bin/sh
# screenshots.sh SOCKWRIGHTD: makes the pictures of the README anew, in tests/ui/screenshots/. Wants chromium and optipng.
set -eu
here=$(dirname "$(realpath "$0")")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
SOCKWRIGHTD=$(realpath "$1")
export SOCKWRIGHTD
sh "$here/run.sh" "$scratch" screenshots.js
optipng -quiet -o5 -strip all "$here"/screenshots/*.png
ls -l "$here"/screenshots/*.png
