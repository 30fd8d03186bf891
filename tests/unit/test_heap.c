/* test_heap.c: what is due first comes first, whoever leaves in between. */
#include "daemon/sockets/heap.h"

#include "tests/unit/rows.h"

enum { LIMIT = 200 };

struct heap_row {
        const char *name;
        size_t count;
        int64_t spread;      /* the due times are random below it */
        unsigned leave_each; /* one in so many leaves before its time; 0: none */
};

static const struct heap_row rows[] = {
        { "none", 0, 1, 0 },
        { "one", 1, 1, 0 },
        { "one that leaves", 1, 1, 1 },
        { "two", 2, 10, 0 },
        { "many, far apart", LIMIT, 1000000000000, 0 },
        { "many at the same time", LIMIT, 1, 0 },
        { "many, close together", LIMIT, 7, 0 },
        { "every other one leaves", LIMIT, 1000, 2 },
        { "nearly all leave", LIMIT, 1000000, 1 },
        { "some leave, all at the same time", LIMIT, 1, 3 },
};

static void check_places(const struct heap *heap)
{
        for (size_t i = 0; i < heap->count; i++)
                assert_int_equal(heap->waits[i]->heap_index, i);
}

static void gives_the_earliest(void **state)
{
        const struct heap_row *const row = *state;
        for (unsigned seed = 1; seed <= 20; seed++) {
                static struct wait waits[LIMIT];
                struct heap heap;
                size_t left = row->count;
                unsigned random = seed;
                assert_true(heap_init(&heap, LIMIT));
                for (size_t i = 0; i < row->count; i++) {
                        waits[i] = (struct wait){ .due_ns = rand_r(&random) % row->spread };
                        heap_add(&heap, &waits[i]);
                }
                check_places(&heap);
                for (size_t i = 0; row->leave_each > 0 && i < row->count; i++)
                        if ((unsigned)rand_r(&random) % row->leave_each == 0) {
                                heap_remove(&heap, &waits[i]);
                                left--;
                        }
                check_places(&heap);
                assert_int_equal(heap.count, left);
                for (int64_t last = 0; left > 0; left--) {
                        struct wait *const first = heap_first(&heap);
                        assert_true(first->due_ns >= last);
                        last = first->due_ns;
                        heap_remove(&heap, first);
                }
                assert_null(heap_first(&heap));
                heap_free(&heap);
        }
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, gives_the_earliest, rows);
        return rows_run("heap", &all);
}
