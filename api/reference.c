/* reference.c: a reference is a result's name and the way to a member of it, with a slash between each. */
#include "api/reference.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/utf8.h"

static json_t *member_of(const json_t *value, const char *name, size_t size)
{
        char *end;
        if (json_is_object(value))
                return json_object_getn(value, name, size);
        const unsigned long index = strtoul(name, &end, 10);
        return size > 0 && name[0] >= '0' && name[0] <= '9' && end == name + size
                       ? json_array_get(value, index)
                       : NULL;
}

static json_t *fail(struct references *references, const char *text, size_t size, const char *why)
{
        char clean[REFERENCE_DETAIL_SIZE / 2];
        utf8_clean(clean, sizeof clean, text, size);
        snprintf(references->detail, sizeof references->detail, "%s: %s", clean, why);
        return NULL;
}

/* Borrowed. */
static json_t *look_up(struct references *references, const char *text, size_t size)
{
        const char *const end = text + size;
        const char *slash = memchr(text, '/', size);
        json_t *value =
                references->find(references->context, text, slash == NULL ? size : (size_t)(slash - text));
        if (value == NULL)
                return fail(references, text, size, "no step of that name has a result yet");
        while (slash != NULL) {
                const char *const name = slash + 1;
                slash = memchr(name, '/', (size_t)(end - name));
                value = member_of(value, name, (size_t)((slash == NULL ? end : slash) - name));
                if (value == NULL)
                        return fail(references, text, size, "the result has no such member");
        }
        return value;
}

/* About what a copy takes. */
static size_t size_of(const json_t *value)
{
        enum { NODE_SIZE = 64 };
        const char *name;
        json_t *member;
        size_t size = NODE_SIZE + json_string_length(value);
        for (size_t i = 0; i < json_array_size(value); i++)
                size += size_of(json_array_get(value, i));
        json_object_foreach((json_t *)(uintptr_t)value, name, member) size += strlen(name) + size_of(member);
        return size;
}

/* Steps that run side by side must not count references to the same value. */
static json_t *copy(struct references *references, const json_t *reference)
{
        const char *const text = json_string_value(reference);
        json_t *const value = look_up(references, text, json_string_length(reference));
        const size_t size = value == NULL ? 0 : size_of(value);
        if (size > references->room)
                return fail(references, text, strlen(text), "there is more to copy than a body may have");
        references->room -= size;
        return json_deep_copy(value);
}

/* The text of {"$ref":"…"}, or NULL. */
static const json_t *reference_in(const json_t *value)
{
        const json_t *const reference = json_object_get(value, "$ref");
        return json_object_size(value) == 1 && json_is_string(reference) ? reference : NULL;
}

/* The bounds of a request's JSON bound the depth of this too. */
static bool resolve_object(struct references *references, const json_t *value, json_t *out)
{
        const char *name;
        json_t *member;
        json_object_foreach((json_t *)(uintptr_t)value, name, member)
        {
                json_t *const resolved = references_resolve(references, member);
                if (resolved == NULL || json_object_set_new_nocheck(out, name, resolved) != 0)
                        return false;
        }
        return true;
}

static bool resolve_list(struct references *references, const json_t *value, json_t *out)
{
        for (size_t i = 0; i < json_array_size(value); i++) {
                json_t *const resolved = references_resolve(references, json_array_get(value, i));
                if (resolved == NULL || json_array_append_new(out, resolved) != 0)
                        return false;
        }
        return true;
}

json_t *references_resolve(struct references *references, const json_t *value)
{
        const json_t *const reference = reference_in(value);
        if (reference != NULL)
                return copy(references, reference);
        if (!json_is_object(value) && !json_is_array(value))
                return json_incref((json_t *)(uintptr_t)value);
        json_auto_t *out = json_is_object(value) ? json_object() : json_array();
        const bool resolved = json_is_object(value) ? resolve_object(references, value, out)
                                                    : resolve_list(references, value, out);
        return resolved ? json_incref(out) : NULL;
}

/* What a value looks like in a path; -1: it has no place there. */
static int print_value(char *out, size_t size, const json_t *value)
{
        if (json_is_string(value))
                return snprintf(out, size, "%s", json_string_value(value));
        return json_is_integer(value)
                       ? snprintf(out, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value))
                       : -1;
}

bool references_fill_path(
        struct references *references, const char *path, char out[static REFERENCE_PATH_SIZE])
{
        size_t used = 0;
        while (*path != '\0') {
                const char *const close = *path == '{' ? strchr(path, '}') : NULL;
                const json_t *value = NULL;
                if (close != NULL &&
                        (value = look_up(references, path + 1, (size_t)(close - path - 1))) == NULL)
                        return false;
                const int size = close == NULL ? snprintf(out + used, REFERENCE_PATH_SIZE - used, "%c", *path)
                                               : print_value(out + used, REFERENCE_PATH_SIZE - used, value);
                if (size < 0 || (size_t)size >= REFERENCE_PATH_SIZE - used) {
                        fail(references, path, strlen(path), "is no text that fits into a path");
                        return false;
                }
                used += (size_t)size;
                path = close == NULL ? path + 1 : close + 1;
        }
        out[used] = '\0';
        return true;
}
