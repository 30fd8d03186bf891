#!/bin/sh
# closing.sh: what a peer sees of a half-close, and of a reset.
. "$(dirname "$0")/common.sh"

server=$(make '{"bind":"127.0.0.1:0","listen":true}')
port=$(port_of "$server")

near=$(make "{\"connect\":\"127.0.0.1:$port\"}")
far=$(accept "$server")
post "/v1/sockets/$near/send" '{"text":"last words"}' >/dev/null
post "/v1/sockets/$near/shutdown" '{"how":"SHUT_WR"}' >/dev/null
reply=$(post "/v1/sockets/$far/recv" '{"until":"eof"}')
check 'after a half-close the peer reads to the end' "$(echo "$reply" | jq -r '.data | @base64d')" 'last words'
check 'and sees the end' "$(echo "$reply" | jq .eof)" true
post "/v1/sockets/$far/send" '{"text":"answer"}' >/dev/null
check 'the other direction still works' \
        "$(post "/v1/sockets/$near/recv" '{"size":100}' | jq -r '.data | @base64d')" answer

near=$(make "{\"connect\":\"127.0.0.1:$port\"}")
far=$(accept "$server")
api DELETE "/v1/sockets/$near?reset=true"
check 'after a reset recv says' "$(post "/v1/sockets/$far/recv" '{"size":1}' | jq -r .errno)" ECONNRESET
check 'and then send' "$(post "/v1/sockets/$far/send" '{"text":"x"}' | jq -r .errno)" EPIPE
