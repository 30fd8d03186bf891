/* option.c: the rows of the socket options, and setting and reading them. */
#include "daemon/sockets/option.h"

#include <linux/icmp.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

const struct option options[] = {
#define LEVEL(group, level_name)
#define OPTION(group, level_name, option, kind_name, access_name, ...)                                       \
        { .name = #option,                                                                                   \
                .level = (level_name),                                                                       \
                .number = (int)(option),                                                                     \
                .kind = OPTION_##kind_name,                                                                  \
                .access = OPTION_##access_name,                                                              \
                .help = __VA_ARGS__ },
#define LEVEL_END(group)
#include "daemon/sockets/option.def"
#undef LEVEL
#undef OPTION
#undef LEVEL_END
};

const size_t option_count = sizeof options / sizeof *options;

/* Where each level's rows begin and end, in options and in the names alike. */
enum {
#define LEVEL(group, level) group##_begin, group##_before = group##_begin - 1,
#define OPTION(group, level, option, kind, access, ...) group##_at_##option,
#define LEVEL_END(group) group##_end, group##_last = group##_end - 1,
#include "daemon/sockets/option.def"
#undef LEVEL
#undef OPTION
#undef LEVEL_END
};

static const struct name option_names[] = {
#define LEVEL(group, level)
#define OPTION(group, level, option, kind, access, ...) { .name = #option, .number = (long)(option) },
#define LEVEL_END(group)
#include "daemon/sockets/option.def"
#undef LEVEL
#undef OPTION
#undef LEVEL_END
};

#define LEVEL(group, level)                                                                                  \
        const struct names group##_names = {                                                                 \
                .title = #group,                                                                             \
                .rows = option_names + group##_begin,                                                        \
                .count = (size_t)(group##_end - group##_begin),                                              \
        };
#define OPTION(group, level, option, kind, access, ...)
#define LEVEL_END(group)
#include "daemon/sockets/option.def"
#undef LEVEL
#undef OPTION
#undef LEVEL_END

static const struct {
        int level;
        const struct names *names;
} levels_known[] = {
#define LEVEL(group, level) { level, &group##_names },
#define OPTION(group, level, option, kind, access, ...)
#define LEVEL_END(group)
#include "daemon/sockets/option.def"
#undef LEVEL
#undef OPTION
#undef LEVEL_END
};

const struct names *option_level_names(int level)
{
        for (size_t i = 0; i < sizeof levels_known / sizeof *levels_known; i++)
                if (levels_known[i].level == level)
                        return levels_known[i].names;
        return NULL;
}

const struct option *option_by_number(int level, int number)
{
        for (size_t i = 0; i < option_count; i++)
                if (options[i].level == level && options[i].number == number)
                        return &options[i];
        return NULL;
}

static bool is_named(const struct option *option, const char *name, size_t size)
{
        return strlen(option->name) == size && memcmp(option->name, name, size) == 0;
}

const struct option *option_by_name(int level, const char *name, size_t size)
{
        for (size_t i = 0; i < option_count; i++)
                if (options[i].level == level && is_named(&options[i], name, size))
                        return &options[i];
        return NULL;
}

const struct option *option_elsewhere(const char *name, size_t size)
{
        for (size_t i = 0; i < option_count; i++)
                if (is_named(&options[i], name, size))
                        return &options[i];
        return NULL;
}

enum { SETTING = 1, GETTING = 2 };

/* Options whose bytes hold addresses of the daemon's memory, which the kernel would read or even write, or
 * that open or take one of its descriptors: never for a caller on the other side of HTTP. */
static const struct {
        int level, number, when;
} forbidden[] = {
        { SOL_SOCKET, SO_ATTACH_FILTER, SETTING }, { SOL_SOCKET, SO_ATTACH_BPF, SETTING },
        { SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, SETTING }, { SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, SETTING },
        { SOL_SOCKET, SO_ZEROCOPY, SETTING },   /* what is sent is freed before it has left */
        { SOL_SOCKET, 77, GETTING },            /* SO_PEERPIDFD opens a descriptor */
        { IPPROTO_IP, 64, SETTING },            /* IPT_SO_SET_REPLACE */
        { IPPROTO_IP, 96, SETTING },            /* ARPT_SO_SET_REPLACE */
        { IPPROTO_IP, 128, SETTING | GETTING }, /* EBT_SO_SET_ENTRIES */
        { IPPROTO_IP, 129, SETTING | GETTING }, /* EBT_SO_SET_COUNTERS, EBT_SO_GET_ENTRIES */
        { IPPROTO_IP, 131, GETTING },           /* EBT_SO_GET_INIT_ENTRIES */
        { IPPROTO_IPV6, 64, SETTING },          /* IP6T_SO_SET_REPLACE */
        { IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, SETTING | GETTING },
        { IPPROTO_SCTP, 102, GETTING }, /* SCTP_SOCKOPT_PEELOFF opens a descriptor */
        { IPPROTO_SCTP, 111, GETTING }, /* SCTP_SOCKOPT_CONNECTX3 */
        { IPPROTO_SCTP, 122, GETTING }, /* SCTP_SOCKOPT_PEELOFF_FLAGS opens one too */
        { SOL_PACKET, PACKET_FANOUT_DATA, SETTING }, { SOL_XDP, 4, SETTING }, /* XDP_UMEM_REG */
        { SOL_RDS, 2, SETTING },                                              /* RDS_GET_MR */
        { SOL_RDS, 7, SETTING },                                              /* RDS_GET_MR_FOR_DEST */
};

