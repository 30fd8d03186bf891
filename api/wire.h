/* wire.h: what of a recorded call went over the wire: its payload in pieces, whatever operation carried it.
 */
#pragma once

#include "api/recording.h"

struct wire_piece {
        bool sent; /* or received */
        const uint8_t *bytes;
        size_t size;
        int64_t position;    /* of its first byte in the stream, or -1: behind what came before */
        struct address peer; /* not given: the recording's */
};

/* Hands each of them out, in order; its bytes live until `take` returns. What was only looked at, or was sent
 * before, is not among them. */
void wire_read(const struct recording *recording, void (*take)(void *context, const struct wire_piece *piece),
        void *context);

/* What else a call did to a connection. */
enum wire_event {
        WIRE_NOTHING,
        WIRE_CONNECTED,
        WIRE_CONNECT_REFUSED,
        WIRE_CONNECT_UNANSWERED,
        WIRE_ACCEPTED,
        WIRE_FINISHED,      /* we send no more */
        WIRE_PEER_FINISHED, /* the peer sends no more */
        WIRE_PEER_RESET,
};
enum wire_event wire_event(const struct recording *recording);
