/* target.c: where a socket address leads: one form for all ways to write it, held fast until it is used. */
#include "daemon/sockets/target.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/name.h"

enum {
        IPV4_SIZE = sizeof(struct in_addr),
        IPV6_SIZE = sizeof(struct in6_addr),
        /* The kernel takes an IPv6 address without sin6_scope_id (RFC 2133). */
        IN6_SIZE_MIN = offsetof(struct sockaddr_in6, sin6_scope_id),
        PATH_AT = offsetof(struct sockaddr_un, sun_path),
        UNIX_PATH_MAX = sizeof(struct sockaddr_un) - PATH_AT,
        LINK_SIZE = 32,
};

static const uint8_t mapped_prefix[IPV6_SIZE - IPV4_SIZE] = { [10] = 0xff, [11] = 0xff };
static const uint8_t zero[IPV6_SIZE];

/* The name is left as it is: it is long, and most targets have none. */
static void target_clear(struct target *out, int family)
{
        out->kind = TARGET_OTHER;
        out->family = family;
        out->ip_size = out->name_size = 0;
        out->port = 0;
        out->scope = 0;
        out->name[0] = '\0';
        out->device = 0;
        out->inode = 0;
}

/* IPv4 in IPv6 is IPv4: mapped (::ffff:a.b.c.d), or compatible (::a.b.c.d), but for :: and ::1. */
static bool holds_ipv4(const struct in6_addr *address)
{
        return IN6_IS_ADDR_V4MAPPED(address) || IN6_IS_ADDR_V4COMPAT(address);
}

void target_from_ip(struct target *out, const void *bytes, size_t size)
{
        struct in6_addr six;
        const uint8_t *from = bytes;
        target_clear(out, AF_INET);
        if (size == IPV6_SIZE) {
                memcpy(&six, bytes, sizeof six);
                if (holds_ipv4(&six)) {
                        from += sizeof mapped_prefix;
                        size = IPV4_SIZE;
                }
        }
        out->kind = TARGET_IP;
        out->family = size == IPV4_SIZE ? AF_INET : AF_INET6;
        out->ip_size = size;
        memcpy(out->ip, from, size);
}

static void read_ipv4(struct target *out, const struct sockaddr_storage *storage, size_t size)
{
        struct sockaddr_in in;
        if (size < sizeof in)
                return;
        memcpy(&in, storage, sizeof in);
        target_from_ip(out, &in.sin_addr, sizeof in.sin_addr);
        out->port = ntohs(in.sin_port);
}

static void read_ipv6(struct target *out, const struct sockaddr_storage *storage, size_t size)
{
        struct sockaddr_in6 in6 = { 0 };
        if (size < IN6_SIZE_MIN)
                return;
        memcpy(&in6, storage, size < sizeof in6 ? size : sizeof in6);
        target_from_ip(out, &in6.sin6_addr, sizeof in6.sin6_addr);
        out->port = ntohs(in6.sin6_port);
        out->scope = in6.sin6_scope_id;
}

static void read_unix(struct target *out, const struct sockaddr_storage *storage, size_t size)
{
        const char *const name = (const char *)storage + PATH_AT;
        if (size <= PATH_AT || size - PATH_AT > UNIX_PATH_MAX || name[0] != '\0')
                return;
        out->kind = TARGET_ABSTRACT;
        out->name_size = size - PATH_AT - 1;
        memcpy(out->name, name + 1, out->name_size);
}

/* AF_UNSPEC is read as AF_INET where the kernel does so: to bind and to send to. To connect, it dissolves. */
static int family_read(enum way way, const struct sockaddr_storage *storage, size_t size)
{
        if (size < sizeof storage->ss_family)
                return AF_UNSPEC;
        const bool is_ipv4 = storage->ss_family == AF_UNSPEC && (way == WAY_BIND || way == WAY_SEND) &&
                             size >= sizeof(struct sockaddr_in);
        return is_ipv4 ? AF_INET : storage->ss_family;
}

