/* json_body.c: bounds a JSON body and cuts its payload out, in one scan, before jansson parses the rest. */
#include "api/json_body.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/sockets/cleanup.h"

/* A run of the body's bytes. */
struct span {
        const char *start, *end;
};

/* The scan's state. It follows strings and brackets only: what is sound JSON, jansson says. */
struct scan {
        const char *at, *end;
        size_t depth;
        struct span key;     /* the last member name of the outermost object, without quotes */
        struct span payload; /* the text to cut out; start NULL: none */
        bool is_deep, is_large;
};

static bool is_blank(char letter)
{
        return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r';
}

static const char *skip_blanks(const char *at, const char *end)
{
        while (at < end && is_blank(*at))
                at++;
        return at;
}

/* The quote that ends a string whose first letter is at `at`, or NULL. *plain: it has no backslash. */
static const char *string_end(const char *at, const char *end, bool *plain)
{
        const char *quote = memchr(at, '"', (size_t)(end - at));
        *plain = true;
        while (quote) {
                const char *const backslash = memchr(at, '\\', (size_t)(quote - at));
                if (!backslash)
                        return quote;
                *plain = false;
                at = backslash + 2;
                if (at > quote)
                        quote = at < end ? memchr(at, '"', (size_t)(end - at)) : NULL;
        }
        return NULL;
}

static bool span_is(const struct span *span, const char *text)
{
        const size_t size = strlen(text);
        return (size_t)(span->end - span->start) == size && memcmp(span->start, text, size) == 0;
}

/* Only the first payload is cut out, so that jansson sees a second one for what it is. */
static bool is_payload(const struct scan *scan, const struct span *string, const char *before)
{
        static const char member[] = "data";
        return scan->depth == 1 && !scan->payload.start && before == scan->key.end && scan->key.start &&
               string->end - string->start > JSON_PAYLOAD_MINIMUM && span_is(&scan->key, member);
}

/* Passes a string. `before` is the end of the member name that it is the value of, or NULL. */
static void scan_string(struct scan *scan, const char *before)
{
        bool plain = false;
        const char *const start = scan->at + 1;
        const char *const quote = string_end(start, scan->end, &plain);
        if (!quote) {
                scan->at = scan->end;
                return;
        }
        const struct span string = { .start = start, .end = quote };
        scan->at = quote + 1;
        if (plain && before && is_payload(scan, &string, before))
                scan->payload = string;
        const char *const colon = skip_blanks(scan->at, scan->end);
        if (scan->depth != 1 || colon == scan->end || *colon != ':')
                return;
        scan->key = string;
        const char *const value = skip_blanks(colon + 1, scan->end);
        scan->at = value;
        if (value < scan->end && *value == '"' && !before)
                scan_string(scan, quote);
}

static void scan_bracket(struct scan *scan)
{
        const char letter = *scan->at++;
        if (letter == '{' || letter == '[')
                scan->is_deep = ++scan->depth > JSON_DEPTH_LIMIT;
        else if ((letter == '}' || letter == ']') && scan->depth > 0)
                scan->depth--;
}

static size_t rest_size(const struct scan *scan, const char *start, const char *end)
{
        return (size_t)(end - start) - (size_t)(scan->payload.end - scan->payload.start);
}

static struct scan scan_text(const char *text, size_t size)
{
        struct scan scan = { .at = text, .end = text + size };
        while (scan.at < scan.end && !scan.is_deep && !scan.is_large) {
                if (*scan.at == '"')
                        scan_string(&scan, NULL);
                else
                        scan_bracket(&scan);
                scan.is_large = rest_size(&scan, text, scan.at) > JSON_REST_LIMIT;
        }
        return scan;
}

bool json_depth_fits(const char *text, size_t size)
{
        const struct scan scan = scan_text(text, size);
        return !scan.is_deep && !scan.is_large;
}

/* The outermost member that a place in the body belongs to, into `out`; "" when there is none. */
static void member_at(const char *body, size_t size, size_t position, char out[PROBLEM_PARAMETER_SIZE])
{
        /* The place may be behind a name: its colon makes it one. */
        const char *const colon = skip_blanks(body + position, body + size);
        const bool is_name = colon < body + size && *colon == ':';
        const struct scan scan = scan_text(body, is_name ? (size_t)(colon + 1 - body) : position);
        const size_t found = (size_t)(scan.key.end - scan.key.start);
        const size_t kept = found < PROBLEM_PARAMETER_SIZE ? found : PROBLEM_PARAMETER_SIZE - 1;
        if (kept > 0)
                memcpy(out, scan.key.start, kept);
        out[kept] = '\0';
}

