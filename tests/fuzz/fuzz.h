/* fuzz.h: what fuzz targets share: the one function that each has, and how it says that a property does not
 * hold. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Called with each input, which is exactly `size` bytes; returns 0. Called by libFuzzer, or by replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A finding unless the condition is true. */
#define HOLDS(condition)                                                                                     \
        do {                                                                                                 \
                if (!(condition)) {                                                                          \
                        fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);       \
                        abort();                                                                             \
                }                                                                                            \
        } while (0)

/* Memory of exactly that size, so that a sanitizer sees a byte too far; fuzz_text() adds a NUL to it. Never
 * NULL; the caller frees it. */
void *fuzz_room(size_t size);
void *fuzz_copy(const void *bytes, size_t size);
char *fuzz_text(const void *bytes, size_t size);
