/* arena.c: small blocks for small pieces, a block each for large ones, all freed at once. */
#include "api/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Parked calls keep their arena: a block is as small as a usual call's request and reply allow. */
enum { BLOCK_CAPACITY = 464, LARGE_PIECE = BLOCK_CAPACITY / 2 };

struct arena_block {
        struct arena_block *next;
        void *adopted; /* memory of someone else's that goes with the block */
        size_t used, capacity;
        alignas(max_align_t) unsigned char bytes[];
};

static struct arena_block *block_new(size_t capacity)
{
        if (capacity > SIZE_MAX - sizeof(struct arena_block))
                return NULL;
        struct arena_block *const block = calloc(1, sizeof *block + capacity);
        if (block)
                block->capacity = capacity;
        return block;
}

/* The first block is the one with room left: others go behind it. */
static void block_add_behind(struct arena *arena, struct arena_block *block)
{
        struct arena_block **const place = arena->blocks ? &arena->blocks->next : &arena->blocks;
        block->next = *place;
        *place = block;
}

static void block_add_first(struct arena *arena, struct arena_block *block)
{
        block->next = arena->blocks;
        arena->blocks = block;
}

static void *allocate_large(struct arena *arena, size_t size)
{
        struct arena_block *const block = block_new(size);
        if (!block)
                return NULL;
        block->used = size;
        block_add_behind(arena, block);
        return block->bytes;
}

void *arena_allocate(struct arena *arena, size_t size)
{
        if (size > LARGE_PIECE)
                return allocate_large(arena, size);
        const size_t step = alignof(max_align_t);
        const size_t rounded = size == 0 ? step : (size + step - 1) / step * step;
        if (!arena->blocks || arena->blocks->capacity - arena->blocks->used < rounded) {
                struct arena_block *const block = block_new(BLOCK_CAPACITY);
                if (!block)
                        return NULL;
                block_add_first(arena, block);
        }
        void *const piece = arena->blocks->bytes + arena->blocks->used;
        arena->blocks->used += rounded;
        return piece;
}

char *arena_copy(struct arena *arena, const char *bytes, size_t size)
{
        char *const copy = size < SIZE_MAX ? arena_allocate(arena, size + 1) : NULL;
        if (copy && size > 0)
                memcpy(copy, bytes, size);
        return copy;
}

bool arena_adopt(struct arena *arena, void *memory)
{
        struct arena_block *const block = block_new(0);
        if (!block) {
                free(memory);
                return false;
        }
        block->adopted = memory;
        block_add_behind(arena, block);
        return true;
}

void arena_free(struct arena *arena)
{
        while (arena->blocks) {
                struct arena_block *const block = arena->blocks;
                arena->blocks = block->next;
                free(block->adopted);
                free(block);
        }
}
