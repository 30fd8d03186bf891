/* test_base64.c: RFC 4648's vectors both ways, and all that is nearly base64. */
#include "api/base64.h"

#include "daemon/sockets/cleanup.h"
#include "tests/unit/rows.h"

struct vector {
        const char *name, *text, *bytes;
        size_t size;
};

static const struct vector vectors[] = {
        { .name = "nothing", .text = "", .bytes = "", .size = 0 },
        { .name = "f", .text = "Zg==", .bytes = "f", .size = 1 },
        { .name = "fo", .text = "Zm8=", .bytes = "fo", .size = 2 },
        { .name = "foo", .text = "Zm9v", .bytes = "foo", .size = 3 },
        { .name = "foob", .text = "Zm9vYg==", .bytes = "foob", .size = 4 },
        { .name = "fooba", .text = "Zm9vYmE=", .bytes = "fooba", .size = 5 },
        { .name = "foobar", .text = "Zm9vYmFy", .bytes = "foobar", .size = 6 },
        { .name = "zero bytes", .text = "AAAA", .bytes = "\0\0\0", .size = 3 },
        { .name = "one zero byte", .text = "AA==", .bytes = "\0", .size = 1 },
        { .name = "plus and slash", .text = "+/+/", .bytes = "\xfb\xff\xbf", .size = 3 },
        { .name = "an address", .text = "ey1DWQ==", .bytes = "{-CY", .size = 4 },
};

static void goes_both_ways(void **state)
{
        const struct vector *const row = *state;
        char text[64];
        uint8_t bytes[64];
        size_t size = 99;
        assert_int_equal(base64_encode((const uint8_t *)row->bytes, row->size, text), strlen(row->text));
        assert_string_equal(text, row->text);
        assert_int_equal(base64_encoded_size(row->size), strlen(row->text));
        assert_true(base64_decode(row->text, strlen(row->text), bytes, &size));
        assert_int_equal(size, row->size);
        assert_memory_equal(bytes, row->bytes, size);
}

struct refusal {
        const char *name, *text;
        size_t size; /* 0: up to the NUL */
};

static const struct refusal refusals[] = {
        { .name = "one letter", .text = "Z" },
        { .name = "no padding", .text = "Zg" },
        { .name = "half the padding", .text = "Zg=" },
        { .name = "too much padding", .text = "Zg===" },
        { .name = "padding alone", .text = "====" },
        { .name = "three of padding", .text = "Z===" },
        { .name = "padding within", .text = "Zg==Zg==" },
        { .name = "padding in the middle", .text = "Z=9v" },
        { .name = "padding before a letter", .text = "Zm=v" },
        { .name = "padding at the start", .text = "=m9v" },
        { .name = "blank in front", .text = " Zm9v" },
        { .name = "four blanks in front", .text = "    Zm9v" },
        { .name = "blank instead of a letter", .text = "Zm 9" },
        { .name = "blank that was a plus", .text = " /+/" },
        { .name = "newline behind", .text = "Zm9v\n" },
        { .name = "four newlines behind", .text = "Zm9v\n\n\n\n" },
        { .name = "line break within", .text = "Zm9v\r\n\r\nZm9v" },
        { .name = "blanks alone", .text = "    " },
        { .name = "tab", .text = "Zm9\t" },
        { .name = "letters of base64url", .text = "-_-_" },
        { .name = "minus at the end", .text = "Zm9-" },
        { .name = "four minus signs at the end", .text = "Zm9v----" },
        { .name = "stray bits before one =", .text = "Zm9=" },
        { .name = "stray bits before two =", .text = "Zh==" },
        { .name = "high bytes", .text = "\xc3\xa9\xc3\xa9" },
        { .name = "NUL within", .text = "Zm\0v", .size = 4 },
        { .name = "NUL at the end", .text = "Zm9v\0\0\0", .size = 8 },
        { .name = "hash", .text = "####" },
};

static void refuses(void **state)
{
        const struct refusal *const row = *state;
        const size_t text_size = row->size ? row->size : strlen(row->text);
        uint8_t bytes[64];
        size_t size = 99;
        assert_false(base64_decode(row->text, text_size, bytes, &size));
        assert_int_equal(size, 99);
}

struct length {
        const char *name;
        size_t size;
};

static const struct length lengths[] = {
        { .name = "one piece", .size = 3 << 20 },
        { .name = "a piece and a byte", .size = (3 << 20) + 1 },
        { .name = "a piece less a byte", .size = (3 << 20) - 1 },
        { .name = "three pieces and some", .size = 3 * (3 << 20) + 5 },
};

/* The buffers are as large as the header says and no larger: a sanitizer sees a byte too many. */
static void goes_both_ways_at_length(void **state)
{
        const struct length *const row = *state;
        const size_t text_size = base64_encoded_size(row->size);
        uint8_t *const bytes = malloc(row->size);
        memory_auto char *text = malloc(text_size + 1);
        memory_auto uint8_t *again = malloc(base64_decoded_size(text_size));
        size_t size = 0;
        for (size_t i = 0; i < row->size; i++)
                bytes[i] = (uint8_t)(i * 7 + i / 251);
        assert_int_equal(base64_encode(bytes, row->size, text), text_size);
        assert_true(base64_decode(text, text_size, again, &size));
        assert_int_equal(size, row->size);
        assert_int_equal(memcmp(bytes, again, size), 0);
        free(bytes);
        text[text_size / 2] = ' ';
        assert_false(base64_decode(text, text_size, again, &size));
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, goes_both_ways, vectors);
        ROWS_ADD(&all, refuses, refusals);
        ROWS_ADD(&all, goes_both_ways_at_length, lengths);
        return rows_run("base64", &all);
}
