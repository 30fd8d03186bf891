#!/bin/sh
# readme.sh README: runs the sh blocks under its headings "Try it" and "Watching", in order, against the daemon $SOCKWRIGHTD.
set -eu
readme=$(realpath "$1")
daemon=$(realpath "$SOCKWRIGHTD")
scratch=$(mktemp -d)
pid=

clean_up() {
        [ -z "$pid" ] || kill "$pid"
        rm -rf "$scratch"
}
trap clean_up EXIT
cd "$scratch"

awk '/^## /  { here = $0 == "## Try it" || $0 == "## Watching" }
     /^```/  { inside = here && $0 == "```sh"; next }
     inside' "$readme" >try.sh
[ -s try.sh ] || { echo "no sh blocks under \"Try it\"" >&2; exit 1; }

# The daemon prints its first line once it listens.
mkfifo ready
"$daemon" --unix "$scratch/socket" --listen 127.0.0.1:0 >ready &
pid=$!
exec 3<ready
read -r line <&3
echo "$line"

S=$scratch/socket sh -eux try.sh

# A sanitizer's report shows in how it exits.
daemon=$pid pid=
kill "$daemon"
wait "$daemon"
