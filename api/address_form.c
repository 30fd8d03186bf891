/* address_form.c: what each family's address has for members, and how they become a sockaddr and come back.
 */
#include "api/address_form.h"

#include <arpa/inet.h>
#include <limits.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "daemon/sockets/interface.h"

static void address_set(struct address *out, const void *bytes, size_t size)
{
        *out = (struct address){ .given = true, .size = (socklen_t)size };
        memcpy(&out->storage, bytes, size);
}

static bool has_nul(const struct text *text)
{
        return text->bytes != NULL && strlen(text->bytes) != text->size;
}

static struct text text_of(const char *bytes)
{
        return (struct text){ .bytes = bytes, .size = strlen(bytes) };
}

/* Such an address takes a datagram socket's peer away again. */
static bool build_unspecified(struct address *out)
{
        const struct sockaddr none = { .sa_family = AF_UNSPEC };
        address_set(out, &none, sizeof none);
        return true;
}

static bool build_ip(
        struct decoder *decoder, int family, const struct address_parts *parts, struct address *out)
{
        const char *const host = parts->host.bytes == NULL ? "" : parts->host.bytes;
        if (family == AF_UNSPEC && parts->family_given && parts->host.bytes == NULL && parts->port == 0)
                return build_unspecified(out);
        if (has_nul(&parts->host))
                return decoder_fail(decoder, "host", "a host cannot hold a NUL byte");
        const struct result result = address_from_host(family, host, (uint16_t)parts->port, out);
        if (result.kind != RESULT_DONE)
                return decoder_fail(decoder, "host", "%s", result.detail);
        if (parts->scope_id == 0 && parts->flowinfo == 0)
                return true;
        if (out->size != sizeof(struct sockaddr_in6))
                return decoder_fail(decoder, parts->scope_id != 0 ? "scope_id" : "flowinfo",
                        "scope_id and flowinfo go with a numeric IPv6 host");
        struct sockaddr_in6 in6;
        memcpy(&in6, &out->storage, sizeof in6);
        in6.sin6_flowinfo = htonl((uint32_t)parts->flowinfo);
        if (parts->scope_id != 0)
                in6.sin6_scope_id = (uint32_t)parts->scope_id;
        address_set(out, &in6, sizeof in6);
        return true;
}

static bool read_ipv4(const struct address *address, struct address_parts *parts)
{
        struct sockaddr_in in;
        if (address->size != sizeof in)
                return false;
        memcpy(&in, &address->storage, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, parts->buffer, sizeof parts->buffer);
        parts->host = text_of(parts->buffer);
        parts->port = ntohs(in.sin_port);
        return true;
}

static bool read_ipv6(const struct address *address, struct address_parts *parts)
{
        struct sockaddr_in6 in6;
        if (address->size != sizeof in6)
                return false;
        memcpy(&in6, &address->storage, sizeof in6);
        inet_ntop(AF_INET6, &in6.sin6_addr, parts->buffer, sizeof parts->buffer);
        parts->host = text_of(parts->buffer);
        parts->port = ntohs(in6.sin6_port);
        parts->scope_id = in6.sin6_scope_id;
        parts->flowinfo = ntohl(in6.sin6_flowinfo);
        return true;
}

static bool build_unix(
        struct decoder *decoder, int family, const struct address_parts *parts, struct address *out)
{
        (void)family;
        const struct {
                const char *name, *bytes;
                size_t size;
                bool given, abstract;
        } ways[] = {
                { "path", parts->path.bytes, parts->path.size, parts->path.bytes != NULL, false },
                { "path_base64", (const char *)parts->path_base64.bytes, parts->path_base64.size,
                        parts->path_base64.given, false },
                { "abstract", parts->abstract.bytes, parts->abstract.size, parts->abstract.bytes != NULL,
                        true },
                { "abstract_base64", (const char *)parts->abstract_base64.bytes, parts->abstract_base64.size,
                        parts->abstract_base64.given, true },
        };
        const char *used = NULL;
        struct result result = address_from_unix("", 0, true, out); /* unless a member says more */
        for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
                if (!ways[way].given)
                        continue;
                if (used != NULL)
                        return decoder_fail(decoder, ways[way].name, "%s and %s exclude each other", used,
                                ways[way].name);
                used = ways[way].name;
                result = address_from_unix(ways[way].bytes, ways[way].size, ways[way].abstract, out);
        }
        return result.kind == RESULT_DONE || decoder_fail(decoder, used, "%s", result.detail);
}

