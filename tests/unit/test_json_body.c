/* test_json_body.c: JSON bodies, sound and hostile, and the payload that is cut out of them. */
#include "api/json_body.h"

#include "daemon/sockets/cleanup.h"
#include "tests/unit/rows.h"

/* A row's body is its text with each '#' made `fill_size` times `fill`; without a fill '#' is itself. */
struct body_row {
        const char *name, *text;
        char fill;
        size_t fill_size;
        size_t size;            /* 0: up to the NUL */
        const char *rest;       /* what jansson gets, as JSON; NULL: refused */
        size_t payload;         /* the size of what is cut out */
        enum problem_kind kind; /* of a refusal … */
        const char *parameter;  /* … and what it names */
        const char *detail;     /* a part of what it says, or NULL */
};

#define REFUSED .kind = PROBLEM_UNSOUND_REQUEST

static const struct body_row rows[] = {
        { .name = "nothing", .text = "", .rest = "{}" },
        { .name = "blanks", .text = " \r\n\t", .rest = "{}" },
        { .name = "empty object", .text = " {} ", .rest = "{}" },
        { .name = "a number", .text = "{\"backlog\": 5}", .rest = "{\"backlog\":5}" },
        { .name = "short data stays", .text = "{\"data\":\"aGVsbG8=\"}", .rest = "{\"data\":\"aGVsbG8=\"}" },
        { .name = "long data is cut out",
                .text = "{\"data\":\"#\"}",
                .fill = 'A',
                .fill_size = 1400000,
                .rest = "{\"data\":\"\"}",
                .payload = 1400000 },
        { .name = "just long enough",
                .text = "{\"data\":\"#\"}",
                .fill = 'A',
                .fill_size = 1025,
                .rest = "{\"data\":\"\"}",
                .payload = 1025 },
        { .name = "between others, with blanks",
                .text = " {\"flags\" : [\"MSG_PEEK\", {\"a\":\"}\"}] ,\n \"data\" :\t\"#\" , \"all\":true}",
                .fill = 'A',
                .fill_size = 5000,
                .rest = "{\"flags\":[\"MSG_PEEK\",{\"a\":\"}\"}],\"data\":\"\",\"all\":true}",
                .payload = 5000 },
        { .name = "braces in data",
                .text = "{\"data\":\"#\"}",
                .fill = '{',
                .fill_size = 5000,
                .rest = "{\"data\":\"\"}",
                .payload = 5000 },
        { .name = "bytes that are not UTF-8 in data",
                .text = "{\"data\":\"#\"}",
                .fill = '\xff',
                .fill_size = 5000,
                .rest = "{\"data\":\"\"}",
                .payload = 5000 },
        { .name = "the word data as a value",
                .text = "{\"text\":\"data\",\"data\":\"#\"}",
                .fill = 'A',
                .fill_size = 5000,
                .rest = "{\"text\":\"data\",\"data\":\"\"}",
                .payload = 5000 },
        { .name = "escaped quotes before it",
                .text = "{\"text\":\"\\\"data\\\":\\\\\",\"data\":\"#\"}",
                .fill = 'A',
                .fill_size = 5000,
                .rest = "{\"text\":\"\\\"data\\\":\\\\\",\"data\":\"\"}",
                .payload = 5000 },
        { .name = "too many bytes beside it",
                .text = "{\"data\":\"#\",\"text\":\"#\"}",
                .fill = 'A',
                .fill_size = 1100000,
                .kind = PROBLEM_TOO_LARGE },
        { .name = "too many small values",
                .text = "{\"options\":[#]}",
                .fill = ',',
                .fill_size = 1100000,
                .kind = PROBLEM_TOO_LARGE },
        { .name = "an unended string that is too long",
                .text = "{\"text\":\"#",
                .fill = '\\',
                .fill_size = 2000000,
                .kind = PROBLEM_TOO_LARGE },
        { .name = "doubled long data",
                .text = "{\"data\":\"#\",\"data\":\"#\"}",
                .fill = 'A',
                .fill_size = 2000,
                REFUSED,
                .parameter = "data",
                .detail = "duplicate" },
        { .name = "long data, then short",
                .text = "{\"data\":\"#\",\"data\":\"\"}",
                .fill = 'A',
                .fill_size = 2000,
                REFUSED,
                .parameter = "data" },
        { .name = "short data, then long",
                .text = "{\"data\":\"\",\"data\":\"#\"}",
                .fill = 'A',
                .fill_size = 2000,
                REFUSED,
                .parameter = "data" },
        { .name = "doubled by an escape",
                .text = "{\"data\":\"#\",\"d\\u0061ta\":\"\"}",
                .fill = 'A',
                .fill_size = 2000,
                REFUSED,
                .parameter = "d\\u0061ta" },
        { .name = "doubled member", .text = "{\"size\":1,\"size\" : 2}", REFUSED, .parameter = "size" },
        { .name = "doubled within a member",
                .text = "{\"bind\":{\"port\":1,\"port\":2}}",
                REFUSED,
                .parameter = "bind" },
        { .name = "2^63",
                .text = "{\"all\":true,\"size\":9223372036854775808}",
                REFUSED,
                .parameter = "size",
                .detail = "too big integer" },
        { .name = "-2^63-1",
                .text = "{\"size\":-9223372036854775809 ,\"a\":1}",
                REFUSED,
                .parameter = "size" },
        { .name = "1e999", .text = "{\"size\":1e999}", REFUSED, .parameter = "size" },
        { .name = "NUL in a text", .text = "{\"label\":\"a\\u0000b\"}", REFUSED, .parameter = "label" },
        { .name = "NUL in a name", .text = "{\"la\\u0000bel\":\"\"}", REFUSED, .parameter = "la\\u0000bel" },
        { .name = "raw NUL", .text = "{\"a\":\0 1}", .size = 9, REFUSED },
        { .name = "bytes that are not UTF-8",
                .text = "{\"label\":\"\xff\xfe\"}",
                REFUSED,
                .parameter = "label" },
        { .name = "half a surrogate pair", .text = "{\"label\":\"\\ud800\"}", REFUSED },
        { .name = "sixteen deep",
                .text = "{\"a\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}",
                .rest = "{\"a\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}" },
        { .name = "seventeen deep",
                .text = "{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}",
                REFUSED,
                .parameter = "a",
                .detail = "deeper than 16" },
        { .name = "very deep",
                .text = "{\"a\":#",
                .fill = '[',
                .fill_size = 100000,
                REFUSED,
                .parameter = "a" },
        { .name = "very deep objects", .text = "#", .fill = '{', .fill_size = 100000, REFUSED },
        { .name = "many closings", .text = "#", .fill = '}', .fill_size = 100000, REFUSED },
        { .name = "a list", .text = "[]", REFUSED, .detail = "must be a JSON object" },
        { .name = "a list with data", .text = "[\"data\",\"#\"]", .fill = 'A', .fill_size = 2000, REFUSED },
        { .name = "a text", .text = "\"data\"", REFUSED },
        { .name = "null", .text = "null", REFUSED },
        { .name = "not JSON", .text = "size=5", REFUSED, .detail = "line 1" },
        { .name = "unended", .text = "{\"a\":1,\n \"b\":", REFUSED, .detail = "line 2" },
        { .name = "unended string", .text = "{\"a", REFUSED },
        { .name = "a backslash at the end", .text = "{\"a\\", REFUSED },
        { .name = "unended long data", .text = "{\"data\":\"#", .fill = 'A', .fill_size = 5000, REFUSED },
        { .name = "long data without its end",
                .text = "{\"data\":\"#\"",
                .fill = 'A',
                .fill_size = 5000,
                REFUSED },
        { .name = "two objects", .text = "{}{}", REFUSED, .detail = "end of file expected" },
        { .name = "comma at the end", .text = "{\"a\":1,}", REFUSED },
        { .name = "error behind long data",
                .text = "{\"data\":\"#\",}",
                .fill = 'A',
                .fill_size = 5000,
                REFUSED,
                .detail = "byte 50" },
        { .name = "doubled colon around data",
                .text = "{\"data\":\"data\":\"#\"}",
                .fill = 'A',
                .fill_size = 5000,
                REFUSED },
        { .name = "data within a member stays",
                .text = "{\"a\":{\"data\":\"#\"},\"b\":1,\"data\":5}",
                .fill = 'A',
                .fill_size = 0,
                .rest = "{\"a\":{\"data\":\"\"},\"b\":1,\"data\":5}" },
};

