/* utf8.h: which bytes are UTF-8, and making those that are not printable as such. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The size of the UTF-8 sequence that the bytes start with, 1 to 4; 0: there is none. */
size_t utf8_sequence(const char *bytes, size_t size);

/* Whether all of it is UTF-8. */
bool utf8_is_valid(const char *bytes, size_t size);

/* Copies with each byte that is not UTF-8 as U+FFFD (three bytes). Ends at whole characters, and with a NUL,
 * within out_size. Returns the size without the NUL. */
size_t utf8_clean(char *out, size_t out_size, const char *bytes, size_t size);
