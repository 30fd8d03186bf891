/* test_lookout.c: calls that only look: what they see, beside those that take, and that no event is missed.
 */
#include "daemon/sockets/lookout.h"

#include "tests/unit/caller.h"

static struct waiter *waiter;

static void feed(const struct stage *stage)
{
        assert_int_equal(send(stage->peer, "x", 1, MSG_NOSIGNAL), 1);
}

static enum attempt look_once(struct wait *wait)
{
        struct caller *const caller = caller_of(wait);
        const struct result result = lookout_poll(wait->lookout);
        caller->attempts++;
        caller->error = result.error;
        return result.kind == RESULT_WAIT ? ATTEMPT_AGAIN : ATTEMPT_FINISHED;
}

/* Set up for events of some sockets, without those yet. */
static void looker_set(struct caller *looker, size_t count)
{
        caller_set(looker, NULL, DIRECTION_RECEIVE);
        looker->wait.attempt = look_once;
        looker->wait.lookout = lookout_new(count);
        assert_non_null(looker->wait.lookout);
}

static void looker_add(const struct caller *looker, const struct stage *stage, short events)
{
        lookout_add(looker->wait.lookout, socket_reference(stage->socket), events);
}

static void looker_set_one(struct caller *looker, const struct stage *stage, short events)
{
        looker_set(looker, 1);
        looker_add(looker, stage, events);
}

static short looker_saw(const struct caller *looker, size_t i)
{
        return looker->wait.lookout->looks[i].revents;
}

/* A look may find the socket closed before the closing comes to the call. */
static enum wait_end looker_end(const struct caller *looker)
{
        return looker->error == ECANCELED ? WAIT_CANCELED : looker->wait.end;
}

static void looker_clean(struct caller *looker)
{
        assert_false(looker->wait.in_lane);
        lookout_release(looker->wait.lookout);
}

static void close_peer(struct stage *stage)
{
        end_close(&stage->peer);
}

static void reset_peer(struct stage *stage)
{
        end_reset(&stage->peer);
}

static void feed_peer(struct stage *stage)
{
        feed(stage);
}

static void drain_peer(struct stage *stage)
{
        assert_true(end_drain(stage->peer) > 0);
}

static void feed_urgent(struct stage *stage)
{
        assert_int_equal(send(stage->peer, "!", 1, MSG_OOB), 1);
}

static void cancel(struct stage *stage)
{
        stage_cancel(waiter, stage);
}

static void do_nothing(struct stage *stage)
{
        (void)stage;
}

static const struct end_row {
        const char *name;
        int family, type;
        short events;
        bool fill;
        int64_t timeout_ns; /* 0: long */
        void (*act)(struct stage *stage);
        enum wait_end end;
        short revents; /* some of them may come alone, if earlier */
} end_rows[] = {
        { "TCP data", AF_INET, SOCK_STREAM, POLLIN, false, 0, feed_peer, WAIT_FINISHED, POLLIN },
        { "UDP data", AF_INET, SOCK_DGRAM, POLLIN, false, 0, feed_peer, WAIT_FINISHED, POLLIN },
        { "unix data", AF_UNIX, SOCK_SEQPACKET, POLLIN, false, 0, feed_peer, WAIT_FINISHED, POLLIN },
        { "TCP room", AF_INET, SOCK_STREAM, POLLOUT, true, 0, drain_peer, WAIT_FINISHED, POLLOUT },
        { "unix room", AF_UNIX, SOCK_STREAM, POLLOUT, true, 0, drain_peer, WAIT_FINISHED, POLLOUT },
        { "urgent data", AF_INET, SOCK_STREAM, POLLPRI, false, 0, feed_urgent, WAIT_FINISHED, POLLPRI },
        { "the peer's end", AF_INET, SOCK_STREAM, POLLRDHUP, false, 0, close_peer, WAIT_FINISHED, POLLRDHUP },
        { "a hang-up", AF_UNIX, SOCK_STREAM, 0, false, 0, close_peer, WAIT_FINISHED, POLLHUP },
        { "a reset", AF_INET, SOCK_STREAM, 0, false, 0, reset_peer, WAIT_FINISHED, POLLERR | POLLHUP },
        { "a close", AF_INET, SOCK_STREAM, POLLIN, false, 0, cancel, WAIT_CANCELED, 0 },
        { "nothing", AF_INET, SOCK_STREAM, POLLIN, false, 20000000, do_nothing, WAIT_TIMED_OUT, 0 },
        { "nothing that is looked for", AF_INET, SOCK_STREAM, POLLRDHUP, false, 20000000, feed_peer,
                WAIT_TIMED_OUT, 0 },
};

