/* far_end.c: what a stream does with its socket: taking, giving, shutting down. */
#include "api/far_end.h"

#include <string.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/receive.h"
#include "daemon/sockets/send.h"

void far_end_leave(struct call *call)
{
        if (!call->far_end->lent)
                return;
        reactors_take_back(call->service->reactors, call->socket);
        account_give_back(call->caller.account, RESOURCE_PARKED, 1);
        call->far_end->lent = false;
}

/* A socket that was closed meanwhile is no socket any more. */
static struct result blame_deletion(const struct call *call, struct result result)
{
        if (result.kind == RESULT_REFUSED && call->socket->closed)
                result.error = ECANCELED;
        return result;
}

static struct result receive_message(struct socket *socket, uint8_t *bytes, size_t size, struct arrival *out)
{
        struct address *const address = &out->address;
        struct iovec piece = { .iov_base = bytes, .iov_len = size };
        struct msghdr message = { .msg_iov = &piece,
                .msg_iovlen = 1,
                .msg_name = &address->storage,
                .msg_namelen = sizeof address->storage };
        const ssize_t length = receive_counted(socket, &message, MSG_TRUNC);
        if (length < 0)
                return receive_may_wait(errno, 0) ? would_block("recv") : refused("recv", errno);
        address->size = message.msg_namelen < sizeof address->storage ? message.msg_namelen
                                                                      : (socklen_t)sizeof address->storage;
        address->given = address->size > 0;
        out->truncated = (size_t)length > size;
        out->size = out->truncated ? size : (size_t)length;
        out->end = length == 0 && receive_is_at_end(socket, 0);
        if (length == 0 && !out->end)
                tally_add(&socket->stored->received, 0);
        return DONE;
}

struct result far_end_receive(struct call *call, uint8_t *bytes, size_t size, struct arrival *out)
{
        struct socket *const socket = call->socket;
        *out = (struct arrival){ 0 };
        LOCK_SCOPE(&socket->lanes[DIRECTION_RECEIVE].lock);
        if (socket_has_boundaries(socket))
                return blame_deletion(call, receive_message(socket, bytes, size, out));
        const struct result result = receive_piece(socket, bytes, size, 0, &out->size);
        out->end = out->size == 0;
        return blame_deletion(call, result);
}

struct result far_end_send(struct call *call, const uint8_t *bytes, size_t size, size_t *sent)
{
        const struct parcel parcel = { .bytes = bytes, .size = size, .offset = SEND_ANYWHERE };
        bool repeated;
        LOCK_SCOPE(&call->socket->lanes[DIRECTION_SEND].lock);
        return blame_deletion(call, send_parcel(call->socket, &parcel, sent, &repeated));
}

/* seccomp: shutdown */
struct result far_end_shut_down(struct call *call)
{
        return blame_deletion(call, check("shutdown", shutdown(call->socket->fd, SHUT_WR)));
}