void target_read(struct target *out, enum way way, const struct sockaddr_storage *storage, socklen_t size)
{
        static const struct {
                int family;
                void (*read)(struct target *out, const struct sockaddr_storage *storage, size_t size);
        } readers[] = { { AF_INET, read_ipv4 }, { AF_INET6, read_ipv6 }, { AF_UNIX, read_unix } };
        target_clear(out, family_read(way, storage, size));
        for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
                if (readers[i].family == out->family) {
                        readers[i].read(out, storage, size);
                        return;
                }
}

static void address_of(const struct target *target, uint16_t port, struct address *out)
{
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
        struct sockaddr_in6 in6 = {
                .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = target->scope
        };
        *out = (struct address){ .given = true };
        if (target->ip_size == IPV4_SIZE) {
                memcpy(&in.sin_addr, target->ip, IPV4_SIZE);
                memcpy(&out->storage, &in, out->size = sizeof in);
        } else {
                memcpy(&in6.sin6_addr, target->ip, IPV6_SIZE);
                memcpy(&out->storage, &in6, out->size = sizeof in6);
        }
}

/* The kernel lets a socket bind to its own addresses only. seccomp: socket bind getsockname */
bool target_is_local(const struct target *target)
{
        struct address address;
        address_of(target, 0, &address);
        fd_auto const int fd = socket(target->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        return fd < 0 || bind(fd, (const struct sockaddr *)&address.storage, address.size) == 0 ||
               errno != EADDRNOTAVAIL;
}

const char *target_format(const struct target *target, char *out, size_t out_size)
{
        struct address address;
        const char *const family = name_of(&family_names, target->family);
        size_t used = 0;
        switch (target->kind) {
        case TARGET_IP:
                address_of(target, target->port, &address);
                return address_format(&address, out, out_size);
        case TARGET_PATH:
        case TARGET_ABSTRACT:
                used = (size_t)snprintf(out, out_size, "unix:%s", target->kind == TARGET_PATH ? "" : "@");
                text_escape(target->name, target->name_size, out + used, out_size - used);
                return out;
        case TARGET_OTHER:
                break;
        }
        if (family != NULL)
                snprintf(out, out_size, "%s", family);
        else
                snprintf(out, out_size, "family %d", target->family);
        return out;
}

/* What the kernel takes for 0.0.0.0: the address that the socket is bound to, else loopback. */
static void settle_ipv4(uint8_t *ip, const struct sockaddr_storage *local)
{
        static const uint8_t loopback[IPV4_SIZE] = { 127, 0, 0, 1 };
        const uint8_t *from = loopback;
        struct target bound;
        if (memcmp(ip, zero, IPV4_SIZE) != 0)
                return;
        target_read(&bound, WAY_OTHER, local, sizeof *local);
        if (bound.kind == TARGET_IP && bound.ip_size == IPV4_SIZE && memcmp(bound.ip, zero, IPV4_SIZE) != 0)
                from = bound.ip;
        memcpy(ip, from, IPV4_SIZE);
}

/* And for ::, which stays IPv4 on a socket that is bound to IPv4. */
static void settle_ipv6(uint8_t *ip, const struct sockaddr_storage *local)
{
        const struct in6_addr *const bound = &((const struct sockaddr_in6 *)local)->sin6_addr;
        if (memcmp(ip, mapped_prefix, sizeof mapped_prefix) == 0) {
                settle_ipv4(ip + sizeof mapped_prefix, local);
        } else if (memcmp(ip, zero, IPV6_SIZE) == 0) {
                if (local->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(bound))
                        memcpy(ip,
                                &(const struct in6_addr){
                                        .s6_addr = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } },
                                IPV6_SIZE);
                else
                        memcpy(ip, &in6addr_loopback, IPV6_SIZE);
        }
}

static void settle(struct passage *passage, enum way way, int fd)
{
        struct sockaddr_storage local = { .ss_family = AF_UNSPEC };
        const int family = family_read(way, &passage->storage, passage->size);
        uint8_t *const bytes = (uint8_t *)&passage->storage;
        uint8_t *const four = bytes + offsetof(struct sockaddr_in, sin_addr);
        uint8_t *const six = bytes + offsetof(struct sockaddr_in6, sin6_addr);
        const bool is_ipv4 = family == AF_INET && passage->size >= sizeof(struct sockaddr_in);
        const bool is_ipv6 = family == AF_INET6 && passage->size >= IN6_SIZE_MIN;
        const bool unspecified = (is_ipv4 && memcmp(four, zero, IPV4_SIZE) == 0) ||
                                 (is_ipv6 && memcmp(six + IPV6_SIZE - IPV4_SIZE, zero, IPV4_SIZE) == 0);
        if (!unspecified)
                return;
        (void)getsockname(fd, (struct sockaddr *)&local, &(socklen_t){ sizeof local });
        if (is_ipv4)
                settle_ipv4(four, &local);
        else
                settle_ipv6(six, &local);
}

