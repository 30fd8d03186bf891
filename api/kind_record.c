/* kind_record.c: members that are records of their own, any JSON, or a moment. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "api/kind.h"
#include "api/option_json.h"

/* The object form of "until". */
struct until_object {
        uint64_t bytes;
        struct binary delimiter;
        struct text delimiter_text;
        bool eof;
};

static const struct field until_rows[] = {
        FIELD(struct until_object, bytes, "Complete with so many bytes.", .min = 1, .max = INT64_MAX,
                .example = "100"),
        FIELD(struct until_object, delimiter, "Complete after these bytes.", .example = "\"DQo=\""),
        FIELD(struct until_object, delimiter_text, "Complete after this text.", .min = 1, .max = 65536,
                .example = "\"\\n\""),
        FIELD(struct until_object, eof, "Complete at the end of the stream.", .example = "true"),
};
static const struct fields until_fields = FIELDS(struct until_object, until_rows);

static const struct field listen_rows[] = {
        FIELD(struct listen_request, backlog, "Queue length given to listen(2).", .max = INT_MAX,
                .fallback = 128),
};
static const struct fields listen_fields = FIELDS(struct listen_request, listen_rows);

json_t *until_schema(const struct field *field, bool request)
{
        (void)field;
        json_t *const object = fields_schema(&until_fields, request);
        json_object_set_new(object, "minProperties", json_integer(1));
        return json_pack(
                "{s[{ss}o{ss, si}]}", "anyOf", "const", "eof", object, "type", "integer", "minimum", 1);
}

static bool until_from_object(struct decoder *decoder, const struct field *field,
        const struct until_object *object, struct until *until)
{
        const bool has_text = object->delimiter_text.bytes != NULL;
        const int ways = (object->bytes > 0) + object->delimiter.given + has_text + object->eof;
        if (ways != 1)
                return decoder_fail(decoder, field->name,
                        "needs exactly one of bytes, delimiter, delimiter_text and eof");
        if (object->delimiter.given && object->delimiter.size == 0)
                return decoder_fail(decoder, field->name, "must have a delimiter of a byte or more");
        *until = (struct until){
                .given = true, .eof = object->eof, .bytes = object->bytes, .delimiter = object->delimiter
        };
        if (has_text)
                until->delimiter = (struct binary){ .bytes = (const uint8_t *)object->delimiter_text.bytes,
                        .size = object->delimiter_text.size,
                        .given = true };
        return true;
}

bool decode_until(struct decoder *decoder, const struct field *field, json_t *value, void *member)
{
        struct until_object object = { .eof = false };
        if (json_is_object(value)) {
                const size_t mark = decoder_enter(decoder, "%s.", field->name);
                if (!fields_decode(decoder, &until_fields, &object, NULL, NULL, value))
                        return false;
                decoder_leave(decoder, mark);
        } else if (json_is_integer(value)) {
                const struct field bytes = {
                        .name = field->name, .kind = FIELD_UNSIGNED, .min = 1, .max = INT64_MAX
                };
                if (!decode_number(decoder, &bytes, value, &object.bytes))
                        return false;
        } else if (json_is_string(value) && strcmp(json_string_value(value), "eof") == 0) {
                object.eof = true;
        } else {
                return decoder_fail(decoder, field->name,
                        "must be an object, a number of bytes or \"eof\"%s%s",
                        json_is_string(value) ? "" : ", not ",
                        json_is_string(value) ? "" : json_kind_word(value));
        }
        return until_from_object(decoder, field, &object, member);
}

json_t *settings_schema(const struct field *field, bool request)
{
        (void)field, (void)request;
        return json_pack("{ss, so}", "type", "array", "items", setting_schema());
}

