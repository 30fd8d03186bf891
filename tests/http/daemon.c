/* daemon.c: starts the real sockwrightd as a process of its own, and stops it. */
#include "tests/http/daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/http/check.h"

enum { START_DEADLINE_MS = 30000, STOP_DEADLINE_MS = 30000, ARGUMENTS_MAX = 32, COMPLAINT_SIZE = 16384 };

static const char *const sanitizer_marks[] = {
        "ERROR: AddressSanitizer",
        "ERROR: LeakSanitizer",
        "WARNING: ThreadSanitizer",
        "runtime error:",
};

char *file_read(const char *path)
{
        FILE *const file = fopen(path, "re");
        if (!file)
                return NULL;
        char *text = NULL;
        size_t size = 0, capacity = 0, got = 0;
        do {
                size += got;
                if (capacity - size < 2) {
                        capacity = capacity ? 2 * capacity : 4096;
                        char *const larger = realloc(text, capacity);
                        if (!larger)
                                abort();
                        text = larger;
                }
                got = fread(text + size, 1, capacity - size - 1, file);
        } while (got > 0);
        fclose(file);
        text[size] = '\0';
        return text;
}

char *daemon_log(const struct daemon *daemon)
{
        char *const log = file_read(daemon->log_path);
        assert_non_null(log);
        return log;
}

static const char *daemon_program(void)
{
        const char *const program = getenv("SOCKWRIGHTD");
        return program ? program : SOCKWRIGHTD;
}

