/* ancillary_shape.c: the values of ancillary data as JSON, shape by shape. */
#include <time.h> /* which <linux/errqueue.h> needs */

#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "api/address_json.h"
#include "api/ancillary.h"

/* Some shapes are those of options. */
static const struct option plain = { .name = "ancillary" };
static const struct option timestamping = { .name = "ancillary", .names = &timestamping_flag_names };

static bool decode_integer(struct decoder *decoder, json_t *value, struct option_bytes *out)
{
        return option_codecs[OPTION_INTEGER].decode(decoder, &plain, value, out);
}

static json_t *encode_integer(const uint8_t *bytes, size_t size)
{
        return option_codecs[OPTION_INTEGER].encode(&plain, bytes, size);
}

const struct ancillary_shape shape_integer = { decode_integer, encode_integer };

static bool decode_unsigned(struct decoder *decoder, json_t *value, struct option_bytes *out)
{
        return option_codecs[OPTION_UNSIGNED].decode(decoder, &plain, value, out);
}

static json_t *encode_unsigned(const uint8_t *bytes, size_t size)
{
        return option_codecs[OPTION_UNSIGNED].encode(&plain, bytes, size);
}

const struct ancillary_shape shape_unsigned = { decode_unsigned, encode_unsigned };

static bool decode_unsigned_long_value(struct decoder *decoder, json_t *value, struct option_bytes *out)
{
        return option_codecs[OPTION_UNSIGNED_LONG].decode(decoder, &plain, value, out);
}

static json_t *encode_unsigned_long_value(const uint8_t *bytes, size_t size)
{
        return option_codecs[OPTION_UNSIGNED_LONG].encode(&plain, bytes, size);
}

const struct ancillary_shape shape_unsigned_long = { decode_unsigned_long_value, encode_unsigned_long_value };

static bool decode_short(struct decoder *decoder, json_t *value, struct option_bytes *out)
{
        int64_t number = 0;
        if (!decode_bounded(decoder, "value", value, 0, UINT16_MAX, &number))
                return false;
        memcpy(out->bytes, &(uint16_t){ (uint16_t)number }, sizeof(uint16_t));
        out->size = sizeof(uint16_t);
        return true;
}

static json_t *encode_short(const uint8_t *bytes, size_t size)
{
        uint16_t number;
        if (size != sizeof number)
                return encode_integer(bytes, size);
        memcpy(&number, bytes, sizeof number);
        return json_integer(number);
}

const struct ancillary_shape shape_short = { decode_short, encode_short };

/* Structs. */

/* clang-format off */
#define MEMBER(type, text, part, kind_name)                                                                  \
        { .name = (text), .kind = MEMBER_##kind_name, .offset = offsetof(type, part),                        \
                .size = sizeof ((type *)NULL)->part }
#define LAYOUT(type, list) { .members = (list), .count = sizeof(list) / sizeof *(list), .size = sizeof(type) }
/* clang-format on */

static const struct option_member packet_info_members[] = {
        MEMBER(struct in_pktinfo, "interface", ipi_ifindex, INTERFACE),
        MEMBER(struct in_pktinfo, "local", ipi_spec_dst, IPV4),
        MEMBER(struct in_pktinfo, "destination", ipi_addr, IPV4),
};
static const struct option_layout packet_info = LAYOUT(struct in_pktinfo, packet_info_members);

static const struct option_member packet_info6_members[] = {
        MEMBER(struct in6_pktinfo, "interface", ipi6_ifindex, INTERFACE),
        MEMBER(struct in6_pktinfo, "address", ipi6_addr, IPV6),
};
static const struct option_layout packet_info6 = LAYOUT(struct in6_pktinfo, packet_info6_members);

static bool decode_packet_info(struct decoder *decoder, json_t *value, struct option_bytes *out)
{
        return decode_layout(decoder, &packet_info, value, out);
}

static json_t *encode_packet_info(const uint8_t *bytes, size_t size)
{
        return size < packet_info.size ? NULL : encode_layout(&packet_info, bytes, size);
}

const struct ancillary_shape shape_packet_info = { decode_packet_info, encode_packet_info };

static bool decode_packet_info6(struct decoder *decoder, json_t *value, struct option_bytes *out)
{
        return decode_layout(decoder, &packet_info6, value, out);
}

static json_t *encode_packet_info6(const uint8_t *bytes, size_t size)
{
        return size < packet_info6.size ? NULL : encode_layout(&packet_info6, bytes, size);
}

const struct ancillary_shape shape_packet_info6 = { decode_packet_info6, encode_packet_info6 };

static bool decode_credentials(struct decoder *decoder, json_t *value, struct option_bytes *out)
{
        return decode_layout(decoder, &option_layouts[OPTION_CREDENTIALS], value, out);
}

static json_t *encode_credentials(const uint8_t *bytes, size_t size)
{
        return size < sizeof(struct ucred) ? NULL
                                           : encode_layout(&option_layouts[OPTION_CREDENTIALS], bytes, size);
}

