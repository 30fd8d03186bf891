#!/bin/sh
# run.sh: builds a release, measures what the daemon promises, and prints one line per claim; fails when one falls short.
# What is compared runs in turns, round after round, so that the machine's moods hit all alike; each figure is a median.
#
# LOADS (15) of SECONDS_EACH (1), ROUNDS (5) of the others, PARKED (10000), MIB (1024), SUBSCRIBERS (1000) may be set in the
# environment.
set -eu
cd "$(dirname "$0")/../.."
LOADS=${LOADS:-15} SECONDS_EACH=${SECONDS_EACH:-1} ROUNDS=${ROUNDS:-5} PARKED=${PARKED:-10000} MIB=${MIB:-1024}
SUBSCRIBERS=${SUBSCRIBERS:-1000}
BUILD=${BUILD:-build/bench}
CLIENTS=32 BUSY=5
TOKEN=0000000000000000000000000000000000000000000000000000000000000000

. tests/packages.sh
# shellcheck disable=SC2086 # a list of words
packages_need $packages_to_build wrk socat curl

cmake -S . -B "$BUILD" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSOCKWRIGHT_TESTS=OFF \
        -DSOCKWRIGHT_BENCH=ON >/dev/null
cmake --build "$BUILD" >/dev/null
BIN=$BUILD/tests/bench DAEMON=$BUILD/sockwrightd

work=$(mktemp -d)
running=
# shellcheck disable=SC2086 # a list
trap 'kill $running 2>/dev/null || :; wait; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
(umask 077 && echo "$TOKEN" >"$work/token")

start() { # start NAME PROGRAM ARGUMENT...: sets pid and port, once it listens
        name=$1
        shift
        mkfifo "$work/$name"
        "$@" >"$work/$name" 2>>"$work/log" &
        pid=$!
        running="$running $pid"
        port=
        while read -r line; do
                case $line in
                "listening on http://127.0.0.1:"*) port=${line##*:} && break ;;
                esac
        done <"$work/$name"
        [ -n "$port" ] || { cat "$work/log"; exit 1; }
}
start_daemon() { # start_daemon NAME MAX-SOCKETS OPTION...
        name=$1 max=$2
        shift 2
        start "$name" "$DAEMON" --unix "$work/$name.sock" --listen 127.0.0.1:0 --token-file "$work/token" \
                --max-sockets "$max" "$@"
}
stop() {
        kill "$1"
        wait "$1" 2>/dev/null || :
        running=$(echo "$running" | sed "s/ $1//")
}

load() { # load PORT IDS: requests/s of wrk
        wrk -t1 -c$CLIENTS -d"${SECONDS_EACH}s" -s tests/bench/pairs.lua "http://127.0.0.1:$1" -- "$TOKEN" "$2" >"$work/wrk"
        ! grep -E 'Non-2xx|Socket errors' "$work/wrk" >&2 || exit 1
        sed -n 's/^Requests\/sec: *//p' "$work/wrk"
}
post() { curl -sS -H "Authorization: Bearer $TOKEN" --json "$3" "http://127.0.0.1:$1/v1/sockets/$2"; }
median() { sort -n "$1" | awk '{ a[NR] = $1 } END { print (NR % 2) ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2 }'; }
# What one round measured, side by side, makes the ratio: drift between rounds does not count.
ratio() { paste "$1" "$2" | awk '{ print $1 / $2 }' >"$work/ratios" && median "$work/ratios"; }

short=0
row() { # row CLAIM MEASURED RATIO TARGET VALUE least|most BOUND
        verdict=OK
        awk "BEGIN { exit !($5 $([ "$6" = least ] && echo '>=' || echo '<=') $7) }" || { verdict=short; short=1; }
        printf '%-76s %-26s %-6s %-12s %s\n' "$1" "$2" "$3" "$4" "$verdict"
}
note() { printf '%-76s %-26s %-6s\n' "$1" "$2" "$3"; }

