/* frames.c: the last events as the text of a stream: a ring of texts, and one of where they stand. */
#include "daemon/frames.h"

#include <stdlib.h>
#include <string.h>

/* Room for about as many events as are kept. */
enum { TEXT_SIZE = 4 << 20, BATCH = 64 };

struct frame {
        struct event event;
        uint64_t offset; /* in all text that there ever was; it lies in one piece */
        size_t size;
};

struct frames {
        const struct registry *registry;
        uint64_t before, last;
        uint64_t end; /* of all text that there ever was */
        struct print print;
        struct frame kept[EVENTS_KEPT]; /* by the event's number */
        char text[TEXT_SIZE];
};

struct frames *frames_new(const struct registry *registry)
{
        struct frames *const frames = calloc(1, sizeof *frames);
        if (frames != NULL)
                frames->registry = registry;
        return frames;
}

void frames_free(struct frames *frames)
{
        if (frames == NULL)
                return;
        free(frames->print.bytes);
        free(frames);
}

uint64_t frames_last(const struct frames *frames)
{
        return frames->last;
}

uint64_t frames_before(const struct frames *frames)
{
        return frames->before;
}

static void print_frame(struct print *print, const struct registry *registry, const struct event *event)
{
        const char *const kind = name_of(&event_names, (long)event->kind);
        print->size = 0;
        print->failed = false;
        PRINT(print, "id: ");
        print_integer(print, (json_int_t)event->sequence);
        PRINT(print, "\nevent: ");
        print_text(print, kind, strlen(kind));
        PRINT(print, "\ndata: ");
        event_print(print, registry, event);
        PRINT(print, "\n\n");
}

/* Makes room for a text, and says where it is to stand. */
static uint64_t make_room(struct frames *frames, uint64_t sequence, size_t size)
{
        uint64_t offset = frames->end;
        if (offset % TEXT_SIZE + size > TEXT_SIZE)
                offset += TEXT_SIZE - offset % TEXT_SIZE;
        while (frames->before + 1 < sequence &&
                (sequence - frames->before > EVENTS_KEPT ||
                        offset + size - frames->kept[(frames->before + 1) % EVENTS_KEPT].offset > TEXT_SIZE))
                frames->before++;
        return offset;
}

static void add(struct frames *frames, const struct event *event)
{
        print_frame(&frames->print, frames->registry, event);
        if (frames->print.failed) {
                frames->before = event->sequence;
                return;
        }
        const size_t size = frames->print.size;
        const uint64_t offset = make_room(frames, event->sequence, size);
        memcpy(frames->text + offset % TEXT_SIZE, frames->print.bytes, size);
        frames->end = offset + size;
        frames->kept[event->sequence % EVENTS_KEPT] =
                (struct frame){ .event = *event, .offset = offset, .size = size };
}

void frames_take(struct frames *frames)
{
        struct event events[BATCH];
        uint64_t lost;
        for (size_t count = BATCH; count == BATCH;) {
                const bool is_first = frames->last == 0;
                count = event_read(&frames->last, events, BATCH, &lost);
                if (lost > 0 || is_first)
                        frames->before = frames->last - count;
                for (size_t i = 0; i < count; i++)
                        add(frames, &events[i]);
        }
}

static const struct frame *frame_of(const struct frames *frames, uint64_t sequence)
{
        return &frames->kept[sequence % EVENTS_KEPT];
}

static struct iovec text_of(const struct frames *frames, const struct frame *frame)
{
        /* What is sent is only read. */
        return (struct iovec){ .iov_base = (char *)(uintptr_t)frames->text + frame->offset % TEXT_SIZE,
                .iov_len = frame->size };
}

/* Where it stands right behind the last piece, it is a part of that. Returns how many there are then. */
static size_t append(struct iovec *pieces, size_t used, const struct iovec *text)
{
        struct iovec *const last = used == 0 ? NULL : &pieces[used - 1];
        if (last != NULL && (char *)last->iov_base + last->iov_len == text->iov_base) {
                last->iov_len += text->iov_len;
                return used;
        }
        pieces[used] = *text;
        return used + 1;
}

size_t frames_collect(const struct frames *frames, const struct event_filter *filter, uint64_t *through,
        struct iovec *out, size_t count, size_t size)
{
        size_t used = 0, collected = 0;
        while (*through < frames->last && used < count && collected < size) {
                const struct frame *const frame = frame_of(frames, ++*through);
                if (!event_matches(filter, &frame->event))
                        continue;
                const struct iovec text = text_of(frames, frame);
                used = append(out, used, &text);
                collected += text.iov_len;
        }
        return used;
}

uint64_t frames_end(const struct frames *frames, const struct event_filter *filter, uint64_t after,
        uint64_t through, size_t sent, struct iovec *rest)
{
        *rest = (struct iovec){ .iov_len = 0 };
        for (; after < through; after++) {
                const struct frame *const frame = frame_of(frames, after + 1);
                if (!event_matches(filter, &frame->event))
                        continue;
                if (sent == 0)
                        return after;
                *rest = text_of(frames, frame);
                if (sent < rest->iov_len) {
                        rest->iov_base = (char *)rest->iov_base + sent;
                        rest->iov_len -= sent;
                        return after + 1;
                }
                sent -= rest->iov_len;
                rest->iov_len = 0;
        }
        return through;
}
