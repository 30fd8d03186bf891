/* field.c: walks the members of requests and replies; what each member is, its kind knows. */
#include "api/field.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/kind.h"
#include "daemon/sockets/cleanup.h"

static void *member_of(const struct field *field, void *record)
{
        return (char *)record + field->offset;
}

bool decoder_fail(struct decoder *decoder, const char *name, const char *format, ...)
{
        char parameter[PROBLEM_PARAMETER_SIZE];
        char detail[PROBLEM_DETAIL_SIZE];
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(detail, sizeof detail, format, arguments);
        va_end(arguments);
        /* The path ends with a dot, which goes when nothing follows it. */
        const size_t path_size = strlen(decoder->path) - (name[0] == '\0' && decoder->path[0] != '\0');
        (void)snprintf(parameter, sizeof parameter, "%.*s%s", (int)path_size, decoder->path, name);
        problem_set(decoder->problem, PROBLEM_UNSOUND_REQUEST, parameter, "%s: %s", parameter, detail);
        return false;
}

bool decoder_fail_memory(struct decoder *decoder)
{
        problem_set_memory(decoder->problem);
        return false;
}

size_t decoder_enter(struct decoder *decoder, const char *format, ...)
{
        const size_t mark = strlen(decoder->path);
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(decoder->path + mark, sizeof decoder->path - mark, format, arguments);
        va_end(arguments);
        return mark;
}

void decoder_leave(struct decoder *decoder, size_t mark)
{
        decoder->path[mark] = '\0';
}

const char *json_kind_word(const json_t *value)
{
        static const char *const words[] = {
                [JSON_OBJECT] = "an object",
                [JSON_ARRAY] = "a list",
                [JSON_STRING] = "text",
                [JSON_INTEGER] = "a number",
                [JSON_REAL] = "a number with a fraction or an exponent",
                [JSON_TRUE] = "true",
                [JSON_FALSE] = "false",
                [JSON_NULL] = "null",
        };
        return value ? words[json_typeof(value)] : "nothing";
}

void fields_reset(const struct fields *fields, void *record)
{
        if (fields->size > 0)
                memset(record, 0, fields->size);
        for (size_t i = 0; i < fields->count; i++)
                if (fields->rows[i].fallback != 0)
                        number_store(&fields->rows[i], member_of(&fields->rows[i], record),
                                fields->rows[i].fallback);
}

const struct field *fields_find(const struct fields *fields, const char *name)
{
        const struct field *payload = NULL;
        for (size_t i = 0; i < fields->count; i++) {
                if (strcmp(fields->rows[i].name, name) == 0)
                        return &fields->rows[i];
                if (fields->rows[i].kind == FIELD_PAYLOAD)
                        payload = &fields->rows[i];
        }
        return payload && strcmp(name, "text") == 0 ? payload : NULL;
}

/* The closest name of a list, when it is closer than *distance, which then becomes its distance. */
static void nearest_in(const struct fields *fields, const char *name, const char **nearest, size_t *distance)
{
        for (size_t i = 0; i < fields->count; i++) {
                const size_t found = name_distance(name, strlen(name), fields->rows[i].name, *distance);
                if (found < *distance) {
                        *distance = found;
                        *nearest = fields->rows[i].name;
                }
        }
}

/* An unknown member is the caller's typing error, so it is never ignored. */
static bool fail_unknown(
        struct decoder *decoder, const struct fields *fields, const struct fields *common, const char *name)
{
        const char *nearest = NULL;
        size_t distance = strlen(name) < 6 ? 3 : 4;
        if (strlen(name) < PROBLEM_PARAMETER_SIZE) {
                nearest_in(fields, name, &nearest, &distance);
                if (common)
                        nearest_in(common, name, &nearest, &distance);
        }
        if (nearest)
                return decoder_fail(decoder, name, "is no parameter here; did you mean \"%s\"?", nearest);
        return decoder_fail(decoder, name, "is no parameter here");
}

static bool decode_member(
        struct decoder *decoder, const struct field *field, const char *name, json_t *value, void *record)
{
        const struct kind *const kind = &field_kinds[field->kind];
        assert(kind->decode);
        if (field->kind == FIELD_PAYLOAD && strcmp(name, field->name) != 0)
                return decode_payload_text(decoder, value, member_of(field, record));
        return kind->decode(decoder, field, value, member_of(field, record));
}

static bool required_are_given(struct decoder *decoder, const struct fields *fields, const json_t *object)
{
        for (size_t i = 0; i < fields->count; i++) {
                const struct field *const field = &fields->rows[i];
                if (field->required && field->kind != FIELD_PAYLOAD && !json_object_get(object, field->name))
                        return decoder_fail(decoder, field->name, "is missing");
        }
        return true;
}

bool fields_decode(struct decoder *decoder, const struct fields *fields, void *record,
        const struct fields *common, void *common_record, json_t *object)
{
        const char *name = NULL;
        json_t *value = NULL;
        fields_reset(fields, record);
        if (common)
                fields_reset(common, common_record);
        if (object && !json_is_object(object)) {
                problem_set(decoder->problem, PROBLEM_UNSOUND_REQUEST, NULL,
                        "the parameters must be a JSON object");
                return false;
        }
        json_object_foreach(object, name, value)
        {
                void *owner = record;
                const struct field *field = fields_find(fields, name);
                if (!field && common) {
                        owner = common_record;
                        field = fields_find(common, name);
                }
                if (!field)
                        return fail_unknown(decoder, fields, common, name);
                if (!decode_member(decoder, field, name, value, owner))
                        return false;
        }
        return required_are_given(decoder, fields, object) &&
               (!common || required_are_given(decoder, common, object));
}

bool field_is_said(const struct field *field, const void *member)
{
        return field->kind != FIELD_PAYLOAD && !(field->optional && field_kinds[field->kind].empty(member));
}

json_t *field_encode(const struct field *field, const void *member)
{
        const struct kind *const kind = &field_kinds[field->kind];
        assert(kind->encode && kind->empty);
        return field->nullable && kind->empty(member) ? json_null() : kind->encode(field, member);
}

json_t *fields_encode(const struct fields *fields, const void *record)
{
        json_auto_t *object = json_object();
        for (size_t i = 0; i < fields->count; i++) {
                const struct field *const field = &fields->rows[i];
                const void *const member = (const char *)record + field->offset;
                if (!field_is_said(field, member))
                        continue;
                if (json_object_set_new_nocheck(object, field->name, field_encode(field, member)) != 0)
                        return NULL;
        }
        return TAKE(object);
}

void fields_release(const struct fields *fields, void *record)
{
        for (size_t i = 0; i < fields->count; i++)
                if (fields->rows[i].kind == FIELD_VALUE) {
                        struct value *const value = member_of(&fields->rows[i], record);
                        json_decref(TAKE(value->json));
                }
}