measure_requests() {
        start_daemon pairs 12000 --threads "$(nproc)"
        pairs=$port
        "$BIN/bench_pairs" "$pairs" "$TOKEN" $CLIENTS $CLIENTS >"$work/ids"
        read -r first second <"$work/ids"
        sent=$(post "$pairs" "$first/send" '{"text":"0123456789012345678901234567890123456789012345678901234567890123"}')
        received=$(post "$pairs" "$second/recv" '{"size":64}')
        start bare "$BIN/bench_bare" "$sent" "$received"
        bare=$port
        for open in 10 1000 10000; do
                start_daemon "open$open" 12000 --threads "$(nproc)"
                eval "open_$open=$port"
                "$BIN/bench_pairs" "$port" "$TOKEN" $((open / 2)) $BUSY >"$work/ids$open"
        done
        for round in $(seq "$LOADS"); do
                load "$pairs" "$work/ids" >>"$work/pairs.rps"
                load "$bare" "$work/ids" >>"$work/bare.rps"
        done
        for round in $(seq "$LOADS"); do
                for open in 10 1000 10000; do
                        eval "port=\$open_$open"
                        load "$port" "$work/ids$open" >>"$work/open$open.rps"
                done
        done
        value=$(ratio "$work/pairs.rps" "$work/bare.rps")
        row "64-byte send+recv by JSON, $CLIENTS clients, of bare libmicrohttpd" \
                "$(printf '%.0f/s of %.0f/s' "$(median "$work/pairs.rps")" "$(median "$work/bare.rps")")" \
                "$(printf %.2f "$value")" '>= 0.70' "$value" least 0.70
        for open in 1000 10000; do
                value=$(ratio "$work/open$open.rps" "$work/open10.rps")
                row "the same with $open open sockets, of that with 10" \
                        "$(printf '%.0f/s of %.0f/s' "$(median "$work/open$open.rps")" "$(median "$work/open10.rps")")" \
                        "$(printf %.2f "$value")" '>= 0.85' "$value" least 0.85
        done
        for process in $running; do stop "$process"; done
}

park() { # park NAME OTHERS SOCKETS fresh|used
        for round in 1 2 3; do
                # A new daemon each time: what an earlier round left in its heap would hide what this one needs.
                start_daemon "$1$round" $(($3 + 100))
                "$BIN/bench_park" "$port" "$TOKEN" "$pid" "$2" "$3" "$4" >"$work/park"
                stop "$pid"
                read -r middle high weight _ <"$work/park"
                echo "$middle" >>"$work/$1.median"
                echo "$high" >>"$work/$1.p99"
                echo "$weight" >>"$work/$1.weight"
        done
        value=$(median "$work/$1.median")
        others="$2 others on $3 sockets" kind="fresh connections"
        [ "$4" = fresh ] || kind="keep-alive"
        row "parked recv answers, beside $others, $kind" "$value us (p99 $(median "$work/$1.p99") us)" - '<= 200 us' \
                "$value" most 200
        [ "$2" -ge 1000 ] || return 0
        value=$(median "$work/$1.weight")
        row "resident per parked call, connection included, $kind" "$value KiB" - '<= 10 KiB' "$value" most 10
}

