/* op_message.c: sendmsg(2) and recvmsg(2), of one message or of many: what of them is JSON. */
#include <stdio.h>
#include <string.h>

#include "api/draft.h"
#include "api/guarded.h"
#include "api/keyed.h"
#include "api/place.h"
#include "api/record.h"
#include "api/rights.h"
#include "api/vessel.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/message.h"
#include "daemon/sockets/send.h"

enum { COUNT_MOST = 1024, ANCILLARY_DEFAULT_SIZE = 4096 };

#define FLAGS_HELP "Flags of the call, by name: MSG_PEEK, MSG_OOB, MSG_DONTWAIT, MSG_ERRQUEUE …"
#define ERROR_SCHEMA                                                                                         \
        "{\"type\":\"object\",\"properties\":{\"errno\":{\"type\":[\"string\",\"integer\"]},"                \
        "\"class\":{\"type\":\"string\"}},\"required\":[\"errno\"],\"additionalProperties\":false}"

static const struct field socket_sendmsg_request_rows[] = {
        FIELD(struct socket_sendmsg_request, buffers, "What to send, in pieces: each has `data` or `text`.",
                .schema = buffers_schema, .example = "[{\"text\":\"head\"},{\"data\":\"aGVsbG8K\"}]"),
        FIELD(struct socket_sendmsg_request, address, "Where to send it. Absent: to the connected peer.",
                .example = "\"127.0.0.1:5353\""),
        FIELD(struct socket_sendmsg_request, ancillary,
                "What goes with it. IP options, IPv6 routing headers and marks are judged by the policy as "
                "the "
                "options are.",
                .schema = ancillary_request_schema,
                .example = "[{\"level\":\"IPPROTO_IP\",\"type\":\"IP_TTL\",\"value\":9}]"),
        FIELD(struct socket_sendmsg_request, messages,
                "Instead of the three above: messages that each have them, to be sent in this order. Host "
                "names cannot be resolved there.",
                .schema = messages_schema,
                .example = "[{\"buffers\":[{\"text\":\"one\"}]},{\"buffers\":[{\"text\":\"two\"}]}]"),
        FIELD(struct socket_sendmsg_request, flags, FLAGS_HELP, .names = &message_flag_names, .flags = true,
                .example = "[\"MSG_MORE\"]"),
};
const struct fields socket_sendmsg_request_fields =
        FIELDS(struct socket_sendmsg_request, socket_sendmsg_request_rows);

static const struct field sent_messages_rows[] = {
        FIELD(struct sent_messages, sent, "How many bytes the kernel took.", .progress = true,
                .example = "6"),
        FIELD(struct sent_messages, messages, "How many messages it took.", .progress = true, .example = "1"),
        FIELD(struct sent_messages, error,
                "Why the one after those was refused; left out when all were sent, or a stream took only a "
                "part of "
                "the last.",
                .optional = true, .schema = ERROR_SCHEMA),
};
const struct fields sent_messages_fields =
        FIELDS(struct sent_messages, sent_messages_rows, .title = "SentMessages");

static const struct field socket_recvmsg_request_rows[] = {
        FIELD(struct socket_recvmsg_request, size, "The most bytes to receive. Absent: 65536.", .min = 0,
                .max = RECEIVE_MAX_SIZE, .fallback = -1, .example = "4096"),
        FIELD(struct socket_recvmsg_request, sizes,
                "Instead of `size`: receive in pieces of these sizes, which come as `buffers`.",
                .schema = "{\"type\":\"array\",\"minItems\":1,\"maxItems\":1024,\"items\":"
                          "{\"type\":\"integer\",\"minimum\":0,\"maximum\":1073741824}}",
                .example = "[4,1024]"),
        FIELD(struct socket_recvmsg_request, flags,
                FLAGS_HELP
                " With MSG_WAITALL a stream is gathered without its ancillary data; on AF_UNIX only "
                "where `ancillary_size` is 0.",
                .names = &message_flag_names, .flags = true, .example = "[\"MSG_PEEK\"]"),
        FIELD(struct socket_recvmsg_request, count,
                "Receive up to so many `messages`, waiting for the first one only.", .min = 1,
                .max = COUNT_MOST, .example = "16"),
        FIELD(struct socket_recvmsg_request, ancillary_size,
                "Room for ancillary data, in bytes; what does not fit is lost, with MSG_CTRUNC. A socket "
                "that "
                "retains keeps at most 1024 bytes of it, of a stream and on AF_UNIX none: descriptors are "
                "not kept.",
                .min = 0, .max = CONTROL_MAX_SIZE, .fallback = ANCILLARY_DEFAULT_SIZE, .example = "256"),
        PLACE_FIELDS(struct socket_recvmsg_request),
};
const struct fields socket_recvmsg_request_fields =
        FIELDS(struct socket_recvmsg_request, socket_recvmsg_request_rows);

