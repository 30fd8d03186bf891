/* frames.h: the last events as the text of a stream (Server-Sent Events), made once for all who read it. One
 * thread's. */
#pragma once

#include <sys/uio.h>

#include "api/follow.h"

struct frames;

/* The registry must outlive it. NULL without memory. */
struct frames *frames_new(const struct registry *registry);
void frames_free(struct frames *frames);

/* Adds the events that came meanwhile; the oldest go for want of room. */
void frames_take(struct frames *frames);

/* The number of the last event that is there, and that of the one before the first. */
uint64_t frames_last(const struct frames *frames);
uint64_t frames_before(const struct frames *frames);

/* The frames behind an event, as far as a filter lets them through: at most `count` pieces of text, and not
 * much more than `size` bytes. *through is the last event that was looked at. */
size_t frames_collect(const struct frames *frames, const struct event_filter *filter, uint64_t *through,
        struct iovec *out, size_t count, size_t size);

/* Where `sent` bytes of what was collected behind `after` end: the last event that is wholly in them, or has
 * begun in them; then *rest is what of it is left. */
uint64_t frames_end(const struct frames *frames, const struct event_filter *filter, uint64_t after,
        uint64_t through, size_t sent, struct iovec *rest);
