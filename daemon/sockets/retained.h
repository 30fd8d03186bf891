/* retained.h: receiving on a socket that retains: at a position, again if need be, and counted by the kernel
 * itself. Called under the receive lane's turn. */
#pragma once

#include "daemon/sockets/receive.h"

/* As much is kept as may be: the kernel is not asked for more. */
#define RETAINED_FULL                                                                                        \
        ((struct result){ .kind = RESULT_FULL,                                                               \
                .detail = "what is kept fills `retain`: `ack` says what need not be kept any more" })

/* For whoever names a position (POSITION_NONE: does not), before it receives: begins to retain, forgets what
 * is acknowledged, and says whether there is an `offset` to begin at. RESULT_GONE, RESULT_AHEAD, or as
 * inbox_retain(). */
struct result retained_place(struct socket *socket, uint64_t offset, uint64_t ack);

/* Of a stream: recv(2) into memory behind what is kept, or with MSG_PEEK anywhere; *taken 0 at the end of the
 * stream. */
struct result retained_take(struct socket *socket, uint8_t *bytes, size_t size, int flags, size_t *taken);

/* Of a stream: at most `size` bytes from a position on, which is one to begin at (POSITION_NONE: the cursor):
 * what is kept, else what the kernel gives. *used 0 at the end of the stream. RESULT_FULL too. */
struct result retained_bytes(
        struct socket *socket, uint64_t offset, uint8_t *bytes, size_t size, int flags, size_t *used);

/* receive_once() of any socket, from such a position on if it retains. */
struct result receive_at(struct socket *socket, uint64_t offset, size_t size, int flags, struct receipt *out);