measure_bulk() {
        start_daemon bulk 1000
        for round in $(seq "$ROUNDS"); do
                "$BIN/bench_bulk" json "$MIB" "$port" "$TOKEN" >>"$work/json"
                "$BIN/bench_bulk" socat "$MIB" 8192 >>"$work/socat"
                "$BIN/bench_bulk" upload "$MIB" "$port" "$TOKEN" >>"$work/upload"
                "$BIN/bench_bulk" socat "$MIB" 65536 >>"$work/socat64"
                "$BIN/bench_bulk" download "$MIB" "$port" "$TOKEN" >>"$work/download"
                "$BIN/bench_bulk" echo "$MIB" "$port" "$TOKEN" >>"$work/echo"
                "$BIN/bench_bulk" socat-echo "$MIB" 8192 >>"$work/socat-echo"
                "$BIN/bench_bulk" websocket-up "$MIB" "$port" "$TOKEN" >>"$work/websocket-up"
                "$BIN/bench_bulk" socat "$MIB" 8192 >>"$work/socat-up"
                "$BIN/bench_bulk" websocket-down "$MIB" "$port" "$TOKEN" >>"$work/websocket-down"
                "$BIN/bench_bulk" socat "$MIB" 8192 >>"$work/socat-down"
        done
        value=$(median "$work/json")
        row "1 MiB base64 sends by JSON, one connection" "$(printf '%.0f MB/s' "$value")" - '>= 400 MB/s' "$value" least 400
        for way in upload download; do
                value=$(ratio "$work/$way" "$work/socat")
                row "raw $way of $MIB MiB, of socat" \
                        "$(printf '%.0f of %.0f MB/s' "$(median "$work/$way")" "$(median "$work/socat")")" \
                        "$(printf %.2f "$value")" '>= 0.50' "$value" least 0.50
                value=$(ratio "$work/$way" "$work/socat64")
                note "  of socat -b 65536" \
                        "$(printf '%.0f of %.0f MB/s' "$(median "$work/$way")" "$(median "$work/socat64")")" \
                        "$(printf %.2f "$value")"
        done
        value=$(ratio "$work/echo" "$work/socat-echo")
        row "an echo reactor of $MIB MiB, of socat PIPE" \
                "$(printf '%.0f of %.0f MB/s' "$(median "$work/echo")" "$(median "$work/socat-echo")")" \
                "$(printf %.2f "$value")" '>= 0.80' "$value" least 0.80
        for way in up down; do
                value=$(ratio "$work/websocket-$way" "$work/socat-$way")
                row "WebSocket $way of $MIB MiB in 64 KiB messages, of socat" \
                        "$(printf '%.0f of %.0f MB/s' "$(median "$work/websocket-$way")" "$(median "$work/socat-$way")")" \
                        "$(printf %.2f "$value")" '>= 0.60' "$value" least 0.60
        done
        stop "$pid"
}

measure_events() {
        for round in $(seq "$ROUNDS"); do
                start_daemon "events$round" 100
                "$BIN/bench_events" "$port" "$TOKEN" "$pid" "$SUBSCRIBERS" 1000 5 >"$work/events"
                stop "$pid"
                read -r delivered middle high cpu weight gaps <"$work/events"
                for figure in delivered middle high cpu weight gaps; do
                        eval "echo \"\$$figure\"" >>"$work/events.$figure"
                done
        done
        value=$(awk "BEGIN { print $(median "$work/events.delivered") / $SUBSCRIBERS / 1000 }")
        row "1000 events/s to $SUBSCRIBERS subscribers, delivered" \
                "$(printf '%.0f/s' "$(median "$work/events.delivered")")" "$(printf %.2f "$value")" '>= 0.95' "$value" least 0.95
        value=$(median "$work/events.middle")
        row "  how late they are there" "$value ms (p99 $(median "$work/events.high") ms)" - '<= 100 ms' "$value" most 100
        value=$(median "$work/events.gaps")
        row "  gaps that the subscribers were told of" "$value" - '0' "$value" most 0
        note "  what the daemon takes" "$(median "$work/events.cpu") % of a CPU, $(median "$work/events.weight") MiB" -
}

echo "$(nproc) CPUs, load $(cut -d' ' -f1-3 /proc/loadavg), $(uname -r), $("$DAEMON" --version)"
printf '%-76s %-26s %-6s %-12s\n' claim measured ratio target
measure_requests
park alone 1 2 fresh
park one "$PARKED" 2 fresh
park kept "$PARKED" 2 used
park many "$PARKED" 5000 fresh
measure_bulk
measure_events
echo "load now $(cut -d' ' -f1-3 /proc/loadavg)"
exit $short
