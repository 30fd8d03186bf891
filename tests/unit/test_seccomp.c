/* test_seccomp.c: what the filter of a daemon that serves lets through; each row in a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/seccomp.h"
#include "daemon/sockets/capability.h"
#include "tests/unit/rows.h"

enum { ATTEMPT_TIMEOUT_S = 30, NO_FILTER = 255, PAGE_SIZE = 4096 };

static void *nothing(void *argument)
{
        return argument;
}

static long start_thread(void)
{
        pthread_t thread;
        errno = pthread_create(&thread, NULL, nothing, NULL);
        return errno == 0 && pthread_join(thread, NULL) == 0 ? 0 : -1;
}

static long open_socket(void)
{
        return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long look_up(void)
{
        struct addrinfo *found = NULL;
        const int code = getaddrinfo("localhost", "80", NULL, &found);
        if (code == 0)
                freeaddrinfo(found);
        return code;
}

static long read_file(void)
{
        return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static long write_file(void)
{
        return open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static long change_file(void)
{
        return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static long make_file(void)
{
        return open("/tmp/sockwright-seccomp", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long rename_file(void)
{
        return rename("/nonesuch", "/nonesuch-either");
}

static long start_process(void)
{
        return fork();
}

static long map_code(void)
{
        void *const page = mmap(NULL, 1, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return page == MAP_FAILED ? -1 : munmap(page, 1);
}

static long make_code(void)
{
        void *const page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
        const long made = page == NULL ? 0 : mprotect(page, PAGE_SIZE, PROT_EXEC);
        const int error = errno;
        free(page);
        errno = error;
        return made;
}

static long call_unknown(void)
{
        enum { NO_SUCH_CALL = 5000 };
        return syscall(NO_SUCH_CALL);
}

static long execute(void)
{
        return execl("/bin/true", "true", NULL);
}

static long trace(void)
{
        return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long mount_root(void)
{
        return syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL);
}

static long become_root(void)
{
        return setuid(0);
}

static long leave_namespace(void)
{
        return syscall(SYS_unshare, 0);
}

/* The kernel then finds that the descriptor is none. */
static long enter_network(void)
{
        return setns(-1, CLONE_NEWNET);
}

static long enter_mounts(void)
{
        return setns(-1, CLONE_NEWNS);
}

static long enter_anything(void)
{
        return setns(-1, 0);
}

static const struct attempt {
        const char *name;
        long (*make)(void);
        int error, signal;
        enum { ANYBODY, ABLE, UNABLE } who; /* with CAP_SYS_ADMIN, without it */
} rows[] = {
        { "a thread is started", start_thread, .error = 0 },
        { "a socket is opened", open_socket, .error = 0 },
        { "a name is looked up", look_up, .error = 0 },
        { "a file is read", read_file, .error = 0 },
        { "a file is written", write_file, .error = EPERM },
        { "a file is changed", change_file, .error = EPERM },
        { "a file is made", make_file, .error = EPERM },
        { "a file is renamed", rename_file, .error = ENOSYS },
        { "a process is started", start_process, .error = EPERM },
        { "memory for code", map_code, .error = EPERM },
        { "memory becomes code", make_code, .error = EPERM },
        { "a call that nobody knows", call_unknown, .error = ENOSYS },
        { "another program", execute, .signal = SIGSYS },
        { "tracing", trace, .signal = SIGSYS },
        { "a mount", mount_root, .signal = SIGSYS },
        { "another user", become_root, .signal = SIGSYS },
        { "another namespace", leave_namespace, .signal = SIGSYS },
        { "another network", enter_network, .error = EBADF, .who = ABLE },
        { "another network, unable", enter_network, .signal = SIGSYS, .who = UNABLE },
        { "another namespace's mounts", enter_mounts, .error = ENOSYS, .who = ABLE },
        { "another namespace of any kind", enter_anything, .error = ENOSYS, .who = ABLE },
};

static bool drop_capabilities(void)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        static const struct __user_cap_data_struct none[2];
        return syscall(SYS_capset, &header, none) == 0;
}

static void play(void **state)
{
        const struct attempt *const row = *state;
        if (row->who == ABLE && !capability_may_have(CAP_SYS_ADMIN))
                skip();
        const pid_t child = fork();
        assert_return_code(child, errno);
        if (child == 0) {
                alarm(ATTEMPT_TIMEOUT_S);
                if ((row->who == UNABLE && !drop_capabilities()) || !seccomp_install())
                        _exit(NO_FILTER);
                errno = 0;
                _exit(row->make() >= 0 ? 0 : errno);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        const int error = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
        if (signal != row->signal || error != row->error)
                fail_msg("signal %d, errno %d; not signal %d, errno %d", signal, error, row->signal,
                        row->error);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, play, rows);
        return rows_run("seccomp", &all);
}
