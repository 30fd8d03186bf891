/* test_waiter_stress.c: many threads on few sockets: nothing is lost, nothing comes twice, the books balance.
 */
#include "tests/unit/caller.h"

static struct waiter *waiter;

/* Sends a byte each time it is told to, at the same time as the other thread parks. */
struct feeder {
        int fd, rounds;
        sem_t go;
};

static void *feed_rounds(void *argument)
{
        struct feeder *const feeder = argument;
        for (int round = 0; round < feeder->rounds; round++) {
                while (sem_wait(&feeder->go) != 0) {
                }
                const unsigned char byte = (unsigned char)round;
                if (send(feeder->fd, &byte, 1, MSG_NOSIGNAL) != 1)
                        return NULL;
        }
        return feeder;
}

struct edge_row {
        const char *name;
        int family, type;
        bool other_waits; /* a send waits on the same socket all the while, so that it stays armed */
};

static const struct edge_row edge_rows[] = {
        { "no edge is lost, TCP", AF_INET, SOCK_STREAM, false },
        { "no edge is lost, unix", AF_UNIX, SOCK_STREAM, false },
        { "no edge is lost, UDP", AF_INET, SOCK_DGRAM, false },
        { "no edge is lost, TCP, both directions", AF_INET, SOCK_STREAM, true },
        { "no edge is lost, unix, both directions", AF_UNIX, SOCK_STREAM, true },
};

static void no_edge_is_lost(void **state)
{
        enum { ROUNDS = 3000 };
        const struct edge_row *const row = *state;
        struct stage stage;
        struct caller caller, sender;
        pthread_t thread;
        void *done;
        stage_set(&stage, row->family, row->type);
        caller_set(&sender, stage.socket, DIRECTION_SEND);
        if (row->other_waits) {
                end_fill(stage.socket->fd);
                assert_int_equal(waiter_enter(waiter, &sender.wait), ENTRY_PARKED);
        }
        struct feeder feeder = { .fd = stage.peer, .rounds = ROUNDS };
        sem_init(&feeder.go, 0, 0);
        assert_int_equal(pthread_create(&thread, NULL, feed_rounds, &feeder), 0);
        for (int round = 0; round < ROUNDS; round++) {
                caller_set(&caller, stage.socket, DIRECTION_RECEIVE);
                sem_post(&feeder.go);
                if (waiter_enter(waiter, &caller.wait) == ENTRY_PARKED)
                        assert_true(caller_await(&caller));
                assert_int_equal(caller.wait.end, WAIT_FINISHED);
                assert_int_equal(caller.moved, 1);
                assert_int_equal(caller.byte, (unsigned char)round);
        }
        pthread_join(thread, &done);
        assert_ptr_equal(done, &feeder);
        stage_clean(waiter, &stage);
}

enum { SOCKETS = 3, THREADS = 4, TURNS = 300, ROUNDS = 12 };

/* What one thread did. */
struct book {
        struct stage *stages;
        unsigned seed;
        long entered, finished, timed_out, canceled, other;
        long fed, received, parks, wakes, stuck;
};

static void note_end(struct book *book, struct caller *caller, enum entry entry)
{
        if (entry == ENTRY_PARKED && !caller_await(caller)) {
                book->stuck++;
                return;
        }
        book->entered++;
        book->parks += caller->parks;
        book->wakes += caller->wakes;
        book->finished += caller->wait.end == WAIT_FINISHED;
        book->timed_out += caller->wait.end == WAIT_TIMED_OUT;
        book->canceled += caller->wait.end == WAIT_CANCELED;
        book->other += caller->wait.end == WAIT_ABANDONED || caller->wait.end == WAIT_SHUTDOWN;
        book->received += caller->wait.end == WAIT_FINISHED && caller->moved > 0 ? caller->moved : 0;
}

