/* openapi.c: the OpenAPI document: what it is about, and one entry per row of operations. */
#include "api/openapi.h"

#include <string.h>

#include "api/contract.h"
#include "api/operation.h"

static const char about[] =
        "A daemon that owns real sockets on its host and makes every socket operation an HTTP call.\n"
        "\n"
        "**Parameters** stand in a JSON body or in the query string, under the same names. An unknown, "
        "doubled or\n"
        "mistyped one is an error that names it. Constants go by their C name or by number; flags are a list "
        "of\n"
        "names, in the query string joined by `|`.\n"
        "\n"
        "**Payloads** are base64 in `data`, UTF-8 in `text`, or raw: a body of `application/octet-stream`, "
        "and\n"
        "`Accept: application/octet-stream` for a raw reply.\n"
        "\n"
        "**Answers of the kernel are results.** The HTTP status says whether the request was sound. A "
        "refused\n"
        "system call is 422 and names the call and the errno; with `expect` the errnos named there are a "
        "200, and\n"
        "every other outcome, success too, is a 422. A wait that ran out is 422 with `timed_out`.\n"
        "\n"
        "**Retries.** A POST, PUT or DELETE with an `Idempotency-Key` is made once: whoever sends it again "
        "gets the\n"
        "same reply, with `Idempotency-Replayed: true`, and waits for it while the first one is under way, "
        "which goes\n"
        "on when its client goes. What is unsound, or meets a limit, is not kept. Streams go by positions "
        "(`offset`)\n"
        "instead.\n"
        "\n"
        "**Any request** may also be answered 403 (where it comes from, or the host that it names, is not "
        "let in),\n"
        "404 (no such path) or 405 (the path has other methods, which `Allow` lists): the responses "
        "Forbidden,\n"
        "UnknownPath and WrongMethod that `x-any-request` refers to.\n";

struct tag {
        const char *name, *prefix, *description;
};

/* The first prefix that fits a path gives its tag. */
static const struct tag tags[] = {
        { .name = "calls", .prefix = "/v1/sockets/{id}/", .description = "The system calls of one socket." },
        { .name = "sockets", .prefix = "/v1/socket", .description = "Making, listing and closing sockets." },
        { .name = "sessions",
                .prefix = "/v1/sessions",
                .description = "Leases that sockets are made under, and closed with." },
        { .name = "policy", .prefix = "/v1/policy/", .description = "What the policy allows." },
        { .name = "watching", .prefix = "/v1/events", .description = "What happens to sockets." },
        { .name = "helpers", .prefix = "/v1/", .description = "Addresses, names, interfaces and constants." },
        { .name = "service", .prefix = "/", .description = "The daemon itself; open to everyone." },
};

static const char bearer_scheme[] =
        "{\"bearerAuth\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":"
        "\"The token that the daemon keeps in its token file. Not asked for on its unix socket.\"}}";

static const char shared_parameters[] =
        "{\"SocketId\":{\"name\":\"id\",\"in\":\"path\",\"required\":true,\"description\":\"The socket's "
        "id.\","
        "\"schema\":{\"type\":\"string\",\"minLength\":1},\"example\":\"k7f2m1q-12\"},"
        "\"SessionId\":{\"name\":\"id\",\"in\":\"path\",\"required\":true,\"description\":\"The session's "
        "id.\","
        "\"schema\":{\"type\":\"string\",\"minLength\":1},\"example\":\"k7f2m1q-7\"},"
        "\"IdempotencyKey\":{\"name\":\"Idempotency-Key\",\"in\":\"header\",\"description\":\"A name of your "
        "own "
        "for this call, so that it can be repeated: it is made once, and its reply is given again.\","
        "\"schema\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":255},\"example\":\"8e03978e-40d5-"
        "43dd\"}}";

static const char replayed[] =
        "{\"IdempotencyReplayed\":{\"description\":\"This is the reply of an earlier request with the same "
        "Idempotency-Key; nothing was done now.\",\"schema\":{\"const\":\"true\"},\"example\":\"true\"}}";

static const enum problem_kind problems_of_any[] = { PROBLEM_UNAUTHORIZED, PROBLEM_FORBIDDEN,
        PROBLEM_UNKNOWN_PATH, PROBLEM_WRONG_METHOD, PROBLEM_QUOTA };

