/* op_wait.c: waiting for what can be seen of sockets, without a turn: poll on many, a condition on one. */
#include <limits.h>
#include <stdio.h>

#include "api/call.h"
#include "api/option_codec.h"
#include "api/option_json.h"
#include "api/record.h"
#include "daemon/sockets/condition.h"

enum { SOCKETS_MOST = 1024, ABSENT = -1 };

#define EVENTS_HELP "Events of poll(2), by name; POLLERR and POLLHUP are always among them."

static const struct field poll_request_rows[] = {
        FIELD(struct poll_request, sockets,
                "The sockets, each with the events that it is polled for. " EVENTS_HELP, .required = true,
                .schema =
                        "{\"type\":\"array\",\"minItems\":1,\"maxItems\":1024,\"items\":{\"type\":\"object\","
                        "\"properties\":{\"id\":{\"type\":\"string\"},\"events\":"
                        "{\"$ref\":\"#/components/schemas/PollEventListParameter\"}},"
                        "\"required\":[\"id\",\"events\"],\"additionalProperties\":false}}",
                .example = "[{\"id\":\"0q8k3zt-1\",\"events\":[\"POLLIN\"]}]"),
};
const struct fields poll_request_fields = FIELDS(struct poll_request, poll_request_rows);

/* One member of that list. */
struct interest {
        struct text id;
        int events;
};

static const struct field interest_rows[] = {
        FIELD(struct interest, id, "The socket.", .required = true, .min = 1, .max = SOCKET_ID_SIZE),
        FIELD(struct interest, events, EVENTS_HELP, .required = true, .max = SHRT_MAX,
                .names = &poll_event_names, .flags = true),
};
static const struct fields interest_fields = FIELDS(struct interest, interest_rows);

static const struct field polled_rows[] = {
        FIELD(struct polled, ready, "The sockets that have something, in the order that they were given in.",
                .schema = "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
                          "\"id\":{\"type\":\"string\"},\"revents\":{\"type\":\"array\","
                          "\"items\":{\"type\":[\"string\",\"integer\"]}}},"
                          "\"required\":[\"id\",\"revents\"],\"additionalProperties\":false}}",
                .example = "[{\"id\":\"0q8k3zt-1\",\"revents\":[\"POLLIN\"]}]"),
        FIELD(struct polled, count, "How many they are.", .example = "1"),
};
const struct fields polled_fields = FIELDS(struct polled, polled_rows, .title = "Polled");

static const struct field socket_wait_request_rows[] = {
        FIELD(struct socket_wait_request, events, "Any of these. " EVENTS_HELP, .max = SHRT_MAX,
                .names = &poll_event_names, .flags = true, .fallback = ABSENT, .example = "[\"POLLIN\"]"),
        FIELD(struct socket_wait_request, receive_queue,
                "So many bytes or more to receive, as the socket's `receive_queue` counts them.", .min = 1,
                .max = INT64_MAX, .fallback = ABSENT),
        FIELD(struct socket_wait_request, send_queue,
                "So many bytes or fewer in the socket's `send_queue`; 0: all are acknowledged.", .min = 0,
                .max = INT64_MAX, .fallback = ABSENT),
        FIELD(struct socket_wait_request, tcp_state, "This state of TCP.", .names = &tcp_state_names,
                .fallback = ABSENT),
        FIELD(struct socket_wait_request, connection, "A connection to accept."),
        FIELD(struct socket_wait_request, level, "The level of `option`, by name or number.",
                .names = &level_names, .fallback = ABSENT),
        FIELD(struct socket_wait_request, option, "An option that has `value`, by name or number.",
                .schema = "{\"type\":[\"string\",\"integer\"]}"),
        FIELD(struct socket_wait_request, value,
                "As getsockopt gives it; of a struct, those members that matter.",
                .schema = option_request_schema),
};
const struct fields socket_wait_request_fields = FIELDS(struct socket_wait_request, socket_wait_request_rows);

static const struct field waited_rows[] = {
        FIELD(struct waited, value,
                "What was found: the events that came, the bytes queued, the state's name, true, or the "
                "option's value.",
                .schema = "{}", .example = "[\"POLLIN\"]"),
        FIELD(struct waited, socket, "The socket right after that.",
                .schema = "{\"$ref\":\"#/components/schemas/Socket\"}"),
};
const struct fields waited_fields = FIELDS(struct waited, waited_rows, .title = "Waited");

/* Has the call look at so many sockets, which are to be added. */
static struct result begin_looking(struct call *call, size_t count)
{
        if (!call_hold(call, lookout_size(count)))
                return call->result;
        call->wait.lookout = lookout_new(count);
        return call->wait.lookout == NULL ? refused("poll", ENOMEM) : DONE;
}

