/* receive.c: recvfrom(2), and what is gathered until a condition holds. */
#include "daemon/sockets/receive.h"

#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/retained.h"
#include "daemon/sockets/search.h"

enum { GATHER_STEP = 65536 };

/* A SOCK_SEQPACKET's may be an empty message, with others behind it.
 * seccomp: poll ppoll ioctl */
bool receive_is_at_end(const struct socket *socket, int flags)
{
        if (socket->type != SOCK_SEQPACKET)
                return socket->type == SOCK_STREAM && (flags & MSG_ERRQUEUE) == 0;
        struct pollfd end = { .fd = socket->fd, .events = POLLRDHUP };
        int queued = 0;
        return TEMP_FAILURE_RETRY(poll(&end, 1, 0)) > 0 && (end.revents & (POLLRDHUP | POLLHUP)) != 0 &&
               (ioctl(socket->fd, SIOCINQ, &queued) != 0 || queued == 0);
}

bool receive_may_wait(int error, int flags)
{
        return error == EAGAIN && (flags & MSG_DONTWAIT) == 0;
}

/* What was gathered and not handed over. */
static size_t copy_unread(struct socket *socket, uint8_t *out, size_t size, int flags)
{
        const uint64_t cursor = inbox_cursor(socket);
        if (size > socket->unread)
                size = socket->unread;
        memcpy(out, inbox_bytes(socket, cursor), size);
        if ((flags & MSG_PEEK) == 0)
                inbox_hand_out(socket, cursor + size);
        return size;
}

/* seccomp: recvmsg */
ssize_t receive_counted(struct socket *socket, struct msghdr *message, int flags)
{
        return (flags & (MSG_PEEK | RECEIVE_SIDE_FLAGS)) != 0
                       ? TEMP_FAILURE_RETRY(recvmsg(socket->fd, message, flags | MSG_DONTWAIT))
                       : tally_receive_plain(
                                 &socket->stored->received, socket->fd, message, flags | MSG_DONTWAIT);
}

