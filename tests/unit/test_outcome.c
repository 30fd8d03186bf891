/* test_outcome.c: what came of calls with a key is kept within bounds; who comes meanwhile waits. */
#include "tests/unit/claims.h"

enum { MANY = 100000 };

static const struct size {
        const char *name;
        size_t body, members;
        enum claim claim;
} sizes[] = {
        { "no body", 0, 0, CLAIM_DONE },
        { "a small body", 500, 0, CLAIM_DONE },
        { "a body that just fits the slot", SMALL_REPLY_SIZE, 0, CLAIM_DONE },
        { "a body that just does not", SMALL_REPLY_SIZE + 1, 0, CLAIM_DONE },
        { "a small body with members", 500, 100, CLAIM_DONE },
        { "a large body with members", 50000, 1000, CLAIM_DONE },
        { "members alone", 0, 100, CLAIM_DONE },
        { "as large as may be", 65536, 0, CLAIM_DONE },
        { "larger", 65537, 0, CLAIM_LOST },
        { "larger with its members", 65536, 1, CLAIM_LOST },
        { "much larger", 1 << 24, 0, CLAIM_LOST },
};

static void keeps(void **state)
{
        const struct size *const size = *state;
        struct outcomes *const outcomes =
                begin(&(struct outcome_bounds){ .count = 10, .bytes = 65536, .age_ns = loose.age_ns });
        struct outcome_reply reply = { .status = 200,
                .media = "application/octet-stream",
                .body = malloc(size->body + 1),
                .size = size->body,
                .members = size->members == 0 ? NULL : calloc(1, size->members + 1) };
        memset(reply.body, 'b', size->body);
        if (size->members > 0)
                memset(reply.members, 'm', size->members);
        assert_int_equal(claim(outcomes, "key"), CLAIM_NEW);
        outcome_keep(outcomes, got.outcome, &reply);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(claim(outcomes, "key"), size->claim);
                if (size->claim == CLAIM_LOST)
                        continue;
                assert_int_equal(got.reply.status, 200);
                assert_string_equal(got.reply.media, "application/octet-stream");
                assert_string_equal(got.reply.location, "");
                assert_int_equal(got.reply.size, size->body);
                assert_memory_equal(got.reply.body, reply.body, size->body);
                if (size->members > 0)
                        assert_string_equal(got.reply.members, reply.members);
                else
                        assert_null(got.reply.members);
        }
        assert_int_equal(claim_as(outcomes, "one", "key", 'y'), CLAIM_OTHER);
        free(reply.body);
        free(reply.members);
        done(outcomes);
}

static void begins_anew(void **state)
{
        (void)state;
        struct outcomes *const outcomes = begin(&loose);
        assert_int_equal(claim(outcomes, "key"), CLAIM_NEW);
        const uint64_t number = outcome_number(got.outcome);
        assert_true(number > 0);
        struct outcome *const running = got.outcome;
        assert_int_equal(claim_as(outcomes, "one", "key", 'y'), CLAIM_OTHER);
        outcome_drop(outcomes, running);
        assert_int_equal(claim_as(outcomes, "one", "key", 'y'), CLAIM_NEW);
        assert_true(outcome_number(got.outcome) > number);
        outcome_leave(outcomes, got.outcome);
        assert_int_equal(claim(outcomes, "key"), CLAIM_OTHER);
        assert_int_equal(claim_as(outcomes, "one", "key", 'y'), CLAIM_INTERRUPTED);
        keep(outcomes, got.outcome, "{}");
        assert_int_equal(claim_as(outcomes, "one", "key", 'y'), CLAIM_DONE);
        done(outcomes);
}

static void keeps_accounts_apart(void **state)
{
        (void)state;
        struct outcomes *const outcomes =
                begin(&(struct outcome_bounds){ .count = 2, .bytes = 8192, .age_ns = loose.age_ns });
        make_as(outcomes, "one", "key", "of one");
        make_as(outcomes, "", "key", "of nobody");
        make_as(outcomes, "two", "key", "of two");
        make_as(outcomes, "two", "more", "of two");
        make_as(outcomes, "two", "most", "of two");
        assert_int_equal(claim(outcomes, "key"), CLAIM_DONE);
        assert_memory_equal(got.reply.body, "of one", 6);
        assert_int_equal(claim_as(outcomes, "", "key", 'x'), CLAIM_DONE);
        assert_memory_equal(got.reply.body, "of nobody", 9);
        assert_false(outcomes_have(outcomes, "two", "key"));
        done(outcomes);
}

