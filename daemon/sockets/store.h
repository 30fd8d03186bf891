/* store.h: the memory that outlives the process: a memfd, which whoever keeps our descriptors keeps too. Safe
 * from any thread. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pools of slots, one struct of stored.h each. A slot's first member is `_Atomic uint64_t number`: the slot
 * is live, and restored, when that is not 0. It is written last when something is made, and zeroed first when
 * it ends. */
enum store_pool { STORE_SOCKETS, STORE_SESSIONS, STORE_OUTCOMES, STORE_POOL_COUNT };

/* Begins the memory; what needs it first does so by itself. False with errno set when it cannot be.
 * All of it is sparse: it takes what is used. */
bool store_open(void);

int store_fd(void);

/* How many bytes of memory it takes now. */
uint64_t store_used(void);

/* What all of a store's ids begin with, and the number that the last of them has. */
enum { STORE_PREFIX_SIZE = 16 };
char *store_prefix(void);
_Atomic uint64_t *store_last_number(void);

/* A zeroed slot that is not live, or NULL when none is left. */
void *store_take(enum store_pool pool);

/* Ends a slot. Accepts NULL. */
void store_give_back(enum store_pool pool, void *slot);

/* Bytes of any size up to 2 GiB: a name for them that other processes know too, 0 without memory. They are
 * not zeroed. */
uint64_t store_allocate(size_t size);
void store_free(uint64_t extent);

uint8_t *store_bytes(uint64_t extent);
size_t store_size(uint64_t extent); /* no less than was asked for */

/* The memory of an earlier process, to read from; what it holds is copied, and it is closed. */
struct store_image;

/* What is said of one whose numbers lead nowhere. */
#define STORE_DAMAGED "it is damaged"

/* NULL: it is none that can be read; *reason says why. The descriptor stays the caller's. */
struct store_image *store_image_open(int fd, const char **reason);
void store_image_close(struct store_image *image);

/* The next live slot after `slot` (NULL: the first), or NULL. */
void *store_image_next(const struct store_image *image, enum store_pool pool, const void *slot);

/* All live slots at once, as the image may be of this very memory; the caller's to free. NULL without memory.
 */
void **store_image_list(const struct store_image *image, enum store_pool pool, size_t *count);

/* NULL: the extent is none of the image's. */
const uint8_t *store_image_bytes(const struct store_image *image, uint64_t extent, size_t size);

/* The last number of its ids; and the next one, for what its own process could not number any more. */
uint64_t store_image_last_number(const struct store_image *image);
uint64_t store_image_take_number(const struct store_image *image);

/* The ids go on from the image's. Before any socket is made. */
void store_continue(const struct store_image *image);
