/* contract.c: the components of the OpenAPI document: shared schemas, and one response per problem. */
#include "api/contract.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/sockets/cleanup.h"

enum { NAME_SIZE = 64 };

/* Kinds whose schemas are long enough to stand once. */
static const char *const kind_titles[FIELD_KIND_COUNT] = {
        [FIELD_ADDRESS] = "Address",
        [FIELD_UNTIL] = "Until",
        [FIELD_SETTINGS] = "OptionSettings",
        [FIELD_STEPS] = "BatchSteps",
        [FIELD_LISTEN] = "Listen",
};

/* Members that belong to the place of use, rather than to the shared schema. */
static const char *const annotations[] = { "description", "default", "example", "examples" };

void contract_set(struct contract *contract, json_t *object, const char *key, json_t *value)
{
        if (json_object_set_new(object, key, value) != 0)
                contract->failed = true;
}

void contract_append(struct contract *contract, json_t *array, json_t *value)
{
        if (json_array_append_new(array, value) != 0)
                contract->failed = true;
}

json_t *contract_reference(const char *section, const char *name)
{
        return json_pack("{s:o}", "$ref", json_sprintf("#/components/%s/%s", section, name));
}

/* "message_flag" becomes "MessageFlag". */
static void append_camel_case(char *out, size_t size, const char *text)
{
        size_t length = strlen(out);
        bool capital = true;
        for (; *text && length + 1 < size; text++) {
                if (isalnum((unsigned char)*text)) {
                        out[length++] = (char)(capital ? toupper((unsigned char)*text) : *text);
                        capital = false;
                } else {
                        capital = true;
                }
        }
        out[length] = '\0';
}

/* The component that a field's schema may be moved to. False: it stays where it is. */
static bool shared_name(const struct field *field, bool request, char out[NAME_SIZE])
{
        const char *const title = field->names ? field->names->title : kind_titles[field->kind];
        if (!title || field->schema)
                return false;
        (void)snprintf(out, NAME_SIZE, "%s", !request && field->nullable ? "Nullable" : "");
        append_camel_case(out, NAME_SIZE, title);
        append_camel_case(out, NAME_SIZE, field->names && field->flags ? "list" : "");
        append_camel_case(out, NAME_SIZE, request ? "parameter" : "");
        return true;
}

/* Moves a property's schema to the components, unless another one has the name. A new reference: what stays.
 */
static json_t *property_shared(struct contract *contract, const char *name, json_t *property)
{
        json_auto_t *core = json_copy(property);
        json_auto_t *rest = contract_reference("schemas", name);
        for (size_t i = 0; i < sizeof annotations / sizeof *annotations; i++) {
                json_t *const annotation = json_object_get(property, annotations[i]);
                if (annotation)
                        json_object_set(rest, annotations[i], annotation);
                json_object_del(core, annotations[i]);
        }
        if (json_object_get(core, "$ref"))
                return json_incref(property);
        const json_t *const present = json_object_get(contract->schemas, name);
        if (present && !json_equal(present, core))
                return json_incref(property);
        if (!present)
                contract_set(contract, contract->schemas, name, TAKE(core));
        return TAKE(rest);
}

json_t *contract_record(struct contract *contract, const struct fields *fields, bool request)
{
        json_t *const schema = fields_schema(fields, request);
        json_t *const properties = json_object_get(schema, "properties");
        char name[NAME_SIZE];
        for (size_t i = 0; i < fields->count; i++) {
                const struct field *const field = &fields->rows[i];
                json_t *const property = json_object_get(properties, field->name);
                if (property && shared_name(field, request, name))
                        contract_set(
                                contract, properties, field->name, property_shared(contract, name, property));
        }
        return schema;
}

/* The members that problems and expected errnos have in common. */
static const char outcome_properties[] =
        "{\"type\":{\"type\":\"string\",\"format\":\"uri\","
        "\"description\":\"What went wrong: one URI per kind of problem, and per errno.\"},"
        "\"title\":{\"type\":\"string\",\"description\":\"The type in words.\"},"
        "\"status\":{\"type\":\"integer\",\"minimum\":200,\"maximum\":599,"
        "\"description\":\"The HTTP status again.\"},"
        "\"detail\":{\"type\":\"string\",\"description\":\"This occurrence in words.\"},"
        "\"call\":{\"type\":\"string\",\"description\":\"The system call that was refused.\"},"
        "\"errno\":{\"type\":\"string\",\"description\":\"Its errno, by the C name.\"},"
        "\"errno_number\":{\"type\":\"integer\",\"description\":\"Its errno, as this host numbers it.\"},"
        "\"timed_out\":{\"type\":\"boolean\","
        "\"description\":\"True when the deadline passed, rather than the kernel refused.\"},"
        "\"class\":{\"enum\":[\"refused\",\"timed_out\",\"unreachable\",\"reset\"],\"description\":\"How the "
        "way to the peer failed: refused, dropped until the time ran out, unreachable or reset; left out "
        "where "
        "the errno says nothing of that.\"},"
        "\"sent\":{\"type\":\"integer\",\"minimum\":0,"
        "\"description\":\"How many bytes the kernel had taken before.\"},"
        "\"incomplete\":{\"type\":\"string\",\"contentEncoding\":\"base64\","
        "\"description\":\"Of a recv with frame: the message that the end of the stream cut off.\"},"
        "\"messages\":{\"type\":\"integer\",\"minimum\":0,"
        "\"description\":\"How many messages the kernel had taken before.\"},"
        "\"offset\":{\"type\":\"integer\",\"minimum\":0,"
        "\"description\":\"The position of what is said of here.\"},"
        "\"next\":{\"type\":\"integer\",\"minimum\":0,"
        "\"description\":\"The position where the socket stands, or to go on at.\"},"
        "\"duration_us\":{\"type\":\"integer\",\"minimum\":0,"
        "\"description\":\"How long the call took, in microseconds.\"}}";

