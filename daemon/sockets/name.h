/* name.h: the C names of constants (families, types, options, flags, errnos) and their numbers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What the kernel has and the C library's headers lack. */
#ifndef SCM_SECURITY
#define SCM_SECURITY 3
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

struct name {
        const char *name;
        long number;
};

/* One group of names. Where two names share a number (EAGAIN, EWOULDBLOCK), the first row is the one said. */
struct names {
        const char *title; /* "family", as GET /v1/constants groups them */
        const struct name *rows;
        size_t count;
};

extern const struct names family_names;       /* AF_INET … */
extern const struct names type_names;         /* SOCK_STREAM … */
extern const struct names protocol_names;     /* IPPROTO_TCP … */
extern const struct names level_names;        /* SOL_SOCKET, IPPROTO_TCP …, for setsockopt */
extern const struct names message_flag_names; /* MSG_PEEK … */
extern const struct names shutdown_names;     /* SHUT_RD … */
extern const struct names errno_names;        /* ECONNREFUSED … */
extern const struct names ai_flag_names;      /* AI_PASSIVE … */
extern const struct names ni_flag_names;      /* NI_NUMERICHOST … */
extern const struct names eai_names;          /* EAI_NONAME … (negative, as <netdb.h> has them) */
extern const struct names tcp_state_names;    /* TCP_ESTABLISHED … */
extern const struct names path_mtu_names;     /* IP_PMTUDISC_DO …, for IP_MTU_DISCOVER */
extern const struct names ipv6_path_mtu_names;
extern const struct names timestamping_flag_names; /* SOF_TIMESTAMPING_SOFTWARE …, for SO_TIMESTAMPING */
extern const struct names poll_event_names;        /* POLLIN …, for poll(2) */
extern const struct names packet_membership_names; /* PACKET_MR_PROMISC …, for PACKET_ADD_MEMBERSHIP */
extern const struct names ancillary_type_names;    /* SCM_RIGHTS, IP_TTL …, of whatever level */
extern const struct names error_origin_names;      /* SO_EE_ORIGIN_ICMP …, of MSG_ERRQUEUE */
extern const struct names icmp_type_names, icmp_unreachable_code_names, icmp_exceeded_code_names;
extern const struct names icmp6_type_names, icmp6_unreachable_code_names, icmp6_exceeded_code_names;

/* Every group above and those of options, ended by NULL: what GET /v1/constants lists. */
extern const struct names *const all_names[];

/* The first name of the number, or NULL. */
const char *name_of(const struct names *names, long number);

/* Finds the number of a name, which need not be terminated. False when there is none; *number is then
 * untouched. */
bool name_number(const struct names *names, const char *text, size_t size, long *number);

/* The known name that is closest to a mistyped one, or NULL when none is close enough to be meant. */
const char *name_nearest(const struct names *names, const char *text, size_t size);

/* How many single-letter edits lead from one text to the other, letter case aside; at most `limit` is
 * counted. */
size_t name_distance(const char *one, size_t one_size, const char *other, size_t limit);
