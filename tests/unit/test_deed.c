/* test_deed.c: what making sockets and setting options is, by name, number and bytes alike. */
#include "daemon/sockets/deed.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/unit/rows.h"

struct option_row {
        const char *name;
        int level, option;
        const char *bytes;
        size_t size;
        const char *deed;
        enum risk risk;
};

#define BYTES(text) (text), sizeof(text) - 1

static const struct option_row option_rows[] = {
        { "ordinary", SOL_SOCKET, SO_REUSEADDR, BYTES("\1\0\0\0"), "option SOL_SOCKET SO_REUSEADDR",
                RISK_NONE },
        { "not known by name", 1234, 5, BYTES(""), "option 1234 5", RISK_NONE },
        { "mark", SOL_SOCKET, SO_MARK, BYTES("\1\0\0\0"), "option SOL_SOCKET SO_MARK", RISK_SOME },
        { "device", SOL_SOCKET, SO_BINDTODEVICE, BYTES("lo"), "device lo", RISK_SOME },
        { "device, terminated", SOL_SOCKET, SO_BINDTODEVICE, BYTES("lo\0x"), "device lo", RISK_SOME },
        { "no such device", SOL_SOCKET, SO_BINDTODEVICE, BYTES("nosuch0"), "device ", RISK_SOME },
        { "long device", SOL_SOCKET, SO_BINDTODEVICE, BYTES("0123456789abcdefghij"), "device ", RISK_SOME },
        { "any device", SOL_SOCKET, SO_BINDTODEVICE, BYTES(""), "option SOL_SOCKET SO_BINDTODEVICE",
                RISK_NONE },
        { "device by index", SOL_SOCKET, SO_BINDTOIFINDEX, BYTES("\1\0\0\0"), "device lo", RISK_SOME },
        { "device by no index", SOL_SOCKET, SO_BINDTOIFINDEX, BYTES("\xff\xff\xff\xff"), "device ",
                RISK_SOME },
        { "group", IPPROTO_IP, IP_ADD_MEMBERSHIP, BYTES("\xef\1\2\3\0\0\0\0"), "join 239.1.2.3:0",
                RISK_SOME },
        { "group of mreqn", IPPROTO_IP, IP_ADD_MEMBERSHIP, BYTES("\xef\1\2\3\0\0\0\0\1\0\0\0"),
                "join 239.1.2.3:0", RISK_SOME },
        { "group, cut", IPPROTO_IP, IP_ADD_MEMBERSHIP, BYTES("\xef\1\2"), "join AF_INET", RISK_SOME },
        { "group and source", IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, BYTES("\xe8\1\2\3\0\0\0\0\1\1\1\1"),
                "join 232.1.2.3:0", RISK_SOME },
        { "IPv6 group", IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP,
                BYTES("\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\1\1\0\0\0"), "join [ff02::1]:0", RISK_SOME },
        { "leaving", IPPROTO_IP, IP_DROP_MEMBERSHIP, BYTES("\xef\1\2\3\0\0\0\0"),
                "option IPPROTO_IP IP_DROP_MEMBERSHIP", RISK_NONE },
        { "record route", IPPROTO_IP, IP_OPTIONS, BYTES("\7\7\4\0\0\0\0\0"), "option IPPROTO_IP IP_OPTIONS",
                RISK_NONE },
        { "source route", IPPROTO_IP, IP_OPTIONS, BYTES("\203\7\4\1\2\3\4\0"), "option IPPROTO_IP IP_OPTIONS",
                RISK_DETOUR },
        { "strict source route behind others", IPPROTO_IP, IP_OPTIONS, BYTES("\1\7\3\4\1\211\7\4\1\2\3\4"),
                "option IPPROTO_IP IP_OPTIONS", RISK_DETOUR },
        { "options that cannot be read", IPPROTO_IP, IP_OPTIONS, BYTES("\7\1"),
                "option IPPROTO_IP IP_OPTIONS", RISK_DETOUR },
        { "options that end early", IPPROTO_IP, IP_OPTIONS, BYTES("\7\11\4\0"),
                "option IPPROTO_IP IP_OPTIONS", RISK_DETOUR },
        { "routing header", IPPROTO_IPV6, IPV6_RTHDR, BYTES("\0\2\0\1"), "option IPPROTO_IPV6 IPV6_RTHDR",
                RISK_DETOUR },
        { "flow label", IPPROTO_IPV6, 32, BYTES("\0"), "option IPPROTO_IPV6 32", RISK_DETOUR },
        { "no routing header", IPPROTO_IPV6, IPV6_RTHDR, BYTES(""), "option IPPROTO_IPV6 IPV6_RTHDR",
                RISK_NONE },
};