/* Those of problems alone. */
static const char problem_properties[] =
        "{\"parameter\":{\"type\":\"string\","
        "\"description\":\"The parameter at fault, such as options[2].level.\"},"
        "\"rule\":{\"type\":\"string\",\"description\":\"The rule of the policy that denies it.\"},"
        "\"base\":{\"type\":\"integer\",\"minimum\":0,"
        "\"description\":\"The first position that is still kept.\"}}";

static const char timed_schema[] =
        "{\"type\":\"object\",\"description\":\"What every reply of a call carries.\","
        "\"required\":[\"duration_us\"],\"properties\":{\"duration_us\":{\"type\":\"integer\",\"minimum\":0,"
        "\"description\":\"How long the call took, in microseconds.\",\"examples\":[42]}}}";

static json_t *outcome_schema(struct contract *contract, const char *description, const char *required)
{
        json_t *const schema = json_pack("{s:s, s:s}", "type", "object", "description", description);
        contract_set(contract, schema, "required", json_loads(required, 0, NULL));
        contract_set(contract, schema, "properties", json_loads(outcome_properties, 0, NULL));
        return schema;
}

void contract_add_outcomes(struct contract *contract)
{
        json_t *const problem = outcome_schema(contract, "A problem, as RFC 9457 has them.",
                "[\"type\", \"title\", \"status\", \"detail\"]");
        json_auto_t *properties = json_loads(problem_properties, 0, NULL);
        contract->failed |= json_object_update(json_object_get(problem, "properties"), properties) != 0;
        contract_set(contract, contract->schemas, "Problem", problem);
        contract_set(contract, contract->schemas, "ErrnoOutcome",
                outcome_schema(contract, "An errno that the caller had named in `expect`.",
                        "[\"call\", \"errno\", \"errno_number\", \"timed_out\", \"duration_us\"]"));
        contract_set(contract, contract->schemas, "Timed", json_loads(timed_schema, 0, NULL));
}

/* Made as real problems are, so that the example cannot drift from them. */
static json_t *problem_example(enum problem_kind kind)
{
        struct problem problem = { 0 };
        if (kind == PROBLEM_ERRNO) {
                const struct result result = refused("connect", ECONNREFUSED);
                problem_from_result(&problem, &result);
        } else {
                problem_set(&problem, kind, kind == PROBLEM_UNSOUND_REQUEST ? "backlog" : NULL, "%s",
                        problem_rows[kind].help);
        }
        if (kind == PROBLEM_DENIED)
                problem.extra = json_pack("{ss}", "rule", "control");
        if (kind == PROBLEM_POSITION_AHEAD || kind == PROBLEM_POSITION_GONE || kind == PROBLEM_ACK_REQUIRED)
                problem.extra = json_pack("{si, si}", "base", 4096, "next", 65536);
        json_t *const json = problem_to_json(&problem);
        json_decref(problem.extra);
        return json;
}

/* What has the same status is an example of one response: 422, and the 409 of what takes a position. */
static json_t *response_examples(struct contract *contract, enum problem_kind kind)
{
        const enum problem_kind last = kind == PROBLEM_ERRNO            ? PROBLEM_KEY_REUSED
                                       : kind == PROBLEM_POSITION_AHEAD ? PROBLEM_INTERRUPTED
                                                                        : kind;
        json_t *const examples = json_object();
        for (enum problem_kind at = kind; at <= last; at++)
                contract_set(contract, examples, problem_rows[at].response,
                        json_pack("{s:o}", "value", problem_example(at)));
        return examples;
}

static const char allow_header[] =
        "{\"Allow\":{\"required\":true,\"description\":\"The methods that the path has.\","
        "\"schema\":{\"type\":\"string\"},\"example\":\"GET, DELETE\"}}";

static const char replayed_header[] =
        "{\"Idempotency-Replayed\":{\"$ref\":\"#/components/headers/IdempotencyReplayed\"}}";

json_t *contract_replayed(void)
{
        return json_loads(replayed_header, 0, NULL);
}

/* Answers of the kernel and of the policy are kept for retries. */
static bool is_kept(enum problem_kind kind)
{
        return kind == PROBLEM_ERRNO || kind == PROBLEM_DENIED;
}

json_t *contract_problem(struct contract *contract, enum problem_kind kind)
{
        json_t *const response = json_pack("{s:s}", "description", problem_rows[kind].help);
        if (is_kept(kind))
                contract_set(contract, response, "headers", contract_replayed());
        if (kind == PROBLEM_WRONG_METHOD)
                contract_set(contract, response, "headers", json_loads(allow_header, 0, NULL));
        contract_set(contract, response, "content",
                json_pack("{s:{s:o, s:o}}", "application/problem+json", "schema",
                        contract_reference("schemas", "Problem"), "examples",
                        response_examples(contract, kind)));
        return response;
}

json_t *contract_problem_reference(struct contract *contract, enum problem_kind kind)
{
        const char *const name = problem_rows[kind].response;
        if (!json_object_get(contract->responses, name))
                contract_set(contract, contract->responses, name, contract_problem(contract, kind));
        return contract_reference("responses", name);
}
