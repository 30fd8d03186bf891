/* means.c: the ways to make a running daemon's system calls fail, and how often they did. */
#include "tests/faults/means.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/http/check.h"

enum { ATTACH_DEADLINE_MS = 10000, STEP_US = 10000 };

static char page_path[] = "/tmp/sockwright-faults.XXXXXX";
static struct fault_page *page;

struct means {
        const struct daemon *daemon;
        const struct fault *fault;
        pid_t tracer;
        char trace_path[64];
        struct rlimit before;
};

void means_open(void)
{
        const int fd = mkostemp(page_path, O_CLOEXEC);
        assert_return_code(fd, errno);
        assert_return_code(ftruncate(fd, sizeof *page), errno);
        page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(page != MAP_FAILED);
        close(fd);
        assert_return_code(setenv(FAULT_PAGE_VARIABLE, page_path, 1), errno);
}

void means_close(void)
{
        munmap(page, sizeof *page);
        unlink(page_path);
}

struct fault_page *means_page(void)
{
        return page;
}

static void page_begin(const struct fault *fault)
{
        page->error = fault->error;
        page->every = fault->every;
        page->whose = fault->whose;
        page->cut = fault->cut;
        page->made = page->failed = 0;
        page->calls = fault->calls;
}

/* In the child. strace says nothing but what it traces, and that to a file. */
static void become_tracer(const struct means *means)
{
        char process[16], trace[64], inject[128];
        snprintf(process, sizeof process, "%d", (int)means->daemon->pid);
        snprintf(trace, sizeof trace, "trace=%.*s", (int)strcspn(means->fault->inject, ":"),
                means->fault->inject);
        snprintf(inject, sizeof inject, "inject=%s", means->fault->inject);
        const char *const line[] = { "strace", "-f", "-qq", "-o", means->trace_path, "-e", trace, "-e",
                inject, "-p", process, NULL };
        const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(nowhere, STDERR_FILENO);
        execvp("strace", (char *const *)(const void *)line);
        _exit(127);
}

static bool is_traced(const char *task)
{
        char path[384];
        snprintf(path, sizeof path, "%s/status", task);
        char *const status = file_read(path);
        const char *const line = status == NULL ? NULL : strstr(status, "TracerPid:");
        const bool traced = line == NULL || strtol(line + 10, NULL, 10) != 0;
        free(status);
        return traced;
}

static bool all_traced(pid_t process)
{
        char path[64], task[320];
        bool all = true;
        snprintf(path, sizeof path, "/proc/%d/task", (int)process);
        DIR *const directory = opendir(path);
        assert_non_null(directory);
        for (const struct dirent *entry; all && (entry = readdir(directory)) != NULL;) {
                snprintf(task, sizeof task, "%s/%s", path, entry->d_name);
                all = entry->d_name[0] == '.' || is_traced(task);
        }
        closedir(directory);
        return all;
}

static bool tracer_begin(struct means *means, const char **reason)
{
        snprintf(means->trace_path, sizeof means->trace_path, "%s.trace", page_path);
        means->tracer = fork();
        assert_return_code(means->tracer, errno);
        if (means->tracer == 0)
                become_tracer(means);
        const int64_t deadline = milliseconds() + ATTACH_DEADLINE_MS;
        while (!all_traced(means->daemon->pid)) {
                if (waitpid(means->tracer, NULL, WNOHANG) != 0 || milliseconds() > deadline) {
                        *reason = "strace is not there, or may not attach";
                        return false;
                }
                pause_us(STEP_US);
        }
        return true;
}

static unsigned tracer_end(const struct means *means)
{
        unsigned count = 0;
        kill(means->tracer, SIGINT);
        waitpid(means->tracer, NULL, 0);
        char *const trace = file_read(means->trace_path);
        for (const char *at = trace; at != NULL && (at = strstr(at, "(INJECTED)")) != NULL; at++)
                count++;
        free(trace);
        unlink(means->trace_path);
        return count;
}

static void set_limit(const struct means *means, rlim_t soft)
{
        const struct rlimit limit = { .rlim_cur = soft, .rlim_max = means->before.rlim_max };
        assert_return_code(prlimit(means->daemon->pid, means->fault->resource, &limit, NULL), errno);
}

static rlim_t address_space(pid_t process)
{
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/status", (int)process);
        char *const status = file_read(path);
        const char *const line = status == NULL ? NULL : strstr(status, "VmSize:");
        assert_non_null(line);
        const rlim_t size = line == NULL ? 0 : strtoull(line + 7, NULL, 10) * 1024;
        free(status);
        return size;
}

struct means *means_begin(const struct daemon *daemon, const struct fault *fault, const char **reason)
{
        struct means *const means = calloc(1, sizeof *means);
        assert_non_null(means);
        means->daemon = daemon;
        means->fault = fault;
        if (fault->calls != 0)
                page_begin(fault);
        if (fault->inject != NULL && !tracer_begin(means, reason)) {
                free(means);
                return NULL;
        }
        if (fault->limit != 0) {
                assert_return_code(prlimit(daemon->pid, fault->resource, NULL, &means->before), errno);
                const rlim_t there = fault->resource == RLIMIT_AS ? address_space(daemon->pid) : 0;
                set_limit(means, there + fault->limit);
        }
        return means;
}

unsigned means_count(const struct means *means)
{
        return means->fault->calls != 0 ? page->failed : 0;
}

unsigned means_end(struct means *means)
{
        const struct fault *const fault = means->fault;
        unsigned count = 0;
        if (fault->calls != 0) {
                page->calls = 0;
                count = page->failed;
        }
        if (fault->inject != NULL)
                count = tracer_end(means);
        if (fault->limit != 0)
                set_limit(means, means->before.rlim_cur);
        free(means);
        return count;
}
