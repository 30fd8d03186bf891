/* op_inet.c: addresses, names and interfaces: what <arpa/inet.h>, <netdb.h> and <net/if.h> offer. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>

#include "api/call.h"
#include "api/record.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/lookup.h"

enum { IPV4_SIZE = 4, IPV6_SIZE = 16 };

static const struct field inet_aton_request_rows[] = {
        FIELD(struct inet_aton_request, address, "IPv4 address in any of the forms that inet_aton(3) takes.",
                .required = true, .example = "\"127.1\""),
};
const struct fields inet_aton_request_fields = FIELDS(struct inet_aton_request, inet_aton_request_rows);

static const struct field inet_ntoa_request_rows[] = {
        FIELD(struct inet_ntoa_request, packed, "The address: exactly 4 bytes.", .required = true,
                .example = "\"fwAAAQ==\""),
};
const struct fields inet_ntoa_request_fields = FIELDS(struct inet_ntoa_request, inet_ntoa_request_rows);

static const struct field inet_pton_request_rows[] = {
        FIELD(struct inet_pton_request, family, "AF_INET or AF_INET6.", .required = true,
                .names = &family_names, .example = "\"AF_INET6\""),
        FIELD(struct inet_pton_request, address, "The address as text.", .required = true,
                .example = "\"::1\""),
};
const struct fields inet_pton_request_fields = FIELDS(struct inet_pton_request, inet_pton_request_rows);

static const struct field inet_ntop_request_rows[] = {
        FIELD(struct inet_ntop_request, family, "AF_INET or AF_INET6.", .required = true,
                .names = &family_names, .example = "\"AF_INET\""),
        FIELD(struct inet_ntop_request, packed, "The address: 4 bytes of AF_INET, 16 of AF_INET6.",
                .required = true, .example = "\"fwAAAQ==\""),
};
const struct fields inet_ntop_request_fields = FIELDS(struct inet_ntop_request, inet_ntop_request_rows);

static const struct field getaddrinfo_request_rows[] = {
        FIELD(struct getaddrinfo_request, host, "Host name or numeric address.", .example = "\"localhost\""),
        FIELD(struct getaddrinfo_request, service, "Service name or port.", .example = "\"80\""),
        FIELD(struct getaddrinfo_request, family, "Only addresses of this family; AF_UNSPEC: any.",
                .names = &family_names, .example = "\"AF_INET\""),
        FIELD(struct getaddrinfo_request, type, "Only for this socket type; 0: any.", .names = &type_names,
                .example = "\"SOCK_STREAM\""),
        FIELD(struct getaddrinfo_request, protocol, "Only for this protocol; 0: any.",
                .names = &protocol_names),
        FIELD(struct getaddrinfo_request, flags, "AI_ flags.", .flags = true, .names = &ai_flag_names),
};
const struct fields getaddrinfo_request_fields = FIELDS(struct getaddrinfo_request, getaddrinfo_request_rows);

static const struct field getnameinfo_request_rows[] = {
        FIELD(struct getnameinfo_request, address, "The address to find the names of.", .required = true,
                .example = "\"127.0.0.1:80\""),
        FIELD(struct getnameinfo_request, flags, "NI_ flags.", .flags = true, .names = &ni_flag_names),
};
const struct fields getnameinfo_request_fields = FIELDS(struct getnameinfo_request, getnameinfo_request_rows);

const struct fields if_nameindex_request_fields = NO_FIELDS;

static const struct field inet_packed_rows[] = {
        FIELD(struct inet_packed, packed, "The address in network byte order.", .example = "\"fwAAAQ==\""),
};
const struct fields inet_packed_fields = FIELDS(struct inet_packed, inet_packed_rows);

static const struct field inet_text_rows[] = {
        FIELD(struct inet_text, address, "The address as text.", .example = "\"127.0.0.1\""),
};
const struct fields inet_text_fields = FIELDS(struct inet_text, inet_text_rows);

static const struct field resolved_names_rows[] = {
        FIELD(struct resolved_names, addresses, "What getaddrinfo(3) found, in its order.",
                .schema = "{\"type\": \"array\", \"items\": {\"type\": \"object\", \"additionalProperties\": "
                          "false,"
                          " \"required\": [\"family\", \"type\", \"protocol\", \"address\", "
                          "\"canonical_name\"],"
                          " \"properties\": {\"family\": {\"type\": [\"string\", \"integer\"]},"
                          " \"type\": {\"type\": [\"string\", \"integer\"]},"
                          " \"protocol\": {\"type\": [\"string\", \"integer\"]},"
                          " \"address\": {\"type\": [\"object\", \"null\"],"
                          " \"description\": \"As in other replies.\"},"
                          " \"canonical_name\": {\"type\": [\"string\", \"null\"],"
                          " \"description\": \"Of the first, with AI_CANONNAME.\"}}}}",
                .example =
                        "[{\"family\": \"AF_INET\", \"type\": \"SOCK_STREAM\", \"protocol\": \"IPPROTO_TCP\","
                        " \"address\": {\"family\": \"AF_INET\", \"host\": \"127.0.0.1\", \"port\": 80},"
                        " \"canonical_name\": null}]"),
};
const struct fields resolved_names_fields = FIELDS(struct resolved_names, resolved_names_rows);

static const struct field resolved_address_rows[] = {
        FIELD(struct resolved_address, host, "Host name, or its number where it has none.",
                .example = "\"localhost\""),
        FIELD(struct resolved_address, service, "Service name, or its port where it has none.",
                .example = "\"http\""),
};
const struct fields resolved_address_fields = FIELDS(struct resolved_address, resolved_address_rows);

static const struct field interface_page_rows[] = {
        FIELD(struct interface_page, interfaces, "The interfaces by index.",
                .schema = "{\"type\": \"array\", \"items\": {\"type\": \"object\", \"additionalProperties\": "
                          "false,"
                          " \"required\": [\"index\", \"name\"], \"properties\": {"
                          " \"index\": {\"type\": \"integer\", \"minimum\": 1}, \"name\": {\"type\": "
                          "\"string\"}}}}",
                .example = "[{\"index\": 1, \"name\": \"lo\"}]"),
};
const struct fields interface_page_fields = FIELDS(struct interface_page, interface_page_rows);

/* One element of resolved_names.addresses. */
struct resolved_item {
        int family, type, protocol;
        struct address address;
        struct text canonical_name;
};
static const struct field resolved_item_rows[] = {
        FIELD(struct resolved_item, family, NULL, .names = &family_names),
        FIELD(struct resolved_item, type, NULL, .names = &type_names),
        FIELD(struct resolved_item, protocol, NULL, .names = &protocol_names),
        FIELD(struct resolved_item, address, NULL, .nullable = true),
        FIELD(struct resolved_item, canonical_name, NULL, .nullable = true),
};
static const struct fields resolved_item_fields = FIELDS(struct resolved_item, resolved_item_rows);

