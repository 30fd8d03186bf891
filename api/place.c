/* place.c: the positions that receiving calls name. */
#include "api/place.h"

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

json_t *place_members(const struct socket *socket)
{
        return json_pack("{s:I, s:I}", "base", (json_int_t)inbox_base(socket), "next",
                (json_int_t)socket_position(socket, DIRECTION_RECEIVE));
}