static const struct field received_message_rows[] = {
        FIELD(struct received_message, data, "What was received; without `sizes`.", .optional = true,
                .example = "\"aGVsbG8K\""),
        FIELD(struct received_message, buffers, "With `sizes`: one for each of them.", .optional = true,
                .schema = "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"contentEncoding\":"
                          "\"base64\"}}"),
        FIELD(struct received_message, size, "How many bytes those are.", .optional = true,
                .schema = "{\"type\":\"integer\",\"minimum\":0}", .example = "6"),
        FIELD(struct received_message, length,
                "How long the message was: more than `size` where it was cut off (MSG_TRUNC).",
                .optional = true, .schema = "{\"type\":\"integer\",\"minimum\":0}", .example = "6"),
        FIELD(struct received_message, offset,
                "The position of what was received: of its first byte, or the message's number.",
                .optional = true, .schema = "{\"type\":\"integer\",\"minimum\":0}", .progress = true,
                .example = "0"),
        FIELD(struct received_message, next,
                "The position behind it; the same as `offset` where nothing was taken.", .optional = true,
                .schema = "{\"type\":\"integer\",\"minimum\":0}", .progress = true, .example = "6"),
        FIELD(struct received_message, address,
                "The sender, or with MSG_ERRQUEUE where the message that failed went; left out where the "
                "kernel gives none.",
                .optional = true, .example = "{\"family\":\"AF_INET\",\"host\":\"127.0.0.1\",\"port\":5353}"),
        FIELD(struct received_message, flags,
                "What the kernel says of it: MSG_TRUNC, MSG_CTRUNC, MSG_EOR, MSG_OOB, MSG_ERRQUEUE …",
                .optional = true,
                .schema = "{\"type\":\"array\",\"items\":{\"type\":[\"string\",\"integer\"]}}",
                .example = "[]"),
        FIELD(struct received_message, eof, "The peer sends no more.", .optional = true),
        FIELD(struct received_message, ancillary, "What came with it.", .optional = true,
                .schema = ancillary_reply_schema,
                .example = "[{\"level\":\"IPPROTO_IP\",\"type\":\"IP_TTL\",\"value\":64}]"),
        FIELD(struct received_message, messages,
                "With `count`, instead of all above: the messages, each with those members.",
                .optional = true,
                .schema = "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
                          "ReceivedMessage\"}}"),
        FIELD(struct received_message, error,
                "With `count`: what ended the list before its time; the kernel says it only once.",
                .optional = true, .schema = ERROR_SCHEMA),
};
const struct fields received_message_fields =
        FIELDS(struct received_message, received_message_rows, .title = "ReceivedMessage");

static json_t *error_json(const struct result *result)
{
        return json_pack("{so,ss*}", "errno", encode_constant(&errno_names, false, result->error), "class",
                error_class(result->error));
}

/* Sending. */

static struct result judge_control(struct call *call, const struct control *control)
{
        const struct msghdr header = { .msg_control = control->bytes, .msg_controllen = control->size };
        /* CMSG_NXTHDR() only reads it. */
        for (struct cmsghdr *at = control->size == 0 ? NULL : CMSG_FIRSTHDR(&header); at != NULL;
                at = CMSG_NXTHDR((struct msghdr *)(uintptr_t)&header, at))
                TRY(guarded_ancillary(call, call->socket, at->cmsg_level, at->cmsg_type, CMSG_DATA(at),
                        at->cmsg_len - CMSG_LEN(0)));
        return DONE;
}

static struct result send_message(
        struct call *call, const struct draft_message *message, int flags, size_t *sent)
{
        struct passage passage passage_auto = { .fd = -1 };
        struct loan loan loan_auto = { .count = 0 };
        if (message->address.given) {
                struct result passed =
                        guarded_destination(call, call->socket, &message->address, flags, &passage);
                if (passed.kind == RESULT_REFUSED)
                        passed.call = "sendmsg";
                TRY(passed);
        }
        TRY(judge_control(call, &message->control));
        TRY(loan_begin(call, &message->control, message->path, &loan));
        const struct outgoing outgoing = { .pieces = message->pieces,
                .piece_count = message->piece_count,
                .to = message->address.given ? &passage : NULL,
                .control = message->control.bytes,
                .control_size = message->control.size };
        return message_send(call->socket, &outgoing, flags, sent);
}

/* Whether an interrupted call with the same key has sent the next message; *sent is how much of it. */
static bool was_sent(const struct call *call, uint64_t start, const struct draft_message *message,
        const struct sent_messages *reply, size_t *sent)
{
        if (start == SEND_ANYWHERE)
                return false;
        const bool counts = socket_has_boundaries(call->socket);
        const uint64_t position = socket_position(call->socket, DIRECTION_SEND);
        const uint64_t more = position - start - (counts ? (uint64_t)reply->messages : reply->sent);
        *sent = counts || more > message->size ? message->size : (size_t)more;
        return more > 0;
}

