# run.sh DAEMON EXAMPLE: runs an example against a daemon of its own.
set -eu
directory=$(mktemp -d)
mkfifo "$directory/out"
"$1" --unix "$directory/socket" --listen 127.0.0.1:0 --token-file "$directory/token" >"$directory/out" 2>"$directory/log" &
daemon=$!
trap 'kill $daemon; wait $daemon || :; rm -rf "$directory"' EXIT
exec 3<"$directory/out"
read -r listening <&3 || { cat "$directory/log" >&2; exit 1; }
echo "$listening"
unset SOCKWRIGHT_URL
SOCKWRIGHT_SOCKET=$directory/socket sh "$2"
