/* test_utf8.c: what is UTF-8 stays, each other byte becomes U+FFFD, and cuts are between characters. */
#include "api/utf8.h"

#include "tests/unit/rows.h"

#define MARK "\xef\xbf\xbd"

struct clean_row {
        const char *name, *bytes, *clean;
        size_t room; /* 0: enough */
};

static const struct clean_row rows[] = {
        { .name = "empty", .bytes = "", .clean = "" },
        { .name = "ASCII", .bytes = "a\x7f", .clean = "a\x7f" },
        { .name = "two bytes", .bytes = "\xc2\x80\xdf\xbf", .clean = "\xc2\x80\xdf\xbf" },
        { .name = "three bytes", .bytes = "\xe0\xa0\x80\xef\xbf\xbf", .clean = "\xe0\xa0\x80\xef\xbf\xbf" },
        { .name = "four bytes",
                .bytes = "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
                .clean = "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
        { .name = "overlong two", .bytes = "\xc0\x80", .clean = MARK MARK },
        { .name = "overlong three", .bytes = "\xe0\x9f\xbf", .clean = MARK MARK MARK },
        { .name = "overlong four", .bytes = "\xf0\x8f\xbf\xbf", .clean = MARK MARK MARK MARK },
        { .name = "surrogate", .bytes = "\xed\xa0\x80", .clean = MARK MARK MARK },
        { .name = "above the last", .bytes = "\xf4\x90\x80\x80", .clean = MARK MARK MARK MARK },
        { .name = "cut short", .bytes = "a\xe2\x82", .clean = "a" MARK MARK },
        { .name = "alone", .bytes = "\x80z\xff", .clean = MARK "z" MARK },
        { .name = "no room for a character", .bytes = "ab\xc3\xa9", .clean = "ab", .room = 4 },
        { .name = "just room for it", .bytes = "ab\xc3\xa9", .clean = "ab\xc3\xa9", .room = 5 },
        { .name = "no room for a mark", .bytes = "a\xff", .clean = "a", .room = 4 },
        { .name = "room for the NUL alone", .bytes = "a", .clean = "", .room = 1 },
};

static void cleans(void **state)
{
        const struct clean_row *const row = *state;
        char out[64];
        const size_t size =
                utf8_clean(out, row->room ? row->room : sizeof out, row->bytes, strlen(row->bytes));
        assert_string_equal(out, row->clean);
        assert_int_equal(size, strlen(row->clean));
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, cleans, rows);
        return rows_run("utf8", &all);
}
