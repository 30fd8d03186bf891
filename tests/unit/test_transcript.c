/* test_transcript.c: a ring that is bounded, drops its oldest, says how many are gone, and gives its memory
 * back. */
#include "daemon/sockets/transcript.h"

#include "tests/unit/rows.h"

enum { ENTRIES_MOST = 16 };

static const struct ring_row {
        const char *name;
        size_t limit;
        size_t sizes[ENTRIES_MOST];  /* of the entries that are added; 0: one is missed */
        uint64_t kept[ENTRIES_MOST]; /* the sequence numbers that are there then */
        uint64_t gone;
        size_t held;
        size_t quota; /* of the owner; 0: none */
} ring_rows[] = {
        { "nothing", 4096, { 0 }, { 0 }, 0, 0, 0 },
        { "one", 4096, { 100 }, { 1 }, 0, 100, 0 },
        { "as much as fits", 8192, { 4096, 4096 }, { 1, 2 }, 0, 8192, 0 },
        { "one more than fits", 8192, { 4096, 4096, 100 }, { 2, 3 }, 1, 4196, 0 },
        { "one in place of many", 4096, { 100, 200, 300, 4096 }, { 4 }, 3, 4096, 0 },
        { "one that is too large", 4096, { 100, 4097, 200 }, { 1, 3 }, 1, 300, 0 },
        { "the least", 1, { 4096 }, { 1 }, 0, 4096, 0 },
        { "the quota before the limit", 8192, { 300, 200, 400 }, { 2, 3 }, 1, 600, 700 },
        { "one that passes the quota", 8192, { 300, 800, 400 }, { 3 }, 2, 400, 700 },
};

static void take(void *context, const struct transcript_entry *entry)
{
        uint64_t **const next = context;
        *(*next)++ = entry->sequence;
}

static void test_ring(void **state)
{
        const struct ring_row *const row = *state;
        const struct limits each = { .most = { [RESOURCE_BYTES] = row->quota } },
                            all = { .requests_per_s = 0 };
        struct accounts *const accounts = accounts_new(&each, &all);
        struct account *const owner = accounts_find(accounts, "owner");
        struct transcript *const transcript = transcript_new(row->limit, owner);
        for (size_t i = 0; row->sizes[i] > 0; i++) {
                struct transcript_entry *const entry = calloc(1, row->sizes[i]);
                assert_non_null(entry);
                entry->size = row->sizes[i];
                transcript_add(transcript, entry);
        }
        uint64_t kept[ENTRIES_MOST] = { 0 }, *next = kept;
        assert_int_equal(transcript_read(transcript, take, &next), row->gone);
        assert_memory_equal(kept, row->kept, sizeof kept);
        assert_int_equal(owner->used[RESOURCE_BYTES], row->held);
        transcript_free(transcript);
        assert_int_equal(owner->used[RESOURCE_BYTES], 0);
        accounts_free(accounts);
}

static void test_missed(void **state)
{
        uint64_t kept[ENTRIES_MOST] = { 0 }, *next = kept;
        struct transcript *const transcript = transcript_new(RECORD_DEFAULT, NULL);
        struct transcript_entry *const entry = calloc(1, sizeof *entry);
        (void)state;
        assert_non_null(entry);
        entry->size = sizeof *entry;
        transcript_miss(transcript);
        transcript_add(transcript, entry);
        assert_int_equal(transcript_read(transcript, take, &next), 1);
        assert_int_equal(kept[0], 2);
        transcript_free(transcript);
        transcript_free(NULL);
}

/* What the kernel does not say any more is as it said last. */
static void test_ends(void **state)
{
        struct transcript *const transcript = transcript_new(RECORD_DEFAULT, NULL);
        struct address local = { .given = true, .size = 1 }, peer = { .given = false };
        (void)state;
        transcript_note_ends(transcript, &local, &peer);
        assert_false(peer.given);
        struct address later = { .given = false }, there = { .given = true, .size = 2 };
        transcript_note_ends(transcript, &later, &there);
        assert_true(later.given && later.size == 1);
        struct address neither = { .given = false }, nor = { .given = false };
        transcript_note_ends(transcript, &neither, &nor);
        assert_true(neither.size == 1 && nor.size == 2);
        transcript_free(transcript);
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        ROWS_ADD(&all, test_ring, ring_rows);
        rows_add_one(&all, "one that was missed", test_missed);
        rows_add_one(&all, "ends", test_ends);
        return rows_run("transcript", &all);
}
