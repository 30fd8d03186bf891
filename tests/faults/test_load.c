/* test_load.c: system calls of the daemon fail while clients are at work: it lives on, says what failed,
 * and loses nothing. Prints a table. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/means.h"
#include "tests/http/suite.h"
#include "tests/load/load.h"

enum {
        WARM_MS = 10000,
        STEP_US = 10000,
        LEAST_MS = 300,
        MOST_MS = 3000,
        UNCOUNTED_MS = 1000,
        ENOUGH = 100,
        CALM_MS = 20000
};

/* What clients may see of it, and what the last row says of it. */
struct row {
        const char *name;
        struct fault fault;
        struct allowance allowance;
        bool reported; /* and they must see it */
        bool early;    /* from the first call on, of a daemon of its own */
};

#define TRANSFERS                                                                                            \
        (FAULT_OF(recv) | FAULT_OF(recvfrom) | FAULT_OF(recvmsg) | FAULT_OF(recvmmsg) | FAULT_OF(send) |     \
                FAULT_OF(sendto) | FAULT_OF(sendmsg) | FAULT_OF(sendmmsg))
#define SENDS (FAULT_OF(send) | FAULT_OF(sendto) | FAULT_OF(sendmsg) | FAULT_OF(sendmmsg))
#define RECEIVES (FAULT_OF(recv) | FAULT_OF(recvfrom) | FAULT_OF(recvmsg) | FAULT_OF(recvmmsg))

static const struct row built_rows[] = {
        { .name = "EINTR, receiving",
                .fault = { .calls = RECEIVES, .error = EINTR, .every = 2, .whose = FAULT_OURS } },
        { .name = "EINTR, sending",
                .fault = { .calls = SENDS, .error = EINTR, .every = 2, .whose = FAULT_OURS } },
        { .name = "EINTR, accept",
                .fault = { .calls = FAULT_OF(accept4), .error = EINTR, .every = 2, .whose = FAULT_OURS } },
        { .name = "EINTR, waiting",
                .fault = { .calls = FAULT_OF(epoll_pwait2) | FAULT_OF(epoll_wait) | FAULT_OF(poll),
                        .error = EINTR,
                        .every = 2,
                        .whose = FAULT_OURS } },
        { .name = "EINTR, splice",
                .fault = { .calls = FAULT_OF(splice), .error = EINTR, .every = 2, .whose = FAULT_OURS } },
        { .name = "EINTR, libmicrohttpd",
                .fault = { .calls = TRANSFERS | FAULT_OF(epoll_wait),
                        .error = EINTR,
                        .every = 2,
                        .whose = FAULT_LIBRARY } },
        { .name = "short transfers",
                .fault = { .calls = TRANSFERS, .cut = 7, .every = 1, .whose = FAULT_OURS } },
        { .name = "ECONNABORTED, accept",
                .fault = { .calls = FAULT_OF(accept4),
                        .error = ECONNABORTED,
                        .every = 2,
                        .whose = FAULT_OURS } },
        { .name = "EPROTO, accept",
                .fault = { .calls = FAULT_OF(accept4), .error = EPROTO, .every = 2, .whose = FAULT_OURS } },
        { .name = "EMFILE, accept",
                .fault = { .calls = FAULT_OF(accept4), .error = EMFILE, .every = 2, .whose = FAULT_OURS },
                .allowance = { .errno_names = { "EMFILE" } },
                .reported = true },
        { .name = "ENFILE, everything that makes descriptors",
                .fault = { .calls = FAULT_OF(accept4) | FAULT_OF(socket) | FAULT_OF(socketpair) |
                                    FAULT_OF(fcntl) | FAULT_OF(open) | FAULT_OF(pipe2),
                        .error = ENFILE,
                        .every = 2,
                        .whose = FAULT_OURS },
                .allowance = { .errno_names = { "ENFILE" } },
                .reported = true },
        { .name = "ENOBUFS, sending",
                .fault = { .calls = SENDS, .error = ENOBUFS, .every = 3, .whose = FAULT_OURS },
                .allowance = { .errno_names = { "ENOBUFS" } },
                .reported = true },
        { .name = "ENOMEM, receiving",
                .fault = { .calls = RECEIVES, .error = ENOMEM, .every = 3, .whose = FAULT_OURS },
                .allowance = { .errno_names = { "ENOMEM" } },
                .reported = true },
        { .name = "ENOMEM, epoll_ctl",
                .fault = { .calls = FAULT_OF(epoll_ctl), .error = ENOMEM, .every = 2, .whose = FAULT_OURS } },
        { .name = "EBUSY, dup3",
                .fault = { .calls = FAULT_OF(dup3), .error = EBUSY, .every = 1, .whose = FAULT_OURS } },
        { .name = "ENOBUFS, libmicrohttpd sending",
                .fault = { .calls = SENDS, .error = ENOBUFS, .every = 7, .whose = FAULT_LIBRARY },
                .allowance = { .drops = true } },
        { .name = "ENOMEM, libmicrohttpd receiving",
                .fault = { .calls = RECEIVES, .error = ENOMEM, .every = 7, .whose = FAULT_LIBRARY },
                .allowance = { .drops = true } },
        { .name = "ENOSPC, libmicrohttpd watching",
                .fault = { .calls = FAULT_OF(epoll_ctl),
                        .error = ENOSPC,
                        .every = 5,
                        .whose = FAULT_LIBRARY },
                .allowance = { .drops = true } },
        { .name = "ENOMEM, allocations",
                .fault = { .calls = FAULT_OF(malloc) | FAULT_OF(calloc) | FAULT_OF(realloc),
                        .error = ENOMEM,
                        .every = 50,
                        .whose = FAULT_OURS },
                .allowance = { .errno_names = { "ENOMEM" },
                        .quota = true,
                        .interrupted = true,
                        .drops = true } },
        { .name = "EAGAIN, pthread_create",
                .fault = { .calls = FAULT_OF(pthread_create),
                        .error = EAGAIN,
                        .every = 1,
                        .whose = FAULT_OURS | FAULT_LIBRARY },
                .allowance = { .quota = true },
                .early = true },
};

