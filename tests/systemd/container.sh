#!/bin/sh
# container.sh BUILD: boots a systemd in a container made of this very root, and has the package of BUILD work there.
set -u
build=$(realpath "$1")
here=$(realpath "$0")

# Exit 77: the test was skipped.
skip() {
        echo "SKIPPED: $*; systemd/protocol speaks the service manager's part instead"
        exit 77
}

if [ "${2-}" != inner ]; then
        [ "$(id -u)" -eq 0 ] || skip "only root may boot a container"
        command -v systemd-nspawn >/dev/null || skip "there is no systemd-nspawn"
        # All mounts and processes end with their namespaces, however this ends.
        set -- unshare --mount --propagation private --pid --fork --kill-child --mount-proc
        "$@" true || skip "no namespaces can be had"
        exec "$@" sh "$here" "$build" inner
fi

place=$(mktemp -d)
clean_up() {
        umount -l "$place/merged" "$place" 2>/dev/null
        rmdir "$place"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

mount -t tmpfs tmpfs "$place" || skip "no tmpfs can be mounted"
mkdir "$place/upper" "$place/work" "$place/merged"
root=$place/merged
mount -t overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" overlay "$root" || skip "no overlay can be mounted"

fail() {
        echo "FAILED: $*"
        [ ! -s "$place/console" ] || tail -n 5 "$place/console"
        [ -z "${leader-}" ] || inside journalctl --no-pager --quiet -n 40
        exit 1
}
ok() {
        echo "ok: $*"
}

cp "$build"/sockwright_*.deb "$root/sockwright.deb"
chroot "$root" dpkg --force-unsafe-io --install /sockwright.deb >"$place/dpkg" 2>&1 || { cat "$place/dpkg"; fail "dpkg --install"; }
for unit in service socket; do
        enabled=$(systemctl --root="$root" is-enabled "sockwrightd.$unit")
        [ "$enabled" = disabled ] || fail "sockwrightd.$unit is $enabled"
done
ok "installed, and nothing is enabled"

# The test does not wait for half a minute, and the container needs no more than the manager.
mkdir -p "$root/etc/systemd/system/sockwrightd.service.d"
printf '[Service]\nWatchdogSec=2\n' >"$root/etc/systemd/system/sockwrightd.service.d/test.conf"
systemd-nspawn --register=no --keep-unit --link-journal=no --private-network -M "sockwright-$$" -D "$root" --boot --console=pipe \
        systemd.unit=basic.target >"$place/console" 2>&1 </dev/null &
manager=$!

inside() {
        timeout 30 nsenter --target "$leader" --mount --uts --ipc --net --pid "$@"
}
# wait_for COMMAND... : until it says so; there is no event to wait for from outside.
wait_for() {
        tries=0
        until "$@" >/dev/null 2>&1; do
                tries=$((tries + 1))
                [ $tries -lt 200 ] || return 1
                kill -0 "$manager" 2>/dev/null || return 1
                sleep 0.1
        done
}
find_leader() {
        leader=$(cat "/proc/$manager/task/$manager/children") && leader=${leader%% *} && [ -n "$leader" ]
}
is_booted() {
        find_leader && [ "$(inside systemctl is-active basic.target)" = active ]
}
wait_for is_booted || {
        tail -n 5 "$place/console"
        leader=
        skip "no systemd boots in a container here"
}
ok "systemd $(inside systemctl --version | sed -n 's/^systemd \([0-9]*\).*/\1/p') is running"

for unit in service socket; do
        [ "$(inside systemctl is-active "sockwrightd.$unit")" = inactive ] || fail "sockwrightd.$unit was started unasked"
done
ok "nothing is started"

complaints=$(inside systemd-analyze verify sockwrightd.service sockwrightd.socket 2>&1)
[ -z "$complaints" ] || fail "systemd-analyze verify: $complaints"
inside systemd-analyze security --threshold=15 --no-pager sockwrightd.service | tail -n 1 || fail "exposure"
ok "the units are sound"

property() {
        inside systemctl show --value --property="$1" sockwrightd.service
}
get() {
        inside curl --silent --show-error --fail --max-time 20 --unix-socket /run/sockwright/sockwright.sock "http://localhost$1"
}
token_file=/var/lib/sockwright/sockwright.token
# get_tcp : the status of a call with the service's token.
get_tcp() {
        inside sh -c "curl --silent --output /dev/null --write-out '%{http_code}' --max-time 20 \
                -H \"Authorization: Bearer \$(cat $token_file)\" http://127.0.0.1:7625/v1/sockets"
}

inside systemctl start sockwrightd.socket || fail "systemctl start sockwrightd.socket"
[ "$(property ActiveState)" = inactive ] || fail "the service runs before anyone connects"
get /v1/sockets >/dev/null || fail "no answer over the unix socket"
[ "$(property ActiveState)" = active ] || fail "the service is $(property ActiveState)"
ok "the first connection starts it: $(property StatusText)"
[ "$(property DynamicUser)" = yes ] && [ "$(inside ps -o user= -p "$(property MainPID)")" != root ] || fail "it runs as root"
[ "$(get_tcp)" = 200 ] || fail "the token of $token_file is not good over TCP"
token=$(inside cat $token_file)
ok "its token is in its state directory"
inside curl --silent --max-time 20 http://127.0.0.1:7625/v1/sockets --output /dev/null --write-out '%{http_code}' | grep -q 401 ||
        fail "no token, and not 401"
call() {
        inside curl --silent --show-error --max-time 20 --unix-socket /run/sockwright/sockwright.sock --json "$1" \
                "http://localhost/v1/sockets"
}
call '{"bind":"127.0.0.1:0","listen":{"backlog":1}}' | grep -q '"state":"listening"' || fail "no listening socket"
call '{"type":"SOCK_DGRAM","family":"AF_INET6","bind":"[::1]:0"}' | grep -q '"AF_INET6"' || fail "no IPv6 socket"
call '{"type":"SOCK_RAW","family":"AF_INET","protocol":"IPPROTO_ICMP"}' | grep -q 'CAP_NET_RAW' || fail "raw sockets are not refused"
get /v1/if_nameindex | grep -q '"lo"' || fail "no interfaces"
get "/v1/getaddrinfo?host=localhost&service=80" | grep -q 127.0.0.1 || fail "no names"
ok "sockets, interfaces and names work inside its walls"

# What is owned: sockets with all that is said of them, and sessions, whose leases begin anew.
owned() {
        for list in sockets sessions; do
                get "/v1/$list" | sed 's/,"duration_us":[0-9]*//; s/"expires":"[^"]*",//g' || fail "no list of $list"
        done
}
act() {
        inside curl --silent --show-error --max-time 20 --unix-socket /run/sockwright/sockwright.sock --json "$3" \
                "http://localhost/v1/sockets/$1/$2"
}
make() {
        call "$1" | sed -n 's/.*"id":"\([^"]*\)".*/\1/p'
}
session=$(inside curl --silent --max-time 20 --unix-socket /run/sockwright/sockwright.sock --json '{"ttl_ms":3600000}' \
        http://localhost/v1/sessions | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
listener=$(make "{\"bind\":\"127.0.0.1:4000\",\"listen\":{\"backlog\":8},\"label\":\"kept\",\"session\":\"$session\"}")
client=$(make '{"connect":"127.0.0.1:4000","options":[{"level":"IPPROTO_TCP","option":"TCP_NODELAY","value":true}]}')
accepted=$(act "$listener" accept '{}' | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
pending=$(make '{"connect":"127.0.0.1:4000"}')
act "$client" send '{"text":"unread"}' >/dev/null
[ -n "$session" ] && [ -n "$accepted" ] && [ -n "$pending" ] || fail "no sockets to be kept"

# restarted WHY COMMAND... : has another process after the command, and serves, with all that was owned.
restarted() {
        why=$1
        shift
        had=$(owned)
        before=$(property MainPID)
        "$@" || fail "$*"
        is_other() {
                now=$(property MainPID)
                [ "$now" != "$before" ] && [ "$now" != 0 ] && [ "$(property ActiveState)" = active ]
        }
        wait_for is_other || fail "$why: not restarted"
        get /readyz >/dev/null || fail "$why: does not serve again"
        has=$(owned)
        [ "$has" = "$had" ] || fail "$why: $had is $has"
        ok "restarted when $why, with all that was owned"
}
kill_main() {
        inside kill "-$1" "$(property MainPID)"
}
restarted "killed" kill_main KILL
restarted "stopped, by the watchdog" kill_main STOP
restarted "told to end" kill_main TERM
restarted "restarted" inside systemctl restart sockwrightd.service
restarted "upgraded" inside dpkg --force-unsafe-io --install /sockwright.deb
for _ in 1 2 3 4 5 6 7 8; do
        restarted "killed again" kill_main KILL
done
act "$accepted" recv '{"size":100}' | grep -q '"size":6' || fail "unread bytes are lost"
act "$listener" accept '{"timeout_ms":5000}' | grep -q '"state":"connected"' || fail "a pending connection is lost"
act "$client" getsockopt '{"level":"IPPROTO_TCP","option":"TCP_NODELAY"}' | grep -q '"value":true' || fail "an option is lost"
[ "$(property NFileDescriptorStore)" = 0 ] || fail "the store still has $(property NFileDescriptorStore) descriptors"
ok "connections, bytes, options and what is pending live on"
[ "$(inside cat $token_file)" = "$token" ] || fail "the token has changed"

before=$(property MainPID)
inside systemctl reload sockwrightd.service || fail "systemctl reload"
get /readyz >/dev/null && [ "$(property MainPID)" = "$before" ] || fail "reloading has ended it"
ok "reloaded"

credential=0123456789abcdef0123456789abcdef
inside sh -c "umask 077; mkdir -p /etc/credstore; echo $credential >/etc/credstore/sockwright.token"
inside systemctl restart sockwrightd.service || fail "no start with a credential"
[ "$(get_tcp)" = 401 ] || fail "the credential does not replace the token"
code=$(inside curl --silent --output /dev/null --write-out '%{http_code}' -H "Authorization: Bearer $credential" \
        http://127.0.0.1:7625/v1/sockets)
[ "$code" = 200 ] || fail "the credential is not good: $code"
ok "a credential is the token: $(inside sh -c 'stat -c "%A %u" /run/credentials/sockwrightd.service/*' | tr '\n' ' ')"

inside mkdir -p /run/systemd/system/sockwrightd.service.d
inside cp /usr/share/doc/sockwright/drop-ins/raw-sockets.conf /usr/share/doc/sockwright/drop-ins/low-ports.conf \
        /run/systemd/system/sockwrightd.service.d/
inside systemctl daemon-reload && inside systemctl restart sockwrightd.service || fail "no start with drop-ins"
call '{"type":"SOCK_RAW","family":"AF_INET","protocol":"IPPROTO_ICMP"}' | grep -q '"SOCK_RAW"' || fail "no raw socket with the drop-in"
call '{"bind":"127.0.0.1:80"}' | grep -q '"port":80' || fail "no low port with the drop-in"
inside ip netns add lab || fail "ip netns add"
call '{"netns":"lab"}' | grep -q 'CAP_SYS_ADMIN' || fail "network namespaces are not refused"
inside cp /usr/share/doc/sockwright/drop-ins/namespaces.conf /run/systemd/system/sockwrightd.service.d/
inside systemctl daemon-reload && inside systemctl restart sockwrightd.service || fail "no start with namespaces.conf"
call '{"netns":"lab"}' | grep -q '"netns":"lab"' || fail "no network namespace with the drop-in: $(call '{"netns":"lab"}')"
ok "drop-ins give what they say"

[ -n "$(get /v1/sockets | grep "$listener")" ] || fail "the listener is gone"
inside systemctl stop sockwrightd.service || fail "systemctl stop"
get /v1/sockets | grep -q '"sockets":\[\]' || fail "what is stopped is not let go of"
ok "stopping lets go of all"
inside systemctl stop sockwrightd.service sockwrightd.socket || fail "systemctl stop"
[ "$(property Result)" = success ] && [ "$(property ExecMainStatus)" = 0 ] || fail "it stopped with $(property Result)"
inside test ! -e /run/sockwright/sockwright.sock || fail "its unix socket is still there"
ok "stopped with exit status 0"

inside journalctl --no-pager --quiet >"$place/journal" || fail "no journal"
grep -q 'sockwrightd\[' "$place/journal" || fail "nothing in the journal"
! grep -q -e "$token" -e "$credential" "$place/journal" || fail "a token is in the journal"
inside journalctl --no-pager --quiet -o json SOCKWRIGHT_WHO=owner | grep -q SOCKWRIGHT_WHAT || { inside journalctl -n 30 -o short -u sockwrightd; fail "no audit in the journal"; }
ok "the journal knows no token"

inside dpkg --force-unsafe-io --purge sockwright >"$place/dpkg" 2>&1 || { cat "$place/dpkg"; fail "dpkg --purge"; }
inside test ! -e /var/lib/private/sockwright || fail "purging leaves the token"
ok "purged"
