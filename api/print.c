/* print.c: JSON text as replies are made of it. */
#include "api/print.h"

#include <stdlib.h>
#include <string.h>

#include "api/base64.h"

enum { FIRST_CAPACITY = 512, DIGITS_MAX = 24 };

/* Room for as many bytes, or NULL. */
static char *reserve(struct print *print, size_t size)
{
        if (print->size + size > print->capacity) {
                size_t capacity = print->capacity == 0 ? FIRST_CAPACITY : print->capacity * 2;
                if (capacity < print->size + size)
                        capacity = print->size + size;
                char *const bytes = realloc(print->bytes, capacity);
                if (bytes == NULL) {
                        print->failed = true;
                        return NULL;
                }
                print->bytes = bytes;
                print->capacity = capacity;
        }
        return print->bytes + print->size;
}

void print_text(struct print *print, const char *text, size_t size)
{
        char *const place = reserve(print, size);
        if (place == NULL)
                return;
        memcpy(place, text, size);
        print->size += size;
}

void print_integer(struct print *print, json_int_t number)
{
        char digits[DIGITS_MAX];
        size_t first = sizeof digits;
        unsigned long long rest = number < 0 ? 0ULL - (unsigned long long)number : (unsigned long long)number;
        do
                digits[--first] = (char)('0' + rest % 10);
        while ((rest /= 10) > 0);
        if (number < 0)
                digits[--first] = '-';
        print_text(print, digits + first, sizeof digits - first);
}

static int print_piece(const char *text, size_t size, void *print)
{
        print_text(print, text, size);
        return ((const struct print *)print)->failed ? -1 : 0;
}

void print_json(struct print *print, const json_t *json)
{
        if (json == NULL || json_dump_callback(json, print_piece, print,
                                    JSON_COMPACT | JSON_ENCODE_ANY | print->flags) != 0)
                print->failed = true;
}

void print_base64(struct print *print, const uint8_t *bytes, size_t size)
{
        /* The encoder writes a NUL behind it. */
        char *const place = reserve(print, base64_encoded_size(size) + 1);
        if (place != NULL)
                print->size += base64_encode(bytes, size, place);
}

/* Numbers and booleans, which most replies consist of, need no document for their value. */
static void print_value(struct print *print, const struct field *field, const void *member)
{
        if (field->kind == FIELD_UNSIGNED && !field->nullable)
                print_integer(print, (json_int_t) * (const uint64_t *)member);
        else if (field->kind == FIELD_BOOLEAN && *(const bool *)member)
                PRINT(print, "true");
        else if (field->kind == FIELD_BOOLEAN)
                PRINT(print, "false");
        else {
                json_t *const value = field_encode(field, member);
                print_json(print, value);
                json_decref(value);
        }
}

void print_members(struct print *print, const struct fields *fields, const void *record)
{
        for (size_t i = 0; i < fields->count; i++) {
                const struct field *const field = &fields->rows[i];
                const void *const member = (const char *)record + field->offset;
                if (!field_is_said(field, member))
                        continue;
                PRINT(print, "\"");
                print_text(print, field->name, strlen(field->name));
                PRINT(print, "\":");
                print_value(print, field, member);
                PRINT(print, ",");
        }
}
