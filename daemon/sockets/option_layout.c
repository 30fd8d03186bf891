/* option_layout.c: the structs that option values are, member by member. */
#include <endian.h>
#include <linux/if_packet.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h> /* glibc's struct tcp_info ends far earlier */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "daemon/sockets/option.h"

/* clang-format off */
#define ROW(type, text, part, kind_name, ...)                                                                \
        { .name = (text), .kind = MEMBER_##kind_name, .offset = offsetof(type, part),                        \
                .size = sizeof ((type *)NULL)->part, __VA_ARGS__ }
/* clang-format on */

static const struct option_member timeval_members[] = {
        ROW(struct timeval, "seconds", tv_sec, SIGNED, .required = true),
        ROW(struct timeval, "microseconds", tv_usec, SIGNED, .required = false),
};

static const struct option_member linger_members[] = {
        ROW(struct linger, "onoff", l_onoff, FLAG, .required = true),
        ROW(struct linger, "linger", l_linger, SIGNED, .required = false),
};

static const struct option_member multicast_interface_members[] = {
        ROW(struct ip_mreqn, "address", imr_address, IPV4, .required = false),
        ROW(struct ip_mreqn, "interface", imr_ifindex, INTERFACE, .required = false),
};

static const struct option_member membership_members[] = {
        ROW(struct ip_mreqn, "group", imr_multiaddr, IPV4, .required = true),
        ROW(struct ip_mreqn, "address", imr_address, IPV4, .required = false),
        ROW(struct ip_mreqn, "interface", imr_ifindex, INTERFACE, .required = false),
};

static const struct option_member source_membership_members[] = {
        ROW(struct ip_mreq_source, "group", imr_multiaddr, IPV4, .required = true),
        ROW(struct ip_mreq_source, "interface_address", imr_interface, IPV4, .required = false),
        ROW(struct ip_mreq_source, "source", imr_sourceaddr, IPV4, .required = true),
};

static const struct option_member ipv6_membership_members[] = {
        ROW(struct ipv6_mreq, "group", ipv6mr_multiaddr, IPV6, .required = true),
        ROW(struct ipv6_mreq, "interface", ipv6mr_interface, INTERFACE, .required = false),
};

static const struct option_member group_members[] = {
        ROW(struct group_req, "group", gr_group, HOST, .required = true),
        ROW(struct group_req, "interface", gr_interface, INTERFACE, .required = false),
};

static const struct option_member group_source_members[] = {
        ROW(struct group_source_req, "group", gsr_group, HOST, .required = true),
        ROW(struct group_source_req, "interface", gsr_interface, INTERFACE, .required = false),
        ROW(struct group_source_req, "source", gsr_source, HOST, .required = true),
};

static const struct option_member packet_membership_members[] = {
        ROW(struct packet_mreq, "interface", mr_ifindex, INTERFACE, .required = true),
        ROW(struct packet_mreq, "type", mr_type, CONSTANT, .required = true,
                .names = &packet_membership_names),
};

static const struct option_member packet_statistics_members[] = {
        ROW(struct tpacket_stats, "packets", tp_packets, UNSIGNED, .required = false),
        ROW(struct tpacket_stats, "drops", tp_drops, UNSIGNED, .required = false),
};

static const struct option_member credentials_members[] = {
        ROW(struct ucred, "pid", pid, SIGNED, .required = false),
        ROW(struct ucred, "uid", uid, UNSIGNED, .required = false),
        ROW(struct ucred, "gid", gid, UNSIGNED, .required = false),
};

/* The kernel's is an array, SK_MEMINFO_RMEM_ALLOC first. */
struct meminfo {
        uint32_t numbers[SK_MEMINFO_VARS];
};

