/* test_shell.c: whatever is quoted comes out of a shell as it went in, and does nothing on the way. */
#include "api/shell.h"

#include "tests/unit/rows.h"

static const struct quote_row {
        const char *name, *text, *quoted;
} quote_rows[] = {
        { "nothing", "", "''" },
        { "a word", "word", "'word'" },
        { "a quote", "'", "''\\'''" },
        { "quotes in a row", "a''b", "'a'\\'''\\''b'" },
        { "a quote at the end", "a'", "'a'\\'''" },
        { "double quotes", "\"$HOME\"", "'\"$HOME\"'" },
        { "a command", "$(false)`false`;false|false&false", "'$(false)`false`;false|false&false'" },
        { "a quote and a command", "';false;'", "''\\'';false;'\\'''" },
        { "lines", "a\nb\r\n", "'a\nb\r\n'" },
        { "backslashes", "\\\\n\\'", "'\\\\n\\'\\'''" },
        { "a line end behind a backslash", "a\\\nb", "'a\\\nb'" },
        { "history and globs", "!! * ? [a] ~ {a,b} #", "'!! * ? [a] ~ {a,b} #'" },
        { "bytes that are no UTF-8", "\xff\xfe\x01\x7f", "'\xff\xfe\x01\x7f'" },
};

/* What a shell makes of the word. */
static void expect_from_shell(const char *quoted, const char *text)
{
        char line[256], out[256];
        snprintf(line, sizeof line, "printf '%%s' %s", quoted);
        FILE *const pipe = popen(line, "re"); /* NOLINT(cert-env33-c): a shell is what it is for */
        assert_non_null(pipe);
        out[fread(out, 1, sizeof out - 1, pipe)] = '\0';
        assert_int_equal(pclose(pipe), 0);
        assert_string_equal(out, text);
}

static void test_quote(void **state)
{
        const struct quote_row *const row = *state;
        struct print print = { 0 };
        shell_quote(&print, row->text, strlen(row->text));
        print_text(&print, "", 1);
        assert_string_equal(print.bytes, row->quoted);
        expect_from_shell(print.bytes, row->text);
        free(print.bytes);
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        ROWS_ADD(&all, test_quote, quote_rows);
        return rows_run("shell", &all);
}
