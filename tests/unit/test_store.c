/* test_store.c: slots and extents of the stored memory, and what a later process makes of it. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/store.h"
#include "daemon/sockets/stored.h"
#include "tests/unit/rows.h"

static void hands_a_slot_out_again_zeroed(void **state)
{
        (void)state;
        struct stored_session *const first = store_take(STORE_SESSIONS);
        struct stored_session *const second = store_take(STORE_SESSIONS);
        assert_non_null(first);
        assert_ptr_not_equal(first, second);
        first->number = 7;
        snprintf(first->label, sizeof first->label, "mine");
        store_give_back(STORE_SESSIONS, first);
        assert_int_equal(first->number, 0);
        struct stored_session *const third = store_take(STORE_SESSIONS);
        assert_ptr_equal(first, third);
        assert_string_equal(third->label, "");
        store_give_back(STORE_SESSIONS, second);
        store_give_back(STORE_SESSIONS, third);
}

static const struct size_row {
        const char *name;
        size_t size, least; /* what there is: 0: none */
} sizes[] = {
        { "nothing", 0, 4096 },
        { "a byte", 1, 4096 },
        { "a page", 4096, 4096 },
        { "more than a page", 4097, 8192 },
        { "64 MiB", 64 << 20, 64 << 20 },
        { "2 GiB", (size_t)2 << 30, (size_t)2 << 30 },
        { "more than there may be", ((size_t)2 << 30) + 1, 0 },
        { "everything", SIZE_MAX, 0 },
};

static void allocates_what_holds_it(void **state)
{
        const struct size_row *const row = *state;
        const uint64_t extent = store_allocate(row->size);
        assert_int_equal(extent != 0, row->least != 0);
        if (extent == 0)
                return;
        assert_int_equal(store_size(extent), row->least);
        uint8_t *const bytes = store_bytes(extent);
        bytes[0] = bytes[row->least - 1] = 1;
        const uint64_t other = store_allocate(row->size);
        assert_true(store_bytes(other) >= bytes + row->least || store_bytes(other) + row->least <= bytes);
        store_free(extent);
        assert_int_equal(store_allocate(row->size), extent);
        store_free(extent);
        store_free(other);
}

static size_t resident_blocks(void)
{
        struct stat status;
        assert_int_equal(fstat(store_fd(), &status), 0);
        return (size_t)status.st_blocks;
}

static void gives_pages_back(void **state)
{
        (void)state;
        const uint64_t extent = store_allocate(8 << 20);
        const size_t before = resident_blocks();
        memset(store_bytes(extent), 1, 8 << 20);
        assert_true(resident_blocks() >= before + (8 << 20) / 512);
        store_free(extent);
        assert_true(resident_blocks() <= before);
}

static void is_read_by_a_later_process(void **state)
{
        const char *reason;
        (void)state;
        struct stored_session *slots[3];
        for (uint64_t i = 0; i < 3; i++)
                slots[i] = store_take(STORE_SESSIONS);
        slots[1]->number = 41;
        slots[2]->number = 42;
        const uint64_t extent = store_allocate(100);
        memcpy(store_bytes(extent), "kept", 5);
        snprintf(store_prefix(), STORE_PREFIX_SIZE, "abc");
        *store_last_number() = 99;
        struct store_image *const image = store_image_open(store_fd(), &reason);
        assert_non_null(image);
        const struct stored_session *const first = store_image_next(image, STORE_SESSIONS, NULL);
        assert_int_equal(first->number, 41);
        const struct stored_session *const second = store_image_next(image, STORE_SESSIONS, first);
        assert_int_equal(second->number, 42);
        assert_null(store_image_next(image, STORE_SESSIONS, second));
        assert_null(store_image_next(image, STORE_OUTCOMES, NULL));
        assert_string_equal((const char *)store_image_bytes(image, extent, 100), "kept");
        assert_null(store_image_bytes(image, extent, 4097));
        assert_null(store_image_bytes(image, 0, 1));
        assert_null(store_image_bytes(image, UINT64_MAX, 1));
        store_image_close(image);
        for (int i = 0; i < 3; i++)
                store_give_back(STORE_SESSIONS, slots[i]);
        store_free(extent);
}

/* A version may have fewer slots, and less room for extents than the largest of them takes. */
static void reads_a_small_one(void **state)
{
        enum {
                SIZE = 1 << 16,
                WORDS = 19,
                SIZE_AT = 2,
                POOLS_AT = 3,
                POOL_WORDS = 4,
                EXTENTS_AT = 15,
                LARGEST = 19
        };
        const char *reason;
        uint64_t header[WORDS];
        (void)state;
        assert_true(store_open());
        fd_auto const int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(ftruncate(fd, SIZE), 0);
        assert_int_equal(pread(store_fd(), header, sizeof header, 0), sizeof header);
        header[SIZE_AT] = SIZE;
        header[EXTENTS_AT] = 4096;
        for (int i = 0; i < STORE_POOL_COUNT; i++) {
                uint64_t *const pool = &header[POOLS_AT + (size_t)i * POOL_WORDS];
                pool[0] = 4096;
                pool[2] = pool[3] = 0;
        }
        assert_int_equal(pwrite(fd, header, sizeof header, 0), sizeof header);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
        struct store_image *const image = store_image_open(fd, &reason);
        assert_non_null(image);
        assert_null(store_image_next(image, STORE_SOCKETS, NULL));
        assert_non_null(store_image_bytes(image, 4096, 100));
        assert_null(store_image_bytes(image, 0, 100));
        assert_null(store_image_bytes(image, SIZE, 100));
        assert_null(store_image_bytes(image, 4096 | LARGEST, 100));
        store_image_close(image);
}

/* What a descriptor may be that is no stored memory; `word` is written over at `offset`. */
static const struct flaw {
        const char *name;
        off_t size, offset;
        uint64_t word;
        bool sealed, copied; /* from a sound one */
        const char *reason;
} flaws[] = {
        { "not sealed", 1 << 20, 0, 0, false, false, "it cannot be mapped" },
        { "too short", 100, 0, 0, true, false, "it cannot be mapped" },
        { "something else", 1 << 20, 0, 0, true, false, "it is no stored memory of sockwrightd" },
        { "another version", 1 << 20, 8, STORED_VERSION + 1, true, true,
                "another version of sockwrightd wrote it" },
        { "another size", 1 << 20, 0, 0, true, true, "it is damaged" },
};

static void refuses_what_it_cannot_read(void **state)
{
        const struct flaw *const row = *state;
        const char *reason;
        assert_true(store_open());
        fd_auto const int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(ftruncate(fd, row->size), 0);
        if (row->copied) {
                char header[4096];
                assert_int_equal(pread(store_fd(), header, sizeof header, 0), sizeof header);
                assert_int_equal(pwrite(fd, header, sizeof header, 0), sizeof header);
        }
        if (row->offset > 0)
                assert_int_equal(pwrite(fd, &row->word, sizeof row->word, row->offset), sizeof row->word);
        if (row->sealed)
                assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
        assert_null(store_image_open(fd, &reason));
        assert_string_equal(reason, row->reason);
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        rows_add_one(&all, "a slot is handed out again, zeroed", hands_a_slot_out_again_zeroed);
        ROWS_ADD(&all, allocates_what_holds_it, sizes);
        rows_add_one(&all, "pages of what is freed go back", gives_pages_back);
        rows_add_one(&all, "a later process reads what is live", is_read_by_a_later_process);
        rows_add_one(&all, "a small one is read", reads_a_small_one);
        ROWS_ADD(&all, refuses_what_it_cannot_read, flaws);
        return rows_run("store", &all);
}
