/* test_header.c: targets and media types, as text. What a whole header may hold, tests/http/test_attack.c
 * shows. */
#include "daemon/header.h"

#include "tests/unit/rows.h"

/* libmicrohttpd leaves the version behind the target. */
#define LINE(target) target "\0HTTP/1.1"

static const struct target_row {
        const char *name, *target;
        bool sound;
} target_rows[] = {
        { "a path", LINE("/v1/sockets"), true },
        { "a query", LINE("/v1/sockets?label=a%20b&limit=1"), true },
        { "bars and UTF-8", LINE("/v1/sockets?flags=A|B&label=\xc3\xa9"), true },
        { "a NUL in the query", LINE("/v1/inet_aton?address=1%00"), true },
        { "a NUL in the path", LINE("/v1/%00"), false },
        { "half an escape", LINE("/v1/%4"), false },
        { "an escape of other letters", LINE("/v1?a=%zz"), false },
        { "a percent sign at the end", LINE("/v1?a=%"), false },
        { "a whole URL", LINE("http://localhost/v1/sockets"), false },
        { "a host and a port", LINE("localhost:80"), false },
        { "an asterisk", LINE("*"), false },
        { "no slash at the start", LINE("v1/sockets"), false },
        { "an escaped slash at the start", LINE("%2fv1/sockets"), false },
        { "a tab", LINE("/v1/\tsockets"), false },
        { "CR", LINE("/v1/\rsockets"), false },
        { "an escape character", LINE("/v1/\x1b[31m"), false },
        { "a delete character", LINE("/v1/\x7f"), false },
        { "a NUL as it is", "/v1/sockets\0?limit=1\0HTTP/1.1", false },
};

static void judges_targets(void **state)
{
        const struct target_row *const row = *state;
        assert_int_equal(target_is_sound(row->target), row->sound);
}

static const struct media_row {
        const char *name, *value;
        bool is_json;
} media_rows[] = {
        { "the type", "application/json", true },
        { "in capitals", "APPLICATION/JSON", true },
        { "with parameters", "application/json;charset=utf-8", true },
        { "a blank", "application/json ; charset=utf-8", true },
        { "more letters", "application/jsonx", false },
        { "fewer letters", "application/jso", false },
        { "another", "text/plain", false },
        { "behind another", "text/plain, application/json", false },
        { "none", NULL, false },
};

static void judges_media(void **state)
{
        const struct media_row *const row = *state;
        assert_int_equal(media_is(row->value, "application/json"), row->is_json);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, judges_targets, target_rows);
        ROWS_ADD(&all, judges_media, media_rows);
        return rows_run("header", &all);
}
