/* pattern.c: an endless run of bytes: a text over and over, or numbers that count up. */
#include "daemon/sockets/pattern.h"

#include <endian.h>
#include <string.h>

enum { WORD = sizeof(uint32_t), COMPARE_STEP = 4096 };

/* Whole words at once, and what stands before and behind them byte by byte. */
static void fill_numbers(uint64_t offset, uint8_t *out, size_t size)
{
        for (size_t at = 0; at < size;) {
                const uint64_t here = offset + at;
                const uint32_t number = htobe32((uint32_t)(here / WORD));
                const size_t skipped = here % WORD;
                const size_t step = WORD - skipped < size - at ? WORD - skipped : size - at;
                memcpy(out + at, (const uint8_t *)&number + skipped, step);
                at += step;
        }
}

void pattern_fill(const struct pattern *pattern, uint64_t offset, uint8_t *out, size_t size)
{
        if (pattern->size == 0) {
                fill_numbers(offset, out, size);
                return;
        }
        size_t done = size < pattern->size ? size : pattern->size;
        const size_t skipped = offset % pattern->size;
        const size_t first = done < pattern->size - skipped ? done : pattern->size - skipped;
        memcpy(out, pattern->bytes + skipped, first);
        memcpy(out + first, pattern->bytes, done - first);
        /* A whole period is there: it is doubled until all is. */
        while (done < size) {
                const size_t step = done < size - done ? done : size - done;
                memcpy(out + done, out, step);
                done += step;
        }
}

size_t pattern_agree(const struct pattern *pattern, uint64_t offset, const uint8_t *bytes, size_t size)
{
        uint8_t expected[COMPARE_STEP];
        for (size_t at = 0; at < size;) {
                const size_t step = size - at < sizeof expected ? size - at : sizeof expected;
                pattern_fill(pattern, offset + at, expected, step);
                if (memcmp(bytes + at, expected, step) != 0) {
                        size_t same = 0;
                        while (bytes[at + same] == expected[same])
                                same++;
                        return at + same;
                }
                at += step;
        }
        return size;
}