/* Text if JSON can say it so, base64 else. */
static void set_unix_name(const char *bytes, size_t size, struct text *text, struct binary *binary)
{
        json_auto_t *said = memchr(bytes, '\0', size) == NULL ? json_stringn(bytes, size) : NULL;
        if (said != NULL)
                *text = (struct text){ .bytes = bytes, .size = size };
        else
                *binary = (struct binary){ .bytes = (const uint8_t *)bytes, .size = size, .given = true };
}

static bool read_unix(const struct address *address, struct address_parts *parts)
{
        const size_t head = offsetof(struct sockaddr_un, sun_path);
        const char *const bytes = (const char *)&address->storage + head;
        const size_t size = address->size - head;
        if (size == 0)
                return true;
        if (size > sizeof(((struct sockaddr_un *)NULL)->sun_path))
                return false;
        if (bytes[0] == '\0') {
                if (size > 1)
                        set_unix_name(bytes + 1, size - 1, &parts->abstract, &parts->abstract_base64);
                return size > 1;
        }
        /* The kernel counts the NUL; whatever else stands behind it would be lost. */
        if (strnlen(bytes, size) != size - 1)
                return false;
        set_unix_name(bytes, size - 1, &parts->path, &parts->path_base64);
        return true;
}

static bool find_interface(struct decoder *decoder, const json_t *value, int *out)
{
        if (json_is_integer(value) && json_integer_value(value) >= 0 &&
                json_integer_value(value) <= INT_MAX) {
                *out = (int)json_integer_value(value);
                return true;
        }
        if (!json_is_string(value))
                return decoder_fail(decoder, "interface",
                        "an interface goes by its name or by an index from 0 to %d", INT_MAX);
        *out = (int)interface_index(json_string_value(value));
        return *out != 0 || decoder_fail(decoder, "interface", "there is no network interface \"%.64s\" here",
                                    json_string_value(value));
}

/* "02:00:5e:10:00:01" as bytes. */
static bool read_hardware_address(const struct text *text, struct sockaddr_ll *out)
{
        static const char digits[] = "0123456789abcdefABCDEF";
        const char *at = text->bytes == NULL ? "" : text->bytes;
        while (*at != '\0') {
                if (out->sll_halen == sizeof out->sll_addr || strspn(at, digits) != 2)
                        return false;
                out->sll_addr[out->sll_halen++] = (unsigned char)strtoul(at, NULL, 16);
                at += 2;
                if (*at == ':' && at[1] != '\0')
                        at++;
                else if (*at != '\0')
                        return false;
        }
        return true;
}

static bool build_packet(
        struct decoder *decoder, int family, const struct address_parts *parts, struct address *out)
{
        struct sockaddr_ll packet = { .sll_family = (sa_family_t)family,
                .sll_protocol = htons((uint16_t)parts->protocol),
                .sll_hatype = (uint16_t)parts->hardware_type,
                .sll_pkttype = (uint8_t)parts->packet_type };
        if (parts->interface.json != NULL &&
                !find_interface(decoder, parts->interface.json, &packet.sll_ifindex))
                return false;
        if (has_nul(&parts->hardware_address) || !read_hardware_address(&parts->hardware_address, &packet))
                return decoder_fail(decoder, "hardware_address",
                        "a hardware address is at most 8 bytes in hexadecimal, as in 02:00:5e:10:00:01");
        address_set(out, &packet, sizeof packet);
        return true;
}

/* The index where an interface is gone or its name is no text. */
static json_t *interface_to_json(int number)
{
        char name[IF_NAMESIZE] = "";
        json_t *const text = number > 0 && interface_name((unsigned)number, name) ? json_string(name) : NULL;
        return text != NULL ? text : json_integer(number);
}

