/* frame.h: where one message of a stream ends and the next one begins. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a stream is cut into messages: each so many bytes, or each with a delimiter behind it, or each with its
 * length in front. A message is what stands on the wire, its delimiter or header included. */
struct frame {
        size_t bytes;             /* fixed; or 0 */
        const uint8_t *delimiter; /* or NULL */
        size_t delimiter_size;
        size_t offset, width; /* of the length, in bytes; the header ends with it */
        bool little_endian;
        bool inclusive; /* the length counts the header */
        size_t max;     /* the most bytes of one message; no less than bytes, or offset + width */
        size_t count;   /* the most messages at once */
};

enum frame_state {
        FRAME_WHOLE,
        FRAME_INCOMPLETE, /* more bytes will tell */
        FRAME_OVERSIZED,  /* longer than max */
        FRAME_UNSOUND,    /* an inclusive length that is less than its header's */
};

/* How long the message is that the bytes begin with: *length is its size when it is whole; when it is
 * oversized or unsound, what its length says, 0 if nothing does. `scanned` bytes are known to hold no
 * delimiter. */
enum frame_state frame_find(
        const struct frame *frame, const uint8_t *bytes, size_t size, size_t scanned, uint64_t *length);