/* The C library's functions end at a NUL: "127.0.0.1\0.example" must not pass for what stands before it. */
static bool has_nul(const struct text *text)
{
        return text->bytes != NULL && strlen(text->bytes) != text->size;
}

static const char *or_empty(const struct text *text)
{
        return text->bytes == NULL ? "" : text->bytes;
}

static struct result reply_packed(struct call *call, const void *bytes, size_t size, struct binary *out)
{
        uint8_t *const copy = arena_allocate(&call->arena, size);
        if (copy == NULL)
                return refused("malloc", ENOMEM);
        memcpy(copy, bytes, size);
        *out = (struct binary){ .bytes = copy, .size = size, .given = true };
        return DONE;
}

static struct result reply_text(struct call *call, const char *bytes, struct text *out)
{
        const char *const copy = arena_copy(&call->arena, bytes, strlen(bytes));
        if (copy == NULL)
                return refused("malloc", ENOMEM);
        *out = (struct text){ .bytes = copy, .size = strlen(copy) };
        return DONE;
}

struct result run_inet_aton(
        struct call *call, const struct inet_aton_request *request, struct inet_packed *reply_out)
{
        struct in_addr address;
        if (has_nul(&request->address) || inet_aton(or_empty(&request->address), &address) == 0)
                return call_unsound(call, "address", "\"%.64s\" is no IPv4 address that inet_aton(3) takes",
                        or_empty(&request->address));
        return reply_packed(call, &address, sizeof address, &reply_out->packed);
}

struct result run_inet_ntoa(
        struct call *call, const struct inet_ntoa_request *request, struct inet_text *reply_out)
{
        char text[INET_ADDRSTRLEN] = "";
        if (request->packed.size != IPV4_SIZE)
                return call_unsound(
                        call, "packed", "packed has %zu bytes; an IPv4 address has 4", request->packed.size);
        inet_ntop(AF_INET, request->packed.bytes, text, sizeof text);
        return reply_text(call, text, &reply_out->address);
}

