/* call_reply.c: the reply to a call that is done: JSON straight from the record, raw bytes, or a problem.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/base64.h"
#include "api/ending.h"
#include "api/keyed.h"
#include "api/place.h"
#include "api/print.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/interface.h"

static json_int_t duration_us(int64_t started_ns)
{
        return (now_ns() - started_ns) / 1000;
}

/* The text becomes the reply's body. */
static bool reply_print(struct print *print, int status, const char *media, struct call_reply *out)
{
        out->status = status;
        out->media = media;
        out->body = (uint8_t *)print->bytes;
        out->size = print->size;
        return !print->failed;
}

/* A line end is for those who read it in a terminal. */
static bool reply_json(const json_t *object, int status, const char *media, struct call_reply *out)
{
        struct print print = { 0 };
        print_json(&print, object);
        PRINT(&print, "\n");
        return reply_print(&print, status, media, out);
}

/* A payload never goes through the JSON library, which would copy and check it several times. */
static void print_record(struct print *print, const struct call *call, const struct payload *payload)
{
        PRINT(print, "{");
        if (payload != NULL) {
                PRINT(print, "\"data\":\"");
                print_base64(print, payload->bytes, payload->size);
                PRINT(print, "\",");
        }
        print_members(print, call->operation->reply, call->reply);
        PRINT(print, "\"duration_us\":");
        print_integer(print, duration_us(call->started_ns));
        PRINT(print, "}");
}

const struct payload *reply_payload(const struct call *call)
{
        const struct field *const field = fields_payload(call->operation->reply);
        return field == NULL ? NULL : (const struct payload *)((const char *)call->reply + field->offset);
}

/* As print_record() has it. */
bool reply_begins_with_payload(const struct call_reply *reply, const struct payload *payload, size_t *rest)
{
        static const char first[] = "{\"data\":\"", last[] = "\",";
        if (payload == NULL || reply->body == NULL || reply->size < sizeof first - 1 ||
                memcmp(reply->body, first, sizeof first - 1) != 0)
                return false;
        *rest = sizeof first - 1 + base64_encoded_size(payload->size) + sizeof last - 1;
        return *rest < reply->size;
}

static bool reply_raw(const struct call *call, const struct payload *payload, struct call_reply *out)
{
        struct print members = { .flags = JSON_ENSURE_ASCII };
        print_record(&members, call, NULL);
        print_text(&members, "", 1);
        out->members = members.bytes;
        out->media = "application/octet-stream";
        out->body = malloc(payload->size + 1);
        out->size = payload->size;
        if (out->body == NULL || members.failed)
                return false;
        if (payload->size > 0)
                memcpy(out->body, payload->bytes, payload->size);
        return true;
}

static bool reply_document(const struct call *call, struct call_reply *out)
{
        const struct fields *const fields = call->operation->reply;
        const struct text *const text =
                (const struct text *)((const char *)call->reply + fields->rows[0].offset);
        out->media = fields->media[call->media].type;
        out->size = text->size;
        out->body = malloc(text->size + 1);
        if (out->body != NULL)
                memcpy(out->body, text->bytes, text->size);
        return out->body != NULL;
}

static bool reply_success(struct call *call, struct call_reply *out)
{
        const struct operation *const operation = call->operation;
        out->status = operation->success;
        if (call->created != 0) {
                char id[SOCKET_ID_SIZE];
                registry_format_id(call->service->registry, call->created, id);
                snprintf(out->location, sizeof out->location, "%s/%s",
                        operation_is_of_sessions(operation) ? "/v1/sessions" : "/v1/sockets", id);
        }
        if (operation->success == 204)
                return true;
        if (operation->reply->media != NULL)
                return reply_document(call, out);
        const struct payload *const payload = reply_payload(call);
        if (payload != NULL && call->raw_reply)
                return reply_raw(call, payload, out);
        struct print print = { 0 };
        print_record(&print, call, payload);
        PRINT(&print, "\n");
        return reply_print(&print, operation->success, "application/json", out);
}

/* What a call that failed halfway has done all the same. */
static void add_progress(const struct call *call, json_t *object)
{
        const struct fields *const fields = call->operation->reply;
        json_t *const members = call->reply == NULL ? NULL : fields_encode(fields, call->reply);
        for (size_t i = 0; i < fields->count; i++) {
                json_t *const value = json_object_get(members, fields->rows[i].name);
                if (fields->rows[i].progress && (json_integer_value(value) > 0 || json_is_string(value)))
                        json_object_set(object, fields->rows[i].name, value);
        }
        json_decref(members);
}

