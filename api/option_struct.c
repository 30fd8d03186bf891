/* option_struct.c: option values that are structs, as JSON objects, by the layouts of their members. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "api/option_codec.h"

enum { NAME_SIZE = 48 }; /* of "value.interface_address" and its like */

static void store(uint8_t *to, size_t size, uint64_t number)
{
        const uint8_t one = (uint8_t)number;
        const uint16_t two = (uint16_t)number;
        const uint32_t four = (uint32_t)number;
        const void *const sources[] = { [1] = &one, [2] = &two, [4] = &four, [8] = &number };
        memcpy(to, sources[size], size);
}

static uint64_t load(const uint8_t *from, size_t size)
{
        uint8_t one = 0;
        uint16_t two = 0;
        uint32_t four = 0;
        uint64_t eight = 0;
        void *const targets[] = { [1] = &one, [2] = &two, [4] = &four, [8] = &eight };
        memcpy(targets[size], from, size);
        return one | two | four | eight;
}

static bool decode_member_flag(struct decoder *decoder, const char *name, const struct option_member *member,
        json_t *value, uint8_t *to)
{
        if (!json_is_boolean(value))
                return decoder_fail(decoder, name, "must be true or false");
        store(to, member->size, json_is_true(value) ? 1 : 0);
        return true;
}

static json_t *encode_member_flag(const struct option_member *member, const uint8_t *from)
{
        return json_boolean(load(from, member->size) != 0);
}

static bool decode_member_signed(struct decoder *decoder, const char *name,
        const struct option_member *member, json_t *value, uint8_t *to)
{
        const int64_t max = (int64_t)(UINT64_MAX >> (65 - 8 * member->size));
        int64_t number = 0;
        if (!decode_bounded(decoder, name, value, -max - 1, max, &number))
                return false;
        store(to, member->size, (uint64_t)number);
        return true;
}

static json_t *encode_member_signed(const struct option_member *member, const uint8_t *from)
{
        const uint64_t number = load(from, member->size);
        const uint64_t sign = (uint64_t)1 << (8 * member->size - 1);
        return json_integer((json_int_t)((number ^ sign) - sign));
}

static bool decode_member_unsigned(struct decoder *decoder, const char *name,
        const struct option_member *member, json_t *value, uint8_t *to)
{
        uint64_t wide = 0;
        int64_t number = 0;
        if (member->size == sizeof wide) {
                if (!decode_unsigned_long(decoder, name, value, &wide))
                        return false;
        } else {
                const int64_t max = (int64_t)(UINT64_MAX >> (64 - 8 * member->size));
                if (!decode_bounded(decoder, name, value, 0, max, &number))
                        return false;
                wide = (uint64_t)number;
        }
        store(to, member->size, wide);
        return true;
}

static json_t *encode_member_unsigned(const struct option_member *member, const uint8_t *from)
{
        return encode_unsigned_long(load(from, member->size));
}

static bool decode_member_bits(struct decoder *decoder, const char *name, const struct option_member *member,
        json_t *value, uint8_t *to)
{
        int64_t number = 0;
        if (!decode_bounded(decoder, name, value, 0, (1 << member->width) - 1, &number))
                return false;
        store(to, member->size, load(to, member->size) | (uint64_t)number << member->shift);
        return true;
}

static json_t *encode_member_bits(const struct option_member *member, const uint8_t *from)
{
        const uint64_t mask = ((uint64_t)1 << member->width) - 1;
        return json_integer((json_int_t)(load(from, member->size) >> member->shift & mask));
}

static bool decode_member_constant(struct decoder *decoder, const char *name,
        const struct option_member *member, json_t *value, uint8_t *to)
{
        int number = 0;
        const struct field field = { .name = name, .kind = FIELD_INT, .names = member->names };
        if (!decode_constant(decoder, &field, value, &number))
                return false;
        const int64_t max = (int64_t)(UINT64_MAX >> (64 - 8 * member->size));
        if (number < 0 || number > max)
                return decoder_fail(decoder, name, "must be a constant's name, or a number that fits");
        store(to, member->size, (uint64_t)number);
        return true;
}

static json_t *encode_member_constant(const struct option_member *member, const uint8_t *from)
{
        return encode_constant(member->names, false, (int)load(from, member->size));
}

static bool decode_member_ipv4(struct decoder *decoder, const char *name, const struct option_member *member,
        json_t *value, uint8_t *to)
{
        (void)member;
        if (!json_is_string(value) || inet_pton(AF_INET, json_string_value(value), to) != 1)
                return decoder_fail(decoder, name, "must be an IPv4 address");
        return true;
}

static json_t *encode_member_ipv4(const struct option_member *member, const uint8_t *from)
{
        (void)member;
        char text[INET_ADDRSTRLEN];
        return json_string(inet_ntop(AF_INET, from, text, sizeof text));
}

static bool decode_member_ipv6(struct decoder *decoder, const char *name, const struct option_member *member,
        json_t *value, uint8_t *to)
{
        (void)member;
        if (!json_is_string(value) || inet_pton(AF_INET6, json_string_value(value), to) != 1)
                return decoder_fail(decoder, name, "must be an IPv6 address");
        return true;
}

