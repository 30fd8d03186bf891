/* test_pcapng.c: the blocks of a capture, word for word. */
#include "api/pcapng.h"

#include "tests/unit/rows.h"

/* Words are in the host's order, as the file's magic says; texts are bytes. */
struct expected {
        uint8_t bytes[512];
        size_t size;
};

static void expect_word(struct expected *expected, uint32_t word)
{
        memcpy(expected->bytes + expected->size, &word, sizeof word);
        expected->size += sizeof word;
}

static void expect_halves(struct expected *expected, uint16_t first, uint16_t second)
{
        memcpy(expected->bytes + expected->size, &first, sizeof first);
        memcpy(expected->bytes + expected->size + 2, &second, sizeof second);
        expected->size += 4;
}

static void expect_bytes(struct expected *expected, const char *bytes, size_t size)
{
        if (size > 0)
                memcpy(expected->bytes + expected->size, bytes, size);
        expected->size += size;
}

static void expect_print(const struct expected *expected, struct print *print)
{
        assert_false(print->failed);
        assert_int_equal(print->size, expected->size);
        assert_memory_equal(print->bytes, expected->bytes, expected->size);
        free(print->bytes);
}

static void test_beginning(void **state)
{
        struct print print = { 0 };
        struct expected expected = { .size = 0 };
        (void)state;
        pcapng_begin(&print, LINK_IPV4, "abcde");
        expect_word(&expected, 0x0A0D0D0A);
        expect_word(&expected, 28);
        expect_word(&expected, 0x1A2B3C4D);
        expect_halves(&expected, 1, 0);
        expect_word(&expected, UINT32_MAX);
        expect_word(&expected, UINT32_MAX);
        expect_word(&expected, 28);
        expect_word(&expected, 1);
        expect_word(&expected, 44);
        expect_halves(&expected, 228, 0);
        expect_word(&expected, PCAPNG_PACKET_MOST);
        expect_halves(&expected, 2, 5);
        expect_bytes(&expected, "abcde\0\0\0", 8);
        expect_halves(&expected, 9, 1);
        expect_bytes(&expected, "\x09\0\0\0", 4);
        expect_halves(&expected, 0, 0);
        expect_word(&expected, 44);
        expect_print(&expected, &print);
}

static const struct packet_row {
        const char *name;
        struct pcapng_packet packet;
        uint32_t flags;
        const char *padding;
        const char *option; /* the comment's text with its padding; "" for none */
} packet_rows[] = {
        { "sent, with a comment",
                { .time = { 1, 2 },
                        .outbound = true,
                        .comment = "hi",
                        .bytes = (const uint8_t *)"abc",
                        .size = 3 },
                2, "\0", "hi\0\0" },
        { "received, without one", { .time = { 4, 999999999 }, .bytes = (const uint8_t *)"abcd", .size = 4 },
                1, NULL, NULL },
        { "empty", { .time = { 4, 0 } }, 1, NULL, NULL },
};

static void test_packet(void **state)
{
        const struct packet_row *const row = *state;
        const struct pcapng_packet *const packet = &row->packet;
        const uint64_t time = (uint64_t)packet->time.tv_sec * 1000000000 + (uint64_t)packet->time.tv_nsec;
        const size_t padding = row->padding == NULL ? 0 : 1, option = row->option == NULL ? 0 : 8;
        const uint32_t length = (uint32_t)(44 + packet->size + padding + option);
        struct print print = { 0 };
        struct expected expected = { .size = 0 };
        pcapng_add(&print, packet);
        expect_word(&expected, 6);
        expect_word(&expected, length);
        expect_word(&expected, 0);
        expect_word(&expected, (uint32_t)(time >> 32));
        expect_word(&expected, (uint32_t)time);
        expect_word(&expected, (uint32_t)packet->size);
        expect_word(&expected, (uint32_t)packet->size);
        expect_bytes(&expected, (const char *)packet->bytes, packet->size);
        expect_bytes(&expected, row->padding, padding);
        if (row->option != NULL) {
                expect_halves(&expected, 1, (uint16_t)strlen(packet->comment));
                expect_bytes(&expected, row->option, 4);
        }
        expect_halves(&expected, 2, 4);
        expect_word(&expected, row->flags);
        expect_halves(&expected, 0, 0);
        expect_word(&expected, length);
        expect_print(&expected, &print);
}

/* What readers would not take is cut, and its length told. */
static void test_long(void **state)
{
        static const uint8_t bytes[PCAPNG_PACKET_MOST + 5];
        const struct pcapng_packet packet = { .bytes = bytes, .size = sizeof bytes };
        struct print print = { 0 };
        uint32_t sizes[2];
        (void)state;
        pcapng_add(&print, &packet);
        assert_int_equal(print.size, PCAPNG_PACKET_MOST + 44);
        memcpy(sizes, print.bytes + 20, sizeof sizes);
        assert_int_equal(sizes[0], PCAPNG_PACKET_MOST);
        assert_int_equal(sizes[1], PCAPNG_PACKET_MOST + 5);
        free(print.bytes);
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        rows_add_one(&all, "beginning", test_beginning);
        ROWS_ADD(&all, test_packet, packet_rows);
        rows_add_one(&all, "a long packet", test_long);
        return rows_run("pcapng", &all);
}
