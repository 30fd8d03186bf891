/* test_waiter.c: how parked calls end, in which order, who has the turn, and that nothing spins. */
#include "daemon/sockets/waiter.h"

#include <netinet/in.h>
#include <sys/resource.h>

#include "tests/unit/caller.h"

static struct waiter *waiter;

static void feed(struct stage *stage)
{
        assert_int_equal(send(stage->peer, "x", 1, MSG_NOSIGNAL), 1);
}

static void drain(struct stage *stage)
{
        assert_true(end_drain(stage->peer) > 0);
}

static void close_peer(struct stage *stage)
{
        end_close(&stage->peer);
}

static void reset_peer(struct stage *stage)
{
        end_reset(&stage->peer);
}

static void cancel(struct stage *stage)
{
        stage_cancel(waiter, stage);
}

static void do_nothing(struct stage *stage)
{
        (void)stage;
}

struct end_row {
        const char *name;
        int family, type;
        enum direction direction;
        int64_t timeout_ns; /* 0: long */
        void (*act)(struct stage *stage);
        enum wait_end end;
        int moved, error; /* of the last attempt */
};

#define IN DIRECTION_RECEIVE
#define OUT DIRECTION_SEND

static const struct end_row end_rows[] = {
        { "TCP receive gets data", AF_INET, SOCK_STREAM, IN, 0, feed, WAIT_FINISHED, 1, 0 },
        { "unix receive gets data", AF_UNIX, SOCK_STREAM, IN, 0, feed, WAIT_FINISHED, 1, 0 },
        { "UDP receive gets data", AF_INET, SOCK_DGRAM, IN, 0, feed, WAIT_FINISHED, 1, 0 },
        { "seqpacket receive gets data", AF_UNIX, SOCK_SEQPACKET, IN, 0, feed, WAIT_FINISHED, 1, 0 },
        { "TCP receive gets the end", AF_INET, SOCK_STREAM, IN, 0, close_peer, WAIT_FINISHED, 0, 0 },
        { "unix receive gets the end", AF_UNIX, SOCK_STREAM, IN, 0, close_peer, WAIT_FINISHED, 0, 0 },
        { "TCP receive gets a reset", AF_INET, SOCK_STREAM, IN, 0, reset_peer, WAIT_FINISHED, -1,
                ECONNRESET },
        { "TCP send gets room", AF_INET, SOCK_STREAM, OUT, 0, drain, WAIT_FINISHED, 1, 0 },
        { "unix send gets room", AF_UNIX, SOCK_STREAM, OUT, 0, drain, WAIT_FINISHED, 1, 0 },
        { "unix datagram send gets room", AF_UNIX, SOCK_DGRAM, OUT, 0, drain, WAIT_FINISHED, 1, 0 },
        { "TCP send gets a reset", AF_INET, SOCK_STREAM, OUT, 0, reset_peer, WAIT_FINISHED, -1, ECONNRESET },
        { "unix send gets a broken pipe", AF_UNIX, SOCK_STREAM, OUT, 0, close_peer, WAIT_FINISHED, -1,
                EPIPE },
        { "receive is canceled", AF_INET, SOCK_STREAM, IN, 0, cancel, WAIT_CANCELED, -1, EAGAIN },
        { "send is canceled", AF_UNIX, SOCK_STREAM, OUT, 0, cancel, WAIT_CANCELED, -1, EAGAIN },
        { "receive times out", AF_INET, SOCK_STREAM, IN, 20000000, do_nothing, WAIT_TIMED_OUT, -1, EAGAIN },
        { "send times out", AF_UNIX, SOCK_STREAM, OUT, 20000000, do_nothing, WAIT_TIMED_OUT, -1, EAGAIN },
        { "a time-out of no time", AF_INET, SOCK_STREAM, IN, 1, do_nothing, WAIT_TIMED_OUT, -1, EAGAIN },
};

