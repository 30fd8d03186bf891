/* message.h: one sendmsg(2) or recvmsg(2): buffers in pieces, an address, ancillary data. */
#pragma once

#include "daemon/sockets/socket.h"
#include "daemon/sockets/target.h"

/* What is sent; all of it is borrowed. */
struct outgoing {
        struct iovec *pieces;
        size_t piece_count;
        const struct passage *to; /* NULL: the connected peer */
        uint8_t *control;
        size_t control_size;
};

/* What the kernel is to be asked with: never to wait, nor to signal. With MSG_ZEROCOPY it would send what the
 * memory holds by then, which others may have. */
int send_flags(int asked);

/* Whether a send with these flags that failed so is to be made again when the socket is ready. EINPROGRESS: a
 * MSG_FASTOPEN without a cookie has begun to connect, and has sent nothing yet. */
bool send_may_wait(int error, int flags);

/* Sends once; *sent is how many bytes the kernel took. RESULT_WAIT, or a refusal. Called under the send
 * lane's turn. */
struct result message_send(struct socket *socket, const struct outgoing *message, int flags, size_t *sent);

/* What is received into. */
struct incoming {
        struct iovec *pieces; /* slices of one buffer, in order; the caller's */
        size_t piece_count;
        uint8_t *control; /* the caller's */
        size_t control_size;
        uint64_t at; /* of a socket that retains: the position to receive from, or POSITION_NONE */

        uint64_t offset, next; /* as of struct receipt; of a refusal that has a position too, else equal */
        size_t size;           /* bytes in the pieces */
        size_t length;         /* the message's real one, which may be more */
        int flags;             /* MSG_TRUNC, MSG_CTRUNC, MSG_EOR … */
        bool end;              /* the peer sends no more */
        struct address address;
        struct msghdr header; /* to walk the ancillary data; its descriptors are the caller's now */
};

/* Whether the kernel tells a datagram's real length when asked, and is not put off by being asked. */
bool message_tells_length(const struct socket *socket);

/* Receives once; bytes that a receive_until() left come first. Fills in all from `size` on. RESULT_WAIT, or a
 * refusal. Called under the receive lane's turn. */
struct result message_receive(struct socket *socket, struct incoming *message, int flags);
