/* search.h: looking for a delimiter in bytes that come piece by piece, none of them twice. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Where the first delimiter in the bytes ends; 0: there is none. The first `scanned` bytes are known to hold
 * none, but it may begin there. */
static inline size_t search_end(
        const uint8_t *bytes, size_t size, size_t scanned, const uint8_t *delimiter, size_t delimiter_size)
{
        const size_t overlap = scanned < delimiter_size ? scanned : delimiter_size - 1;
        const size_t from = scanned - overlap;
        const uint8_t *const found =
                size > from ? memmem(bytes + from, size - from, delimiter, delimiter_size) : NULL;
        return found == NULL ? 0 : (size_t)(found - bytes) + delimiter_size;
}
