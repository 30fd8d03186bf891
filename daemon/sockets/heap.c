/* heap.c: a binary heap whose members know their place, so that any of them can leave. */
#include "daemon/sockets/heap.h"

#include <stdlib.h>

bool heap_init(struct heap *heap, size_t capacity)
{
        heap->waits = calloc(capacity, sizeof(struct wait *));
        heap->count = 0;
        return heap->waits != NULL;
}

void heap_free(struct heap *heap)
{
        free(heap->waits);
        heap->waits = NULL;
}

static void place(struct heap *heap, size_t index, struct wait *wait)
{
        heap->waits[index] = wait;
        wait->heap_index = index;
}

static void sift_up(struct heap *heap, size_t index, struct wait *wait)
{
        while (index > 0 && heap->waits[(index - 1) / 2]->due_ns > wait->due_ns) {
                place(heap, index, heap->waits[(index - 1) / 2]);
                index = (index - 1) / 2;
        }
        place(heap, index, wait);
}

static void sift_down(struct heap *heap, size_t index, struct wait *wait)
{
        for (size_t child; (child = 2 * index + 1) < heap->count; index = child) {
                if (child + 1 < heap->count && heap->waits[child + 1]->due_ns < heap->waits[child]->due_ns)
                        child++;
                if (heap->waits[child]->due_ns >= wait->due_ns)
                        break;
                place(heap, index, heap->waits[child]);
        }
        place(heap, index, wait);
}

void heap_add(struct heap *heap, struct wait *wait)
{
        sift_up(heap, heap->count++, wait);
}

void heap_remove(struct heap *heap, struct wait *wait)
{
        const size_t index = wait->heap_index;
        struct wait *const last = heap->waits[--heap->count];
        if (last == wait)
                return;
        if (index > 0 && heap->waits[(index - 1) / 2]->due_ns > last->due_ns)
                sift_up(heap, index, last);
        else
                sift_down(heap, index, last);
}

struct wait *heap_first(const struct heap *heap)
{
        return heap->count == 0 ? NULL : heap->waits[0];
}
