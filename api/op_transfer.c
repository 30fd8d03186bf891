/* op_transfer.c: sending and receiving. */
#include <netinet/in.h>
#include <string.h>

#include "api/framed.h"
#include "api/guarded.h"
#include "api/record.h"
#include "daemon/sockets/message.h"
#include "daemon/sockets/receive.h"

enum { RECEIVE_DEFAULT_SIZE = 65536, MESSAGE_MAX_SIZE = 1 << 30, UNTIL_DEFAULT_LIMIT = 16 << 20 };

#define FLAGS_HELP "Flags of the call, by name: MSG_PEEK, MSG_OOB, MSG_DONTWAIT …"

static const struct field socket_send_request_rows[] = {
        FIELD(struct socket_send_request, data, "What to send.", .example = "\"aGVsbG8K\""),
        FIELD(struct socket_send_request, flags, FLAGS_HELP, .names = &message_flag_names, .flags = true,
                .example = "[\"MSG_MORE\"]"),
        FIELD(struct socket_send_request, all,
                "Go on until all is sent, as Python's sendall does. A raw body is always sent whole."),
};
const struct fields socket_send_request_fields = FIELDS(struct socket_send_request, socket_send_request_rows);

static const struct field socket_upload_request_rows[] = {
        FIELD(struct socket_upload_request, data, "What to send: the body."),
        FIELD(struct socket_upload_request, flags, FLAGS_HELP, .names = &message_flag_names, .flags = true),
};
const struct fields socket_upload_request_fields =
        FIELDS(struct socket_upload_request, socket_upload_request_rows);

static const struct field socket_sendto_request_rows[] = {
        FIELD(struct socket_sendto_request, data, "What to send.", .example = "\"aGVsbG8K\""),
        FIELD(struct socket_sendto_request, address, "Where to send it.", .required = true,
                .example = "\"127.0.0.1:5353\""),
        FIELD(struct socket_sendto_request, flags, FLAGS_HELP, .names = &message_flag_names, .flags = true),
};
const struct fields socket_sendto_request_fields =
        FIELDS(struct socket_sendto_request, socket_sendto_request_rows);

static const struct field sent_rows[] = {
        FIELD(struct sent, sent, "How many bytes the kernel took.", .progress = true, .example = "6"),
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
};
const struct fields socket_recvfrom_request_fields =
        FIELDS(struct socket_recvfrom_request, socket_recvfrom_request_rows);

static const struct field received_from_rows[] = {
        FIELD(struct received_from, data, "What was received.", .example = "\"aGVsbG8K\""),
        FIELD(struct received_from, size, "What recvfrom(2) returned.", .example = "6"),
        FIELD(struct received_from, address, "The sender; null where the kernel gives none.",
                .nullable = true, .example = "{\"family\":\"AF_INET\",\"host\":\"127.0.0.1\",\"port\":5353}"),
        FIELD(struct received_from, truncated, "The datagram was longer than `size`; its rest is lost."),
};
const struct fields received_from_fields =
        FIELDS(struct received_from, received_from_rows, .title = "ReceivedFrom");

/* Sends from reply->sent on, until the kernel takes no more or all is sent. seccomp: sendto */
static struct result send_on(struct call *call, const struct payload *data, const struct passage *to,
        int flags, bool all, struct sent *reply)
{
        const char *const name = to == NULL ? "send" : "sendto";
        do {
                const ssize_t taken = sendto(call->socket->fd, data->bytes + reply->sent,
                        data->size - reply->sent, send_flags(flags),
                        to == NULL ? NULL : (const struct sockaddr *)&to->storage, to == NULL ? 0 : to->size);
                if (taken < 0 && send_may_wait(errno, flags))
                        return would_block(name);
                TRY(check(name, taken));
                reply->sent += (size_t)taken;
                tally_add(&call->socket->stored->sent, (uint64_t)taken);
        } while (all && reply->sent < data->size);
        return DONE;
}

struct result run_socket_send(
        struct call *call, const struct socket_send_request *request, struct sent *reply)
{
        return send_on(call, &request->data, NULL, request->flags, request->all, reply);
}

struct result run_socket_sendto(
        struct call *call, const struct socket_sendto_request *request, struct sent *reply)
{
        struct passage passage passage_auto;
        TRY(guarded_destination(call, call->socket, &request->address, request->flags, &passage));
        return send_on(call, &request->data, &passage, request->flags, false, reply);
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
static bool keep_receipt(struct call *call, const struct receipt *receipt, struct payload *data)
{
        *data = (struct payload){ .bytes = receipt->bytes, .size = receipt->size, .given = true };
        call_keep(call, receipt->size);
        return receipt->bytes == NULL || arena_adopt(&call->arena, receipt->bytes);
}

struct result run_socket_recv(
        struct call *call, const struct socket_recv_request *request, struct received *reply)
{
        struct receipt receipt = { 0 };
        TRY(call_room(call));
        if (gathers(call, request)) {
                TRY(check_gathering(call, request));
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
                TRY(receive_once(call->socket, size, request->flags, &receipt));
        }
        *reply = (struct received){ .size = receipt.length,
                .eof = receipt.eof,
                .complete = receipt.complete,
                .truncated = receipt.truncated };
        return keep_receipt(call, &receipt, &reply->data) ? DONE : refused("recv", ENOMEM);
}

struct result run_socket_recvfrom(
        struct call *call, const struct socket_recvfrom_request *request, struct received_from *reply)
{
        struct receipt receipt = { 0 };
        TRY(call_room(call));
        struct result received = receive_once(call->socket, (size_t)request->size, request->flags, &receipt);
        if (received.kind != RESULT_DONE) {
                received.call = "recvfrom";
                return received;
        }
        *reply = (struct received_from){
                .size = receipt.length, .address = receipt.address, .truncated = receipt.truncated
        };
        return keep_receipt(call, &receipt, &reply->data) ? DONE : refused("recvfrom", ENOMEM);
}

struct result run_socket_upload(
        struct call *call, const struct socket_upload_request *request, struct sent *reply)
{
        return send_on(call, &request->data, NULL, request->flags, true, reply);
}

static bool is_upload(const struct call *call)
{
        return call->operation->request == &socket_upload_request_fields;
}

/* A raw body of any size goes to a stream as it comes; elsewhere it is one message, and must be whole. */
bool call_streams_in(const struct call *call)
{
        return (is_upload(call) || call->operation->request == &socket_send_request_fields) &&
               call->socket->type == SOCK_STREAM;
}

/* Streamed is what may be larger than what is gathered before a reply. */
bool call_streams_out(const struct call *call)
{
        /* An outcome that is to be judged must be known before the reply begins. */
        if (call->operation->request != &socket_recv_request_fields || !call->raw_reply ||
                call->expect != NULL || call->socket->type != SOCK_STREAM)
                return false;
        const struct socket_recv_request *const request = call->request;
        return request->until.given && request->size == UINT64_MAX &&
               (request->flags & FLAGS_WITHOUT_UNTIL) == 0 &&
               (request->until.eof || request->until.bytes > UNTIL_DEFAULT_LIMIT);
}

int call_stream_flags(const struct call *call)
{
        if (is_upload(call))
                return ((const struct socket_upload_request *)call->request)->flags;
        return call->operation->request == &socket_send_request_fields
                       ? ((const struct socket_send_request *)call->request)->flags
                       : ((const struct socket_recv_request *)call->request)->flags;
}

uint64_t call_stream_size(const struct call *call)
{
        const struct socket_recv_request *const request = call->request;
        return request->until.eof ? UINT64_MAX : request->until.bytes;
}
