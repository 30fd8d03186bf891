/* brink.c: kills a process when a system call of its has just been done, by ptrace(2). */
#include "tests/http/brink.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/http/check.h"

enum { THREADS_MAX = 128, DEADLINE_S = 20, SYSCALL_STOP = SIGTRAP | 0x80 };

struct brink {
        pthread_t thread;
        pid_t process;
        long call;
        struct {
                pid_t thread;
                long call; /* that it is in; -1: none that is known */
        } threads[THREADS_MAX];
        size_t count;
        sem_t watches, dead;
        _Atomic bool failed, killed;
};

static bool seize(struct brink *brink)
{
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/task", (int)brink->process);
        DIR *const tasks = opendir(path);
        for (const struct dirent *entry; tasks != NULL && (entry = readdir(tasks)) != NULL;) {
                const pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
                if (thread <= 0 || thread == brink->process || brink->count == THREADS_MAX)
                        continue;
                if (ptrace(PTRACE_SEIZE, thread, NULL, (void *)(uintptr_t)PTRACE_O_TRACESYSGOOD) != 0 ||
                        ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) != 0)
                        break;
                brink->threads[brink->count].thread = thread;
                brink->threads[brink->count++].call = -1;
        }
        if (tasks != NULL)
                closedir(tasks);
        return brink->count > 0;
}

static long *call_of(struct brink *brink, pid_t thread)
{
        for (size_t i = 0; i < brink->count; i++)
                if (brink->threads[i].thread == thread)
                        return &brink->threads[i].call;
        return &brink->threads[0].call;
}

/* libmicrohttpd holds back and lets go what it sends by options, also after a reply is there. */
static bool is_its_own(const struct __ptrace_syscall_info *info)
{
        return info->entry.nr == SYS_setsockopt && info->entry.args[1] == IPPROTO_TCP;
}

/* Whether that call has come to its good end. */
static bool is_it(struct brink *brink, pid_t thread)
{
        struct __ptrace_syscall_info info;
        long *const call = call_of(brink, thread);
        if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, (void *)sizeof info, &info) <= 0)
                return false;
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
                *call = is_its_own(&info) ? -1 : (long)info.entry.nr;
        return info.op == PTRACE_SYSCALL_INFO_EXIT && *call == brink->call && info.exit.rval >= 0;
}

/* Goes on until no thread is left. */
static void *watch(void *context)
{
        struct brink *const brink = context;
        int status;
        brink->failed = !seize(brink);
        sem_post(&brink->watches);
        for (pid_t thread; (thread = waitpid(-1, &status, __WALL | __WNOTHREAD)) > 0 || errno == EINTR;) {
                if (thread < 0 || !WIFSTOPPED(status))
                        continue;
                const int signal = WSTOPSIG(status);
                const bool is_signal = signal != SYSCALL_STOP && status >> 16 == 0;
                if (signal == SYSCALL_STOP && !brink->killed && is_it(brink, thread)) {
                        kill(brink->process, SIGKILL);
                        brink->killed = true;
                }
                ptrace(PTRACE_SYSCALL, thread, NULL, (void *)(uintptr_t)(is_signal ? signal : 0));
        }
        sem_post(&brink->dead);
        return NULL;
}

struct brink *brink_begin(pid_t process, long call)
{
        struct brink *const brink = calloc(1, sizeof *brink);
        assert_non_null(brink);
        brink->process = process;
        brink->call = call;
        sem_init(&brink->watches, 0, 0);
        sem_init(&brink->dead, 0, 0);
        assert_int_equal(pthread_create(&brink->thread, NULL, watch, brink), 0);
        while (sem_wait(&brink->watches) != 0)
                continue;
        if (!brink->failed)
                return brink;
        pthread_join(brink->thread, NULL);
        free(brink);
        return NULL;
}

void brink_end(struct brink *brink)
{
        struct timespec deadline;
        clock_gettime(CLOCK_MONOTONIC, &deadline);
        deadline.tv_sec += DEADLINE_S;
        while (sem_clockwait(&brink->dead, CLOCK_MONOTONIC, &deadline) != 0 && errno == EINTR)
                continue;
        const bool killed = brink->killed;
        if (!killed)
                kill(brink->process, SIGKILL);
        pthread_join(brink->thread, NULL);
        free(brink);
        assert_true(killed);
}
