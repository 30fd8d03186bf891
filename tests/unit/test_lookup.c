/* test_lookup.c: names and addresses are resolved in the background, and whoever waits may leave first. */
#include "daemon/sockets/lookup.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

#include "daemon/sockets/background.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/waiter.h"
#include "tests/unit/rows.h"

static const int64_t LONG_NS = 60000000000;

/* A wait that a semaphore tells the end of. */
struct sleeper {
        struct wait wait; /* first, so that a wait is its sleeper */
        sem_t woken;
};

static struct waiter *waiter;

static bool park_long(struct wait *wait)
{
        wait->deadline_ns = now_ns() + LONG_NS;
        return true;
}

static void wake(struct wait *wait)
{
        sem_post(&((struct sleeper *)wait)->woken);
}

static void sleep_until_woken(struct sleeper *sleeper)
{
        while (sem_wait(&sleeper->woken) != 0)
                assert_int_equal(errno, EINTR);
        sem_destroy(&sleeper->woken);
}

static void run_to_the_end(struct lookup *lookup)
{
        struct sleeper sleeper = { .wait = { .client_fd = -1, .park = park_long, .wake = wake } };
        uint64_t ticket = 0;
        assert_non_null(lookup);
        assert_null(lookup_outcome(lookup));
        sem_init(&sleeper.woken, 0, 0);
        assert_true(waiter_enter_detached(waiter, &sleeper.wait, &ticket));
        lookup_start(lookup, waiter, ticket);
        sleep_until_woken(&sleeper);
        assert_int_equal(sleeper.wait.end, WAIT_FINISHED);
        assert_non_null(lookup_outcome(lookup));
}

struct name_row {
        const char *name;
        const char *host, *service;
        int family, flags;
        int code;          /* EAI_…, or 0 */
        const char *first; /* the first address with port 7, or NULL */
};

static const struct name_row name_rows[] = {
        { "numeric IPv4", "127.0.0.1", NULL, AF_UNSPEC, AI_NUMERICHOST, 0, "127.0.0.1:7" },
        { "numeric IPv6", "::1", NULL, AF_UNSPEC, AI_NUMERICHOST, 0, "[::1]:7" },
        { "localhost as IPv4", "localhost", NULL, AF_INET, 0, 0, "127.0.0.1:7" },
        { "only a service", NULL, "80", AF_INET, AI_PASSIVE, 0, "0.0.0.0:7" },
        { "name where a number must be", "localhost", NULL, AF_INET, AI_NUMERICHOST, EAI_NONAME, NULL },
        { "nothing asked for", NULL, NULL, AF_UNSPEC, 0, EAI_NONAME, NULL },
        { "flags that are none", "localhost", NULL, AF_UNSPEC, 0x40000000, EAI_BADFLAGS, NULL },
        { "family that is none", "127.0.0.1", NULL, 77, 0, EAI_FAMILY, NULL },
};

static void resolve_names(void **state)
{
        const struct name_row *const row = *state;
        const struct addrinfo hints = {
                .ai_family = row->family, .ai_flags = row->flags, .ai_socktype = SOCK_STREAM
        };
        lookup_auto struct lookup *lookup = lookup_new_names(row->host, row->service, &hints);
        struct address address = { .port = 4711 };
        char text[ADDRESS_TEXT_SIZE];
        run_to_the_end(lookup);
        assert_int_equal(lookup_outcome(lookup)->code, row->code);
        const struct result result = lookup_first_address(lookup, 7, &address);
        if (row->code != 0) {
                assert_int_equal(result.kind, RESULT_REFUSED);
                assert_int_equal(result.error, row->code);
                assert_string_equal(result.call, "getaddrinfo");
                assert_string_equal(result.detail, gai_strerror(row->code));
                assert_int_equal(address.port, 4711);
                return;
        }
        assert_int_equal(result.kind, RESULT_DONE);
        assert_string_equal(address_format(&address, text, sizeof text), row->first);
}

/* .invalid never exists (RFC 6761); without a network the resolver says "try again". */
static void no_such_host(void **state)
{
        (void)state;
        lookup_auto struct lookup *lookup = lookup_new_names("no-such-host.invalid", NULL, NULL);
        run_to_the_end(lookup);
        const int code = lookup_outcome(lookup)->code;
        assert_true(code == EAI_NONAME || code == EAI_AGAIN || code == EAI_FAIL || code == EAI_SYSTEM);
        assert_int_equal(lookup_result(lookup).kind, RESULT_REFUSED);
}

