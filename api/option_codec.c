/* option_codec.c: the values of socket options as JSON, for each kind of option: a table, and the simple
 * kinds. */
#include "api/option_codec.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/sockets/interface.h"

bool decode_bounded(
        struct decoder *decoder, const char *name, json_t *value, int64_t min, int64_t max, int64_t *out)
{
        if (!json_is_integer(value))
                return decoder_fail(decoder, name, "must be an integer");
        const int64_t number = json_integer_value(value);
        if (number < min || number > max)
                return decoder_fail(decoder, name, "must be from %" PRId64 " to %" PRId64, min, max);
        *out = number;
        return true;
}

static bool put(struct option_bytes *out, const void *bytes, size_t size)
{
        memcpy(out->bytes, bytes, size);
        out->size = size;
        return true;
}

static bool put_int(struct option_bytes *out, int number)
{
        return put(out, &number, sizeof number);
}

/* An int, of which the kernel may have given one byte only, as it does for IP options read with a short
 * length. */
static bool take_int(const uint8_t *bytes, size_t size, int *out)
{
        if (size >= sizeof *out)
                memcpy(out, bytes, sizeof *out);
        else if (size == 1)
                *out = bytes[0];
        else
                return false;
        return true;
}

static bool decode_flag(
        struct decoder *decoder, const struct option *option, json_t *value, struct option_bytes *out)
{
        (void)option;
        if (json_is_boolean(value))
                return put_int(out, json_is_true(value) ? 1 : 0);
        int64_t number = 0;
        if (!json_is_integer(value))
                return decoder_fail(decoder, "value", "must be true or false");
        return decode_bounded(decoder, "value", value, 0, 1, &number) && put_int(out, (int)number);
}

static json_t *encode_flag(const struct option *option, const uint8_t *bytes, size_t size)
{
        (void)option;
        int number = 0;
        return take_int(bytes, size, &number) ? json_boolean(number) : NULL;
}

static bool decode_integer(
        struct decoder *decoder, const struct option *option, json_t *value, struct option_bytes *out)
{
        (void)option;
        int64_t number = 0;
        return decode_bounded(decoder, "value", value, INT32_MIN, INT32_MAX, &number) &&
               put_int(out, (int)number);
}

static json_t *encode_integer(const struct option *option, const uint8_t *bytes, size_t size)
{
        (void)option;
        int number = 0;
        return take_int(bytes, size, &number) ? json_integer(number) : NULL;
}

static bool decode_unsigned(
        struct decoder *decoder, const struct option *option, json_t *value, struct option_bytes *out)
{
        (void)option;
        int64_t number = 0;
        if (!decode_bounded(decoder, "value", value, 0, UINT32_MAX, &number))
                return false;
        return put(out, &(uint32_t){ (uint32_t)number }, sizeof(uint32_t));
}

static json_t *encode_unsigned(const struct option *option, const uint8_t *bytes, size_t size)
{
        (void)option;
        int number = 0;
        return take_int(bytes, size, &number) ? json_integer((uint32_t)number) : NULL;
}

bool decode_unsigned_long(struct decoder *decoder, const char *name, json_t *value, uint64_t *out)
{
        if (json_is_string(value)) {
                const char *text = json_string_value(value);
                const size_t size = strlen(text);
                char *end = NULL;
                errno = 0;
                const unsigned long long number = strtoull(text, &end, 10);
                if (size == 0 || strspn(text, "0123456789") != size || errno == ERANGE)
                        return decoder_fail(decoder, name, "must be a number from 0 to %" PRIu64, UINT64_MAX);
                *out = number;
                return true;
        }
        int64_t number = 0;
        if (!decode_bounded(decoder, name, value, 0, INT64_MAX, &number))
                return false;
        *out = (uint64_t)number;
        return true;
}

json_t *encode_unsigned_long(uint64_t number)
{
        if (number <= INT64_MAX)
                return json_integer((json_int_t)number);
        return json_sprintf("%" PRIu64, number);
}

static bool decode_long_value(
        struct decoder *decoder, const struct option *option, json_t *value, struct option_bytes *out)
{
        (void)option;
        uint64_t number = 0;
        return decode_unsigned_long(decoder, "value", value, &number) && put(out, &number, sizeof number);
}

static json_t *encode_long_value(const struct option *option, const uint8_t *bytes, size_t size)
{
        uint64_t number = 0;
        if (size < sizeof number)
                return encode_unsigned(option, bytes, size);
        memcpy(&number, bytes, sizeof number);
        return encode_unsigned_long(number);
}

static bool decode_names(struct decoder *decoder, const struct names *names, bool flags, json_t *value,
        struct option_bytes *out)
{
        int number = 0;
        const struct field field = { .name = "value", .kind = FIELD_INT, .names = names, .flags = flags };
        return decode_constant(decoder, &field, value, &number) && put_int(out, number);
}

static bool decode_constant_value(
        struct decoder *decoder, const struct option *option, json_t *value, struct option_bytes *out)
{
        return decode_names(decoder, option->names, false, value, out);
}

static json_t *encode_constant_value(const struct option *option, const uint8_t *bytes, size_t size)
{
        int number = 0;
        return take_int(bytes, size, &number) ? encode_constant(option->names, false, number) : NULL;
}

static bool decode_flags(
        struct decoder *decoder, const struct option *option, json_t *value, struct option_bytes *out)
{
        return decode_names(decoder, option->names, true, value, out);
}

static json_t *encode_flags(const struct option *option, const uint8_t *bytes, size_t size)
{
        int number = 0;
        return take_int(bytes, size, &number) ? encode_constant(option->names, true, number) : NULL;
}

