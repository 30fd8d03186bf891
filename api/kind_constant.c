/* kind_constant.c: integers that go by their C names, one or OR-ed together. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "api/kind.h"

enum { SHOWN_SIZE = 64 }; /* of a wrong name, in a message */

static bool fail_name(struct decoder *decoder, const struct field *field, const char *text, size_t size)
{
        const char *const nearest = name_nearest(field->names, text, size);
        const int shown = size < SHOWN_SIZE ? (int)size : SHOWN_SIZE;
        if (nearest)
                return decoder_fail(decoder, field->name,
                        "must not be \"%.*s\", which is no known %s; did you mean \"%s\"?", shown, text,
                        field->names->title, nearest);
        return decoder_fail(decoder, field->name,
                "must not be \"%.*s\", which is no known %s; GET /v1/constants lists them", shown, text,
                field->names->title);
}

static bool decode_name(
        struct decoder *decoder, const struct field *field, const char *text, size_t size, int *out)
{
        long number = 0;
        if (!name_number(field->names, text, size, &number) || number < INT_MIN || number > INT_MAX)
                return fail_name(decoder, field, text, size);
        *out = (int)number;
        return true;
}

/* A name or a decimal number between the bars of "A|B|64". */
static bool decode_part(
        struct decoder *decoder, const struct field *field, const char *text, size_t size, int *out)
{
        char *end = NULL;
        const long number = strtol(text, &end, 10);
        if (size > 0 && strspn(text, "0123456789") == size && end == text + size && number <= INT_MAX) {
                *out = (int)number;
                return true;
        }
        return decode_name(decoder, field, text, size, out);
}

static bool decode_bars(struct decoder *decoder, const struct field *field, const char *text, int *out)
{
        int all = 0;
        for (const char *at = text; *at;) {
                const size_t size = strcspn(at, "|,");
                int part = 0;
                if (!decode_part(decoder, field, at, size, &part))
                        return false;
                all |= part;
                at += size + (at[size] != '\0');
        }
        *out = all;
        return true;
}

static bool decode_one(struct decoder *decoder, const struct field *field, const json_t *value, int *out)
{
        int64_t number = 0;
        if (json_is_string(value))
                return decode_name(decoder, field, json_string_value(value), json_string_length(value), out);
        if (!json_is_integer(value))
                return decoder_fail(decoder, field->name, "must be the name or the number of a %s, not %s",
                        field->names->title, json_kind_word(value));
        if (!decode_in_range(decoder, field, value, &number))
                return false;
        *out = (int)number;
        return true;
}

static bool decode_list(struct decoder *decoder, const struct field *field, json_t *list, int *out)
{
        int all = 0;
        for (size_t i = 0; i < json_array_size(list); i++) {
                int part = 0;
                if (!decode_one(decoder, field, json_array_get(list, i), &part))
                        return false;
                all |= part;
        }
        *out = all;
        return true;
}

bool decode_constant(struct decoder *decoder, const struct field *field, json_t *value, int *out)
{
        if (field->flags && json_is_array(value))
                return decode_list(decoder, field, value, out);
        if (field->flags && json_is_string(value))
                return decode_bars(decoder, field, json_string_value(value), out);
        return decode_one(decoder, field, value, out);
}

static json_t *encode_flags(const struct names *names, unsigned bits)
{
        json_t *const list = json_array();
        for (size_t i = 0; i < names->count && bits != 0; i++) {
                const unsigned flag = (unsigned)names->rows[i].number;
                if (flag == 0 || (bits & flag) != flag)
                        continue;
                json_array_append_new(list, json_string(names->rows[i].name));
                bits &= ~flag;
        }
        if (bits != 0)
                json_array_append_new(list, json_integer((int)bits));
        return list;
}

json_t *encode_constant(const struct names *names, bool flags, int number)
{
        if (flags)
                return encode_flags(names, (unsigned)number);
        const char *const name = name_of(names, number);
        return name ? json_string_nocheck(name) : json_integer(number);
}

static json_t *name_schema(const struct names *names)
{
        json_t *const list = json_array();
        for (size_t i = 0; i < names->count; i++)
                json_array_append_new(list, json_string(names->rows[i].name));
        return json_pack("{ss, so}", "type", "string", "enum", list);
}

json_t *constant_schema(const struct field *field, bool request)
{
        json_t *const one = json_pack("{s[oo]}", "anyOf", name_schema(field->names), range_schema(field));
        if (!field->flags)
                return one;
        json_t *const list = json_pack("{ss, so}", "type", "array", "items", one);
        if (!request)
                return list;
        return json_pack("{s[oo{ss}]}", "anyOf", list, range_schema(field), "type", "string");
}