static bool is_forbidden(int level, int number, int when)
{
        for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
                if (forbidden[i].level == level && forbidden[i].number == number && forbidden[i].when & when)
                        return true;
        return false;
}

static struct result refuse_forbidden(void)
{
        return unsound("option",
                "option: cannot be used from outside: it works on addresses or descriptors of the daemon");
}

/* seccomp: getsockopt setsockopt */
static struct result set_dont_linger(int fd, const void *bytes, size_t size)
{
        int dont;
        struct linger linger;
        if (size < sizeof dont)
                return refused("setsockopt", EINVAL);
        memcpy(&dont, bytes, sizeof dont);
        TRY(check(
                "getsockopt", getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &(socklen_t){ sizeof linger })));
        linger.l_onoff = dont ? 0 : 1;
        return check("setsockopt", setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
}

static struct result get_dont_linger(int fd, void *bytes, size_t *size)
{
        struct linger linger;
        TRY(check(
                "getsockopt", getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &(socklen_t){ sizeof linger })));
        const int dont = linger.l_onoff ? 0 : 1;
        if (*size > sizeof dont)
                *size = sizeof dont;
        memcpy(bytes, &dont, *size);
        return DONE;
}

/* seccomp: setsockopt */
struct result option_set(int fd, int level, int number, const void *bytes, size_t size)
{
        if (is_forbidden(level, number, SETTING))
                return refuse_forbidden();
        if (level == SOL_SOCKET && number == SO_DONTLINGER)
                return set_dont_linger(fd, bytes, size);
        return check("setsockopt", setsockopt(fd, level, number, bytes, (socklen_t)size));
}

/* seccomp: getsockopt */
struct result option_get(int fd, int level, int number, void *bytes, size_t *size)
{
        if (is_forbidden(level, number, GETTING))
                return refuse_forbidden();
        if (level == SOL_SOCKET && number == SO_DONTLINGER)
                return get_dont_linger(fd, bytes, size);
        /* Some options read the buffer too: they must find nothing in it. */
        memset(bytes, 0, *size);
        socklen_t came = (socklen_t)*size;
        TRY(check("getsockopt", getsockopt(fd, level, number, bytes, &came)));
        /* A few say how much there would have been, rather than how much came. */
        if (came < *size)
                *size = came;
        return DONE;
}

size_t option_levels(int family, int protocol, int levels[LEVELS_MOST])
{
        enum { ANY = -1 };
        static const struct {
                int level, family, protocol;
        } rows[] = {
                { SOL_SOCKET, ANY, ANY },
                { IPPROTO_TCP, ANY, IPPROTO_TCP },
                { IPPROTO_TCP, ANY, IPPROTO_MPTCP },
                { IPPROTO_UDP, ANY, IPPROTO_UDP },
                { IPPROTO_IP, AF_INET, ANY },
                { IPPROTO_IPV6, AF_INET6, ANY },
                { IPPROTO_IP, AF_INET6, ANY },
                { SOL_RAW, AF_INET, IPPROTO_ICMP },
                { SOL_PACKET, AF_PACKET, ANY },
                { SOL_NETLINK, AF_NETLINK, ANY },
                { AF_VSOCK, AF_VSOCK, ANY },
        };
        const bool internet = family == AF_INET || family == AF_INET6;
        size_t count = 0;
        for (size_t i = 0; i < sizeof rows / sizeof *rows && count < LEVELS_MOST; i++)
                if ((rows[i].family == ANY || rows[i].family == family) &&
                        (rows[i].protocol == ANY || (internet && rows[i].protocol == protocol)))
                        levels[count++] = rows[i].level;
        return count;
}
