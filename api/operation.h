/* operation.h: one operation of the API: its row, and the table of all rows. */
#pragma once

#include "api/field.h"

struct call;

enum method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_DELETE, METHOD_COUNT };
extern const char *const method_names[METHOD_COUNT];

/* Which direction's turn a call takes. Those of TURN_NONE never wait; those of TURN_LATER may, for a name,
 * once they have made a socket for its connection, or for what they look at. */
enum turn { TURN_NONE, TURN_LATER, TURN_RECEIVE, TURN_SEND };

/* Who may run an operation: anyone at all, whoever is known, or of those only who may change things. */
enum role { ROLE_ANYONE, ROLE_WATCH, ROLE_OPERATE };

struct operation {
        enum method method;
        const char *path;        /* "/v1/sockets/{id}/listen" */
        const char *name;        /* "socket_listen" */
        const char *system_call; /* "listen": what a call is named that did not get as far; or "" */
        enum turn turn;
        enum role role;
        int success; /* 200, 201 (with Location), 204 */
        const char *summary;
        const struct fields *request, *reply;
        struct result (*run)(struct call *call);
};

extern const struct operation operations[];
extern const size_t operation_count;

/* True when the path names one socket, or one session. */
bool operation_has_id(const struct operation *operation);

/* True when the path is that of sessions, or of one of them. */
bool operation_is_of_sessions(const struct operation *operation);

/* The member of its request that raw bodies fill, or the reply's that `Accept: application/octet-stream` asks
 * for. */
const struct field *fields_payload(const struct fields *fields);
