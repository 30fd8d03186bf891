/* call.c: a call's beginning: its socket, its parameters from query, JSON and raw body, and their decoding.
 */
#include "api/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/base64.h"
#include "api/json_body.h"
#include "api/utf8.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/interface.h"

/* Timeouts may be given in any size, and are capped. */
static const struct field common_rows[] = {
        FIELD(struct common, timeout_ms,
                "How long the call may wait, in milliseconds; 0: not at all. Longer than the daemon's "
                "maximum is cut to "
                "it. Absent: SO_RCVTIMEO or SO_SNDTIMEO of the socket if set, else the daemon's default.",
                .min = 0, .max = INT64_MAX, .fallback = -1, .example = "5000"),
        FIELD(struct common, expect,
                "Names of errnos (EAI_… of lookups too) that are the expected outcome: they become a 200, "
                "and anything else, "
                "success too, a "
                "422.",
                .schema = "{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"maxItems\":64}",
                .example = "[\"ECONNREFUSED\"]"),
};

const struct fields common_fields = FIELDS(struct common, common_rows);

/* What an operation has of them: all, all but the timeout, or, with nothing to be refused by, none. */
static const struct fields no_wait_fields = {
        .rows = common_rows + 1, .count = 1, .size = sizeof(struct common)
};
static const struct fields no_common_fields = {
        .rows = common_rows, .count = 0, .size = sizeof(struct common)
};

static const struct fields *common_of(const struct operation *operation)
{
        if (operation->turn != TURN_NONE)
                return &common_fields;
        const bool calls = operation->method == METHOD_POST || operation->method == METHOD_PUT;
        return calls && operation->system_call[0] != '\0' ? &no_wait_fields : &no_common_fields;
}

bool common_applies(const struct operation *operation, const struct field *field)
{
        const struct fields *const common = common_of(operation);
        return field >= common->rows && field < common->rows + common->count;
}

/* Notes a problem; parked calls have none, so it only takes memory once there is one. Returns false. */
static bool keep_problem(struct call *call, const struct problem *problem)
{
        call->result.kind = RESULT_UNSOUND;
        call->problem = arena_allocate(&call->arena, sizeof *call->problem);
        if (call->problem != NULL)
                *call->problem = *problem;
        else
                call->result = lack_memory();
        return false;
}

struct result call_fail(struct call *call, const struct problem *problem)
{
        keep_problem(call, problem);
        return call->result;
}

struct result call_unsound(struct call *call, const char *parameter, const char *format, ...)
{
        char detail[PROBLEM_DETAIL_SIZE];
        struct problem problem = { 0 };
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(detail, sizeof detail, format, arguments);
        va_end(arguments);
        problem_set(&problem, PROBLEM_UNSOUND_REQUEST, parameter, "%s", detail);
        keep_problem(call, &problem);
        return call->result;
}

int64_t call_timeout_ms(const struct call *call)
{
        const struct service *const service = call->service;
        const int64_t asked_ms =
                call->common.timeout_ms < 0 ? service->default_timeout_ms : call->common.timeout_ms;
        return asked_ms < service->max_timeout_ms ? asked_ms : service->max_timeout_ms;
}

bool call_reaches(const struct call *call, const struct socket *socket)
{
        return socket->owner == call->caller.account || call->caller.administers;
}

bool call_reaches_session(const struct call *call, const struct session *session)
{
        return session->owner == call->caller.account || call->caller.administers;
}

struct text id_text(struct call *call, uint64_t number)
{
        char id[SOCKET_ID_SIZE];
        registry_format_id(call->service->registry, number, id);
        return (struct text){ .bytes = arena_copy(&call->arena, id, strlen(id)), .size = strlen(id) };
}

int call_interfaces(const struct call *call)
{
        return call->socket != NULL && call->socket->netns != NULL ? call->socket->fd : -1;
}

/* What is not the caller's own looks just as what is not there. */
static bool find_session(struct call *call, const char *id)
{
        uint64_t number;
        if (registry_parse_id(call->service->registry, id, &number))
                call->session = sessions_find(call->service->sessions, number);
        if (call->session != NULL && call_reaches_session(call, call->session))
                return true;
        session_release(TAKE(call->session));
        return false;
}

static void find_socket(struct call *call, const char *id)
{
        struct socket *socket socket_auto = registry_find(call->service->registry, id);
        if (socket == NULL || !call_reaches(call, socket))
                return;
        socket->stored->claimed = true;
        call->socket = TAKE(socket);
}

