/* table.c: objects by tickets: a slot's number and how often it has been used. */
#include "daemon/sockets/table.h"

#include <assert.h>
#include <stdlib.h>

enum { GENERATION_MASK = 0x3fffffff };

bool table_init(struct table *table, uint32_t capacity)
{
        table->slots = calloc(capacity, sizeof *table->slots);
        if (table->slots == NULL)
                return false;
        table->capacity = capacity;
        table->first_free = 0;
        for (uint32_t slot = 0; slot < capacity; slot++)
                table->slots[slot] = (struct table_slot){ .generation = 1, .next_free = slot + 1 };
        return true;
}

void table_free(struct table *table)
{
        free(table->slots);
        table->slots = NULL;
}

uint64_t table_add(struct table *table, void *object)
{
        const uint32_t slot = table->first_free;
        assert(slot < table->capacity);
        table->first_free = table->slots[slot].next_free;
        table->slots[slot].object = object;
        return (uint64_t)table->slots[slot].generation << 32 | slot;
}

static struct table_slot *find_slot(const struct table *table, uint64_t ticket)
{
        const uint32_t slot = (uint32_t)ticket;
        if (slot >= table->capacity || table->slots[slot].generation != ticket >> 32)
                return NULL;
        return &table->slots[slot];
}

void *table_find(const struct table *table, uint64_t ticket)
{
        const struct table_slot *const slot = find_slot(table, ticket);
        return slot == NULL ? NULL : slot->object;
}

void table_remove(struct table *table, uint64_t ticket)
{
        struct table_slot *const slot = &table->slots[(uint32_t)ticket];
        assert(find_slot(table, ticket) == slot && slot->object != NULL);
        slot->object = NULL;
        slot->generation = slot->generation == GENERATION_MASK ? 1 : slot->generation + 1;
        slot->next_free = table->first_free;
        table->first_free = (uint32_t)ticket;
}