static json_t *encode_member_ipv6(const struct option_member *member, const uint8_t *from)
{
        (void)member;
        char text[INET6_ADDRSTRLEN];
        return json_string(inet_ntop(AF_INET6, from, text, sizeof text));
}

static bool decode_member_host(struct decoder *decoder, const char *name, const struct option_member *member,
        json_t *value, uint8_t *to)
{
        (void)member;
        struct sockaddr_in v4 = { .sin_family = AF_INET };
        struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
        const char *text = json_is_string(value) ? json_string_value(value) : "";
        if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
                memcpy(to, &v4, sizeof v4);
        else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
                memcpy(to, &v6, sizeof v6);
        else
                return decoder_fail(decoder, name, "must be an IPv4 or IPv6 address");
        return true;
}

static json_t *encode_member_host(const struct option_member *member, const uint8_t *from)
{
        (void)member;
        sa_family_t family;
        memcpy(&family, from + offsetof(struct sockaddr_storage, ss_family), sizeof family);
        char text[INET6_ADDRSTRLEN];
        const size_t offset = family == AF_INET6 ? offsetof(struct sockaddr_in6, sin6_addr)
                                                 : offsetof(struct sockaddr_in, sin_addr);
        return json_string(inet_ntop(family, from + offset, text, sizeof text));
}

static bool decode_member_interface(struct decoder *decoder, const char *name,
        const struct option_member *member, json_t *value, uint8_t *to)
{
        uint32_t index = 0;
        if (!decode_interface(decoder, name, value, &index))
                return false;
        store(to, member->size, index);
        return true;
}

static json_t *encode_member_interface(const struct option_member *member, const uint8_t *from)
{
        return encode_interface((uint32_t)load(from, member->size));
}

static const struct {
        bool (*decode)(struct decoder *decoder, const char *name, const struct option_member *member,
                json_t *value, uint8_t *to);
        json_t *(*encode)(const struct option_member *member, const uint8_t *from);
} members[MEMBER_KIND_COUNT] = {
        [MEMBER_FLAG] = { decode_member_flag, encode_member_flag },
        [MEMBER_SIGNED] = { decode_member_signed, encode_member_signed },
        [MEMBER_UNSIGNED] = { decode_member_unsigned, encode_member_unsigned },
        [MEMBER_BITS] = { decode_member_bits, encode_member_bits },
        [MEMBER_CONSTANT] = { decode_member_constant, encode_member_constant },
        [MEMBER_IPV4] = { decode_member_ipv4, encode_member_ipv4 },
        [MEMBER_IPV6] = { decode_member_ipv6, encode_member_ipv6 },
        [MEMBER_HOST] = { decode_member_host, encode_member_host },
        [MEMBER_INTERFACE] = { decode_member_interface, encode_member_interface },
};

static const struct option_member *find_member(const struct option_layout *layout, const char *name)
{
        for (size_t i = 0; i < layout->count; i++)
                if (strcmp(layout->members[i].name, name) == 0)
                        return &layout->members[i];
        return NULL;
}

static bool refuse_unknown_members(struct decoder *decoder, const struct option_layout *layout, json_t *value)
{
        const char *name;
        json_t *item;
        json_object_foreach(value, name, item)
        {
                if (!find_member(layout, name))
                        return decoder_fail(decoder, "value", "has no member \"%.32s\"", name);
        }
        return true;
}

bool decode_option_struct(
        struct decoder *decoder, const struct option *option, json_t *value, struct option_bytes *out)
{
        return decode_layout(decoder, &option_layouts[option->kind], value, out);
}

bool decode_layout(
        struct decoder *decoder, const struct option_layout *layout, json_t *value, struct option_bytes *out)
{
        if (!json_is_object(value))
                return decoder_fail(decoder, "value", "must be an object");
        if (!refuse_unknown_members(decoder, layout, value))
                return false;
        for (size_t i = 0; i < layout->count; i++) {
                const struct option_member *member = &layout->members[i];
                json_t *item = json_object_get(value, member->name);
                char name[NAME_SIZE];
                snprintf(name, sizeof name, "value.%s", member->name);
                if (!item && member->required)
                        return decoder_fail(decoder, name, "is missing");
                if (item && !members[member->kind].decode(
                                    decoder, name, member, item, out->bytes + member->offset))
                        return false;
        }
        out->size = layout->size;
        return true;
}

json_t *encode_option_struct(const struct option *option, const uint8_t *bytes, size_t size)
{
        return encode_layout(&option_layouts[option->kind], bytes, size);
}

json_t *encode_layout(const struct option_layout *layout, const uint8_t *bytes, size_t size)
{
        json_t *object = json_object();
        /* A kernel older than the rows gives fewer bytes: what did not come is not said. */
        for (size_t i = 0; i < layout->count; i++) {
                const struct option_member *member = &layout->members[i];
                if (member->offset + member->size <= size)
                        json_object_set_new(object, member->name,
                                members[member->kind].encode(member, bytes + member->offset));
        }
        if (json_object_size(object) > 0)
                return object;
        json_decref(object);
        return NULL;
}
