/* test_image.c: a later process takes a damaged memory for what it is: it is refused, or what is damaged of
 * it leads nowhere. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/restore.h"
#include "tests/unit/claims.h"
#include "tests/unit/inbox.h"

enum {
        LIMIT = 16,
        LONG_MS = 60000,
        PIECES_MAX = 64,
        PIECE_SIZE = 4096,
        BODY_SIZE = 9000,
        EXTENTS_SIZE = 1 << 20,
        STREAM_NUMBER = 2
};

/* What an earlier process had. */
static struct {
        struct accounts *accounts;
        struct registry *registry;
        struct sessions *sessions;
        struct session *session;
        struct outcomes *outcomes;
        struct scene stream, datagrams;
} earlier;

/* Where the header has these; see store.c. */
enum {
        SIZE = 16,
        POOLS = 24,
        POOL_SIZE = 32,
        SLOT_SIZE = 8,
        COUNT = 16,
        USED = 24,
        EXTENTS = 120,
        PREFIX = 128,
        LAST_NUMBER = 144
};
enum { HEADER_SIZE = 152, SESSIONS = POOLS + POOL_SIZE, OUTCOMES = POOLS + 2 * POOL_SIZE };

/* Its memory, page by page where there is something; and the copy that is damaged. */
static struct piece {
        off_t offset;
        uint8_t bytes[PIECE_SIZE];
} pieces[PIECES_MAX];
static size_t piece_count;
static int copy;

static off_t place_of(const void *at)
{
        return (off_t)((const uint8_t *)at - store_bytes(0));
}

static void fill(struct scene *scene, int type)
{
        struct receipt receipt;
        scene_set(scene, type, RETAIN);
        scene->socket->number = registry_take_number(earlier.registry);
        socket_store(scene->socket);
        scene->socket->stored->number = scene->socket->number;
        for (int i = 0; i < 3; i++) {
                assert_true(feed(scene, 50));
                assert_int_equal(
                        receive_at(scene->socket, POSITION_NONE, 100, 0, &receipt).kind, RESULT_DONE);
                free(receipt.bytes);
        }
}

static void read_pieces(void)
{
        off_t at = 0;
        while ((at = lseek(store_fd(), at, SEEK_DATA)) >= 0) {
                assert_true(piece_count < PIECES_MAX);
                pieces[piece_count].offset = at;
                assert_int_equal(pread(store_fd(), pieces[piece_count++].bytes, PIECE_SIZE, at), PIECE_SIZE);
                at += PIECE_SIZE;
        }
}

static uint64_t word_at(off_t offset)
{
        for (size_t i = 0; i < piece_count; i++)
                if (offset >= pieces[i].offset && offset < pieces[i].offset + PIECE_SIZE) {
                        uint64_t word;
                        memcpy(&word, pieces[i].bytes + (offset - pieces[i].offset), sizeof word);
                        return word;
                }
        return 0;
}

