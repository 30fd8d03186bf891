/* field_schema.c: the JSON Schema of records, from the same rows that decode and encode them. */
#include <string.h>

#include "api/kind.h"
#include "daemon/sockets/cleanup.h"

static const char null_schema[] = "{\"type\": \"null\"}";

/* Allows null beside what the schema allows. */
static void schema_add_null(json_t *schema)
{
        json_t *const type = json_object_get(schema, "type");
        json_t *const list = json_object_get(schema, "enum");
        json_t *const alternatives = json_object_get(schema, "anyOf");
        if (json_is_array(type))
                json_array_append_new(type, json_string("null"));
        else if (type)
                json_object_set_new(schema, "type", json_pack("[Os]", type, "null"));
        if (list)
                json_array_append_new(list, json_null());
        if (alternatives)
                json_array_append_new(alternatives, json_loads(null_schema, 0, NULL));
}

/* The value that an absent parameter has, or NULL when it has none to speak of. */
static json_t *default_of(const struct field *field)
{
        const struct range range = field_range(field);
        const bool is_number = field->kind <= FIELD_UNSIGNED && range.min < range.max;
        if (field->required || !is_number || field->fallback < 0 || field->fallback < range.min ||
                field->fallback > range.max)
                return NULL;
        if (field->kind == FIELD_BOOLEAN)
                return json_boolean(field->fallback != 0);
        if (field->names && (field->flags || field->fallback != 0))
                return encode_constant(field->names, field->flags, (int)field->fallback);
        return json_integer(field->fallback);
}

json_t *field_schema(const struct field *field, bool request)
{
        json_auto_t *schema = field->schema ? json_loads(field->schema, 0, NULL)
                                            : field_kinds[field->kind].schema(field, request);
        json_t *const fallback = request && !field->schema ? default_of(field) : NULL;
        if (!request && field->nullable)
                schema_add_null(schema);
        if (field->help)
                json_object_set_new(schema, "description", json_string(field->help));
        if (fallback)
                json_object_set_new(schema, "default", fallback);
        if (field->example)
                json_object_set_new(schema, "examples",
                        json_pack("[o]", json_loads(field->example, JSON_DECODE_ANY, NULL)));
        return TAKE(schema);
}

static json_t *payload_text_schema(void)
{
        return json_pack(
                "{ss, ss}", "type", "string", "description", "The payload as UTF-8, instead of data.");
}

/* A request has its payload as data or text; whether it must, the schema says as the row does. */
static void add_payload_choice(json_t *schema, const struct field *field)
{
        json_t *const properties = json_object_get(schema, "properties");
        json_object_set_new(properties, "text", payload_text_schema());
        if (field->required)
                json_object_set_new(schema, "oneOf",
                        json_pack("[{s[s]}, {s[s]}]", "required", field->name, "required", "text"));
        else
                json_object_set_new(schema, "not", json_pack("{s[ss]}", "required", field->name, "text"));
}

static bool is_required(const struct field *field, bool request)
{
        if (!request)
                return !field->optional;
        return field->required && field->kind != FIELD_PAYLOAD;
}

json_t *fields_schema(const struct fields *fields, bool request)
{
        json_t *const properties = json_object();
        json_t *const required = json_array();
        json_auto_t *schema = json_pack("{ss, so, so, sb}", "type", "object", "properties", properties,
                "required", required, "additionalProperties", 0);
        for (size_t i = 0; schema && i < fields->count; i++) {
                const struct field *const field = &fields->rows[i];
                json_object_set_new(properties, field->name, field_schema(field, request));
                if (is_required(field, request))
                        json_array_append_new(required, json_string(field->name));
                if (request && field->kind == FIELD_PAYLOAD)
                        add_payload_choice(schema, field);
        }
        if (schema && json_array_size(required) == 0)
                json_object_del(schema, "required");
        return TAKE(schema);
}
