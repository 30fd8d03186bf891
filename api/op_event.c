/* op_event.c: what happens to sockets: which events a caller is to see, each as JSON, and the long poll for
 * them. */
#include <stdio.h>
#include <string.h>

#include "api/follow.h"
#include "api/record.h"
#include "daemon/sockets/observer.h"

enum { EVENTS_AT_ONCE = 1000, BATCH = 64 };

static const uint64_t ABSENT = UINT64_MAX;
static const int64_t NS_PER_MS = 1000000;

static const struct field event_list_request_rows[] = {
        FIELD(struct event_list_request, after,
                "List those behind the one of this number; 0: all that are kept. Absent: those from now on. "
                "Without it and `timeout_ms`, or with `Accept: text/event-stream`, they come as a stream "
                "that "
                "does not end: `id` is the number, `event` the kind, `data` the event; a client that comes "
                "again with its Last-Event-ID misses none that are kept.",
                .max = INT64_MAX, .fallback = -1, .example = "0"),
        FIELD(struct event_list_request, kind, "Only those of these kinds.", .names = &event_names,
                .flags = true, .example = "[\"made\",\"closed\"]"),
        FIELD(struct event_list_request, socket,
                "Only those of this socket, by id, and of what is accepted from it."),
        FIELD(struct event_list_request, session, "Only those of sockets of this session, by id."),
        FIELD(struct event_list_request, label, "Only those of sockets with this label.",
                .max = LABEL_SIZE - 1, .example = "\"server\""),
};
const struct fields event_list_request_fields = FIELDS(struct event_list_request, event_list_request_rows);

static const struct field event_object_rows[] = {
        FIELD(struct event_object, sequence,
                "Its number: each event's is greater than those before it, a later daemon's too.",
                .example = "28642313000001"),
        FIELD(struct event_object, time, "When it happened, or was seen.",
                .example = "\"2026-01-01T00:00:00.000000000Z\""),
        FIELD(struct event_object, kind,
                "made, bound, listening, connected, accepted; readable: there is something to take that "
                "nobody waits for; received, sent; peer_closed: the peer sends no more; reset: the "
                "connection is broken; error: the kernel refused a call, or has an error for the next one; "
                "closed; parked, woken: a call begins to wait, or no longer does.",
                .names = &event_names, .example = "\"accepted\""),
        FIELD(struct event_object, socket, "The socket's id.", .example = "\"0q8k3zt-2\""),
        FIELD(struct event_object, session, "Its session.", .nullable = true, .example = "null"),
        FIELD(struct event_object, label, "Its label.", .nullable = true, .example = "\"server\""),
        FIELD(struct event_object, parent, "The listener that it was accepted from.", .optional = true,
                .example = "\"0q8k3zt-1\""),
        FIELD(struct event_object, peer, "Of connected and accepted: the peer's address.", .optional = true,
                .example = "{\"family\":\"AF_INET\",\"host\":\"127.0.0.1\",\"port\":41803}"),
        FIELD(struct event_object, bytes,
                "Of received and sent: how many since the last such event, or since somebody has begun to "
                "watch.",
                .optional = true, .schema = "{\"type\":\"integer\",\"minimum\":1}"),
        { .name = "errno",
                .help = "Of reset and error: what a call was refused with; left out where none has met it.",
                .kind = FIELD_INT,
                .offset = offsetof(struct event_object, error),
                .names = &errno_names,
                .optional = true },
        FIELD(struct event_object, call, "The call that it came of, waits, or waited.", .optional = true),
};
const struct fields event_object_fields = FIELDS(struct event_object, event_object_rows, .title = "Event");

static const struct field event_list_rows[] = {
        FIELD(struct event_list, events, "The events, oldest first, at most 1000.",
                .schema = "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Event\"}}"),
        FIELD(struct event_list, next, "The `after` to ask for those behind them.",
                .example = "28642313000001"),
        FIELD(struct event_list, gap,
                "Events behind `after` are lost: no longer kept, or of a daemon before this one."),
};
const struct fields event_list_fields = FIELDS(struct event_list, event_list_rows, .title = "EventList");

/* The texts of an event's record. */
struct texts {
        char socket[SOCKET_ID_SIZE], session[SOCKET_ID_SIZE], parent[SOCKET_ID_SIZE];
};

static struct text text_of(const char *text)
{
        return (struct text){ .bytes = text, .size = strlen(text) };
}

static struct text id_of(const struct registry *registry, uint64_t number, char *out)
{
        return number == 0 ? (struct text){ .bytes = NULL }
                           : text_of(registry_format_id(registry, number, out));
}

/* The record points into `texts` and the event. */
static void describe(const struct registry *registry, const struct event *event, struct texts *texts,
        struct event_object *out)
{
        *out = (struct event_object){ .sequence = event->sequence,
                .time.time = event->time,
                .kind = (int)event->kind,
                .socket = id_of(registry, event->socket, texts->socket),
                .session = id_of(registry, event->session, texts->session),
                .parent = id_of(registry, event->parent, texts->parent),
                .bytes = event->bytes,
                .error = event->error };
        if (event->label[0] != '\0')
                out->label = text_of(event->label);
        if (event->call != NULL)
                out->call = text_of(event->call);
        if (event->peer_size > 0)
                out->peer =
                        (struct address){ .given = true, .storage = event->peer, .size = event->peer_size };
}