static int set_up(void **state)
{
        static char body[BODY_SIZE + 1];
        const struct limits none = { .requests_per_s = 0 };
        (void)state;
        memset(body, 'b', BODY_SIZE);
        earlier.accounts = accounts_new(&none, &none);
        earlier.registry = registry_new(LIMIT);
        earlier.outcomes = begin(&loose);
        earlier.sessions = sessions_new(earlier.registry, waiter, NULL);
        assert_non_null(earlier.sessions);
        assert_int_equal(
                sessions_add(earlier.sessions, NULL, LONG_MS, "job", 0, &earlier.session).kind, RESULT_DONE);
        fill(&earlier.stream, SOCK_STREAM);
        assert_int_equal(earlier.stream.socket->number, STREAM_NUMBER);
        fill(&earlier.datagrams, SOCK_DGRAM);
        make_as(earlier.outcomes, "one", "small", "small");
        make_as(earlier.outcomes, "two", "large", body);
        assert_int_equal(claim(earlier.outcomes, "running"), CLAIM_NEW);
        outcome_start(got.outcome, earlier.stream.socket);
        read_pieces();
        /* Smaller than it was, since to map as much takes longer than all else. */
        const uint64_t size = word_at(EXTENTS) + EXTENTS_SIZE;
        memcpy(pieces[0].bytes + SIZE, &size, sizeof size);
        copy = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(ftruncate(copy, (off_t)size), 0);
        return fcntl(copy, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
}

static int tear_down(void **state)
{
        (void)state;
        outcome_drop(earlier.outcomes, got.outcome);
        done(earlier.outcomes);
        scene_clean(&earlier.stream);
        scene_clean(&earlier.datagrams);
        session_release(earlier.session);
        sessions_free(earlier.sessions);
        registry_free(earlier.registry);
        accounts_free(earlier.accounts);
        waiter_free(waiter);
        return close(copy);
}

/* What is restored can be read. */
static void read_all(struct registry *registry)
{
        struct socket *found[LIMIT];
        const size_t count = registry_list(registry, 0, found, LIMIT);
        for (size_t i = 0; i < count; i++) {
                struct receipt receipt = { .bytes = NULL };
                receive_at(found[i], POSITION_NONE, 10000, 0, &receipt);
                free(receipt.bytes);
                socket_release(found[i]);
        }
}

static void go_on_with(const struct store_image *image)
{
        struct guard guard = { .lock = PTHREAD_MUTEX_INITIALIZER };
        struct registry *const registry = registry_new(LIMIT);
        struct sessions *const sessions = sessions_new(registry, waiter, NULL);
        struct outcomes *const outcomes = outcomes_new(&loose, waiter);
        struct restore restored = {
                .registry = registry, .sessions = sessions, .accounts = earlier.accounts, .guard = &guard
        };
        struct parcel_items list = { .count = 0 };
        assert_true(parcel_items_add(
                &list, earlier.stream.socket->number, fcntl(earlier.stream.socket->fd, F_DUPFD_CLOEXEC, 0)));
        assert_true(parcel_items_add(&list, earlier.datagrams.socket->number,
                fcntl(earlier.datagrams.socket->fd, F_DUPFD_CLOEXEC, 0)));
        assert_true(restore_run(&restored, image, &list));
        assert_true(outcomes_restore(outcomes, image));
        read_all(registry);
        outcomes_free(outcomes);
        sessions_free(sessions);
        registry_free(registry);
        free(list.items);
}

/* Whether the copy, with this word in it, is taken. */
static bool is_taken(off_t offset, uint64_t word)
{
        const char *flaw;
        for (size_t i = 0; i < piece_count; i++)
                assert_int_equal(pwrite(copy, pieces[i].bytes, PIECE_SIZE, pieces[i].offset), PIECE_SIZE);
        assert_int_equal(pwrite(copy, &word, sizeof word, offset), sizeof word);
        struct store_image *const image = store_image_open(copy, &flaw);
        if (image != NULL)
                flaw = restore_flaw(image);
        if (flaw == NULL)
                go_on_with(image);
        store_image_close(image);
        return flaw == NULL;
}

/* The parts of it. */
enum area { HEADER, STREAM, DATAGRAMS, MESSAGES, SESSION, REPLY, LARGE_REPLY, RUNNING };

static off_t begin_of(enum area area)
{
        const struct inbox *const inbox = &earlier.datagrams.socket->stored->inbox;
        switch (area) {
        case HEADER:
                break;
        case STREAM:
                return place_of(earlier.stream.socket->stored);
        case DATAGRAMS:
                return place_of(earlier.datagrams.socket->stored);
        case MESSAGES:
                return place_of(store_bytes(inbox->places[inbox->current & 1].extent));
        case SESSION:
                return place_of(earlier.session->stored);
        case REPLY:
        case LARGE_REPLY:
        case RUNNING:
                return (off_t)(word_at(OUTCOMES) + (area - REPLY) * word_at(OUTCOMES + SLOT_SIZE));
        }
        return 0;
}

static const struct damage {
        const char *name;
        enum area area;
        size_t offset;
        uint64_t word;
} damages[] = {
        { "a pool in the header", HEADER, POOLS, 0 },
        { "a pool in another one", HEADER, SESSIONS, 4096 },
        { "a pool at an odd place", HEADER, OUTCOMES, (UINT64_C(1) << 35) + 4 },
        { "a pool beyond the end", HEADER, OUTCOMES, UINT64_C(1) << 60 },
        { "more slots than there is room for", HEADER, OUTCOMES + COUNT, UINT64_C(1) << 60 },
        { "more slots in use than there are", HEADER, OUTCOMES + USED, UINT64_C(1) << 40 },
        { "slots of another size", HEADER, POOLS + SLOT_SIZE, 0 },
        { "extents in a pool", HEADER, EXTENTS, 4096 },
        { "extents beyond the end", HEADER, EXTENTS, UINT64_C(1) << 60 },
        { "an id's beginning that is none", HEADER, PREFIX, UINT64_C(0xff22ff22ff22ff22) },
        { "no numbers left", HEADER, LAST_NUMBER, UINT64_MAX - 1 },
        { "a number that was never given", STREAM, offsetof(struct stored_socket, number), 1 << 20 },
        { "a number that two have", DATAGRAMS, offsetof(struct stored_socket, number), STREAM_NUMBER },
        { "a socket that is neither shared nor not", STREAM, offsetof(struct stored_socket, shared), 2 },
        { "a session's number that was never given", SESSION, offsetof(struct stored_session, number),
                1 << 20 },
        { "a lease of no time", SESSION, offsetof(struct stored_session, ttl_ms), 0 },
        { "a lease without end", SESSION, offsetof(struct stored_session, ttl_ms), INT64_MAX },
        { "an outcome's number that was never given", REPLY, offsetof(struct stored_outcome, number),
                1 << 20 },
        { "an end before all time", REPLY, offsetof(struct stored_outcome, ended_ns), UINT64_C(1) << 63 },
        { "an outcome that is neither done nor not", RUNNING, offsetof(struct stored_outcome, done), 2 },
};

static void refuses(void **state)
{
        const struct damage *const damage = *state;
        const off_t at = begin_of(damage->area) + (off_t)damage->offset;
        assert_false(is_taken(at, damage->word));
        assert_true(is_taken(at, word_at(at)));
}

/* Every word of these in turn is something else: whether it is taken or not, nothing comes of it. */
static const struct part {
        const char *name;
        enum area area;
        size_t size;
} parts[] = {
        { "any word of the header", HEADER, HEADER_SIZE },
        { "any word of a stream's record", STREAM, sizeof(struct stored_socket) },
        { "any word of a datagram socket's record", DATAGRAMS, sizeof(struct stored_socket) },
        { "any word of what is kept of messages", MESSAGES, 300 },
        { "any word of a session's record", SESSION, sizeof(struct stored_session) },
        { "any word of a kept reply", REPLY, offsetof(struct stored_outcome, small) },
        { "any word of a large reply", LARGE_REPLY, offsetof(struct stored_outcome, small) },
        { "any word of a call that is running", RUNNING, offsetof(struct stored_outcome, small) },
};

static void survives(void **state)
{
        const struct part *const part = *state;
        const off_t begin = begin_of(part->area);
        for (off_t at = begin; at < begin + (off_t)part->size; at += (off_t)sizeof(uint64_t)) {
                const uint64_t word = word_at(at);
                const uint64_t others[] = { 0, 1, UINT64_MAX, INT64_MAX, UINT64_C(1) << 63, word + 1,
                        word ^ UINT64_C(1) << 32, UINT64_C(0x2020202020202020) };
                for (size_t i = 0; i < sizeof others / sizeof *others; i++)
                        is_taken(at, others[i]);
        }
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, refuses, damages);
        ROWS_ADD(&all, survives, parts);
        return _cmocka_run_group_tests("image", all.tests, all.count, set_up, tear_down);
}