struct result run_inet_pton(
        struct call *call, const struct inet_pton_request *request, struct inet_packed *reply_out)
{
        uint8_t bytes[IPV6_SIZE];
        const int read = inet_pton(request->family, or_empty(&request->address), bytes);
        if (read < 0)
                return refused("inet_pton", errno);
        if (read == 0 || has_nul(&request->address))
                return call_unsound(call, "address", "\"%.64s\" is no address of that family",
                        or_empty(&request->address));
        return reply_packed(
                call, bytes, request->family == AF_INET ? IPV4_SIZE : IPV6_SIZE, &reply_out->packed);
}

struct result run_inet_ntop(
        struct call *call, const struct inet_ntop_request *request, struct inet_text *reply_out)
{
        const size_t needed = request->family == AF_INET ? IPV4_SIZE : IPV6_SIZE;
        char text[INET6_ADDRSTRLEN] = "";
        if (request->family != AF_INET && request->family != AF_INET6)
                return refused("inet_ntop", EAFNOSUPPORT);
        if (request->packed.size != needed)
                return call_unsound(call, "packed", "packed has %zu bytes; an address of that family has %zu",
                        request->packed.size, needed);
        inet_ntop(request->family, request->packed.bytes, text, sizeof text);
        return reply_text(call, text, &reply_out->address);
}

static json_t *item_from(const struct addrinfo *found)
{
        struct resolved_item item = {
                .family = found->ai_family, .type = found->ai_socktype, .protocol = found->ai_protocol
        };
        if (found->ai_addrlen <= sizeof item.address.storage) {
                memcpy(&item.address.storage, found->ai_addr, found->ai_addrlen);
                item.address.size = found->ai_addrlen;
                item.address.given = true;
        }
        if (found->ai_canonname != NULL)
                item.canonical_name =
                        (struct text){ .bytes = found->ai_canonname, .size = strlen(found->ai_canonname) };
        return fields_encode(&resolved_item_fields, &item);
}

static struct result reply_addresses(const struct addrinfo *addresses, struct value *out)
{
        json_auto_t *list = json_array();
        for (const struct addrinfo *found = addresses; found != NULL; found = found->ai_next)
                if (json_array_append_new(list, item_from(found)) != 0)
                        return refused("malloc", ENOMEM);
        out->json = TAKE(list);
        return DONE;
}

struct result run_getaddrinfo(
        struct call *call, const struct getaddrinfo_request *request, struct resolved_names *reply_out)
{
        if (call->lookup != NULL) {
                TRY(lookup_result(call->lookup));
                return reply_addresses(lookup_outcome(call->lookup)->addresses, &reply_out->addresses);
        }
        if (has_nul(&request->host) || has_nul(&request->service))
                return call_unsound(
                        call, has_nul(&request->host) ? "host" : "service", "a name cannot hold a NUL byte");
        const struct addrinfo hints = { .ai_family = request->family,
                .ai_socktype = request->type,
                .ai_protocol = request->protocol,
                .ai_flags = request->flags };
        return call_lookup_names(call, request->host.bytes, request->service.bytes, &hints);
}

struct result run_getnameinfo(
        struct call *call, const struct getnameinfo_request *request, struct resolved_address *reply_out)
{
        if (call->lookup == NULL)
                return call_lookup_address(call, &request->address, request->flags);
        TRY(lookup_result(call->lookup));
        const struct lookup_outcome *const outcome = lookup_outcome(call->lookup);
        TRY(reply_text(call, outcome->host, &reply_out->host));
        return reply_text(call, outcome->service, &reply_out->service);
}

static void cleanup_interfaces(struct if_nameindex *const *interfaces)
{
        if (*interfaces != NULL)
                if_freenameindex(*interfaces);
}

struct result run_if_nameindex(
        struct call *call, const struct if_nameindex_request *request, struct interface_page *reply_out)
{
        (void)call, (void)request;
        struct if_nameindex *const interfaces __attribute__((cleanup(cleanup_interfaces))) = if_nameindex();
        if (interfaces == NULL)
                return refused("if_nameindex", errno);
        json_auto_t *list = json_array();
        for (const struct if_nameindex *each = interfaces; each->if_index != 0; each++) {
                json_t *const name = json_text(each->if_name, strlen(each->if_name));
                if (json_array_append_new(list,
                            json_pack("{sI, so}", "index", (json_int_t)each->if_index, "name", name)) != 0)
                        return refused("malloc", ENOMEM);
        }
        reply_out->interfaces.json = TAKE(list);
        return DONE;
}