/* Takes over the object, whose NULL is a failure. */
static bool reply_problem_object(
        json_t *object, const struct problem *problem, int64_t started_ns, struct call_reply *out)
{
        if (object == NULL)
                return false;
        json_object_set_new(object, "duration_us", json_integer(duration_us(started_ns)));
        const bool done = reply_json(object, problem_status(problem), "application/problem+json", out);
        json_decref(object);
        return done;
}

/* What was made of a reply before memory ran out. */
static void discard(struct call_reply *reply)
{
        free(TAKE(reply->body));
        free(TAKE(reply->members));
}

bool problem_reply(const struct problem *problem, int64_t started_ns, struct call_reply *out)
{
        *out = (struct call_reply){ 0 };
        const bool made = reply_problem_object(problem_to_json(problem), problem, started_ns, out);
        if (!made)
                discard(out);
        return made;
}

static bool reply_problem(const struct call *call, const struct problem *problem, struct call_reply *out)
{
        json_t *const object = problem_to_json(problem);
        /* An unexpected outcome says it already. */
        if (object != NULL && problem->kind != PROBLEM_UNEXPECTED_OUTCOME)
                add_progress(call, object);
        return reply_problem_object(object, problem, call->started_ns, out);
}

static bool expects(const struct call *call, int error)
{
        for (size_t i = 0; i < call->expect_count; i++)
                if (call->expect[i] == error)
                        return true;
        return false;
}

/* The caller expected an errno, and it came. */
static bool reply_expected(const struct call *call, struct call_reply *out)
{
        json_t *const object = json_object();
        if (object == NULL)
                return false;
        problem_add_errno(object, &call->result);
        add_progress(call, object);
        json_object_set_new(object, "duration_us", json_integer(duration_us(call->started_ns)));
        const bool done = reply_json(object, 200, "application/json", out);
        json_decref(object);
        return done;
}

/* The caller expected an errno, and got another outcome. A success stands in the problem, so that nothing is
 * lost. */
static bool reply_unexpected(struct call *call, struct call_reply *out)
{
        struct problem problem = { 0 };
        if (call->result.kind == RESULT_DONE) {
                problem_set(&problem, PROBLEM_UNEXPECTED_OUTCOME, NULL, "The call succeeded.");
                struct call_reply success = { 0 };
                call->raw_reply = false;
                if (!reply_success(call, &success))
                        return false;
                json_t *const outcome = success.body == NULL
                                                ? json_null()
                                                : json_loadb((char *)success.body, success.size, 0, NULL);
                free(success.body);
                problem.extra = json_pack("{s:o}", "outcome", outcome);
        } else {
                problem_set(&problem, PROBLEM_UNEXPECTED_OUTCOME, NULL, "The call failed with %s.",
                        call_errno_name(call));
                problem.extra = json_object();
                problem_add_errno(problem.extra, &call->result);
                json_object_del(problem.extra, "title");
                add_progress(call, problem.extra);
        }
        const bool done = reply_problem(call, &problem, out);
        json_decref(problem.extra);
        return done;
}

const char *call_errno_name(const struct call *call)
{
        if (call->result.kind != RESULT_REFUSED)
                return NULL;
        return name_of(call->result.error < 0 ? &eai_names : &errno_names, call->result.error);
}

/* Where the socket stands, for a call that named a position which is not there; or NULL. */
static json_t *position_members(const struct call *call)
{
        const enum result_kind kind = call->result.kind;
        if (kind != RESULT_AHEAD && kind != RESULT_GONE && kind != RESULT_FULL)
                return NULL;
        if (call->operation->turn == TURN_SEND)
                return json_pack("{s:I}", "next", (json_int_t)socket_position(call->socket, DIRECTION_SEND));
        return place_members(call->socket);
}

static bool reply_new(struct call *call, struct call_reply *out)
{
        INTERFACES_OF(call_interfaces(call));
        *out = (struct call_reply){ 0 };
        const bool outcome = call->result.kind == RESULT_DONE || call->result.kind == RESULT_REFUSED;
        if (outcome && call->problem == NULL && call->expect != NULL)
                return call->result.kind == RESULT_REFUSED && expects(call, call->result.error)
                               ? reply_expected(call, out)
                               : reply_unexpected(call, out);
        if (call->problem != NULL)
                return reply_problem(call, call->problem, out);
        if (call->result.kind == RESULT_DONE)
                return reply_success(call, out);
        struct problem problem = { 0 };
        problem_from_result(&problem, &call->result);
        problem.extra = position_members(call);
        const bool done = reply_problem(call, &problem, out);
        json_decref(problem.extra);
        return done;
}

bool call_reply(struct call *call, struct call_reply *out)
{
        if (keyed_replay(call, out))
                return true;
        keyed_doubt(call);
        const bool made = reply_new(call, out);
        if (!made)
                discard(out);
        keyed_keep(call, made ? out : NULL);
        ending_note(call, made ? out : NULL);
        return made;
}
