/* wire.c: what of a recorded call went over the wire. */
#include "api/wire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "api/address_json.h"
#include "api/base64.h"
#include "api/print.h"
#include "daemon/sockets/cleanup.h"

struct reading {
        const struct recording *recording;
        bool sent;
        void (*take)(void *context, const struct wire_piece *piece);
        void *context;
};

/* A host's name stays unresolved, and so not given. */
static void read_address(const json_t *object, struct address *out)
{
        static const struct field field = { .name = "address", .kind = FIELD_ADDRESS };
        json_t *const json = json_object_get(object, "address");
        struct arena arena = { .blocks = NULL };
        struct problem problem = { 0 };
        struct decoder decoder = { .arena = &arena, .problem = &problem };
        if (json == NULL || json_is_null(json) || !decode_address(&decoder, &field, json, out) ||
                out->size == 0)
                *out = (struct address){ .given = false };
        arena_free(&arena);
}

/* Both ways to say bytes in JSON. Appends them. */
static void append_bytes(struct print *print, const json_t *text, bool is_base64)
{
        const size_t size = json_string_length(text);
        if (size == 0)
                return;
        if (!is_base64) {
                print_text(print, json_string_value(text), size);
                return;
        }
        uint8_t *bytes memory_auto = malloc(base64_decoded_size(size) + 1);
        size_t used;
        if (bytes != NULL && base64_decode(json_string_value(text), size, bytes, &used))
                print_text(print, (const char *)bytes, used);
}

/* The bytes of a message: `data`, `text`, or `buffers` of either, or of plain base64. */
static void append_message(struct print *print, const json_t *message)
{
        const json_t *const buffers = json_object_get(message, "buffers");
        size_t index;
        const json_t *buffer;
        json_array_foreach(buffers, index, buffer)
        {
                append_bytes(print, json_is_string(buffer) ? buffer : json_object_get(buffer, "data"), true);
                append_bytes(print, json_object_get(buffer, "text"), false);
        }
        append_bytes(print, json_object_get(message, "data"), true);
}

static int64_t position_in(const json_t *object)
{
        const json_t *const offset = json_object_get(object, "offset");
        return json_is_integer(offset) ? json_integer_value(offset) : -1;
}

/* One message of JSON; `most` cuts off what the kernel did not take. Returns its size. */
static size_t take_message(const struct reading *reading, const json_t *message, size_t most)
{
        struct print print = { 0 };
        struct wire_piece piece = { .sent = reading->sent, .position = position_in(message) };
        append_message(&print, message);
        piece.bytes = (const uint8_t *)print.bytes;
        piece.size = print.size < most ? print.size : most;
        read_address(message, &piece.peer);
        if (!print.failed)
                reading->take(reading->context, &piece);
        free(print.bytes);
        return print.size;
}

/* The payload that stood beside the JSON. */
static void take_payload(const struct reading *reading, const struct part *payload, size_t most,
        const json_t *arguments, const json_t *reply)
{
        struct wire_piece piece = { .sent = reading->sent,
                .bytes = payload->bytes,
                .size = payload->size < most ? payload->size : most,
                .position = position_in(reply) };
        read_address(reading->sent ? arguments : reply, &piece.peer);
        reading->take(reading->context, &piece);
}

static size_t count_in(const json_t *object, const char *name)
{
        const json_int_t count = json_integer_value(json_object_get(object, name));
        return count < 0 ? 0 : (size_t)count;
}

static void read_sent(const struct reading *reading, const json_t *arguments, const json_t *reply)
{
        const struct part *const payload = &reading->recording->sent;
        size_t left = count_in(reply, "sent");
        if (json_is_true(json_object_get(reply, "duplicate")))
                return;
        if (payload->given) {
                take_payload(reading, payload, left, arguments, reply);
                return;
        }
        const json_t *const messages = json_object_get(arguments, "messages");
        const size_t count = count_in(reply, "messages");
        for (size_t i = 0; i < count; i++) {
                const size_t size = take_message(
                        reading, messages == NULL ? arguments : json_array_get(messages, i), left);
                left -= size < left ? size : left;
        }
}

static void read_received(const struct reading *reading, const json_t *arguments, const json_t *reply)
{
        const struct part *const payload = &reading->recording->received;
        const json_t *const messages = json_object_get(reply, "messages");
        size_t index;
        const json_t *message;
        json_array_foreach(messages, index, message)
        {
                take_message(reading, message, SIZE_MAX);
        }
        if (messages != NULL)
                return;
        if (payload->given)
                take_payload(reading, payload, SIZE_MAX, arguments, reply);
        else if (json_object_get(reply, "size") != NULL)
                take_message(reading, reply, SIZE_MAX);
}

