/* pattern.h: an endless run of bytes that can be told from any offset on: what a source sends and a verify
 * expects. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The bytes, over and over; without any (size 0), 32-bit big-endian numbers that count up from 0. */
struct pattern {
        const uint8_t *bytes;
        size_t size;
};

void pattern_fill(const struct pattern *pattern, uint64_t offset, uint8_t *out, size_t size);

/* How many of the bytes, from the first on, are those that the pattern has at that offset. */
size_t pattern_agree(const struct pattern *pattern, uint64_t offset, const uint8_t *bytes, size_t size);
