#!/bin/sh
# run.sh [SECONDS]: builds the fuzz targets with clang, runs each for so long (60), four at a time, and says what came of it.
# run.sh --coverage: how much of the code all inputs found so far (build/fuzz/corpus) and the seeds have run, by file.
#
# What is found stays in build/fuzz: corpus/NAME, which the next run begins with, findings/NAME, log/NAME. Ends with 1
# when there is a finding. To see one again: build/fuzz/tests/fuzz/fuzz_NAME FILE.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/packages.sh
# shellcheck disable=SC2086 # a list of words
packages_need $packages_to_build libcmocka-dev libcurl4-openssl-dev clang libclang-rt-dev llvm || exit 1

out=build/fuzz
names=$(for file in tests/fuzz/fuzz_*.c; do basename "$file" .c | sed 's/^fuzz_//'; done)

build() {
        # Only what goes wrong is of interest.
        cmake --preset "$1" >"build/$1.log" 2>&1 && cmake --build --preset "$1" >>"build/$1.log" 2>&1 && return
        tail -n 40 "build/$1.log"
        exit 1
}

# The words of the API, from the contract and the tables.
dictionary() {
        {
                grep -oE '^ +[a-z][a-z0-9_]+:' openapi.yaml | tr -d ' :'
                grep -hoE '\b(AF|SOCK|IPPROTO|SOL|MSG|SHUT|SO|TCP|IP|IPV6|UDP|MCAST|PACKET|NETLINK|AI|NI|EAI)_[A-Z0-9_]+' \
                        daemon/sockets/name.def daemon/sockets/option.def
                grep -hoE '"/[^"]*"' api/operations.def | tr -d '"'
                printf '%s\n' GET HEAD POST PUT DELETE '127.0.0.1:' '[::1]:' unix:@ true false null sha256: uid: gid: certificate
        } | sort -u | sed 's/.*/"&"/'
}

# fuzz NAME: one target. Its own exit status is left to its findings.
fuzz() {
        mkdir -p "$out/corpus/$1" "$out/findings/$1" "$out/log"
        nice -n 19 "$out/tests/fuzz/fuzz_$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
                -dict="$out/api.dict" -artifact_prefix="$out/findings/$1/" "$out/corpus/$1" "tests/fuzz/corpus/$1" \
                >"$out/log/$1" 2>&1
        echo "exit status $?" >>"$out/log/$1"
}

# log NAME EXPRESSION: what sed finds last in a target's log, or "-".
log() {
        found=$(sed -nE "s/$2/\\1/p" "$out/log/$1" | tail -n 1)
        echo "${found:--}"
}

# row NAME: of the table. False where there is a finding.
row() {
        findings=$(find "$out/findings/$1" -type f | wc -l)
        grep -q '^exit status 0$' "$out/log/$1" || findings=$((findings > 0 ? findings : 1))
        printf '%-10s %11s %8s %6s/%-6s %9s %7s %6s MiB %9s\n' "$1" \
                "$(log "$1" '^stat::number_of_executed_units: *([0-9]+).*')" \
                "$(log "$1" '^stat::average_exec_per_sec: *([0-9]+).*')" \
                "$(log "$1" '^#[0-9]+.* cov: ([0-9]+) .*')" \
                "$(log "$1" '.*Loaded [0-9]+ modules *\(([0-9]+) inline.*')" \
                "$(log "$1" '^#[0-9]+.* ft: ([0-9]+) .*')" \
                "$(log "$1" '^#[0-9]+.* corp: ([0-9]+)\/.*')" \
                "$(log "$1" '^stat::peak_rss_mb: *([0-9]+).*')" "$findings"
        [ "$findings" -eq 0 ]
}

show_finding() {
        grep -E 'does not hold|runtime error|ERROR:|SUMMARY' "$out/log/$1" | head -n 5
        find "$out/findings/$1" -type f
}

coverage() {
        build fuzz-coverage
        profiles=build/fuzz-coverage/profiles
        rm -rf "$profiles"
        mkdir -p "$profiles"
        objects=
        for name in $names; do
                binary=build/fuzz-coverage/tests/fuzz/fuzz_$name
                mkdir -p "$out/corpus/$name"
                LLVM_PROFILE_FILE=$profiles/$name.profraw "$binary" "tests/fuzz/corpus/$name" "$out/corpus/$name" >/dev/null || exit 1
                objects="$objects ${objects:+-object} $binary"
        done
        llvm-profdata merge -o "$profiles/all" "$profiles"/*.profraw || exit 1
        # shellcheck disable=SC2086 # a list of words
        llvm-cov report $objects -instr-profile="$profiles/all" -show-region-summary=false -show-branch-summary=false \
                -ignore-filename-regex='/tests/'
}

mkdir -p build
if [ "${1:-}" = --coverage ]; then
        coverage
        exit
fi
seconds=${1:-60}
build fuzz
dictionary >"$out/api.dict"

# Four at a time: each of four shares of the targets in the background, one after the other.
share() {
        turn=0
        for name in $names; do
                turn=$((turn + 1))
                [ $((turn % 4)) -eq "$1" ] && fuzz "$name"
        done
}
for name in $names; do
        rm -rf "$out/findings/$name"
done
for number in 0 1 2 3; do
        share $number &
done
wait

status=0
printf '%-10s %11s %8s %13s %9s %7s %10s %9s\n' target executions 'exec/s' 'edges' features corpus 'peak rss' findings
for name in $names; do
        row "$name" || status=1
done
for name in $names; do
        show_finding "$name"
done
exit $status
