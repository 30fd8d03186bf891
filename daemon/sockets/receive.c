/* receive.c: recvfrom(2), and what is gathered until a condition holds. */
#include "daemon/sockets/receive.h"

#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/search.h"

enum { GATHER_STEP = 65536 };

/* These do not read the stream of bytes that unread is the beginning of. */
static const int SIDE_FLAGS = MSG_OOB | MSG_ERRQUEUE;

/* A SOCK_SEQPACKET's may be an empty message, with others behind it.
 * seccomp: poll ppoll ioctl */
bool receive_is_at_end(const struct socket *socket, int flags)
{
        if (socket->type != SOCK_SEQPACKET)
                return socket->type == SOCK_STREAM && (flags & MSG_ERRQUEUE) == 0;
        struct pollfd end = { .fd = socket->fd, .events = POLLRDHUP };
        int queued = 0;
        return poll(&end, 1, 0) > 0 && (end.revents & (POLLRDHUP | POLLHUP)) != 0 &&
               (ioctl(socket->fd, SIOCINQ, &queued) != 0 || queued == 0);
}

static void count_received(struct socket *socket, ssize_t size, int flags)
{
        if ((flags & (MSG_PEEK | MSG_ERRQUEUE)) == 0)
                tally_add(&socket->stored->received, (uint64_t)size);
}

bool receive_may_wait(int error, int flags)
{
        return (error == EAGAIN || error == EINTR) && (flags & MSG_DONTWAIT) == 0;
}

/* Hands the memory over, and is empty then. */
static uint8_t *unread_take(struct socket *socket)
{
        struct unread *const unread = &socket->unread;
        account_give_back(socket->owner, RESOURCE_BYTES, unread->capacity);
        unread->start = unread->capacity = 0;
        unread->size = 0;
        return TAKE(unread->bytes);
}

static void unread_consume(struct socket *socket, size_t size)
{
        struct unread *const unread = &socket->unread;
        unread->start += size;
        unread->size -= size;
        if (unread->size == 0)
                free(unread_take(socket));
}

static size_t unread_copy(struct socket *socket, uint8_t *out, size_t size, int flags)
{
        const struct unread *const unread = &socket->unread;
        if (size > unread->size)
                size = unread->size;
        memcpy(out, unread->bytes + unread->start, size);
        if ((flags & MSG_PEEK) == 0)
                unread_consume(socket, size);
        return size;
}

static struct result unread_make_room(struct socket *socket, size_t size)
{
        struct unread *const unread = &socket->unread;
        if (unread->start > 0) {
                memmove(unread->bytes, unread->bytes + unread->start, unread->size);
                unread->start = 0;
        }
        if (unread->size + size <= unread->capacity)
                return DONE;
        size_t capacity = unread->capacity * 2;
        if (capacity < unread->size + size)
                capacity = unread->size + size;
        const size_t growth = capacity - unread->capacity;
        if (!account_take(socket->owner, RESOURCE_BYTES, growth))
                return account_over(RESOURCE_BYTES);
        uint8_t *const bytes = realloc(unread->bytes, capacity);
        if (bytes == NULL) {
                account_give_back(socket->owner, RESOURCE_BYTES, growth);
                return refused("recv", ENOMEM);
        }
        unread->bytes = bytes;
        unread->capacity = capacity;
        return DONE;
}

/* Hands the first `size` gathered bytes over: without a copy when those are all. */
static struct result unread_hand_over(struct socket *socket, size_t size, struct receipt *out)
{
        const struct unread *const unread = &socket->unread;
        if (size == unread->size && unread->start == 0) {
                out->bytes = unread_take(socket);
        } else {
                out->bytes = malloc(size + 1);
                if (out->bytes == NULL)
                        return refused("recv", ENOMEM);
                unread_copy(socket, out->bytes, size, 0);
        }
        out->size = out->length = size;
        return DONE;
}