/* In the child: becomes the daemon. It dies with the test, however that ends. */
static void daemon_become(const struct daemon *daemon, int output, const char *const *arguments)
{
        const char *line[ARGUMENTS_MAX] = {
                "sockwrightd",
                "--unix",
                daemon->socket_path,
                "--listen",
                "127.0.0.1:0",
                "--token-file",
                daemon->token_path,
        };
        for (size_t count = 7; arguments && *arguments && count < ARGUMENTS_MAX - 1; count++)
                line[count] = *arguments++;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int log = open(daemon->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (log < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
                _exit(126);
        /* execv() is declared without const for history's sake only. */
        execv(daemon_program(), (char *const *)(const void *)line);
        _exit(127);
}

static void daemon_fork(struct daemon *daemon, const char *const *arguments)
{
        int ends[2];
        assert_return_code(pipe2(ends, O_CLOEXEC), errno);
        daemon->pid = fork();
        assert_return_code(daemon->pid, errno);
        if (daemon->pid == 0)
                daemon_become(daemon, ends[1], arguments);
        close(ends[1]);
        daemon->output = ends[0];
        daemon->process = pidfd_open(daemon->pid, 0);
        assert_return_code(daemon->process, errno);
}

/* Each listener says where it listens, and a curl line. */
static bool daemon_is_ready(struct daemon *daemon)
{
        static const char tcp[] = "listening on http", local[] = "listening on unix:";
        const char *const line = strstr(daemon->greeting, tcp);
        const char *const address = line ? strstr(line, "127.0.0.1:") : NULL;
        const char *const curl = address ? strstr(address, "curl ") : NULL;
        if (!strstr(daemon->greeting, local) || !curl || !strchr(curl, '\n'))
                return false;
        daemon->port = (uint16_t)strtoul(address + 10, NULL, 10);
        snprintf(daemon->url, sizeof daemon->url, "%s://127.0.0.1:%u",
                line[sizeof tcp - 1] == 's' ? "https" : "http", daemon->port);
        return true;
}

static void daemon_await(struct daemon *daemon)
{
        const int64_t deadline = milliseconds() + START_DEADLINE_MS;
        for (size_t size = 0; !daemon_is_ready(daemon);) {
                struct pollfd ready = { .fd = daemon->output, .events = POLLIN };
                const int64_t left = deadline - milliseconds();
                if (left <= 0 || poll(&ready, 1, (int)left) != 1)
                        fail_msg("not ready in time; it said: %s", daemon->greeting);
                const ssize_t got =
                        read(daemon->output, daemon->greeting + size, sizeof daemon->greeting - 1 - size);
                if (got <= 0) {
                        char *const log = daemon_log(daemon);
                        print_error("%s", log);
                        free(log);
                        fail_msg("%s ended before it was ready: %s", daemon_program(), daemon->greeting);
                }
                size += (size_t)got;
        }
}

static void daemon_read_token(struct daemon *daemon)
{
        char *const token = file_read(daemon->token_path);
        assert_non_null(token);
        token[strcspn(token, "\r\n")] = '\0';
        assert_true(strlen(token) >= 20 && strlen(token) < sizeof daemon->token);
        memcpy(daemon->token, token, strlen(token));
        free(token);
}

struct daemon *daemon_start_in(const char *directory, const char *const *arguments)
{
        struct daemon *const daemon = calloc(1, sizeof *daemon);
        assert_non_null(daemon);
        snprintf(daemon->directory, sizeof daemon->directory, "%s", directory);
        snprintf(daemon->socket_path, sizeof daemon->socket_path, "%s/sockwright.sock", directory);
        snprintf(daemon->token_path, sizeof daemon->token_path, "%s/token", directory);
        snprintf(daemon->log_path, sizeof daemon->log_path, "%s/log", directory);
        daemon_fork(daemon, arguments);
        daemon_await(daemon);
        daemon_read_token(daemon);
        return daemon;
}

struct daemon *daemon_start(const char *const *arguments)
{
        char directory[] = "/tmp/sockwright-test.XXXXXX";
        assert_non_null(mkdtemp(directory));
        return daemon_start_in(directory, arguments);
}

void daemon_terminate(const struct daemon *daemon)
{
        assert_return_code(pidfd_send_signal(daemon->process, SIGTERM, NULL, 0), errno);
}

static void daemon_check_log(const struct daemon *daemon, char complaint[static COMPLAINT_SIZE])
{
        char *const log = daemon_log(daemon);
        for (size_t mark = 0; mark < COUNT(sanitizer_marks); mark++) {
                const char *const report = strstr(log, sanitizer_marks[mark]);
                if (report)
                        snprintf(complaint, COMPLAINT_SIZE, "the daemon's sanitizer reports: %s", report);
        }
        if (strstr(log, daemon->token))
                snprintf(complaint, COMPLAINT_SIZE, "the daemon logged its token");
        free(log);
}

void directory_remove(const char *path)
{
        DIR *const directory = opendir(path);
        if (!directory)
                return;
        for (const struct dirent *entry = readdir(directory); entry; entry = readdir(directory))
                unlinkat(dirfd(directory), entry->d_name, 0);
        closedir(directory);
        rmdir(path);
}

void daemon_wait(struct daemon *daemon)
{
        struct pollfd ended = { .fd = daemon->process, .events = POLLIN };
        const bool in_time = poll(&ended, 1, STOP_DEADLINE_MS) == 1;
        if (!in_time)
                pidfd_send_signal(daemon->process, SIGKILL, NULL, 0);
        int status = 0;
        char complaint[COMPLAINT_SIZE] = "";
        assert_int_equal(waitpid(daemon->pid, &status, 0), daemon->pid);
        if (!in_time)
                snprintf(
                        complaint, sizeof complaint, "the daemon did not end within %d ms", STOP_DEADLINE_MS);
        else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                snprintf(complaint, sizeof complaint, "the daemon ended with wait status %#x",
                        (unsigned)status);
        daemon_check_log(daemon, complaint);
        close(daemon->process);
        close(daemon->output);
        if (strncmp(daemon->directory, "/tmp/sockwright-test.", 21) == 0)
                directory_remove(daemon->directory);
        free(daemon);
        if (*complaint)
                fail_msg("%s", complaint);
}

void daemon_stop(struct daemon *daemon)
{
        if (!daemon)
                return;
        daemon_terminate(daemon);
        daemon_wait(daemon);
}

long daemon_memory(const struct daemon *daemon)
{
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/status", (int)daemon->pid);
        char *const status = file_read(path);
        assert_non_null(status);
        const char *const line = strstr(status, "VmRSS:");
        assert_non_null(line);
        const long memory = strtol(line + 6, NULL, 10);
        free(status);
        return memory;
}

long daemon_descriptors(const struct daemon *daemon)
{
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/fd", (int)daemon->pid);
        DIR *const directory = opendir(path);
        assert_non_null(directory);
        long count = 0;
        while (readdir(directory))
                count++;
        closedir(directory);
        return count - 2;
}
