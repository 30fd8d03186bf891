/* address.c: reads and prints socket addresses. */
#include "daemon/sockets/address.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "daemon/sockets/interface.h"

enum { HOST_LENGTH_MAX = 253, UNIX_LENGTH_MAX = 107 };

static const char letters_of_names[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

static bool is_decimal(const char *text, size_t digits_max)
{
        const size_t size = strlen(text);
        return size > 0 && size <= digits_max && strspn(text, "0123456789") == size;
}

static bool read_port(const char *text, uint16_t *port)
{
        if (!is_decimal(text, 5))
                return false;
        const unsigned long number = strtoul(text, NULL, 10);
        *port = (uint16_t)number;
        return number <= UINT16_MAX;
}

static bool read_scope(const char *text, uint32_t *scope)
{
        if (!is_decimal(text, 10))
                return (*scope = interface_index(text)) != 0;
        const unsigned long long number = strtoull(text, NULL, 10);
        *scope = (uint32_t)number;
        return number <= UINT32_MAX;
}

static void address_set(struct address *out, const void *bytes, size_t size)
{
        *out = (struct address){ .given = true, .size = (socklen_t)size };
        memcpy(&out->storage, bytes, size);
}

static bool from_ipv4(const char *host, uint16_t port, struct address *out)
{
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
        /* inet_aton would take "2852039166" and "0251.0376.1" too, and so hide who is meant. */
        if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
                return false;
        address_set(out, &in, sizeof in);
        return true;
}

/* False when the host is no IPv6 address; *scope_found tells whether its "%scope" exists. */
static bool from_ipv6(const char *host, uint16_t port, struct address *out, bool *scope_found)
{
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
        char digits[INET6_ADDRSTRLEN] = "";
        const char *const percent = strchrnul(host, '%');
        const size_t size = (size_t)(percent - host);
        if (size >= sizeof digits)
                return false;
        memcpy(digits, host, size);
        if (inet_pton(AF_INET6, digits, &in6.sin6_addr) != 1)
                return false;
        *scope_found = *percent == '\0' || read_scope(percent + 1, &in6.sin6_scope_id);
        if (*scope_found)
                address_set(out, &in6, sizeof in6);
        return true;
}

static void from_nothing(int family, uint16_t port, struct address *out)
{
        const struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
        const struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
        if (family == AF_INET6)
                address_set(out, &in6, sizeof in6);
        else
                address_set(out, &in, sizeof in);
        out->any = family == AF_UNSPEC;
}

/* No top-level domain is a number, so what ends in one was meant as an IPv4 address. */
static bool ends_in_number(const char *host)
{
        const char *const dot = strrchr(host, '.');
        const char *const label = dot == NULL ? host : dot + 1;
        return strncasecmp(label, "0x", 2) == 0 || is_decimal(label, HOST_LENGTH_MAX);
}

static struct result from_name(int family, const char *host, uint16_t port, struct address *out)
{
        if (strchr(host, ':') != NULL)
                return unsound(NULL,
                        family == AF_INET ? "the host is no IPv4 address" : "the host is no IPv6 address");
        if (ends_in_number(host))
                return unsound(NULL,
                        family == AF_INET6 ? "the host is no IPv6 address" : "the host is no IPv4 address");
        for (const char *letter = host; *letter != '\0'; letter++)
                if ((unsigned char)*letter < 0x80 && strchr(letters_of_names, *letter) == NULL)
                        return unsound(NULL, "the host is neither a numeric address nor a host name");
        *out = (struct address){ .given = true, .port = port, .storage.ss_family = (sa_family_t)family };
        memcpy(out->name, host, strlen(host) + 1);
        return DONE;
}

struct result address_from_host(int family, const char *host, uint16_t port, struct address *out)
{
        bool scope_found = true;
        if (strlen(host) > HOST_LENGTH_MAX)
                return unsound(NULL, "a host has at most 253 bytes");
        if (*host == '\0') {
                from_nothing(family, port, out);
                return DONE;
        }
        if (family != AF_INET6 && from_ipv4(host, port, out))
                return DONE;
        if (family != AF_INET && from_ipv6(host, port, out, &scope_found))
                return scope_found ? DONE
                                   : unsound(NULL, "the scope after % is no network interface of this host");
        return from_name(family, host, port, out);
}

struct result address_from_unix(const char *bytes, size_t size, bool abstract, struct address *out)
{
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        const size_t head = offsetof(struct sockaddr_un, sun_path);
        if (size > UNIX_LENGTH_MAX)
                return unsound(NULL, abstract ? "an abstract name has at most 107 bytes"
                                              : "a unix path has at most 107 bytes");
        if (!abstract && size == 0)
                return unsound(NULL, "a unix path cannot be empty");
        if (!abstract && memchr(bytes, '\0', size) != NULL)
                return unsound(NULL, "a unix path cannot hold a NUL byte");
        if (size > 0)
                memcpy(un.sun_path + (abstract ? 1 : 0), bytes, size);
        address_set(out, &un, size == 0 ? head : head + size + 1);
        return DONE;
}

static struct result parse_unix(const char *text, struct address *out)
{
        const bool abstract = *text == '@' || *text == '\0';
        const char *const bytes = *text == '@' ? text + 1 : text;
        return address_from_unix(bytes, strlen(bytes), abstract, out);
}

/* Splits "host:port" and "[host]:port". */
struct split {
        const char *host;
        size_t host_size;
        const char *port;
        bool bracketed;
};

static struct result split_text(const char *text, struct split *out)
{
        if (*text == '[') {
                const char *const end = strchr(text, ']');
                if (end == NULL)
                        return unsound(NULL, "the bracket [ is not closed");
                if (end[1] != ':')
                        return unsound(NULL, "a port is missing, as in [::1]:80");
                *out = (struct split){ text + 1, (size_t)(end - text - 1), end + 2, true };
                return DONE;
        }
        const char *const colon = strrchr(text, ':');
        if (colon == NULL)
                return unsound(NULL, "an address is host:port, [ipv6]:port, unix:/path or unix:@name");
        *out = (struct split){ text, (size_t)(colon - text), colon + 1, false };
        if (memchr(text, ':', out->host_size) != NULL)
                return unsound(NULL, "an IPv6 address must stand in brackets, as in [::1]:80");
        return DONE;
}

struct result address_parse(const char *text, struct address *out)
{
        struct split split;
        char host[HOST_LENGTH_MAX + 1] = "";
        uint16_t port = 0;
        if (strncmp(text, "unix:", 5) == 0)
                return parse_unix(text + 5, out);
        TRY(split_text(text, &split));
        if (split.host_size >= sizeof host)
                return unsound(NULL, "a host has at most 253 bytes");
        if (!read_port(split.port, &port))
                return unsound(NULL, "a port is a number from 0 to 65535");
        memcpy(host, split.host, split.host_size);
        if (split.bracketed && strchr(host, ':') == NULL)
                return unsound(NULL, "what stands in brackets is no IPv6 address");
        return address_from_host(split.bracketed ? AF_INET6 : AF_UNSPEC, host, port, out);
}

void address_fit(struct address *address, int family)
{
        if (!address->any || family != AF_INET6)
                return;
        struct sockaddr_in in;
        memcpy(&in, &address->storage, sizeof in);
        from_nothing(AF_INET6, ntohs(in.sin_port), address);
}

/* How many bytes the UTF-8 character at `bytes` has; 0 when it is none. */
static size_t character_size(const unsigned char *bytes, size_t left)
{
        static const struct {
                unsigned char mask, lead;
                uint32_t smallest;
        } forms[] = { { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 },
                { 0xf8, 0xf0, 0x10000 } };
        for (size_t form = 0; form < sizeof forms / sizeof *forms && form < left; form++) {
                if ((bytes[0] & forms[form].mask) != forms[form].lead)
                        continue;
                uint32_t point = bytes[0] & (unsigned char)~forms[form].mask;
                for (size_t place = 1; place <= form; place++) {
                        if ((bytes[place] & 0xc0) != 0x80)
                                return 0;
                        point = point << 6 | (bytes[place] & 0x3f);
                }
                const bool sound = point >= forms[form].smallest && point <= 0x10ffff &&
                                   (point < 0xd800 || point > 0xdfff);
                return sound ? form + 1 : 0;
        }
        return 0;
}

/* C0 and C1 control characters, DEL, and the backslash that starts an escape. */
static bool is_special(const unsigned char *bytes)
{
        return bytes[0] < 0x20 || bytes[0] == 0x7f || bytes[0] == '\\' ||
               (bytes[0] == 0xc2 && bytes[1] < 0xa0);
}

const char *text_escape(const char *bytes, size_t size, char *out, size_t out_size)
{
        static const char hex[] = "0123456789abcdef";
        const unsigned char *const from = (const unsigned char *)bytes;
        size_t used = 0;
        for (size_t place = 0; place < size;) {
                const size_t character = character_size(from + place, size - place);
                const bool plain = character > 0 && !is_special(from + place);
                if (used + (plain ? character : 4) >= out_size)
                        break;
                if (plain) {
                        memcpy(out + used, from + place, character);
                        used += character;
                        place += character;
                } else {
                        memcpy(out + used,
                                (const char[]){ '\\', 'x', hex[from[place] >> 4], hex[from[place] & 15] }, 4);
                        used += 4;
                        place++;
                }
        }
        if (out_size > 0)
                out[used] = '\0';
        return out;
}

static void format_ipv4(const struct address *address, char *out, size_t out_size)
{
        char host[INET_ADDRSTRLEN] = "";
        struct sockaddr_in in;
        memcpy(&in, &address->storage, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
        snprintf(out, out_size, "%s:%u", host, (unsigned)ntohs(in.sin_port));
}

static void format_ipv6(const struct address *address, char *out, size_t out_size)
{
        char host[INET6_ADDRSTRLEN] = "", scope[16] = "";
        struct sockaddr_in6 in6;
        memcpy(&in6, &address->storage, sizeof in6);
        inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
        if (in6.sin6_scope_id != 0)
                snprintf(scope, sizeof scope, "%%%u", in6.sin6_scope_id);
        snprintf(out, out_size, "[%s%s]:%u", host, scope, (unsigned)ntohs(in6.sin6_port));
}

static void format_unix(const struct address *address, char *out, size_t out_size)
{
        const size_t head = offsetof(struct sockaddr_un, sun_path);
        const char *const bytes = (const char *)&address->storage + head;
        const size_t size = address->size - head;
        const bool abstract = size > 0 && bytes[0] == '\0';
        const int used = snprintf(out, out_size, "unix:%s", abstract ? "@" : "");
        if (used < 0 || (size_t)used >= out_size)
                return;
        if (abstract)
                text_escape(bytes + 1, size - 1, out + used, out_size - (size_t)used);
        else
                text_escape(bytes, strnlen(bytes, size), out + used, out_size - (size_t)used);
}

static void format_packet(const struct address *address, char *out, size_t out_size)
{
        struct sockaddr_ll packet;
        memcpy(&packet, &address->storage, sizeof packet);
        snprintf(out, out_size, "packet:interface %d, protocol 0x%04x", packet.sll_ifindex,
                ntohs(packet.sll_protocol));
}

static void format_netlink(const struct address *address, char *out, size_t out_size)
{
        struct sockaddr_nl netlink;
        memcpy(&netlink, &address->storage, sizeof netlink);
        snprintf(out, out_size, "netlink:pid %u, groups 0x%x", netlink.nl_pid, netlink.nl_groups);
}

static void format_vsock(const struct address *address, char *out, size_t out_size)
{
        struct sockaddr_vm vsock;
        memcpy(&vsock, &address->storage, sizeof vsock);
        snprintf(out, out_size, "vsock:%u:%u", vsock.svm_cid, vsock.svm_port);
}

static const struct format_row {
        int family;
        size_t size_min; /* of a sockaddr that has all that is printed */
        void (*format)(const struct address *address, char *out, size_t out_size);
} format_rows[] = {
        { AF_INET, sizeof(struct sockaddr_in), format_ipv4 },
        { AF_INET6, sizeof(struct sockaddr_in6), format_ipv6 },
        { AF_UNIX, offsetof(struct sockaddr_un, sun_path), format_unix },
        { AF_PACKET, offsetof(struct sockaddr_ll, sll_addr), format_packet },
        { AF_NETLINK, sizeof(struct sockaddr_nl), format_netlink },
        { AF_VSOCK, sizeof(struct sockaddr_vm), format_vsock },
};

static void format_name(const struct address *address, char *out, size_t out_size)
{
        char port[8] = "";
        const size_t port_size = (size_t)snprintf(port, sizeof port, ":%u", (unsigned)address->port);
        const size_t room = out_size > port_size ? out_size - port_size : 0;
        text_escape(address->name, strnlen(address->name, sizeof address->name), out, room);
        const size_t used = room > 0 ? strlen(out) : 0;
        snprintf(out + used, out_size - used, "%s", port);
}

const char *address_format(const struct address *address, char *out, size_t out_size)
{
        if (address->size < sizeof(sa_family_t)) {
                if (address->name[0] != '\0')
                        format_name(address, out, out_size);
                else
                        snprintf(out, out_size, "no address");
                return out;
        }
        for (size_t row = 0; row < sizeof format_rows / sizeof *format_rows; row++)
                if (format_rows[row].family == address->storage.ss_family &&
                        address->size >= format_rows[row].size_min) {
                        format_rows[row].format(address, out, out_size);
                        return out;
                }
        snprintf(out, out_size, "family %d, %u bytes", address->storage.ss_family, (unsigned)address->size);
        return out;
}