/* Exactly as large as the body, so that a sanitizer sees a byte read too far. */
static char *make_body(const struct body_row *row, size_t *size)
{
        const size_t text_size = row->size ? row->size : strlen(row->text);
        char *const body = malloc(text_size + 2 * row->fill_size + 1);
        size_t used = 0;
        for (size_t i = 0; i < text_size; i++) {
                if (row->fill && row->text[i] == '#') {
                        memset(body + used, row->fill, row->fill_size);
                        used += row->fill_size;
                } else {
                        body[used++] = row->text[i];
                }
        }
        *size = used;
        return realloc(body, used ? used : 1);
}

static void check_refusal(const struct body_row *row, const struct problem *problem)
{
        assert_int_equal(problem->kind, row->kind);
        assert_string_equal(problem->parameter, row->parameter ? row->parameter : "");
        if (row->detail && !strstr(problem->detail, row->detail))
                fail_msg("\"%s\" does not say \"%s\"", problem->detail, row->detail);
        json_auto_t *json = problem_to_json(problem);
        assert_non_null(json);
}

static void reads(void **state)
{
        const struct body_row *const row = *state;
        size_t size = 0;
        char *const body = make_body(row, &size);
        json_auto_t *json = NULL;
        struct json_span payload = { .text = NULL };
        struct problem problem = { .extra = NULL };
        const bool sound = json_body_read(body, size, &json, &payload, &problem);
        if (!row->rest) {
                assert_false(sound);
                check_refusal(row, &problem);
                free(body);
                return;
        }
        if (!sound)
                fail_msg("refused: %s", problem.detail);
        json_auto_t *rest = json_loads(row->rest, 0, NULL);
        assert_true(json_equal(json, rest));
        assert_int_equal(payload.size, row->payload);
        if (row->payload) {
                assert_int_equal(payload.text[-1], '"');
                assert_int_equal(payload.text[0], row->fill);
                assert_int_equal(payload.text[payload.size], '"');
        }
        free(body);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, reads, rows);
        return rows_run("json_body", &all);
}
