/* route.h: from a request's method and path to its operation and the socket that it names. */
#pragma once

#include "api/operation.h"
#include "daemon/sockets/registry.h"

struct route {
        const struct operation *operation; /* NULL: no such path, or none with this method */
        char id[SOCKET_ID_SIZE];           /* the {id} of the path, or "" */
        char allow[32]; /* the path's methods when it has not this one: "GET, HEAD, POST" */
};

/* Finds the operation; HEAD finds what GET does. False: problem says why, and `allow` is filled in when the
 * method is wrong. `path` has no query and no percent signs left. */
bool route_find(const char *method, const char *path, struct route *out, struct problem *problem);
