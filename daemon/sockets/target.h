/* target.h: where a socket address leads: one form for all ways to write it, held fast until it is used. */
#pragma once

#include <limits.h>

#include "daemon/sockets/address.h"

enum target_kind {
        TARGET_OTHER, /* nothing but a family: what is no address, or of a family that rules cannot compare */
        TARGET_IP,
        TARGET_PATH, /* as the kernel has it: absolute, without symbolic links */
        TARGET_ABSTRACT,
};

struct target {
        enum target_kind kind;
        int family; /* AF_INET for IPv4 in IPv6 too */
        uint8_t ip[16];
        size_t ip_size; /* 4 or 16 */
        uint16_t port;
        uint32_t scope;
        char name[PATH_MAX]; /* a path, terminated, or the bytes of an abstract name */
        size_t name_size;
        dev_t device; /* of a path that is there: */
        ino_t inode;  /* else 0 */
};

/* What is to be done with an address. */
enum way { WAY_BIND, WAY_CONNECT, WAY_SEND, WAY_OTHER };

/* Reads a sockaddr as the kernel reads it. Paths are not looked at: they come out as TARGET_OTHER. */
void target_read(struct target *out, enum way way, const struct sockaddr_storage *storage, socklen_t size);

/* An IP address without a port: a multicast group. */
void target_from_ip(struct target *out, const void *bytes, size_t size);

/* Whether an IP address is one of this host's; where that cannot be told, it is. */
bool target_is_local(const struct target *target);

/* As text that is safe to print. Returns `out`. */
const char *target_format(const struct target *target, char *out, size_t out_size);

/* An address on its way into a system call. What stands in `target` is what the kernel gets to:
 *
 * - An unspecified IP address is replaced by the one that connect(2) and sendto(2) take for it.
 * - A unix path to connect or send to is opened, and what was opened is what the kernel is given
 *   (/proc/self/fd/N): nobody can turn a link round in between.
 * - A path to bind is looked up again by the kernel, as the socket must get the name that was asked for.
 *   Whoever may rename the directories on the way can still put another one there between the two. */
struct passage {
        struct sockaddr_storage storage;
        socklen_t size;
        struct target target;
        int fd;    /* what is held, or -1 */
        int error; /* errno of a path that leads nowhere, as the call would give it; else 0 */
};

/* For a socket of that family (fd -1: none yet). End with passage_close(). */
void passage_open(
        struct passage *out, enum way way, int fd, int family, int type, const struct address *address);
void passage_close(struct passage *passage);

#define passage_auto __attribute__((cleanup(passage_close)))
