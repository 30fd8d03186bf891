#!/bin/sh
# balance.sh: how connections are spread over the listeners of one port (SO_REUSEPORT), as over a balancer's servers.
. "$(dirname "$0")/common.sh"

servers=4 clients=80
listener() { # listener PORT
        make "{\"bind\":\"127.0.0.1:$1\",\"listen\":true,
               \"options\":[{\"level\":\"SOL_SOCKET\",\"option\":\"SO_REUSEPORT\",\"value\":true}]}"
}
first=$(listener 0)
port=$(port_of "$first")
group=$first
for _ in $(seq 2 $servers); do group="$group $(listener "$port")"; done

# All clients in one batch.
jq -n --argjson clients $clients --arg to "127.0.0.1:$port" --arg session "$session" \
        '{steps: [range($clients) | {path: "/v1/sockets", body: {connect: $to, $session}}]}' |
        sockwright_curl --json @- "$sockwright_url/v1/batch" | jq -e '.failed == null' >/dev/null

all=0
for server in $group; do
        accepted=0
        while post "/v1/sockets/$server/accept" '{"timeout_ms":0}' | jq -e .id >/dev/null; do
                accepted=$((accepted + 1))
        done
        echo "listener $server has $accepted of $clients"
        [ $accepted -ge 5 ] || { echo "that is no even spread" >&2; exit 1; }
        all=$((all + accepted))
done
check 'all connections were accepted' $all $clients
