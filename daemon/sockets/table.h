/* table.h: objects by tickets that are never valid twice, so that a late event finds nothing rather than a
 * stranger. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_slot {
        void *object;
        uint32_t generation, next_free;
};

struct table {
        struct table_slot *slots;
        uint32_t capacity, touched; /* slots in all, and those that have been used so far */
        uint32_t first_free;        /* capacity: none was given back */
};

/* False without memory. */
bool table_init(struct table *table, uint32_t capacity);

void table_free(struct table *table);

/* A ticket, never 0 and below 2^62. The table must have room. */
uint64_t table_add(struct table *table, void *object);

/* The object, or NULL when it is gone. */
void *table_find(const struct table *table, uint64_t ticket);

void table_remove(struct table *table, uint64_t ticket);
