#!/bin/sh
# backpressure.sh: a sender whose peer does not read: where the bytes are, and when it may go on.
. "$(dirname "$0")/common.sh"

make server '{"bind":"127.0.0.1:0","listen":true,"options":[{"level":"SOL_SOCKET","option":"SO_RCVBUF","value":16384}]}'
make near "{\"connect\":\"127.0.0.1:$(port_of "$server")\",\"options\":[{\"level\":\"SOL_SOCKET\",\"option\":\"SO_SNDBUF\",\"value\":16384}]}"
far=$(post "/v1/sockets/$server/accept" | jq -er .id)
made="$made $far"
total=1048576

stuck=$(head -c $total /dev/zero | sockwright_curl -X POST -H 'Content-Type: application/octet-stream' --data-binary @- \
        "$sockwright_url/v1/sockets/$near/send?timeout_ms=300")
check 'sending 1 MiB to a peer that does not read ends with' "$(echo "$stuck" | jq -r '"\(.errno), timed out: \(.timed_out)"')" \
        'EAGAIN, timed out: true'
sent=$(echo "$stuck" | jq .sent)
near_queue=$(api GET "/v1/sockets/$near" | jq .send_queue)
far_queue=$(api GET "/v1/sockets/$far" | jq .receive_queue)
check 'what was sent is in the two queues' $((near_queue + far_queue)) "$sent"

received=$(sockwright_curl -X POST -H 'Accept: application/octet-stream' \
        "$sockwright_url/v1/sockets/$far/recv?until=$sent" | wc -c)
check 'the peer reads it all' "$received" "$sent"
check 'and the sender may go on' \
        "$(post "/v1/sockets/$near/send" '{"text":"more","all":true}' | jq .sent)" 4
