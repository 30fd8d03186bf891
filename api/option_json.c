/* option_json.c: socket options by name or number in requests and replies: finding, setting and reading them.
 */
#include "api/option_json.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "api/guarded.h"
#include "api/option_codec.h"
#include "daemon/sockets/capability.h"

enum { SHOWN_SIZE = 64 }; /* of a wrong name, in a message */

static const struct field setting_rows[] = {
        FIELD(struct socket_setsockopt_request, level, "The option's level, by name or number.",
                .required = true, .names = &level_names, .example = "\"IPPROTO_TCP\""),
        FIELD(struct socket_setsockopt_request, option, "The option, by name or number.", .required = true,
                .schema = "{\"type\":[\"string\",\"integer\"]}", .example = "\"TCP_NODELAY\""),
        FIELD(struct socket_setsockopt_request, value, "Its value.", .schema = option_request_schema,
                .example = "true"),
        FIELD(struct socket_setsockopt_request, raw, "Instead of `value`: its bytes, of any option.",
                .max = OPTION_MAX_SIZE),
};
const struct fields socket_setsockopt_request_fields = FIELDS(struct socket_setsockopt_request, setting_rows);

json_t *setting_schema(void)
{
        return fields_schema(&socket_setsockopt_request_fields, true);
}

static bool fail_option_name(struct decoder *decoder, int level, const char *name, size_t size)
{
        const int shown = size < SHOWN_SIZE ? (int)size : SHOWN_SIZE;
        const struct option *elsewhere = option_elsewhere(name, size);
        if (elsewhere)
                return decoder_fail(decoder, "option", "must be one of that level, and %s belongs to %s",
                        elsewhere->name, name_of(&level_names, elsewhere->level));
        const struct names *names = option_level_names(level);
        const char *nearest = names ? name_nearest(names, name, size) : NULL;
        if (nearest)
                return decoder_fail(decoder, "option",
                        "must not be \"%.*s\", which is no known option of that level; did you mean \"%s\"?",
                        shown, name, nearest);
        return decoder_fail(decoder, "option",
                "must not be \"%.*s\", which is no known option of that level; a number reaches any", shown,
                name);
}

bool decode_option_number(struct decoder *decoder, int level, json_t *option, int *out)
{
        int64_t number = 0;
        if (json_is_integer(option)) {
                if (!decode_bounded(decoder, "option", option, INT_MIN, INT_MAX, &number))
                        return false;
                *out = (int)number;
                return true;
        }
        if (!json_is_string(option))
                return decoder_fail(decoder, "option", "must be the name or the number of an option, not %s",
                        json_kind_word(option));
        const char *name = json_string_value(option);
        const size_t size = json_string_length(option);
        const struct option *row = option_by_name(level, name, size);
        if (!row)
                return fail_option_name(decoder, level, name, size);
        *out = row->number;
        return true;
}

bool setting_from_request(
        struct decoder *decoder, const struct socket_setsockopt_request *request, struct setting *out)
{
        int option = 0;
        if (!decode_option_number(decoder, request->level, request->option.json, &option))
                return false;
        if (request->value.json && request->raw.given)
                return decoder_fail(decoder, "raw", "cannot stand beside `value`");
        if (!request->value.json && !request->raw.given)
                return decoder_fail(decoder, "value", "is missing (or `raw`)");
        if (request->raw.size > OPTION_MAX_SIZE)
                return decoder_fail(decoder, "raw", "must have at most %d bytes", OPTION_MAX_SIZE);
        *out = (struct setting){
                .level = request->level, .option = option, .value = request->value.json, .raw = request->raw
        };
        return true;
}

bool decode_setting(struct decoder *decoder, json_t *object, struct setting *out)
{
        struct socket_setsockopt_request request;
        if (!json_is_object(object))
                return decoder_fail(decoder, "", "must be an object, not %s", json_kind_word(object));
        return fields_decode(decoder, &socket_setsockopt_request_fields, &request, NULL, NULL, object) &&
               setting_from_request(decoder, &request, out);
}