static void ends_as_it_should(void **state)
{
        const struct end_row *const row = *state;
        struct stage stage;
        struct caller looker;
        stage_set(&stage, row->family, row->type);
        if (row->fill)
                end_fill(stage.socket->fd);
        looker_set_one(&looker, &stage, row->events);
        looker.timeout_ns = row->timeout_ns == 0 ? CALLER_LONG_NS : row->timeout_ns;
        assert_int_equal(waiter_enter(waiter, &looker.wait), ENTRY_PARKED);
        assert_int_equal(stage.socket->waiting, 1);
        row->act(&stage);
        assert_true(caller_await(&looker));
        assert_int_equal(looker_end(&looker), row->end);
        assert_int_equal(looker_saw(&looker, 0), row->revents);
        assert_int_equal(looker.wakes, 1);
        assert_int_equal(stage.socket->waiting, 0);
        assert_null(stage.socket->looks);
        assert_int_equal(waiter_count(waiter), 0);
        looker_clean(&looker);
        stage_clean(waiter, &stage);
}

static void at_once(void **state)
{
        (void)state;
        struct stage stages[2];
        struct caller looker;
        looker_set(&looker, 3);
        looker.timeout_ns = 0;
        for (size_t i = 0; i < 2; i++) {
                stage_set(&stages[i], AF_UNIX, SOCK_STREAM);
                looker_add(&looker, &stages[i], POLLIN);
        }
        looker_add(&looker, &stages[1], POLLOUT | POLLIN);
        feed(&stages[1]);
        assert_int_equal(waiter_enter(waiter, &looker.wait), ENTRY_FINISHED);
        assert_int_equal(looker.wait.end, WAIT_FINISHED);
        assert_int_equal(looker_saw(&looker, 0), 0);
        assert_int_equal(looker_saw(&looker, 1), POLLIN);
        assert_int_equal(looker_saw(&looker, 2), POLLIN | POLLOUT);
        assert_int_equal(looker.parks, 0);
        looker_clean(&looker);
        stage_clean(waiter, &stages[0]);
        stage_clean(waiter, &stages[1]);
}

static void not_at_all(void **state)
{
        (void)state;
        struct stage stage;
        struct caller looker;
        stage_set(&stage, AF_UNIX, SOCK_STREAM);
        looker_set_one(&looker, &stage, POLLIN);
        looker.timeout_ns = 0;
        assert_int_equal(waiter_enter(waiter, &looker.wait), ENTRY_FINISHED);
        assert_int_equal(looker.wait.end, WAIT_TIMED_OUT);
        looker_clean(&looker);
        stage_clean(waiter, &stage);
}

/* All who look see what comes, though one who stood there before them takes it. */
static void before_those_who_take(void **state)
{
        (void)state;
        enum { LOOKERS = 5 };
        struct stage stage;
        struct caller taker, next, lookers[LOOKERS];
        stage_set(&stage, AF_UNIX, SOCK_DGRAM);
        caller_set(&taker, stage.socket, DIRECTION_RECEIVE);
        caller_set(&next, stage.socket, DIRECTION_RECEIVE);
        assert_int_equal(waiter_enter(waiter, &taker.wait), ENTRY_PARKED);
        for (size_t i = 0; i < LOOKERS; i++) {
                looker_set_one(&lookers[i], &stage, POLLIN);
                assert_int_equal(waiter_enter(waiter, &lookers[i].wait), ENTRY_PARKED);
        }
        assert_int_equal(waiter_enter(waiter, &next.wait), ENTRY_PARKED);
        assert_int_equal(stage.socket->waiting, LOOKERS + 2);
        feed(&stage);
        for (size_t i = 0; i < LOOKERS; i++) {
                assert_true(caller_await(&lookers[i]));
                assert_int_equal(looker_saw(&lookers[i], 0), POLLIN);
                looker_clean(&lookers[i]);
        }
        assert_true(caller_await(&taker));
        assert_int_equal(taker.moved, 1);
        assert_false(caller_is_woken(&next));
        feed(&stage);
        assert_true(caller_await(&next));
        assert_true(taker.place < next.place);
        stage_clean(waiter, &stage);
}

/* A socket that is closed before the call waits for it ends it too. */
static void closed_before(void **state)
{
        (void)state;
        struct stage stage;
        struct caller looker;
        stage_set(&stage, AF_UNIX, SOCK_STREAM);
        looker_set_one(&looker, &stage, POLLIN);
        stage_cancel(waiter, &stage);
        assert_int_equal(waiter_enter(waiter, &looker.wait), ENTRY_FINISHED);
        assert_int_equal(looker.error, ECANCELED);
        assert_int_equal(stage.socket->watch_ticket, 0);
        looker_clean(&looker);
        stage_clean(waiter, &stage);
}

