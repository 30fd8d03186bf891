/* option_codec.h: the values of socket options as JSON, for each kind of option. */
#pragma once

#include "api/field.h"
#include "daemon/sockets/option.h"

/* The bytes that setsockopt() takes. */
struct option_bytes {
        uint8_t bytes[OPTION_VALUE_SIZE];
        size_t size;
};

struct option_codec {
        const char *schema; /* JSON Schema, as text */
        /* Reads the member "value"; false with decoder->problem filled in. *out is zeroed before. */
        bool (*decode)(struct decoder *decoder, const struct option *option, json_t *value,
                struct option_bytes *out);
        /* A new reference, or NULL when the bytes are none of this kind. */
        json_t *(*encode)(const struct option *option, const uint8_t *bytes, size_t size);
};

extern const struct option_codec option_codecs[OPTION_KIND_COUNT];

/* Struct values, by their layouts (option_struct.c). */
bool decode_option_struct(
        struct decoder *decoder, const struct option *option, json_t *value, struct option_bytes *out);
json_t *encode_option_struct(const struct option *option, const uint8_t *bytes, size_t size);

/* Structs that are no option's values. */
bool decode_layout(
        struct decoder *decoder, const struct option_layout *layout, json_t *value, struct option_bytes *out);
json_t *encode_layout(const struct option_layout *layout, const uint8_t *bytes, size_t size);

/* An integer within bounds, or false and a problem that names the member and the bounds. */
bool decode_bounded(
        struct decoder *decoder, const char *name, json_t *value, int64_t min, int64_t max, int64_t *out);

/* An unsigned number; one above 2^63-1, which JSON readers lose, stands as a string of digits. */
bool decode_unsigned_long(struct decoder *decoder, const char *name, json_t *value, uint64_t *out);
json_t *encode_unsigned_long(uint64_t number);

/* An interface's index, from its name or number, and back. 0 is none. */
bool decode_interface(struct decoder *decoder, const char *name, json_t *value, uint32_t *out);
json_t *encode_interface(uint32_t index);

/* The union of all kinds' schemas, as JSON text: what a request and a reply may have as "value". */
extern const char option_request_schema[], option_reply_schema[];
