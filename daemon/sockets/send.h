/* send.h: sending bytes or one message, also such as may have been sent before. Called under the send lane's
 * turn. */
#pragma once

#include "daemon/sockets/socket.h"
#include "daemon/sockets/target.h"

/* No position: wherever the socket stands. */
static const uint64_t SEND_ANYWHERE = UINT64_MAX;

/* What is to be sent; all of it is borrowed. */
struct parcel {
        const uint8_t *bytes;
        size_t size;
        const struct passage *to; /* NULL: the connected peer */
        int flags;
        uint64_t offset; /* the position that it is to have, or SEND_ANYWHERE */
};

/* Sends once, what the kernel has not taken yet; *taken is how many of the bytes it has by now, and *repeated
 * whether it had all of them before. RESULT_WAIT, RESULT_AHEAD when something before the position was never
 * sent, or a refusal. */
struct result send_parcel(struct socket *socket, const struct parcel *parcel, size_t *taken, bool *repeated);
