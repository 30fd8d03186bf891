/* fuzz_frame.c: where a message ends is the same however its bytes come, and never beyond them or max. */
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/frame.h"
#include "tests/fuzz/fuzz.h"

/* How an input begins; its stream follows. */
struct opening {
        uint8_t way, bytes, delimiter_size, offset, width, flags, max, count;
};

enum { STREAM_MAX = 300, LITTLE_ENDIAN_BIT = 1, INCLUSIVE_BIT = 2 };

/* The delimiter is the stream's own beginning, so that it is found again. */
static struct frame frame_of(const struct opening *opening, const uint8_t *delimiter)
{
        static const uint8_t widths[] = { 1, 2, 3, 4, 8 };
        struct frame frame = { .count = 1 };
        if (opening->way % 3 == 0) {
                frame.bytes = opening->bytes + 1U;
        } else if (opening->way % 3 == 1) {
                frame.delimiter = delimiter;
                frame.delimiter_size = opening->delimiter_size;
        } else {
                frame.width = widths[opening->width % sizeof widths];
                frame.offset = opening->offset % 16U;
                frame.little_endian = (opening->flags & LITTLE_ENDIAN_BIT) != 0;
                frame.inclusive = (opening->flags & INCLUSIVE_BIT) != 0;
        }
        /* As the decoder has it: max is no less than the least message. */
        frame.max = frame.bytes + frame.delimiter_size + frame.offset + frame.width + opening->max;
        return frame;
}

static enum frame_state find(
        const struct frame *frame, const uint8_t *bytes, size_t size, size_t scanned, uint64_t *length)
{
        memory_auto uint8_t *copy = fuzz_copy(bytes, size);
        return frame_find(frame, copy, size, scanned, length);
}

/* Whether the first delimiter ends there. */
static bool delimiter_ends_first_at(const struct frame *frame, const uint8_t *bytes, size_t end)
{
        for (size_t at = frame->delimiter_size; at < end; at++)
                if (memcmp(bytes + at - frame->delimiter_size, frame->delimiter, frame->delimiter_size) == 0)
                        return false;
        return memcmp(bytes + end - frame->delimiter_size, frame->delimiter, frame->delimiter_size) == 0;
}

/* A byte more at a time, as a call that waits sees them. Returns the size of the message, 0 if there is none.
 */
static size_t cut(const struct frame *frame, const uint8_t *bytes, size_t size)
{
        uint64_t length = 0, all_length = 0;
        enum frame_state state = FRAME_INCOMPLETE;
        size_t there = 0;
        while (there < size && state == FRAME_INCOMPLETE) {
                there++;
                state = find(frame, bytes, there, there - 1, &length);
        }
        HOLDS(find(frame, bytes, size, 0, &all_length) == state);
        HOLDS(state == FRAME_INCOMPLETE || all_length == length);
        HOLDS(frame->width > 0 || state != FRAME_UNSOUND);
        HOLDS(state != FRAME_OVERSIZED || length == 0 || length > frame->max);
        if (state != FRAME_WHOLE)
                return 0;
        HOLDS(length > 0 && length <= frame->max && length == there);
        HOLDS(frame->delimiter == NULL || delimiter_ends_first_at(frame, bytes, there));
        return there;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        struct opening opening;
        if (size < sizeof opening || size > sizeof opening + STREAM_MAX)
                return 0;
        memcpy(&opening, bytes, sizeof opening);
        bytes += sizeof opening;
        size -= sizeof opening;
        opening.delimiter_size = (uint8_t)(opening.delimiter_size % 8U + 1U);
        if (size < opening.delimiter_size)
                return 0;
        const struct frame frame = frame_of(&opening, bytes);
        for (size_t at = 0, length = 1; at < size && length > 0; at += length)
                length = cut(&frame, bytes + at, size - at);
        return 0;
}
