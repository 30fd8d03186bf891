/* print.h: JSON text as replies are made of it: straight from their records, without building a document
 * first. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "api/field.h"

struct print {
        char *bytes; /* from malloc(), not terminated; to be taken over or freed */
        size_t size, capacity;
        size_t flags; /* for jansson: JSON_ENSURE_ASCII, or 0 */
        bool failed;  /* memory ran out: what is printed is not all */
};

void print_text(struct print *print, const char *text, size_t size);

/* A string literal. */
#define PRINT(print, literal) print_text((print), (literal), sizeof(literal) - 1)

void print_integer(struct print *print, json_int_t number);

void print_json(struct print *print, const json_t *json);

/* The bytes in base64. */
void print_base64(struct print *print, const uint8_t *bytes, size_t size);

/* Each member but the payload, as "name":value with a comma behind it. */
void print_members(struct print *print, const struct fields *fields, const void *record);
