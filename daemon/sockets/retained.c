/* retained.c: receiving on a socket that retains.
 *
 * The kernel writes into the stored memory twice in one call: the bytes, behind what is kept, and then their
 * number, into the tally. The one is of no account without the other, so a kill between two system calls, or
 * in one, loses and doubles nothing: room was made before, and what the tally says is there. The cursor is
 * written last; a client that did not get the reply names the position that it stands at.
 *
 * An errno is all that a kill can lose, right behind the call that said it: the kernel forgets it. */
#include "daemon/sockets/retained.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct result misplaced(enum result_kind kind, const char *parameter)
{
        return (struct result){ .kind = kind, .parameter = parameter };
}

struct result retained_place(struct socket *socket, uint64_t offset, uint64_t ack)
{
        const uint64_t next = socket_position(socket, DIRECTION_RECEIVE);
        if (offset == POSITION_NONE && ack == POSITION_NONE)
                return DONE;
        if (ack != POSITION_NONE && ack > next)
                return misplaced(RESULT_AHEAD, "ack");
        if (offset != POSITION_NONE && offset > next)
                return misplaced(RESULT_AHEAD, "offset");
        if (!inbox_retains(socket)) {
                if (offset != POSITION_NONE && offset < inbox_base(socket))
                        return misplaced(RESULT_GONE, "offset");
                TRY(inbox_retain(socket, RETAIN_DEFAULT));
        }
        if (ack != POSITION_NONE)
                inbox_forget(socket, ack);
        return offset < inbox_base(socket) ? misplaced(RESULT_GONE, "offset") : DONE;
}

bool retained_is_lasting(int error)
{
        static const int lasting[] = { ENOTCONN, EINVAL, EOPNOTSUPP, EBADF, ENOTSOCK, EFAULT, ENOMEM };
        for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++)
                if (lasting[i] == error)
                        return true;
        return false;
}

/* seccomp: recvfrom */
static ssize_t ask(struct socket *socket, uint8_t *bytes, size_t size, int flags)
{
        struct iovec piece = { .iov_base = bytes, .iov_len = size };
        struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
        return (flags & MSG_PEEK) != 0
                       ? TEMP_FAILURE_RETRY(recv(socket->fd, bytes, size, flags | MSG_DONTWAIT))
                       : tally_receive(&socket->stored->received, socket->fd, &message, flags | MSG_DONTWAIT);
}

/* recvmmsg(2) reports an error before the bytes that came ahead of it, and only once: it is noted, and said
 * when there are no more of them. What ended the stream is said there as often as asked; what did not, once.
 */
struct result retained_take(struct socket *socket, uint8_t *bytes, size_t size, int flags, size_t *taken)
{
        _Atomic int *const noted = &socket->stored->inbox.error;
        ssize_t received = ask(socket, bytes, size, flags);
        if (received < 0 && !receive_may_wait(errno, 0) && !retained_is_lasting(errno)) {
                *noted = errno;
                received = ask(socket, bytes, size, flags);
        }
        if (received >= 0) {
                *taken = (size_t)received;
                return received == 0 && size > 0 && *noted != 0 ? refused("recv", *noted) : DONE;
        }
        if (!receive_may_wait(errno, 0))
                return refused("recv", errno);
        const int error = atomic_exchange(noted, 0);
        if (error != 0)
                return refused("recv", error);
        return receive_may_wait(EAGAIN, flags) ? would_block("recv") : refused("recv", EAGAIN);
}

static struct result take_more(struct socket *socket, uint8_t *bytes, size_t size, int flags, size_t *used)
{
        uint8_t *tail;
        const size_t room = inbox_free(socket);
        if ((flags & MSG_PEEK) != 0 || size == 0)
                return retained_take(socket, bytes, size, flags, used);
        if (room == 0)
                return RETAINED_FULL;
        TRY(inbox_make_room(socket, size < room ? size : room, &tail));
        TRY(retained_take(socket, tail, size < room ? size : room, flags, used));
        inbox_added(socket, *used);
        memcpy(bytes, tail, *used);
        return DONE;
}

uint64_t retained_start(const struct socket *socket, uint64_t offset)
{
        return offset == POSITION_NONE ? inbox_cursor(socket) : offset;
}

struct result retained_bytes(
        struct socket *socket, uint64_t offset, uint8_t *bytes, size_t size, int flags, size_t *used)
{
        const uint64_t start = retained_start(socket, offset);
        const uint64_t kept = socket_position(socket, DIRECTION_RECEIVE) - start;
        if (kept == 0) {
                TRY(take_more(socket, bytes, size, flags, used));
        } else {
                *used = kept < size ? (size_t)kept : size;
                memcpy(bytes, inbox_bytes(socket, start), *used);
        }
        if ((flags & MSG_PEEK) == 0)
                inbox_hand_out(socket, start + *used);
        return DONE;
}

static struct result receive_stream(
        struct socket *socket, uint64_t offset, size_t size, int flags, struct receipt *out)
{
        struct receipt receipt = { .complete = true, .offset = retained_start(socket, offset) };
        if (size > socket->stored->inbox.retain)
                size = (size_t)socket->stored->inbox.retain;
        receipt.bytes = malloc(size + 1);
        if (receipt.bytes == NULL)
                return refused("recv", ENOMEM);
        const struct result result =
                retained_bytes(socket, offset, receipt.bytes, size, flags, &receipt.size);
        if (result.kind != RESULT_DONE) {
                free(receipt.bytes);
                return result;
        }
        receipt.length = receipt.size;
        receipt.eof = receipt.size == 0 && size > 0;
        receipt.next = receipt.offset + ((flags & MSG_PEEK) != 0 ? 0 : receipt.size);
        *out = receipt;
        return DONE;
}

bool retained_serves(const struct socket *socket, uint64_t offset, int flags)
{
        const bool peeks = (flags & MSG_PEEK) != 0 && socket_has_boundaries(socket) &&
                           retained_start(socket, offset) == socket_position(socket, DIRECTION_RECEIVE);
        return inbox_retains(socket) && !peeks && (flags & RECEIVE_SIDE_FLAGS) == 0;
}

static struct result receive_message(
        struct socket *socket, uint64_t offset, size_t size, int flags, struct receipt *out)
{
        struct retained retained = { .kept = NULL };
        const struct result result = retained_message(socket, offset, size, flags, &retained);
        *out = (struct receipt){ .complete = true,
                .eof = retained.end,
                .address = retained.address,
                .offset = retained.offset,
                .next = retained.next };
        if (result.kind != RESULT_DONE || retained.kept == NULL)
                return result;
        out->size = retained.kept->size < size ? retained.kept->size : size;
        out->length = (flags & MSG_TRUNC) != 0 ? retained.kept->length : out->size;
        out->truncated = out->size < retained.kept->length || (retained.kept->flags & MSG_TRUNC) != 0;
        out->bytes = malloc(out->size + 1);
        if (out->bytes == NULL)
                return refused("recv", ENOMEM);
        memcpy(out->bytes, kept_bytes(retained.kept), out->size);
        return DONE;
}

struct result receive_at(struct socket *socket, uint64_t offset, size_t size, int flags, struct receipt *out)
{
        if (!retained_serves(socket, offset, flags))
                return receive_once(socket, size, flags, out);
        return socket_has_boundaries(socket) ? receive_message(socket, offset, size, flags, out)
                                             : receive_stream(socket, offset, size, flags, out);
}