bool decode_settings(struct decoder *decoder, const struct field *field, json_t *value, void *member)
{
        struct settings *const settings = member;
        if (!json_is_array(value))
                return decoder_fail(
                        decoder, field->name, "must be a list of options, not %s", json_kind_word(value));
        const size_t count = json_array_size(value);
        struct setting *const items = arena_allocate(decoder->arena, count * sizeof *items);
        if (!items)
                return decoder_fail_memory(decoder);
        for (size_t i = 0; i < count; i++) {
                const size_t mark = decoder_enter(decoder, "%s[%zu].", field->name, i);
                if (!decode_setting(decoder, json_array_get(value, i), &items[i]))
                        return false;
                decoder_leave(decoder, mark);
        }
        *settings = (struct settings){ .items = items, .count = count };
        return true;
}

json_t *listen_schema(const struct field *field, bool request)
{
        (void)field;
        return json_pack("{s[o{ss}o]}", "anyOf", fields_schema(&listen_fields, request), "type", "boolean",
                range_schema(&listen_rows[0]));
}

static bool decode_backlog(
        struct decoder *decoder, const struct field *field, json_t *value, struct listen_request *listen)
{
        struct field backlog = listen_rows[0];
        backlog.name = field->name;
        return decode_number(decoder, &backlog, value, &listen->backlog);
}

bool decode_listen(struct decoder *decoder, const struct field *field, json_t *value, void *member)
{
        struct listen_request listen;
        fields_reset(&listen_fields, &listen);
        if (json_is_object(value)) {
                const size_t mark = decoder_enter(decoder, "%s.", field->name);
                if (!fields_decode(decoder, &listen_fields, &listen, NULL, NULL, value))
                        return false;
                decoder_leave(decoder, mark);
        } else if (!json_is_boolean(value) && !decode_backlog(decoder, field, value, &listen)) {
                return false;
        }
        listen.given = !json_is_false(value);
        *(struct listen_request *)member = listen;
        return true;
}

json_t *value_schema(const struct field *field, bool request)
{
        (void)field, (void)request;
        return json_object();
}

bool decode_value(struct decoder *decoder, const struct field *field, json_t *value, void *member)
{
        (void)decoder, (void)field;
        *(struct value *)member = (struct value){ .json = value };
        return true;
}

json_t *encode_value(const struct field *field, const void *member)
{
        (void)field;
        const struct value *const value = member;
        return value->json ? json_incref(value->json) : json_null();
}

bool value_is_empty(const void *member)
{
        const struct value *const value = member;
        return !value->json || json_is_null(value->json);
}

json_t *moment_schema(const struct field *field, bool request)
{
        (void)field, (void)request;
        return json_pack("{ss, ss}", "type", "string", "format", "date-time");
}

/* The form that encode_moment() gives; the fraction may be shorter, or absent. */
bool decode_moment(struct decoder *decoder, const struct field *field, json_t *value, void *member)
{
        struct tm parts = { 0 };
        const char *const text = json_is_string(value) ? json_string_value(value) : "";
        const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
        long nanoseconds = 0;
        if (rest != NULL && *rest == '.') {
                const size_t digits = strspn(++rest, "0123456789");
                for (size_t i = 0; i < 9; i++)
                        nanoseconds = nanoseconds * 10 + (i < digits ? rest[i] - '0' : 0);
                rest = digits > 0 && digits <= 9 ? rest + digits : NULL;
        }
        if (rest == NULL || strcmp(rest, "Z") != 0)
                return decoder_fail(
                        decoder, field->name, "must be a time in UTC, as \"2026-01-01T00:00:00.5Z\"");
        *(struct moment *)member =
                (struct moment){ .time = { .tv_sec = timegm(&parts), .tv_nsec = nanoseconds } };
        return true;
}

json_t *encode_moment(const struct field *field, const void *member)
{
        (void)field;
        const struct moment *const moment = member;
        struct tm parts;
        char seconds[40];
        if (!gmtime_r(&moment->time.tv_sec, &parts) ||
                strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts) == 0)
                return json_null();
        return json_sprintf("%s.%09ldZ", seconds, moment->time.tv_nsec);
}

bool moment_is_empty(const void *member)
{
        const struct moment *const moment = member;
        return moment->time.tv_sec == 0 && moment->time.tv_nsec == 0;
}
