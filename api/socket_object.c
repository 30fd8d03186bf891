/* socket_object.c: what is said of a socket. */
#include "api/socket_object.h"

#include <netinet/in.h>
#include <string.h>

#include "daemon/sockets/transcript.h"

#define COUNT_OR_NULL "{\"type\":[\"integer\",\"null\"],\"minimum\":0}"

static const struct field socket_object_rows[] = {
        FIELD(struct socket_object, id, "Its id; never used again.", .example = "\"0q8k3zt-1\""),
        FIELD(struct socket_object, family, "SO_DOMAIN.", .names = &family_names, .example = "\"AF_INET\""),
        FIELD(struct socket_object, type, "SO_TYPE.", .names = &type_names, .example = "\"SOCK_STREAM\""),
        FIELD(struct socket_object, protocol, "SO_PROTOCOL.", .schema = "{\"type\":[\"string\",\"integer\"]}",
                .example = "\"IPPROTO_TCP\""),
        FIELD(struct socket_object, state,
                "created, bound, listening, connecting, connected, or disconnected, as the kernel has it "
                "now.",
                .schema = "{\"type\":\"string\",\"enum\":[\"created\",\"bound\",\"listening\",\"connecting\","
                          "\"connected\","
                          "\"disconnected\"]}",
                .example = "\"listening\""),
        FIELD(struct socket_object, tcp_state, "TCP's own state; null for other sockets.",
                .names = &tcp_state_names, .nullable = true, .example = "\"TCP_LISTEN\""),
        FIELD(struct socket_object, local, "Its address; null when it has none.", .nullable = true,
                .example = "{\"family\":\"AF_INET\",\"host\":\"127.0.0.1\",\"port\":41803}"),
        FIELD(struct socket_object, peer, "The peer's address; null when it has none.", .nullable = true,
                .example = "null"),
        FIELD(struct socket_object, parent,
                "The listener that it was accepted from, or the socket that its descriptor came through.",
                .nullable = true, .example = "null"),
        FIELD(struct socket_object, label, "The name that it was given.", .nullable = true,
                .example = "\"server\""),
        FIELD(struct socket_object, owner, "Who made it.", .nullable = true, .example = "\"owner\""),
        FIELD(struct socket_object, session, "The session that it ends with.", .nullable = true,
                .example = "null"),
        FIELD(struct socket_object, netns, "The network namespace that it was opened in; null: the daemon's.",
                .nullable = true, .example = "null"),
        FIELD(struct socket_object, created, "When it was made.",
                .example = "\"2026-01-01T00:00:00.000000000Z\""),
        FIELD(struct socket_object, receive_queue, "Bytes received and not read yet (SIOCINQ)."),
        FIELD(struct socket_object, send_queue, "Bytes sent and not acknowledged yet (SIOCOUTQ)."),
        FIELD(struct socket_object, received_bytes, "Bytes taken from the kernel so far."),
        FIELD(struct socket_object, sent_bytes, "Bytes that the kernel took so far."),
        FIELD(struct socket_object, parked, "Calls that wait on it."),
        FIELD(struct socket_object, at_mark,
                "True, else left out: what is received next is at the out-of-band mark (SIOCATMARK).",
                .optional = true),
        FIELD(struct socket_object, unclaimed,
                "True, else left out: no call has named its id yet; perhaps nobody got the reply that it was "
                "made with.",
                .optional = true),
        FIELD(struct socket_object, retain, "How many bytes it keeps until they are acknowledged; 0: none."),
        FIELD(struct socket_object, record_bytes,
                "How many bytes of what is called on it are recorded; left out when it does not record.",
                .optional = true),
        FIELD(struct socket_object, base, "The first position that it still keeps; null when it keeps none.",
                .nullable = true, .schema = COUNT_OR_NULL, .example = "null"),
        FIELD(struct socket_object, received_messages,
                "Messages taken from the kernel so far; null for a stream.", .nullable = true,
                .schema = COUNT_OR_NULL, .example = "null"),
        FIELD(struct socket_object, sent_messages, "Messages that the kernel took so far; null for a stream.",
                .nullable = true, .schema = COUNT_OR_NULL, .example = "null"),
};
const struct fields socket_object_fields =
        FIELDS(struct socket_object, socket_object_rows, .title = "Socket");

/* AF_PACKET's protocols are in network order for the kernel, and in the host's for everybody else. */
static int protocol_number(int family, int protocol)
{
        return family == AF_PACKET ? htons((uint16_t)protocol) : protocol;
}

/* IPPROTO_ names are the internet families' own. */
static json_t *protocol_json(const struct socket *socket)
{
        const bool internet = socket->family == AF_INET || socket->family == AF_INET6;
        const int number = protocol_number(socket->family, socket->protocol);
        return internet ? encode_constant(&protocol_names, false, number) : json_integer(number);
}

void socket_describe(struct call *call, struct socket *socket, struct socket_object *out)
{
        const struct stored_socket *const stored = socket->stored;
        struct socket_status status;
        socket_status_read(socket, &status);
        *out = (struct socket_object){
                .id = id_text(call, socket->number),
                .family = socket->family,
                .type = socket->type,
                .protocol.json = protocol_json(socket),
                .state = { status.state, strlen(status.state) },
                .tcp_state = status.tcp_state,
                .local = status.local,
                .peer = status.peer,
                .label = { stored->label[0] == '\0' ? NULL : stored->label, strlen(stored->label) },
                .created.time = stored->created,
                .receive_queue = status.receive_queue,
                .send_queue = status.send_queue,
                .received_bytes = stored->received.bytes,
                .sent_bytes = stored->sent.bytes,
                .parked = (int)status.parked,
                .at_mark = status.at_mark,
                .unclaimed = !stored->claimed,
                .retain = stored->inbox.retain,
                .record_bytes = socket->transcript == NULL ? 0 : transcript_limit(socket->transcript),
        };
        if (stored->inbox.retain > 0)
                out->base.json = json_integer((json_int_t)inbox_base(socket));
        if (socket_has_boundaries(socket)) {
                out->received_messages.json = json_integer((json_int_t)stored->received.messages);
                out->sent_messages.json = json_integer((json_int_t)stored->sent.messages);
        }
        if (socket->owner != NULL)
                out->owner = (struct text){ socket->owner->name, strlen(socket->owner->name) };
        if (socket->parent != 0)
                out->parent = id_text(call, socket->parent);
        if (socket->netns != NULL)
                out->netns = (struct text){ socket->netns, strlen(socket->netns) };
        if (socket->session != NULL)
                out->session = id_text(call, socket->session->number);
}
