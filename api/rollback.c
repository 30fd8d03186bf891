/* rollback.c: each thing that a call has made is closed by its own DELETE. */
#include "api/rollback.h"

#include <stdio.h>
#include <string.h>

#include "api/reference.h"
#include "api/route.h"

/* A path's DELETE, as the caller's. */
static void remove_path(struct service *service, const struct caller *caller, const char *path)
{
        struct problem problem = { 0 };
        struct route route;
        struct call call = { .caller = *caller, .client_fd = -1 };
        if (!route_find("DELETE", path, &route, &problem))
                return;
        const bool begun = call_begin(&call, service, route.operation, route.id) && call_decode(&call);
        if (begun && call_run(&call) == CALL_DONE && call.result.kind == RESULT_DONE &&
                service->note_call != NULL)
                service->note_call(&call, route.operation->success);
        call_release(&call);
}

/* A list of ids, or of objects with ids. */
static void remove_sockets(struct service *service, const struct caller *caller, const json_t *sockets)
{
        for (size_t i = 0; i < json_array_size(sockets); i++) {
                char path[REFERENCE_PATH_SIZE];
                const json_t *const socket = json_array_get(sockets, i);
                const char *const id =
                        json_string_value(json_is_string(socket) ? socket : json_object_get(socket, "id"));
                snprintf(path, sizeof path, "/v1/sockets/%s", id == NULL ? "" : id);
                remove_path(service, caller, path);
        }
}

/* Descriptors that came with a message. */
static void undo_message(struct service *service, const struct caller *caller, const json_t *message)
{
        const json_t *const ancillary = json_object_get(message, "ancillary");
        for (size_t i = 0; i < json_array_size(ancillary); i++) {
                const json_t *const value = json_object_get(json_array_get(ancillary, i), "value");
                remove_sockets(service, caller, json_object_get(value, "sockets"));
        }
}

void rollback_result(struct service *service, const struct caller *caller, const json_t *result)
{
        const char *const location = json_string_value(json_object_get(result, "location"));
        const json_t *const body = json_object_get(result, "body");
        const json_t *const messages = json_object_get(body, "messages");
        if (json_integer_value(json_object_get(result, "status")) == 201) {
                if (location != NULL)
                        remove_path(service, caller, location);
                remove_sockets(service, caller, json_object_get(body, "sockets"));
                return;
        }
        undo_message(service, caller, body);
        for (size_t i = 0; i < json_array_size(messages); i++)
                undo_message(service, caller, json_array_get(messages, i));
}