static void bounds_their_number(void **state)
{
        (void)state;
        struct outcomes *const outcomes =
                begin(&(struct outcome_bounds){ .count = 3, .bytes = 1 << 20, .age_ns = loose.age_ns });
        static const char *const keys[] = { "a", "b", "c", "d", "e" };
        for (int i = 0; i < 5; i++)
                make(outcomes, keys[i]);
        for (int i = 0; i < 5; i++)
                assert_int_equal(outcomes_have(outcomes, "one", keys[i]), i >= 2);
        /* What runs stays, and what ends last is youngest. */
        assert_int_equal(claim(outcomes, "old"), CLAIM_NEW);
        struct outcome *const old = got.outcome;
        make(outcomes, "f");
        make(outcomes, "g");
        assert_true(outcomes_have(outcomes, "one", "old"));
        keep(outcomes, old, "{}");
        make(outcomes, "h");
        assert_false(outcomes_have(outcomes, "one", "f"));
        assert_true(outcomes_have(outcomes, "one", "old"));
        done(outcomes);
}

static void bounds_what_runs(void **state)
{
        (void)state;
        struct outcomes *const outcomes =
                begin(&(struct outcome_bounds){ .count = 2, .bytes = 1 << 20, .age_ns = loose.age_ns });
        assert_int_equal(claim(outcomes, "a"), CLAIM_NEW);
        struct outcome *const first = got.outcome;
        assert_int_equal(claim(outcomes, "b"), CLAIM_NEW);
        assert_int_equal(claim(outcomes, "c"), CLAIM_FULL);
        assert_int_equal(claim_as(outcomes, "two", "c", 'x'), CLAIM_NEW);
        outcome_leave(outcomes, first);
        assert_int_equal(claim(outcomes, "c"), CLAIM_NEW);
        assert_false(outcomes_have(outcomes, "one", "a"));
        done(outcomes);
}

static void bounds_their_bytes(void **state)
{
        (void)state;
        struct outcomes *const outcomes =
                begin(&(struct outcome_bounds){ .count = 100, .bytes = 12288, .age_ns = loose.age_ns });
        static char body[4001];
        memset(body, 'b', sizeof body - 1);
        make_as(outcomes, "one", "a", body);
        make_as(outcomes, "one", "b", body);
        make_as(outcomes, "one", "c", body);
        assert_true(outcomes_have(outcomes, "one", "a"));
        make_as(outcomes, "one", "d", "x");
        assert_false(outcomes_have(outcomes, "one", "a"));
        assert_true(outcomes_have(outcomes, "one", "b"));
        make_as(outcomes, "one", "e", body);
        assert_false(outcomes_have(outcomes, "one", "b"));
        assert_int_equal(claim(outcomes, "c"), CLAIM_DONE);
        done(outcomes);
}

/* With the first claim after their time. */
static void bounds_their_age(void **state)
{
        (void)state;
        struct outcomes *const outcomes =
                begin(&(struct outcome_bounds){ .count = 100, .bytes = 1 << 20, .age_ns = 20 * CALLER_MS });
        make(outcomes, "a");
        make_as(outcomes, "two", "b", "{}");
        assert_int_equal(claim(outcomes, "c"), CLAIM_NEW);
        struct outcome *const running = got.outcome;
        caller_pass_time(waiter, 25 * CALLER_MS);
        assert_int_equal(claim(outcomes, "a"), CLAIM_NEW);
        assert_false(outcomes_have(outcomes, "two", "b"));
        keep(outcomes, running, "{}");
        assert_int_equal(claim(outcomes, "c"), CLAIM_DONE);
        done(outcomes);
}

/* The pool is everybody's: who takes the last slot takes the oldest outcome's, whoever has it. */
static void bounds_all_together(void **state)
{
        (void)state;
        const struct outcome_bounds bounds = { .count = MANY, .bytes = 1 << 24, .age_ns = loose.age_ns };
        struct outcomes *const outcomes = begin(&bounds);
        char key[32];
        make_as(outcomes, "two", "oldest", "{}");
        int count = 0;
        for (; count < MANY && outcomes_have(outcomes, "two", "oldest"); count++) {
                snprintf(key, sizeof key, "key %d", count);
                make(outcomes, key);
        }
        assert_true(count > 30000 && count <= 1 << 16);
        assert_true(outcomes_have(outcomes, "one", "key 0"));
        assert_true(outcomes_have(outcomes, "one", key));
        make(outcomes, "one more");
        assert_false(outcomes_have(outcomes, "one", "key 0"));
        done(outcomes);
}

static void end_kept(struct outcomes *outcomes, struct outcome *outcome)
{
        keep(outcomes, outcome, "{}");
}

static const struct ending {
        const char *name;
        void (*end)(struct outcomes *outcomes, struct outcome *outcome);
        enum claim claim; /* of the first joiner then */
} endings[] = {
        { "joined, and kept", end_kept, CLAIM_DONE },
        { "joined, and dropped", outcome_drop, CLAIM_NEW },
        { "joined, and left", outcome_leave, CLAIM_INTERRUPTED },
};

