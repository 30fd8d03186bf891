/* yaml.c: prints JSON as YAML in block style, quoting whatever some parser might take for something else. */
#include "api/yaml.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/sockets/cleanup.h"

enum { INDENT = 2 };

/* Plain scalars that YAML 1.1 takes for a boolean or nothing. */
static const char *const taken_words[] = { "y", "yes", "n", "no", "on", "off", "true", "false", "null" };

static bool word_is_taken(const char *text)
{
        for (size_t i = 0; i < sizeof taken_words / sizeof *taken_words; i++)
                if (strcasecmp(text, taken_words[i]) == 0)
                        return true;
        return false;
}

/* Letters first rule out numbers and dates; neither ':' nor '#' within rule out keys and comments. */
static bool is_plain(const char *text, size_t size)
{
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz/$";
        static const char others[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/$._-+,;()= ";
        return size > 0 && strchr(letters, text[0]) != NULL && strspn(text, others) == size &&
               text[size - 1] != ' ' && !word_is_taken(text);
}

/* Reads one code point of valid UTF-8; returns its length. */
static size_t decode_utf8(const char *text, uint32_t *point)
{
        static const uint32_t first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
        const uint8_t first = (uint8_t)text[0];
        const size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        *point = first & first_bits[size];
        for (size_t i = 1; i < size; i++)
                *point = *point << 6 | ((uint8_t)text[i] & 0x3f);
        return size;
}

/* What YAML forbids raw, or reads as a line break. */
static bool needs_escape(uint32_t point)
{
        return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 || point == 0x2029 ||
               point == 0xfeff || (point & 0xfffe) == 0xfffe;
}

static void print_quoted(FILE *out, const char *text, size_t size)
{
        uint32_t point;
        fputc('"', out);
        for (size_t i = 0, length; i < size; i += length) {
                length = decode_utf8(text + i, &point);
                if (point == '"' || point == '\\')
                        fprintf(out, "\\%c", (int)point);
                else if (point == '\n')
                        fputs("\\n", out);
                else if (needs_escape(point))
                        fprintf(out, point > 0xffff ? "\\U%08X" : "\\u%04X", point);
                else
                        fwrite(text + i, 1, length, out);
        }
        fputc('"', out);
}

/* A literal block keeps prose readable; anything unusual goes quoted. */
static bool is_block(const char *text, size_t size)
{
        uint32_t point;
        if (size < 2 || memchr(text, '\n', size) == NULL || text[0] == ' ' || text[0] == '\n' ||
                (text[size - 1] == '\n' && text[size - 2] == '\n'))
                return false;
        for (size_t i = 0; i < size; i += decode_utf8(text + i, &point)) {
                (void)decode_utf8(text + i, &point);
                if (point != '\n' && needs_escape(point))
                        return false;
        }
        return true;
}

static void print_indent(FILE *out, int indent)
{
        fprintf(out, "%*s", indent, "");
}

/* Ends without a line break, as all scalars do. */
static void print_block(FILE *out, const char *text, size_t size, int indent)
{
        const bool ends_line = text[size - 1] == '\n';
        const char *const end = text + size - (ends_line ? 1 : 0);
        fputs(ends_line ? "|" : "|-", out);
        for (const char *line = text; line <= end;) {
                const char *const next = memchr(line, '\n', (size_t)(end - line));
                const size_t length = (size_t)((next ? next : end) - line);
                fputc('\n', out);
                if (length > 0)
                        print_indent(out, indent);
                fwrite(line, 1, length, out);
                line += length + 1;
        }
}

static void print_key(FILE *out, const char *text)
{
        const size_t size = strlen(text);
        if (is_plain(text, size))
                fputs(text, out);
        else
                print_quoted(out, text, size);
}

static void print_string(FILE *out, const json_t *json, int indent)
{
        const char *const text = json_string_value(json);
        const size_t size = json_string_length(json);
        if (is_plain(text, size))
                fputs(text, out);
        else if (is_block(text, size))
                print_block(out, text, size, indent);
        else
                print_quoted(out, text, size);
}

/* YAML 1.1 knows a float by its point and by the sign of its exponent: 1.0e+20. */
static void print_real(FILE *out, const json_t *json, int indent)
{
        (void)indent;
        char digits[40];
        (void)snprintf(digits, sizeof digits, "%.17g", json_real_value(json));
        const size_t mantissa = strcspn(digits, "e");
        fprintf(out, "%.*s%s%s", (int)mantissa, digits, memchr(digits, '.', mantissa) ? "" : ".0",
                digits + mantissa);
}

static void print_value(FILE *out, const json_t *json, int indent);

static bool is_filled(const json_t *json)
{
        return json_object_size(json) > 0 || json_array_size(json) > 0;
}

/* After a key's colon: containers go below, scalars and empty containers on the same line. */
static void print_member(FILE *out, const json_t *json, int indent)
{
        if (is_filled(json)) {
                fputc('\n', out);
                print_indent(out, indent);
        } else {
                fputc(' ', out);
        }
        print_value(out, json, indent);
}

static void print_object(FILE *out, const json_t *json, int indent)
{
        json_t *const object = (json_t *)(uintptr_t)json; /* jansson's iterators want it writable */
        if (json_object_size(json) == 0)
                fputs("{}", out);
        for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
                if (at != json_object_iter(object)) {
                        fputc('\n', out);
                        print_indent(out, indent);
                }
                print_key(out, json_object_iter_key(at));
                fputc(':', out);
                print_member(out, json_object_iter_value(at), indent + INDENT);
        }
}

/* Items start behind their dash, so that lists of objects stay compact. */
static void print_array(FILE *out, const json_t *json, int indent)
{
        if (json_array_size(json) == 0)
                fputs("[]", out);
        for (size_t i = 0; i < json_array_size(json); i++) {
                if (i > 0) {
                        fputc('\n', out);
                        print_indent(out, indent);
                }
                fputs("- ", out);
                print_value(out, json_array_get(json, i), indent + INDENT);
        }
}

static void print_integer(FILE *out, const json_t *json, int indent)
{
        (void)indent;
        fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
}

static void print_word(FILE *out, const json_t *json, int indent)
{
        (void)indent;
        fputs(json_is_null(json) ? "null" : json_is_true(json) ? "true" : "false", out);
}

static void (*const printers[])(FILE *out, const json_t *json, int indent) = {
        [JSON_OBJECT] = print_object,
        [JSON_ARRAY] = print_array,
        [JSON_STRING] = print_string,
        [JSON_INTEGER] = print_integer,
        [JSON_REAL] = print_real,
        [JSON_TRUE] = print_word,
        [JSON_FALSE] = print_word,
        [JSON_NULL] = print_word,
};

static void print_value(FILE *out, const json_t *json, int indent)
{
        printers[json_typeof(json)](out, json, indent);
}

char *yaml_print(const json_t *json)
{
        memory_auto char *text = NULL;
        size_t size = 0;
        FILE *const out = open_memstream(&text, &size);
        if (!out)
                return NULL;
        /* The text of a block at the top must be indented to be one. */
        print_value(out, json, json_is_string(json) ? INDENT : 0);
        fputc('\n', out);
        const bool failed = ferror(out) != 0;
        return fclose(out) == 0 && !failed ? TAKE(text) : NULL;
}
