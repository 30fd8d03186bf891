/* option.h: the socket options that go by name: their rows, the layouts of their values, and reading and
 * setting. */
#pragma once

#include <stdint.h>

#include "daemon/sockets/name.h"
#include "daemon/sockets/result.h"

/* Winsock's: not an option of the kernel's, but SO_LINGER's l_onoff turned round. */
#define SO_DONTLINGER (~SO_LINGER)

/* What an option's bytes mean. Those from OPTION_TIMEVAL on are structs, with a row in option_layouts. */
enum option_kind {
        OPTION_FLAG,
        OPTION_INTEGER,
        OPTION_UNSIGNED,
        OPTION_UNSIGNED_LONG,
        OPTION_CONSTANT,
        OPTION_FLAGS,
        OPTION_ERRNO,
        OPTION_STRING,
        OPTION_BYTES,
        OPTION_INTERFACE,
        OPTION_NETWORK_INTERFACE, /* an interface's index in network byte order */
        OPTION_TIMEVAL,
        OPTION_LINGER,
        OPTION_MULTICAST_INTERFACE, /* set as a struct ip_mreqn, read as a struct in_addr */
        OPTION_MEMBERSHIP,
        OPTION_SOURCE_MEMBERSHIP,
        OPTION_IPV6_MEMBERSHIP,
        OPTION_GROUP,
        OPTION_GROUP_SOURCE,
        OPTION_PACKET_MEMBERSHIP,
        OPTION_PACKET_STATISTICS,
        OPTION_CREDENTIALS,
        OPTION_MEMINFO,
        OPTION_TCP_INFO,
        OPTION_KIND_COUNT,
};

enum option_access {
        OPTION_READ = 1,
        OPTION_WRITE = 2,
        OPTION_READ_WRITE = 3,
        OPTION_CONSUME = 5, /* read, but reading takes something away from the next reader */
};

enum {
        OPTION_VALUE_SIZE = 512, /* holds any value that has a row */
        OPTION_RAW_SIZE = 256,   /* of an option without a row, unless the caller says more */
        OPTION_MAX_SIZE = 65536,
        OPTION_STRING_LONGEST =
                15 /* IFNAMSIZ and TCP_CA_NAME_MAX, less the end; the kernel cuts off what is longer */
};

struct option {
        const char *name;
        int level, number;
        enum option_kind kind;
        enum option_access access;
        const char *help;
        const struct names *names; /* of constants and flags */
        const char *capability;    /* what setting it may need, or NULL */
};

/* One member of a struct value. */
enum member_kind {
        MEMBER_FLAG,
        MEMBER_SIGNED,
        MEMBER_UNSIGNED,
        MEMBER_BITS,
        MEMBER_CONSTANT,
        MEMBER_IPV4,
        MEMBER_IPV6,
        MEMBER_HOST, /* a struct sockaddr_storage that holds either */
        MEMBER_INTERFACE,
        MEMBER_KIND_COUNT,
};

struct option_member {
        const char *name;
        enum member_kind kind;
        size_t offset, size;
        unsigned shift, width; /* of bits */
        bool required;         /* when setting */
        const struct names *names;
};

struct option_layout {
        const struct option_member *members;
        size_t count;
        size_t size; /* of the struct */
};

extern const struct option options[];
extern const size_t option_count;

/* Zeroed rows for kinds that are no structs. */
extern const struct option_layout option_layouts[OPTION_KIND_COUNT];

/* The options' names by level: socket_option_names, tcp_option_names … */
#define LEVEL(group, level) extern const struct names group##_names;
#define OPTION(group, level, option, kind, access, ...)
#define LEVEL_END(group)
#include "daemon/sockets/option.def"
#undef LEVEL
#undef OPTION
#undef LEVEL_END

/* NULL: no such row. The name need not be terminated. */
const struct option *option_by_number(int level, int number);
const struct option *option_by_name(int level, const char *name, size_t size);

/* A row of that name on whatever level, or NULL: for saying which level was meant. */
const struct option *option_elsewhere(const char *name, size_t size);

/* The names of a level's options, or NULL when none is known. */
const struct names *option_level_names(int level);

/* Sets an option on any thread. RESULT_UNSOUND (parameter "option") for those few whose bytes would be
 * addresses or descriptors of the daemon itself. */
struct result option_set(int fd, int level, int number, const void *bytes, size_t size);

/* Reads an option into `bytes`, of *size, and says in *size how many came. Unsound as above. */
struct result option_get(int fd, int level, int number, void *bytes, size_t *size);

/* The levels whose options such a socket may have, into `levels`, of LEVELS_MOST. Returns how many. */
enum { LEVELS_MOST = 6 };
size_t option_levels(int family, int protocol, int levels[LEVELS_MOST]);