/* One has joined, and waits; one has gone again; one is about to wait. */
static void joins(void **state)
{
        const struct ending *const ending = *state;
        struct outcomes *const outcomes = begin(&loose);
        struct caller waits[2];
        struct joiner joiners[3];
        uint64_t tickets[2];
        const uint8_t fingerprint[FINGERPRINT_SIZE] = { 'x' };
        const struct outcome_key key = { .owner = "one", .text = "key", .fingerprint = fingerprint };
        assert_int_equal(claim(outcomes, "key"), CLAIM_NEW);
        struct outcome *const running = got.outcome;
        for (int i = 0; i < 3; i++)
                assert_int_equal(
                        outcomes_claim(outcomes, &key, &got.outcome, &got.reply, &joiners[i]), CLAIM_RUNNING);
        outcomes_part(outcomes, &joiners[1]);
        outcomes_part(outcomes, &joiners[1]);
        for (int i = 0; i < 2; i++) {
                caller_set(&waits[i], NULL, DIRECTION_RECEIVE);
                assert_true(waiter_enter_detached(waiter, &waits[i].wait, &tickets[i]));
        }
        outcomes_await(outcomes, &joiners[0], tickets[0]);
        assert_false(caller_is_woken(&waits[0]));
        ending->end(outcomes, running);
        assert_true(caller_await(&waits[0]));
        assert_int_equal(waits[0].wait.end, WAIT_FINISHED);
        assert_false(caller_is_woken(&waits[1]));
        outcomes_await(outcomes, &joiners[2], tickets[1]);
        assert_true(caller_await(&waits[1]));
        outcomes_part(outcomes, &joiners[0]);
        outcomes_part(outcomes, &joiners[2]);
        assert_int_equal(claim(outcomes, "key"), ending->claim);
        if (got.outcome != NULL)
                outcome_drop(outcomes, got.outcome);
        done(outcomes);
}

/* Many threads with few keys. */
enum { THREADS = 8, ROUNDS = 2000, KEYS = 5, ROUNDS_EACH = 50, KEYS_MADE = ROUNDS / ROUNDS_EACH * KEYS };
static struct {
        struct outcomes *outcomes;
        _Atomic int running[KEYS_MADE], runs; /* by key */
} crowd;

static void crowd_wait(struct joiner *joiner)
{
        struct caller caller;
        uint64_t ticket;
        caller_set(&caller, NULL, DIRECTION_RECEIVE);
        if (waiter_enter_detached(waiter, &caller.wait, &ticket)) {
                outcomes_await(crowd.outcomes, joiner, ticket);
                assert_true(caller_await(&caller));
        }
        outcomes_part(crowd.outcomes, joiner);
}

static void crowd_run(struct outcome *outcome, int key, int round)
{
        static void (*const ends[])(
                struct outcomes *, struct outcome *) = { end_kept, outcome_drop, outcome_leave };
        assert_int_equal(++crowd.running[key], 1);
        crowd.runs++;
        crowd.running[key]--;
        ends[round % 3](crowd.outcomes, outcome);
}

static void *crowd_member(void *context)
{
        (void)context;
        for (int round = 0; round < ROUNDS; round++) {
                const int key = round / ROUNDS_EACH * KEYS + round % KEYS;
                char text[32];
                snprintf(text, sizeof text, "%d", key);
                const uint8_t fingerprint[FINGERPRINT_SIZE] = { 'x' };
                const struct outcome_key wanted = {
                        .owner = "one", .text = text, .fingerprint = fingerprint
                };
                struct outcome *outcome = NULL;
                struct outcome_reply reply = { .status = 0 };
                struct joiner joiner = { .ticket = 0 };
                const enum claim claimed = outcomes_claim(crowd.outcomes, &wanted, &outcome, &reply, &joiner);
                assert_int_not_equal(claimed, CLAIM_OTHER);
                if (claimed == CLAIM_RUNNING)
                        crowd_wait(&joiner);
                else if (outcome != NULL)
                        crowd_run(outcome, key, round);
                free(reply.body);
        }
        return NULL;
}

static void has_one_run_at_a_time(void **state)
{
        pthread_t threads[THREADS];
        (void)state;
        crowd.outcomes =
                begin(&(struct outcome_bounds){ .count = 20, .bytes = 1 << 20, .age_ns = loose.age_ns });
        for (int i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, crowd_member, NULL), 0);
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        assert_true(crowd.runs >= KEYS_MADE);
        done(crowd.outcomes);
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        ROWS_ADD(&all, keeps, sizes);
        rows_add_one(&all, "begins anew", begins_anew);
        rows_add_one(&all, "accounts are apart", keeps_accounts_apart);
        rows_add_one(&all, "a bound of their number", bounds_their_number);
        rows_add_one(&all, "a bound of what runs", bounds_what_runs);
        rows_add_one(&all, "a bound of their bytes", bounds_their_bytes);
        rows_add_one(&all, "a bound of their age", bounds_their_age);
        ROWS_ADD(&all, joins, endings);
        rows_add_one(&all, "one run at a time", has_one_run_at_a_time);
        rows_add_one(&all, "a bound of all together", bounds_all_together);
        const int failed = rows_run("outcome", &all);
        waiter_free(waiter);
        return failed;
}
