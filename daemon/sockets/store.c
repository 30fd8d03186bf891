/* store.c: the memory that outlives the process.
 *
 * Which slots and extents are free is not stored: a new process begins a fresh memory, and copies over what
 * is live in the old one. So a kill can leave no list half changed, and sizes may differ from one version to
 * the next. */
#include "daemon/sockets/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/stored.h"

/* Extents are of 4 KiB × 2^class; a name is where it begins, which is a multiple of that, and its class. */
enum { CLASS_COUNT = 20, EXTENT_SHIFT = 12, CLASS_MASK = (1 << EXTENT_SHIFT) - 1 };

/* Pages of larger ones are given back to the kernel when they are freed. */
enum { CLASS_KEPT = 4 };

static const uint64_t MAGIC = 0x746867697277736bU, EXTENTS_SIZE = UINT64_C(1) << 36, HEADER_SIZE = 4096;

/* No daemon comes as far in giving numbers. */
static const uint64_t NUMBER_MOST = UINT64_C(1) << 56;

static const struct pool_layout {
        size_t slot_size, count;
} layouts[STORE_POOL_COUNT] = {
        [STORE_SOCKETS] = { sizeof(struct stored_socket), 1 << 20 },
        [STORE_SESSIONS] = { sizeof(struct stored_session), 1 << 16 },
        [STORE_OUTCOMES] = { sizeof(struct stored_outcome), 1 << 16 },
};

struct pool_place {
        uint64_t offset, slot_size, count;
        _Atomic uint64_t used; /* no slot from there on was ever taken */
};

/* What the memory begins with. */
struct header {
        uint64_t magic;
        uint32_t version;
        uint64_t size;
        struct pool_place pools[STORE_POOL_COUNT];
        uint64_t extents_offset;
        char prefix[STORE_PREFIX_SIZE];
        _Atomic uint64_t last_number;
};

/* What is free, by index; a growing stack. */
struct free_list {
        uint64_t *items;
        size_t count, capacity;
};

static struct {
        int fd;
        uint8_t *base;
        struct header *header;