static const char *operation_tag(const struct operation *operation)
{
        size_t i = 0;
        while (strncmp(operation->path, tags[i].prefix, strlen(tags[i].prefix)) != 0)
                i++;
        return tags[i].name;
}

static json_t *operation_object(struct contract *contract, const struct operation *operation)
{
        json_auto_t *schema = contract_request(contract, operation);
        json_t *const object = json_pack("{s:s, s:s, s:[s]}", "operationId", operation->name, "summary",
                operation->summary, "tags", operation_tag(operation));
        if (!operation_is_private(operation))
                contract_set(contract, object, "security", json_array());
        json_t *const parameters = contract_parameters(contract, operation, schema);
        if (json_array_size(parameters) > 0)
                contract_set(contract, object, "parameters", parameters);
        else
                json_decref(parameters);
        if (operation->method == METHOD_POST || operation->method == METHOD_PUT)
                contract_set(
                        contract, object, "requestBody", contract_request_body(contract, operation, schema));
        contract_set(contract, object, "responses", contract_responses(contract, operation));
        return object;
}

static void add_operation(struct contract *contract, json_t *paths, const struct operation *operation)
{
        static const char *const keys[METHOD_COUNT] = {
                [METHOD_GET] = "get", [METHOD_POST] = "post", [METHOD_PUT] = "put", [METHOD_DELETE] = "delete"
        };
        if (!json_object_get(paths, operation->path))
                contract_set(contract, paths, operation->path, json_object());
        contract_set(contract, json_object_get(paths, operation->path), keys[operation->method],
                operation_object(contract, operation));
}

static void add_head(struct contract *contract)
{
        json_t *const root = contract->root;
        contract_set(contract, root, "openapi", json_string("3.1.0"));
        contract_set(contract, root, "info",
                json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:s}}", "title", "sockwright", "version",
                        SOCKWRIGHT_VERSION, "summary", "Sockets over HTTP.", "description", about, "license",
                        "name", "MIT", "identifier", "MIT"));
        contract_set(contract, root, "servers",
                json_pack("[{s:s, s:s}]", "url", "http://127.0.0.1:7625", "description",
                        "The default listener."));
        contract_set(contract, root, "security", json_pack("[{s:[]}]", "bearerAuth"));
        json_t *const list = json_array();
        for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
                contract_append(contract, list,
                        json_pack("{s:s, s:s}", "name", tags[i].name, "description", tags[i].description));
        contract_set(contract, root, "tags", list);
}

static void add_components(struct contract *contract)
{
        json_t *const components = json_object();
        contract->schemas = json_object();
        contract->responses = json_object();
        contract_set(contract, components, "securitySchemes", json_loads(bearer_scheme, 0, NULL));
        contract->parameters = json_loads(shared_parameters, 0, NULL);
        contract_set(contract, components, "parameters", contract->parameters);
        contract_set(contract, components, "headers", json_loads(replayed, 0, NULL));
        contract_set(contract, components, "responses", contract->responses);
        contract_set(contract, components, "schemas", contract->schemas);
        contract_set(contract, contract->root, "components", components);
        contract_add_outcomes(contract);
        contract_add_event(contract);
}

static void add_problems_of_any(struct contract *contract)
{
        json_t *const any = json_object();
        for (size_t i = 0; i < sizeof problems_of_any / sizeof *problems_of_any; i++) {
                const struct problem_row *const row = &problem_rows[problems_of_any[i]];
                contract_set_status(
                        contract, any, row->status, contract_problem(contract, problems_of_any[i]));
        }
        contract_set(contract, contract->root, "x-any-request", any);
}

json_t *openapi_document(void)
{
        struct contract contract = { .root = json_object() };
        json_t *const paths = json_object();
        add_head(&contract);
        contract_set(&contract, contract.root, "paths", paths);
        add_components(&contract);
        for (size_t i = 0; i < operation_count; i++)
                add_operation(&contract, paths, &operations[i]);
        add_problems_of_any(&contract);
        if (contract.failed) {
                json_decref(contract.root);
                return NULL;
        }
        return contract.root;
}
