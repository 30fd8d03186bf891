/* deed.c: what is about to be done, as the rules of a policy see it. */
#include "daemon/sockets/deed.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/sockets/interface.h"
#include "daemon/sockets/name.h"
#include "daemon/sockets/option.h"

const char *const deed_names[DEED_COUNT] = {
        [DEED_SOCKET] = "socket",
        [DEED_BIND] = "bind",
        [DEED_CONNECT] = "connect",
        [DEED_ACCEPT] = "accept",
        [DEED_SEND] = "send",
        [DEED_JOIN] = "join",
        [DEED_DEVICE] = "device",
        [DEED_OPTION] = "option",
        [DEED_NETNS] = "netns",
};

enum { TYPE_MASK = 0xf };

/* Sockets that by themselves reach nothing: all that they do then is judged by its address. Not among them is
 * SCTP, which takes addresses in options too. */
static bool is_ordinary(int family, int type, int protocol)
{
        const bool known = family == AF_INET || family == AF_INET6 || family == AF_UNIX;
        return known && (type == SOCK_STREAM || type == SOCK_DGRAM || type == SOCK_SEQPACKET) &&
               protocol != IPPROTO_SCTP;
}

struct deed deed_of_socket(int family, int type, int protocol)
{
        return (struct deed){ .kind = DEED_SOCKET,
                .risk = is_ordinary(family, type & TYPE_MASK, protocol) ? RISK_NONE : RISK_SOME,
                .family = family,
                .type = type & TYPE_MASK };
}

/* What each option that reaches beyond the socket makes of its bytes. */

static void read_risky(struct deed *out, struct target *target, const uint8_t *bytes, size_t size)
{
        (void)target, (void)bytes, (void)size;
        out->risk = RISK_SOME;
}

static void read_detour(struct deed *out, struct target *target, const uint8_t *bytes, size_t size)
{
        (void)target, (void)bytes;
        out->risk = size > 0 ? RISK_DETOUR : RISK_NONE;
}

/* IP options: source routes send packets elsewhere; so may what cannot be read. */
static void read_ip_options(struct deed *out, struct target *target, const uint8_t *bytes, size_t size)
{
        enum { END = 0, NOTHING = 1, LOOSE_ROUTE = 131, STRICT_ROUTE = 137, HEAD = 2 };
        (void)target;
        out->risk = RISK_NONE;
        for (size_t at = 0; at < size && bytes[at] != END;) {
                const bool routes = bytes[at] == LOOSE_ROUTE || bytes[at] == STRICT_ROUTE;
                const size_t left = size - at;
                const size_t length = bytes[at] == NOTHING ? 1 : left < HEAD ? 0 : bytes[at + 1];
                if (routes || length == 0 || length > left || (length < HEAD && bytes[at] != NOTHING)) {
                        out->risk = RISK_DETOUR;
                        return;
                }
                at += length;
        }
}

/* An interface may go by several names: it is judged by its own. */
static void set_device(struct deed *out, unsigned index)
{
        out->kind = DEED_DEVICE;
        out->risk = RISK_SOME;
        if (index == 0 || !interface_name(index, out->device))
                out->device[0] = '\0';
}

/* Without a name, the socket is to use all interfaces again. */
static void read_device_name(struct deed *out, struct target *target, const uint8_t *bytes, size_t size)
{
        char name[IF_NAMESIZE] = "";
        (void)target;
        if (size > 0)
                memcpy(name, bytes, size < sizeof name - 1 ? size : sizeof name - 1);
        if (name[0] != '\0')
                set_device(out, interface_index(name));
}

static void read_device_index(struct deed *out, struct target *target, const uint8_t *bytes, size_t size)
{
        int index = 0;
        (void)target;
        if (size >= sizeof index)
                memcpy(&index, bytes, sizeof index);
        if (index != 0)
                set_device(out, index < 0 ? 0 : (unsigned)index);
}

static void set_group(struct deed *out, struct target *target)
{
        out->kind = DEED_JOIN;
        out->risk = RISK_SOME;
        out->target = target;
}

static void read_ipv4_group(struct deed *out, struct target *target, const uint8_t *bytes, size_t size)
{
        const struct sockaddr_storage nothing = { .ss_family = AF_INET };
        target_read(target, WAY_OTHER, &nothing, sizeof nothing.ss_family);
        if (size >= sizeof(struct in_addr))
                target_from_ip(target, bytes, sizeof(struct in_addr));
        set_group(out, target);
}

static void read_ipv6_group(struct deed *out, struct target *target, const uint8_t *bytes, size_t size)
{
        const struct sockaddr_storage nothing = { .ss_family = AF_INET6 };
        target_read(target, WAY_OTHER, &nothing, sizeof nothing.ss_family);
        if (size >= sizeof(struct in6_addr))
                target_from_ip(target, bytes, sizeof(struct in6_addr));
        set_group(out, target);
}

/* struct group_req and struct group_source_req begin alike. */
static void read_group(struct deed *out, struct target *target, const uint8_t *bytes, size_t size)
{
        struct group_req group = { .gr_group.ss_family = AF_UNSPEC };
        if (size >= sizeof group)
                memcpy(&group, bytes, sizeof group);
        target_read(target, WAY_OTHER, &group.gr_group, sizeof group.gr_group);
        set_group(out, target);
}

/* Of <linux/in6.h> and <linux/sctp.h>, which do not go with the C library's headers. */
enum { FLOWLABEL_MGR = 32, SCTP_CONNECTX_OLD = 107, SCTP_CONNECTX = 110, SCTP_BINDX_ADD = 100 };