/* Its id stands in the path, or in a parameter. Returns false. */
static bool fail_session(struct call *call, const char *parameter)
{
        struct problem problem = { 0 };
        problem_set(
                &problem, PROBLEM_UNKNOWN_SESSION, parameter, "there is no such session; it may have ended");
        keep_problem(call, &problem);
        call->result.kind = RESULT_UNKNOWN;
        return false;
}

struct result call_session_gone(struct call *call)
{
        fail_session(call, NULL);
        return call->result;
}

struct result call_join_session(struct call *call, const struct text *id)
{
        if (id->bytes == NULL || find_session(call, id->bytes) || fail_session(call, "session"))
                return DONE;
        return call->result;
}

bool call_begin(struct call *call, struct service *service, const struct operation *operation, const char *id)
{
        call->service = service;
        call->operation = operation;
        call->started_ns = now_ns();
        call->request = arena_allocate(&call->arena, operation->request->size);
        call->reply = arena_allocate(&call->arena, operation->reply->size);
        if (call->request == NULL || call->reply == NULL) {
                call->result = lack_memory();
                return false;
        }
        if (service->shutting_down && operation->role != ROLE_ANYONE) {
                call->result.kind = RESULT_SHUTDOWN;
                return false;
        }
        if (operation_has_id(operation) && operation_is_of_sessions(operation))
                find_session(call, id);
        else if (operation_has_id(operation))
                find_socket(call, id);
        return call->keyed != NULL || !call_is_lost(call);
}

bool call_is_lost(struct call *call)
{
        if (!operation_has_id(call->operation) || call->socket != NULL || call->session != NULL)
                return false;
        call->result.kind = RESULT_UNKNOWN;
        return !operation_is_of_sessions(call->operation) || !fail_session(call, NULL);
}

bool call_hold(struct call *call, size_t size)
{
        if (account_take(call->caller.account, RESOURCE_BYTES, size)) {
                call->held += size;
                return true;
        }
        call->result = account_over(RESOURCE_BYTES);
        return false;
}

void call_keep(struct call *call, size_t size)
{
        account_add(call->caller.account, RESOURCE_BYTES, size);
        call->held += size;
}

void call_own(struct call *call, uint8_t *bytes)
{
        free(call->received);
        call->received = bytes;
}

struct result call_room(const struct call *call)
{
        return account_has_room(call->caller.account, RESOURCE_BYTES) ? DONE : account_over(RESOURCE_BYTES);
}

static bool add_parameter(struct call *call, struct decoder *decoder, const char *name, json_t *value)
{
        if (call->parameters == NULL)
                call->parameters = json_object();
        if (json_object_get(call->parameters, name) != NULL) {
                json_decref(value);
                return decoder_fail(decoder, name, "is given twice");
        }
        if (json_object_set_new_nocheck(call->parameters, name, value) != 0)
                return decoder_fail_memory(decoder);
        return true;
}

/* "?expect=ECONNREFUSED,EPIPE" stands for the list. Takes the value over. */
static json_t *split_expect(json_t *value)
{
        json_t *const list = json_array();
        const char *rest = json_is_string(value) ? json_string_value(value) : "";
        while (*rest != '\0') {
                const size_t size = strcspn(rest, ",");
                json_array_append_new(list, json_stringn(rest, size));
                rest += size + (rest[size] == ',');
        }
        if (!json_is_string(value))
                json_array_append(list, value);
        json_decref(value);
        return list;
}

static bool add_query(
        struct call *call, struct decoder *decoder, const char *name, const char *text, size_t size)
{
        char clean[PROBLEM_PARAMETER_SIZE];
        utf8_clean(clean, sizeof clean, name, strlen(name));
        const struct field *field = fields_find(call->operation->request, name);
        if (field == NULL)
                field = fields_find(common_of(call->operation), name);
        /* What no field knows is refused when all is decoded, with the nearest name. */
        json_t *value = field == NULL
                                ? json_null()
                                : field_value_from_query(decoder, field, text == NULL ? "" : text, size);
        if (value != NULL && strcmp(clean, "expect") == 0)
                value = split_expect(value);
        if (value == NULL)
                return false;
        return add_parameter(call, decoder, clean, value);
}

bool call_add_query(struct call *call, const char *name, const char *text, size_t size)
{
        struct problem problem = { 0 };
        struct decoder decoder = { .arena = &call->arena, .problem = &problem };
        return add_query(call, &decoder, name, text, size) || keep_problem(call, &problem);
}

