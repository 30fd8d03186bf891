/* op_reactor.c: sockets that the daemon serves by itself. */
#include <stdio.h>
#include <string.h>

#include "api/guarded.h"
#include "api/record.h"
#include "daemon/sockets/reactor.h"

enum { CONNECTIONS_DEFAULT = 64, DATAGRAM_DEFAULT = 1024, WRITES_PER_S = 100, HEX_SIZE = 65 };

#define KIND_SCHEMA                                                                                          \
        "{\"type\":\"string\",\"enum\":[\"echo\",\"sink\",\"source\",\"verify\",\"reply\",\"forward\"]}"
#define REPLIES_SCHEMA                                                                                       \
        "{\"type\":\"array\",\"minItems\":1,\"maxItems\":64,\"items\":{\"type\":\"object\","                 \
        "\"additionalProperties\":false,\"properties\":{"                                                    \
        "\"when\":{\"type\":\"string\",\"contentEncoding\":\"base64\"},"                                     \
        "\"when_text\":{\"type\":\"string\"},"                                                               \
        "\"then\":{\"type\":\"string\",\"contentEncoding\":\"base64\"},"                                     \
        "\"then_text\":{\"type\":\"string\"}}}}"

static const struct field reactor_start_request_rows[] = {
        FIELD(struct reactor_start_request, kind,
                "echo: send back what comes, to a datagram's sender; sink: take what comes; source: send a "
                "pattern; verify: take what comes and hold it against a pattern; reply: answer what "
                "`replies` "
                "knows; forward: send what comes to another socket. A listener's reactor serves every "
                "connection that it accepts.",
                .required = true, .schema = KIND_SCHEMA, .example = "\"echo\""),
        FIELD(struct reactor_start_request, pattern,
                "What a source sends and a verify expects, over and over. Absent: 32-bit big-endian numbers "
                "that count up from 0."),
        FIELD(struct reactor_start_request, pattern_text, "The same, as text.", .min = 1,
                .max = REACTOR_BLOCK),
        FIELD(struct reactor_start_request, total,
                "A source, sink or verify ends after so many bytes; of a listener: each connection's. 0: it "
                "goes on.",
                .min = 0, .max = INT64_MAX, .example = "1000000"),
        FIELD(struct reactor_start_request, rate,
                "Bytes per second of a source, on average; 0: as fast as it goes.", .min = 0,
                .max = REACTOR_RATE_MAX),
        FIELD(struct reactor_start_request, size,
                "Bytes of each of a source's writes: of its datagrams. 0: 65536, with a `rate` a hundredth "
                "of "
                "it; of datagrams 1024.",
                .min = 0, .max = REACTOR_BLOCK),
        FIELD(struct reactor_start_request, hash, "A sink works out the SHA-256 of what it takes.",
                .fallback = true),
        FIELD(struct reactor_start_request, replies,
                "Of a reply: upon the bytes `when` (or `when_text`), wherever they stand in what comes, it "
                "sends `then` (or `then_text`). Of those that match at once the first counts. At most 64, "
                "`when` of at most 4096 and `then` of at most 65536 bytes.",
                .schema = REPLIES_SCHEMA,
                .example = "[{\"when_text\":\"PING\\n\",\"then_text\":\"PONG\\n\"}]"),
        FIELD(struct reactor_start_request, to, "The id of the socket that a forward sends to.",
                .max = SOCKET_ID_SIZE),
        FIELD(struct reactor_start_request, connections,
                "The most connections that a listener's reactor has at a time; others wait in its queue.",
                .min = 1, .max = REACTOR_CONNECTIONS_MAX, .fallback = CONNECTIONS_DEFAULT),
};
const struct fields reactor_start_request_fields =
        FIELDS(struct reactor_start_request, reactor_start_request_rows);

const struct fields reactor_show_request_fields = { .size = sizeof(struct reactor_show_request) };
const struct fields reactor_stop_request_fields = { .size = sizeof(struct reactor_stop_request) };

