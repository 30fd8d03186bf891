/* ancillary.c: ancillary data of messages as JSON: a table with a row per type that goes by name. */
#include "api/ancillary.h"

#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

enum { ITEMS_MOST = 64, SHOWN_SIZE = 64 };

struct ancillary_row {
        const char *name;
        int level, type;
        const struct ancillary_shape *shape; /* NULL: goes by name, but raw */
        bool descriptors;                    /* its bytes are descriptors */
};

#define ROW(row_level, row_type, ...)                                                                        \
        {                                                                                                    \
                .name = #row_type, .level = (row_level), .type = (row_type), __VA_ARGS__                     \
        }

static const struct ancillary_row rows[] = {
        ROW(SOL_SOCKET, SCM_RIGHTS, .descriptors = true),
        ROW(SOL_SOCKET, SCM_PIDFD, .descriptors = true),
        ROW(SOL_SOCKET, SCM_CREDENTIALS, .shape = &shape_credentials),
        ROW(SOL_SOCKET, SCM_SECURITY, .shape = NULL),
        ROW(SOL_SOCKET, SCM_TIMESTAMP, .shape = &shape_time_us),
        ROW(SOL_SOCKET, SCM_TIMESTAMPNS, .shape = &shape_time),
        ROW(SOL_SOCKET, SCM_TIMESTAMPING, .shape = &shape_timestamping),
        ROW(SOL_SOCKET, SCM_TXTIME, .shape = &shape_unsigned_long),
        ROW(SOL_SOCKET, SO_MARK, .shape = &shape_unsigned),
        ROW(SOL_SOCKET, SO_RXQ_OVFL, .shape = &shape_unsigned),
        ROW(IPPROTO_IP, IP_PKTINFO, .shape = &shape_packet_info),
        ROW(IPPROTO_IP, IP_TTL, .shape = &shape_integer),
        ROW(IPPROTO_IP, IP_TOS, .shape = &shape_integer),
        ROW(IPPROTO_IP, IP_RETOPTS, .shape = NULL),
        ROW(IPPROTO_IP, IP_RECVERR, .shape = &shape_error),
        ROW(IPPROTO_IP, IP_ORIGDSTADDR, .shape = &shape_address),
        ROW(IPPROTO_IP, IP_RECVFRAGSIZE, .shape = &shape_integer),
        ROW(IPPROTO_IPV6, IPV6_PKTINFO, .shape = &shape_packet_info6),
        ROW(IPPROTO_IPV6, IPV6_HOPLIMIT, .shape = &shape_integer),
        ROW(IPPROTO_IPV6, IPV6_TCLASS, .shape = &shape_integer),
        ROW(IPPROTO_IPV6, IPV6_DONTFRAG, .shape = &shape_integer),
        ROW(IPPROTO_IPV6, IPV6_HOPOPTS, .shape = NULL),
        ROW(IPPROTO_IPV6, IPV6_DSTOPTS, .shape = NULL),
        ROW(IPPROTO_IPV6, IPV6_RTHDR, .shape = NULL),
        ROW(IPPROTO_IPV6, IPV6_RECVERR, .shape = &shape_error),
        ROW(IPPROTO_IPV6, IPV6_RECVFRAGSIZE, .shape = &shape_integer),
        ROW(IPPROTO_UDP, UDP_SEGMENT, .shape = &shape_short),
        ROW(IPPROTO_UDP, UDP_GRO, .shape = &shape_integer),
        ROW(IPPROTO_TCP, TCP_INQ, .shape = &shape_integer),
        ROW(SOL_PACKET, PACKET_AUXDATA, .shape = NULL),
};
enum { ROW_COUNT = sizeof rows / sizeof *rows };

static const struct ancillary_row *row_of(int level, int type)
{
        for (size_t i = 0; i < ROW_COUNT; i++)
                if (rows[i].level == level && rows[i].type == type)
                        return &rows[i];
        return NULL;
}

/* One item of a request. */
struct item {
        int level;
        struct value type, value;
        struct binary raw;
};

static const struct field item_rows[] = {
        FIELD(struct item, level, "Its level, by name or number.", .required = true, .names = &level_names,
                .example = "\"IPPROTO_IP\""),
        FIELD(struct item, type, "Its type, by name or number.", .required = true,
                .schema = "{\"type\":[\"string\",\"integer\"]}", .example = "\"IP_TTL\""),
        FIELD(struct item, value, "Its value.", .example = "64"),
        FIELD(struct item, raw, "Instead of `value`: its bytes, of any type."),
};
static const struct fields item_fields = FIELDS(struct item, item_rows);

