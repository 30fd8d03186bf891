#!/bin/sh
# multicast.sh: one sender, and receivers in two other network namespaces: who has joined gets it, others do not.
#
# Needs root here, and CAP_SYS_ADMIN in the daemon.
. "$(dirname "$0")/common.sh"

group=239.77.0.1 port=7777
sender=sw-sender-$$ one=sw-one-$$ two=sw-two-$$ link=sw$$
trap 'end; for name in $sender $one $two; do ip netns del $name; done' EXIT
for name in $sender $one $two; do ip netns add $name; done
# A bridge in the sender's namespace joins the three.
ip -n $sender link add $link type bridge mcast_snooping 0
ip -n $sender address add 10.77.0.1/24 dev $link
ip -n $sender link set $link up
number=1
for name in $one $two; do
        number=$((number + 1))
        ip link add $link netns $name type veth peer name ${link}p$number netns $sender
        ip -n $sender link set ${link}p$number master $link up
        ip -n $name address add 10.77.0.$number/24 dev $link
        ip -n $name link set $link up
done
ip -n $sender route add 239.0.0.0/8 dev $link

receiver() { # receiver NETNS ADDRESS [SOURCE]: joins the group, from one source alone if given
        join='"option":"IP_ADD_MEMBERSHIP","value":{"group":"'$group'","address":"'$2'"}'
        [ -z "${3:-}" ] || join='"option":"IP_ADD_SOURCE_MEMBERSHIP","value":{"group":"'$group'","interface_address":"'$2'","source":"'$3'"}'
        make "{\"netns\":\"$1\",\"type\":\"SOCK_DGRAM\",\"bind\":\"0.0.0.0:$port\",
               \"options\":[{\"level\":\"SOL_SOCKET\",\"option\":\"SO_REUSEADDR\",\"value\":true},{\"level\":\"IPPROTO_IP\",$join}]}"
}
heard() { # heard ID: what it has received, or the errno
        post "/v1/sockets/$1/recvfrom" '{"size":100,"timeout_ms":300}' |
                jq -r 'if .data then "\(.data | @base64d) from \(.address.host)" else .errno end'
}
joined=$(receiver $one 10.77.0.2)
filtered=$(receiver $two 10.77.0.3 10.77.0.1)
elsewhere=$(receiver $two 10.77.0.3 10.77.0.9)
stranger=$(make "{\"netns\":\"$one\",\"type\":\"SOCK_DGRAM\",\"bind\":\"10.77.0.2:0\"}")
from=$(make "{\"netns\":\"$sender\",\"type\":\"SOCK_DGRAM\",\"bind\":\"10.77.0.1:0\"}")
post "/v1/sockets/$from/sendto" "{\"address\":\"$group:$port\",\"text\":\"hello\"}" | jq -e .sent >/dev/null

check 'who has joined' "$(heard "$joined")" 'hello from 10.77.0.1'
check 'who has joined this source alone' "$(heard "$filtered")" 'hello from 10.77.0.1'
check 'who has joined another source' "$(heard "$elsewhere")" EAGAIN
check 'who has not joined' "$(heard "$stranger")" EAGAIN
