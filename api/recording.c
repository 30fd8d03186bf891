/* recording.c: one call on a socket that records, as its transcript keeps it. */
#include "api/recording.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "api/print.h"
#include "api/record.h"
#include "daemon/sockets/cleanup.h"

static const int64_t NS_PER_S = 1000000000;

static bool is_internet(const struct socket *socket)
{
        return socket->family == AF_INET || socket->family == AF_INET6;
}

/* Those of the connection that a call has made, or else the peer that it names, once its name is resolved.
 * seccomp: getsockname getpeername */
static void note_ends(struct recording *recording, const struct call *call, const struct socket *socket)
{
        struct address *const local = &recording->local, *const peer = &recording->peer;
        const struct field *const field =
                call->operation->turn == TURN_SEND ? fields_find(call->operation->request, "address") : NULL;
        const struct address *const named =
                field == NULL ? NULL : (const struct address *)((const char *)call->request + field->offset);
        local->size = peer->size = sizeof local->storage;
        local->given = getsockname(socket->fd, (struct sockaddr *)&local->storage, &local->size) == 0;
        peer->given = getpeername(socket->fd, (struct sockaddr *)&peer->storage, &peer->size) == 0;
        transcript_note_ends(socket->transcript, local, peer);
        if (named != NULL && named->given && named->size > 0)
                *peer = *named;
        if (call->result.kind == RESULT_DONE && call->operation->reply == &socket_object_fields) {
                const struct socket_object *const object = call->reply;
                *local = object->local;
                *peer = object->peer;
        }
}

/* When the call began, by the wall clock. */
static struct timespec start_of(int64_t duration_ns)
{
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        const int64_t started_ns = now.tv_sec * NS_PER_S + now.tv_nsec - duration_ns;
        return (struct timespec){ .tv_sec = started_ns / NS_PER_S, .tv_nsec = started_ns % NS_PER_S };
}

static void put(uint8_t **place, struct part *out, const struct part *part)
{
        *out = *part;
        out->bytes = *place;
        if (part->size > 0)
                memcpy(*place, part->bytes, part->size);
        *place += part->size;
}

/* What a recording is made of. */
struct material {
        const struct call *call;
        int status;
        bool piece;
        struct part arguments, sent, reply, received;
};

static void add_for(const struct socket *socket, const struct material *material)
{
        const struct call *const call = material->call;
        const bool is_on_socket = operation_has_id(call->operation) && call->socket != NULL;
        const size_t size = sizeof(struct recording) + material->arguments.size + material->sent.size +
                            material->reply.size + material->received.size;
        struct recording *const recording =
                size > transcript_limit(socket->transcript) ? NULL : calloc(1, size);
        if (recording == NULL) {
                transcript_miss(socket->transcript);
                return;
        }
        uint8_t *place = recording->bytes;
        recording->entry.size = size;
        recording->operation = call->operation;
        recording->subject = is_on_socket ? call->socket->number : 0;
        recording->self = socket->number;
        recording->duration_ns = now_ns() - call->started_ns;
        recording->started = start_of(recording->duration_ns);
        recording->status = material->status;
        recording->streamed = call->streamed;
        recording->piece = material->piece;
        recording->errno_name = call_errno_name(call);
        if (is_internet(socket))
                note_ends(recording, call, socket);
        put(&place, &recording->arguments, &material->arguments);
        put(&place, &recording->sent, &material->sent);
        put(&place, &recording->reply, &material->reply);
        put(&place, &recording->received, &material->received);
        transcript_add(socket->transcript, &recording->entry);
}

static struct part sent_payload(const struct call *call)
{
        const struct field *const field = fields_payload(call->operation->request);
        const struct payload *const payload =
                field == NULL ? NULL : (const struct payload *)((const char *)call->request + field->offset);
        if (payload == NULL || !payload->given)
                return (struct part){ .given = false };
        return (struct part){ .bytes = payload->bytes, .size = payload->size, .given = true };
}

/* The parameters, but for the payload, which stands beside them. */
static void print_arguments(struct print *print, const struct call *call)
{
        json_auto_t *arguments = call->parameters == NULL ? json_object() : json_copy(call->parameters);
        if (sent_payload(call).given) {
                json_object_del(arguments, "data");
                json_object_del(arguments, "text");
        }
        print_json(print, arguments);
}

/* JSON text, without the line end that replies have. */
static struct part json_part(const void *bytes, size_t size)
{
        const bool ends = size > 0 && ((const char *)bytes)[size - 1] == '\n';
        return (struct part){ .bytes = bytes, .size = size - ends, .given = true };
}

