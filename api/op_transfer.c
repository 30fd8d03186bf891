/* op_transfer.c: sending and receiving. */
#include <netinet/in.h>
#include <string.h>

#include "api/framed.h"
#include "api/guarded.h"
#include "api/keyed.h"
#include "api/place.h"
#include "api/record.h"
#include "daemon/sockets/event.h"
#include "daemon/sockets/message.h"
#include "daemon/sockets/receive.h"
#include "daemon/sockets/send.h"

enum { RECEIVE_DEFAULT_SIZE = 65536, MESSAGE_MAX_SIZE = 1 << 30, UNTIL_DEFAULT_LIMIT = 16 << 20 };

#define SEND_OFFSET_FIELD(type)                                                                              \
        FIELD(type, offset,                                                                                  \
                "The position that it is to have: how many bytes of the stream, or messages, were sent "     \
                "before it. What was sent already is not sent again, so that a call may be repeated.",       \
                .max = INT64_MAX, .fallback = -1, .example = "0")
#define FLAGS_HELP "Flags of the call, by name: MSG_PEEK, MSG_OOB, MSG_DONTWAIT …"

static const struct field socket_send_request_rows[] = {
        FIELD(struct socket_send_request, data, "What to send.", .example = "\"aGVsbG8K\""),
        FIELD(struct socket_send_request, flags, FLAGS_HELP, .names = &message_flag_names, .flags = true,
                .example = "[\"MSG_MORE\"]"),
        FIELD(struct socket_send_request, all,
                "Go on until all is sent, as Python's sendall does. A raw body is always sent whole."),
        SEND_OFFSET_FIELD(struct socket_send_request),
};
const struct fields socket_send_request_fields = FIELDS(struct socket_send_request, socket_send_request_rows);

static const struct field socket_upload_request_rows[] = {
        FIELD(struct socket_upload_request, data, "What to send: the body."),
        FIELD(struct socket_upload_request, flags, FLAGS_HELP, .names = &message_flag_names, .flags = true),
        SEND_OFFSET_FIELD(struct socket_upload_request),
};
const struct fields socket_upload_request_fields =
        FIELDS(struct socket_upload_request, socket_upload_request_rows);

static const struct field socket_sendto_request_rows[] = {
        FIELD(struct socket_sendto_request, data, "What to send.", .example = "\"aGVsbG8K\""),
        FIELD(struct socket_sendto_request, address, "Where to send it.", .required = true,
                .example = "\"127.0.0.1:5353\""),
        FIELD(struct socket_sendto_request, flags, FLAGS_HELP, .names = &message_flag_names, .flags = true),
        SEND_OFFSET_FIELD(struct socket_sendto_request),
};
const struct fields socket_sendto_request_fields =
        FIELDS(struct socket_sendto_request, socket_sendto_request_rows);

static const struct field sent_rows[] = {
        FIELD(struct sent, sent,
                "How many of the bytes the kernel has taken; those of an earlier call with the same `offset` "
                "count.",
                .progress = true, .example = "6"),
        FIELD(struct sent, offset,
                "The position that they have: of the first byte of a stream, else the message's number.",
                .example = "0"),
        FIELD(struct sent, next, "The position behind all that was sent so far.", .example = "6"),
        FIELD(struct sent, duplicate, "All of it had been sent before; nothing was sent now."),
};
const struct fields sent_fields = FIELDS(struct sent, sent_rows, .title = "Sent");

static const struct field socket_recv_request_rows[] = {
        FIELD(struct socket_recv_request, size,
                "The most bytes to receive. Absent: 65536, or with `until` 16 MiB.", .min = 0,
                .max = MESSAGE_MAX_SIZE, .fallback = -1, .example = "4096"),
        FIELD(struct socket_recv_request, flags, FLAGS_HELP, .names = &message_flag_names, .flags = true,
                .example = "[\"MSG_PEEK\"]"),
        FIELD(struct socket_recv_request, until,
                "Gather until this holds. What a call that fails has gathered stays for the next one.",
                .example = "{\"delimiter_text\":\"\\n\"}"),
        FIELD(struct socket_recv_request, frame,
                "Receive whole messages, which the stream is cut into in this way, and take nothing behind "
                "them. A message that the end of the stream cuts off is refused with EBADMSG."),
        PLACE_FIELDS(struct socket_recv_request),
};
const struct fields socket_recv_request_fields = FIELDS(struct socket_recv_request, socket_recv_request_rows);

