/* place.c: the positions that receiving calls name. */
#include "api/place.h"

#include "api/record.h"

struct result call_place(struct call *call, uint64_t offset, uint64_t ack, int flags)
{
        struct socket *const socket = call->socket;
        const bool placed = offset != POSITION_NONE || ack != POSITION_NONE;
        if (offset != POSITION_NONE && (flags & RECEIVE_SIDE_FLAGS) != 0)
                return call_unsound(
                        call, "flags", "flags: what MSG_OOB and MSG_ERRQUEUE give has no `offset`");
        if ((placed || inbox_retains(socket)) && socket->type == SOCK_STREAM && (flags & MSG_TRUNC) != 0)
                return call_unsound(call, "flags",
                        "flags: MSG_TRUNC throws bytes of a stream away, which the socket is to retain");
        return retained_place(socket, offset, ack);
}

/* What may have to ask for more all the same. */
static bool gathers(const struct call *call)
{
        if (call->operation->request == &socket_recvfrom_request_fields)
                return false;
        if (call->operation->request == &socket_recvmsg_request_fields) {
                const struct socket_recvmsg_request *const request = call->request;
                return request->count > 0 || (request->flags & MSG_WAITALL) != 0;
        }
        const struct socket_recv_request *const request = call->request;
        return request->until.given || request->frame.frame != NULL || (request->flags & MSG_WAITALL) != 0;
}

bool call_repeats(const struct call *call)
{
        const struct field *const offset = fields_find(call->operation->request, "offset");
        if (offset == NULL)
                return false;
        const uint64_t position = *(const uint64_t *)((const char *)call->request + offset->offset);
        return position != POSITION_NONE && position != socket_position(call->socket, DIRECTION_RECEIVE) &&
               !gathers(call);
}

json_t *place_members(const struct socket *socket)
{
        return json_pack("{s:I, s:I}", "base", (json_int_t)inbox_base(socket), "next",
                (json_int_t)socket_position(socket, DIRECTION_RECEIVE));
}