/* The bytes of a value. An option without a row takes what nearly all of them are: an int. */
static bool decode_setting_value(
        struct decoder *decoder, const struct setting *setting, struct option_bytes *out)
{
        static const struct option unknown = { .name = "unknown", .kind = OPTION_INTEGER };
        const struct option *row = option_by_number(setting->level, setting->option);
        *out = (struct option_bytes){ .size = 0 };
        if (row)
                return option_codecs[row->kind].decode(decoder, row, setting->value, out);
        if (json_is_boolean(setting->value))
                return option_codecs[OPTION_FLAG].decode(decoder, &unknown, setting->value, out);
        if (json_is_integer(setting->value))
                return option_codecs[OPTION_INTEGER].decode(decoder, &unknown, setting->value, out);
        return decoder_fail(decoder, "value",
                "must be an integer, since option %d of that level is not known by name; `raw` sets any "
                "bytes",
                setting->option);
}

/* A layer below knows no path, and names "option" alone. */
static struct result with_path(struct call *call, struct result result, const char *path)
{
        char parameter[PROBLEM_PARAMETER_SIZE];
        if (result.kind != RESULT_UNSOUND)
                return result;
        snprintf(parameter, sizeof parameter, "%s%s", path, result.parameter);
        return call_unsound(call, parameter, "%s %s", parameter, result.detail);
}

struct result setting_apply(struct call *call, int fd, const struct setting *setting, const char *path)
{
        struct problem problem = { .extra = NULL };
        struct decoder decoder = { .arena = &call->arena, .problem = &problem };
        struct option_bytes value;
        const uint8_t *bytes = setting->raw.bytes;
        size_t size = setting->raw.size;
        snprintf(decoder.path, sizeof decoder.path, "%s", path);
        if (setting->value) {
                if (!decode_setting_value(&decoder, setting, &value))
                        return call_fail(call, &problem);
                bytes = value.bytes;
                size = value.size;
        }
        const struct result result = guarded_option(call, fd, setting->level, setting->option, bytes, size);
        return capability_explain(with_path(call, result, path), setting->level, setting->option, 0, 0);
}

json_t *option_value_json(int level, int number, const uint8_t *bytes, size_t size)
{
        const struct option *row = option_by_number(level, number);
        json_t *value = row ? option_codecs[row->kind].encode(row, bytes, size) : NULL;
        return value ? value : json_null();
}

/* 64-bit options refuse any other size; the rest give what they have. */
static size_t needed_size(int level, int number)
{
        const struct option *row = option_by_number(level, number);
        if (!row)
                return OPTION_RAW_SIZE;
        return row->kind == OPTION_UNSIGNED_LONG ? sizeof(uint64_t) : OPTION_VALUE_SIZE;
}

struct result option_read(struct arena *arena, int fd, int level, int number, size_t size,
        struct value *value, struct binary *raw)
{
        if (size == 0)
                size = needed_size(level, number);
        uint8_t *bytes = arena_allocate(arena, size);
        if (!bytes)
                return refused("getsockopt", ENOMEM);
        TRY(option_get(fd, level, number, bytes, &size));
        *raw = (struct binary){ .bytes = bytes, .size = size, .given = true };
        value->json = option_value_json(level, number, bytes, size);
        return DONE;
}

/* One member of the list, or NULL when the socket does not have that option. */
static json_t *option_item(int fd, const struct option *option)
{
        static const struct field binary_field = { .name = "raw", .kind = FIELD_BINARY };
        uint8_t bytes[OPTION_VALUE_SIZE];
        size_t size = needed_size(option->level, option->number);
        if (option_get(fd, option->level, option->number, bytes, &size).kind != RESULT_DONE)
                return NULL;
        const struct binary raw = { .bytes = bytes, .size = size, .given = true };
        return json_pack("{so, ss, so, so}", "level", encode_constant(&level_names, false, option->level),
                "option", option->name, "value",
                option_value_json(option->level, option->number, bytes, size), "raw",
                field_kinds[FIELD_BINARY].encode(&binary_field, &raw));
}

json_t *options_list(int fd, int family, int protocol)
{
        int levels[LEVELS_MOST];
        const size_t level_count = option_levels(family, protocol, levels);
        json_t *list = json_array();
        for (size_t i = 0; i < level_count * option_count; i++) {
                const struct option *option = &options[i % option_count];
                /* What takes something away is for those who ask for it; a second name of a number is no
                 * option. */
                if (option->level != levels[i / option_count] || !(option->access & OPTION_READ) ||
                        option->access == OPTION_CONSUME ||
                        option_by_number(option->level, option->number) != option)
                        continue;
                json_t *item = option_item(fd, option);
                if (item)
                        json_array_append_new(list, item);
        }
        return list;
}
