/* message.c: one sendmsg(2) or recvmsg(2): buffers in pieces, an address, ancillary data. */
#include "daemon/sockets/message.h"

#include <string.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/retained.h"

int send_flags(int asked)
{
        return (asked & ~MSG_ZEROCOPY) | MSG_NOSIGNAL | MSG_DONTWAIT;
}

bool send_may_wait(int error, int flags)
{
        return receive_may_wait(error, flags) || (error == EINPROGRESS && (flags & MSG_DONTWAIT) == 0);
}

struct result message_send(struct socket *socket, const struct outgoing *message, int flags, size_t *sent)
{
        const struct passage *const to = message->to;
        const struct msghdr header = { .msg_iov = message->pieces,
                .msg_iovlen = message->piece_count,
                /* The kernel only reads it. */
                .msg_name = to == NULL ? NULL : (void *)(uintptr_t)&to->storage,
                .msg_namelen = to == NULL ? 0 : to->size,
                .msg_control = message->control_size == 0 ? NULL : message->control,
                .msg_controllen = message->control_size };
        const ssize_t taken = tally_send(&socket->stored->sent, socket->fd, &header, send_flags(flags));
        if (taken < 0)
                return send_may_wait(errno, flags) ? would_block("sendmsg") : refused("sendmsg", errno);
        *sent = (size_t)taken;
        return DONE;
}

static size_t room_of(const struct incoming *message)
{
        size_t room = 0;
        for (size_t i = 0; i < message->piece_count; i++)
                room += message->pieces[i].iov_len;
        return room;
}

bool message_tells_length(const struct socket *socket)
{
        static const int families[] = { AF_INET, AF_INET6, AF_UNIX, AF_PACKET, AF_NETLINK };
        for (size_t i = 0; i < sizeof families / sizeof *families; i++)
                if (families[i] == socket->family)
                        return socket->type != SOCK_STREAM;
        return false;
}

/* What a receive_until() had gathered. The pieces are slices of one buffer, so the first one leads to all. */
static struct result receive_unread(struct socket *socket, struct incoming *message, size_t room, int flags)
{
        TRY(receive_piece(socket, message->pieces[0].iov_base, room, flags, &message->size));
        message->length = message->size;
        message->next = inbox_cursor(socket);
        return DONE;
}

/* The kernel keeps the beginning only for a call that blocks in it. Gathering loses ancillary data, which on
 * AF_UNIX may be descriptors: there it must have been declined. */
static bool gathers(const struct socket *socket, const struct incoming *message, size_t room, int flags)
{
        static const int others = MSG_PEEK | MSG_OOB | MSG_ERRQUEUE | MSG_TRUNC;
        return (flags & (MSG_WAITALL | others)) == MSG_WAITALL && socket->type == SOCK_STREAM && room > 0 &&
               (socket->family != AF_UNIX || message->control_size == 0);
}

static struct result receive_whole(struct socket *socket, struct incoming *message, size_t room, int flags)
{
        struct goal goal = { .bytes = room, .limit = room, .offset = message->at };
        struct receipt receipt = { .size = 0 };
        struct result result = receive_until(socket, &goal, flags & ~MSG_WAITALL, &receipt);
        if (result.kind == RESULT_REFUSED)
                result.call = "recvmsg";
        TRY(result);
        uint8_t *bytes memory_auto = receipt.bytes;
        if (receipt.size > 0)
                memcpy(message->pieces[0].iov_base, bytes, receipt.size);
        message->size = message->length = receipt.size;
        message->end = receipt.eof;
        message->next = receipt.next;
        return DONE;
}

