/* contract_example.c: examples for the OpenAPI document, from the rows where they have one and from the
 * schemas where not. */
#include <string.h>

#include "api/contract.h"

/* Samples of the strings that have a form. */
struct sample {
        const char *keyword, *value, *text;
};

static const struct sample samples[] = {
        { .keyword = "contentEncoding", .value = "base64", .text = "aGVsbG8=" },
        { .keyword = "format", .value = "date-time", .text = "2026-01-01T00:00:00.000000000Z" },
};

static json_t *string_example(const json_t *schema)
{
        for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
                const char *const value = json_string_value(json_object_get(schema, samples[i].keyword));
                if (value && strcmp(value, samples[i].value) == 0)
                        return json_string(samples[i].text);
        }
        return json_string("text");
}

static json_t *number_example(const json_t *schema)
{
        const json_int_t minimum = json_integer_value(json_object_get(schema, "minimum"));
        return json_integer(minimum > 0 ? minimum : 0);
}

static json_t *object_example(const struct contract *contract, const json_t *schema)
{
        const json_t *const properties = json_object_get(schema, "properties");
        const json_t *const required = json_object_get(schema, "required");
        json_t *const object = json_object();
        for (size_t i = 0; i < json_array_size(required); i++) {
                const char *const name = json_string_value(json_array_get(required, i));
                json_object_set_new(
                        object, name, contract_example(contract, json_object_get(properties, name)));
        }
        return object;
}

static json_t *array_example(const struct contract *contract, const json_t *schema)
{
        json_t *const items = json_object_get(schema, "items");
        return items ? json_pack("[o]", contract_example(contract, items)) : json_array();
}

static json_t *typed_example(const struct contract *contract, const json_t *schema)
{
        const json_t *const types = json_object_get(schema, "type");
        const char *const type = json_string_value(json_is_array(types) ? json_array_get(types, 0) : types);
        if (!type || strcmp(type, "object") == 0)
                return object_example(contract, schema);
        if (strcmp(type, "array") == 0)
                return array_example(contract, schema);
        if (strcmp(type, "string") == 0)
                return string_example(schema);
        if (strcmp(type, "boolean") == 0)
                return json_false();
        return strcmp(type, "null") == 0 ? json_null() : number_example(schema);
}

/* What the schema itself offers; borrowed, or NULL. */
static json_t *offered_example(const json_t *schema)
{
        json_t *const lists[] = { json_object_get(schema, "examples"), json_object_get(schema, "enum") };
        json_t *const values[] = { json_array_get(lists[0], 0), json_object_get(schema, "default"),
                json_object_get(schema, "const"), json_array_get(lists[1], 0) };
        for (size_t i = 0; i < sizeof values / sizeof *values; i++)
                if (values[i])
                        return values[i];
        return NULL;
}

/* The schema that another one leads to: by reference, or its first alternative. Borrowed, or NULL. */
static json_t *next_schema(const struct contract *contract, const json_t *schema)
{
        static const char prefix[] = "#/components/schemas/";
        const char *const reference = json_string_value(json_object_get(schema, "$ref"));
        if (reference && strncmp(reference, prefix, sizeof prefix - 1) == 0)
                return json_object_get(contract->schemas, reference + sizeof prefix - 1);
        json_t *const alternative = json_array_get(json_object_get(schema, "anyOf"), 0);
        return alternative ? alternative : json_array_get(json_object_get(schema, "oneOf"), 0);
}

json_t *contract_example(const struct contract *contract, json_t *schema)
{
        for (json_t *at = schema; at; at = next_schema(contract, at)) {
                json_t *const offered = offered_example(at);
                if (offered)
                        return json_deep_copy(offered);
                if (!next_schema(contract, at))
                        return typed_example(contract, at);
        }
        return json_null();
}

static json_t *field_example(const struct contract *contract, const struct field *field, json_t *schema)
{
        if (field->example)
                return json_loads(field->example, JSON_DECODE_ANY, NULL);
        return contract_example(contract, schema);
}

json_t *contract_record_example(
        struct contract *contract, const struct fields *fields, const json_t *schema, bool request)
{
        json_t *const properties = json_object_get(schema, "properties");
        json_t *const example = json_object();
        for (size_t i = 0; i < fields->count; i++) {
                const struct field *const field = &fields->rows[i];
                json_t *const property = json_object_get(properties, field->name);
                const bool shown = request ? field->required || field->example : !field->optional;
                if (property && shown)
                        contract_set(
                                contract, example, field->name, field_example(contract, field, property));
        }
        return example;
}
