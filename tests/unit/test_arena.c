/* test_arena.c: memory that lives as long as one call: zeroed, aligned, apart, and freed at once. */
#include "api/arena.h"

#include <stdalign.h>

#include "tests/unit/rows.h"

struct arena_row {
        const char *name;
        size_t sizes[4];
        size_t rounds;
};

static const struct arena_row rows[] = {
        { .name = "nothing at all", .rounds = 0 },
        { .name = "empty pieces", .sizes = { 0, 0, 0, 0 }, .rounds = 500 },
        { .name = "small pieces", .sizes = { 1, 7, 16, 33 }, .rounds = 300 },
        { .name = "pieces around a block's size", .sizes = { 495, 496, 497, 992 }, .rounds = 8 },
        { .name = "large among small", .sizes = { 8, 100000, 8, 2000 }, .rounds = 10 },
};

static void gives_pieces(void **state)
{
        const struct arena_row *const row = *state;
        struct arena arena = { .blocks = NULL };
        for (size_t i = 0; i < row->rounds * 4; i++) {
                const size_t size = row->sizes[i % 4];
                unsigned char *const piece = arena_allocate(&arena, size);
                assert_non_null(piece);
                assert_int_equal((uintptr_t)piece % alignof(max_align_t), 0);
                /* A piece that overlapped an earlier one would not be zero. */
                for (size_t j = 0; j < size; j++)
                        assert_int_equal(piece[j], 0);
                memset(piece, 0xff, size);
        }
        arena_free(&arena);
        assert_null(arena.blocks);
}

static void copies(void **state)
{
        (void)state;
        struct arena arena = { .blocks = NULL };
        static const char bytes[] = { 'a', '\0', 'b' };
        const char *const copy = arena_copy(&arena, bytes, sizeof bytes);
        assert_memory_equal(copy, "a\0b", 4);
        assert_string_equal(arena_copy(&arena, NULL, 0), "");
        assert_null(arena_copy(&arena, "", SIZE_MAX));
        assert_null(arena_allocate(&arena, SIZE_MAX));
        arena_free(&arena);
}

static void adopts(void **state)
{
        (void)state;
        struct arena arena = { .blocks = NULL };
        assert_true(arena_adopt(&arena, malloc(100)));
        assert_non_null(arena_allocate(&arena, 8));
        assert_true(arena_adopt(&arena, malloc(100)));
        assert_non_null(arena_allocate(&arena, 8));
        assert_true(arena_adopt(&arena, NULL));
        arena_free(&arena);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, gives_pieces, rows);
        rows_add_one(&all, "copies end with a NUL", copies);
        rows_add_one(&all, "adopts what malloc gave", adopts);
        return rows_run("arena", &all);
}
