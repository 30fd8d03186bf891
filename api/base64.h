/* base64.h: RFC 4648 base64, as strict as the RFC. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The size of the text, without a NUL. */
size_t base64_encoded_size(size_t size);

/* Encodes. `out` has room for base64_encoded_size(size) + 1: a NUL follows the text. Returns the text's size.
 */
size_t base64_encode(const uint8_t *bytes, size_t size, char *out);

/* The room that decoding a text of that size takes, at most two bytes more than it holds. */
size_t base64_decoded_size(size_t size);

/* Decodes section 4's form only: padded, without white space or stray bits. `out` has
 * base64_decoded_size(size). False when the text is anything else; `out` may then have been written to,
 * *out_size has not. */
bool base64_decode(const char *text, size_t size, uint8_t *out, size_t *out_size);
