# common.sh: sourced by the examples: how they call the daemon, and how they check what it says.
#
# They talk to the daemon at SOCKWRIGHT_SOCKET, a unix socket, or at SOCKWRIGHT_URL with SOCKWRIGHT_TOKEN. All sockets are
# made in a session of the example's own: when that is deleted, or the example is killed, nothing is left.
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

session=$(post /v1/sessions '{"ttl_ms":60000,"label":"example"}' | jq -er .id)
end() { api DELETE "/v1/sessions/$session"; }
trap end EXIT

make() { # make JSON: makes a socket, and prints its id
        echo "$1" | jq -c --arg session "$session" '. + {$session}' |
                sockwright_curl --json @- "$sockwright_url/v1/sockets" | jq -er '.id // error(tojson)'
}
accept() { post "/v1/sockets/$1/accept" | jq -er .id; } # accept ID: prints the id of the socket that was accepted
port_of() { api GET "/v1/sockets/$1" | jq -er .local.port; }

check() { # check WHAT ACTUAL EXPECTED: says it, and ends the example when it is not so
        printf '%-60s %s\n' "$1" "$2"
        [ "$2" = "$3" ] || { echo "expected: $3" >&2; exit 1; }
}
