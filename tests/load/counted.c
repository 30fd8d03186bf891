/* counted.c: bytes that say where they stand, so that what is lost or doubled is told from what is there. */
#include <string.h>

#include "tests/load/load.h"

enum { WORD = 8 };

static uint8_t byte_at(uint64_t position)
{
        return (uint8_t)(position / WORD >> 8 * (WORD - 1 - position % WORD));
}

void fill_counted(uint8_t *bytes, size_t size, uint64_t position)
{
        for (size_t i = 0; i < size; i++)
                bytes[i] = byte_at(position + i);
}

static uint64_t word_of(const uint8_t *bytes)
{
        uint64_t word = 0;
        for (int i = 0; i < WORD; i++)
                word = word << 8 | bytes[i];
        return word;
}

/* Where the bytes come from: they hold two whole words, one after the other, from one of the first places on.
 * UINT64_MAX: they are none of ours, or too few to tell. */
static uint64_t find_position(const uint8_t *bytes, size_t size)
{
        for (size_t i = 0; i < WORD && i + (size_t)2 * WORD <= size; i++) {
                const uint64_t word = word_of(bytes + i);
                if (word_of(bytes + i + WORD) == word + 1 && word * WORD >= i)
                        return word * WORD - i;
        }
        return UINT64_MAX;
}

static size_t agree(const uint8_t *bytes, size_t size, uint64_t position)
{
        size_t same = 0;
        while (same < size && bytes[same] == byte_at(position + same))
                same++;
        return same;
}

void take_counted(struct flow *flow, const uint8_t *bytes, size_t size)
{
        while (size > 0) {
                const size_t same = agree(bytes, size, flow->position);
                flow->position += same;
                flow->taken += same;
                bytes += same;
                size -= same;
                if (size == 0)
                        return;
                const uint64_t position = find_position(bytes, size);
                if (position == UINT64_MAX || position == flow->position) {
                        complain(&flow->taker, "strange bytes at %llu", (unsigned long long)flow->position);
                        return;
                }
                /* Those that came before are doubled; those in between are lost, as fewer come than are
                 * given. */
                const uint64_t again = position < flow->position ? flow->position - position : 0;
                const size_t skipped = again < size ? (size_t)again : size;
                flow->doubled += skipped;
                bytes += skipped;
                size -= skipped;
                if (again == 0)
                        flow->position = position;
        }
}
