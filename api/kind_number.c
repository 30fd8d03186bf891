/* kind_number.c: booleans and integers of the three C types, within their ranges. */
#include <inttypes.h>
#include <limits.h>

#include "api/kind.h"

/* JSON integers end at int64_t's, so no uint64_t passes them. */
static const struct range natural_ranges[FIELD_KIND_COUNT] = {
        [FIELD_BOOLEAN] = { .min = 0, .max = 1 },
        [FIELD_INT] = { .min = INT_MIN, .max = INT_MAX },
        [FIELD_INTEGER] = { .min = INT64_MIN, .max = INT64_MAX },
        [FIELD_UNSIGNED] = { .min = 0, .max = INT64_MAX },
};

struct range field_range(const struct field *field)
{
        const struct range natural = natural_ranges[field->names ? FIELD_INT : field->kind];
        if (field->min == 0 && field->max == 0)
                return natural;
        const int64_t max = field->max < field->min ? natural.max : field->max;
        return (struct range){ .min = field->min, .max = max };
}

static void store_boolean(void *member, int64_t number)
{
        *(bool *)member = number != 0;
}

static void store_int(void *member, int64_t number)
{
        *(int *)member = (int)number;
}

static void store_integer(void *member, int64_t number)
{
        *(int64_t *)member = number;
}

static void store_unsigned(void *member, int64_t number)
{
        *(uint64_t *)member = (uint64_t)number;
}

static void (*const stores[FIELD_KIND_COUNT])(void *member, int64_t number) = {
        [FIELD_BOOLEAN] = store_boolean,
        [FIELD_INT] = store_int,
        [FIELD_INTEGER] = store_integer,
        [FIELD_UNSIGNED] = store_unsigned,
};

void number_store(const struct field *field, void *member, int64_t number)
{
        if (stores[field->kind])
                stores[field->kind](member, number);
}

json_t *boolean_schema(const struct field *field, bool request)
{
        (void)field, (void)request;
        return json_pack("{ss}", "type", "boolean");
}

bool decode_boolean(struct decoder *decoder, const struct field *field, json_t *value, void *member)
{
        if (!json_is_boolean(value))
                return decoder_fail(
                        decoder, field->name, "must be true or false, not %s", json_kind_word(value));
        *(bool *)member = json_is_true(value);
        return true;
}

json_t *encode_boolean(const struct field *field, const void *member)
{
        (void)field;
        return json_boolean(*(const bool *)member);
}

bool boolean_is_empty(const void *member)
{
        return !*(const bool *)member;
}

json_t *range_schema(const struct field *field)
{
        static const char *const formats[FIELD_KIND_COUNT] = {
                [FIELD_INT] = "int32",
                [FIELD_INTEGER] = "int64",
                [FIELD_UNSIGNED] = "int64",
        };
        const struct range range = field_range(field);
        const struct range natural = natural_ranges[field->kind];
        json_t *const schema = json_pack("{ss, ss}", "type", "integer", "format", formats[field->kind]);
        if (range.min > natural.min || range.min == 0)
                json_object_set_new(schema, "minimum", json_integer(range.min));
        if (range.max < natural.max)
                json_object_set_new(schema, "maximum", json_integer(range.max));
        return schema;
}

json_t *number_schema(const struct field *field, bool request)
{
        return field->names ? constant_schema(field, request) : range_schema(field);
}

bool decode_in_range(struct decoder *decoder, const struct field *field, const json_t *value, int64_t *out)
{
        const struct range range = field_range(field);
        const json_int_t number = json_integer_value(value);
        if (!json_is_integer(value))
                return decoder_fail(decoder, field->name,
                        "must be an integer from %" PRId64 " to %" PRId64 ", not %s", range.min, range.max,
                        json_kind_word(value));
        if (number < range.min || number > range.max)
                return decoder_fail(decoder, field->name,
                        "must be an integer from %" PRId64 " to %" PRId64 ", not %" PRId64, range.min,
                        range.max, (int64_t)number);
        *out = number;
        return true;
}

bool decode_number(struct decoder *decoder, const struct field *field, json_t *value, void *member)
{
        int64_t number = 0;
        if (field->names)
                return decode_constant(decoder, field, value, member);
        if (!decode_in_range(decoder, field, value, &number))
                return false;
        number_store(field, member, number);
        return true;
}

json_t *encode_number(const struct field *field, const void *member)
{
        const uint64_t bits = *(const uint64_t *)member; /* int64_t and uint64_t may alias */
        if (field->kind == FIELD_UNSIGNED && bits > INT64_MAX)
                return json_integer(INT64_MAX);
        return json_integer((json_int_t)bits);
}

json_t *encode_int(const struct field *field, const void *member)
{
        const int number = *(const int *)member;
        return field->names ? encode_constant(field->names, field->flags, number) : json_integer(number);
}

bool int_is_empty(const void *member)
{
        return *(const int *)member == 0;
}

bool integer_is_empty(const void *member)
{
        return *(const uint64_t *)member == 0;
}