/* Whether a flag is among the arguments: a list of names, or names with | between them. */
static bool has_flag(const json_t *arguments, const char *flag)
{
        const json_t *const flags = json_object_get(arguments, "flags");
        size_t index;
        const json_t *item;
        json_array_foreach(flags, index, item)
        {
                if (json_is_string(item) && strcmp(json_string_value(item), flag) == 0)
                        return true;
        }
        return json_is_string(flags) && strstr(json_string_value(flags), flag) != NULL;
}

static bool takes_nothing(const json_t *arguments)
{
        static const char *const flags[] = { "MSG_PEEK", "MSG_ERRQUEUE", "MSG_OOB" };
        for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
                if (has_flag(arguments, flags[i]))
                        return true;
        return false;
}

/* The operations that carry payload. A connect is no transfer, though it takes the same turn. */
static bool carries(const struct recording *recording)
{
        static const char *const names[] = { "socket_send", "socket_upload", "socket_sendto",
                "socket_sendmsg", "socket_recv", "socket_recvfrom", "socket_recvmsg" };
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                if (strcmp(recording->operation->name, names[i]) == 0)
                        return true;
        return false;
}

void wire_read(const struct recording *recording, void (*take)(void *context, const struct wire_piece *piece),
        void *context)
{
        const struct reading reading = { .recording = recording,
                .sent = recording->operation->turn == TURN_SEND,
                .take = take,
                .context = context };
        /* What was streamed is in its pieces. */
        if (!carries(recording) || recording->streamed != recording->piece)
                return;
        json_auto_t *arguments = part_json(&recording->arguments);
        json_auto_t *reply = part_json(&recording->reply);
        if (reading.sent)
                read_sent(&reading, arguments, reply);
        else if (!takes_nothing(arguments) && recording->status < 300)
                read_received(&reading, arguments, reply);
}

/* How the connecting of a call ended. */
static enum wire_event connect_event(const struct recording *recording)
{
        static const struct {
                const char *errno_name;
                enum wire_event event;
        } rows[] = { { "ECONNREFUSED", WIRE_CONNECT_REFUSED }, { "ETIMEDOUT", WIRE_CONNECT_UNANSWERED } };
        if (recording->errno_name == NULL)
                return recording->status < 300 ? WIRE_CONNECTED : WIRE_NOTHING;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
                if (strcmp(rows[i].errno_name, recording->errno_name) == 0)
                        return rows[i].event;
        return WIRE_NOTHING;
}

static enum wire_event create_event(const struct recording *recording)
{
        json_auto_t *arguments = part_json(&recording->arguments);
        return json_object_get(arguments, "connect") == NULL ? WIRE_NOTHING : connect_event(recording);
}

static enum wire_event accept_event(const struct recording *recording)
{
        return recording->status == 201 ? WIRE_ACCEPTED : WIRE_NOTHING;
}

static enum wire_event shutdown_event(const struct recording *recording)
{
        json_auto_t *arguments = part_json(&recording->arguments);
        const json_t *const how = json_object_get(arguments, "how");
        const bool reads_only =
                json_is_integer(how) ? json_integer_value(how) == SHUT_RD
                                     : json_is_string(how) && strcmp(json_string_value(how), "SHUT_RD") == 0;
        return recording->status < 300 && !reads_only ? WIRE_FINISHED : WIRE_NOTHING;
}

static enum wire_event receive_event(const struct recording *recording)
{
        json_auto_t *reply = part_json(&recording->reply);
        if (recording->errno_name != NULL && strcmp(recording->errno_name, "ECONNRESET") == 0)
                return WIRE_PEER_RESET;
        return json_is_true(json_object_get(reply, "eof")) ? WIRE_PEER_FINISHED : WIRE_NOTHING;
}

enum wire_event wire_event(const struct recording *recording)
{
        static const struct {
                const char *operation;
                enum wire_event (*event)(const struct recording *recording);
        } rows[] = {
                { "socket_create", create_event },
                { "socket_connect", connect_event },
                { "socket_accept", accept_event },
                { "socket_shutdown", shutdown_event },
                { "socket_recv", receive_event },
                { "socket_recvmsg", receive_event },
        };
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
                if (strcmp(rows[i].operation, recording->operation->name) == 0)
                        return rows[i].event(recording);
        return WIRE_NOTHING;
}
