/* parcel.h: many descriptors in one: a unix socket in whose queue they stand as SCM_RIGHTS. Whoever keeps the
 * parcel keeps all of them, without knowing of it: a service manager's store has room for few descriptors,
 * and names them all in one line of the environment. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A descriptor, and the number of the socket that it is. */
struct parcel_item {
        uint64_t number;
        int fd;
};

/* A growing list; its memory is freed with free(items). */
struct parcel_items {
        struct parcel_item *items;
        size_t count, capacity;
};

/* False without memory. */
bool parcel_items_add(struct parcel_items *list, uint64_t number, int fd);

/* Packs from *next on as many as fit one parcel, and moves *next on. The descriptors stay open. Returns the
 * parcel, the caller's; -1 with errno set when not even one fits. */
int parcel_pack(const struct parcel_items *list, size_t *next);

/* Adds a copy of each of a parcel's descriptors to a list, and leaves the parcel as it is: whoever keeps it
 * too has lost nothing. False with errno set when they cannot all be had; those in the list are the caller's
 * then too. */
bool parcel_look(int parcel, struct parcel_items *list);