const struct ancillary_shape shape_credentials = { decode_credentials, encode_credentials };

/* Times. */

/* null: the kernel has none. */
static json_t *time_json(const struct timespec *time)
{
        static const struct field row = { .kind = FIELD_MOMENT, .nullable = true };
        const struct moment moment = { .time = *time };
        return field_encode(&row, &moment);
}

static json_t *encode_time(const uint8_t *bytes, size_t size)
{
        struct timespec time;
        if (size != sizeof time)
                return NULL;
        memcpy(&time, bytes, sizeof time);
        return time_json(&time);
}

const struct ancillary_shape shape_time = { NULL, encode_time };

static json_t *encode_time_us(const uint8_t *bytes, size_t size)
{
        struct timeval time;
        if (size != sizeof time)
                return NULL;
        memcpy(&time, bytes, sizeof time);
        return time_json(&(struct timespec){ .tv_sec = time.tv_sec, .tv_nsec = time.tv_usec * 1000 });
}

const struct ancillary_shape shape_time_us = { NULL, encode_time_us };

/* The same number is SO_TIMESTAMPING for what is sent: which times to note of this message. */
static bool decode_timestamping(struct decoder *decoder, json_t *value, struct option_bytes *out)
{
        return option_codecs[OPTION_FLAGS].decode(decoder, &timestamping, value, out);
}

static json_t *encode_timestamping(const uint8_t *bytes, size_t size)
{
        struct scm_timestamping times;
        if (size != sizeof times)
                return option_codecs[OPTION_FLAGS].encode(&timestamping, bytes, size);
        memcpy(&times, bytes, sizeof times);
        return json_pack("{so,so}", "software", time_json(&times.ts[0]), "hardware", time_json(&times.ts[2]));
}

const struct ancillary_shape shape_timestamping = { decode_timestamping, encode_timestamping };

/* Addresses and errors. */

static json_t *encode_sockaddr(const uint8_t *bytes, size_t size)
{
        struct address address = { .given = true };
        if (size > sizeof address.storage)
                return NULL;
        memcpy(&address.storage, bytes, size);
        address.size = (socklen_t)size;
        return address.storage.ss_family == AF_UNSPEC ? json_null() : encode_address(NULL, &address);
}

const struct ancillary_shape shape_address = { NULL, encode_sockaddr };

/* What goes by name there: types by their origin, codes by origin and type. */
static const struct {
        uint8_t origin;
        const struct names *types;
} error_types[] = {
        { SO_EE_ORIGIN_ICMP, &icmp_type_names },
        { SO_EE_ORIGIN_ICMP6, &icmp6_type_names },
};

static const struct {
        uint8_t origin, type;
        const struct names *codes;
} error_codes[] = {
        { SO_EE_ORIGIN_ICMP, ICMP_DEST_UNREACH, &icmp_unreachable_code_names },
        { SO_EE_ORIGIN_ICMP, ICMP_TIME_EXCEEDED, &icmp_exceeded_code_names },
        { SO_EE_ORIGIN_ICMP6, ICMP6_DST_UNREACH, &icmp6_unreachable_code_names },
        { SO_EE_ORIGIN_ICMP6, ICMP6_TIME_EXCEEDED, &icmp6_exceeded_code_names },
};

static json_t *type_json(const struct sock_extended_err *error)
{
        for (size_t i = 0; i < sizeof error_types / sizeof *error_types; i++)
                if (error_types[i].origin == error->ee_origin)
                        return encode_constant(error_types[i].types, false, error->ee_type);
        return json_integer(error->ee_type);
}

static json_t *code_json(const struct sock_extended_err *error)
{
        for (size_t i = 0; i < sizeof error_codes / sizeof *error_codes; i++)
                if (error_codes[i].origin == error->ee_origin && error_codes[i].type == error->ee_type)
                        return encode_constant(error_codes[i].codes, false, error->ee_code);
        return json_integer(error->ee_code);
}

static json_t *encode_error(const uint8_t *bytes, size_t size)
{
        struct sock_extended_err error;
        if (size < sizeof error)
                return NULL;
        memcpy(&error, bytes, sizeof error);
        const int number = (int)error.ee_errno;
        const char *const class = error_class(number);
        const size_t rest = size - sizeof error;
        return json_pack("{so,ss*,so,so,so,sI,sI,so}", "errno",
                number == 0 ? json_null() : encode_constant(&errno_names, false, number), "class", class,
                "origin", encode_constant(&error_origin_names, false, error.ee_origin), "type",
                type_json(&error), "code", code_json(&error), "info", (json_int_t)error.ee_info, "data",
                (json_int_t)error.ee_data, "offender",
                rest < sizeof(sa_family_t) ? json_null() : encode_sockaddr(bytes + sizeof error, rest));
}

const struct ancillary_shape shape_error = { NULL, encode_error };