static bool add_interest(struct call *call, struct decoder *decoder, json_t *member)
{
        struct interest interest;
        if (!json_is_object(member))
                return decoder_fail(decoder, "", "must be an object, not %s", json_kind_word(member));
        if (!fields_decode(decoder, &interest_fields, &interest, NULL, NULL, member))
                return false;
        struct socket *socket socket_auto = registry_find(call->service->registry, interest.id.bytes);
        if (socket == NULL || !call_reaches(call, socket))
                return decoder_fail(decoder, "id", "there is no such socket");
        lookout_add(call->wait.lookout, socket_reference(socket), (short)interest.events);
        return true;
}

static struct result add_interests(struct call *call, const json_t *list)
{
        struct problem problem = { .extra = NULL };
        struct decoder decoder = { .arena = &call->arena, .problem = &problem };
        const size_t count = json_array_size(list);
        if (!json_is_array(list))
                return call_unsound(
                        call, "sockets", "sockets: must be a list of sockets, not %s", json_kind_word(list));
        if (count == 0 || count > SOCKETS_MOST)
                return call_unsound(call, "sockets", "sockets: must be from 1 to %d", SOCKETS_MOST);
        TRY(begin_looking(call, count));
        for (size_t i = 0; i < count; i++) {
                const size_t mark = decoder_enter(&decoder, "sockets[%zu].", i);
                if (!add_interest(call, &decoder, json_array_get(list, i)))
                        return call_fail(call, &problem);
                decoder_leave(&decoder, mark);
        }
        return DONE;
}

struct result run_poll(struct call *call, const struct poll_request *request, struct polled *reply)
{
        if (call->wait.lookout == NULL) {
                TRY(add_interests(call, request->sockets.json));
                return would_block("poll"); /* the first attempt is yet to come, under the lane's lock */
        }
        TRY(lookout_poll(call->wait.lookout));
        reply->ready.json = json_array();
        for (size_t i = 0; i < call->wait.lookout->count; i++) {
                const struct look *const look = &call->wait.lookout->looks[i];
                char id[SOCKET_ID_SIZE];
                if (look->revents == 0)
                        continue;
                registry_format_id(call->service->registry, look->socket->number, id);
                json_array_append_new(
                        reply->ready.json, json_pack("{ss, so}", "id", id, "revents",
                                                   encode_constant(&poll_event_names, true, look->revents)));
                reply->count++;
        }
        return DONE;
}

static struct result check_events(struct call *call, const struct socket_wait_request *request, json_t **now)
{
        (void)request;
        TRY(lookout_poll(call->wait.lookout));
        *now = encode_constant(&poll_event_names, true, call->wait.lookout->looks[0].revents);
        return DONE;
}

static struct result check_receive_queue(
        struct call *call, const struct socket_wait_request *request, json_t **now)
{
        uint64_t size = 0;
        TRY(condition_receive_queue(call->socket, (uint64_t)request->receive_queue, &size));
        *now = json_integer((json_int_t)size);
        return DONE;
}

static struct result check_send_queue(
        struct call *call, const struct socket_wait_request *request, json_t **now)
{
        uint64_t size = 0;
        TRY(condition_send_queue(call->socket, (uint64_t)request->send_queue, &size));
        *now = json_integer((json_int_t)size);
        return DONE;
}

static struct result check_tcp_state(
        struct call *call, const struct socket_wait_request *request, json_t **now)
{
        TRY(condition_tcp_state(call->socket, request->tcp_state));
        *now = encode_constant(&tcp_state_names, false, request->tcp_state);
        return DONE;
}

static struct result check_connection(
        struct call *call, const struct socket_wait_request *request, json_t **now)
{
        (void)request;
        TRY(condition_connection(call->socket));
        *now = json_true();
        return DONE;
}

/* Whether a value is what is wanted: of an object, only the members that are named. */
static bool agrees(const json_t *value, json_t *wanted)
{
        const char *name = NULL;
        json_t *member = NULL;
        if (!json_is_object(wanted))
                return json_equal(value, wanted);
        json_object_foreach(wanted, name, member)
        {
                if (!json_equal(json_object_get(value, name), member))
                        return false;
        }
        return true;
}

/* What the option never has would be waited for in vain. */
static struct result check_wanted(struct call *call, const json_t *value, json_t *wanted)
{
        const char *name = NULL;
        json_t *member = NULL;
        if (value == NULL || json_is_null(value))
                return DONE;
        if (json_is_object(wanted) != json_is_object(value))
                return call_unsound(call, "value", "value: must be %s, as getsockopt gives it",
                        json_is_object(value) ? "an object" : "no object");
        json_object_foreach(wanted, name, member)
        {
                char parameter[PROBLEM_PARAMETER_SIZE];
                snprintf(parameter, sizeof parameter, "value.%.32s", name);
                if (json_object_get(value, name) == NULL)
                        return call_unsound(
                                call, parameter, "%s: is no member of the option's value", parameter);
        }
        return DONE;
}

