/* op_stream.c: a socket as the far end of a WebSocket. */
#include "api/far_end.h"
#include "api/record.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/receive.h"

/* What a stream is charged with: its buffers. */
enum { STREAM_HELD = 4 * FAR_END_BLOCK };

static const struct field socket_stream_request_rows[] = {
        FIELD(struct socket_stream_request, half_open,
                "At the end of the peer's stream the daemon says {\"shutdown\":\"SHUT_WR\"}, and goes on to "
                "take bytes for it. Without, it closes the WebSocket then, with 1000."),
};
const struct fields socket_stream_request_fields =
        FIELDS(struct socket_stream_request, socket_stream_request_rows);

/* Only looks: what is there stays for the stream. */
static struct result probe(struct socket *socket)
{
        size_t used;
        if (socket->type != SOCK_STREAM)
                return DONE;
        LOCK_SCOPE(&socket->lanes[DIRECTION_RECEIVE].lock);
        const struct result result = receive_piece(socket, NULL, 0, 0, &used);
        return result.kind == RESULT_WAIT ? DONE : result;
}

struct result run_socket_stream(
        struct call *call, const struct socket_stream_request *request, struct nothing *reply)
{
        struct far_end *const end = call->far_end;
        (void)reply;
        if (end == NULL)
                return call_unsound(call, "path", "path: a stream is no step of a batch");
        if (end->datagrams && call->socket->type == SOCK_STREAM)
                return call_unsound(call, "Sec-WebSocket-Protocol",
                        "Sec-WebSocket-Protocol: a SOCK_STREAM socket has no datagrams");
        if (!call_hold(call, STREAM_HELD))
                return call->result;
        if (!account_take(call->caller.account, RESOURCE_PARKED, 1))
                return account_over(RESOURCE_PARKED);
        const struct result lent = reactors_lend(call->service->reactors, call->socket, &end->tenant);
        if (lent.kind != RESULT_DONE) {
                account_give_back(call->caller.account, RESOURCE_PARKED, 1);
                return lent;
        }
        end->lent = true;
        end->half_open = request->half_open;
        return probe(call->socket);
}