/* seccomp: recvmsg */
static struct result receive_message(
        struct socket *socket, uint8_t *buffer, size_t size, int flags, struct receipt *receipt)
{
        struct address *const address = &receipt->address;
        struct iovec piece = { .iov_base = buffer, .iov_len = size };
        struct msghdr message = { .msg_iov = &piece,
                .msg_iovlen = 1,
                .msg_name = &address->storage,
                .msg_namelen = sizeof address->storage };
        const ssize_t length = recvmsg(socket->fd, &message, flags | MSG_DONTWAIT);
        if (length < 0)
                return receive_may_wait(errno, flags) ? would_block("recv") : refused("recv", errno);
        count_received(socket, length, flags);
        receipt->length = (size_t)length;
        receipt->size = receipt->length < size ? receipt->length : size;
        receipt->truncated = socket_has_boundaries(socket) && (message.msg_flags & MSG_TRUNC) != 0;
        receipt->eof = length == 0 && size > 0 && receive_is_at_end(socket, flags);
        address->size = message.msg_namelen < sizeof address->storage ? message.msg_namelen
                                                                      : (socklen_t)sizeof address->storage;
        address->given = address->size > 0;
        /* TCP throws the bytes away and writes none. */
        if ((flags & MSG_TRUNC) != 0 && !socket_has_boundaries(socket))
                receipt->size = 0;
        return DONE;
}

struct result receive_once(struct socket *socket, size_t size, int flags, struct receipt *out)
{
        struct receipt receipt = { .complete = true };
        struct unread *const unread = &socket->unread;
        uint8_t *buffer memory_auto = malloc(size + 1);
        if (buffer == NULL)
                return refused("recv", ENOMEM);
        if (unread->size > 0 && (flags & SIDE_FLAGS) == 0)
                receipt.size = receipt.length = unread_copy(socket, buffer, size, flags);
        else
                TRY(receive_message(socket, buffer, size, flags, &receipt));
        uint8_t *const fitting = receipt.size < size ? realloc(buffer, receipt.size + 1) : NULL;
        receipt.bytes = fitting == NULL ? buffer : fitting;
        buffer = NULL;
        *out = receipt;
        return DONE;
}

/* The size of the whole messages that the bytes begin with, of as many as may be. */
static size_t frames_reached(struct goal *goal, const uint8_t *bytes, size_t size)
{
        size_t whole = 0;
        for (size_t i = 0; i < goal->frame->count; i++) {
                uint64_t length;
                const enum frame_state state = frame_find(
                        goal->frame, bytes + whole, size - whole, i == 0 ? goal->scanned : 0, &length);
                if (state != FRAME_WHOLE) {
                        goal->flaw = i > 0 || state == FRAME_INCOMPLETE ? FRAME_WHOLE : state;
                        break;
                }
                whole += (size_t)length;
        }
        return whole;
}

/* How much of the gathered bytes and the `more` behind them reaches the goal; 0: all of it, or the limit's
 * worth, does not. */
static size_t goal_reached(struct goal *goal, const struct unread *unread, size_t more)
{
        const size_t size = unread->size + more < goal->limit ? unread->size + more : goal->limit;
        const uint8_t *const bytes = unread->bytes + unread->start;
        if (goal->frame != NULL)
                return frames_reached(goal, bytes, size);
        if (goal->delimiter != NULL)
                return search_end(bytes, size, goal->scanned, goal->delimiter, goal->delimiter_size);
        return goal->bytes > 0 && size >= goal->bytes ? goal->bytes : 0;
}

/* The kernel is asked for no more than the goal needs: up to a delimiter or message's end, which a peek
 * finds.
 * seccomp: recvfrom */