static struct result receive_message(
        struct socket *socket, uint8_t *buffer, size_t size, int flags, struct receipt *receipt)
{
        struct address *const address = &receipt->address;
        struct iovec piece = { .iov_base = buffer, .iov_len = size };
        struct msghdr message = { .msg_iov = &piece,
                .msg_iovlen = 1,
                .msg_name = &address->storage,
                .msg_namelen = sizeof address->storage };
        const ssize_t length = receive_counted(socket, &message, flags);
        if (length < 0)
                return receive_may_wait(errno, flags) ? would_block("recv") : refused("recv", errno);
        receipt->length = (size_t)length;
        receipt->size = receipt->length < size ? receipt->length : size;
        receipt->truncated = socket_has_boundaries(socket) && (message.msg_flags & MSG_TRUNC) != 0;
        receipt->eof = length == 0 && size > 0 && receive_is_at_end(socket, flags);
        if (length == 0 && !receipt->eof && (flags & (MSG_PEEK | RECEIVE_SIDE_FLAGS)) == 0)
                tally_add(&socket->stored->received, 0);
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
        struct receipt receipt = { .complete = true, .offset = inbox_cursor(socket) };
        uint8_t *buffer memory_auto = malloc(size + 1);
        if (buffer == NULL)
                return refused("recv", ENOMEM);
        if (socket->unread > 0 && (flags & RECEIVE_SIDE_FLAGS) == 0)
                receipt.size = receipt.length = copy_unread(socket, buffer, size, flags);
        else
                TRY(receive_message(socket, buffer, size, flags, &receipt));
        receipt.next = inbox_cursor(socket);
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

/* What there is from a position on. */
struct window {
        const uint8_t *bytes;
        size_t size;
};

static struct window window_from(const struct socket *socket, uint64_t start)
{
        return (struct window){ .bytes = inbox_bytes(socket, start),
                .size = (size_t)(socket_position(socket, DIRECTION_RECEIVE) - start) };
}

/* How much of the window's bytes and the `more` behind them reaches the goal; 0: all of it, or the limit's
 * worth, does not. */
static size_t goal_reached(struct goal *goal, struct window window, size_t more)
{
        const size_t size = window.size + more < goal->limit ? window.size + more : goal->limit;
        if (size == 0)
                return 0;
        if (goal->frame != NULL)
                return frames_reached(goal, window.bytes, size);
        if (goal->delimiter != NULL)
                return search_end(window.bytes, size, goal->scanned, goal->delimiter, goal->delimiter_size);
        return goal->bytes > 0 && size >= goal->bytes ? goal->bytes : 0;
}

/* recv(2), and its bookkeeping. */
static struct result take(struct socket *socket, uint8_t *bytes, size_t size, int flags, size_t *taken)
{
        if (inbox_retains(socket))
                return retained_take(socket, bytes, size, flags, taken);
        struct iovec piece = { .iov_base = bytes, .iov_len = size };
        struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
        const ssize_t received = receive_counted(socket, &message, flags);
        if (received < 0)
                return receive_may_wait(errno, flags) ? would_block("recv") : refused("recv", errno);
        *taken = (size_t)received;
        return DONE;
}

/* The kernel is asked for no more than the goal needs: up to a delimiter or message's end, which a peek
 * finds. */
static struct result gather(struct socket *socket, struct goal *goal, size_t size, int flags, bool *end)
{
        uint8_t *tail;
        size_t taken;
        TRY(inbox_make_room(socket, size, &tail));
        if (goal->delimiter != NULL || goal->frame != NULL) {
                const struct window window = window_from(socket, goal->start);
                TRY(take(socket, tail, size, flags | MSG_PEEK, &taken));
                const size_t reached = goal_reached(goal, window, taken);
                size = reached > 0 ? reached - window.size : taken;
        }
        TRY(take(socket, tail, size, flags, &taken));
        inbox_added(socket, taken);
        *end = taken == 0;
        return DONE;
}

/* How much to ask the kernel for next: no more than the goal needs, or than may be kept; 0 is full. */
static size_t step_size(const struct socket *socket, const struct goal *goal, size_t there)
{
        const size_t wanted = goal->bytes > 0 && goal->bytes < goal->limit ? goal->bytes : goal->limit;
        const size_t size = wanted - there < GATHER_STEP ? wanted - there : GATHER_STEP;
        const size_t room = inbox_retains(socket) ? inbox_free(socket) : size;
        return size < room ? size : room;
}

/* Gathers until the goal is reached (*reached: by how many bytes), the stream ends, or the limit is. */
static struct result gather_all(
        struct socket *socket, struct goal *goal, int flags, size_t *reached, bool *end)
{
        struct window window = window_from(socket, goal->start);
        *reached = goal_reached(goal, window, 0);
        while (*reached == 0 && goal->flaw == FRAME_WHOLE && window.size < goal->limit && !*end) {
                const size_t size = step_size(socket, goal, window.size);
                if (size == 0)
                        return RETAINED_FULL;
                goal->scanned = window.size;
                TRY(gather(socket, goal, size, flags, end));
                window = window_from(socket, goal->start);
                *reached = goal_reached(goal, window, 0);
        }
        return DONE;
}

static struct result copy_window(struct window window, size_t size, struct receipt *out)
{
        out->bytes = malloc(size + 1);
        if (out->bytes == NULL)
                return refused("recv", ENOMEM);
        if (size > 0)
                memcpy(out->bytes, window.bytes, size);
        out->size = out->length = size;
        return DONE;
}

/* Why there is no whole message: it is flawed, or the stream ends within it. What there is of it stays. */
static struct result frame_failure(struct window window, const struct goal *goal, struct receipt *out)
{
        struct receipt receipt = { .eof = true };
        if (goal->flaw != FRAME_WHOLE) {
                uint64_t length;
                frame_find(goal->frame, window.bytes, window.size, goal->scanned, &length);
                *out = (struct receipt){ .length = (size_t)length };
                return refused("recv", goal->flaw == FRAME_OVERSIZED ? EMSGSIZE : EPROTO);
        }
        TRY(copy_window(window, window.size, &receipt));
        *out = receipt;
        return refused("recv", EBADMSG);
}

/* It begins where it did at first, unless that was acknowledged meanwhile. No more can be gathered at once
 * than is retained. */
static void begin_goal(const struct socket *socket, struct goal *goal)
{
        const uint64_t retain = socket->stored->inbox.retain;
        if (goal->begun && goal->start >= inbox_base(socket))
                return;
        if (goal->begun) {
                goal->start = inbox_base(socket);
                goal->scanned = 0;
                return;
        }
        goal->begun = true;
        goal->start = retain > 0 && goal->offset != POSITION_NONE ? goal->offset : inbox_cursor(socket);
        if (retain > 0 && goal->frame == NULL && goal->limit > retain)
                goal->limit = (size_t)retain;
}

struct result receive_until(struct socket *socket, struct goal *goal, int flags, struct receipt *out)
{
        const bool until_end = goal->bytes == 0 && goal->delimiter == NULL && goal->frame == NULL;
        size_t reached;
        begin_goal(socket, goal);
        struct receipt receipt = { .offset = goal->start };
        const struct result gathered = gather_all(socket, goal, flags, &reached, &receipt.eof);
        const struct window window = window_from(socket, goal->start);
        if (gathered.kind != RESULT_DONE) {
                /* The room that was made for nothing. */
                if (window.size == 0 && !inbox_retains(socket))
                        inbox_hand_out(socket, goal->start);
                return gathered;
        }
        if (goal->frame != NULL && reached == 0 && window.size > 0)
                return frame_failure(window, goal, out);
        receipt.complete = reached > 0 || (until_end && receipt.eof);
        const size_t there = window.size < goal->limit ? window.size : goal->limit;
        TRY(copy_window(window, reached > 0 ? reached : there, &receipt));
        receipt.next = receipt.offset + receipt.size;
        inbox_hand_out(socket, receipt.next);
        *out = receipt;
        return DONE;
}

struct result receive_piece(struct socket *socket, uint8_t *bytes, size_t size, int flags, size_t *used)
{
        uint8_t probe;
        if (socket->unread > 0) {
                *used = size > 0 ? copy_unread(socket, bytes, size, flags) : 1;
                return DONE;
        }
        if (inbox_retains(socket) && size > 0)
                return retained_bytes(socket, POSITION_NONE, bytes, size, flags, used);
        return size > 0 ? take(socket, bytes, size, flags, used)
                        : take(socket, &probe, 1, flags | MSG_PEEK, used);
}
