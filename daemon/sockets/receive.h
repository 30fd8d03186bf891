/* receive.h: receiving with the kernel's own boundaries, or until a condition holds. Called under the receive
 * lane's turn. */
#pragma once

#include "daemon/sockets/frame.h"
#include "daemon/sockets/socket.h"

/* With these the kernel gives something beside the stream: it has no position, and nothing else waits for it.
 */
enum { RECEIVE_SIDE_FLAGS = MSG_OOB | MSG_ERRQUEUE };

/* What was received. `bytes` is from malloc(), the caller's; it may be NULL when size is 0. */
struct receipt {
        uint8_t *bytes;
        size_t size;            /* of bytes */
        size_t length;          /* what recv(2) returned: with MSG_TRUNC a datagram's real length */
        bool eof;               /* the peer sends no more */
        bool complete;          /* the condition holds */
        bool truncated;         /* the datagram was longer */
        struct address address; /* of the sender, where the kernel gives one */
        uint64_t offset, next; /* the position of the first byte, or of the message; and that behind it all */
};

/* Whether a call with these flags that failed so is to be made again when the socket is ready. */
bool receive_may_wait(int error, int flags);

/* One recvmsg(2) that does not wait, of a socket that does not retain; what it takes is counted, but for an
 * empty message. */
ssize_t receive_counted(struct socket *socket, struct msghdr *message, int flags);

/* One recvfrom(2) of at most `size` bytes, of a socket that does not retain. Bytes that a receive_until()
 * left come first. RESULT_WAIT, or a refusal. */
struct result receive_once(struct socket *socket, size_t size, int flags, struct receipt *out);

/* When a receive_until() is complete: that many bytes, or a delimiter (included in what is received), or a
 * whole message and those behind it that are there already, or end of stream. */
struct goal {
        size_t bytes;
        const uint8_t *delimiter;
        size_t delimiter_size;
        const struct frame *frame; /* or NULL */
        uint64_t offset;           /* of a socket that retains: where to begin, or POSITION_NONE */
        size_t limit;              /* the most to receive; what is there is then returned, not complete */
        size_t scanned; /* how much is known to hold no delimiter; 0 at first, kept from one attempt to the
                           next */
        enum frame_state flaw; /* of a frame: FRAME_OVERSIZED or FRAME_UNSOUND once its first message is */
        bool begun;            /* false at first, as is what it guards: */
        uint64_t start;        /* the position where it did begin */
};

/* Gathers in the socket's inbox until the goal is reached or the stream ends. After RESULT_WAIT or a failure
 * all that was gathered stays there, for the next receiver. RESULT_FULL when a socket that retains may not
 * keep as much. Takes nothing from the kernel beyond the delimiter,
 * or the last whole message. With a frame, EMSGSIZE and EPROTO say that the first message is oversized or
 * unsound (out->length is what its length says), EBADMSG that the stream ends within it: *out then has a copy
 * of what there is of it. At the end of the stream itself a frame is not complete, and has received nothing.
 */
struct result receive_until(struct socket *socket, struct goal *goal, int flags, struct receipt *out);

/* For streams of bytes: into the caller's buffer; *used 0 at the end of the stream. With size 0 nothing is
 * taken: it only waits until something is (*used 1) or the end has come (*used 0). */
struct result receive_piece(struct socket *socket, uint8_t *bytes, size_t size, int flags, size_t *used);

/* Whether a receive that gave 0 bytes, where there was room for some, means that the peer sends no more. */
bool receive_is_at_end(const struct socket *socket, int flags);
