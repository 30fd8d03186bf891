/* contract_request.c: what an operation takes: its schema, its query parameters and its bodies. */
#include <stdint.h>
#include <string.h>

#include "api/call.h"
#include "api/contract.h"

/* The operation's own parameters and the common ones that it takes, as one schema; a new reference. */
json_t *contract_request(struct contract *contract, const struct operation *operation)
{
        json_t *const schema = contract_record(contract, operation->request, true);
        json_auto_t *common = contract_record(contract, &common_fields, true);
        json_t *properties = json_object_get(schema, "properties");
        if (!properties) {
                contract_set(contract, schema, "properties", json_object());
                properties = json_object_get(schema, "properties");
        }
        for (size_t i = 0; i < common_fields.count; i++) {
                const struct field *const field = &common_fields.rows[i];
                if (common_applies(operation, field))
                        json_object_set(properties, field->name,
                                json_object_get(json_object_get(common, "properties"), field->name));
        }
        return schema;
}

static bool has_type(const json_t *schema, const char *type)
{
        const char *const value = json_string_value(json_object_get(schema, "type"));
        return value && strcmp(value, type) == 0;
}

/* In a query string, lists of texts are joined by commas, other lists and objects go as JSON, all else as it
 * is. */
static void add_parameter_schema(struct contract *contract, json_t *parameter, const json_t *property)
{
        json_t *const schema = json_copy((json_t *)(uintptr_t)property);
        const bool is_list = has_type(schema, "array");
        json_object_del(schema, "description");
        if (is_list && has_type(json_object_get(schema, "items"), "string"))
                contract_set(contract, parameter, "explode", json_false());
        else if (is_list || has_type(schema, "object")) {
                contract_set(contract, parameter, "content",
                        json_pack("{s:{s:o}}", "application/json", "schema", schema));
                return;
        }
        contract_set(contract, parameter, "schema", schema);
}

/* `field` is NULL for a payload's text. */
static json_t *query_parameter(struct contract *contract, const struct operation *operation,
        const struct field *field, const char *name, const json_t *property)
{
        json_t *const parameter = json_pack("{s:s, s:s}", "name", name, "in", "query");
        json_t *const description = json_object_get(property, "description");
        if (description)
                json_object_set(parameter, "description", description);
        /* A POST or PUT may have it in its body instead. */
        if (field && field->required && operation->method != METHOD_POST && operation->method != METHOD_PUT)
                contract_set(contract, parameter, "required", json_true());
        add_parameter_schema(contract, parameter, property);
        return parameter;
}

/* What many operations take stands among the components. */
static json_t *common_parameter(struct contract *contract, const struct operation *operation,
        const struct field *field, const json_t *property)
{
        if (!json_object_get(contract->parameters, field->name))
                contract_set(contract, contract->parameters, field->name,
                        query_parameter(contract, operation, field, field->name, property));
        return contract_reference("parameters", field->name);
}

json_t *contract_parameters(struct contract *contract, const struct operation *operation, json_t *schema)
{
        json_t *const parameters = json_array();
        if (operation_has_id(operation))
                contract_append(contract, parameters,
                        contract_reference("parameters",
                                operation_is_of_sessions(operation) ? "SessionId" : "SocketId"));
        if (operation_takes_key(operation))
                contract_append(contract, parameters, contract_reference("parameters", "IdempotencyKey"));
        if (operation_is_followed(operation))
                contract_append(contract, parameters, contract_last_event_id());
        const char *name;
        json_t *property;
        json_object_foreach(json_object_get(schema, "properties"), name, property)
        {
                const struct field *const own = fields_find(operation->request, name);
                const struct field *const common = own ? NULL : fields_find(&common_fields, name);
                contract_append(contract, parameters,
                        common ? common_parameter(contract, operation, common, property)
                               : query_parameter(contract, operation, own, name, property));
        }
        return parameters;
}

json_t *contract_raw_content(void)
{
        return json_pack("{s:{s:s, s:s}}", "schema", "type", "string", "format", "binary");
}

json_t *contract_request_body(struct contract *contract, const struct operation *operation, json_t *schema)
{
        const bool takes_raw = fields_payload(operation->request) != NULL;
        json_t *const content = json_pack("{s:{s:O, s:o}}", "application/json", "schema", schema, "example",
                contract_record_example(contract, operation->request, schema, true));
        if (takes_raw)
                contract_set(contract, content, "application/octet-stream", contract_raw_content());
        return json_pack("{s:s, s:o}", "description",
                takes_raw ? "The parameters; or the payload itself, with the parameters in the query string."
                          : "The parameters, unless they stand in the query string.",
                "content", content);
}
