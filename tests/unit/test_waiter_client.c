/* test_waiter_client.c: a parked call whose client goes away takes nothing, and the next in line gets it. */
#include "tests/unit/caller.h"

static struct waiter *waiter;

static void close_client(int *client)
{
        end_close(client);
}

static void half_close_client(int *client)
{
        shutdown(*client, SHUT_WR);
}

/* A request that came behind the first one is no sign of life. */
static void close_behind_bytes(int *client)
{
        assert_int_equal(send(*client, "GET", 3, MSG_NOSIGNAL), 3);
        end_close(client);
}

static void send_more(int *client)
{
        assert_int_equal(send(*client, "GET", 3, MSG_NOSIGNAL), 3);
}

struct client_row {
        const char *name;
        int family;
        void (*act)(int *client);
        bool gone;
};

static const struct client_row client_rows[] = {
        { "closed, TCP", AF_INET, close_client, true },
        { "closed, unix", AF_UNIX, close_client, true },
        { "reset, TCP", AF_INET, end_reset, true },
        { "half-closed, TCP: looks like a killed client", AF_INET, half_close_client, true },
        { "half-closed, unix: still reads", AF_UNIX, half_close_client, false },
        { "closed behind bytes, TCP", AF_INET, close_behind_bytes, true },
        { "closed behind bytes, unix", AF_UNIX, close_behind_bytes, true },
        { "sends more, TCP", AF_INET, send_more, false },
        { "sends more, unix", AF_UNIX, send_more, false },
};

struct scene {
        struct stage stage;
        struct ends client; /* one: the daemon's */
        struct caller caller;
};

static void scene_set(struct scene *scene, int client_family)
{
        stage_set(&scene->stage, AF_INET, SOCK_STREAM);
        assert_true(ends_open(&scene->client, client_family, SOCK_STREAM));
        caller_set(&scene->caller, scene->stage.socket, DIRECTION_RECEIVE);
        scene->caller.wait.client_fd = scene->client.one;
        scene->caller.wait.client_is_local = client_family == AF_UNIX;
}

static void scene_clean(struct scene *scene)
{
        stage_clean(waiter, &scene->stage);
        ends_close(&scene->client);
}

static void feed(const struct scene *scene)
{
        assert_int_equal(send(scene->stage.peer, "x", 1, MSG_NOSIGNAL), 1);
}

static void check_end(struct scene *scene, bool gone)
{
        if (!gone) {
                caller_pass_time(waiter, 20 * CALLER_MS);
                assert_false(caller_is_woken(&scene->caller));
                feed(scene);
        }
        assert_true(caller_await(&scene->caller));
        assert_int_equal(scene->caller.wait.end, gone ? WAIT_ABANDONED : WAIT_FINISHED);
        assert_int_equal(scene->caller.place > 0, !gone);
        assert_int_equal(scene->caller.wakes, 1);
        assert_int_equal(waiter_count(waiter), 0);
}

static void goes_while_parked(void **state)
{
        const struct client_row *const row = *state;
        struct scene scene;
        scene_set(&scene, row->family);
        assert_int_equal(waiter_enter(waiter, &scene.caller.wait), ENTRY_PARKED);
        row->act(&scene.client.other);
        check_end(&scene, row->gone);
        scene_clean(&scene);
}

static void goes_before_it_is_parked(void **state)
{
        const struct client_row *const row = *state;
        struct scene scene;
        scene_set(&scene, row->family);
        row->act(&scene.client.other);
        assert_int_equal(waiter_enter(waiter, &scene.caller.wait), ENTRY_PARKED);
        check_end(&scene, row->gone);
        scene_clean(&scene);
}

/* The client goes and the data comes while the waiter can look at neither. */
static void next_in_line_gets_it(void **state)
{
        const struct client_row *const row = *state;
        for (int round = 0; row->gone && round < 50; round++) {
                struct scene scene;
                struct caller next;
                scene_set(&scene, row->family);
                caller_set(&next, scene.stage.socket, DIRECTION_RECEIVE);
                assert_int_equal(waiter_enter(waiter, &scene.caller.wait), ENTRY_PARKED);
                assert_int_equal(waiter_enter(waiter, &next.wait), ENTRY_PARKED);
                pthread_mutex_lock(&scene.stage.socket->lanes[DIRECTION_RECEIVE].lock);
                if (round % 2 == 0)
                        feed(&scene);
                row->act(&scene.client.other);
                if (round % 2 != 0)
                        feed(&scene);
                pthread_mutex_unlock(&scene.stage.socket->lanes[DIRECTION_RECEIVE].lock);
                assert_true(caller_await(&scene.caller));
                assert_true(caller_await(&next));
                assert_int_equal(scene.caller.wait.end, WAIT_ABANDONED);
                assert_int_equal(scene.caller.place, 0);
                assert_int_equal(next.wait.end, WAIT_FINISHED);
                assert_int_equal(next.byte, 'x');
                scene_clean(&scene);
        }
}

/* A connection carries one call after the other, and its descriptor must not stay in the epoll in between. */
static void one_client_many_calls(void **state)
{
        (void)state;
        struct scene scene;
        scene_set(&scene, AF_INET);
        for (int round = 0; round < 100; round++) {
                caller_set(&scene.caller, scene.stage.socket, DIRECTION_RECEIVE);
                scene.caller.wait.client_fd = scene.client.one;
                assert_int_equal(waiter_enter(waiter, &scene.caller.wait), ENTRY_PARKED);
                feed(&scene);
                assert_true(caller_await(&scene.caller));
                assert_int_equal(scene.caller.wait.end, WAIT_FINISHED);
        }
        end_close(&scene.client.other);
        const int64_t before = processor_ns();
        caller_pass_time(waiter, 100 * CALLER_MS);
        assert_true(processor_ns() - before < 30 * CALLER_MS);
        scene_clean(&scene);
}

static void detached_is_abandoned(void **state)
{
        const struct client_row *const row = *state;
        struct ends client ends_auto = { -1, -1 };
        struct caller caller;
        uint64_t ticket;
        assert_true(ends_open(&client, row->family, SOCK_STREAM));
        caller_set(&caller, NULL, DIRECTION_RECEIVE);
        caller.wait.client_fd = client.one;
        caller.wait.client_is_local = row->family == AF_UNIX;
        assert_true(waiter_enter_detached(waiter, &caller.wait, &ticket));
        row->act(&client.other);
        if (!row->gone)
                assert_true(waiter_complete(waiter, ticket));
        assert_true(caller_await(&caller));
        assert_int_equal(caller.wait.end, row->gone ? WAIT_ABANDONED : WAIT_FINISHED);
        assert_false(waiter_complete(waiter, ticket));
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, goes_while_parked, client_rows);
        ROWS_ADD(&all, goes_before_it_is_parked, client_rows);
        ROWS_ADD(&all, next_in_line_gets_it, client_rows);
        ROWS_ADD(&all, detached_is_abandoned, client_rows);
        rows_add_one(&all, "one client, many calls", one_client_many_calls);
        waiter = waiter_new(1024);
        if (waiter == NULL)
                return EXIT_FAILURE;
        const int failed = rows_run("waiter's clients", &all);
        waiter_shut_down(waiter);
        waiter_free(waiter);
        return failed;
}