static struct result send_messages(struct call *call, uint64_t start, int flags, struct sent_messages *reply)
{
        const struct draft *const draft = call->draft;
        while ((size_t)reply->messages < draft->count) {
                const struct draft_message *const message = &draft->messages[reply->messages];
                size_t sent = 0;
                const struct result result = was_sent(call, start, message, reply, &sent)
                                                     ? DONE
                                                     : send_message(call, message, flags, &sent);
                if (result.kind == RESULT_REFUSED && reply->messages > 0) {
                        reply->error.json = error_json(&result);
                        return DONE;
                }
                TRY(result);
                reply->sent += sent;
                reply->messages++;
                if (sent < message->size)
                        break;
        }
        return DONE;
}

struct result run_socket_sendmsg(
        struct call *call, const struct socket_sendmsg_request *request, struct sent_messages *reply)
{
        if (call->draft == NULL)
                TRY(draft_make(call, request));
        const struct result result =
                send_messages(call, keyed_start(call, SEND_ANYWHERE), request->flags, reply);
        keyed_note_sent(call);
        return result;
}

/* Receiving. */

/* Its data stay in the vessel. A refusal may have a position too. A position that is given goes on behind it.
 */
static struct result receive_message(struct call *call, const struct socket_recvmsg_request *request,
        uint64_t *at, const struct vessel *vessel, struct received_message *out)
{
        const struct descriptor_taker taker = { .take = rights_take, .context = call };
        struct incoming incoming = { .pieces = vessel->pieces,
                .piece_count = vessel->piece_count,
                .control = vessel->control,
                .control_size = (size_t)request->ancillary_size,
                .at = *at };
        const struct result result = message_receive(call->socket, &incoming, request->flags);
        *out = (struct received_message){ .offset.json = NULL };
        if (result.kind == RESULT_DONE || incoming.next > incoming.offset) {
                out->offset.json = json_integer((json_int_t)incoming.offset);
                out->next.json = json_integer((json_int_t)incoming.next);
        }
        TRY(result);
        if (*at != POSITION_NONE)
                *at = incoming.next;
        call_keep(call, incoming.size);
        *out = (struct received_message){ .offset = out->offset,
                .next = out->next,
                .size.json = json_integer((json_int_t)incoming.size),
                .length.json = json_integer((json_int_t)incoming.length),
                .address = incoming.address,
                .flags.json = encode_constant(&message_flag_names, true, incoming.flags),
                .eof = incoming.end,
                .ancillary.json = encode_ancillary(&incoming.header, &taker) };
        if (request->sizes.json != NULL)
                out->buffers.json = vessel_pieces(vessel, incoming.size);
        else
                out->data = (struct binary){ .bytes = vessel->bytes, .size = incoming.size, .given = true };
        return DONE;
}

/* Memory has run out: who named its position gets the message again. */
static struct result end_list(struct received_message *reply)
{
        const struct result lacking = refused("recvmsg", ENOMEM);
        if (json_array_size(reply->messages.json) == 0)
                return lacking;
        reply->error.json = error_json(&lacking);
        return DONE;
}

/* Takes the message over. False without memory. */
static bool add_message(struct received_message *reply, struct received_message *message)
{
        if (reply->messages.json == NULL)
                reply->messages.json = json_array();
        json_t *const encoded = fields_encode(&received_message_fields, message);
        fields_release(&received_message_fields, message);
        return json_array_append_new(reply->messages.json, encoded) == 0;
}

static struct result receive_many(struct call *call, const struct socket_recvmsg_request *request,
        const struct vessel *vessel, struct received_message *reply)
{
        bool end = false;
        uint64_t at = request->offset;
        if ((request->flags & MSG_PEEK) != 0)
                return call_unsound(call, "flags",
                        "flags: MSG_PEEK does not go with `count`: each message would be the first");
        for (int i = 0; i < request->count && !end; i++) {
                struct received_message message;
                const struct result result = receive_message(call, request, &at, vessel, &message);
                if (i == 0 && result.kind != RESULT_DONE) {
                        *reply = message;
                        return result;
                }
                if (result.kind == RESULT_REFUSED && result.error != EAGAIN)
                        reply->error.json = error_json(&result);
                if (result.kind != RESULT_DONE) {
                        fields_release(&received_message_fields, &message);
                        break;
                }
                end = message.eof || call_room(call).kind != RESULT_DONE;
                if (!add_message(reply, &message))
                        return end_list(reply);
        }
        return DONE;
}

struct result run_socket_recvmsg(
        struct call *call, const struct socket_recvmsg_request *request, struct received_message *reply)
{
        struct vessel vessel vessel_auto = { .size = 0 };
        TRY(call_room(call));
        TRY(vessel_make(call, request, &vessel));
        TRY(call_place(call, request->offset, request->ack, request->flags));
        if (request->count > 0)
                return receive_many(call, request, &vessel, reply);
        uint64_t at = request->offset;
        TRY(receive_message(call, request, &at, &vessel, reply));
        /* What was not needed of the room goes back. */
        uint8_t *const fitting = realloc(vessel.bytes, reply->data.size + 1);
        if (fitting != NULL)
                vessel.bytes = fitting;
        reply->data.bytes = vessel.bytes;
        call_own(call, TAKE(vessel.bytes));
        return DONE;
}
