/* frame.c: fixed sizes, delimiters and length prefixes, over bytes that are already here. */
#include "daemon/sockets/frame.h"

#include <string.h>

#include "daemon/sockets/search.h"

static enum frame_state find_delimiter(
        const struct frame *frame, const uint8_t *bytes, size_t size, size_t scanned, uint64_t *length)
{
        const size_t within = size < frame->max ? size : frame->max;
        *length = search_end(bytes, within, scanned, frame->delimiter, frame->delimiter_size);
        if (*length > 0)
                return FRAME_WHOLE;
        return size >= frame->max ? FRAME_OVERSIZED : FRAME_INCOMPLETE;
}

static uint64_t read_length(const struct frame *frame, const uint8_t *prefix)
{
        uint64_t length = 0;
        for (size_t i = 0; i < frame->width; i++)
                length = length << 8 | prefix[frame->little_endian ? frame->width - 1 - i : i];
        return length;
}

/* A length so large that the header does not fit beside it stays as it is: it is oversized anyway. */
static enum frame_state find_length(
        const struct frame *frame, const uint8_t *bytes, size_t size, uint64_t *length)
{
        const size_t header = frame->offset + frame->width;
        if (size < header)
                return FRAME_INCOMPLETE;
        *length = read_length(frame, bytes + frame->offset);
        if (frame->inclusive && *length < header)
                return FRAME_UNSOUND;
        if (!frame->inclusive && *length <= UINT64_MAX - header)
                *length += header;
        if (*length > frame->max)
                return FRAME_OVERSIZED;
        return size >= *length ? FRAME_WHOLE : FRAME_INCOMPLETE;
}

enum frame_state frame_find(
        const struct frame *frame, const uint8_t *bytes, size_t size, size_t scanned, uint64_t *length)
{
        *length = 0;
        if (frame->delimiter != NULL)
                return find_delimiter(frame, bytes, size, scanned, length);
        if (frame->width > 0)
                return find_length(frame, bytes, size, length);
        *length = frame->bytes;
        return size >= frame->bytes ? FRAME_WHOLE : FRAME_INCOMPLETE;
}