/* On any daemon. */
static const struct row real_rows[] = {
        { .name = "ENFILE, accept4 (strace)",
                .fault = { .inject = "accept4:error=ENFILE:when=1+3" },
                .allowance = { .errno_names = { "ENFILE" } },
                .reported = true },
        { .name = "ECONNABORTED, accept4 (strace)",
                .fault = { .inject = "accept4:error=ECONNABORTED:when=1+2" } },
        { .name = "EINTR, recvfrom (strace)", .fault = { .inject = "recvfrom:error=EINTR:when=1+3" } },
        { .name = "ENOMEM, recvmsg (strace)",
                .fault = { .inject = "recvmsg:error=ENOMEM:when=1+3" },
                .allowance = { .errno_names = { "ENOMEM" } },
                .reported = true },
        { .name = "ENOBUFS, sendto and replies (strace)",
                .fault = { .inject = "sendto:error=ENOBUFS:when=1+5" },
                .allowance = { .errno_names = { "ENOBUFS" }, .drops = true } },
        { .name = "EMFILE, RLIMIT_NOFILE lowered (prlimit)",
                .fault = { .resource = RLIMIT_NOFILE, .limit = 30 },
                .allowance = { .errno_names = { "EMFILE" } },
                .reported = true },
        { .name = "ENOMEM, RLIMIT_AS lowered (prlimit)",
                .fault = { .resource = RLIMIT_AS, .limit = 1 << 20 },
                .allowance = { .errno_names = { "ENOMEM" },
                        .quota = true,
                        .interrupted = true,
                        .drops = true },
                .reported = true },
};

/* Where replies are lost with their connections, only careful clients lose nothing else. */
static const struct job *const all_jobs[] = { &job_stream, &job_forward, &job_bulk, &job_datagrams,
        &job_messages, &job_watched, &job_accepts, &job_echo, &job_relay, &job_life, &job_batch,
        &job_sessions, &job_park, &job_careful_stream, &job_careful_datagrams };
static const struct job *const careful_jobs[] = { &job_careful_stream, &job_careful_datagrams,
        &job_careful_messages, &job_careful_accepts, &job_careful_echo, &job_careful_relay, &job_careful_life,
        &job_careful_batch, &job_careful_sessions, &job_hungry };

/* What came of the rows, for the table. */
static struct outcome {
        const struct row *row;
        const char *reason; /* why it was not tried, or NULL */
        unsigned failed, in_flight;
        uint64_t lost, doubled;
} outcomes[COUNT(built_rows) + COUNT(real_rows)];
static size_t outcome_count;

/* Until each flow has got somewhere. False after a complaint. */
static bool warm(struct load *load)
{
        const int64_t deadline = milliseconds() + WARM_MS;
        for (size_t i = 0; i < load->flow_count && load->complaint[0] == '\0';) {
                struct flow *const flow = &load->flows[i];
                if (flow->job == &job_park || flow->job->take == NULL || flow->taken > 0)
                        i++;
                else if (milliseconds() < deadline)
                        pause_us(STEP_US);
                else
                        complain(&flow->giver, "gets nowhere");
        }
        return load->complaint[0] == '\0';
}

