/* test_account.c: what accounts take, give back, and are refused. */
#include "daemon/sockets/account.h"

#include <pthread.h>

#include "tests/unit/rows.h"

static const int64_t SECOND_NS = 1000000000;

struct take_row {
        const char *name;
        size_t each, all; /* limits */
        size_t others;    /* what another account has taken */
        size_t amount;
        bool taken;
};

static const struct take_row take_rows[] = {
        { "no limits", .amount = SIZE_MAX / 2, .taken = true },
        { "up to its own limit", .each = 5, .amount = 5, .taken = true },
        { "past its own limit", .each = 5, .amount = 6, .taken = false },
        { "up to everyone's limit", .all = 5, .others = 2, .amount = 3, .taken = true },
        { "past everyone's limit", .all = 5, .others = 2, .amount = 4, .taken = false },
        { "all others' is not its own", .each = 5, .others = 5, .amount = 5, .taken = true },
        { "more than there can be", .each = 5, .amount = SIZE_MAX, .taken = false },
        { "nothing, when all is taken", .all = 2, .others = 2, .amount = 0, .taken = true },
};

static void takes(void **state)
{
        const struct take_row *const row = *state;
        const struct limits each = { .most = { [RESOURCE_BYTES] = row->each } };
        const struct limits all = { .most = { [RESOURCE_BYTES] = row->all } };
        struct accounts *const accounts = accounts_new(&each, &all);
        struct account *const other = accounts_find(accounts, "other"), *const one = accounts_find(
                                                                                accounts, "one");
        assert_true(account_take(other, RESOURCE_BYTES, row->others));
        assert_int_equal(account_take(one, RESOURCE_BYTES, row->amount), row->taken);
        assert_int_equal(one->used[RESOURCE_BYTES], row->taken ? row->amount : 0);
        if (row->taken)
                account_give_back(one, RESOURCE_BYTES, row->amount);
        account_give_back(other, RESOURCE_BYTES, row->others);
        assert_true(account_has_room(one, RESOURCE_BYTES));
        assert_int_equal(account_take(one, RESOURCE_BYTES, row->amount), row->taken || row->others > 0);
        accounts_free(accounts);
}

static void adds_past_the_limit(void **state)
{
        (void)state;
        const struct limits each = { .most = { [RESOURCE_BYTES] = 4 } }, all = { .requests_per_s = 0 };
        struct accounts *const accounts = accounts_new(&each, &all);
        struct account *const one = accounts_find(accounts, "one");
        assert_true(account_has_room(one, RESOURCE_BYTES));
        account_add(one, RESOURCE_BYTES, 10);
        assert_false(account_has_room(one, RESOURCE_BYTES));
        assert_false(account_take(one, RESOURCE_BYTES, 1));
        assert_int_equal(account_over(RESOURCE_BYTES).kind, RESULT_QUOTA);
        account_give_back(one, RESOURCE_BYTES, 10);
        assert_true(account_take(one, RESOURCE_BYTES, 4));
        accounts_free(accounts);
}

static void one_per_name(void **state)
{
        (void)state;
        const struct limits none = { .requests_per_s = 0 };
        struct accounts *const accounts = accounts_new(&none, &none);
        assert_ptr_equal(accounts_find(accounts, "a"), accounts_find(accounts, "a"));
        assert_ptr_not_equal(accounts_find(accounts, "a"), accounts_find(accounts, "b"));
        assert_string_equal(accounts_find(accounts, "b")->name, "b");
        accounts_free(accounts);
}

static void nobody_has_no_limits(void **state)
{
        (void)state;
        int64_t wait_ns;
        assert_true(account_take(NULL, RESOURCE_SOCKETS, SIZE_MAX));
        account_add(NULL, RESOURCE_SOCKETS, 1);
        account_give_back(NULL, RESOURCE_SOCKETS, 1);
        assert_true(account_has_room(NULL, RESOURCE_SOCKETS));
        assert_true(account_admit(NULL, 0, &wait_ns));
}

/* A second's worth at once, then one for each that becomes due. */
static void admits_at_a_rate(void **state)
{
        (void)state;
        const struct limits each = { .requests_per_s = 10 }, all = { .requests_per_s = 0 };
        struct accounts *const accounts = accounts_new(&each, &all);
        struct account *const one = accounts_find(accounts, "one");
        int64_t wait_ns = 0, now_ns = 5 * SECOND_NS;
        for (int i = 0; i < 10; i++)
                assert_true(account_admit(one, now_ns, &wait_ns));
        assert_false(account_admit(one, now_ns, &wait_ns));
        assert_int_equal(wait_ns, SECOND_NS / 10);
        assert_true(account_admit(accounts_find(accounts, "other"), now_ns, &wait_ns));
        assert_false(account_admit(one, now_ns + SECOND_NS / 10 - 1, &wait_ns));
        assert_true(account_admit(one, now_ns + SECOND_NS / 10, &wait_ns));
        assert_false(account_admit(one, now_ns + SECOND_NS / 10, &wait_ns));
        now_ns += 100 * SECOND_NS;
        int admitted = 0;
        while (account_admit(one, now_ns, &wait_ns))
                admitted++;
        assert_int_equal(admitted, 10);
        accounts_free(accounts);
}

enum { THREADS = 4, ROUNDS = 20000, MOST = 3 };

static void *take_and_give_back(void *context)
{
        for (int i = 0; i < ROUNDS; i++)
                if (account_take(context, RESOURCE_PARKED, 1)) {
                        assert_true(((struct account *)context)->used[RESOURCE_PARKED] <= MOST + THREADS);
                        account_give_back(context, RESOURCE_PARKED, 1);
                }
        return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
        (void)state;
        const struct limits each = { .most = { [RESOURCE_PARKED] = MOST } }, all = each;
        struct accounts *const accounts = accounts_new(&each, &all);
        struct account *const one = accounts_find(accounts, "one");
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
                pthread_create(&threads[i], NULL, take_and_give_back, one);
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(one->used[RESOURCE_PARKED], 0);
        assert_true(account_take(one, RESOURCE_PARKED, MOST));
        accounts_free(accounts);
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        ROWS_ADD(&all, takes, take_rows);
        rows_add_one(&all, "adds past the limit", adds_past_the_limit);
        rows_add_one(&all, "one per name", one_per_name);
        rows_add_one(&all, "nobody has no limits", nobody_has_no_limits);
        rows_add_one(&all, "admits at a rate", admits_at_a_rate);
        rows_add_one(&all, "nothing is lost between threads", nothing_is_lost_between_threads);
        return rows_run("account", &all);
}
