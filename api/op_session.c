/* op_session.c: leases under which sockets are made, to be closed together. */
#include <string.h>

#include "api/keyed.h"
#include "api/record.h"
#include "api/session_object.h"

enum { BATCH = 64 };

static const struct field session_create_request_rows[] = {
        FIELD(struct session_create_request, ttl_ms,
                "How long it lives unless it is renewed, in milliseconds.", .min = TTL_MIN_MS,
                .max = TTL_MAX_MS, .fallback = TTL_DEFAULT_MS, .example = "60000"),
        FIELD(struct session_create_request, label, "A name of your own for it, to find it again.",
                .max = LABEL_SIZE - 1, .example = "\"job 4711\""),
};
const struct fields session_create_request_fields =
        FIELDS(struct session_create_request, session_create_request_rows);

const struct fields session_list_request_fields = { .size = sizeof(struct session_list_request) };
const struct fields session_show_request_fields = { .size = sizeof(struct session_show_request) };
const struct fields session_delete_request_fields = { .size = sizeof(struct session_delete_request) };

static const struct field session_renew_request_rows[] = {
        FIELD(struct session_renew_request, ttl_ms,
                "How long it lives from now, in milliseconds. Absent: as long as it was given before.",
                .min = TTL_MIN_MS, .max = TTL_MAX_MS, .fallback = 0, .example = "60000"),
};
const struct fields session_renew_request_fields =
        FIELDS(struct session_renew_request, session_renew_request_rows);

static const struct field session_object_rows[] = {
        FIELD(struct session_object, id, "Its id; never used again.", .example = "\"0q8k3zt-2\""),
        FIELD(struct session_object, label, "The name that it was given.", .nullable = true,
                .example = "\"job 4711\""),
        FIELD(struct session_object, owner, "Who made it.", .nullable = true, .example = "\"owner\""),
        FIELD(struct session_object, ttl_ms, "How long it lives after each renewal, in milliseconds.",
                .example = "60000"),
        FIELD(struct session_object, expires, "When it ends unless it is renewed.",
                .example = "\"2026-01-01T00:01:00.000000000Z\""),
        FIELD(struct session_object, sockets, "How many sockets end with it.", .example = "2"),
};
const struct fields session_object_fields =
        FIELDS(struct session_object, session_object_rows, .title = "Session");

static const struct field session_page_rows[] = {
        FIELD(struct session_page, sessions, "The sessions, oldest first.",
                .schema = "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Session\"}}"),
};
const struct fields session_page_fields =
        FIELDS(struct session_page, session_page_rows, .title = "SessionPage");

void session_describe(struct call *call, const struct session *session, struct session_object *out)
{
        const struct lease lease = session_lease(call->service->sessions, session);
        *out = (struct session_object){
                .id = id_text(call, session->number),
                .label = { session->label[0] == '\0' ? NULL : session->label, strlen(session->label) },
                .ttl_ms = lease.ttl_ms,
                .expires.time = lease.expires,
                .sockets = session->sockets,
        };
        if (session->owner != NULL)
                out->owner = (struct text){ session->owner->name, strlen(session->owner->name) };
}

struct result run_session_create(
        struct call *call, const struct session_create_request *request, struct session_object *reply)
{
        TRY(sessions_add(call->service->sessions, call->caller.account, request->ttl_ms,
                request->label.bytes == NULL ? "" : request->label.bytes, keyed_number(call),
                &call->session));
        call->created = call->session->number;
        session_describe(call, call->session, reply);
        return DONE;
}

/* Lists the caller's own of a batch, and lets go of all. Returns the number of the last one. */
static uint64_t append_batch(struct call *call, struct session *const *batch, size_t count, json_t *list)
{
        uint64_t last = 0;
        for (size_t i = 0; i < count; i++) {
                struct session_object object;
                last = batch[i]->number;
                if (call_reaches_session(call, batch[i])) {
                        session_describe(call, batch[i], &object);
                        json_array_append_new(list, fields_encode(&session_object_fields, &object));
                }
                session_release(batch[i]);
        }
        return last;
}

struct result run_session_list(
        struct call *call, const struct session_list_request *request, struct session_page *reply)
{
        (void)request;
        struct session *batch[BATCH];
        uint64_t last = 0;
        reply->sessions.json = json_array();
        for (size_t count = BATCH; count == BATCH;) {
                count = sessions_list(call->service->sessions, last, batch, BATCH);
                last = append_batch(call, batch, count, reply->sessions.json);
        }
        return DONE;
}

struct result run_session_show(
        struct call *call, const struct session_show_request *request, struct session_object *reply)
{
        (void)request;
        session_describe(call, call->session, reply);
        return DONE;
}

struct result run_session_renew(
        struct call *call, const struct session_renew_request *request, struct session_object *reply)
{
        if (!session_renew(call->service->sessions, call->session, request->ttl_ms))
                return call_session_gone(call);
        session_describe(call, call->session, reply);
        return DONE;
}

struct result run_session_delete(
        struct call *call, const struct session_delete_request *request, struct nothing *reply)
{
        (void)request;
        (void)reply;
        return session_end(call->service->sessions, call->session) ? DONE : call_session_gone(call);
}