void event_print(struct print *print, const struct registry *registry, const struct event *event)
{
        struct event_object object;
        struct texts texts;
        describe(registry, event, &texts, &object);
        PRINT(print, "{");
        print_members(print, &event_object_fields, &object);
        if (print->size > 0)
                print->bytes[print->size - 1] = '}'; /* for the last comma */
}

static json_t *event_json(const struct registry *registry, const struct event *event)
{
        struct event_object object;
        struct texts texts;
        describe(registry, event, &texts, &object);
        return fields_encode(&event_object_fields, &object);
}

static bool read_id(const struct call *call, const struct text *id, uint64_t *number)
{
        return id->bytes == NULL || registry_parse_id(call->service->registry, id->bytes, number);
}

/* Whose sockets a caller does not see, he sees no events of. */
static struct result read_filter(struct call *call, struct event_filter *filter)
{
        const struct event_list_request *const request = call->request;
        *filter = (struct event_filter){ .kinds = request->kind == 0 ? EVENT_ALL_KINDS
                                                                     : (unsigned)request->kind,
                .owner = call->caller.account,
                .of_all = call->caller.administers,
                .has_label = request->label.bytes != NULL };
        if (!read_id(call, &request->socket, &filter->socket))
                return call_unsound(call, "socket", "socket: is no id of this daemon");
        if (!read_id(call, &request->session, &filter->session))
                return call_unsound(call, "session", "session: is no id of this daemon");
        if (filter->has_label)
                snprintf(filter->label, sizeof filter->label, "%s", request->label.bytes);
        return DONE;
}

bool call_follows(const struct call *call, const char *accept)
{
        const struct event_list_request *const request = call->request;
        static const char stream[] = "text/event-stream";
        if (call->operation->request != &event_list_request_fields)
                return false;
        if (accept != NULL && strncmp(accept, stream, sizeof stream - 1) == 0)
                return true;
        return request->after == ABSENT && call->common.timeout_ms < 0 &&
               (accept == NULL || strstr(accept, "json") == NULL);
}

/* "28642313000001". False: it is no number of an event. */
static bool read_sequence(const char *text, uint64_t *out)
{
        enum { DIGITS_MOST = 18 };
        const size_t size = strlen(text);
        if (size == 0 || size > DIGITS_MOST || strspn(text, "0123456789") != size)
                return false;
        *out = 0;
        for (size_t i = 0; i < size; i++)
                *out = *out * 10 + (uint64_t)(text[i] - '0');
        return true;
}

struct result call_follow(
        struct call *call, const char *last_id, struct event_filter *filter, uint64_t *after, uint64_t *lost)
{
        const struct event_list_request *const request = call->request;
        TRY(read_filter(call, filter));
        *after = request->after == ABSENT ? event_last() : request->after;
        if (last_id != NULL && !read_sequence(last_id, after))
                return call_unsound(call, "Last-Event-ID", "Last-Event-ID: is no `id` of an event");
        event_read(after, NULL, 0, lost);
        return DONE;
}

/* Those that there are; *after is then where to go on. */
static void list_events(struct call *call, const struct event_filter *filter, struct event_list *reply)
{
        struct event events[BATCH];
        uint64_t lost;
        size_t count;
        json_t *const list = reply->events.json;
        do {
                count = event_read(&reply->next, events, BATCH, &lost);
                reply->gap |= lost > 0;
                for (size_t i = 0; i < count; i++)
                        if (event_matches(filter, &events[i]) && json_array_size(list) < EVENTS_AT_ONCE) {
                                json_array_append_new(list, event_json(call->service->registry, &events[i]));
                                if (json_array_size(list) == EVENTS_AT_ONCE)
                                        reply->next = events[i].sequence;
                        }
        } while (count == BATCH && json_array_size(list) < EVENTS_AT_ONCE);
}

static int64_t deadline_of(const struct call *call)
{
        const int64_t deadline_ns = call->started_ns + call_timeout_ms(call) * NS_PER_MS;
        return call->latest_ns != 0 && call->latest_ns < deadline_ns ? call->latest_ns : deadline_ns;
}

/* Waits for the next one; the call may be under way again on another thread as soon as it is parked. */
static struct result await_events(struct call *call, uint64_t after)
{
        struct observer *const observer = call->service->observer;
        const uint64_t listener = call->listening;
        const int64_t deadline_ns = deadline_of(call);
        uint64_t ticket;
        const struct result result = call_join(call, &ticket);
        if (result.kind == RESULT_WAIT)
                observer_arm(observer, listener, &(struct alarm){ ticket, after, deadline_ns });
        return result;
}

struct result run_event_list(
        struct call *call, const struct event_list_request *request, struct event_list *reply)
{
        struct observer *const observer = call->service->observer;
        struct event_filter filter;
        TRY(read_filter(call, &filter));
        if (reply->events.json == NULL) {
                reply->events.json = json_array();
                reply->next = request->after == ABSENT ? event_last() : request->after;
        }
        observer_leave(observer, call->listening);
        call->listening = observer_listen(observer, &filter);
        if (call->listening == 0)
                return lack_memory();
        list_events(call, &filter, reply);
        if (json_array_size(reply->events.json) > 0 || reply->gap || deadline_of(call) <= now_ns())
                return DONE;
        return await_events(call, reply->next);
}
