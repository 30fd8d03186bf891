#!/bin/sh
# cppcheck.sh BUILD: cppcheck finds nothing, in the project and its tests.
set -u
cd "$(dirname "$0")/../.." || exit 1
cache=${1:-build}/cppcheck
mkdir -p "$cache"

# What is suppressed, and why:
#   ctuuninitvar             false where an output buffer is handed down to the function that fills it in
#   nullPointer in a FIELD   _Generic reads only the type of the member, not the member
#   returnDanglingLifetime   false on a call through a function pointer with a local's address (tables)
#   internalAstError         it cannot read a compound literal in a conditional expression
#   resourceLeak             it does not know fd_auto, which closes
#   readdirCalled            glibc's is safe on a DIR of one's own
set -- \
        --suppress=ctuuninitvar \
        --suppress=nullPointer:tests/unit/test_field.c \
        --suppress=returnDanglingLifetime:api/call_run.c \
        --suppress=returnDanglingLifetime:api/option_codec.c \
        --suppress=internalAstError \
        --suppress=resourceLeak \
        --suppress=readdirCalled \
        --suppress=missingIncludeSystem --suppress=unmatchedSuppression

# jansson's loops, which it would otherwise not understand (it splits -D at semicolons, so these have none).
set -- "$@" \
        -D'json_array_foreach(a,i,v)=while((v=json_array_get(a,(i=1))))' \
        -D'json_object_foreach(o,k,v)=while((k=json_first(o))&&(v=json_object_get(o,k)))'

# Its tables know accept(2) with NULL, but not accept4(2).
set -- "$@" -D'accept4(fd,address,size,flags)=accept(fd,address,size)'

exec cppcheck -j2 --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,performance,portability \
        --library=posix --library=gnu --cppcheck-build-dir="$cache" "$@" \
        -D_GNU_SOURCE -D__GNUC__=12 -DSOCKWRIGHT_VERSION='""' -DSOCKWRIGHTD='""' -I . api daemon tests