/* Its last user is gone, but for the lookout. */
static void keeps_its_sockets(void **state)
{
        (void)state;
        struct stage stage;
        struct caller looker;
        stage_set(&stage, AF_UNIX, SOCK_STREAM);
        looker_set_one(&looker, &stage, POLLIN);
        assert_int_equal(waiter_enter(waiter, &looker.wait), ENTRY_PARKED);
        stage_clean(waiter, &stage);
        assert_true(caller_await(&looker));
        assert_int_equal(looker_end(&looker), WAIT_CANCELED);
        looker_clean(&looker);
}

static void *feed_stage(void *stage)
{
        feed(stage);
        return NULL;
}

/* The socket is watched already, so what comes before the call waits is reported to nobody. */
static void misses_nothing(void **state)
{
        (void)state;
        enum { ROUNDS = 1000 };
        struct stage stage;
        struct caller other;
        stage_set(&stage, AF_UNIX, SOCK_STREAM);
        looker_set_one(&other, &stage, POLLRDHUP);
        assert_int_equal(waiter_enter(waiter, &other.wait), ENTRY_PARKED);
        for (int i = 0; i < ROUNDS; i++) {
                struct caller looker;
                pthread_t thread;
                looker_set_one(&looker, &stage, POLLIN);
                assert_int_equal(pthread_create(&thread, NULL, feed_stage, &stage), 0);
                if (waiter_enter(waiter, &looker.wait) == ENTRY_PARKED)
                        assert_true(caller_await(&looker));
                assert_int_equal(looker_saw(&looker, 0), POLLIN);
                looker_clean(&looker);
                pthread_join(thread, NULL);
                assert_int_equal(end_drain(stage.socket->fd), 1);
        }
        end_close(&stage.peer);
        assert_true(caller_await(&other));
        looker_clean(&other);
        stage_clean(waiter, &stage);
}

/* Threads that look at the same sockets while those get data, are read from and at last are closed. */
enum { CROWD = 4, CROWD_SOCKETS = 8, CROWD_ROUNDS = 300 };

static struct stage crowd_stages[CROWD_SOCKETS];

static void *crowd_look(void *unused)
{
        (void)unused;
        for (int i = 0; i < CROWD_ROUNDS; i++) {
                struct caller looker;
                looker_set(&looker, CROWD_SOCKETS);
                looker.timeout_ns = CALLER_MS;
                for (size_t at = 0; at < CROWD_SOCKETS; at++)
                        looker_add(&looker, &crowd_stages[at], POLLIN);
                if (waiter_enter(waiter, &looker.wait) == ENTRY_PARKED)
                        assert_true(caller_await(&looker));
                looker_clean(&looker);
        }
        return NULL;
}

static void crowd(void **state)
{
        (void)state;
        pthread_t threads[CROWD];
        for (size_t i = 0; i < CROWD_SOCKETS; i++)
                stage_set(&crowd_stages[i], AF_UNIX, SOCK_STREAM);
        for (size_t i = 0; i < CROWD; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, crowd_look, NULL), 0);
        for (size_t i = 0; i < CROWD_ROUNDS; i++) {
                struct caller taker;
                struct stage *const stage = &crowd_stages[i % CROWD_SOCKETS];
                caller_set(&taker, stage->socket, DIRECTION_RECEIVE);
                const bool parked = waiter_enter(waiter, &taker.wait) == ENTRY_PARKED;
                feed(stage);
                if (parked)
                        assert_true(caller_await(&taker));
        }
        stage_cancel(waiter, &crowd_stages[0]);
        for (size_t i = 0; i < CROWD; i++)
                pthread_join(threads[i], NULL);
        for (size_t i = 0; i < CROWD_SOCKETS; i++) {
                assert_int_equal(crowd_stages[i].socket->waiting, 0);
                assert_null(crowd_stages[i].socket->looks);
                stage_clean(waiter, &crowd_stages[i]);
        }
        assert_int_equal(waiter_count(waiter), 0);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, ends_as_it_should, end_rows);
        rows_add_one(&all, "at once", at_once);
        rows_add_one(&all, "not at all", not_at_all);
        rows_add_one(&all, "before those who take", before_those_who_take);
        rows_add_one(&all, "closed before", closed_before);
        rows_add_one(&all, "keeps its sockets", keeps_its_sockets);
        rows_add_one(&all, "misses nothing", misses_nothing);
        rows_add_one(&all, "a crowd", crowd);
        waiter = waiter_new(1024);
        if (waiter == NULL)
                return EXIT_FAILURE;
        const int failed = rows_run("lookout", &all);
        waiter_shut_down(waiter);
        waiter_free(waiter);
        return failed;
}
