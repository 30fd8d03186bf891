#!/bin/sh
# balance.sh: how connections are spread over the listeners of one port (SO_REUSEPORT), as over a balancer's servers.
. "$(dirname "$0")/common.sh"

servers=4 clients=80
reuse='"options":[{"level":"SOL_SOCKET","option":"SO_REUSEPORT","value":true}]'
make first "{\"bind\":\"127.0.0.1:0\",$reuse,\"listen\":{\"backlog\":512}}"
port=$(port_of "$first")
group=$first
for _ in $(seq 2 $servers); do
        make next "{\"bind\":\"127.0.0.1:$port\",$reuse,\"listen\":{\"backlog\":512}}"
        group="$group $next"
done

# All clients connect in one batch, and are closed with what the listeners accept.
steps=$(jq -n --argjson clients $clients --arg to "127.0.0.1:$port" \
        '[range($clients) | {path: "/v1/sockets", body: {connect: $to, label: "client"}}]')
post /v1/batch "{\"steps\":$steps}" | jq -e '.failed == null' >/dev/null
for id in $(api GET '/v1/sockets?label=client&limit=1000' | jq -r '.sockets[].id'); do made="$made $id"; done

all=0
for server in $group; do
        accepted=0
        while id=$(post "/v1/sockets/$server/accept" '{"timeout_ms":0}' | jq -er .id); do
                made="$made $id"
                accepted=$((accepted + 1))
        done
        echo "listener $server has $accepted of $clients"
        [ $accepted -ge 5 ] || { echo "that is no even spread" >&2; exit 1; }
        all=$((all + accepted))
done
check 'all connections were accepted' $all $clients