static const struct field reactor_object_rows[] = {
        FIELD(struct reactor_object, kind, "What it does.", .schema = KIND_SCHEMA, .example = "\"echo\""),
        FIELD(struct reactor_object, state, "running, or ended: by itself, through the peer or an error.",
                .schema = "{\"type\":\"string\",\"enum\":[\"running\",\"ended\"]}", .example = "\"running\""),
        FIELD(struct reactor_object, error,
                "The errno that ended it, or that ended a listener's connection last; null: none.",
                .nullable = true, .example = "null"),
        FIELD(struct reactor_object, received_bytes, "Bytes that came.", .example = "6"),
        FIELD(struct reactor_object, sent_bytes, "Bytes that it sent.", .example = "6"),
        FIELD(struct reactor_object, reads, "Reads that gave something: of datagram sockets, datagrams.",
                .example = "1"),
        FIELD(struct reactor_object, writes, "Writes that took something: of datagram sockets, datagrams.",
                .example = "1"),
        FIELD(struct reactor_object, total, "How many bytes it was asked for; null: as many as there are.",
                .nullable = true, .example = "null"),
        FIELD(struct reactor_object, accepted, "Connections that it has accepted."),
        FIELD(struct reactor_object, connections, "Those of them that are open."),
        FIELD(struct reactor_object, denied,
                "Peers that the policy turned away, and senders that it gave no answer."),
        FIELD(struct reactor_object, dropped, "Datagrams that could not be sent."),
        FIELD(struct reactor_object, matches, "How often a reply has found something to answer."),
        FIELD(struct reactor_object, sha256,
                "Of what a sink has taken so far, in hexadecimal; of a listener's: its last connection.",
                .nullable = true, .example = "null"),
        FIELD(struct reactor_object, mismatch,
                "The first offset at which a verify did not find its pattern; null: there is none.",
                .nullable = true, .schema = "{\"type\":[\"integer\",\"null\"],\"minimum\":0}",
                .example = "null"),
};
const struct fields reactor_object_fields =
        FIELDS(struct reactor_object, reactor_object_rows, .title = "Reactor");

/* One of `replies`. */
struct reply_text {
        struct binary when, then;
        struct text when_text, then_text;
};

static const struct field reply_rows[] = {
        FIELD(struct reply_text, when, "What comes."),
        FIELD(struct reply_text, when_text, "The same, as text."),
        FIELD(struct reply_text, then, "What is sent then."),
        FIELD(struct reply_text, then_text, "The same, as text."),
};
static const struct fields reply_fields = FIELDS(struct reply_text, reply_rows);

/* What goes with some kinds only. */
#define KIND(name) (1u << REACTOR_##name)
static const struct {
        const char *name;
        unsigned kinds;
        bool required;
} belongings[] = {
        { "pattern", KIND(SOURCE) | KIND(VERIFY), .required = false },
        { "pattern_text", KIND(SOURCE) | KIND(VERIFY), .required = false },
        { "total", KIND(SOURCE) | KIND(SINK) | KIND(VERIFY), .required = false },
        { "rate", KIND(SOURCE), .required = false },
        { "size", KIND(SOURCE), .required = false },
        { "hash", KIND(SINK), .required = false },
        { "replies", KIND(REPLY), .required = true },
        { "to", KIND(FORWARD), .required = true },
};

static struct result check_belongings(struct call *call, enum reactor_kind kind)
{
        for (size_t i = 0; i < sizeof belongings / sizeof *belongings; i++) {
                const char *const name = belongings[i].name;
                const bool given = json_object_get(call->parameters, name) != NULL;
                const bool fits = (belongings[i].kinds & 1u << kind) != 0;
                if (given && !fits)
                        return call_unsound(
                                call, name, "%s: does not go with %s", name, reactor_kind_names[kind]);
                if (!given && fits && belongings[i].required)
                        return call_unsound(call, name, "%s: is missing, and a %s needs it", name,
                                reactor_kind_names[kind]);
        }
        return DONE;
}

static struct result read_kind(struct call *call, const struct text *text, enum reactor_kind *out)
{
        for (int kind = 0; kind < REACTOR_KIND_COUNT; kind++)
                if (strcmp(text->bytes, reactor_kind_names[kind]) == 0) {
                        *out = (enum reactor_kind)kind;
                        return DONE;
                }
        return call_unsound(call, "kind", "kind: must be echo, sink, source, verify, reply or forward");
}