static void ends_as_it_should(void **state)
{
        const struct end_row *const row = *state;
        struct stage stage;
        struct caller caller;
        stage_set(&stage, row->family, row->type);
        if (row->direction == OUT)
                end_fill(stage.socket->fd);
        caller_set(&caller, stage.socket, row->direction);
        caller.timeout_ns = row->timeout_ns == 0 ? CALLER_LONG_NS : row->timeout_ns;
        const int64_t before = now_ns();
        assert_int_equal(waiter_enter(waiter, &caller.wait), ENTRY_PARKED);
        row->act(&stage);
        assert_true(caller_await(&caller));
        assert_true(now_ns() - before >= row->timeout_ns);
        assert_int_equal(caller.wait.end, row->end);
        assert_int_equal(caller.moved, row->moved);
        assert_int_equal(caller.error, row->error);
        assert_int_equal(caller.parks, 1);
        assert_int_equal(caller.wakes, 1);
        assert_false(caller.wait.in_lane);
        assert_int_equal(waiter_count(waiter), 0);
        assert_int_equal(stage.socket->lanes[row->direction].parked, 0);
        stage_clean(waiter, &stage);
}

/* Without need to wait nothing is parked. */
static void at_once(void **state)
{
        (void)state;
        struct stage stage;
        struct caller caller;
        stage_set(&stage, AF_UNIX, SOCK_STREAM);
        caller_set(&caller, stage.socket, IN);
        caller.timeout_ns = 0;
        assert_int_equal(waiter_enter(waiter, &caller.wait), ENTRY_FINISHED);
        assert_int_equal(caller.wait.end, WAIT_TIMED_OUT);
        feed(&stage);
        caller_set(&caller, stage.socket, IN);
        assert_int_equal(waiter_enter(waiter, &caller.wait), ENTRY_FINISHED);
        assert_int_equal(caller.wait.end, WAIT_FINISHED);
        assert_int_equal(caller.byte, 'x');
        stage_cancel(waiter, &stage);
        feed(&stage);
        caller_set(&caller, stage.socket, IN);
        assert_int_equal(waiter_enter(waiter, &caller.wait), ENTRY_FINISHED);
        assert_int_equal(caller.wait.end, WAIT_CANCELED);
        assert_int_equal(caller.attempts, 0);
        assert_int_equal(caller.parks + caller.wakes, 0);
        stage_clean(waiter, &stage);
}

enum { QUEUE = 7 };

struct order_row {
        const char *name;
        int family;
        enum direction direction;
        int leaves; /* this one times out first; -1: none */
};

static const struct order_row order_rows[] = {
        { "receives in order, TCP", AF_INET, IN, -1 },
        { "receives in order, unix", AF_UNIX, IN, -1 },
        { "sends in order, TCP", AF_INET, OUT, -1 },
        { "sends in order, unix", AF_UNIX, OUT, -1 },
        { "the first one leaves", AF_INET, IN, 0 },
        { "one in the middle leaves", AF_INET, IN, 3 },
        { "the last one leaves", AF_INET, IN, QUEUE - 1 },
        { "the first sender leaves", AF_UNIX, OUT, 0 },
};

static void first_come_first_served(void **state)
{
        const struct order_row *const row = *state;
        struct stage stage;
        struct caller callers[QUEUE];
        stage_set(&stage, row->family, SOCK_STREAM);
        if (row->direction == OUT)
                end_fill(stage.socket->fd);
        for (int i = 0; i < QUEUE; i++) {
                caller_set(&callers[i], stage.socket, row->direction);
                callers[i].timeout_ns = i == row->leaves ? 5 * CALLER_MS : CALLER_LONG_NS;
                assert_int_equal(waiter_enter(waiter, &callers[i].wait), ENTRY_PARKED);
        }
        assert_true(row->leaves < 0 || caller_await(&callers[row->leaves]));
        assert_int_equal(stage.socket->lanes[row->direction].parked, QUEUE - (row->leaves >= 0));
        if (row->direction == OUT)
                drain(&stage);
        else
                assert_int_equal(send(stage.peer, "0123456789", 10, 0), 10);
        for (int i = 0, last = 0; i < QUEUE; i++) {
                if (i == row->leaves)
                        continue;
                assert_true(caller_await(&callers[i]));
                assert_int_equal(callers[i].wait.end, WAIT_FINISHED);
                assert_true(callers[i].place > last);
                last = callers[i].place;
                if (row->direction == IN)
                        assert_int_equal(callers[i].byte, '0' + i - (row->leaves >= 0 && i > row->leaves));
        }
        assert_true(row->leaves < 0 || callers[row->leaves].place == 0);
        stage_clean(waiter, &stage);
}