static bool decode_type_name(struct decoder *decoder, int level, const json_t *name, int *out)
{
        const char *const text = json_string_value(name);
        const size_t size = json_string_length(name);
        const struct ancillary_row *elsewhere = NULL;
        for (size_t i = 0; i < ROW_COUNT; i++) {
                if (strcmp(rows[i].name, text) != 0)
                        continue;
                *out = rows[i].type;
                if (rows[i].level == level)
                        return true;
                elsewhere = &rows[i];
        }
        if (elsewhere != NULL)
                return decoder_fail(decoder, "type", "must be one of that level, and %s belongs to %s",
                        elsewhere->name, name_of(&level_names, elsewhere->level));
        const char *const nearest = name_nearest(&ancillary_type_names, text, size);
        const int shown = size < SHOWN_SIZE ? (int)size : SHOWN_SIZE;
        if (nearest != NULL)
                return decoder_fail(decoder, "type",
                        "must not be \"%.*s\", which is no known ancillary type; did you mean \"%s\"?", shown,
                        text, nearest);
        return decoder_fail(decoder, "type",
                "must not be \"%.*s\", which is no known ancillary type; a number reaches any", shown, text);
}

static bool decode_type(struct decoder *decoder, const struct item *item, int *out)
{
        int64_t number = 0;
        if (json_is_string(item->type.json))
                return decode_type_name(decoder, item->level, item->type.json, out);
        if (!decode_bounded(decoder, "type", item->type.json, INT32_MIN, INT32_MAX, &number))
                return false;
        *out = (int)number;
        return true;
}

/* {"sockets": [ids]}; their descriptors are filled in when it is sent. */
static bool decode_rights(struct decoder *decoder, json_t *value, struct control *out, size_t *size)
{
        json_t *const ids = json_object_get(value, "sockets");
        const size_t count = json_array_size(ids);
        if (!json_is_object(value) || json_object_size(value) != 1 || !json_is_array(ids))
                return decoder_fail(decoder, "value", "must be an object with a list of ids, `sockets`");
        if (count == 0 || count > DESCRIPTORS_MOST)
                return decoder_fail(decoder, "value.sockets", "must have from 1 to %d ids", DESCRIPTORS_MOST);
        for (size_t i = 0; i < count; i++)
                if (!json_is_string(json_array_get(ids, i)))
                        return decoder_fail(decoder, "value.sockets", "must be a list of ids");
        struct rights *const rights = arena_allocate(decoder->arena, sizeof *rights);
        if (rights == NULL)
                return decoder_fail_memory(decoder);
        *rights = (struct rights){ .offset = out->size + CMSG_LEN(0), .ids = ids, .next = out->rights };
        out->rights = rights;
        *size = count * sizeof(int);
        return true;
}

static bool decode_value_of(
        struct decoder *decoder, const struct ancillary_row *row, json_t *value, struct option_bytes *out)
{
        if (row == NULL || (row->shape == NULL && !row->descriptors))
                return decoder_fail(decoder, "raw", "is missing: this type has its bytes there");
        if (row->shape == NULL || row->shape->decode == NULL)
                return decoder_fail(decoder, "type", "is only received");
        return row->shape->decode(decoder, value, out);
}

/* Bytes that stand for descriptors or memory of whoever sends them. */
static bool raw_is_safe(struct decoder *decoder, int level, int type)
{
        const struct ancillary_row *const row = row_of(level, type);
        if (row != NULL && row->descriptors)
                return decoder_fail(
                        decoder, "raw", "cannot be: descriptors would be the daemon's; `value` takes ids");
        return level != SOL_RDS || decoder_fail(decoder, "level", "cannot be: its data are addresses");
}

static bool put(
        struct decoder *decoder, struct control *out, int level, int type, const void *bytes, size_t size)
{
        if (size > CONTROL_MAX_SIZE || out->size + CMSG_SPACE(size) > CONTROL_MAX_SIZE)
                return decoder_fail(decoder, "", "makes it too large: over %d bytes", CONTROL_MAX_SIZE);
        uint8_t *const grown = arena_allocate(decoder->arena, out->size + CMSG_SPACE(size));
        if (grown == NULL)
                return decoder_fail_memory(decoder);
        if (out->size > 0)
                memcpy(grown, out->bytes, out->size);
        const struct cmsghdr header = { .cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(size) };
        memcpy(grown + out->size, &header, sizeof header);
        if (bytes != NULL && size > 0)
                memcpy(grown + out->size + CMSG_LEN(0), bytes, size);
        out->bytes = grown;
        out->size += CMSG_SPACE(size);
        return true;
}

