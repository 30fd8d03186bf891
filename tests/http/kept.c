/* kept.c: a daemon under a keeper. */
#include "tests/http/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACK_DEADLINE_MS = 30000, STEP_US = 1000 };

/* $LISTEN_PID, which each daemon but the first is given with the listeners; or else the process itself. */
static pid_t passed_to(pid_t process)
{
        static const char variable[] = "LISTEN_PID=";
        char path[64], environment[65536];
        snprintf(path, sizeof path, "/proc/%d/environ", (int)process);
        const int fd = open(path, O_RDONLY | O_CLOEXEC);
        const ssize_t size = fd < 0 ? 0 : read(fd, environment, sizeof environment - 1);
        close(fd);
        environment[size < 0 ? 0 : size] = '\0';
        for (const char *at = environment; at < environment + size; at += strlen(at) + 1)
                if (strncmp(at, variable, sizeof variable - 1) == 0)
                        return (pid_t)strtol(at + sizeof variable - 1, NULL, 10);
        return process;
}

static bool process_is_called(pid_t process, const char *line)
{
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/comm", (int)process);
        char *const name = file_read(path);
        const bool is = name != NULL && strcmp(name, line) == 0;
        free(name);
        return is;
}

/* The holder is the keeper's child too, once the daemon has ended, and has the daemon's name until it gives
 * itself another. */
static bool is_daemon(pid_t process)
{
        return process_is_called(process, "sockwrightd\n") && passed_to(process) == process;
}

static bool is_holder(pid_t process)
{
        return process_is_called(process, "holder\n");
}

/* The main thread's; 0: there is none. */
static pid_t find_child(pid_t parent, bool (*is_it)(pid_t process))
{
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
        char *const children = file_read(path);
        pid_t found = 0;
        char *at = children;
        while (at != NULL && *at != '\0' && found == 0) {
                const pid_t child = (pid_t)strtol(at, &at, 10);
                at += strspn(at, " ");
                if (child > 0 && is_it(child))
                        found = child;
        }
        free(children);
        return found;
}

pid_t kept_daemon(const struct daemon *keeper)
{
        return find_child(keeper->pid, is_daemon);
}

pid_t kept_holder(const struct daemon *keeper)
{
        const int64_t deadline = milliseconds() + BACK_DEADLINE_MS;
        pid_t holder = 0;
        while ((holder = find_child(kept_daemon(keeper), is_holder)) == 0 && milliseconds() < deadline)
                pause_us(STEP_US);
        assert_int_not_equal(holder, 0);
        return holder;
}

/* What it prints at each start would fill the pipe. */
static void drain(const struct daemon *keeper)
{
        char bytes[4096];
        fcntl(keeper->output, F_SETFL, O_NONBLOCK);
        while (read(keeper->output, bytes, sizeof bytes) > 0)
                ;
}

pid_t kept_await(const struct daemon *keeper, pid_t before)
{
        const int64_t deadline = milliseconds() + BACK_DEADLINE_MS;
        for (;;) {
                const pid_t now = kept_daemon(keeper);
                drain(keeper);
                if (now != 0 && now != before)
                        return now;
                if (milliseconds() > deadline)
                        fail_msg("no daemon is there after %d ms", BACK_DEADLINE_MS);
                pause_us(STEP_US);
        }
}

void kept_await_ready(struct stage *stage)
{
        const int64_t deadline = milliseconds() + BACK_DEADLINE_MS;
        for (int status = 0; status != 200;) {
                struct reply *const reply =
                        exchange(stage->client, &(struct request){ .method = "GET", .path = "/readyz" });
                status = reply->status;
                if (status != 200 && milliseconds() > deadline)
                        fail_msg("not back after %d ms: %d %s", BACK_DEADLINE_MS, status, reply->trouble);
                reply_free(reply);
        }
}

void kept_end(struct stage *stage, int signal)
{
        const pid_t before = kept_daemon(stage->daemon);
        assert_int_not_equal(before, 0);
        assert_return_code(kill(before, signal), errno);
        kept_await(stage->daemon, before);
        kept_await_ready(stage);
}

void kept_await_said(const struct daemon *keeper, const char *text)
{
        const int64_t deadline = milliseconds() + BACK_DEADLINE_MS;
        for (bool said = false; !said;) {
                char *const log = daemon_log(keeper);
                said = strstr(log, text) != NULL;
                free(log);
                if (!said && milliseconds() > deadline)
                        fail_msg("it does not say \"%s\"", text);
                pause_us(STEP_US);
        }
}

json_t *kept_list(struct stage *stage, const char *path)
{
        json_t *const json = json_deep_copy(get(stage, 200, "%s", path)->json);
        json_object_del(json, "duration_us");
        json_object_del(json, "expires");
        return json;
}

void kept_expect_same(json_t *before, json_t *after)
{
        if (!json_equal(before, after)) {
                char *const one = json_dumps(before, 0), *const other = json_dumps(after, 0);
                fail_msg("before: %s\nafter: %s", one, other);
        }
        json_decref(before);
        json_decref(after);
}
