#!/bin/sh
# backpressure.sh: a sender whose peer does not read: where the bytes are, and when it may go on.
. "$(dirname "$0")/common.sh"

small() { echo "[{\"level\":\"SOL_SOCKET\",\"option\":\"$1\",\"value\":16384}]"; } # small OPTION: a small buffer
server=$(make "{\"bind\":\"127.0.0.1:0\",\"listen\":true,\"options\":$(small SO_RCVBUF)}")
near=$(make "{\"connect\":\"127.0.0.1:$(port_of "$server")\",\"options\":$(small SO_SNDBUF)}")
far=$(accept "$server")

stuck=$(head -c 1048576 /dev/zero | sockwright_curl -H 'Content-Type: application/octet-stream' --data-binary @- \
        "$sockwright_url/v1/sockets/$near/send?timeout_ms=300")
check '1 MiB to a peer that does not read ends with' "$(echo "$stuck" | jq -r '"\(.errno), timed out: \(.timed_out)"')" \
        'EAGAIN, timed out: true'
sent=$(echo "$stuck" | jq .sent)
near_queue=$(api GET "/v1/sockets/$near" | jq .send_queue)
far_queue=$(api GET "/v1/sockets/$far" | jq .receive_queue)
check 'the bytes that were sent are in the two queues' $((near_queue + far_queue)) "$sent"

received=$(sockwright_curl -X POST -H 'Accept: application/octet-stream' \
        "$sockwright_url/v1/sockets/$far/recv?until=$sent" | wc -c)
check 'the peer reads them all' "$received" "$sent"
check 'and the sender may go on' "$(post "/v1/sockets/$near/send" '{"text":"more","all":true}' | jq .sent)" 4