/* The option to look at; one that reading takes away is for those who ask for it. */
static struct result find_option(struct call *call, const struct socket_wait_request *request, int *option)
{
        struct problem problem = { .extra = NULL };
        struct decoder decoder = { .arena = &call->arena, .problem = &problem };
        if (request->level == ABSENT)
                return call_unsound(call, "level", "level: is missing");
        if (request->value.json == NULL)
                return call_unsound(call, "value", "value: is missing");
        if (!decode_option_number(&decoder, request->level, request->option.json, option))
                return call_fail(call, &problem);
        const struct option *const row = option_by_number(request->level, *option);
        if (row == NULL || (row->access & OPTION_READ) == 0 || row->access == OPTION_CONSUME)
                return call_unsound(call, "option",
                        "option: must be one that is known by name, and whose reading takes nothing away");
        return DONE;
}

static struct result check_option(struct call *call, const struct socket_wait_request *request, json_t **now)
{
        int option = 0;
        struct arena scratch = { .blocks = NULL }; /* the call's would grow with each attempt */
        struct value value = { .json = NULL };
        struct binary raw;
        TRY(find_option(call, request, &option));
        struct result result =
                option_read(&scratch, call->socket->fd, request->level, option, 0, &value, &raw);
        arena_free(&scratch);
        if (result.kind == RESULT_DONE)
                result = check_wanted(call, value.json, request->value.json);
        if (result.kind == RESULT_DONE && agrees(value.json, request->value.json)) {
                *now = value.json;
                return DONE;
        }
        json_decref(value.json);
        return result.kind == RESULT_DONE ? would_block("poll") : result;
}

static bool has_events(const struct socket_wait_request *request)
{
        return request->events != ABSENT;
}

static bool has_receive_queue(const struct socket_wait_request *request)
{
        return request->receive_queue != ABSENT;
}

static bool has_send_queue(const struct socket_wait_request *request)
{
        return request->send_queue != ABSENT;
}

static bool has_tcp_state(const struct socket_wait_request *request)
{
        return request->tcp_state != ABSENT;
}

static bool has_connection(const struct socket_wait_request *request)
{
        return request->connection;
}

static bool has_option(const struct socket_wait_request *request)
{
        return request->option.json != NULL || request->value.json != NULL || request->level != ABSENT;
}

/* What may be waited for. The kernel tells of every change of some; of others it does not tell at all (an
 * option's value), or not always (bytes acknowledged, most of TCP's states, bytes below SO_RCVLOWAT): those
 * are checked again after a while too. */
static const struct condition {
        bool (*is_given)(const struct socket_wait_request *request);
        struct result (*check)(struct call *call, const struct socket_wait_request *request, json_t **now);
        bool untold;
} conditions[] = {
        { .is_given = has_events, .check = check_events },
        { .is_given = has_connection, .check = check_connection },
        { .is_given = has_receive_queue, .check = check_receive_queue, .untold = true },
        { .is_given = has_send_queue, .check = check_send_queue, .untold = true },
        { .is_given = has_tcp_state, .check = check_tcp_state, .untold = true },
        { .is_given = has_option, .check = check_option, .untold = true },
};

/* The one condition that is given, or NULL when it is not exactly one. */
static const struct condition *condition_of(const struct socket_wait_request *request)
{
        const struct condition *found = NULL;
        size_t count = 0;
        for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
                if (conditions[i].is_given(request)) {
                        found = &conditions[i];
                        count++;
                }
        return count == 1 ? found : NULL;
}

static json_t *socket_json(struct call *call)
{
        const struct socket_show_request none = { 0 };
        struct socket_object object;
        (void)run_socket_show(call, &none, &object);
        json_t *const json = fields_encode(&socket_object_fields, &object);
        fields_release(&socket_object_fields, &object);
        return json;
}

struct result run_socket_wait(
        struct call *call, const struct socket_wait_request *request, struct waited *reply)
{
        const struct condition *const condition = condition_of(request);
        if (condition == NULL)
                return call_unsound(call, "events",
                        "give exactly one of events, receive_queue, send_queue, tcp_state, connection, and "
                        "option");
        if (call->wait.lookout == NULL) {
                const short events = (short)(request->events == ABSENT ? 0 : request->events);
                TRY(begin_looking(call, 1));
                lookout_add(call->wait.lookout, socket_reference(call->socket), events);
                return would_block("poll"); /* the first attempt is yet to come, under the lane's lock */
        }
        if (condition->untold)
                call->wait.retry_ns = condition_pause_ns(now_ns() - call->started_ns);
        const struct result result = condition->check(call, request, &reply->value.json);
        TRY(lookout_check(call->wait.lookout));
        TRY(result);
        reply->socket.json = socket_json(call);
        return DONE;
}
