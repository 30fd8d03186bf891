/* test_reference.c: what references stand for, in values and in paths. */
#include "api/reference.h"

#include "tests/unit/rows.h"

static const char results[] = "{\"a\":{\"id\":\"k-1\",\"n\":7,\"list\":[{\"x\":true}],\"empty\":\"\"}}";

static json_t *find(const void *context, const char *name, size_t size)
{
        return json_object_getn(context, name, size);
}

static const struct value_row {
        const char *name, *value, *resolved; /* or NULL, and the detail is `why` */
        const char *why;
} value_rows[] = {
        { "no reference", "{\"a\":[1,{\"b\":null}]}", "{\"a\":[1,{\"b\":null}]}", NULL },
        { "a text", "{\"$ref\":\"a/id\"}", "\"k-1\"", NULL },
        { "a number", "[{\"$ref\":\"a/n\"}]", "[7]", NULL },
        { "an object", "{\"b\":{\"$ref\":\"a/list/0\"}}", "{\"b\":{\"x\":true}}", NULL },
        { "deep down", "{\"b\":[[{\"c\":{\"$ref\":\"a/list/0/x\"}}]]}", "{\"b\":[[{\"c\":true}]]}", NULL },
        { "a whole result", "{\"$ref\":\"a\"}",
                "{\"id\":\"k-1\",\"n\":7,\"list\":[{\"x\":true}],\"empty\":\"\"}", NULL },
        { "not alone", "{\"$ref\":\"a/id\",\"b\":1}", "{\"$ref\":\"a/id\",\"b\":1}", NULL },
        { "no text", "{\"$ref\":1}", "{\"$ref\":1}", NULL },
        { "an unknown name", "{\"$ref\":\"b/id\"}", NULL, "b/id: no step of that name has a result yet" },
        { "an empty name", "{\"$ref\":\"\"}", NULL, ": no step of that name has a result yet" },
        { "an unknown member", "[{\"$ref\":\"a/b\"}]", NULL, "a/b: the result has no such member" },
        { "behind the list", "{\"$ref\":\"a/list/1\"}", NULL, "a/list/1: the result has no such member" },
        { "no index", "{\"$ref\":\"a/list/x\"}", NULL, "a/list/x: the result has no such member" },
        { "a signed index", "{\"$ref\":\"a/list/+0\"}", NULL, "a/list/+0: the result has no such member" },
        { "a huge index", "{\"$ref\":\"a/list/99999999999999999999999\"}", NULL,
                "a/list/99999999999999999999999: the result has no such member" },
        { "below a text", "{\"$ref\":\"a/id/0\"}", NULL, "a/id/0: the result has no such member" },
        { "too much", "[{\"$ref\":\"a\"},{\"$ref\":\"a\"},{\"$ref\":\"a\"},{\"$ref\":\"a\"}]", NULL,
                "a: there is more to copy than a body may have" },
        { "a slash at the end", "{\"$ref\":\"a/id/\"}", NULL, "a/id/: the result has no such member" },
};

static void check_value(void **state)
{
        const struct value_row *const row = *state;
        json_auto_t *context = json_loads(results, 0, NULL);
        json_auto_t *value = json_loads(row->value, 0, NULL);
        struct references references = { .find = find, .context = context, .room = 1000 };
        json_auto_t *resolved = references_resolve(&references, value);
        if (row->resolved == NULL) {
                assert_null(resolved);
                assert_string_equal(references.detail, row->why);
                return;
        }
        json_auto_t *expected = json_loads(row->resolved, JSON_DECODE_ANY, NULL);
        assert_non_null(expected);
        assert_true(json_equal(resolved, expected));
}

static const struct path_row {
        const char *name, *path, *filled; /* or NULL */
} path_rows[] = {
        { "plain", "/v1/sockets", "/v1/sockets" },
        { "a text", "/v1/sockets/{a/id}/send", "/v1/sockets/k-1/send" },
        { "a number", "/{a/n}", "/7" },
        { "two", "/{a/n}{a/id}", "/7k-1" },
        { "an empty text", "/{a/empty}", "/" },
        { "not closed", "/{a/n", "/{a/n" },
        { "closed twice", "/{a/n}}", "/7}" },
        { "an object", "/{a/list/0}", NULL },
        { "unknown", "/{b}", NULL },
        { "too long",
                "/{a/id}{a/id}{a/id}{a/id}{a/id}{a/id}{a/id}{a/id}{a/id}{a/id}{a/id}{a/id}{a/id}{a/id}{a/id}"
                "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
                "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
                "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890",
                NULL },
};

static void check_path(void **state)
{
        const struct path_row *const row = *state;
        json_auto_t *context = json_loads(results, 0, NULL);
        struct references references = { .find = find, .context = context, .room = 1000 };
        char out[REFERENCE_PATH_SIZE];
        assert_int_equal(references_fill_path(&references, row->path, out), row->filled != NULL);
        if (row->filled != NULL)
                assert_string_equal(out, row->filled);
        else
                assert_true(references.detail[0] != '\0');
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, check_value, value_rows);
        ROWS_ADD(&all, check_path, path_rows);
        return rows_run("reference", &all);
}