#define BASE64 "{\"type\":\"string\",\"contentEncoding\":\"base64\"}"
#define MESSAGE_LIST                                                                                         \
        "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"data\",\"size\"],"               \
        "\"properties\":{"                                                                                   \
        "\"data\":" BASE64 ",\"size\":{\"type\":\"integer\",\"minimum\":1}}}}"

static const struct field received_rows[] = {
        FIELD(struct received, data,
                "What was received. With `frame` it is empty, but for a raw reply: the messages one after "
                "the "
                "other.",
                .example = "\"aGVsbG8K\""),
        FIELD(struct received, size,
                "What recv(2) returned: the number of bytes, or with MSG_TRUNC the length of the whole "
                "datagram.",
                .example = "6"),
        PLACED_FIELDS(struct received),
        FIELD(struct received, eof, "The peer sends no more."),
        FIELD(struct received, complete, "What `until` asks for was reached; true without it.",
                .example = "true"),
        FIELD(struct received, truncated, "The datagram was longer than `size`; its rest is lost."),
        FIELD(struct received, messages, "The messages of `frame`, whole, with delimiter or header.",
                .optional = true, .schema = MESSAGE_LIST),
        FIELD(struct received, incomplete,
                "Of a refused call: the message that the end of the stream cut off. It stays with the "
                "socket.",
                .optional = true, .progress = true, .schema = BASE64),
};
const struct fields received_fields = FIELDS(struct received, received_rows, .title = "Received");

static const struct field socket_recvfrom_request_rows[] = {
        FIELD(struct socket_recvfrom_request, size, "The most bytes to receive.", .min = 0,
                .max = MESSAGE_MAX_SIZE, .fallback = RECEIVE_DEFAULT_SIZE, .example = "4096"),
        FIELD(struct socket_recvfrom_request, flags, FLAGS_HELP, .names = &message_flag_names, .flags = true),
        PLACE_FIELDS(struct socket_recvfrom_request),
};
const struct fields socket_recvfrom_request_fields =
        FIELDS(struct socket_recvfrom_request, socket_recvfrom_request_rows);

static const struct field received_from_rows[] = {
        FIELD(struct received_from, data, "What was received.", .example = "\"aGVsbG8K\""),
        FIELD(struct received_from, size, "What recvfrom(2) returned.", .example = "6"),
        PLACED_FIELDS(struct received_from),
        FIELD(struct received_from, address, "The sender; null where the kernel gives none.",
                .nullable = true, .example = "{\"family\":\"AF_INET\",\"host\":\"127.0.0.1\",\"port\":5353}"),
        FIELD(struct received_from, truncated, "The datagram was longer than `size`; its rest is lost."),
};
const struct fields received_from_fields =
        FIELDS(struct received_from, received_from_rows, .title = "ReceivedFrom");

/* Where it stands among all that was sent. */
static void place_sent(const struct call *call, uint64_t offset, struct sent *reply)
{
        const bool counts = socket_has_boundaries(call->socket);
        reply->next = socket_position(call->socket, DIRECTION_SEND);
        reply->offset = offset == SEND_ANYWHERE ? reply->next - (counts ? 1 : reply->sent) : offset;
}

/* Sends the next bytes of the reply's call once. */
static struct result send_next(struct call *call, const struct parcel *whole, const uint8_t *bytes,
        size_t size, size_t *taken, struct sent *reply)
{
        struct parcel next = *whole;
        next.bytes = bytes;
        next.size = size;
        if (whole->offset != SEND_ANYWHERE)
                next.offset += reply->sent;
        TRY(send_parcel(call->socket, &next, taken, &reply->duplicate));
        reply->sent += *taken;
        place_sent(call, whole->offset, reply);
        return DONE;
}

/* Sends from reply->sent on, until the kernel takes no more or all is sent. */
static struct result send_all(struct call *call, const struct parcel *whole, bool all, struct sent *reply)
{
        size_t taken;
        do
                TRY(send_next(
                        call, whole, whole->bytes + reply->sent, whole->size - reply->sent, &taken, reply));
        while (all && reply->sent < whole->size);
        return DONE;
}