/* Parts a reply's JSON from its payload. */
static void split_reply(const struct call_reply *reply, struct print *json, struct material *out)
{
        const struct payload *const payload = reply_payload(out->call);
        size_t rest;
        if (reply->members != NULL) {
                out->reply = json_part(reply->members, strlen(reply->members));
                out->received = (struct part){ .bytes = reply->body, .size = reply->size, .given = true };
        } else if (reply_begins_with_payload(reply, payload, &rest)) {
                PRINT(json, "{");
                print_text(json, (const char *)reply->body + rest, reply->size - rest);
                out->reply = json_part(json->bytes, json->size);
                out->reply.given = !json->failed;
                out->received =
                        (struct part){ .bytes = payload->bytes, .size = payload->size, .given = true };
        } else if (reply->body != NULL) {
                out->reply = json_part(reply->body, reply->size);
        }
}

static void add_for_number(const struct call *call, uint64_t number, const struct material *material)
{
        struct socket *socket socket_auto = registry_find_number(call->service->registry, number);
        if (socket != NULL && socket->transcript != NULL)
                add_for(socket, material);
}

/* What a call has made, other than its own socket. */
static void add_for_made(const struct call *call, const struct material *material)
{
        const bool makes_pair = call->operation->reply == &socket_pair_fields;
        const json_t *const pair =
                makes_pair ? ((const struct socket_pair *)call->reply)->sockets.json : NULL;
        size_t index;
        const json_t *object;
        if (!makes_pair)
                add_for_number(call, call->created, material);
        json_array_foreach(pair, index, object)
        {
                uint64_t number;
                const char *const id = json_string_value(json_object_get(object, "id"));
                if (id != NULL && registry_parse_id(call->service->registry, id, &number))
                        add_for_number(call, number, material);
        }
}

void recording_add(const struct call *call, const struct call_reply *reply)
{
        struct print arguments = { .flags = JSON_ENSURE_ASCII }, json = { .flags = JSON_ENSURE_ASCII };
        struct material material = { .call = call,
                .status = reply == NULL ? call->operation->success : reply->status,
                .sent = sent_payload(call) };
        if (reply != NULL)
                split_reply(reply, &json, &material);
        print_arguments(&arguments, call);
        material.arguments = (struct part){
                .bytes = (const uint8_t *)arguments.bytes, .size = arguments.size, .given = !arguments.failed
        };
        if (call->socket != NULL && call->socket->transcript != NULL)
                add_for(call->socket, &material);
        if (call->made_recorder)
                add_for_made(call, &material);
        free(arguments.bytes);
        free(json.bytes);
}

void recording_add_piece(const struct call *call, const uint8_t *bytes, size_t size)
{
        const bool sends = call->wait.direction == DIRECTION_SEND;
        const bool counts = socket_has_boundaries(call->socket);
        const uint64_t next =
                sends ? socket_position(call->socket, DIRECTION_SEND) : inbox_cursor(call->socket);
        const struct part part = { .bytes = bytes, .size = size, .given = true };
        struct print arguments = { .flags = JSON_ENSURE_ASCII }, reply = { .flags = 0 };
        print_arguments(&arguments, call);
        PRINT(&reply, "{\"offset\":");
        print_integer(&reply, (json_int_t)(next - (counts ? 1 : size)));
        PRINT(&reply, ",\"next\":");
        print_integer(&reply, (json_int_t)next);
        print_text(&reply, sends ? ",\"sent\":" : ",\"size\":", 8);
        print_integer(&reply, (json_int_t)size);
        PRINT(&reply, "}");
        if (!arguments.failed && !reply.failed)
                add_for(call->socket, &(struct material){ .call = call,
                                              .status = call->operation->success,
                                              .piece = true,
                                              .arguments = { .bytes = (const uint8_t *)arguments.bytes,
                                                      .size = arguments.size,
                                                      .given = true },
                                              .sent = sends ? part : (struct part){ .given = false },
                                              .reply = { .bytes = (const uint8_t *)reply.bytes,
                                                      .size = reply.size,
                                                      .given = true },
                                              .received = sends ? (struct part){ .given = false } : part });
        else
                transcript_miss(call->socket->transcript);
        free(arguments.bytes);
        free(reply.bytes);
}

json_t *part_json(const struct part *part)
{
        return part->given ? json_loadb((const char *)part->bytes, part->size, JSON_ALLOW_NUL, NULL) : NULL;
}
