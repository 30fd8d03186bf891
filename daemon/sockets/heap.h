/* heap.h: the waits by the time that they are due. */
#pragma once

#include <stdbool.h>

#include "daemon/sockets/waiter.h"

struct heap {
        struct wait **waits;
        size_t count;
};

/* False without memory. */
bool heap_init(struct heap *heap, size_t capacity);
void heap_free(struct heap *heap);

/* By wait->due_ns; the heap must have room. */
void heap_add(struct heap *heap, struct wait *wait);
void heap_remove(struct heap *heap, struct wait *wait);

/* The next that is due, or NULL. */
struct wait *heap_first(const struct heap *heap);