static bool decode_payload(struct call *call, struct decoder *decoder, const char *text, size_t size)
{
        if (!call_hold(call, base64_decoded_size(size))) {
                problem_from_result(decoder->problem, &call->result);
                return false;
        }
        uint8_t *const bytes = malloc(base64_decoded_size(size));
        if (bytes == NULL || !arena_adopt(&call->arena, bytes))
                return decoder_fail_memory(decoder);
        size_t used;
        if (!base64_decode(text, size, bytes, &used))
                return decoder_fail(
                        decoder, "data", "is not base64 (RFC 4648, section 4, padded, without blanks)");
        call->payload = (struct binary){ .bytes = bytes, .size = used, .given = true };
        return true;
}

static bool add_members(struct call *call, struct decoder *decoder, json_t *members)
{
        const char *name;
        json_t *value;
        json_object_foreach(members, name,
                value) if (!add_parameter(call, decoder, name, json_incref(value))) return false;
        return true;
}

static bool add_json(struct call *call, struct decoder *decoder, char *body, size_t size)
{
        json_auto_t *members = NULL;
        struct json_span payload;
        if (!json_body_read(body, size, &members, &payload, decoder->problem))
                return false;
        if (payload.size > 0 && fields_payload(call->operation->request) != NULL &&
                !decode_payload(call, decoder, payload.text, payload.size))
                return false;
        if (call->parameters != NULL)
                return add_members(call, decoder, members);
        call->parameters = json_incref(members);
        return true;
}

bool call_add_json(struct call *call, char *body, size_t size)
{
        struct problem problem = { 0 };
        struct decoder decoder = { .arena = &call->arena, .problem = &problem };
        return add_json(call, &decoder, body, size) || keep_problem(call, &problem);
}

bool call_add_members(struct call *call, json_t *members)
{
        struct problem problem = { 0 };
        struct decoder decoder = { .arena = &call->arena, .problem = &problem };
        return add_members(call, &decoder, members) || keep_problem(call, &problem);
}

bool call_add_raw(struct call *call, const uint8_t *bytes, size_t size)
{
        call->payload = (struct binary){ .bytes = bytes, .size = size, .given = true };
        if (json_object_get(call->parameters, "data") == NULL &&
                json_object_get(call->parameters, "text") == NULL)
                return true;
        call_unsound(call, "data", "data: is given twice: as a parameter and as the body");
        return false;
}

static bool decode_expect(struct call *call, struct decoder *decoder)
{
        static const struct field errno_row = { .name = "expect", .names = &errno_names };
        static const struct field eai_row = { .name = "expect", .names = &eai_names };
        json_t *const list = call->common.expect.json;
        if (list == NULL || (json_is_array(list) && json_array_size(list) == 0))
                return true;
        if (!json_is_array(list))
                return decoder_fail(decoder, "expect", "must be a list of errno names");
        call->expect_count = json_array_size(list);
        call->expect = arena_allocate(&call->arena, (call->expect_count + 1) * sizeof *call->expect);
        if (call->expect == NULL)
                return decoder_fail_memory(decoder);
        for (size_t i = 0; i < call->expect_count; i++) {
                json_t *const name = json_array_get(list, i);
                const char *const text = json_string_value(name);
                const bool is_eai = text != NULL && strncmp(text, "EAI_", 4) == 0;
                if (!decode_constant(decoder, is_eai ? &eai_row : &errno_row, name, &call->expect[i]))
                        return false;
        }
        return true;
}

/* What stood outside the JSON goes where the operation has its payload. */
static bool place_payload(struct call *call, struct decoder *decoder)
{
        const struct field *const field = fields_payload(call->operation->request);
        if (field == NULL)
                return !call->payload.given ||
                       decoder_fail(decoder, "body", "must be JSON: the operation takes no payload");
        struct payload *const payload = (struct payload *)((char *)call->request + field->offset);
        /* Requests only read their payload. */
        if (call->payload.given)
                *payload = (struct payload){ .bytes = (uint8_t *)(uintptr_t)call->payload.bytes,
                        .size = call->payload.size,
                        .given = true };
        if (payload->given && call->streamed)
                return decoder_fail(decoder, "data", "is given twice: as a parameter and as the body");
        if (!payload->given && !call->streamed)
                return decoder_fail(decoder, "data", "is missing: what is to be sent, as data, text or body");
        return true;
}

bool call_decode(struct call *call)
{
        INTERFACES_OF(call_interfaces(call));
        const struct operation *const operation = call->operation;
        struct problem problem = { 0 };
        struct decoder decoder = { .arena = &call->arena, .problem = &problem };
        call->common.timeout_ms = -1;
        return (fields_decode(&decoder, operation->request, call->request, common_of(operation),
                        &call->common, call->parameters) &&
                       decode_expect(call, &decoder) && place_payload(call, &decoder)) ||
               keep_problem(call, &problem);
}