/* Only what has no row is the socket's own business. */
static const struct {
        int level, option;
        void (*read)(struct deed *out, struct target *target, const uint8_t *bytes, size_t size);
} reaching[] = {
        { SOL_SOCKET, SO_BINDTODEVICE, read_device_name },
        { SOL_SOCKET, SO_BINDTOIFINDEX, read_device_index },
        { SOL_SOCKET, SO_MARK, read_risky },
        { IPPROTO_IP, IP_ADD_MEMBERSHIP, read_ipv4_group },
        { IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, read_ipv4_group },
        { IPPROTO_IP, MCAST_JOIN_GROUP, read_group },
        { IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, read_group },
        { IPPROTO_IP, IP_OPTIONS, read_ip_options },
        { IPPROTO_IP, IP_TRANSPARENT, read_risky },
        { IPPROTO_IP, IP_UNICAST_IF, read_risky },
        { IPPROTO_IP, IP_MULTICAST_IF, read_risky },
        { IPPROTO_IP, IP_IPSEC_POLICY, read_detour },
        { IPPROTO_IP, IP_XFRM_POLICY, read_detour },
        { IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, read_ipv6_group },
        { IPPROTO_IPV6, IPV6_JOIN_ANYCAST, read_ipv6_group },
        { IPPROTO_IPV6, MCAST_JOIN_GROUP, read_group },
        { IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, read_group },
        { IPPROTO_IPV6, IPV6_RTHDR, read_detour },
        { IPPROTO_IPV6, IPV6_2292PKTOPTIONS, read_detour },
        { IPPROTO_IPV6, FLOWLABEL_MGR, read_detour }, /* a label may stand for a routing header */
        { IPPROTO_IPV6, IPV6_PKTINFO, read_risky },
        { IPPROTO_IPV6, IPV6_TRANSPARENT, read_risky },
        { IPPROTO_IPV6, IPV6_UNICAST_IF, read_risky },
        { IPPROTO_IPV6, IPV6_MULTICAST_IF, read_risky },
        { IPPROTO_IPV6, IPV6_IPSEC_POLICY, read_detour },
        { IPPROTO_IPV6, IPV6_XFRM_POLICY, read_detour },
        { IPPROTO_SCTP, SCTP_BINDX_ADD, read_risky },
        { IPPROTO_SCTP, SCTP_CONNECTX_OLD, read_detour },
        { IPPROTO_SCTP, SCTP_CONNECTX, read_detour },
};

void deed_of_option(
        struct deed *out, struct target *target, int level, int option, const void *bytes, size_t size)
{
        out->kind = DEED_OPTION;
        out->risk = RISK_NONE;
        out->target = NULL;
        out->level = level;
        out->option = option;
        out->device[0] = '\0';
        for (size_t i = 0; i < sizeof reaching / sizeof *reaching; i++)
                if (reaching[i].level == level && reaching[i].option == option) {
                        reaching[i].read(out, target, bytes, size);
                        return;
                }
}

/* Of <linux/sctp.h>: more addresses to send to. */
enum { SCTP_DSTADDRV4 = 7, SCTP_DSTADDRV6 = 8 };

/* What ancillary data does as the option does that it goes by here. */
static const struct {
        int level, type, option;
} reaching_ancillary[] = {
        { SOL_SOCKET, SO_MARK, SO_MARK },
        { IPPROTO_IP, IP_RETOPTS, IP_OPTIONS },
        { IPPROTO_IP, IP_PKTINFO, IP_UNICAST_IF },
        { IPPROTO_IPV6, IPV6_PKTINFO, IPV6_PKTINFO },
        { IPPROTO_IPV6, IPV6_2292PKTINFO, IPV6_PKTINFO },
        { IPPROTO_IPV6, IPV6_RTHDR, IPV6_RTHDR },
        { IPPROTO_IPV6, IPV6_2292RTHDR, IPV6_RTHDR },
        { IPPROTO_SCTP, SCTP_DSTADDRV4, SCTP_CONNECTX },
        { IPPROTO_SCTP, SCTP_DSTADDRV6, SCTP_CONNECTX },
};

bool deed_of_ancillary(
        struct deed *out, struct target *target, int level, int type, const void *bytes, size_t size)
{
        for (size_t i = 0; i < sizeof reaching_ancillary / sizeof *reaching_ancillary; i++)
                if (reaching_ancillary[i].level == level && reaching_ancillary[i].type == type) {
                        deed_of_option(out, target, level, reaching_ancillary[i].option, bytes, size);
                        return true;
                }
        return false;
}

/* A constant by its name, else its number. Returns `out`. */
static const char *say(const struct names *names, int number, char out[static 32])
{
        const char *const name = names == NULL ? NULL : name_of(names, number);
        if (name != NULL)
                snprintf(out, 32, "%s", name);
        else
                snprintf(out, 32, "%d", number);
        return out;
}

const char *deed_format(const struct deed *deed, char *out, size_t out_size)
{
        char one[32], other[32];
        const int used = snprintf(
                out, out_size, "%s%s", deed_names[deed->kind], deed->kind == DEED_ACCEPT ? " from " : " ");
        if (used < 0 || (size_t)used >= out_size)
                return out;
        char *const end = out + used;
        const size_t left = out_size - (size_t)used;
        if (deed->kind == DEED_SOCKET)
                snprintf(end, left, "%s %s", say(&family_names, deed->family, one),
                        say(&type_names, deed->type, other));
        else if (deed->kind == DEED_NETNS && deed->netns != NULL)
                text_escape(deed->netns, strlen(deed->netns), end, left);
        else if (deed->kind == DEED_DEVICE)
                text_escape(deed->device, strlen(deed->device), end, left);
        else if (deed->kind == DEED_OPTION)
                snprintf(end, left, "%s %s", say(&level_names, deed->level, one),
                        say(option_level_names(deed->level), deed->option, other));
        else if (deed->target != NULL)
                target_format(deed->target, end, left);
        return out;
}
