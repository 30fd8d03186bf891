/* json_body.h: reads a JSON request body: bounded before it is parsed, its payload cut out of it. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/problem.h"

/* Base64 text that was cut out; text is NULL when there was none. */
struct json_span {
        const char *text;
        size_t size;
};

/* Bounds: how deep values may nest, how much may stand beside the payload, and from which size a payload is
 * cut out. */
enum { JSON_DEPTH_LIMIT = 16, JSON_REST_LIMIT = 1 << 20, JSON_PAYLOAD_MINIMUM = 32 };

/* Whether the values of a JSON text nest no deeper than the limit; it need not be sound JSON otherwise. */
bool json_depth_fits(const char *text, size_t size);

/* Parses a body, an object or nothing at all (which is an empty object). *out is a new reference. A long
 * string of the member "data" is left out of it: it is "" there, and *payload points at its text in `body`,
 * unchecked. The body is not changed. False: problem says why, *out and *payload are untouched. */
bool json_body_read(
        const char *body, size_t size, json_t **out, struct json_span *payload, struct problem *problem);
