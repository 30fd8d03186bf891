/* test_pattern.c: a pattern is the same from whatever offset it is told, and told from others at the byte. */
#include "daemon/sockets/pattern.h"

#include "tests/unit/rows.h"

enum { SIZE = 10000 };

static const struct pattern_row {
        const char *name, *text; /* "": numbers */
} pattern_rows[] = {
        { "numbers", "" },
        { "one byte", "x" },
        { "a text", "hello, world\n" },
        { "a text as long as a word", "abcd" },
};

static struct pattern pattern_of(const struct pattern_row *row)
{
        return (struct pattern){ .bytes = (const uint8_t *)row->text, .size = strlen(row->text) };
}

static void any_piece(void **state)
{
        static const size_t sizes[] = { 0, 1, 2, 3, 4, 5, 13, 14, 4095, 4096, 4097 };
        const struct pattern pattern = pattern_of(*state);
        uint8_t whole[SIZE], piece[SIZE];
        pattern_fill(&pattern, 0, whole, sizeof whole);
        for (size_t offset = 0; offset < 40; offset++)
                for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                        memset(piece, 0xee, sizeof piece);
                        pattern_fill(&pattern, offset, piece, sizes[i]);
                        assert_memory_equal(piece, whole + offset, sizes[i]);
                        assert_int_equal(piece[sizes[i]], 0xee);
                        assert_int_equal(pattern_agree(&pattern, offset, piece, sizes[i]), sizes[i]);
                }
}

static void any_mismatch(void **state)
{
        const struct pattern pattern = pattern_of(*state);
        uint8_t bytes[SIZE];
        pattern_fill(&pattern, 7, bytes, sizeof bytes);
        for (size_t at = 0; at < sizeof bytes; at += 97) {
                bytes[at] ^= 0x80;
                assert_int_equal(pattern_agree(&pattern, 7, bytes, sizeof bytes), at);
                bytes[at] ^= 0x80;
        }
}

static void numbers_count_up(void **state)
{
        static const uint8_t expected[] = { 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2 };
        static const uint8_t far[] = { 0xff, 0xff, 0xff, 0, 0, 0, 0 };
        const struct pattern numbers = { 0 };
        uint8_t bytes[sizeof expected];
        (void)state;
        pattern_fill(&numbers, 0, bytes, sizeof bytes);
        assert_memory_equal(bytes, expected, sizeof expected);
        pattern_fill(&numbers, (1ULL << 34) - 3, bytes, sizeof far);
        assert_memory_equal(bytes, far, sizeof far);
}

static void text_repeats(void **state)
{
        const struct pattern text = { .bytes = (const uint8_t *)"abc", .size = 3 };
        uint8_t bytes[8];
        (void)state;
        pattern_fill(&text, 4, bytes, sizeof bytes);
        assert_memory_equal(bytes, "bcabcabc", sizeof bytes);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, any_piece, pattern_rows);
        ROWS_ADD(&all, any_mismatch, pattern_rows);
        rows_add_one(&all, "numbers count up", numbers_count_up);
        rows_add_one(&all, "a text repeats", text_repeats);
        return rows_run("pattern", &all);
}
