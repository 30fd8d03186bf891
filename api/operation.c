/* operation.c: the rows of operations.def as a table, each with a door that types its function's records. */
#include "api/operation.h"

#include <string.h>

#include "api/call.h"
#include "api/record.h"

const char *const method_names[METHOD_COUNT] = {
        [METHOD_GET] = "GET",
        [METHOD_POST] = "POST",
        [METHOD_PUT] = "PUT",
        [METHOD_DELETE] = "DELETE",
};

/* Here alone is it known that a call's records are of the types that its row names. */
#define OPERATION(verb, path_text, row, call_name, turn_name, role_name, status, record, text)               \
        static struct result door_##row(struct call *call)                                                   \
        {                                                                                                    \
                return run_##row(call, call->request, call->reply);                                          \
        }
#include "api/operations.def"
#undef OPERATION

const struct operation operations[] = {
#define OPERATION(verb, path_text, row, call_name, turn_name, role_name, status, record, text)               \
        { .method = METHOD_##verb,                                                                           \
                .path = (path_text),                                                                         \
                .name = #row,                                                                                \
                .system_call = (call_name),                                                                  \
                .turn = TURN_##turn_name,                                                                    \
                .role = ROLE_##role_name,                                                                    \
                .success = (status),                                                                         \
                .summary = (text),                                                                           \
                .request = &row##_request_fields,                                                            \
                .reply = &record##_fields,                                                                   \
                .run = door_##row },
#include "api/operations.def"
#undef OPERATION
};

const size_t operation_count = sizeof operations / sizeof *operations;

bool operation_has_id(const struct operation *operation)
{
        return strstr(operation->path, "{id}") != NULL;
}

bool operation_is_of_sessions(const struct operation *operation)
{
        static const char prefix[] = "/v1/sessions";
        return strncmp(operation->path, prefix, sizeof prefix - 1) == 0;
}

const struct field *fields_payload(const struct fields *fields)
{
        for (size_t i = 0; i < fields->count; i++)
                if (fields->rows[i].kind == FIELD_PAYLOAD)
                        return &fields->rows[i];
        return NULL;
}
