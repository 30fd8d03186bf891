#!/bin/sh
# run.sh: installs what is missing, builds with sanitizers, and runs everything. The last line is 'N passed, N failed'.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/packages.sh

packages="$packages_to_build libcmocka-dev libcurl4-openssl-dev clang clang-tidy clang-format cppcheck curl jq iproute2 nftables slowhttptest
        python3 python3-yaml python3-jsonschema python3-websockets strace tshark systemd systemd-container dpkg-dev lintian
        chromium fonts-dejavu-core"
# shellcheck disable=SC2086 # a list of words
packages_need $packages || exit 1
promtool_need build/promtool || exit 1

passed=0
failed=0
began=$(date +%s)

say() {
        printf '\n== %s (%d s)\n' "$1" $(($(date +%s) - began))
}

# check NAME COMMAND... : a step that is passed or failed as a whole.
check() {
        name=$1
        shift
        say "$name"
        if "$@"; then
                passed=$((passed + 1))
        else
                failed=$((failed + 1))
                echo "FAILED: $name"
                return 1
        fi
}

# suites PRESET ARGUMENT... : runs ctest on a build and adds up what it counted.
suites() {
        preset=$1
        shift
        say "tests of $preset"
        report=build/$preset/report.xml
        rm -f "$report"
        ctest --preset "$preset" --parallel 3 --output-junit report.xml "$@"
        ended=$?
        all=$(sed -n 's/^.*[[:space:]]tests="\([0-9]*\)".*$/\1/p' "$report" 2>/dev/null | head -n 1)
        bad=$(sed -n 's/^.*[[:space:]]failures="\([0-9]*\)".*$/\1/p' "$report" 2>/dev/null | head -n 1)
        if [ -z "$all" ] || { [ "$ended" -ne 0 ] && [ "${bad:-0}" -eq 0 ]; }; then
                failed=$((failed + 1))
                return
        fi
        passed=$((passed + all - bad))
        failed=$((failed + bad))
}

build() {
        cmake --preset "$1" && cmake --build --preset "$1"
}

if check "build of dev (address and undefined-behaviour sanitizers)" build dev; then
        rm -rf build/dev/exchanges
        mkdir -p build/dev/exchanges
        suites dev
fi
# The fuzzers give way to everything else, so that they run beside what waits most.
say "fuzzing, each target for 60 s, in the background"
sh tests/fuzz/run.sh 60 >build/fuzz.out 2>&1 &
fuzzing=$!

finish_fuzzing() {
        wait "$fuzzing"
        fuzzed=$?
        cat build/fuzz.out
        return $fuzzed
}

if check "build of tsan (thread sanitizer)" build tsan; then
        suites tsan --tests-regex '^(unit|https?)/'
fi
check "fuzzing" finish_fuzzing

say "done"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
