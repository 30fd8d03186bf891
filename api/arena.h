/* arena.h: memory that lives as long as one call: allocated in pieces, freed at once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena {
        struct arena_block *blocks;
};

/* Zeroed memory, or NULL. */
void *arena_allocate(struct arena *arena, size_t size);

/* A terminated copy, or NULL. */
char *arena_copy(struct arena *arena, const char *bytes, size_t size);

/* Makes memory from malloc() the arena's own. False without memory; it is then freed. */
bool arena_adopt(struct arena *arena, void *memory);

void arena_free(struct arena *arena);
