/* test_field_query.c: query-string values as the JSON that decoding takes. */
#include "api/field.h"

#include "daemon/sockets/cleanup.h"
#include "tests/unit/rows.h"
#include "tests/unit/sample.h"

struct query_row {
        const char *name, *field, *text, *json;
        size_t size; /* 0: up to the NUL */
};

static const struct query_row queries[] = {
        { "bare key", "all", "", "true", 0 },
        { "1 as boolean", "all", "1", "true", 0 },
        { "false", "all", "false", "false", 0 },
        { "0 as boolean", "all", "0", "false", 0 },
        { "TRUE stays text", "all", "TRUE", "\"TRUE\"", 0 },
        { "integer", "backlog", "80", "80", 0 },
        { "negative", "size", "-1", "-1", 0 },
        { "2^63", "size", "9223372036854775808", "\"9223372036854775808\"", 0 },
        { "fraction", "size", "80.0", "\"80.0\"", 0 },
        { "plus", "size", "+5", "\"+5\"", 0 },
        { "blank", "size", " 5", "\" 5\"", 0 },
        { "trailing letters", "size", "5k", "\"5k\"", 0 },
        { "no digits", "size", "-", "\"-\"", 0 },
        { "empty integer", "size", "", "\"\"", 0 },
        { "hexadecimal", "size", "0x10", "\"0x10\"", 0 },
        { "name", "family", "AF_INET6", "\"AF_INET6\"", 0 },
        { "number for a name", "family", "2", "2", 0 },
        { "flags joined", "flags", "MSG_PEEK|MSG_OOB", "\"MSG_PEEK|MSG_OOB\"", 0 },
        { "flags as list", "flags", "[\"MSG_PEEK\"]", "[\"MSG_PEEK\"]", 0 },
        { "text of digits", "label", "16", "\"16\"", 0 },
        { "text like JSON", "label", "{}", "\"{}\"", 0 },
        { "text true", "label", "true", "\"true\"", 0 },
        { "base64", "data", "MTY=", "\"MTY=\"", 0 },
        { "payload as text", "text", "16", "\"16\"", 0 },
        { "address in short", "address", "127.0.0.1:80", "\"127.0.0.1:80\"", 0 },
        { "address as object", "address", "{\"family\":\"AF_INET\"}", "{\"family\":\"AF_INET\"}", 0 },
        { "address like a list", "address", "[::1]:80", "\"[::1]:80\"", 0 },
        { "options", "options", "[{\"level\":1}]", "[{\"level\":1}]", 0 },
        { "doubled member", "options", "[{\"a\":1,\"a\":2}]", "\"[{\\\"a\\\":1,\\\"a\\\":2}]\"", 0 },
        { "until eof", "until", "eof", "\"eof\"", 0 },
        { "until bytes", "until", "100", "100", 0 },
        { "until an object", "until", "{\"delimiter_text\":\"x\"}", "{\"delimiter_text\":\"x\"}", 0 },
        { "listen bare", "listen", "", "true", 0 },
        { "listen true", "listen", "true", "true", 0 },
        { "listen 5", "listen", "5", "5", 0 },
        { "any: boolean", "value", "true", "true", 0 },
        { "any: integer", "value", "16", "16", 0 },
        { "any: text", "value", "cubic", "\"cubic\"", 0 },
        { "any: quoted text", "value", "\"16\"", "\"16\"", 0 },
        { "any: object", "value", "{\"onoff\":true}", "{\"onoff\":true}", 0 },
        { "any: nothing", "value", "", "\"\"", 0 },
        { "any: broken", "value", "{", "\"{\"", 0 },
        { "any: too deep", "value", "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
                "\"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]\"", 0 },
        { "not UTF-8", "label", "\xff", NULL, 0 },
        { "NUL", "label", "a\0b", NULL, 3 },
        { "NUL behind a number", "size", "5\0", NULL, 2 },
};

static void reads_query(void **state)
{
        const struct query_row *const row = *state;
        struct fixture fixture fixture_auto;
        fixture_set(&fixture);
        const struct field *const field = fields_find(&sample_fields, row->field);
        assert_non_null(field);
        const size_t size = row->size ? row->size : strlen(row->text);
        json_auto_t *value = field_value_from_query(&fixture.decoder, field, row->text, size);
        if (!row->json) {
                assert_null(value);
                assert_string_equal(fixture.problem.parameter, row->field);
                return;
        }
        json_auto_t *wanted = json_loads(row->json, JSON_DECODE_ANY, NULL);
        assert_non_null(wanted);
        if (!json_equal(value, wanted))
                fail_msg("%s", json_dumps(value, JSON_ENCODE_ANY));
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, reads_query, queries);
        return rows_run("field_query", &all);
}
