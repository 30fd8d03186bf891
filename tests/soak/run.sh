#!/bin/sh
# run.sh [SECONDS]: builds a release, and lets mixed clients work on it for so long (600); fails when it holds more at the end
# than after the first sixth, or anything is lost or comes twice.
set -eu
cd "$(dirname "$0")/../.."
. tests/packages.sh
# shellcheck disable=SC2086 # a list of words
packages_need $packages_to_build libcmocka-dev libcurl4-openssl-dev

cmake -S . -B build/soak -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
cmake --build build/soak --target sockwrightd soak >/dev/null
exec env SOCKWRIGHTD="$PWD/build/soak/sockwrightd" build/soak/tests/soak/soak "${1:-600}"
