/* retained_message.c: messages that a socket keeps.
 *
 * A message is received in two steps, so that none is cut off for want of room that an `ack` would make: a
 * look says how long it is, and how much goes with it; then it is taken. Its header and its bytes stand in
 * stored memory, and what the kernel says of it in the tally: a kill in between leaves all that is needed to
 * finish it, see inbox_restore(). */
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/message.h"
#include "daemon/sockets/retained.h"

#include <string.h>

/* No more ancillary data than that goes with a message: less than half of the least that is retained. */
enum { CONTROL_MOST = 1024 };

/* Ancillary data of AF_UNIX may be descriptors, which cannot be kept: none is asked for. */
static size_t control_most(const struct socket *socket)
{
        return socket->family == AF_UNIX ? 0 : CONTROL_MOST;
}

static int ask_flags(const struct socket *socket)
{
        return MSG_DONTWAIT | MSG_CMSG_CLOEXEC | (message_tells_length(socket) ? MSG_TRUNC : 0);
}

/* What there is to be received: as much as a header says. *end: the end of the stream instead, which a byte
 * of a message tells from it.
 * seccomp: recvmsg */
static struct result look(const struct socket *socket, size_t size, struct kept *out, bool *end)
{
        uint8_t control[CONTROL_MOST], first;
        struct sockaddr_storage name;
        struct iovec piece = { .iov_base = &first, .iov_len = 1 };
        struct msghdr message = { .msg_iov = &piece,
                .msg_iovlen = 1,
                .msg_name = &name,
                .msg_namelen = sizeof name,
                .msg_control = control,
                .msg_controllen = control_most(socket) };
        const ssize_t length =
                TEMP_FAILURE_RETRY(recvmsg(socket->fd, &message, ask_flags(socket) | MSG_PEEK));
        if (length < 0)
                return refused("recv", errno);
        *end = length == 0 && socket->type == SOCK_SEQPACKET && receive_is_at_end(socket, 0);
        const size_t there = message_tells_length(socket) ? (size_t)length : size;
        const size_t name_size = message.msg_namelen < sizeof name ? message.msg_namelen : sizeof name;
        *out = (struct kept){ .name_room = (uint32_t)kept_round(name_size),
                .control_room = (uint32_t)kept_round(message.msg_controllen),
                .size = (uint32_t)(there < size ? there : size) };
        return DONE;
}

/* Makes room behind what is kept, and begins it there. Only where nothing else is kept is it cut down to fit.
 */
static struct result begin(struct socket *socket, struct kept *header, struct kept **out)
{
        uint8_t *tail;
        const size_t room = inbox_free(socket) / KEPT_ALIGNMENT * KEPT_ALIGNMENT;
        if (kept_space(header) > room) {
                if (inbox_base(socket) < socket_position(socket, DIRECTION_RECEIVE))
                        return RETAINED_FULL;
                header->size = 0;
                header->size = (uint32_t)(room - kept_space(header));
        }
        TRY(inbox_make_room(socket, kept_space(header), &tail));
        *out = (void *)tail;
        **out = *header;
        return DONE;
}

static ssize_t fill(struct socket *socket, struct kept *kept)
{
        struct tally *const tally = &socket->stored->received;
        /* They are written to. */
        uint8_t *const name = (uint8_t *)(kept + 1);
        uint8_t *const control = name + kept->name_room;
        struct iovec piece = { .iov_base = control + kept->control_room, .iov_len = kept->size };
        const struct msghdr message = { .msg_iov = &piece,
                .msg_iovlen = 1,
                .msg_name = name,
                .msg_namelen = kept->name_room,
                .msg_control = kept->control_room == 0 ? NULL : control,
                .msg_controllen = kept->control_room };
        const ssize_t length = tally_receive_first(tally, socket->fd, &message, ask_flags(socket));
        if (length < 0)
                return -1;
        kept_finish(kept, &tally->header);
        tally_settle(tally);
        return length;
}

/* Counted last, as a message is. */
static struct result keep_error(struct socket *socket, int error)
{
        struct kept header = { .error = error }, *kept;
        TRY(begin(socket, &header, &kept));
        tally_add(&socket->stored->received, 0);
        inbox_added_message(socket, kept);
        return DONE;
}

/* What the kernel has next; an errno of the socket's too. A look may meet one, and so may the taking. */
static struct result take_next(struct socket *socket, size_t size, int flags, bool *end)
{
        struct kept header, *kept;
        if (inbox_free(socket) < sizeof header + KEPT_ALIGNMENT)
                return RETAINED_FULL;
        struct result result = look(socket, size, &header, end);
        if (result.kind == RESULT_DONE) {
                if (*end)
                        return DONE;
                TRY(begin(socket, &header, &kept));
                if (fill(socket, kept) >= 0) {
                        inbox_added_message(socket, kept);
                        return DONE;
                }
                result = refused("recv", errno);
        }
        if (receive_may_wait(result.error, flags))
                return would_block("recv");
        const bool passes = receive_may_wait(result.error, 0) || retained_is_lasting(result.error);
        return passes ? result : keep_error(socket, result.error);
}

struct result retained_message(
        struct socket *socket, uint64_t offset, size_t size, int flags, struct retained *out)
{
        const uint64_t start = retained_start(socket, offset);
        *out = (struct retained){ .offset = start, .next = start };
        if (start == socket_position(socket, DIRECTION_RECEIVE)) {
                TRY(take_next(socket, size, flags, &out->end));
                if (out->end)
                        return DONE;
        }
        const struct kept *const kept = inbox_message(socket, start);
        if ((flags & MSG_PEEK) == 0) {
                inbox_hand_out(socket, start + 1);
                out->next = start + 1;
        }
        if (kept->error != 0)
                return refused("recv", kept->error);
        out->kept = kept;
        out->address.size = kept->name_size;
        out->address.given = kept->name_size > 0;
        memcpy(&out->address.storage, kept_name(kept), kept->name_size);
        return DONE;
}