/* Who comes while others wait must not overtake them, even when there is something to take. */
static void nobody_overtakes(void **state)
{
        (void)state;
        struct stage stage;
        struct caller first, second;
        stage_set(&stage, AF_UNIX, SOCK_STREAM);
        caller_set(&first, stage.socket, IN);
        assert_int_equal(waiter_enter(waiter, &first.wait), ENTRY_PARKED);
        caller_set(&second, stage.socket, IN);
        second.timeout_ns = 0;
        assert_int_equal(waiter_enter(waiter, &second.wait), ENTRY_FINISHED);
        assert_int_equal(second.wait.end, WAIT_TIMED_OUT);
        assert_int_equal(second.attempts, 0);
        feed(&stage);
        assert_true(caller_await(&first));
        stage_clean(waiter, &stage);
}

static void directions_are_independent(void **state)
{
        (void)state;
        struct stage stage;
        struct caller in, out;
        stage_set(&stage, AF_INET, SOCK_STREAM);
        end_fill(stage.socket->fd);
        caller_set(&in, stage.socket, IN);
        caller_set(&out, stage.socket, OUT);
        assert_int_equal(waiter_enter(waiter, &in.wait), ENTRY_PARKED);
        assert_int_equal(waiter_enter(waiter, &out.wait), ENTRY_PARKED);
        feed(&stage);
        assert_true(caller_await(&in));
        assert_false(caller_is_woken(&out));
        assert_int_equal(waiter_count(waiter), 1);
        caller_set(&in, stage.socket, IN);
        assert_int_equal(waiter_enter(waiter, &in.wait), ENTRY_PARKED);
        drain(&stage);
        assert_true(caller_await(&out));
        assert_false(caller_is_woken(&in));
        stage_cancel(waiter, &stage);
        assert_true(caller_await(&in));
        assert_int_equal(in.wait.end, WAIT_CANCELED);
        stage_clean(waiter, &stage);
}

static void cancel_wakes_all(void **state)
{
        (void)state;
        struct stage stage;
        struct caller callers[QUEUE];
        stage_set(&stage, AF_INET, SOCK_STREAM);
        end_fill(stage.socket->fd);
        for (int i = 0; i < QUEUE; i++) {
                caller_set(&callers[i], stage.socket, i % 2 == 0 ? IN : OUT);
                assert_int_equal(waiter_enter(waiter, &callers[i].wait), ENTRY_PARKED);
        }
        stage_cancel(waiter, &stage);
        for (int i = 0; i < QUEUE; i++) {
                assert_true(caller_is_woken(&callers[i]));
                assert_int_equal(callers[i].wait.end, WAIT_CANCELED);
                assert_int_equal(callers[i].wakes, 1);
        }
        assert_int_equal(waiter_count(waiter), 0);
        assert_int_equal(stage.socket->watch_ticket, 0);
        stage_clean(waiter, &stage);
}

/* Succeeds at the fifth attempt, and asks for the next one itself: no readiness does. */
static enum attempt attempt_fifth(struct wait *wait)
{
        struct caller *const caller = caller_of(wait);
        wait->retry_ns = CALLER_MS;
        return ++caller->attempts < 5 ? ATTEMPT_AGAIN : ATTEMPT_FINISHED;
}

static void retries(void **state)
{
        (void)state;
        struct stage stage;
        struct caller caller;
        stage_set(&stage, AF_UNIX, SOCK_STREAM);
        caller_set(&caller, stage.socket, OUT);
        caller.wait.attempt = attempt_fifth;
        const int64_t before = now_ns();
        assert_int_equal(waiter_enter(waiter, &caller.wait), ENTRY_PARKED);
        assert_true(caller_await(&caller));
        assert_int_equal(caller.wait.end, WAIT_FINISHED);
        assert_int_equal(caller.attempts, 5);
        assert_true(now_ns() - before >= 3 * CALLER_MS);
        stage_clean(waiter, &stage);
}

/* A call that was parked behind others finds out only at its first attempt that it must retry. */
static void retries_once_it_has_the_turn(void **state)
{
        (void)state;
        struct stage stage;
        struct caller first, second;
        stage_set(&stage, AF_UNIX, SOCK_STREAM);
        caller_set(&first, stage.socket, IN);
        caller_set(&second, stage.socket, IN);
        second.wait.attempt = attempt_fifth;
        assert_int_equal(waiter_enter(waiter, &first.wait), ENTRY_PARKED);
        assert_int_equal(waiter_enter(waiter, &second.wait), ENTRY_PARKED);
        feed(&stage);
        assert_true(caller_await(&first));
        assert_true(caller_await(&second));
        assert_int_equal(second.attempts, 5);
        stage_clean(waiter, &stage);
}