static struct parcel parcel_of(
        const struct payload *data, const struct passage *to, int flags, uint64_t offset)
{
        return (struct parcel){
                .bytes = data->bytes, .size = data->size, .to = to, .flags = flags, .offset = offset
        };
}

static struct result send_on(struct call *call, const struct parcel *whole, bool all, struct sent *reply)
{
        struct parcel placed = *whole;
        placed.offset = keyed_start(call, whole->offset);
        const struct result result = send_all(call, &placed, all, reply);
        keyed_note_sent(call);
        return result;
}

struct result run_socket_send(
        struct call *call, const struct socket_send_request *request, struct sent *reply)
{
        const struct parcel parcel = parcel_of(&request->data, NULL, request->flags, request->offset);
        return send_on(call, &parcel, request->all, reply);
}

struct result run_socket_upload(
        struct call *call, const struct socket_upload_request *request, struct sent *reply)
{
        const struct parcel parcel = parcel_of(&request->data, NULL, request->flags, request->offset);
        return send_on(call, &parcel, true, reply);
}

struct result run_socket_sendto(
        struct call *call, const struct socket_sendto_request *request, struct sent *reply)
{
        struct passage passage passage_auto;
        TRY(guarded_destination(call, call->socket, &request->address, request->flags, &passage));
        const struct parcel parcel = parcel_of(&request->data, &passage, request->flags, request->offset);
        return send_on(call, &parcel, false, reply);
}

static bool is_upload(const struct call *call)
{
        return call->operation->request == &socket_upload_request_fields;
}

struct result call_send_once(struct call *call, const uint8_t *bytes, size_t size, size_t *used)
{
        const struct socket_upload_request *const upload = call->request;
        const struct socket_send_request *const send = call->request;
        const struct parcel parcel = is_upload(call)
                                             ? parcel_of(&upload->data, NULL, upload->flags, upload->offset)
                                             : parcel_of(&send->data, NULL, send->flags, send->offset);
        return send_next(call, &parcel, bytes, size, used, call->reply);
}

/* The goal's progress lives as long as the call. */
static struct goal *goal_of(struct call *call, const struct socket_recv_request *request)
{
        if (call->goal != NULL)
                return call->goal;
        struct goal *const goal = call->goal = arena_allocate(&call->arena, sizeof *goal);
        if (goal == NULL)
                return NULL;
        goal->limit = request->size == UINT64_MAX ? UNTIL_DEFAULT_LIMIT : (size_t)request->size;
        goal->frame = request->frame.frame;
        goal->offset = request->offset;
        if (goal->frame != NULL) {
                goal->limit = goal->frame->max > UNTIL_DEFAULT_LIMIT ? goal->frame->max : UNTIL_DEFAULT_LIMIT;
        } else if (request->until.delimiter.given) {
                goal->delimiter = request->until.delimiter.bytes;
                goal->delimiter_size = request->until.delimiter.size;
        } else if (!request->until.eof) {
                goal->bytes = request->until.given ? (size_t)request->until.bytes : goal->limit;
        }
        return goal;
}

/* Flags that take nothing from the stream, or not its bytes: there is nothing to gather with them. */
static const int FLAGS_WITHOUT_UNTIL = MSG_PEEK | MSG_OOB | MSG_ERRQUEUE | MSG_TRUNC;

static bool gathers(const struct call *call, const struct socket_recv_request *request)
{
        return request->until.given || request->frame.frame != NULL ||
               ((request->flags & MSG_WAITALL) != 0 && call->socket->type == SOCK_STREAM &&
                       request->size != UINT64_MAX && request->size > 0);
}

/* Whether what a gathering recv asks for can be. */
static struct result check_gathering(struct call *call, const struct socket_recv_request *request)
{
        const bool framed = request->frame.frame != NULL;
        const char *const name = framed ? "frame" : "until";
        if (framed && request->until.given)
                return call_unsound(call, "until", "until: does not go with frame");
        if (framed && request->size != UINT64_MAX)
                return call_unsound(call, "size", "size: does not go with frame, which has max and count");
        if (call->socket->type != SOCK_STREAM)
                return call_unsound(
                        call, name, "%s: goes with SOCK_STREAM only: other types keep boundaries", name);
        if ((request->flags & FLAGS_WITHOUT_UNTIL) != 0)
                return call_unsound(call, "flags",
                        "flags: none of MSG_PEEK, MSG_OOB, MSG_ERRQUEUE, MSG_TRUNC goes with `%s`", name);
        return DONE;
}