static void names_options(void **state)
{
        const struct option_row *const row = *state;
        struct deed deed = { .family = AF_INET, .type = SOCK_DGRAM };
        struct target target;
        char text[256];
        deed_of_option(&deed, &target, row->level, row->option, row->bytes, row->size);
        assert_string_equal(deed_format(&deed, text, sizeof text), row->deed);
        assert_int_equal(deed.risk, row->risk);
}

/* struct group_req has holes, so these are no bytes in a row. */
static void names_groups_of_any_family(void **state)
{
        (void)state;
        struct deed deed = { .family = AF_INET };
        struct target target;
        char text[256];
        struct group_source_req group = { .gsr_interface = 1 };
        const struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xef010203) };
        memcpy(&group.gsr_group, &in, sizeof in);
        deed_of_option(&deed, &target, IPPROTO_IP, MCAST_JOIN_GROUP, &group, sizeof(struct group_req));
        assert_string_equal(deed_format(&deed, text, sizeof text), "join 239.1.2.3:0");
        deed_of_option(&deed, &target, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, &group, sizeof group);
        assert_string_equal(deed_format(&deed, text, sizeof text), "join 239.1.2.3:0");
        deed_of_option(&deed, &target, IPPROTO_IP, MCAST_JOIN_GROUP, &group, 10);
        assert_string_equal(deed_format(&deed, text, sizeof text), "join AF_UNSPEC");
}

struct socket_row {
        const char *name;
        int family, type, protocol;
        const char *deed;
        enum risk risk;
};

static const struct socket_row socket_rows[] = {
        { "TCP", AF_INET, SOCK_STREAM, 0, "socket AF_INET SOCK_STREAM", RISK_NONE },
        { "UDP over IPv6", AF_INET6, SOCK_DGRAM, 0, "socket AF_INET6 SOCK_DGRAM", RISK_NONE },
        { "unix", AF_UNIX, SOCK_SEQPACKET, 0, "socket AF_UNIX SOCK_SEQPACKET", RISK_NONE },
        { "raw", AF_INET, SOCK_RAW, IPPROTO_ICMP, "socket AF_INET SOCK_RAW", RISK_SOME },
        { "raw with flags", AF_INET, SOCK_RAW | SOCK_CLOEXEC, 255, "socket AF_INET SOCK_RAW", RISK_SOME },
        { "packet", AF_PACKET, SOCK_DGRAM, 0, "socket AF_PACKET SOCK_DGRAM", RISK_SOME },
        { "packet of old", AF_INET, SOCK_PACKET, 0, "socket AF_INET SOCK_PACKET", RISK_SOME },
        { "netlink", AF_NETLINK, SOCK_RAW, 0, "socket AF_NETLINK SOCK_RAW", RISK_SOME },
        { "SCTP", AF_INET, SOCK_STREAM, IPPROTO_SCTP, "socket AF_INET SOCK_STREAM", RISK_SOME },
        { "unknown", 200, 9, 0, "socket 200 9", RISK_SOME },
};

static void names_sockets(void **state)
{
        const struct socket_row *const row = *state;
        const struct deed deed = deed_of_socket(row->family, row->type, row->protocol);
        char text[256];
        assert_string_equal(deed_format(&deed, text, sizeof text), row->deed);
        assert_int_equal(deed.risk, row->risk);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, names_options, option_rows);
        ROWS_ADD(&all, names_sockets, socket_rows);
        rows_add_one(&all, "groups of any family", names_groups_of_any_family);
        return rows_run("deed", &all);
}