/* The path of what a descriptor holds, as the kernel has it. */
static bool path_of(int fd, char out[PATH_MAX])
{
        char link[LINK_SIZE];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        const ssize_t size = readlink(link, out, PATH_MAX - 1);
        if (size <= 0 || size == PATH_MAX - 1 || out[0] != '/')
                return false;
        out[size] = '\0';
        return true;
}

/* A name in a directory, of what need not be there. Returns 0, or the errno of a directory that is not. */
static int find_name(struct target *out, const char *path)
{
        char directory[UNIX_PATH_MAX + 1];
        const char *const slash = strrchr(path, '/');
        const char *const name = slash == NULL ? path : slash + 1;
        const int size = slash == NULL || slash == path ? 1 : (int)(slash - path);
        snprintf(directory, sizeof directory, "%.*s", size, slash == NULL ? "." : path);
        fd_auto const int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return errno;
        /* The kernel makes nothing of such a name. */
        if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return 0;
        char whole[PATH_MAX];
        if (!path_of(fd, whole))
                return 0;
        const int used =
                snprintf(out->name, sizeof out->name, "%s/%s", strcmp(whole, "/") == 0 ? "" : whole, name);
        if (used > 0 && (size_t)used < sizeof out->name) {
                out->kind = TARGET_PATH;
                out->name_size = (size_t)used;
        }
        return 0;
}

/* Opens what a path leads to, and has the kernel be given that. */
static void hold(struct passage *passage, const char *path)
{
        struct target *const target = &passage->target;
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        struct stat status;
        passage->fd = open(path, O_PATH | O_CLOEXEC);
        if (passage->fd < 0) {
                passage->error = errno;
                find_name(target, path);
                return;
        }
        if (fstat(passage->fd, &status) == 0) {
                target->device = status.st_dev;
                target->inode = status.st_ino;
        }
        if (!path_of(passage->fd, target->name))
                return;
        target->kind = TARGET_PATH;
        target->name_size = strlen(target->name);
        snprintf(un.sun_path, sizeof un.sun_path, "/proc/self/fd/%d", passage->fd);
        memcpy(&passage->storage, &un, sizeof un);
        passage->size = (socklen_t)(PATH_AT + strlen(un.sun_path) + 1);
}

static void find_path(struct passage *passage, enum way way, int type)
{
        char path[UNIX_PATH_MAX + 1] = "";
        memcpy(path, (const char *)&passage->storage + PATH_AT, passage->size - PATH_AT);
        if (way == WAY_BIND)
                passage->error = find_name(&passage->target, path);
        else
                hold(passage, path);
        /* The kernel does not look at where a stream is said to be sent. */
        if (way == WAY_SEND && (type == SOCK_STREAM || type == SOCK_SEQPACKET))
                passage->error = 0;
}

void passage_open(
        struct passage *out, enum way way, int fd, int family, int type, const struct address *address)
{
        out->fd = -1;
        out->error = 0;
        out->size = address->size;
        out->storage = address->storage;
        if (way == WAY_CONNECT || way == WAY_SEND)
                settle(out, way, fd);
        target_read(&out->target, way, &out->storage, out->size);
        const bool is_path = family == AF_UNIX && out->target.family == AF_UNIX && out->size > PATH_AT &&
                             out->size - PATH_AT <= UNIX_PATH_MAX && out->target.kind == TARGET_OTHER;
        if (is_path && way != WAY_OTHER)
                find_path(out, way, type);
}

void passage_close(struct passage *passage)
{
        if (passage->fd >= 0)
                close(passage->fd);
        passage->fd = -1;
}