/* Which complaints are about a member's value rather than about the body's form. */
static const enum json_error_code member_errors[] = {
        json_error_duplicate_key,
        json_error_numeric_overflow,
        json_error_null_character,
        json_error_null_byte_in_key,
        json_error_invalid_utf8,
};

static bool is_member_error(enum json_error_code code)
{
        for (size_t i = 0; i < sizeof member_errors / sizeof *member_errors; i++)
                if (member_errors[i] == code)
                        return true;
        return false;
}

/* Says where in the body, counting what was cut out, jansson stopped. */
static bool fail_parse(
        const struct scan *scan, const char *body, size_t size, json_error_t *error, struct problem *problem)
{
        char parameter[PROBLEM_PARAMETER_SIZE] = "";
        size_t position = error->position > 0 ? (size_t)error->position : 0;
        if (json_error_code(error) == json_error_out_of_memory) {
                problem_set_memory(problem);
                return false;
        }
        if (scan->payload.start && position > (size_t)(scan->payload.start - body))
                position += (size_t)(scan->payload.end - scan->payload.start);
        position = position < size ? position : size;
        const char *line_start = body;
        int line = 1;
        for (const char *newline;
                (newline = memchr(line_start, '\n', position - (size_t)(line_start - body))); line++)
                line_start = newline + 1;
        if (is_member_error(json_error_code(error)))
                member_at(body, size, position, parameter);
        problem_set(problem, PROBLEM_UNSOUND_REQUEST, parameter,
                "the body is not sound JSON at line %d, column %zu (byte %zu): %s", line,
                position - (size_t)(line_start - body), position, error->text);
        return false;
}

/* The body without the payload: a copy of what stands before and after it, which is little. */
static json_t *parse_rest(const struct scan *scan, const char *body, size_t size, json_error_t *error)
{
        const char *const end = body + size;
        if (!scan->payload.start)
                return json_loadb(body, size, JSON_REJECT_DUPLICATES, error);
        const size_t before = (size_t)(scan->payload.start - body);
        const size_t after = (size_t)(end - scan->payload.end);
        char *const rest = malloc(before + after);
        if (!rest)
                return NULL;
        memcpy(rest, body, before);
        memcpy(rest + before, scan->payload.end, after);
        json_t *const parsed = json_loadb(rest, before + after, JSON_REJECT_DUPLICATES, error);
        free(rest);
        return parsed;
}

static bool fail_bounds(const struct scan *scan, const char *body, size_t size, struct problem *problem)
{
        char parameter[PROBLEM_PARAMETER_SIZE];
        member_at(body, size, (size_t)(scan->at - body), parameter);
        if (scan->is_deep)
                problem_set(problem, PROBLEM_UNSOUND_REQUEST, parameter,
                        "the body nests deeper than %d levels", JSON_DEPTH_LIMIT);
        else
                problem_set(problem, PROBLEM_TOO_LARGE, NULL,
                        "the body has more than %d bytes beside a payload in data", JSON_REST_LIMIT);
        return false;
}

bool json_body_read(
        const char *body, size_t size, json_t **out, struct json_span *payload, struct problem *problem)
{
        json_error_t error = { .line = 0 };
        const bool is_empty = skip_blanks(body, body + size) == body + size;
        const struct scan scan = scan_text(body, size);
        if (scan.is_deep || scan.is_large)
                return fail_bounds(&scan, body, size, problem);
        json_auto_t *json = is_empty ? json_object() : parse_rest(&scan, body, size, &error);
        if (!json && error.text[0] != '\0')
                return fail_parse(&scan, body, size, &error, problem);
        if (!json) {
                problem_set_memory(problem);
                return false;
        }
        if (!json_is_object(json)) {
                problem_set(problem, PROBLEM_UNSOUND_REQUEST, NULL, "the body must be a JSON object");
                return false;
        }
        *out = TAKE(json);
        *payload = (struct json_span){ .text = scan.payload.start,
                .size = (size_t)(scan.payload.end - scan.payload.start) };
        return true;
}