/* Bytes that may be written in two ways, of which one is given. */
static bool choose_bytes(struct decoder *decoder, const char *name, const struct binary *binary,
        const struct text *text, size_t most, struct pattern *out)
{
        if (binary->given == (text->bytes != NULL))
                return decoder_fail(decoder, name,
                        binary->given ? "is given twice: as base64 and as text"
                                      : "is missing, as base64 or as text");
        *out = binary->given ? (struct pattern){ .bytes = binary->bytes, .size = binary->size }
                             : (struct pattern){ .bytes = (const uint8_t *)text->bytes, .size = text->size };
        return out->size <= most ||
               decoder_fail(decoder, name, "must have at most %zu bytes, not %zu", most, out->size);
}

static bool decode_reply(struct decoder *decoder, json_t *item, struct reply_rule *out)
{
        struct reply_text text;
        struct pattern when = { 0 }, then = { 0 };
        if (!json_is_object(item))
                return decoder_fail(decoder, "", "must be an object, not %s", json_kind_word(item));
        if (!fields_decode(decoder, &reply_fields, &text, NULL, NULL, item) ||
                !choose_bytes(decoder, "when", &text.when, &text.when_text, REPLY_WHEN_MAX, &when) ||
                !choose_bytes(decoder, "then", &text.then, &text.then_text, REPLY_THEN_MAX, &then))
                return false;
        if (when.size == 0)
                return decoder_fail(decoder, "when", "must have a byte or more");
        *out = (struct reply_rule){
                .when = when.bytes, .when_size = when.size, .then = then.bytes, .then_size = then.size
        };
        return true;
}

static bool decode_replies(struct decoder *decoder, const json_t *list, struct reply_rules *out)
{
        const size_t count = json_array_size(list);
        if (!json_is_array(list) || count == 0 || count > REPLY_RULES_MAX)
                return decoder_fail(decoder, "replies", "must be a list of 1 to %d", REPLY_RULES_MAX);
        struct reply_rule *const items = arena_allocate(decoder->arena, count * sizeof *items);
        if (items == NULL)
                return decoder_fail_memory(decoder);
        for (size_t i = 0; i < count; i++) {
                const size_t mark = decoder_enter(decoder, "%s[%zu].", "replies", i);
                if (!decode_reply(decoder, json_array_get(list, i), &items[i]))
                        return false;
                decoder_leave(decoder, mark);
        }
        out->items = items;
        out->count = count;
        return true;
}

static struct result read_replies(struct call *call, const struct value *replies, struct reply_rules *out)
{
        struct problem problem = { 0 };
        struct decoder decoder = { .arena = &call->arena, .problem = &problem };
        if (replies->json == NULL || decode_replies(&decoder, replies->json, out))
                return DONE;
        return call_fail(call, &problem);
}

static struct result read_pattern(
        struct call *call, const struct reactor_start_request *request, struct pattern *out)
{
        const struct text *const text = &request->pattern_text;
        if (request->pattern.given && text->bytes != NULL)
                return call_unsound(call, "pattern", "pattern: is given twice: as base64 and as text");
        if (request->pattern.given && (request->pattern.size == 0 || request->pattern.size > REACTOR_BLOCK))
                return call_unsound(call, "pattern", "pattern: must have 1 to %d bytes", REACTOR_BLOCK);
        *out = request->pattern.given
                       ? (struct pattern){ .bytes = request->pattern.bytes, .size = request->pattern.size }
                       : (struct pattern){ .bytes = (const uint8_t *)text->bytes, .size = text->size };
        return DONE;
}

/* A reference to the socket of that id, if it is the caller's. */
static struct result find_target(struct call *call, const struct text *id, struct socket **out)
{
        struct socket *socket socket_auto =
                id->bytes == NULL ? NULL : registry_find(call->service->registry, id->bytes);
        if (id->bytes != NULL && (socket == NULL || !call_reaches(call, socket)))
                return call_forbidden(call, PROBLEM_UNKNOWN_SOCKET, "to", "to: there is no such socket");
        *out = socket == NULL ? NULL : socket_reference(socket);
        return DONE;
}

