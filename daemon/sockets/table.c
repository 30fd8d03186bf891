/* table.c: objects by tickets: a slot's number and how often it has been used. */
#include "daemon/sockets/table.h"

#include <assert.h>
#include <stdlib.h>

enum { GENERATION_MASK = 0x3fffffff };

bool table_init(struct table *table, uint32_t capacity)
{
        *table = (struct table){ .capacity = capacity, .first_free = capacity };
        table->slots = calloc(capacity, sizeof *table->slots);
        return table->slots != NULL;
}

void table_free(struct table *table)
{
        free(table->slots);
        table->slots = NULL;
}

/* A slot that was given back, or the next one that never was used: memory is only touched as it is needed. */
static uint32_t take_slot(struct table *table)
{
        if (table->first_free == table->capacity) {
                assert(table->touched < table->capacity);
                table->slots[table->touched].generation = 1;
                return table->touched++;
        }
        const uint32_t slot = table->first_free;
        table->first_free = table->slots[slot].next_free;
        return slot;
}

uint64_t table_add(struct table *table, void *object)
{
        const uint32_t slot = take_slot(table);
        table->slots[slot].object = object;
        return (uint64_t)table->slots[slot].generation << 32 | slot;
}

void *table_find(const struct table *table, uint64_t ticket)
{
        const uint32_t slot = (uint32_t)ticket;
        if (slot >= table->touched || table->slots[slot].generation != ticket >> 32)
                return NULL;
        return table->slots[slot].object;
}

void table_remove(struct table *table, uint64_t ticket)
{
        struct table_slot *const slot = &table->slots[(uint32_t)ticket];
        assert(table_find(table, ticket) != NULL);
        slot->object = NULL;
        slot->generation = slot->generation == GENERATION_MASK ? 1 : slot->generation + 1;
        slot->next_free = table->first_free;
        table->first_free = (uint32_t)ticket;
}
