/* field_query.c: query-string values as the JSON that the field's kind decodes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/json_body.h"
#include "api/kind.h"

/* How a kind's values may be written in a query, besides as text. */
struct query_form {
        bool boolean; /* true, 1, nothing at all; false, 0 */
        bool integer; /* as JSON writes it */
        bool nested;  /* JSON, when it begins as an object or a list */
        bool any;     /* any JSON that it parses as */
};

static const struct query_form query_forms[FIELD_KIND_COUNT] = {
        [FIELD_BOOLEAN] = { .boolean = true },
        [FIELD_INT] = { .integer = true, .nested = true },
        [FIELD_INTEGER] = { .integer = true },
        [FIELD_UNSIGNED] = { .integer = true },
        [FIELD_ADDRESS] = { .nested = true },
        [FIELD_UNTIL] = { .integer = true, .nested = true },
        [FIELD_FRAMING] = { .nested = true },
        [FIELD_SETTINGS] = { .nested = true },
        [FIELD_STEPS] = { .nested = true },
        [FIELD_LISTEN] = { .integer = true, .boolean = true, .nested = true },
        [FIELD_VALUE] = { .any = true, .nested = true },
};

static const struct {
        const char *text;
        bool value;
} boolean_words[] = { { "", true }, { "true", true }, { "1", true }, { "false", false }, { "0", false } };

static json_t *boolean_from_text(const char *text)
{
        for (size_t i = 0; i < sizeof boolean_words / sizeof *boolean_words; i++)
                if (strcmp(text, boolean_words[i].text) == 0)
                        return json_boolean(boolean_words[i].value);
        return NULL;
}

static json_t *integer_from_text(const char *text)
{
        const char *const digits = text + (*text == '-');
        if (*digits == '\0' || digits[strspn(digits, "0123456789")] != '\0')
                return NULL;
        errno = 0;
        const long long number = strtoll(text, NULL, 10);
        return errno == 0 ? json_integer(number) : NULL;
}

static json_t *json_from_text(const struct query_form *form, const char *text, size_t size)
{
        const bool nested = form->nested && (*text == '{' || *text == '[');
        if ((!nested && !form->any) || !json_depth_fits(text, size))
                return NULL;
        return json_loadb(text, size, JSON_REJECT_DUPLICATES | (form->any ? JSON_DECODE_ANY : 0), NULL);
}

/* The text as JSON, or NULL when it has to stay text. `text` is terminated. */
static json_t *value_from_text(const struct query_form *form, const char *text, size_t size)
{
        json_t *value = NULL;
        /* A field that takes both takes "1" as the number. */
        if (form->integer)
                value = integer_from_text(text);
        if (!value && form->boolean)
                value = boolean_from_text(text);
        return value ? value : json_from_text(form, text, size);
}

json_t *field_value_from_query(
        struct decoder *decoder, const struct field *field, const char *text, size_t size)
{
        if (memchr(text, '\0', size)) {
                decoder_fail(decoder, field->name, "has a NUL byte");
                return NULL;
        }
        const char *const terminated = arena_copy(decoder->arena, text, size);
        json_t *value = terminated ? value_from_text(&query_forms[field->kind], terminated, size) : NULL;
        if (value)
                return value;
        value = json_stringn(size > 0 ? text : "", size);
        if (!value)
                decoder_fail(decoder, field->name, "is not UTF-8");
        return value;
}