/* With a rate, small enough for an even flow. */
static size_t size_of_writes(const struct socket *socket, const struct reactor_start_request *request)
{
        const size_t share = (size_t)request->rate / WRITES_PER_S;
        if (request->size > 0)
                return (size_t)request->size;
        if (socket->type != SOCK_STREAM)
                return DATAGRAM_DEFAULT;
        if (request->rate == 0 || share > REACTOR_BLOCK)
                return REACTOR_BLOCK;
        return share > 0 ? share : 1;
}

static struct text kind_text(enum reactor_kind kind)
{
        return (struct text){ reactor_kind_names[kind], strlen(reactor_kind_names[kind]) };
}

static struct text hex_text(struct call *call, const uint8_t hash[static 32])
{
        char *const text = arena_allocate(&call->arena, HEX_SIZE);
        for (size_t i = 0; i < 32 && text != NULL; i++)
                snprintf(text + i * 2, 3, "%02x", hash[i]);
        return (struct text){ .bytes = text, .size = text == NULL ? 0 : HEX_SIZE - 1 };
}

static struct result no_reactor(struct call *call)
{
        return call_forbidden(call, PROBLEM_UNKNOWN_PATH, NULL, "The socket has no reactor.");
}

static void describe(struct call *call, const struct reactor_report *report, struct reactor_object *out)
{
        const char *const state = report->running ? "running" : "ended";
        const char *const error = report->error == 0 ? NULL : name_of(&errno_names, report->error);
        *out = (struct reactor_object){ .kind = kind_text(report->kind),
                .state = { state, strlen(state) },
                .error = { error, error == NULL ? 0 : strlen(error) },
                .received_bytes = report->counts.received_bytes,
                .sent_bytes = report->counts.sent_bytes,
                .reads = report->counts.reads,
                .writes = report->counts.writes,
                .total = report->total,
                .accepted = report->counts.accepted,
                .connections = (int)report->connections,
                .denied = report->counts.denied,
                .dropped = report->counts.dropped,
                .matches = report->counts.matches };
        if (report->hashed)
                out->sha256 = hex_text(call, report->hash);
        if (report->mismatched)
                out->mismatch.json = json_integer((json_int_t)report->mismatch);
}

struct result run_reactor_start(
        struct call *call, const struct reactor_start_request *request, struct reactor_object *reply)
{
        struct reactor_plan plan = { .total = request->total,
                .rate = (uint64_t)request->rate,
                .size = size_of_writes(call->socket, request),
                .hash = request->hash,
                .connections = (unsigned)request->connections,
                .account = call->caller.account };
        struct socket *to socket_auto = NULL;
        TRY(read_kind(call, &request->kind, &plan.kind));
        TRY(check_belongings(call, plan.kind));
        TRY(read_pattern(call, request, &plan.pattern));
        TRY(read_replies(call, &request->replies, &plan.replies));
        TRY(find_target(call, &request->to, &to));
        plan.to = to;
        snprintf(plan.policy, sizeof plan.policy, "%s", call->caller.policy);
        TRY(reactors_start(call->service->reactors, call->socket, &plan));
        struct reactor_report report;
        if (!reactors_read(call->service->reactors, call->socket, &report))
                return no_reactor(call);
        describe(call, &report, reply);
        return DONE;
}

struct result run_reactor_show(
        struct call *call, const struct reactor_show_request *request, struct reactor_object *reply)
{
        struct reactor_report report;
        (void)request;
        if (!reactors_read(call->service->reactors, call->socket, &report))
                return no_reactor(call);
        describe(call, &report, reply);
        return DONE;
}

struct result run_reactor_stop(
        struct call *call, const struct reactor_stop_request *request, struct reactor_object *reply)
{
        struct reactor_report report;
        (void)request;
        if (!reactors_stop(call->service->reactors, call->socket, &report))
                return no_reactor(call);
        describe(call, &report, reply);
        return DONE;
}
