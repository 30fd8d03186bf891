/* test_name.c: constants by name and number, both ways, doubles, and what was meant. */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "daemon/sockets/name.h"
#include "daemon/sockets/option.h"
#include "tests/unit/rows.h"

struct pair {
        const char *title;
        const struct names *names;
        const char *name;
        long number;
        const char *said; /* NULL: the same name */
};

static const struct pair pairs[] = {
        { "a family", &family_names, "AF_INET6", AF_INET6, NULL },
        { "AF_UNIX is said, not AF_LOCAL", &family_names, "AF_LOCAL", AF_UNIX, "AF_UNIX" },
        { "AF_NETLINK is said, not AF_ROUTE", &family_names, "AF_ROUTE", AF_NETLINK, "AF_NETLINK" },
        { "a type", &type_names, "SOCK_SEQPACKET", SOCK_SEQPACKET, NULL },
        { "a protocol", &protocol_names, "IPPROTO_MPTCP", 262, NULL },
        { "IPPROTO_IP is said of 0", &protocol_names, "IPPROTO_HOPOPTS", 0, "IPPROTO_IP" },
        { "a level", &level_names, "SOL_SOCKET", SOL_SOCKET, NULL },
        { "SOL_TCP is said IPPROTO_TCP", &level_names, "SOL_TCP", 6, "IPPROTO_TCP" },
        { "a message flag", &message_flag_names, "MSG_PEEK", MSG_PEEK, NULL },
        { "a way of shutting down", &shutdown_names, "SHUT_WR", SHUT_WR, NULL },
        { "an errno", &errno_names, "ECONNREFUSED", ECONNREFUSED, NULL },
        { "EAGAIN before EWOULDBLOCK", &errno_names, "EWOULDBLOCK", EAGAIN, "EAGAIN" },
        { "EOPNOTSUPP before ENOTSUP", &errno_names, "ENOTSUP", EOPNOTSUPP, "EOPNOTSUPP" },
        { "EDEADLK before EDEADLOCK", &errno_names, "EDEADLOCK", EDEADLK, "EDEADLK" },
        { "a getaddrinfo flag", &ai_flag_names, "AI_PASSIVE", AI_PASSIVE, NULL },
        { "a getnameinfo flag", &ni_flag_names, "NI_DGRAM", NI_DGRAM, NULL },
        { "a negative number", &eai_names, "EAI_NONAME", EAI_NONAME, NULL },
        { "a TCP state", &tcp_state_names, "TCP_LISTEN", TCP_LISTEN, NULL },
        { "a socket option", &socket_option_names, "SO_REUSEADDR", SO_REUSEADDR, NULL },
        { "a TCP option", &tcp_option_names, "TCP_NODELAY", TCP_NODELAY, NULL },
};

static void both_ways(void **state)
{
        const struct pair *row = *state;
        long number = -1;
        assert_true(name_number(row->names, row->name, strlen(row->name), &number));
        assert_int_equal(number, row->number);
        assert_string_equal(name_of(row->names, number), row->said ? row->said : row->name);
}

struct slip {
        const char *title;
        const struct names *names;
        const char *text;
        const char *meant; /* NULL: nothing */
};

static const struct slip slips[] = {
        { "a letter left out", &family_names, "AF_INT", "AF_INET" },
        { "letters swapped", &socket_option_names, "SO_RESUEADDR", "SO_REUSEADDR" },
        { "small letters", &tcp_option_names, "tcp_nodelay", "TCP_NODELAY" },
        { "no prefix", &family_names, "inet6", "AF_INET6" },
        { "a letter too many", &errno_names, "ECONNREFUSEDD", "ECONNREFUSED" },
        { "nothing like it", &family_names, "BANANA_SPLIT", NULL },
        { "nothing at all", &family_names, "", NULL },
};

static void nearest(void **state)
{
        const struct slip *row = *state;
        const char *found = name_nearest(row->names, row->text, strlen(row->text));
        if (row->meant)
                assert_string_equal(found, row->meant);
        else
                assert_null(found);
}

static void unknown_leaves_the_number_alone(void **state)
{
        (void)state;
        long number = 42;
        assert_false(name_number(&family_names, "AF_INET6", 6, &number));
        assert_false(name_number(&family_names, "AF_INET66", 9, &number));
        assert_int_equal(number, 42);
        assert_true(name_number(&family_names, "AF_INET6", 7, &number));
        assert_int_equal(number, AF_INET);
        assert_null(name_of(&family_names, 12345));
}

static void distance_has_a_limit(void **state)
{
        (void)state;
        char huge[4096];
        memset(huge, 'A', sizeof huge);
        assert_int_equal(name_distance("AF_INET", 7, "AF_INET", 4), 0);
        assert_int_equal(name_distance("AF_INTE", 7, "AF_INET", 4), 2);
        assert_int_equal(name_distance("XYZ", 3, "AF_INET", 3), 3);
        assert_int_equal(name_distance(huge, sizeof huge, "AF_INET", 4), 4);
        assert_int_equal(name_distance("", 0, "", 1), 0);
        assert_null(name_nearest(&errno_names, huge, sizeof huge));
}

static void all_groups_are_listed_once(void **state)
{
        (void)state;
        size_t count = 0;
        for (; all_names[count]; count++) {
                assert_true(all_names[count]->count > 0);
                for (size_t i = 0; i < count; i++)
                        assert_string_not_equal(all_names[i]->title, all_names[count]->title);
        }
        assert_true(count >= 15);
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        ROWS_ADD(&all, both_ways, pairs);
        ROWS_ADD(&all, nearest, slips);
        rows_add_one(&all, "unknown leaves the number alone", unknown_leaves_the_number_alone);
        rows_add_one(&all, "distance has a limit", distance_has_a_limit);
        rows_add_one(&all, "all groups are listed once", all_groups_are_listed_once);
        return rows_run("name", &all);
}
