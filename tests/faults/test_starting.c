/* test_starting.c: each call in turn that the daemon makes while it starts fails: it says so and ends, or
 * serves all the same; and leaves nothing behind that keeps the next one from starting. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/faults/means.h"
#include "tests/http/check.h"

enum { DEADLINE_MS = 30000, FIRST_MOST = 2000, TOKEN_FILE_SIZE = 65 };

/* Only the daemon's own leaks count. Read by the address sanitizer, if any. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
        return "detect_leaks=0";
}

/* What is to fail: once by once, or, of what is called often, in steps. */
static const struct row {
        const char *name;
        uint64_t calls;
        int error;
        unsigned step;
} rows[] = {
        { "descriptors",
                FAULT_OF(open) | FAULT_OF(socket) | FAULT_OF(epoll_create1) | FAULT_OF(eventfd) |
                        FAULT_OF(memfd_create),
                EMFILE, 1 },
        { "addresses", FAULT_OF(bind) | FAULT_OF(listen), ENOBUFS, 1 },
        { "threads", FAULT_OF(pthread_create), EAGAIN, 1 },
        { "watching", FAULT_OF(epoll_ctl), ENOSPC, 1 },
        { "memory", FAULT_OF(malloc) | FAULT_OF(calloc) | FAULT_OF(realloc), ENOMEM, 1 },
};

/* One start, and how it went. */
struct start {
        char directory[32], socket_path[64], token_path[64], log_path[64];
        pid_t pid;
        int process, output; /* a pidfd; what it prints */
};

static void become(const struct start *start, int output)
{
        const char *const line[] = { "sockwrightd", "--unix", start->socket_path, "--listen", "127.0.0.1:0",
                "--threads", "2", "--token-file", start->token_path, NULL };
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int log = open(start->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (log < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
                _exit(126);
        const char *const program = getenv("SOCKWRIGHTD");
        execv(program == NULL ? SOCKWRIGHTD : program, (char *const *)(const void *)line);
        _exit(127);
}

static void begin(struct start *start)
{
        int ends[2];
        assert_return_code(pipe2(ends, O_CLOEXEC), errno);
        start->pid = fork();
        assert_return_code(start->pid, errno);
        if (start->pid == 0)
                become(start, ends[1]);
        close(ends[1]);
        start->output = ends[0];
        start->process = pidfd_open(start->pid, 0);
        assert_return_code(start->process, errno);
}

/* Whether it came to serve; else it has ended. */
static bool serves(const struct start *start)
{
        char text[4096] = "";
        size_t size = 0;
        for (ssize_t got = 1;
                got > 0 && strstr(text, "/v1/sockets\n  curl -H") == NULL && strstr(text, "Bearer") == NULL;
                size += (size_t)got) {
                struct pollfd ready = { .fd = start->output, .events = POLLIN };
                if (poll(&ready, 1, DEADLINE_MS) != 1)
                        fail_msg("it neither serves nor ends");
                got = read(start->output, text + size, sizeof text - 1 - size);
                if (got < 0)
                        got = 0;
        }
        return strstr(text, "Bearer") != NULL;
}

static int finish(const struct start *start)
{
        struct pollfd ended = { .fd = start->process, .events = POLLIN };
        int status = 0;
        if (poll(&ended, 1, DEADLINE_MS) != 1)
                kill(start->pid, SIGKILL);
        waitpid(start->pid, &status, 0);
        close(start->process);
        close(start->output);
        return status;
}

static void make_place(struct start *out)
{
        *out = (struct start){ .directory = "/tmp/sockwright-test.XXXXXX" };
        assert_non_null(mkdtemp(out->directory));
        snprintf(out->socket_path, sizeof out->socket_path, "%s/s", out->directory);
        snprintf(out->token_path, sizeof out->token_path, "%s/token", out->directory);
        snprintf(out->log_path, sizeof out->log_path, "%s/log", out->directory);
}

/* A token file is whole, or not there; no socket is left. */
static void expect_tidy(const struct start *start)
{
        char *const token = file_read(start->token_path);
        const size_t size = token == NULL ? TOKEN_FILE_SIZE : strlen(token);
        free(token);
        assert_int_equal(size, TOKEN_FILE_SIZE);
        assert_int_equal(access(start->socket_path, F_OK), -1);
}

/* Of a sanitizer. */
static bool has_report(const char *log)
{
        return strstr(log, "Sanitizer") != NULL || strstr(log, "runtime error:") != NULL;
}

/* Whether a call has failed in this start: else there are no more of them. */
static bool start_once(const struct row *row, unsigned first)
{
        struct start start;
        const struct fault fault = {
                .calls = row->calls, .error = row->error, .every = first, .whose = FAULT_OURS | FAULT_LIBRARY
        };
        const char *reason = NULL;
        make_place(&start);
        struct means *const means = means_begin(NULL, &fault, &reason);
        begin(&start);
        const bool served = serves(&start);
        const unsigned failed = means_end(means);
        if (served)
                kill(start.pid, SIGTERM);
        const int status = finish(&start);
        char *const log = file_read(start.log_path);
        const int wanted = served ? EXIT_SUCCESS : EXIT_FAILURE;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != wanted || has_report(log) ||
                (!served && strstr(log, "error: ") == NULL))
                fail_msg("each %uth fails: served %d, wait status %#x: %s", first, served, (unsigned)status,
                        log);
        free(log);
        expect_tidy(&start);
        directory_remove(start.directory);
        return failed > 0;
}

static void play_row(void **state)
{
        const struct row *const row = *state;
        unsigned first = 1;
        while (start_once(row, first) && first < FIRST_MOST)
                first += row->step;
        print_message("%u calls failed in turn\n", first / row->step);
        assert_true(first > 1);
}

int main(void)
{
        struct CMUnitTest tests[COUNT(rows)];
        for (size_t i = 0; i < COUNT(rows); i++)
                tests[i] = (struct CMUnitTest){ .name = rows[i].name,
                        .test_func = play_row,
                        .initial_state = (void *)(uintptr_t)&rows[i] };
        cmocka_set_test_filter(getenv("SCENARIO"));
        means_open();
        const int failed = _cmocka_run_group_tests("starting", tests, COUNT(tests), NULL, NULL);
        means_close();
        return failed;
}