/* The receipt's bytes become the call's. */
static void keep_receipt(struct call *call, const struct receipt *receipt, struct payload *data)
{
        if (receipt->eof)
                event_publish_once(call->socket, &(struct event_facts){ .kind = EVENT_PEER_CLOSED,
                                                         .call = call->operation->system_call });
        *data = (struct payload){ .bytes = receipt->bytes, .size = receipt->size, .given = true };
        call_keep(call, receipt->size);
        call_own(call, receipt->bytes);
}

struct result run_socket_recv(
        struct call *call, const struct socket_recv_request *request, struct received *reply)
{
        struct receipt receipt = { 0 };
        TRY(call_room(call));
        const bool gathering = gathers(call, request);
        if (gathering)
                TRY(check_gathering(call, request));
        TRY(call_place(call, request->offset, request->ack, request->flags));
        if (gathering) {
                struct goal *const goal = goal_of(call, request);
                if (goal == NULL)
                        return refused("recv", ENOMEM);
                const struct result result =
                        receive_until(call->socket, goal, request->flags & ~MSG_WAITALL, &receipt);
                if (goal->frame != NULL)
                        return framed_reply(call, goal, result, &receipt, reply);
                TRY(result);
        } else {
                const size_t size =
                        request->size == UINT64_MAX ? RECEIVE_DEFAULT_SIZE : (size_t)request->size;
                const struct result result =
                        receive_at(call->socket, request->offset, size, request->flags, &receipt);
                reply->offset = receipt.offset;
                reply->next = receipt.next;
                TRY(result);
        }
        *reply = (struct received){ .size = receipt.length,
                .offset = receipt.offset,
                .next = receipt.next,
                .eof = receipt.eof,
                .complete = receipt.complete,
                .truncated = receipt.truncated };
        keep_receipt(call, &receipt, &reply->data);
        return DONE;
}

struct result run_socket_recvfrom(
        struct call *call, const struct socket_recvfrom_request *request, struct received_from *reply)
{
        struct receipt receipt = { 0 };
        TRY(call_room(call));
        TRY(call_place(call, request->offset, request->ack, request->flags));
        struct result received =
                receive_at(call->socket, request->offset, (size_t)request->size, request->flags, &receipt);
        if (received.kind == RESULT_REFUSED || received.kind == RESULT_WAIT)
                received.call = "recvfrom";
        reply->offset = receipt.offset;
        reply->next = receipt.next;
        TRY(received);
        *reply = (struct received_from){ .size = receipt.length,
                .offset = receipt.offset,
                .next = receipt.next,
                .address = receipt.address,
                .truncated = receipt.truncated };
        keep_receipt(call, &receipt, &reply->data);
        return DONE;
}

/* A raw body of any size goes to a stream as it comes; elsewhere it is one message, and must be whole. */
bool call_streams_in(const struct call *call)
{
        return (is_upload(call) || call->operation->request == &socket_send_request_fields) &&
               call->socket != NULL && call->socket->type == SOCK_STREAM;
}

/* Streamed is what may be larger than what is gathered before a reply. */
bool call_streams_out(const struct call *call)
{
        /* An outcome that is to be judged must be known before the reply begins. */
        if (call->operation->request != &socket_recv_request_fields || !call->raw_reply ||
                call->expect != NULL || call->socket == NULL || call->socket->type != SOCK_STREAM)
                return false;
        const struct socket_recv_request *const request = call->request;
        /* What is retained is given whole, or not at all. */
        if (inbox_retains(call->socket) || request->offset != POSITION_NONE || request->ack != POSITION_NONE)
                return false;
        return request->until.given && request->size == UINT64_MAX &&
               (request->flags & FLAGS_WITHOUT_UNTIL) == 0 &&
               (request->until.eof || request->until.bytes > UNTIL_DEFAULT_LIMIT);
}

int call_stream_flags(const struct call *call)
{
        return ((const struct socket_recv_request *)call->request)->flags;
}

uint64_t call_stream_size(const struct call *call)
{
        const struct socket_recv_request *const request = call->request;
        return request->until.eof ? UINT64_MAX : request->until.bytes;
}