static bool decode_errno_value(
        struct decoder *decoder, const struct option *option, json_t *value, struct option_bytes *out)
{
        (void)option;
        return decode_names(decoder, &errno_names, false, value, out);
}

static json_t *encode_errno_value(const struct option *option, const uint8_t *bytes, size_t size)
{
        (void)option;
        int number = 0;
        if (!take_int(bytes, size, &number))
                return NULL;
        return number == 0 ? json_null() : encode_constant(&errno_names, false, number);
}

static bool decode_string(
        struct decoder *decoder, const struct option *option, json_t *value, struct option_bytes *out)
{
        (void)option;
        if (!json_is_string(value))
                return decoder_fail(decoder, "value", "must be a string");
        const char *text = json_string_value(value);
        const size_t size = json_string_length(value);
        if (size > OPTION_STRING_LONGEST || strlen(text) != size)
                return decoder_fail(decoder, "value", "must be at most %d bytes, none of them NUL",
                        OPTION_STRING_LONGEST);
        return put(out, text, size);
}

static json_t *encode_string(const struct option *option, const uint8_t *bytes, size_t size)
{
        (void)option;
        return json_stringn((const char *)bytes, strnlen((const char *)bytes, size));
}

static bool decode_bytes(
        struct decoder *decoder, const struct option *option, json_t *value, struct option_bytes *out)
{
        (void)option;
        static const struct field field = { .name = "value", .kind = FIELD_BINARY };
        struct binary binary = { 0 };
        if (!field_kinds[FIELD_BINARY].decode(decoder, &field, value, &binary))
                return false;
        if (binary.size > sizeof out->bytes)
                return decoder_fail(decoder, "value", "must be at most %zu bytes", sizeof out->bytes);
        return binary.size == 0 || put(out, binary.bytes, binary.size);
}

static json_t *encode_bytes(const struct option *option, const uint8_t *bytes, size_t size)
{
        (void)option;
        static const struct field field = { .name = "value", .kind = FIELD_BINARY };
        const struct binary binary = { .bytes = bytes, .size = size, .given = true };
        return field_kinds[FIELD_BINARY].encode(&field, &binary);
}

bool decode_interface(struct decoder *decoder, const char *name, json_t *value, uint32_t *out)
{
        int64_t number = 0;
        if (json_is_integer(value)) {
                if (!decode_bounded(decoder, name, value, 0, INT32_MAX, &number))
                        return false;
        } else if (json_is_string(value) && *json_string_value(value)) {
                number = interface_index(json_string_value(value));
                if (number == 0)
                        return decoder_fail(decoder, name, "is no interface of this host");
        } else if (!json_is_string(value)) {
                return decoder_fail(decoder, name, "must be an interface's name or index");
        }
        *out = (uint32_t)number;
        return true;
}

json_t *encode_interface(uint32_t index)
{
        char name[IF_NAMESIZE];
        return interface_name(index, name) ? json_string(name) : json_integer(index);
}

static bool decode_interface_value(
        struct decoder *decoder, const struct option *option, json_t *value, struct option_bytes *out)
{
        (void)option;
        uint32_t index = 0;
        return decode_interface(decoder, "value", value, &index) && put(out, &index, sizeof index);
}

static json_t *encode_interface_value(const struct option *option, const uint8_t *bytes, size_t size)
{
        (void)option;
        int index = 0;
        return take_int(bytes, size, &index) ? encode_interface((uint32_t)index) : NULL;
}

static bool decode_network_interface(
        struct decoder *decoder, const struct option *option, json_t *value, struct option_bytes *out)
{
        (void)option;
        uint32_t index = 0;
        if (!decode_interface(decoder, "value", value, &index))
                return false;
        return put(out, &(uint32_t){ htonl(index) }, sizeof index);
}

static json_t *encode_network_interface(const struct option *option, const uint8_t *bytes, size_t size)
{
        (void)option;
        int index = 0;
        return take_int(bytes, size, &index) ? encode_interface(ntohl((uint32_t)index)) : NULL;
}

static bool decode_multicast_interface(
        struct decoder *decoder, const struct option *option, json_t *value, struct option_bytes *out)
{
        if (!json_is_string(value))
                return decode_option_struct(decoder, option, value, out);
        struct in_addr address;
        if (inet_pton(AF_INET, json_string_value(value), &address) != 1)
                return decoder_fail(decoder, "value", "must be an IPv4 address, or an object");
        return put(out, &address, sizeof address);
}

static json_t *encode_multicast_interface(const struct option *option, const uint8_t *bytes, size_t size)
{
        (void)option;
        char text[INET_ADDRSTRLEN];
        if (size != sizeof(struct in_addr) || !inet_ntop(AF_INET, bytes, text, sizeof text))
                return NULL;
        return json_string(text);
}

const struct option_codec option_codecs[OPTION_KIND_COUNT] = {
#define KIND(kind, function, text)                                                                           \
        [OPTION_##kind] = { .schema = (text), .decode = decode_##function, .encode = encode_##function },
#include "api/option_kind.def"
#undef KIND
};

#define KIND(kind, function, text) text ","
const char option_request_schema[] = "{\"description\":\"As the option's kind has it.\",\"anyOf\":["
#include "api/option_kind.def"
                                     "{\"type\":\"boolean\"}]}";

const char option_reply_schema[] =
        "{\"description\":\"As the option's kind has it; null when it has none.\",\"anyOf\":["
#include "api/option_kind.def" /* NOLINT(readability-duplicate-include): a table is read once for each use */
        "{\"type\":\"null\"}]}";
#undef KIND
