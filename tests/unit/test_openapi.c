/* test_openapi.c: the document that the rows make is whole: nothing dangles, nothing is left out, nothing
 * stands twice. */
#include "api/openapi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/operation.h"
#include "daemon/sockets/cleanup.h"

static json_t *document;

static json_t *operation_entry(const struct operation *operation)
{
        static const char *const keys[METHOD_COUNT] = {
                [METHOD_GET] = "get", [METHOD_POST] = "post", [METHOD_PUT] = "put", [METHOD_DELETE] = "delete"
        };
        json_t *const item = json_object_get(json_object_get(document, "paths"), operation->path);
        json_t *const entry = json_object_get(item, keys[operation->method]);
        if (!entry)
                fail_msg("%s is missing", operation->name);
        return entry;
}

static json_t *success_of(const struct operation *operation)
{
        char status[8];
        (void)snprintf(status, sizeof status, "%d", operation->success);
        json_t *const response =
                json_object_get(json_object_get(operation_entry(operation), "responses"), status);
        if (!response)
                fail_msg("%s has no %s", operation->name, status);
        return response;
}

static json_t *resolve(const char *reference)
{
        json_t *at = document;
        const char *part = reference + 1;
        while (at && *part == '/') {
                char key[128];
                const size_t size = strcspn(++part, "/");
                (void)snprintf(key, sizeof key, "%.*s", (int)size, part);
                at = json_object_get(at, key);
                part += size;
        }
        return at;
}

static void check_references(json_t *json)
{
        const char *key;
        json_t *value;
        size_t index;
        json_object_foreach(json, key, value)
        {
                if (strcmp(key, "$ref") == 0 && !resolve(json_string_value(value)))
                        fail_msg("%s leads nowhere", json_string_value(value));
                check_references(value);
        }
        json_array_foreach(json, index, value) check_references(value);
}

static void references_lead_somewhere(const struct operation *operation)
{
        check_references(operation_entry(operation));
}

static void is_named_and_tagged(const struct operation *operation)
{
        const json_t *const entry = operation_entry(operation);
        assert_string_equal(json_string_value(json_object_get(entry, "operationId")), operation->name);
        assert_string_equal(json_string_value(json_object_get(entry, "summary")), operation->summary);
        assert_int_equal(json_array_size(json_object_get(entry, "tags")), 1);
}

static void has_each_parameter_once(const struct operation *operation)
{
        json_auto_t *seen = json_object();
        json_t *const parameters = json_object_get(operation_entry(operation), "parameters");
        size_t index;
        json_t *parameter;
        json_array_foreach(parameters, index, parameter)
        {
                const char *const name = json_string_value(json_object_get(parameter, "name"));
                if (!name)
                        continue; /* the id, by reference */
                assert_null(json_object_get(seen, name));
                json_object_set_new(seen, name, json_true());
        }
        for (size_t i = 0; i < operation->request->count; i++)
                if (!json_object_get(seen, operation->request->rows[i].name))
                        fail_msg("%s is not documented", operation->request->rows[i].name);
}

static void defaults_fit_their_types(const struct operation *operation)
{
        json_t *const parameters = json_object_get(operation_entry(operation), "parameters");
        size_t index;
        json_t *parameter;
        json_array_foreach(parameters, index, parameter)
        {
                const json_t *const schema = json_object_get(parameter, "schema");
                const char *const type = json_string_value(json_object_get(schema, "type"));
                const json_t *const value = json_object_get(schema, "default");
                if (value && type && json_is_string(value) != (strcmp(type, "string") == 0))
                        fail_msg("%s has no default of its type",
                                json_string_value(json_object_get(parameter, "name")));
        }
}

static void has_request_example(const struct operation *operation)
{
        if (operation->method != METHOD_POST)
                return;
        const json_t *const body = json_object_get(operation_entry(operation), "requestBody");
        const json_t *const json = json_object_get(json_object_get(body, "content"), "application/json");
        assert_non_null(json_object_get(json, "example"));
}