static bool read_packet(const struct address *address, struct address_parts *parts)
{
        const size_t head = offsetof(struct sockaddr_ll, sll_addr);
        struct sockaddr_ll packet;
        memcpy(&packet, &address->storage, sizeof packet);
        /* Hardware addresses longer than the struct has room for (InfiniBand) exist. */
        if (address->size < head || packet.sll_halen > sizeof packet.sll_addr ||
                address->size < head + packet.sll_halen || address->size > sizeof packet ||
                packet.sll_ifindex < 0)
                return false;
        for (size_t byte = 0; byte < packet.sll_halen; byte++)
                snprintf(parts->buffer + byte * 3, 4, "%02x%s", packet.sll_addr[byte],
                        byte + 1 < packet.sll_halen ? ":" : "");
        parts->protocol = ntohs(packet.sll_protocol);
        parts->interface.json = interface_to_json(packet.sll_ifindex);
        parts->hardware_type = packet.sll_hatype;
        parts->packet_type = packet.sll_pkttype;
        parts->hardware_address = text_of(parts->buffer);
        return true;
}

static bool build_vsock(
        struct decoder *decoder, int family, const struct address_parts *parts, struct address *out)
{
        (void)decoder;
        const struct sockaddr_vm vsock = { .svm_family = (sa_family_t)family,
                .svm_cid = (uint32_t)parts->cid,
                .svm_port = (uint32_t)parts->port };
        address_set(out, &vsock, sizeof vsock);
        return true;
}

static bool read_vsock(const struct address *address, struct address_parts *parts)
{
        struct sockaddr_vm vsock;
        memcpy(&vsock, &address->storage, sizeof vsock);
        if (address->size != sizeof vsock || vsock.svm_flags != 0 || vsock.svm_reserved1 != 0)
                return false;
        parts->cid = vsock.svm_cid;
        parts->port = vsock.svm_port;
        return true;
}

static bool build_netlink(
        struct decoder *decoder, int family, const struct address_parts *parts, struct address *out)
{
        (void)decoder;
        const struct sockaddr_nl netlink = { .nl_family = (sa_family_t)family,
                .nl_pid = (uint32_t)parts->pid,
                .nl_groups = (uint32_t)parts->groups };
        address_set(out, &netlink, sizeof netlink);
        return true;
}

static bool read_netlink(const struct address *address, struct address_parts *parts)
{
        struct sockaddr_nl netlink;
        memcpy(&netlink, &address->storage, sizeof netlink);
        if (address->size != sizeof netlink || netlink.nl_pad != 0)
                return false;
        parts->pid = netlink.nl_pid;
        parts->groups = netlink.nl_groups;
        return true;
}

/* Wrong lengths for a known family are wanted: that the kernel refuses them is something to test. */
static bool build_raw(
        struct decoder *decoder, int family, const struct address_parts *parts, struct address *out)
{
        struct sockaddr_storage storage = { .ss_family = (sa_family_t)family };
        const size_t room = sizeof storage - sizeof storage.ss_family;
        if (!parts->family_given)
                return decoder_fail(decoder, "family", "raw needs a family");
        if (parts->raw.size > room)
                return decoder_fail(decoder, "raw", "raw has %zu bytes; a socket address has room for %zu",
                        parts->raw.size, room);
        if (parts->raw.size > 0)
                memcpy((uint8_t *)&storage + sizeof storage.ss_family, parts->raw.bytes, parts->raw.size);
        address_set(out, &storage, sizeof storage);
        out->size = (socklen_t)(sizeof storage.ss_family + parts->raw.size);
        return true;
}

static bool read_raw(const struct address *address, struct address_parts *parts)
{
        parts->raw = (struct binary){ .bytes = (const uint8_t *)&address->storage + sizeof(sa_family_t),
                .size = address->size - sizeof(sa_family_t),
                .given = true };
        return true;
}

/* clang-format off */
#define PART(member, text, ...) FIELD(struct address_parts, member, text, __VA_ARGS__)
/* clang-format on */

