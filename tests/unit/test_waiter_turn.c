/* test_waiter_turn.c: holders of a turn, detached waits, and the shutdown. */
#include "tests/unit/caller.h"

static struct waiter *waiter;

/* As a stream does: the piece is moved on the owner's thread; while parked it only gets the turn back. */
static enum attempt attempt_piece(struct wait *wait)
{
        if (wait->waiting)
                return ATTEMPT_HOLD;
        const enum attempt attempt = caller_receive(wait);
        return attempt == ATTEMPT_FINISHED && caller_of(wait)->moved > 0 ? ATTEMPT_HOLD : attempt;
}

static void feed(const struct stage *stage, const char *bytes)
{
        assert_int_equal(send(stage->peer, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

static void set_holder(struct caller *caller, struct socket *socket)
{
        caller_set(caller, socket, DIRECTION_RECEIVE);
        caller->wait.attempt = attempt_piece;
}

static void holder_keeps_the_turn(void **state)
{
        (void)state;
        struct stage stage;
        struct caller holder, next;
        stage_set(&stage, AF_UNIX, SOCK_STREAM);
        feed(&stage, "abc");
        set_holder(&holder, stage.socket);
        assert_int_equal(waiter_enter(waiter, &holder.wait), ENTRY_HOLDING);
        caller_set(&next, stage.socket, DIRECTION_RECEIVE);
        assert_int_equal(waiter_enter(waiter, &next.wait), ENTRY_PARKED);
        assert_int_equal(waiter_enter(waiter, &holder.wait), ENTRY_HOLDING);
        assert_int_equal(holder.byte, 'b');
        assert_false(caller_is_woken(&next));
        waiter_leave(waiter, &holder.wait);
        assert_true(caller_is_woken(&next));
        assert_int_equal(next.byte, 'c');
        waiter_leave(waiter, &holder.wait); /* once more does no harm */
        stage_clean(waiter, &stage);
}

static void holder_waits_again(void **state)
{
        (void)state;
        struct stage stage;
        struct caller holder, next;
        stage_set(&stage, AF_INET, SOCK_STREAM);
        set_holder(&holder, stage.socket);
        caller_set(&next, stage.socket, DIRECTION_RECEIVE);
        for (int round = 0; round < 3; round++) {
                assert_int_equal(waiter_enter(waiter, &holder.wait), ENTRY_PARKED);
                if (round == 0)
                        assert_int_equal(waiter_enter(waiter, &next.wait), ENTRY_PARKED);
                feed(&stage, "y");
                assert_true(caller_await(&holder));
                assert_int_equal(holder.wait.end, WAIT_FINISHED);
                assert_int_equal(waiter_enter(waiter, &holder.wait), ENTRY_HOLDING);
                assert_int_equal(holder.moved, 1);
        }
        assert_int_equal(waiter_enter(waiter, &holder.wait), ENTRY_PARKED);
        shutdown(stage.peer, SHUT_WR);
        assert_true(caller_await(&holder));
        assert_int_equal(waiter_enter(waiter, &holder.wait), ENTRY_FINISHED); /* the end of the stream */
        assert_true(caller_await(&next));
        assert_int_equal(next.moved, 0);
        assert_int_equal(holder.parks, holder.wakes);
        stage_clean(waiter, &stage);
}

static void holder_times_out(void **state)
{
        (void)state;
        struct stage stage;
        struct caller holder, next;
        stage_set(&stage, AF_UNIX, SOCK_STREAM);
        feed(&stage, "a");
        set_holder(&holder, stage.socket);
        holder.timeout_ns = 10 * CALLER_MS;
        caller_set(&next, stage.socket, DIRECTION_RECEIVE);
        assert_int_equal(waiter_enter(waiter, &holder.wait), ENTRY_HOLDING);
        assert_int_equal(waiter_enter(waiter, &next.wait), ENTRY_PARKED);
        assert_int_equal(waiter_enter(waiter, &holder.wait), ENTRY_PARKED);
        assert_true(caller_await(&holder));
        assert_int_equal(holder.wait.end, WAIT_TIMED_OUT);
        assert_false(holder.wait.in_lane);
        feed(&stage, "b");
        assert_true(caller_await(&next));
        assert_int_equal(next.byte, 'b');
        stage_clean(waiter, &stage);
}

/* A holder that must not wait leaves the lane to the next one. */
static void holder_must_not_wait(void **state)
{
        (void)state;
        struct stage stage;
        struct caller holder, next;
        stage_set(&stage, AF_UNIX, SOCK_STREAM);
        feed(&stage, "a");
        set_holder(&holder, stage.socket);
        holder.timeout_ns = 0;
        caller_set(&next, stage.socket, DIRECTION_RECEIVE);
        assert_int_equal(waiter_enter(waiter, &holder.wait), ENTRY_HOLDING);
        assert_int_equal(waiter_enter(waiter, &next.wait), ENTRY_PARKED);
        assert_int_equal(waiter_enter(waiter, &holder.wait), ENTRY_FINISHED);
        assert_int_equal(holder.wait.end, WAIT_TIMED_OUT);
        feed(&stage, "b");
        assert_true(caller_await(&next));
        stage_clean(waiter, &stage);
}

static void closed_under_a_holder(void **state)
{
        (void)state;
        struct stage stage;
        struct caller holder, next;
        stage_set(&stage, AF_UNIX, SOCK_STREAM);
        feed(&stage, "ab");
        set_holder(&holder, stage.socket);
        caller_set(&next, stage.socket, DIRECTION_RECEIVE);
        assert_int_equal(waiter_enter(waiter, &holder.wait), ENTRY_HOLDING);
        assert_int_equal(waiter_enter(waiter, &next.wait), ENTRY_PARKED);
        stage_cancel(waiter, &stage);
        assert_true(caller_is_woken(&next));
        assert_int_equal(next.wait.end, WAIT_CANCELED);
        assert_false(caller_is_woken(&holder));
        assert_int_equal(waiter_enter(waiter, &holder.wait), ENTRY_FINISHED);
        assert_int_equal(holder.wait.end, WAIT_CANCELED);
        assert_int_equal(holder.attempts, 1);
        assert_false(holder.wait.in_lane);
        stage_clean(waiter, &stage);
}

static void detached_completes_once(void **state)
{
        (void)state;
        struct caller caller;
        uint64_t ticket;
        caller_set(&caller, NULL, DIRECTION_RECEIVE);
        assert_true(waiter_enter_detached(waiter, &caller.wait, &ticket));
        assert_int_not_equal(ticket, 0);
        assert_int_equal(waiter_count(waiter), 1);
        assert_true(waiter_complete(waiter, ticket));
        assert_true(caller_is_woken(&caller));
        assert_int_equal(caller.wait.end, WAIT_FINISHED);
        assert_false(waiter_complete(waiter, ticket));
        assert_false(waiter_complete(waiter, 0));
        assert_false(waiter_complete(waiter, UINT64_MAX));
        assert_int_equal(caller.wakes, 1);
        assert_int_equal(waiter_count(waiter), 0);
}

static void detached_times_out(void **state)
{
        (void)state;
        struct caller caller;
        uint64_t ticket;
        caller_set(&caller, NULL, DIRECTION_RECEIVE);
        caller.timeout_ns = 5 * CALLER_MS;
        assert_true(waiter_enter_detached(waiter, &caller.wait, &ticket));
        assert_true(caller_await(&caller));
        assert_int_equal(caller.wait.end, WAIT_TIMED_OUT);
        assert_false(waiter_complete(waiter, ticket));
        caller_set(&caller, NULL, DIRECTION_RECEIVE);
        caller.timeout_ns = 0;
        assert_false(waiter_enter_detached(waiter, &caller.wait, &ticket));
        assert_int_equal(caller.wait.end, WAIT_TIMED_OUT);
        assert_int_equal(caller.wakes, 0);
}

/* The completion and the deadline come at the same time: one of them wins, and the loser knows. */
static void completion_races_the_deadline(void **state)
{
        (void)state;
        int won = 0;
        for (int round = 0; round < 2000; round++) {
                struct caller caller;
                uint64_t ticket;
                caller_set(&caller, NULL, DIRECTION_RECEIVE);
                caller.timeout_ns = 1000 * (round % 60) + 1;
                assert_true(waiter_enter_detached(waiter, &caller.wait, &ticket));
                const bool completed = waiter_complete(waiter, ticket);
                assert_true(caller_await(&caller));
                assert_int_equal(caller.wait.end, completed ? WAIT_FINISHED : WAIT_TIMED_OUT);
                assert_int_equal(caller.wakes, 1);
                won += completed;
        }
        assert_true(won > 0);
}

static void shut_down_ends_all(void **state)
{
        (void)state;
        enum { CALLERS = 9 };
        struct waiter *const own = waiter_new(64);
        struct stage stages[2];
        struct caller callers[CALLERS], detached, late, ready;
        uint64_t ticket;
        assert_non_null(own);
        for (int i = 0; i < 2; i++)
                stage_set(&stages[i], i == 0 ? AF_INET : AF_UNIX, SOCK_STREAM);
        end_fill(stages[1].socket->fd);
        for (int i = 0; i < CALLERS; i++) {
                caller_set(
                        &callers[i], stages[i % 2].socket, i % 2 == 0 ? DIRECTION_RECEIVE : DIRECTION_SEND);
                assert_int_equal(waiter_enter(own, &callers[i].wait), ENTRY_PARKED);
        }
        caller_set(&detached, NULL, DIRECTION_RECEIVE);
        assert_true(waiter_enter_detached(own, &detached.wait, &ticket));
        waiter_shut_down(own);
        for (int i = 0; i < CALLERS; i++) {
                assert_true(caller_await(&callers[i]));
                assert_int_equal(callers[i].wait.end, WAIT_SHUTDOWN);
                assert_int_equal(callers[i].wakes, 1);
        }
        assert_true(caller_await(&detached));
        assert_int_equal(detached.wait.end, WAIT_SHUTDOWN);

        caller_set(&late, stages[0].socket, DIRECTION_RECEIVE);
        assert_int_equal(waiter_enter(own, &late.wait), ENTRY_PARKED);
        assert_true(caller_is_woken(&late));
        assert_int_equal(late.wait.end, WAIT_SHUTDOWN);
        assert_false(late.wait.in_lane);
        caller_set(&detached, NULL, DIRECTION_RECEIVE);
        assert_true(waiter_enter_detached(own, &detached.wait, &ticket));
        assert_true(caller_is_woken(&detached));
        assert_int_equal(detached.wait.end, WAIT_SHUTDOWN);
        feed(&stages[0], "z");
        assert_true(end_await(stages[0].socket->fd, POLLIN));
        caller_set(&ready, stages[0].socket, DIRECTION_RECEIVE);
        assert_int_equal(waiter_enter(own, &ready.wait), ENTRY_FINISHED);
        assert_int_equal(ready.byte, 'z');
        assert_int_equal(waiter_count(own), 0);
        for (int i = 0; i < 2; i++)
                stage_clean(own, &stages[i]);
        waiter_free(own);
        waiter_free(NULL);
}

int main(void)
{
        static struct row_tests all;
        rows_add_one(&all, "a holder keeps the turn", holder_keeps_the_turn);
        rows_add_one(&all, "a holder waits again", holder_waits_again);
        rows_add_one(&all, "a holder times out", holder_times_out);
        rows_add_one(&all, "a holder must not wait", holder_must_not_wait);
        rows_add_one(&all, "closed under a holder", closed_under_a_holder);
        rows_add_one(&all, "a detached wait completes once", detached_completes_once);
        rows_add_one(&all, "a detached wait times out", detached_times_out);
        rows_add_one(&all, "completion races the deadline", completion_races_the_deadline);
        rows_add_one(&all, "shutdown ends all", shut_down_ends_all);
        waiter = waiter_new(1024);
        if (waiter == NULL)
                return EXIT_FAILURE;
        const int failed = rows_run("waiter's turns", &all);
        waiter_shut_down(waiter);
        waiter_free(waiter);
        return failed;
}
