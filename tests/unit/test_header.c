/* test_header.c: what a Host, a target and a media type may look like. */
#include "daemon/header.h"

#include "tests/unit/rows.h"

struct text_row {
        const char *name, *text;
        bool sound;
};

static const struct text_row hosts[] = {
        { "localhost", "localhost", true },
        { "localhost with a port", "LocalHost:7625", true },
        { "a port without digits", "localhost:", true },
        { "IPv4", "127.0.0.1:80", true },
        { "IPv6", "[::1]", true },
        { "IPv6 with a port", "[::1]:80", true },
        { "another name", "evil.example", false },
        { "a name behind it", "localhost.evil.example", false },
        { "a port of words", "localhost:80x", false },
        { "nothing", "", false },
        { "a port alone", ":80", false },
        { "IPv6 without brackets", "::1", false },
        { "an open bracket", "[::1", false },
        { "digits right behind the bracket", "[::1]80", false },
        { "a name in brackets", "[localhost]", false },
        { "IPv4 in brackets", "[127.0.0.1]", false },
};

static void knows_its_host(void **state)
{
        const struct text_row *const row = *state;
        assert_int_equal(host_is_own(row->text), row->sound);
}

static const struct text_row targets[] = {
        { "a path", "/v1/sockets", true },
        { "escapes", "/v1/sockets/a%2Fb?x=%00", true },
        { "a NUL in the path", "/v1/%00", false },
        { "half an escape", "/v1/%2", false },
        { "no escape", "/v1?x=%zz", false },
        { "a percent sign at the end", "/v1?x=%", false },
};

static void knows_sound_targets(void **state)
{
        const struct text_row *const row = *state;
        assert_int_equal(target_is_sound(row->text), row->sound);
}

static const struct text_row media[] = {
        { "the name", "application/json", true },
        { "with parameters", "Application/JSON; charset=utf-8", true },
        { "a longer name", "application/jsonx", false },
        { "a shorter one", "application/js", false },
};

static void knows_media(void **state)
{
        const struct text_row *const row = *state;
        assert_int_equal(media_is(row->text, "application/json"), row->sound);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, knows_its_host, hosts);
        ROWS_ADD(&all, knows_sound_targets, targets);
        ROWS_ADD(&all, knows_media, media);
        return rows_run("header", &all);
}
