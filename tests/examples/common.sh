# common.sh: sourced by the examples: how they call the daemon, and how they check what it says.
#
# They talk to the daemon at SOCKWRIGHT_SOCKET, a unix socket, or at SOCKWRIGHT_URL with SOCKWRIGHT_TOKEN.
set -eu
export SOCKWRIGHT_SOCKET="${SOCKWRIGHT_SOCKET:-/run/sockwright/sockwright.sock}"

sockwright_curl() { # sockwright_curl ARGUMENT...
        if [ -n "${SOCKWRIGHT_URL:-}" ]; then
                curl -sS -H "Authorization: Bearer $SOCKWRIGHT_TOKEN" "$@"
        else
                curl -sS --unix-socket "$SOCKWRIGHT_SOCKET" "$@"
        fi
}
sockwright_url=${SOCKWRIGHT_URL:-http://localhost}

api() { # api METHOD PATH [JSON]: prints the reply
        sockwright_curl -X "$1" ${3:+--json "$3"} "$sockwright_url$2"
}
post() { api POST "$@"; }

made= # ids to close in the end
make() { # make VARIABLE JSON: makes a socket, and sets the variable to its id
        id=$(post /v1/sockets "$2" | jq -er .id)
        made="$made $id"
        eval "$1=\$id"
}
close_all() { for id in $made; do api DELETE "/v1/sockets/$id" >/dev/null; done; }
trap close_all EXIT

check() { # check WHAT ACTUAL EXPECTED: says it, and ends the example when it is not so
        printf '%-60s %s\n' "$1" "$2"
        [ "$2" = "$3" ] || { echo "expected: $3" >&2; exit 1; }
}
port_of() { api GET "/v1/sockets/$1" | jq -er .local.port; }
