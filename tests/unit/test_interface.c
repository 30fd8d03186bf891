/* test_interface.c: interfaces by name and number, of the daemon and of a socket. */
#include "daemon/sockets/interface.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/rows.h"

static void expect_loopback(void)
{
        char name[IF_NAMESIZE];
        const unsigned index = if_nametoindex("lo");
        assert_int_equal(interface_index("lo"), index);
        assert_true(interface_name(index, name));
        assert_string_equal(name, "lo");
        assert_int_equal(interface_index("nosuch0"), 0);
        assert_int_equal(interface_index("a-name-that-is-far-too-long"), 0);
        assert_false(interface_name(0x7ffffff0, name));
}

static void finds(void **state)
{
        static const int families[] = { AF_INET, AF_INET6, AF_UNIX, AF_NETLINK };
        (void)state;
        expect_loopback();
        for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
                const int fd = socket(families[i], SOCK_DGRAM | SOCK_CLOEXEC, 0);
                {
                        INTERFACES_OF(fd);
                        expect_loopback();
                }
                close(fd);
        }
        expect_loopback();
}

/* Within a scope that ended, and one that did not begin, the daemon's are meant. */
static void nests(void **state)
{
        (void)state;
        INTERFACES_OF(1 << 20); /* no descriptor */
        assert_int_equal(interface_index("lo"), 0);
        assert_int_equal(interfaces_enter(-1), 1 << 20);
        expect_loopback();
        assert_int_equal(interfaces_enter(1 << 20), -1);
        assert_int_equal(interface_index("lo"), 0);
}

int main(void)
{
        static struct row_tests all;
        rows_add_one(&all, "finds", finds);
        rows_add_one(&all, "nests", nests);
        return rows_run("interface", &all);
}
