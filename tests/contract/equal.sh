#!/bin/sh
# equal.sh DAEMON OPENAPI: the document in the tree is what the daemon prints.
set -eu
if "$1" --openapi | diff -u "$2" -; then
        exit 0
fi
echo "openapi.yaml is not what the rows make: cmake --build BUILD --target contract" >&2
exit 1