        pthread_mutex_t lock; /* guards all below */
        struct free_list slots[STORE_POOL_COUNT], extents[CLASS_COUNT];
        uint64_t extents_end; /* no extent from there on was ever allocated */
} store = { .fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* False without memory: what is not in the list is not used again. */
static bool push(struct free_list *list, uint64_t item)
{
        if (list->count == list->capacity) {
                const size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
                uint64_t *const items = realloc(list->items, capacity * sizeof *items);
                if (items == NULL)
                        return false;
                list->items = items;
                list->capacity = capacity;
        }
        list->items[list->count++] = item;
        return true;
}

static uint64_t round_up(uint64_t size, uint64_t unit)
{
        return (size + unit - 1) / unit * unit;
}

static void lay_out(struct header *header)
{
        uint64_t end = HEADER_SIZE;
        header->magic = MAGIC;
        header->version = STORED_VERSION;
        for (int i = 0; i < STORE_POOL_COUNT; i++) {
                header->pools[i].offset = end;
                header->pools[i].slot_size = round_up(layouts[i].slot_size, _Alignof(max_align_t));
                header->pools[i].count = layouts[i].count;
                end = round_up(end + header->pools[i].slot_size * layouts[i].count, HEADER_SIZE);
        }
        header->extents_offset = round_up(end, UINT64_C(1) << (EXTENT_SHIFT + CLASS_COUNT));
        header->size = header->extents_offset + EXTENTS_SIZE;
}

static void open_once(void)
{
        struct header header = { .magic = 0 };
        lay_out(&header);
        fd_auto int fd = memfd_create("sockwright", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0 || ftruncate(fd, (off_t)header.size) != 0 ||
                fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
                return;
        void *const base = mmap(NULL, header.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
        if (base == MAP_FAILED)
                return;
        madvise(base, header.size, MADV_DONTDUMP);
        memcpy(base, &header, sizeof header);
        store.base = base;
        store.header = base;
        store.fd = take_fd(&fd);
}

bool store_open(void)
{
        pthread_once(&once, open_once);
        return store.base != NULL;
}

int store_fd(void)
{
        return store.fd;
}

uint64_t store_used(void)
{
        enum { BLOCK_SIZE = 512 };
        struct stat status;
        return store_open() && fstat(store.fd, &status) == 0 ? (uint64_t)status.st_blocks * BLOCK_SIZE : 0;
}

char *store_prefix(void)
{
        return store.header->prefix;
}

_Atomic uint64_t *store_last_number(void)
{
        return &store.header->last_number;
}

void *store_take(enum store_pool pool)
{
        if (!store_open())
                return NULL;
        LOCK_SCOPE(&store.lock);
        struct pool_place *const place = &store.header->pools[pool];
        struct free_list *const list = &store.slots[pool];
        if (list->count == 0 && place->used == place->count)
                return NULL;
        const uint64_t index = list->count > 0 ? list->items[--list->count] : place->used++;
        uint8_t *const slot = store.base + place->offset + index * place->slot_size;
        memset(slot, 0, place->slot_size);
        return slot;
}

void store_give_back(enum store_pool pool, void *slot)
{
        if (slot == NULL)
                return;
        *(_Atomic uint64_t *)slot = 0;
        const struct pool_place *const place = &store.header->pools[pool];
        const uint64_t offset = (uint64_t)((uint8_t *)slot - store.base) - place->offset;
        LOCK_SCOPE(&store.lock);
        push(&store.slots[pool], offset / place->slot_size);
}

static size_t class_size(unsigned class)
{
        return (size_t)1 << (EXTENT_SHIFT + class);
}

uint64_t store_allocate(size_t size)
{
        unsigned class = 0;
        while (class < CLASS_COUNT && class_size(class) < size)
                class ++;
        if (class == CLASS_COUNT || !store_open())
                return 0;
        LOCK_SCOPE(&store.lock);
        struct free_list *const list = &store.extents[class];
        if (list->count > 0)
                return list->items[--list->count];
        const uint64_t begin = round_up(store.header->extents_offset + store.extents_end, class_size(class));
        if (begin + class_size(class) > store.header->size)
                return 0;
        store.extents_end = begin + class_size(class) - store.header->extents_offset;
        return begin | class;
}

uint8_t *store_bytes(uint64_t extent)
{
        return store.base + (extent & ~(uint64_t)CLASS_MASK);
}

size_t store_size(uint64_t extent)
{
        return class_size((unsigned)(extent & CLASS_MASK));
}

void store_free(uint64_t extent)
{
        if (extent == 0)
                return;
        if ((extent & CLASS_MASK) > CLASS_KEPT)
                madvise(store_bytes(extent), store_size(extent), MADV_REMOVE);
        LOCK_SCOPE(&store.lock);
        push(&store.extents[extent & CLASS_MASK], extent);
}

struct store_image {
        uint8_t *base;
        const struct header *header;
        uint64_t size;
};

/* One behind the other, and all in the image. */
static bool has_sound_pools(const struct store_image *image)
{
        uint64_t end = HEADER_SIZE;
        for (int i = 0; i < STORE_POOL_COUNT; i++) {
                const struct pool_place *const place = &image->header->pools[i];
                if (place->slot_size != round_up(layouts[i].slot_size, _Alignof(max_align_t)) ||
                        place->used > place->count || place->offset % _Alignof(max_align_t) != 0 ||
                        place->offset < end || place->offset > image->size ||
                        place->count > (image->size - place->offset) / place->slot_size)
                        return false;
                end = place->offset + place->count * place->slot_size;
        }
        return image->header->extents_offset >= end && image->header->extents_offset <= image->size;
}

static bool has_sound_ids(const struct header *header)
{
        const size_t size = strspn(header->prefix, "0123456789abcdefghijklmnopqrstuvwxyz");
        return header->prefix[size] == '\0' && header->last_number <= NUMBER_MOST;
}

static const char *flaw_of(const struct store_image *image)
{
        const struct header *const header = image->header;
        if (header->magic != MAGIC)
                return "it is no stored memory of sockwrightd";
        if (header->version != STORED_VERSION)
                return "another version of sockwrightd wrote it";
        if (header->size != image->size || header->prefix[STORE_PREFIX_SIZE - 1] != '\0' ||
                !has_sound_pools(image) || !has_sound_ids(header))
                return STORE_DAMAGED;
        return NULL;
}

struct store_image *store_image_open(int fd, const char **reason)
{
        struct stat status;
        *reason = "it cannot be mapped";
        if (fstat(fd, &status) != 0 || status.st_size < (off_t)HEADER_SIZE ||
                (fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) == 0)
                return NULL;
        struct store_image *const image = calloc(1, sizeof *image);
        if (image == NULL)
                return NULL;
        image->size = (uint64_t)status.st_size;
        /* Written to as well: a tally is settled where it stands. */
        void *const base = mmap(NULL, image->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
        image->base = base;
        image->header = base;
        if (base != MAP_FAILED)
                *reason = flaw_of(image);
        if (*reason == NULL)
                return image;
        if (base != MAP_FAILED)
                munmap(base, image->size);
        free(image);
        return NULL;
}

void store_image_close(struct store_image *image)
{
        if (image == NULL)
                return;
        munmap(image->base, image->size);
        free(image);
}

void *store_image_next(const struct store_image *image, enum store_pool pool, const void *slot)
{
        const struct pool_place *const place = &image->header->pools[pool];
        uint8_t *const first = image->base + place->offset, *const end =
                                                                    first + place->used * place->slot_size;
        uint8_t *next = slot == NULL ? first : first + ((const uint8_t *)slot - first) + place->slot_size;
        while (next < end && *(_Atomic uint64_t *)(void *)next == 0)
                next += place->slot_size;
        return next < end ? next : NULL;
}

void **store_image_list(const struct store_image *image, enum store_pool pool, size_t *count)
{
        *count = 0;
        for (void *slot = NULL; (slot = store_image_next(image, pool, slot)) != NULL;)
                ++*count;
        void **const list = calloc(*count + 1, sizeof *list);
        if (list == NULL)
                *count = 0;
        void *slot = NULL;
        for (size_t i = 0; i < *count; i++)
                list[i] = slot = store_image_next(image, pool, slot);
        return list;
}

const uint8_t *store_image_bytes(const struct store_image *image, uint64_t extent, size_t size)
{
        const uint64_t begin = extent & ~(uint64_t)CLASS_MASK;
        const uint64_t class = extent & CLASS_MASK;
        if (extent == 0 || class >= CLASS_COUNT || class_size((unsigned)class) < size ||
                begin < image->header->extents_offset || begin > image->size ||
                class_size((unsigned)class) > image->size - begin)
                return NULL;
        return image->base + begin;
}

uint64_t store_image_last_number(const struct store_image *image)
{
        return image->header->last_number;
}

uint64_t store_image_take_number(const struct store_image *image)
{
        return ++((struct header *)(void *)image->base)->last_number;
}

void store_continue(const struct store_image *image)
{
        memcpy(store.header->prefix, image->header->prefix, STORE_PREFIX_SIZE);
        store.header->last_number = image->header->last_number;
}
