/* retained.h: receiving on a socket that retains: at a position, again if need be, and counted by the kernel
 * itself. Called under the receive lane's turn. */
#pragma once

#include "daemon/sockets/kept.h"
#include "daemon/sockets/receive.h"

/* As much is kept as may be: the kernel is not asked for more. */
#define RETAINED_FULL                                                                                        \
        ((struct result){ .kind = RESULT_FULL,                                                               \
                .detail = "what is kept fills `retain`: `ack` says what need not be kept any more" })

/* For whoever names a position (POSITION_NONE: does not), before it receives: begins to retain, forgets what
 * is acknowledged, and says whether there is an `offset` to begin at. RESULT_GONE, RESULT_AHEAD, or as
 * inbox_retain(). */
struct result retained_place(struct socket *socket, uint64_t offset, uint64_t ack);

/* Where such a receive begins. */
uint64_t retained_start(const struct socket *socket, uint64_t offset);

/* Errors of the call rather than of the connection, which come again by themselves. */
bool retained_is_lasting(int error);

/* Of a stream: recv(2) into memory behind what is kept, or with MSG_PEEK anywhere; *taken 0 at the end of the
 * stream. */
struct result retained_take(struct socket *socket, uint8_t *bytes, size_t size, int flags, size_t *taken);

/* Of a stream: at most `size` bytes from a position on, which is one to begin at (POSITION_NONE: the cursor):
 * what is kept, else what the kernel gives. *used 0 at the end of the stream. RESULT_FULL too. */
struct result retained_bytes(
        struct socket *socket, uint64_t offset, uint8_t *bytes, size_t size, int flags, size_t *used);

/* A message that is kept. It stays there until room is made, or anything is forgotten. */
struct retained {
        const struct kept *kept; /* NULL: at the end of the stream */
        bool end;
        uint64_t offset, next; /* also of an errno that is refused; else equal */
        struct address address;
};

/* Of a socket with boundaries: the message at a position, as of retained_bytes(): it is kept already, or the
 * kernel gives it; then `size` bounds how much of it is kept. An errno of the socket's stands at a position
 * of its own, and is refused each time. RESULT_FULL too. */
struct result retained_message(
        struct socket *socket, uint64_t offset, size_t size, int flags, struct retained *out);

/* Whether the two above are what gives: not what is beside the stream, nor a look at what is not kept yet. */
bool retained_serves(const struct socket *socket, uint64_t offset, int flags);

/* receive_once() of any socket, from such a position on if it retains. A refusal may have a position too:
 * out->next is not 0 then. */
struct result receive_at(struct socket *socket, uint64_t offset, size_t size, int flags, struct receipt *out);