static void has_reply_example(const struct operation *operation)
{
        const json_t *const response = success_of(operation);
        char media[64] = "application/json";
        if (operation->reply->media)
                snprintf(media, sizeof media, "%.*s", (int)strcspn(operation->reply->media->type, ";"),
                        operation->reply->media->type);
        const json_t *const content = json_object_get(json_object_get(response, "content"), media);
        if (operation->success == 204 || operation->success == 101)
                assert_null(json_object_get(response, "content"));
        else
                assert_non_null(json_object_get(content, "example"));
}

static void rows_have_sound_json(const struct operation *operation)
{
        const struct fields *const lists[] = { operation->request, operation->reply };
        for (size_t list = 0; list < 2; list++)
                for (size_t i = 0; i < lists[list]->count; i++) {
                        const struct field *const field = &lists[list]->rows[i];
                        const char *const texts[] = { field->example, field->schema };
                        for (size_t j = 0; j < 2; j++) {
                                json_auto_t *json =
                                        texts[j] ? json_loads(texts[j], JSON_DECODE_ANY, NULL) : NULL;
                                if (texts[j] && !json)
                                        fail_msg("%s: %s is no JSON", field->name, texts[j]);
                        }
                }
}

static void asks_for_the_token(const struct operation *operation)
{
        const bool is_open = json_object_get(operation_entry(operation), "security") != NULL;
        const bool is_open_path =
                strncmp(operation->path, "/v1/", 4) != 0 && strcmp(operation->path, "/metrics") != 0;
        assert_int_equal(is_open, is_open_path);
}

struct openapi_row {
        const char *name;
        void (*check)(const struct operation *operation);
};

static const struct openapi_row rows[] = {
        { .name = "references lead somewhere", .check = references_lead_somewhere },
        { .name = "operations are named and tagged", .check = is_named_and_tagged },
        { .name = "parameters stand once", .check = has_each_parameter_once },
        { .name = "defaults fit their types", .check = defaults_fit_their_types },
        { .name = "requests have an example", .check = has_request_example },
        { .name = "replies have an example", .check = has_reply_example },
        { .name = "rows have sound JSON", .check = rows_have_sound_json },
        { .name = "calls ask for the token", .check = asks_for_the_token },
};

static void check_operations(void **state)
{
        const struct openapi_row *const row = *state;
        for (size_t i = 0; i < operation_count; i++) {
                print_message("%s\n", operations[i].name);
                row->check(&operations[i]);
        }
}

static void components_lead_somewhere(void **state)
{
        (void)state;
        check_references(json_object_get(document, "components"));
        check_references(json_object_get(document, "x-any-request"));
}

static void texts_are_made_once(void **state)
{
        (void)state;
        assert_non_null(openapi_yaml_text());
        assert_ptr_equal(openapi_yaml_text(), openapi_yaml_text());
        json_auto_t *read = json_loads(openapi_json_text(), JSON_REJECT_DUPLICATES, NULL);
        assert_true(json_equal(read, document));
}

static int make_document(void **state)
{
        (void)state;
        document = openapi_document();
        return document ? 0 : -1;
}

static int free_document(void **state)
{
        (void)state;
        json_decref(document);
        return 0;
}

int main(void)
{
        enum { COUNT = sizeof rows / sizeof *rows };
        struct CMUnitTest tests[COUNT + 2] = {
                [COUNT] = cmocka_unit_test(components_lead_somewhere),
                [COUNT + 1] = cmocka_unit_test(texts_are_made_once),
        };
        for (size_t i = 0; i < COUNT; i++)
                tests[i] = (struct CMUnitTest){ .name = rows[i].name,
                        .test_func = check_operations,
                        .initial_state = (void *)(uintptr_t)&rows[i] };
        return cmocka_run_group_tests_name("openapi", tests, make_document, free_document);
}
