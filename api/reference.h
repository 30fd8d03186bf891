/* reference.h: what stands in a batch for a member of an earlier result: {"$ref":"server/local/port"}. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { REFERENCE_DETAIL_SIZE = 256, REFERENCE_PATH_SIZE = 256 };

/* The earlier results: find() gives the one of that name (size bytes of it), borrowed, or NULL. */
struct references {
        json_t *(*find)(const void *context, const char *name, size_t size);
        const void *context;
        size_t room;                        /* how many bytes copies may still take */
        char detail[REFERENCE_DETAIL_SIZE]; /* what is wrong, when a function below fails; UTF-8 */
};

/* A copy of the value with every reference in it replaced; a new reference, or NULL. */
json_t *references_resolve(struct references *references, const json_t *value);

/* A path with each {server/id} in it replaced by what that stands for: a text or an integer. False: it does
 * not fit, or cannot be resolved. */
bool references_fill_path(
        struct references *references, const char *path, char out[static REFERENCE_PATH_SIZE]);
