/* test_inbox.c: what is kept of a socket: its moves and its limits. */
#include <pthread.h>

#include "tests/unit/inbox.h"

static const struct pace {
        const char *name;
        size_t piece, kept; /* what is sent and received at once, and how much stays kept */
} paces[] = {
        { "byte by byte", 1, 0 },
        { "byte by byte, many kept", 1, 100 },
        { "two kept, then one more", 3, 2 },
        { "odd pieces", 7, 13 },
        { "odd pieces, almost full", 7, RETAIN - 7 },
        { "pieces that divide it", 64, 1024 },
        { "half of it", RETAIN / 2, RETAIN / 2 },
        { "almost all", RETAIN - 1, 1 },
        { "all", RETAIN, 0 },
};

/* However far it has come when what is kept is moved, it is the same afterwards. */
static void moves_at_every_alignment(void **state)
{
        const struct pace *const pace = *state;
        uint8_t bytes[4096];
        struct scene scene;
        scene_set(&scene, SOCK_STREAM, RETAIN);
        for (size_t done = 0; done < 5 * RETAIN + 5 * pace->piece; done += pace->piece) {
                size_t used;
                assert_true(feed(&scene, pace->piece));
                assert_int_equal(
                        retained_bytes(scene.socket, POSITION_NONE, bytes, sizeof bytes, 0, &used).kind,
                        RESULT_DONE);
                assert_int_equal(used, pace->piece);
                assert_int_equal(bytes[used - 1], byte_at(scene.sent - 1));
                if (done % 13 == 0)
                        check_kept(scene.socket, EACH);
                if (scene.sent > pace->kept)
                        inbox_forget(scene.socket, scene.sent - pace->kept);
        }
        check_kept(scene.socket, EACH);
        assert_int_equal(inbox_free(scene.socket), RETAIN - pace->kept);
        scene_clean(&scene);
}

static const struct pace message_paces[] = {
        { "empty ones", 0, 3 },
        { "small ones", 5, 0 },
        { "small ones, many kept", 5, 90 },
        { "of a word", 8, 50 },
        { "large ones", 1300, 2 },
        { "one that fills it", RETAIN - sizeof(struct kept), 0 },
};

static void moves_messages(void **state)
{
        const struct pace *const pace = *state;
        struct scene scene;
        scene_set(&scene, SOCK_DGRAM, RETAIN);
        for (size_t number = 0; number < 600; number++) {
                struct retained retained;
                assert_true(feed(&scene, pace->piece));
                assert_int_equal(retained_message(scene.socket, POSITION_NONE, RETAIN, 0, &retained).kind,
                        RESULT_DONE);
                assert_int_equal(retained.offset, number);
                check_message(scene.socket, number, pace->piece);
                if (number % 7 == 0)
                        check_kept(scene.socket, pace->piece);
                if (scene.sent > pace->kept)
                        inbox_forget(scene.socket, scene.sent - pace->kept);
                assert_int_equal(scene.socket->unread, 0);
        }
        scene_clean(&scene);
}

/* Memory is charged to the account with the first receive, and given back at the end. */
static void is_charged(void **state)
{
        (void)state;
        const struct limits limits = { .most = { [RESOURCE_BYTES] = 2 * RETAIN + 100 } },
                            none = { .most = { 0 } };
        struct accounts *const accounts = accounts_new(&limits, &none);
        struct account *const account = accounts_find(accounts, "x");
        uint8_t bytes[10];
        size_t used;
        for (uint64_t retain = RETAIN; retain <= 2 * RETAIN; retain += RETAIN) {
                struct scene scene;
                scene_set(&scene, SOCK_STREAM, retain);
                scene.socket->owner = account;
                assert_int_equal(account->used[RESOURCE_BYTES], 0);
                assert_true(feed(&scene, 10));
                const struct result result =
                        retained_bytes(scene.socket, POSITION_NONE, bytes, sizeof bytes, 0, &used);
                assert_int_equal(result.kind, retain == RETAIN ? RESULT_DONE : RESULT_QUOTA);
                assert_int_equal(account->used[RESOURCE_BYTES], retain == RETAIN ? 2 * RETAIN : 0);
                scene_clean(&scene);
        }
        assert_int_equal(account->used[RESOURCE_BYTES], 0);
        accounts_free(accounts);
}

struct watched {
        const struct socket *socket;
        _Atomic bool done;
        bool backwards; /* the watcher's own */
};

static void *watch_base(void *context)
{
        struct watched *const watched = context;
        for (uint64_t last = 0; !watched->done;) {
                const uint64_t base = inbox_base(watched->socket);
                watched->backwards |= base < last;
                last = base;
        }
        return NULL;
}

/* Others ask for the base while what is kept moves. */
static void is_watched(void **state)
{
        (void)state;
        pthread_t watcher;
        struct scene scene;
        scene_set(&scene, SOCK_STREAM, RETAIN);
        struct watched watched = { .socket = scene.socket };
        assert_int_equal(pthread_create(&watcher, NULL, watch_base, &watched), 0);
        for (int i = 0; i < 5000; i++) {
                uint8_t bytes[16];
                size_t used;
                assert_true(feed(&scene, sizeof bytes));
                assert_int_equal(
                        retained_bytes(scene.socket, POSITION_NONE, bytes, sizeof bytes, 0, &used).kind,
                        RESULT_DONE);
                inbox_forget(scene.socket, scene.sent);
        }
        watched.done = true;
        pthread_join(watcher, NULL);
        assert_false(watched.backwards);
        scene_clean(&scene);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, moves_at_every_alignment, paces);
        ROWS_ADD(&all, moves_messages, message_paces);
        rows_add_one(&all, "is charged", is_charged);
        rows_add_one(&all, "is watched", is_watched);
        return rows_run("inbox", &all);
}
