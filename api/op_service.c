/* op_service.c: what the daemon says of itself and of its host. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "api/call.h"
#include "api/record.h"

const struct fields constant_list_request_fields = { .size = sizeof(struct constant_list_request) };
const struct fields service_health_request_fields = { .size = sizeof(struct service_health_request) };
const struct fields service_readiness_request_fields = { .size = sizeof(struct service_readiness_request) };
const struct fields service_version_request_fields = { .size = sizeof(struct service_version_request) };

static const struct field constant_page_rows[] = {
        FIELD(struct constant_page, constants, "Numbers by name, in groups.",
                .schema = "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"object\","
                          "\"additionalProperties\":{\"type\":\"integer\"}}}",
                .example = "{\"family\":{\"AF_INET\":2}}"),
};
const struct fields constant_page_fields = FIELDS(struct constant_page, constant_page_rows);

static const struct field health_rows[] = { FIELD(struct health, status, "\"ok\".", .example = "\"ok\"") };
const struct fields health_fields = FIELDS(struct health, health_rows, .title = "Health");

static const struct field version_rows[] = {
        FIELD(struct version, version, "The daemon's.", .example = "\"0.1.0\""),
        FIELD(struct version, kernel, "The host's kernel, as uname(2) has it.", .example = "\"Linux 6.1.0\""),
        FIELD(struct version, host, "The host's name.", .example = "\"lab-7\""),
};
const struct fields version_fields = FIELDS(struct version, version_rows);

struct result run_constant_list(
        struct call *call, const struct constant_list_request *request, struct constant_page *reply)
{
        (void)call;
        (void)request;
        reply->constants.json = json_object();
        for (const struct names *const *group = all_names; *group != NULL; group++) {
                json_t *const numbers = json_object();
                for (size_t i = 0; i < (*group)->count; i++)
                        json_object_set_new(
                                numbers, (*group)->rows[i].name, json_integer((*group)->rows[i].number));
                json_object_set_new(reply->constants.json, (*group)->title, numbers);
        }
        return DONE;
}

struct result run_service_health(
        struct call *call, const struct service_health_request *request, struct health *reply)
{
        (void)call;
        (void)request;
        reply->status = (struct text){ "ok", 2 };
        return DONE;
}

struct result run_service_readiness(
        struct call *call, const struct service_readiness_request *request, struct health *reply)
{
        (void)request;
        reply->status = (struct text){ "ok", 2 };
        return call->service->shutting_down ? (struct result){ .kind = RESULT_SHUTDOWN } : DONE;
}

static struct text keep_text(struct call *call, const char *text)
{
        return (struct text){ .bytes = arena_copy(&call->arena, text, strlen(text)), .size = strlen(text) };
}

struct result run_service_version(
        struct call *call, const struct service_version_request *request, struct version *reply)
{
        (void)request;
        struct utsname host;
        TRY(check("uname", uname(&host)));
        char kernel[sizeof host.sysname + sizeof host.release + 1];
        snprintf(kernel, sizeof kernel, "%s %s", host.sysname, host.release);
        reply->version = keep_text(call, SOCKWRIGHT_VERSION);
        reply->kernel = keep_text(call, kernel);
        reply->host = keep_text(call, host.nodename);
        return DONE;
}