static struct result receive_new(struct socket *socket, struct incoming *message, size_t room, int flags)
{
        struct address *const address = &message->address;
        struct msghdr *const header = &message->header;
        const int more = MSG_CMSG_CLOEXEC | (message_tells_length(socket) ? MSG_TRUNC : 0);
        *header = (struct msghdr){ .msg_iov = message->pieces,
                .msg_iovlen = message->piece_count,
                .msg_name = &address->storage,
                .msg_namelen = sizeof address->storage,
                .msg_control = message->control_size == 0 ? NULL : message->control,
                .msg_controllen = message->control_size };
        const ssize_t length = receive_counted(socket, header, flags | more);
        if (length < 0)
                return receive_may_wait(errno, flags) ? would_block("recvmsg") : refused("recvmsg", errno);
        const bool discards = socket->type == SOCK_STREAM && (flags & MSG_TRUNC) != 0;
        message->length = (size_t)length;
        message->size = discards ? 0 : message->length < room ? message->length : room;
        message->flags = header->msg_flags & ~MSG_CMSG_CLOEXEC;
        message->end = length == 0 && room > 0 && receive_is_at_end(socket, flags);
        address->size = header->msg_namelen < sizeof address->storage ? header->msg_namelen
                                                                      : (socklen_t)sizeof address->storage;
        address->given = address->size > 0;
        if (message->end || (flags & (MSG_PEEK | RECEIVE_SIDE_FLAGS)) != 0)
                return DONE;
        if (length == 0)
                tally_add(&socket->stored->received, 0);
        message->next = inbox_cursor(socket);
        return DONE;
}

/* The message as it is kept, which may be more than there is room for now. */
static void copy_kept(const struct kept *kept, struct incoming *message, size_t room)
{
        const size_t control_size =
                kept->control_size < message->control_size ? kept->control_size : message->control_size;
        message->size = kept->size < room ? kept->size : room;
        message->length = kept->length;
        message->flags = kept->flags & ~MSG_CMSG_CLOEXEC;
        if (message->size < kept->size)
                message->flags |= MSG_TRUNC;
        if (control_size < kept->control_size)
                message->flags |= MSG_CTRUNC;
        if (message->size > 0)
                memcpy(message->pieces[0].iov_base, kept_bytes(kept), message->size);
        if (control_size > 0)
                memcpy(message->control, kept_control(kept), control_size);
        message->header.msg_control = control_size == 0 ? NULL : message->control;
        message->header.msg_controllen = control_size;
}

static struct result receive_kept(struct socket *socket, struct incoming *message, size_t room, int flags)
{
        struct retained retained = { .kept = NULL };
        struct result result = retained_message(socket, message->at, room, flags, &retained);
        if (result.kind == RESULT_REFUSED || result.kind == RESULT_WAIT)
                result.call = "recvmsg";
        message->next = retained.next;
        message->end = retained.end;
        TRY(result);
        message->address = retained.address;
        if (retained.kept != NULL)
                copy_kept(retained.kept, message, room);
        return DONE;
}

static struct result receive_retained(struct socket *socket, struct incoming *message, size_t room, int flags)
{
        if (socket_has_boundaries(socket))
                return receive_kept(socket, message, room, flags);
        TRY(retained_bytes(socket, message->at, message->pieces[0].iov_base, room, flags, &message->size));
        message->length = message->size;
        message->end = message->size == 0 && room > 0;
        message->next = message->offset + ((flags & MSG_PEEK) != 0 ? 0 : message->size);
        return DONE;
}

struct result message_receive(struct socket *socket, struct incoming *message, int flags)
{
        const size_t room = room_of(message);
        message->size = message->length = 0;
        message->offset = message->next = message->at == POSITION_NONE ? inbox_cursor(socket) : message->at;
        message->flags = 0;
        message->end = false;
        message->address = (struct address){ .size = 0 };
        message->header = (struct msghdr){ .msg_control = NULL };
        if (gathers(socket, message, room, flags))
                return receive_whole(socket, message, room, flags);
        if (retained_serves(socket, message->at, flags))
                return receive_retained(socket, message, room, flags);
        if (socket->unread > 0 && room > 0 && (flags & RECEIVE_SIDE_FLAGS) == 0)
                return receive_unread(socket, message, room, flags);
        return receive_new(socket, message, room, flags);
}
