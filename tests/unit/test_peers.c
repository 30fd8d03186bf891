/* test_peers.c: connections are counted by address, and the table stays sound however they come and go. */
#include "daemon/peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "tests/unit/rows.h"

/* An address of either family, or of AF_UNIX for "". */
static struct sockaddr_storage address_of(const char *text)
{
        struct sockaddr_storage out = { .ss_family = AF_UNIX };
        struct sockaddr_in *const four = (struct sockaddr_in *)&out;
        struct sockaddr_in6 *const six = (struct sockaddr_in6 *)&out;
        if (strchr(text, ':') != NULL) {
                out.ss_family = AF_INET6;
                assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
        } else if (text[0] != '\0') {
                out.ss_family = AF_INET;
                assert_int_equal(inet_pton(AF_INET, text, &four->sin_addr), 1);
        }
        return out;
}

static bool enter(struct peers *peers, const char *text)
{
        const struct sockaddr_storage address = address_of(text);
        return peers_enter(peers, (const struct sockaddr *)&address);
}

static void leave(struct peers *peers, const char *text)
{
        const struct sockaddr_storage address = address_of(text);
        peers_leave(peers, (const struct sockaddr *)&address);
}

/* Where one connection may come from each address: whether the second may. */
static const struct second_row {
        const char *name, *first, *second;
        bool spare_loopback, enters;
} second_rows[] = {
        { "the same", "192.0.2.1", "192.0.2.1", false, false },
        { "another", "192.0.2.1", "192.0.2.2", false, true },
        { "the same, mapped to IPv6", "192.0.2.1", "::ffff:192.0.2.1", false, false },
        { "another, mapped to IPv6", "192.0.2.1", "::ffff:192.0.2.2", false, true },
        { "the same /64", "2001:db8::1", "2001:db8::ffff:0:0:1", false, false },
        { "another /64", "2001:db8::1", "2001:db8:0:1::1", false, true },
        { "loopback", "127.0.0.1", "127.0.0.1", false, false },
        { "loopback, spared", "127.0.0.1", "127.0.0.1", true, true },
        { "all of loopback, spared", "127.9.9.9", "127.9.9.9", true, true },
        { "mapped loopback, spared", "::ffff:127.0.0.1", "::ffff:127.0.0.1", true, true },
        { "IPv6 loopback, spared", "::1", "::1", true, true },
        { "others, while loopback is spared", "192.0.2.1", "192.0.2.1", true, false },
        { "unix sockets", "", "", false, true },
};

static void limits_each(void **state)
{
        const struct second_row *const row = *state;
        struct peers *const peers = peers_new(4, 1, row->spare_loopback);
        assert_true(enter(peers, row->first));
        assert_int_equal(enter(peers, row->second), row->enters);
        leave(peers, row->first);
        if (row->enters)
                leave(peers, row->second);
        assert_true(enter(peers, row->second));
        peers_free(peers);
}

/* Against a plain array of counts, at random, in a table as full as it may be. */
static void counts_at_random(void **state)
{
        enum { ADDRESSES = 24, TOTAL = 16, EACH = 3, ROUNDS = 200000 };
        struct peers *const peers = peers_new(TOTAL, EACH, false);
        unsigned counts[ADDRESSES] = { 0 }, total = 0, seed = 1;
        (void)state;
        for (int round = 0; round < ROUNDS; round++) {
                char text[32];
                seed = seed * 1103515245 + 12345;
                const unsigned at = (seed >> 16) % ADDRESSES;
                snprintf(text, sizeof text, "192.0.2.%u", at);
                if ((seed >> 8) % 2 == 0 && total < TOTAL) {
                        const bool enters = enter(peers, text);
                        assert_int_equal(enters, counts[at] < EACH);
                        counts[at] += enters;
                        total += enters;
                } else if (counts[at] > 0) {
                        leave(peers, text);
                        counts[at]--;
                        total--;
                }
        }
        peers_free(peers);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, limits_each, second_rows);
        rows_add_one(&all, "counts at random", counts_at_random);
        return rows_run("peers", &all);
}