static bool decode_item(struct decoder *decoder, json_t *object, struct control *out)
{
        struct item item;
        struct option_bytes bytes = { .size = 0 };
        int type = 0;
        if (!json_is_object(object))
                return decoder_fail(decoder, "", "must be an object, not %s", json_kind_word(object));
        if (!fields_decode(decoder, &item_fields, &item, NULL, NULL, object) ||
                !decode_type(decoder, &item, &type))
                return false;
        if (item.value.json != NULL && item.raw.given)
                return decoder_fail(decoder, "raw", "cannot stand beside `value`");
        if (item.raw.given)
                return raw_is_safe(decoder, item.level, type) &&
                       put(decoder, out, item.level, type, item.raw.bytes, item.raw.size);
        if (item.value.json == NULL)
                return decoder_fail(decoder, "value", "is missing (or `raw`)");
        if (item.level == SOL_SOCKET && type == SCM_RIGHTS)
                return decode_rights(decoder, item.value.json, out, &bytes.size) &&
                       put(decoder, out, item.level, type, NULL, bytes.size);
        return decode_value_of(decoder, row_of(item.level, type), item.value.json, &bytes) &&
               put(decoder, out, item.level, type, bytes.bytes, bytes.size);
}

bool decode_ancillary(struct decoder *decoder, json_t *list, struct control *out)
{
        *out = (struct control){ .size = 0 };
        if (list == NULL)
                return true;
        if (!json_is_array(list))
                return decoder_fail(decoder, "ancillary", "must be a list, not %s", json_kind_word(list));
        if (json_array_size(list) > ITEMS_MOST)
                return decoder_fail(decoder, "ancillary", "must have at most %d items", ITEMS_MOST);
        for (size_t i = 0; i < json_array_size(list); i++) {
                const size_t mark = decoder_enter(decoder, "ancillary[%zu].", i);
                if (!decode_item(decoder, json_array_get(list, i), out))
                        return false;
                decoder_leave(decoder, mark);
        }
        return true;
}

/* What came. */

static json_t *raw_json(const uint8_t *bytes, size_t size)
{
        static const struct field row = { .kind = FIELD_BINARY };
        const struct binary binary = { .bytes = bytes, .size = size, .given = true };
        return field_encode(&row, &binary);
}

static json_t *encode_item(
        const struct cmsghdr *header, const uint8_t *bytes, size_t size, const struct descriptor_taker *taker)
{
        const struct ancillary_row *const row = row_of(header->cmsg_level, header->cmsg_type);
        json_t *value = NULL;
        if (row != NULL && row->descriptors)
                value = taker->take(taker->context, (const void *)bytes, size / sizeof(int));
        else if (row != NULL && row->shape != NULL)
                value = row->shape->encode(bytes, size);
        json_t *const level = encode_constant(&level_names, false, header->cmsg_level);
        json_t *const type = row != NULL ? json_string(row->name) : json_integer(header->cmsg_type);
        return value != NULL
                       ? json_pack("{so,so,so}", "level", level, "type", type, "value", value)
                       : json_pack("{so,so,so}", "level", level, "type", type, "raw", raw_json(bytes, size));
}

json_t *encode_ancillary(struct msghdr *header, const struct descriptor_taker *taker)
{
        json_t *const list = json_array();
        if (header->msg_control == NULL)
                return list;
        for (struct cmsghdr *at = CMSG_FIRSTHDR(header); at != NULL; at = CMSG_NXTHDR(header, at)) {
                /* What was cut off ends where the buffer does. */
                const uint8_t *const bytes = CMSG_DATA(at);
                const size_t left =
                        (size_t)((const uint8_t *)header->msg_control + header->msg_controllen - bytes);
                const size_t size = at->cmsg_len - CMSG_LEN(0);
                json_array_append_new(list, encode_item(at, bytes, size < left ? size : left, taker));
        }
        return list;
}

#define LEVEL_AND_TYPE                                                                                       \
        "\"level\":{\"type\":[\"string\",\"integer\"]},\"type\":{\"type\":[\"string\",\"integer\"]},"
#define RAW "\"raw\":{\"type\":\"string\",\"contentEncoding\":\"base64\",\"description\":\"Its bytes.\"}"

const char ancillary_request_schema[] =
        "{\"type\":\"array\",\"maxItems\":64,\"items\":{\"type\":\"object\",\"properties\":{" LEVEL_AND_TYPE
        "\"value\":{\"description\":\"An integer (IP_TTL, IP_TOS, IPV6_HOPLIMIT, IPV6_TCLASS, UDP_SEGMENT "
        "…), "
        "an object (IP_PKTINFO: interface, local, destination; IPV6_PKTINFO: interface, address; "
        "SCM_CREDENTIALS: pid, uid, gid; SCM_RIGHTS: sockets, a list of ids), or a list of flags "
        "(SCM_TIMESTAMPING).\"}," RAW "},\"required\":[\"level\",\"type\"],\"additionalProperties\":false}}";

const char ancillary_reply_schema[] =
        "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{" LEVEL_AND_TYPE
        "\"value\":{\"description\":\"As a request has it; times as UTC RFC 3339. IP_RECVERR and "
        "IPV6_RECVERR: "
        "errno, class, origin, type, code, info, data, offender. SCM_RIGHTS: sockets, the ids of those that "
        "came, and closed, what else came and was closed.\"}," RAW
        "},\"required\":[\"level\",\"type\"],\"additionalProperties\":false}}";
