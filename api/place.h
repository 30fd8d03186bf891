/* place.h: the positions that receiving calls have in common: what a request names, what a reply says. */
#pragma once

#include "api/call.h"
#include "daemon/sockets/retained.h"

/* Rows of a request's fields; each member is POSITION_NONE when it is not given. */
#define PLACE_FIELDS(type)                                                                                   \
        FIELD(type, offset,                                                                                  \
                "The position to receive from: how many bytes of the stream, or messages, came before it. "  \
                "What is kept there is given at once, again if need be. Absent: what nobody got yet.",       \
                .max = INT64_MAX, .fallback = -1, .example = "0"),                                           \
                FIELD(type, ack,                                                                             \
                        "What stands before this position need not be kept any more. A first `offset` or "   \
                        "`ack` makes a socket retain, with room for 262144 bytes.",                          \
                        .max = INT64_MAX, .fallback = -1, .example = "0")

/* Rows of a reply's. An errno that took the place of a message has a position too. */
#define PLACED_FIELDS(type)                                                                                  \
        FIELD(type, offset,                                                                                  \
                "The position of what was received: of its first byte, or the message's number.",            \
                .progress = true, .example = "0"),                                                           \
                FIELD(type, next, "The position behind it; the same as `offset` where nothing was taken.",   \
                        .progress = true, .example = "6")

/* For run functions, before they receive: retained_place(), and what does not go with positions. */
struct result call_place(struct call *call, uint64_t offset, uint64_t ack, int flags);

/* Of a call with the receive lane's turn on a socket that retains: whether it is a receive of what is kept,
 * or of what is not there. The kernel is not asked then. Under the receive lane's lock. */
bool call_repeats(const struct call *call);

/* What is kept of a socket, and how full it is, for problems; a new reference. */
json_t *place_members(const struct socket *socket);
