/* kind_bytes.c: members that are runs of bytes: text, and binary in base64. */
#include <inttypes.h>
#include <string.h>

#include "api/base64.h"
#include "api/kind.h"
#include "api/utf8.h"
#include "daemon/sockets/cleanup.h"

json_t *json_text(const char *bytes, size_t size)
{
        json_t *const text = json_stringn(size > 0 ? bytes : "", size);
        if (text || size > SIZE_MAX / 3 - 1)
                return text;
        /* Each byte may become three. */
        memory_auto char *clean = malloc(size * 3 + 1);
        return clean ? json_stringn_nocheck(clean, utf8_clean(clean, size * 3 + 1, bytes, size)) : NULL;
}

static json_t *bounded_schema(const struct field *field)
{
        json_t *const schema = json_pack("{ss}", "type", "string");
        if (field->min > 0)
                json_object_set_new(schema, "minLength", json_integer(1));
        if (field->max > 0)
                json_object_set_new(schema, "maxLength", json_integer(field->max));
        return schema;
}

json_t *text_schema(const struct field *field, bool request)
{
        /* What the kernel says may exceed what a request may. */
        return request ? bounded_schema(field) : json_pack("{ss}", "type", "string");
}

static bool length_fits(struct decoder *decoder, const struct field *field, size_t size)
{
        if (size < (uint64_t)field->min)
                return decoder_fail(decoder, field->name, "must have %" PRId64 " or more bytes, not %zu",
                        field->min, size);
        if (field->max > 0 && size > (uint64_t)field->max)
                return decoder_fail(decoder, field->name, "must have at most %" PRId64 " bytes, not %zu",
                        field->max, size);
        return true;
}

bool decode_text(struct decoder *decoder, const struct field *field, json_t *value, void *member)
{
        struct text *const text = member;
        if (!json_is_string(value))
                return decoder_fail(decoder, field->name, "must be text, not %s", json_kind_word(value));
        if (!length_fits(decoder, field, json_string_length(value)))
                return false;
        *text = (struct text){ .bytes = json_string_value(value), .size = json_string_length(value) };
        return true;
}

json_t *encode_text(const struct field *field, const void *member)
{
        (void)field;
        const struct text *const text = member;
        return json_text(text->bytes, text->bytes ? text->size : 0);
}

bool text_is_empty(const void *member)
{
        const struct text *const text = member;
        return !text->bytes || text->size == 0;
}

json_t *binary_schema(const struct field *field, bool request)
{
        (void)field, (void)request;
        return json_pack("{ss, ss}", "type", "string", "contentEncoding", "base64");
}

static bool decode_base64(
        struct decoder *decoder, const char *name, const json_t *value, uint8_t **bytes, size_t *size)
{
        if (!json_is_string(value))
                return decoder_fail(decoder, name, "must be base64 text, not %s", json_kind_word(value));
        const char *const text = json_string_value(value);
        const size_t text_size = json_string_length(value);
        uint8_t *const out = arena_allocate(decoder->arena, base64_decoded_size(text_size));
        if (!out)
                return decoder_fail_memory(decoder);
        if (!base64_decode(text, text_size, out, size))
                return decoder_fail(decoder, name, "is not base64 (RFC 4648, padded, without white space)%s",
                        memchr(text, ' ', text_size) ? "; in a URL, + is written %2B" : "");
        *bytes = out;
        return true;
}

bool decode_binary(struct decoder *decoder, const struct field *field, json_t *value, void *member)
{
        struct binary *const binary = member;
        uint8_t *bytes = NULL;
        size_t size = 0;
        if (!decode_base64(decoder, field->name, value, &bytes, &size))
                return false;
        *binary = (struct binary){ .bytes = bytes, .size = size, .given = true };
        return true;
}

json_t *encode_binary(const struct field *field, const void *member)
{
        (void)field;
        const struct binary *const binary = member;
        memory_auto char *text = malloc(base64_encoded_size(binary->size) + 1);
        return text ? json_stringn_nocheck(text, base64_encode(binary->bytes, binary->size, text)) : NULL;
}

bool binary_is_empty(const void *member)
{
        const struct binary *const binary = member;
        return !binary->given;
}

static bool payload_is_free(struct decoder *decoder, const char *name, const struct payload *payload)
{
        return !payload->given || decoder_fail(decoder, name, "must not be given twice, as data and text");
}

bool decode_payload_data(struct decoder *decoder, const struct field *field, json_t *value, void *member)
{
        struct payload *const payload = member;
        if (!payload_is_free(decoder, field->name, payload) ||
                !decode_base64(decoder, field->name, value, &payload->bytes, &payload->size))
                return false;
        payload->given = true;
        return true;
}

bool decode_payload_text(struct decoder *decoder, json_t *value, struct payload *payload)
{
        if (!json_is_string(value))
                return decoder_fail(decoder, "text", "must be text, not %s", json_kind_word(value));
        if (!payload_is_free(decoder, "text", payload))
                return false;
        const size_t size = json_string_length(value);
        char *const copy = arena_copy(decoder->arena, json_string_value(value), size);
        if (!copy)
                return decoder_fail_memory(decoder);
        *payload = (struct payload){ .bytes = (uint8_t *)copy, .size = size, .given = true };
        return true;
}