static void resolve_address(void **state)
{
        (void)state;
        struct address address;
        assert_int_equal(address_parse("127.0.0.1:80", &address).kind, RESULT_DONE);
        lookup_auto struct lookup *numeric = lookup_new_address(&address, NI_NUMERICHOST | NI_NUMERICSERV);
        lookup_auto struct lookup *named = lookup_new_address(&address, 0);
        run_to_the_end(numeric);
        run_to_the_end(named);
        assert_int_equal(lookup_result(numeric).kind, RESULT_DONE);
        assert_string_equal(lookup_outcome(numeric)->host, "127.0.0.1");
        assert_string_equal(lookup_outcome(numeric)->service, "80");
        assert_int_equal(lookup_outcome(named)->code, 0);
        assert_true(strlen(lookup_outcome(named)->host) > 0);
}

static void address_without_a_name(void **state)
{
        (void)state;
        const struct address odd = { .given = true, .size = 2, .storage.ss_family = AF_INET };
        lookup_auto struct lookup *lookup = lookup_new_address(&odd, 0);
        run_to_the_end(lookup);
        assert_int_equal(lookup_outcome(lookup)->code, EAI_FAMILY);
        assert_string_equal(lookup_result(lookup).call, "getnameinfo");
}

static void never_started(void **state)
{
        (void)state;
        const struct address address = { .given = true };
        lookup_release(lookup_new_names("localhost", "80", NULL));
        lookup_release(lookup_new_address(&address, 0));
        lookup_release(NULL);
}

/* The wait ends, and its call lets go, before, while and after the job runs. */
static void leave_early(void **state)
{
        (void)state;
        for (int turn = 0; turn < 200; turn++) {
                struct sleeper sleeper = { .wait = { .client_fd = -1, .park = park_long, .wake = wake } };
                uint64_t ticket = 0;
                struct lookup *const lookup = lookup_new_names("localhost", NULL, NULL);
                sem_init(&sleeper.woken, 0, 0);
                assert_true(waiter_enter_detached(waiter, &sleeper.wait, &ticket));
                lookup_start(lookup, waiter, ticket);
                waiter_complete(waiter, ticket);
                lookup_release(lookup);
                sleep_until_woken(&sleeper);
        }
}

/* Many at once: each ends with an outcome of its own. */
static void many_at_once(void **state)
{
        (void)state;
        enum { MANY = 100 };
        static struct sleeper sleepers[MANY];
        static struct lookup *lookups[MANY];
        for (int i = 0; i < MANY; i++) {
                uint64_t ticket = 0;
                sleepers[i] =
                        (struct sleeper){ .wait = { .client_fd = -1, .park = park_long, .wake = wake } };
                sem_init(&sleepers[i].woken, 0, 0);
                lookups[i] = lookup_new_names("127.0.0.1", NULL, NULL);
                assert_true(waiter_enter_detached(waiter, &sleepers[i].wait, &ticket));
                lookup_start(lookups[i], waiter, ticket);
        }
        for (int i = 0; i < MANY; i++) {
                sleep_until_woken(&sleepers[i]);
                assert_int_equal(lookup_outcome(lookups[i])->code, 0);
                lookup_release(lookups[i]);
        }
}

struct counting_job {
        struct background_job job;
        _Atomic int *count;
        _Atomic bool *signals_blocked;
};

static void count_job(struct background_job *job)
{
        struct counting_job *const counting = (struct counting_job *)job;
        sigset_t blocked;
        pthread_sigmask(SIG_SETMASK, NULL, &blocked);
        if (!sigismember(&blocked, SIGTERM))
                *counting->signals_blocked = false;
        (*counting->count)++;
        free(counting);
}

/* background_stop() drops no job, and a later submit starts anew. */
static void background_drops_none(void **state)
{
        (void)state;
        enum { JOBS = 1000 };
        _Atomic int count = 0;
        _Atomic bool signals_blocked = true;
        for (int round = 1; round <= 3; round++) {
                for (int i = 0; i < JOBS; i++) {
                        struct counting_job *const job = malloc(sizeof *job);
                        assert_non_null(job);
                        *job = (struct counting_job){
                                .job.run = count_job, .count = &count, .signals_blocked = &signals_blocked
                        };
                        background_submit(&job->job);
                }
                assert_true(background_stop(now_ns() + INT64_C(60000000000)));
                assert_int_equal(count, round * JOBS);
        }
        assert_true(signals_blocked);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, resolve_names, name_rows);
        rows_add_one(&all, "no such host", no_such_host);
        rows_add_one(&all, "resolve address", resolve_address);
        rows_add_one(&all, "address without a name", address_without_a_name);
        rows_add_one(&all, "never started", never_started);
        rows_add_one(&all, "leave early", leave_early);
        rows_add_one(&all, "many at once", many_at_once);
        rows_add_one(&all, "background drops none", background_drops_none);
        waiter = waiter_new(1024);
        if (waiter == NULL)
                return EXIT_FAILURE;
        const int failed = rows_run("lookup", &all);
        if (!background_stop(now_ns() + INT64_C(60000000000)))
                return EXIT_FAILURE;
        waiter_shut_down(waiter);
        waiter_free(waiter);
        return failed;
}