#define HOST_HELP "A numeric address or a host's name; absent in a request: any address."

static const struct field any_ip_rows[] = {
        PART(host, HOST_HELP, .example = "\"localhost\""),
        PART(port, "Port.", .max = UINT16_MAX, .example = "80"),
        PART(scope_id, "Index of the interface that a link-local address is on.", .max = UINT32_MAX),
        PART(flowinfo, "Traffic class and flow label.", .max = UINT32_MAX),
};
static const struct field ipv4_rows[] = {
        PART(host, HOST_HELP, .example = "\"127.0.0.1\""),
        PART(port, "Port.", .max = UINT16_MAX, .example = "80"),
};
static const struct field ipv6_rows[] = {
        PART(host, HOST_HELP, .example = "\"::1\""),
        PART(port, "Port.", .max = UINT16_MAX, .example = "80"),
        PART(scope_id, "Index of the interface that a link-local address is on.", .max = UINT32_MAX),
        PART(flowinfo, "Traffic class and flow label.", .max = UINT32_MAX),
};
static const struct field unix_rows[] = {
        PART(path,
                "Path of the socket's file. With no path and no abstract name: unnamed; bind then picks a "
                "name.",
                .optional = true, .example = "\"/run/x\""),
        PART(path_base64, "The path, where its bytes are no UTF-8.", .optional = true),
        PART(abstract, "Name in the abstract namespace.", .optional = true, .example = "\"x\""),
        PART(abstract_base64, "The abstract name, where its bytes are no UTF-8.", .optional = true),
};
static const struct field packet_rows[] = {
        PART(protocol, "Ethernet protocol in host order: 2048 is IPv4, 3 is every protocol.",
                .max = UINT16_MAX),
        PART(interface, "Name or index of the network interface; 0: all.",
                .schema = "{\"type\": [\"string\", \"integer\"], \"minimum\": 0}", .example = "\"lo\""),
        PART(hardware_type, "ARPHRD_ number of the interface's kind: 1 is Ethernet.", .max = UINT16_MAX),
        PART(packet_type,
                "Whom a received packet was for: 0 this host, 1 all, 2 a group, 3 another host, 4 sent by "
                "this host.",
                .max = UINT8_MAX),
        PART(hardware_address, "Bytes in hexadecimal.", .example = "\"02:00:5e:10:00:01\""),
};
static const struct field vsock_rows[] = {
        PART(cid, "Context id of the machine: 1 is this one, 2 its host, 4294967295 any.", .max = UINT32_MAX,
                .required = true, .example = "1"),
        PART(port, "Port; 4294967295: any.", .max = UINT32_MAX, .required = true, .example = "1024"),
};
static const struct field netlink_rows[] = {
        PART(pid, "Port id; 0 is the kernel.", .max = UINT32_MAX),
        PART(groups, "Bits of the multicast groups.", .max = UINT32_MAX),
};
static const struct field raw_rows[] = {
        PART(raw, "The bytes of the sockaddr after its family, of any length up to 126.", .required = true),
};

#define FORM_FIELDS(rows) FIELDS(struct address_parts, rows)

const struct address_form address_forms[] = {
        { AF_INET, FORM_FIELDS(ipv4_rows), build_ip, read_ipv4 },
        { AF_INET6, FORM_FIELDS(ipv6_rows), build_ip, read_ipv6 },
        { AF_UNIX, FORM_FIELDS(unix_rows), build_unix, read_unix },
        { AF_PACKET, FORM_FIELDS(packet_rows), build_packet, read_packet },
        { AF_VSOCK, FORM_FIELDS(vsock_rows), build_vsock, read_vsock },
        { AF_NETLINK, FORM_FIELDS(netlink_rows), build_netlink, read_netlink },
        { AF_UNSPEC, FORM_FIELDS(any_ip_rows), build_ip, NULL },
};
const size_t address_form_count = sizeof address_forms / sizeof *address_forms;

const struct address_form address_raw_form = { -1, FORM_FIELDS(raw_rows), build_raw, read_raw };
