#!/bin/sh
# firewall.sh: what a firewall does to connections, told apart: open, refused, dropped, unreachable.
#
# The daemon plays both hosts, each in a network namespace of its own; needs root here, and CAP_SYS_ADMIN there.
. "$(dirname "$0")/common.sh"

client=sw-client-$$ server=sw-server-$$ link=sw$$
trap 'end; ip netns del $client; ip netns del $server' EXIT
ip netns add $client
ip netns add $server
ip link add ${link}a netns $client type veth peer name ${link}b netns $server
ip -n $client address add 10.77.0.1/24 dev ${link}a
ip -n $server address add 10.77.0.2/24 dev ${link}b
ip -n $client link set ${link}a up
ip -n $server link set ${link}b up
ip -n $client route add unreachable 10.78.0.0/24
ip netns exec $server nft -f - <<END
table inet filter {
        chain input {
                type filter hook input priority 0;
                tcp dport 82 drop
                tcp dport 83 reject with tcp reset
                tcp dport 84 reject with icmp type admin-prohibited
        }
}
END
for port in 80 82; do make "{\"netns\":\"$server\",\"bind\":\"10.77.0.2:$port\",\"listen\":true}" >/dev/null; done

outcome() { # outcome ADDRESS: of a connection there
        jq -n --arg netns $client --arg to "$1" --arg session "$session" \
                '{$netns, connect: $to, $session, timeout_ms: 500}' |
                sockwright_curl --json @- "$sockwright_url/v1/sockets" |
                jq -r 'if .state == "connected" then "open" else "\(.class), \(.errno)" end'
}
check '80: a listener' "$(outcome 10.77.0.2:80)" open
check '81: nobody listens' "$(outcome 10.77.0.2:81)" 'refused, ECONNREFUSED'
check '82: a listener, but the firewall drops' "$(outcome 10.77.0.2:82)" 'timed_out, ETIMEDOUT'
check '83: the firewall resets' "$(outcome 10.77.0.2:83)" 'refused, ECONNREFUSED'
check '84: the firewall says that it is prohibited' "$(outcome 10.77.0.2:84)" 'unreachable, EHOSTUNREACH'
check 'no such host on the link' "$(outcome 10.77.0.3:80)" 'timed_out, ETIMEDOUT'
check 'a route that says unreachable' "$(outcome 10.78.0.1:80)" 'unreachable, EHOSTUNREACH'
