/* test_packet.c: packets byte for byte; the bytes were made by another implementation, checksums and all. */
#include "api/packet.h"

#include <netinet/in.h>

#include "tests/unit/rows.h"

static const struct packet_row {
        const char *name, *from, *to;
        struct packet packet;
        const char *payload, *bytes;
} packet_rows[] = {
        { "a SYN", "127.0.0.1:1000", "127.0.0.2:80", { .protocol = IPPROTO_TCP, .flags = TCP_SYN }, "",
                "450000280000400040063ccd7f0000017f00000203e8005000000000000000005002ffffada70000" },
        { "an odd payload", "127.0.0.1:1000", "127.0.0.2:80",
                { .protocol = IPPROTO_TCP,
                        .flags = TCP_PSH | TCP_ACK,
                        .sequence = 1,
                        .acknowledged = 0xfffffffe },
                "odd",
                "4500002b0000400040063cca7f0000017f00000203e8005000000001fffffffe5018ffffda2900006f6464" },
        { "a datagram", "127.0.0.1:1000", "127.0.0.2:80", { .protocol = IPPROTO_UDP }, "even",
                "450000200000400040113cca7f0000017f00000203e80050000c32b66576656e" },
        { "a checksum of 0", "127.0.0.1:1000", "127.0.0.2:80", { .protocol = IPPROTO_UDP }, "\xfd\x9e",
                "4500001e0000400040113ccc7f0000017f00000203e80050000afffffd9e" },
        { "a datagram of IPv6", "[::1]:1000", "[2001:db8::2]:80", { .protocol = IPPROTO_UDP }, "hello",
                "60000000000d11400000000000000000000000000000000120010db800000000000000000000000203e80050000d"
                "8a0e"
                "68656c6c6f" },
        { "a FIN of IPv6", "[::1]:1000", "[2001:db8::2]:80",
                { .protocol = IPPROTO_TCP, .flags = TCP_FIN | TCP_ACK, .sequence = 15, .acknowledged = 5001 },
                "",
                "60000000001406400000000000000000000000000000000120010db800000000000000000000000203e80050"
                "0000000f000013895011ffff6a480000" },
};

static void test_packet(void **state)
{
        const struct packet_row *const row = *state;
        static uint8_t bytes[PACKET_MOST];
        char digits[512] = "";
        struct address from, to;
        assert_int_equal(address_parse(row->from, &from).kind, RESULT_DONE);
        assert_int_equal(address_parse(row->to, &to).kind, RESULT_DONE);
        struct packet packet = row->packet;
        packet.from = &from;
        packet.to = &to;
        packet.payload = (const uint8_t *)row->payload;
        packet.size = strlen(row->payload);
        const size_t size = packet_write(&packet, bytes);
        assert_in_range(size, 1, sizeof digits / 2 - 1);
        for (size_t i = 0; i < size; i++)
                snprintf(digits + 2 * i, 3, "%02x", bytes[i]);
        assert_string_equal(digits, row->bytes);
}

static void test_largest(void **state)
{
        static uint8_t payload[PACKET_PAYLOAD_MOST], bytes[PACKET_MOST];
        struct address address;
        (void)state;
        assert_int_equal(address_parse("[::1]:1", &address).kind, RESULT_DONE);
        const struct packet packet = { .from = &address,
                .to = &address,
                .protocol = IPPROTO_TCP,
                .payload = payload,
                .size = sizeof payload };
        assert_int_equal(packet_write(&packet, bytes), PACKET_MOST);
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        ROWS_ADD(&all, test_packet, packet_rows);
        rows_add_one(&all, "the largest", test_largest);
        return rows_run("packet", &all);
}
