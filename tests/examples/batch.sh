#!/bin/sh
# batch.sh: a TCP scenario of 50 steps, as 50 requests on one connection and as one batch, with their times.
. "$(dirname "$0")/common.sh"

work=$(mktemp -d)
trap 'end; rm -rf "$work"' EXIT

# A server, a client, what was accepted; then a message there and back 11 times, and both ends closed.
jq -n '[
  {name: "server", path: "/v1/sockets", body: {bind: "127.0.0.1:0", listen: true}},
  {name: "near", path: "/v1/sockets", body: {connect: {"$ref": "server/local"}}},
  {name: "far", path: "/v1/sockets/{server/id}/accept"},
  (range(11) | (["near", "far"], ["far", "near"])
             | {path: "/v1/sockets/{\(.[0])/id}/send", body: {text: "message"}},
               {path: "/v1/sockets/{\(.[1])/id}/recv", body: {size: 100}}),
  ("near", "far", "server" | {method: "DELETE", path: "/v1/sockets/{\(.)/id}"})
]' >"$work/steps"

# The same as lines of curl, once the three ids are known.
run_requests() {
        server=$(make '{"bind":"127.0.0.1:0","listen":true}')
        near=$(make "{\"connect\":\"127.0.0.1:$(port_of "$server")\"}")
        far=$(accept "$server")
        jq -r --arg server "$server" --arg near "$near" --arg far "$far" --arg url "$sockwright_url" '
                .[3:][] | (.path | gsub("{server/id}"; $server) | gsub("{near/id}"; $near) | gsub("{far/id}"; $far)) as $path
                | "next\nurl = \"\($url)\($path)\"\nrequest = \"\(.method // "POST")\"\noutput = /dev/null\nfail\nsilent"
                  + (if .body then "\njson = \(.body | tojson | tojson)" else "" end)
                  + (if env.SOCKWRIGHT_URL then "\nheader = \"Authorization: Bearer \(env.SOCKWRIGHT_TOKEN)\"" else "\nunix-socket = \(env.SOCKWRIGHT_SOCKET | tojson)" end)
                ' "$work/steps" | sed 1d >"$work/requests"
        curl --config "$work/requests"
}
run_batch() {
        jq '{steps: .}' "$work/steps" | sockwright_curl --json @- "$sockwright_url/v1/batch" >"$work/reply"
}
milliseconds() { # milliseconds COMMAND: how long it takes
        began=$(date +%s%N)
        "$1"
        echo $((($(date +%s%N) - began) / 1000000))
}

check 'steps' "$(jq length "$work/steps")" 50
milliseconds run_requests >"$work/requests_ms"
milliseconds run_batch >"$work/batch_ms"
check 'every step of the batch was done' "$(jq '[.results[] | select(.status < 300)] | length' "$work/reply")" 50
echo "50 requests took $(cat "$work/requests_ms") ms, one batch $(cat "$work/batch_ms") ms," \
        "of which the daemon's work was $(jq .duration_us "$work/reply") us"