static struct result gather(struct socket *socket, struct goal *goal, int flags, bool *end)
{
        struct unread *const unread = &socket->unread;
        const size_t wanted = goal->bytes > 0 && goal->bytes < goal->limit ? goal->bytes : goal->limit;
        size_t size = wanted - unread->size;
        if (size > GATHER_STEP)
                size = GATHER_STEP;
        TRY(unread_make_room(socket, size));
        uint8_t *const tail = unread->bytes + unread->size;
        if (goal->delimiter != NULL || goal->frame != NULL) {
                const ssize_t peeked = recv(socket->fd, tail, size, flags | MSG_DONTWAIT | MSG_PEEK);
                if (peeked < 0)
                        return receive_may_wait(errno, flags) ? would_block("recv") : refused("recv", errno);
                const size_t reached = goal_reached(goal, unread, (size_t)peeked);
                size = reached > 0 ? reached - unread->size : (size_t)peeked;
        }
        const ssize_t taken = recv(socket->fd, tail, size, flags | MSG_DONTWAIT);
        if (taken < 0)
                return receive_may_wait(errno, flags) ? would_block("recv") : refused("recv", errno);
        count_received(socket, taken, flags);
        unread->size += (size_t)taken;
        *end = taken == 0;
        return DONE;
}

/* Gathers until the goal is reached (*reached: by how many bytes), the stream ends, or the limit is. */
static struct result gather_all(
        struct socket *socket, struct goal *goal, int flags, size_t *reached, bool *end)
{
        struct unread *const unread = &socket->unread;
        *reached = unread->size > 0 ? goal_reached(goal, unread, 0) : 0;
        while (*reached == 0 && goal->flaw == FRAME_WHOLE && unread->size < goal->limit && !*end) {
                goal->scanned = unread->size;
                TRY(gather(socket, goal, flags, end));
                *reached = goal_reached(goal, unread, 0);
        }
        return DONE;
}

/* Why there is no whole message: it is flawed, or the stream ends within it. What there is of it stays. */
static struct result frame_failure(const struct unread *unread, const struct goal *goal, struct receipt *out)
{
        struct receipt receipt = { .eof = true };
        const uint8_t *const bytes = unread->bytes + unread->start;
        if (goal->flaw != FRAME_WHOLE) {
                uint64_t length;
                frame_find(goal->frame, bytes, unread->size, goal->scanned, &length);
                *out = (struct receipt){ .length = (size_t)length };
                return refused("recv", goal->flaw == FRAME_OVERSIZED ? EMSGSIZE : EPROTO);
        }
        receipt.bytes = malloc(unread->size);
        if (receipt.bytes == NULL)
                return refused("recv", ENOMEM);
        memcpy(receipt.bytes, bytes, unread->size);
        receipt.size = receipt.length = unread->size;
        *out = receipt;
        return refused("recv", EBADMSG);
}

struct result receive_until(struct socket *socket, struct goal *goal, int flags, struct receipt *out)
{
        struct unread *const unread = &socket->unread;
        const bool until_end = goal->bytes == 0 && goal->delimiter == NULL && goal->frame == NULL;
        struct receipt receipt = { 0 };
        size_t reached;
        const struct result gathered = gather_all(socket, goal, flags, &reached, &receipt.eof);
        if (gathered.kind != RESULT_DONE) {
                /* The room that was made for nothing. */
                if (unread->size == 0)
                        unread_consume(socket, 0);
                return gathered;
        }
        if (goal->frame != NULL && reached == 0 && unread->size > 0)
                return frame_failure(unread, goal, out);
        receipt.complete = reached > 0 || (until_end && receipt.eof);
        const size_t there = unread->size < goal->limit ? unread->size : goal->limit;
        TRY(unread_hand_over(socket, reached > 0 ? reached : there, &receipt));
        *out = receipt;
        return DONE;
}

/* seccomp: recvfrom */
struct result receive_piece(struct socket *socket, uint8_t *bytes, size_t size, int flags, size_t *used)
{
        struct unread *const unread = &socket->unread;
        uint8_t probe;
        if (unread->size > 0) {
                *used = size > 0 ? unread_copy(socket, bytes, size, flags) : 1;
                return DONE;
        }
        const int piece_flags = flags | MSG_DONTWAIT | (size == 0 ? MSG_PEEK : 0);
        const ssize_t received =
                recv(socket->fd, size == 0 ? &probe : bytes, size == 0 ? 1 : size, piece_flags);
        if (received < 0)
                return receive_may_wait(errno, flags) ? would_block("recv") : refused("recv", errno);
        count_received(socket, received, piece_flags);
        *used = (size_t)received;
        return DONE;
}