static const struct option_member meminfo_members[] = {
        ROW(struct meminfo, "rmem_alloc", numbers[SK_MEMINFO_RMEM_ALLOC], UNSIGNED, .required = false),
        ROW(struct meminfo, "rcvbuf", numbers[SK_MEMINFO_RCVBUF], UNSIGNED, .required = false),
        ROW(struct meminfo, "wmem_alloc", numbers[SK_MEMINFO_WMEM_ALLOC], UNSIGNED, .required = false),
        ROW(struct meminfo, "sndbuf", numbers[SK_MEMINFO_SNDBUF], UNSIGNED, .required = false),
        ROW(struct meminfo, "fwd_alloc", numbers[SK_MEMINFO_FWD_ALLOC], UNSIGNED, .required = false),
        ROW(struct meminfo, "wmem_queued", numbers[SK_MEMINFO_WMEM_QUEUED], UNSIGNED, .required = false),
        ROW(struct meminfo, "optmem", numbers[SK_MEMINFO_OPTMEM], UNSIGNED, .required = false),
        ROW(struct meminfo, "backlog", numbers[SK_MEMINFO_BACKLOG], UNSIGNED, .required = false),
        ROW(struct meminfo, "drops", numbers[SK_MEMINFO_DROPS], UNSIGNED, .required = false),
};

struct tcp_info_bytes {
#define MEMBER(type, member) type member;
#define NAMED(type, member, group) type member;
#define BITS(type, member, byte, start, bits) type byte;
#define MORE_BITS(member, byte, start, bits)
#include "daemon/sockets/tcp_info.def"
#undef MEMBER
#undef NAMED
#undef BITS
#undef MORE_BITS
};
_Static_assert(offsetof(struct tcp_info_bytes, rto) == offsetof(struct tcp_info, tcpi_rto), "tcp_info rows");
_Static_assert(
        offsetof(struct tcp_info_bytes, delivery_rate) == offsetof(struct tcp_info, tcpi_delivery_rate),
        "tcp_info rows");
_Static_assert(
        offsetof(struct tcp_info_bytes, snd_wnd) == offsetof(struct tcp_info, tcpi_snd_wnd), "tcp_info rows");

/* Bit-fields begin at the low end on little-endian machines, at the high end on others. */
#define SHIFT(start, bits) (BYTE_ORDER == LITTLE_ENDIAN ? (start) : 8 - (start) - (bits))

static const struct option_member tcp_info_members[] = {
#define MEMBER(type, member) ROW(struct tcp_info_bytes, #member, member, UNSIGNED, .required = false),
#define NAMED(type, member, group) ROW(struct tcp_info_bytes, #member, member, CONSTANT, .names = &(group)),
#define BITS(type, member, byte, start, bits) MORE_BITS(member, byte, start, bits)
#define MORE_BITS(member, byte, start, bits)                                                                 \
        ROW(struct tcp_info_bytes, #member, byte, BITS, .shift = SHIFT(start, bits), .width = (bits)),
#include "daemon/sockets/tcp_info.def"
#undef MEMBER
#undef NAMED
#undef BITS
#undef MORE_BITS
};

/* clang-format off */
#define LAYOUT(type, list) { .members = (list), .count = sizeof(list) / sizeof *(list), .size = sizeof(type) }
/* clang-format on */

const struct option_layout option_layouts[OPTION_KIND_COUNT] = {
        [OPTION_TIMEVAL] = LAYOUT(struct timeval, timeval_members),
        [OPTION_LINGER] = LAYOUT(struct linger, linger_members),
        [OPTION_MULTICAST_INTERFACE] = LAYOUT(struct ip_mreqn, multicast_interface_members),
        [OPTION_MEMBERSHIP] = LAYOUT(struct ip_mreqn, membership_members),
        [OPTION_SOURCE_MEMBERSHIP] = LAYOUT(struct ip_mreq_source, source_membership_members),
        [OPTION_IPV6_MEMBERSHIP] = LAYOUT(struct ipv6_mreq, ipv6_membership_members),
        [OPTION_GROUP] = LAYOUT(struct group_req, group_members),
        [OPTION_GROUP_SOURCE] = LAYOUT(struct group_source_req, group_source_members),
        [OPTION_PACKET_MEMBERSHIP] = LAYOUT(struct packet_mreq, packet_membership_members),
        [OPTION_PACKET_STATISTICS] = LAYOUT(struct tpacket_stats, packet_statistics_members),
        [OPTION_CREDENTIALS] = LAYOUT(struct ucred, credentials_members),
        [OPTION_MEMINFO] = LAYOUT(struct meminfo, meminfo_members),
        [OPTION_TCP_INFO] = LAYOUT(struct tcp_info_bytes, tcp_info_members),
};