static void retry_obeys_the_deadline(void **state)
{
        (void)state;
        struct stage stage;
        struct caller caller;
        stage_set(&stage, AF_UNIX, SOCK_STREAM);
        caller_set(&caller, stage.socket, IN);
        caller.wait.retry_ns = 3 * CALLER_MS;
        caller.timeout_ns = 100 * CALLER_MS;
        assert_int_equal(waiter_enter(waiter, &caller.wait), ENTRY_PARKED);
        assert_true(caller_await(&caller));
        assert_int_equal(caller.wait.end, WAIT_TIMED_OUT);
        assert_in_range(caller.attempts, 2, 35);
        stage_clean(waiter, &stage);
}

/* The error queue stays readable, and recv(2) clears none of it. */
static enum attempt attempt_past_errors(struct wait *wait)
{
        struct caller *const caller = caller_of(wait);
        caller->attempts++;
        do {
                caller->moved = recv(wait->socket->fd, &caller->byte, 1, MSG_DONTWAIT);
        } while (caller->moved < 0 && errno == ECONNREFUSED);
        return caller->moved < 0 ? ATTEMPT_AGAIN : ATTEMPT_FINISHED;
}

static void error_queue_does_not_spin(void **state)
{
        (void)state;
        const int on = 1;
        struct stage stage;
        struct caller caller;
        stage_set(&stage, AF_INET, SOCK_DGRAM);
        end_close(&stage.peer);
        assert_int_equal(setsockopt(stage.socket->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on), 0);
        assert_int_equal(send(stage.socket->fd, "x", 1, 0), 1);
        assert_true(end_await(stage.socket->fd, 0));
        caller_set(&caller, stage.socket, IN);
        caller.wait.attempt = attempt_past_errors;
        caller.timeout_ns = 200 * CALLER_MS;
        const int64_t before = processor_ns();
        assert_int_equal(waiter_enter(waiter, &caller.wait), ENTRY_PARKED);
        assert_true(caller_await(&caller));
        assert_int_equal(caller.wait.end, WAIT_TIMED_OUT);
        assert_in_range(caller.attempts, 1, 5);
        assert_true(processor_ns() - before < 50 * CALLER_MS);
        stage_clean(waiter, &stage);
}

/* Hung up, with nobody waiting: the kernel reports that whatever it is asked for. */
static void hang_up_does_not_spin(void **state)
{
        (void)state;
        struct stage stage;
        struct caller caller;
        stage_set(&stage, AF_INET, SOCK_STREAM);
        caller_set(&caller, stage.socket, IN);
        assert_int_equal(waiter_enter(waiter, &caller.wait), ENTRY_PARKED);
        feed(&stage);
        assert_true(caller_await(&caller));
        reset_peer(&stage);
        assert_true(end_await(stage.socket->fd, 0));
        const int64_t before = processor_ns();
        caller_pass_time(waiter, 200 * CALLER_MS);
        assert_true(processor_ns() - before < 50 * CALLER_MS);
        caller_set(&caller, stage.socket, IN);
        assert_int_equal(waiter_enter(waiter, &caller.wait), ENTRY_FINISHED);
        assert_int_equal(caller.error, ECONNRESET);
        stage_clean(waiter, &stage);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, ends_as_it_should, end_rows);
        rows_add_one(&all, "at once", at_once);
        ROWS_ADD(&all, first_come_first_served, order_rows);
        rows_add_one(&all, "nobody overtakes", nobody_overtakes);
        rows_add_one(&all, "directions are independent", directions_are_independent);
        rows_add_one(&all, "cancel wakes all", cancel_wakes_all);
        rows_add_one(&all, "retries", retries);
        rows_add_one(&all, "retries once it has the turn", retries_once_it_has_the_turn);
        rows_add_one(&all, "retry obeys the deadline", retry_obeys_the_deadline);
        rows_add_one(&all, "error queue does not spin", error_queue_does_not_spin);
        rows_add_one(&all, "hang-up does not spin", hang_up_does_not_spin);
        waiter = waiter_new(1024);
        if (waiter == NULL)
                return EXIT_FAILURE;
        const int failed = rows_run("waiter", &all);
        waiter_shut_down(waiter);
        waiter_free(waiter);
        return failed;
}