static void *hammer(void *argument)
{
        struct book *const book = argument;
        for (int turn = 0; turn < TURNS && book->stuck == 0; turn++) {
                struct stage *const stage = &book->stages[rand_r(&book->seed) % SOCKETS];
                if (rand_r(&book->seed) % 3 == 0) {
                        book->fed += send(stage->peer, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
                        continue;
                }
                struct caller caller;
                caller_set(&caller, stage->socket, DIRECTION_RECEIVE);
                caller.timeout_ns = rand_r(&book->seed) % 4 == 0 ? 0 : 1 + rand_r(&book->seed) % 300000;
                note_end(book, &caller, waiter_enter(waiter, &caller.wait));
        }
        return NULL;
}

static void add_book(struct book *sum, const struct book *book)
{
        sum->entered += book->entered;
        sum->finished += book->finished;
        sum->timed_out += book->timed_out;
        sum->canceled += book->canceled;
        sum->other += book->other;
        sum->fed += book->fed;
        sum->received += book->received;
        sum->parks += book->parks;
        sum->wakes += book->wakes;
        sum->stuck += book->stuck;
}

static void run_round(struct book *sum, int round)
{
        struct stage stages[SOCKETS];
        struct book books[THREADS];
        pthread_t threads[THREADS];
        long left = 0;
        struct book own = { 0 };
        for (int i = 0; i < SOCKETS; i++)
                stage_set(&stages[i], i % 2 == 0 ? AF_UNIX : AF_INET, SOCK_STREAM);
        for (int i = 0; i < THREADS; i++) {
                books[i] = (struct book){ .stages = stages, .seed = (unsigned)(round * THREADS + i + 1) };
                assert_int_equal(pthread_create(&threads[i], NULL, hammer, &books[i]), 0);
        }
        /* One of them is closed in the midst of it. */
        caller_pass_time(waiter, (1 + round % 5) * CALLER_MS);
        stage_cancel(waiter, &stages[round % SOCKETS]);
        for (int i = 0; i < THREADS; i++) {
                pthread_join(threads[i], NULL);
                add_book(&own, &books[i]);
        }
        assert_int_equal(waiter_count(waiter), 0);
        for (int i = 0; i < SOCKETS; i++) {
                assert_int_equal(stages[i].socket->lanes[DIRECTION_RECEIVE].parked, 0);
                assert_null(stages[i].socket->lanes[DIRECTION_RECEIVE].first);
                assert_int_equal(stages[i].socket->waiting, 0);
                shutdown(stages[i].peer, SHUT_WR);
                while (end_await(stages[i].socket->fd, POLLIN)) {
                        const size_t drained = end_drain(stages[i].socket->fd);
                        left += (long)drained;
                        if (drained == 0)
                                break;
                }
                stage_clean(waiter, &stages[i]);
        }
        assert_int_equal(own.received + left, own.fed);
        add_book(sum, &own);
}

static void books_balance(void **state)
{
        (void)state;
        struct book sum = { 0 };
        for (int round = 0; round < ROUNDS; round++)
                run_round(&sum, round);
        print_message("[ stress ] entered %ld finished %ld timed out %ld canceled %ld parked %ld\n",
                sum.entered, sum.finished, sum.timed_out, sum.canceled, sum.parks);
        assert_int_equal(sum.stuck, 0);
        assert_int_equal(sum.other, 0);
        assert_int_equal(sum.entered, sum.finished + sum.timed_out + sum.canceled);
        assert_int_equal(sum.received, sum.finished);
        assert_int_equal(sum.parks, sum.wakes);
        assert_true(sum.finished > 0 && sum.timed_out > 0 && sum.canceled > 0 && sum.parks > 0);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, no_edge_is_lost, edge_rows);
        rows_add_one(&all, "the books balance", books_balance);
        waiter = waiter_new(1024);
        if (waiter == NULL)
                return EXIT_FAILURE;
        const int failed = rows_run("waiter under stress", &all);
        waiter_shut_down(waiter);
        waiter_free(waiter);
        return failed;
}
