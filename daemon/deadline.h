/* deadline.h: clients that are late with a request are cut off, however busily they drip. */
#pragma once

#include <stdint.h>

struct deadlines;
struct deadline;

static const int64_t DEADLINE_NONE = INT64_MAX;

/* Starts the thread. NULL after logging why. */
struct deadlines *deadlines_start(void);

/* Ends it. All that were opened must be closed. Accepts NULL. */
void deadlines_stop(struct deadlines *deadlines);

/* A connection's deadline, on now_ns()'s clock: when it has passed, both directions of `fd` are shut down.
 * The caller must close it before it closes the descriptor. NULL without memory. */
struct deadline *deadline_open(struct deadlines *deadlines, int fd, int64_t due_ns);
void deadline_close(struct deadline *deadline);

/* Moves it; costs one store. Safe from any thread until the deadline is closed. Accepts NULL. */
void deadline_set(struct deadline *deadline, int64_t due_ns);
