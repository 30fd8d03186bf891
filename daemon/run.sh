#!/bin/sh
# run.sh: installs what is missing, builds a release, starts the daemon and shows it at work; it runs on until Ctrl-C.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/packages.sh
# shellcheck disable=SC2086 # a list of words
packages_need $packages_to_build curl jq || exit 1

# A folder of its own, so that the choice made here is nobody else's.
cmake --preset release -B build/run -DSOCKWRIGHT_TESTS=OFF && cmake --build build/run || exit 1

directory=$(mktemp -d "${TMPDIR:-/tmp}/sockwright.XXXXXX") || exit 1
daemon=
stop() {
        trap - EXIT INT TERM
        if [ -n "$daemon" ]; then
                kill -TERM "$daemon" 2>/dev/null
                wait "$daemon"
        fi
        rm -rf "$directory"
}
trap stop EXIT
trap 'stop; exit 0' INT TERM

fail() {
        echo "FAILED: $*" >&2
        exit 1
}

mkfifo "$directory/greeting" || exit 1
build/run/sockwrightd --unix "$directory/sockwright.sock" --listen 127.0.0.1:0 --token-file "$directory/token" \
        >"$directory/greeting" &
daemon=$!
# Each listener says its URL, and a curl line to try it with; those of TCP, how to print the page's address too. The pipe
# stays open, so that the daemon can always write to it.
exec 3<"$directory/greeting"
url=
while read -r line <&3; do
        echo "$line"
        case $line in
        "listening on http://"*) url=${line#listening on } ;;
        echo*) break ;;
        esac
done
[ -n "$url" ] || fail "the daemon did not start"
token=$(cat "$directory/token") || exit 1
# curl reads the header from a file, so that no list of processes shows the token.
echo "Authorization: Bearer $token" >"$directory/header"

if [ -t 1 ]; then
        bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
        bold='' plain=''
fi

heading() {
        printf '\n%s# %s%s\n' "$bold" "$*" "$plain"
}

# call METHOD PATH [JSON] : shows the curl line, runs it, and shows the reply, which is kept in $reply.
call() {
        shown="curl -H \"\$T\" -X $1 \"\$U$2\""
        [ $# -lt 3 ] || shown="$shown --json '$3'"
        printf '$ %s%s%s\n' "$bold" "$shown" "$plain"
        reply=$(curl --silent --show-error --fail-with-body --header "@$directory/header" -X "$1" "$url$2" ${3+--json "$3"})
        status=$?
        printf '%s\n' "$reply"
        [ $status -eq 0 ] || fail "$1 $2"
}

# member PATH : what the last reply says there.
member() {
        printf '%s' "$reply" | jq --raw-output --exit-status "$1" || fail "no $1 in the reply"
}

# expect WHAT IS : ends the show unless they are the same.
expect() {
        [ "$1" = "$2" ] || fail "got '$1', not '$2'"
}

heading "what all lines below begin with"
printf "\$ %sU=%s%s\n" "$bold" "$url" "$plain"
printf "\$ %sT=\"Authorization: Bearer \$(cat '%s')\"%s\n" "$bold" "$directory/token" "$plain"

heading "a TCP server"
call POST /v1/sockets '{"family":"AF_INET","type":"SOCK_STREAM","bind":"127.0.0.1:0","listen":{"backlog":16},"label":"server"}'
server=$(member .id) || exit 1
port=$(member .local.port) || exit 1

heading "a client that connects to it, and the server's end of the connection"
call POST /v1/sockets "{\"family\":\"AF_INET\",\"type\":\"SOCK_STREAM\",\"connect\":\"127.0.0.1:$port\",\"label\":\"client\"}"
client=$(member .id) || exit 1
call POST "/v1/sockets/$server/accept?timeout_ms=5000"
served=$(member .id) || exit 1

heading "bytes there and back"
call POST "/v1/sockets/$client/send" '{"text":"hello, server"}'
expect "$(member .sent)" 13
call POST "/v1/sockets/$served/recv?size=100"
expect "$(member '.data | @base64d')" "hello, server"
call POST "/v1/sockets/$served/send" '{"text":"hello, client\n"}'
call POST "/v1/sockets/$client/recv" '{"until":{"delimiter_text":"\n"},"timeout_ms":5000}'
expect "$(member '.data | @base64d')" "hello, client"

heading "a UDP exchange"
call POST /v1/sockets '{"family":"AF_INET","type":"SOCK_DGRAM","bind":"127.0.0.1:0"}'
one=$(member .id) || exit 1
call POST /v1/sockets '{"family":"AF_INET","type":"SOCK_DGRAM","bind":"127.0.0.1:0"}'
other=$(member .id) || exit 1
port=$(member .local.port) || exit 1
call POST "/v1/sockets/$one/sendto" "{\"text\":\"ping\",\"address\":\"127.0.0.1:$port\"}"
call POST "/v1/sockets/$other/recvfrom?size=1500"
expect "$(member '.data | @base64d')" ping

heading "an option, set and read"
call POST "/v1/sockets/$client/setsockopt" '{"level":"IPPROTO_TCP","option":"TCP_NODELAY","value":true}'
call POST "/v1/sockets/$client/getsockopt" '{"level":"IPPROTO_TCP","option":"TCP_NODELAY"}'
expect "$(member .value)" true

heading "the daemon runs on until Ctrl-C; its page is at $url/#token=$token"
wait "$daemon"
status=$?
daemon=
exit $status