/* Until enough calls have failed; not for long. */
static void wait_enough(const struct means *means, const struct fault *fault)
{
        const int64_t began = milliseconds();
        for (int64_t now = began; now < began + MOST_MS; now = milliseconds()) {
                const bool enough =
                        fault->calls == 0 ? now > began + UNCOUNTED_MS : means_count(means) >= ENOUGH;
                if (enough && now > began + LEAST_MS)
                        break;
                pause_us(STEP_US);
        }
}

/* The load, with the fault somewhere in the middle of it, or from its first call on. */
static void run_load(
        struct load *load, const struct daemon *daemon, const struct row *row, struct outcome *outcome)
{
        struct means *means = NULL;
        load->faulty = row->early;
        if (row->early)
                means = means_begin(daemon, &row->fault, &outcome->reason);
        const bool drops = row->allowance.drops;
        const bool started = drops ? load_start(load, daemon, careful_jobs, COUNT(careful_jobs))
                                   : load_start(load, daemon, all_jobs, COUNT(all_jobs));
        const bool warmed = started && (row->early || warm(load));
        load->faulty = true;
        if (warmed && !row->early)
                means = means_begin(daemon, &row->fault, &outcome->reason);
        if (means != NULL) {
                wait_enough(means, &row->fault);
                /* A call that strace has in hand when it lets go fails with ENOSYS. */
                if (row->fault.inject != NULL)
                        load_hold(load);
                outcome->failed = means_end(means);
                load_let_go(load);
        }
        load->faulty = false;
        load_stop(load);
}

/* Those of interrupted batches are left to whoever looks. libmicrohttpd keeps a connection whose reply it had
 * to cut short until its thread has something else to do, or for 15 s. */
static void expect_descriptors(const struct daemon *daemon, long before)
{
        const int64_t deadline = milliseconds() + CALM_MS;
        while (daemon_descriptors(daemon) > before)
                if (milliseconds() > deadline)
                        fail_msg("%ld descriptors, not %ld", daemon_descriptors(daemon), before);
                else
                        pause_us(STEP_US);
}

static void try_row(const struct row *row, const struct daemon *daemon)
{
        static struct load load;
        struct outcome *const outcome = &outcomes[outcome_count++];
        outcome->row = row;
        load = (struct load){ .allowance = row->allowance };
        const long descriptors = daemon_descriptors(daemon);
        run_load(&load, daemon, row, outcome);
        outcome->in_flight = load.in_flight;
        outcome->lost = load_lost(&load);
        outcome->doubled = load_doubled(&load);
        if (row->fault.limit != 0)
                outcome->failed = load.refused;
        assert_string_equal(load.complaint, "");
        assert_int_equal(outcome->lost, 0);
        assert_int_equal(outcome->doubled, 0);
        if (outcome->reason != NULL)
                skip();
        if (outcome->failed == 0 || (row->reported && load.refused == 0))
                fail_msg("%u calls failed, clients saw %u of them", outcome->failed, load.refused);
        if (!row->allowance.interrupted)
                expect_descriptors(daemon, descriptors);
}

static void play_row(struct stage *stage, const void *context)
{
        const struct row *const row = context;
        struct stage own;
        if (!row->early) {
                try_row(row, stage->daemon);
                return;
        }
        stage_open(&own, NULL);
        try_row(row, own.daemon);
        stage_close(&own, stage);
        daemon_stop(own.daemon);
}

static void print_table(void)
{
        printf("%-44s %8s %10s %6s %8s\n", "fault", "injected", "in flight", "lost", "doubled");
        for (size_t i = 0; i < outcome_count; i++) {
                const struct outcome *const outcome = &outcomes[i];
                if (outcome->reason != NULL)
                        printf("%-44s not tried: %s\n", outcome->row->name, outcome->reason);
                else
                        printf("%-44s %8u %10u %6llu %8llu\n", outcome->row->name, outcome->failed,
                                outcome->in_flight, (unsigned long long)outcome->lost,
                                (unsigned long long)outcome->doubled);
        }
}

int main(int argc, char **argv)
{
        const bool built = argc > 1 && strcmp(argv[1], "built") == 0;
        means_open();
        if (built)
                SUITE_ADD_ROWS(play_row, built_rows);
        else
                SUITE_ADD_ROWS(play_row, real_rows);
        const int failed = suite_run("faults", NULL);
        print_table();
        means_close();
        return failed;
}
