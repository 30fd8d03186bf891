/* holder.c: the process that has the daemon's descriptors too.
 *
 * It is cloned with CLONE_FILES: both have one and the same table. So a descriptor that the daemon closes is
 * closed, the peer sees it, and its port is free; and one that it has when it is killed stays open. The
 * holder does nothing but wait for that. Then it packs what is live in the stored memory into parcels, and
 * hands them to the service manager with the memory, all in one message: either all of it is there for the
 * next daemon, or nothing.
 *
 * Which set counts, when there are two:
 * - The next daemon looks into the parcels, and leaves them as they are; it copies the memory. Killed in
 * that, it leaves the store as it was: its holder is not in charge yet.
 * - holder_take_charge() is the switch: one store into the memory that both processes share. From then on,
 * its own holder hands over, and has the service manager forget the old set first.
 * - Then the daemon has the old set forgotten itself, and serves only after that.
 *
 * When the holder is killed, the daemon is told (SIGCHLD), ends in an orderly way and hands over itself: the
 * next one has a holder again. It cannot start another one: the system-call filter lets no process be made,
 * and with threads there is no telling which locks the new one would find held for ever.
 * A holder that is killed with its daemon, as by a SIGKILL to the whole control group, saves nothing. */
#include "daemon/holder.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "daemon/log.h"
#include "daemon/seccomp.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/restore.h"
#include "daemon/systemd.h"

/* The most descriptors that go with one message: SCM_MAX_FD. */
enum { HANDED_MAX = 253 };

/* In all, less than systemd waits for the processes of a service that ends. */
enum { ATTEMPTS_MAX = 50, ATTEMPT_PAUSE_MS = 100 };

/* Shared by the two processes. */
static struct holding {
        _Atomic bool in_charge;
        char name[HOLDER_NAME_SIZE], superseded[HOLDER_NAME_SIZE];
        int listeners[LIST_MAX + 1];
        _Atomic int listener_count;
} * holding;

static pid_t holder; /* 0: it has ended */
static bool keeps_listeners;

/* False with errno set. */
static bool hand_over(const char *name, const int *fds, size_t count)
{
        char text[64 + HOLDER_NAME_SIZE];
        snprintf(text, sizeof text, "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
        const int told = sd_pid_notify_with_fds(0, 0, text, fds, (unsigned)count);
        if (told <= 0)
                log_write(LOG_LEVEL_ERROR, "%s: the service manager does not take it: %s", name,
                        strerror(-told));
        errno = -told;
        return told > 0;
}

/* The stored memory and the parcels of all that it knows. False, with errno set, when that is not all. */
static bool pack(const struct store_image *image, int *fds, size_t *count)
{
        struct parcel_items list = { .count = 0 };
        size_t next = 0;
        fds[0] = store_fd();
        *count = 1;
        const bool gathered = restore_gather(image, &list);
        while (next < list.count && *count < HANDED_MAX && (fds[*count] = parcel_pack(&list, &next)) >= 0)
                ++*count;
        free(list.items);
        return gathered && next == list.count;
}

/* What the host is short of, memory or places for open files, it may have again in a moment: what is not all
 * is only handed over when that has not come. seccomp: poll ppoll close */
static void hand_set_over(const struct store_image *image)
{
        int fds[HANDED_MAX];
        size_t count;
        for (int left = ATTEMPTS_MAX; left > 0; left--) {
                const bool whole = pack(image, fds, &count);
                if (!whole && (left == ATTEMPTS_MAX || left == 1))
                        log_write(LOG_LEVEL_ERROR, "%s: not all sockets can be handed over%s: %s",
                                holding->name, left == 1 ? "" : " yet", strerror(errno));
                /* Where nobody listens any more, who is still connected is not to be kept waiting. */
                if ((whole || left == 1) && (hand_over(holding->name, fds, count) || errno == ECONNREFUSED))
                        return;
                while (count > 1)
                        close(fds[--count]);
                poll(NULL, 0, ATTEMPT_PAUSE_MS);
        }
}

static void hand_all_over(void)
{
        const char *reason;
        struct store_image *const image = store_image_open(store_fd(), &reason);
        if (holding->superseded[0] != '\0')
                systemd_forget(holding->superseded);
        if (holding->listener_count > 0) {
                systemd_forget(HOLDER_LISTENERS);
                hand_over(HOLDER_LISTENERS, holding->listeners, (size_t)holding->listener_count);
        }
        if (image != NULL)
                hand_set_over(image);
        else
                log_write(LOG_LEVEL_ERROR, "the stored memory: %s", reason);
        store_image_close(image);
        /* The service manager looks up who has sent what: the sender must still be there. */
        systemd_settle();
}

/* In the holder; `daemon` is a descriptor of that process. It ends without what a process does at its end:
 * none of that is its own. seccomp: poll ppoll */
static _Noreturn void hold(int daemon)
{
        struct pollfd end = { .fd = daemon, .events = POLLIN };
        prctl(PR_SET_NAME, "holder");
        if (!seccomp_install())
                _exit(EXIT_FAILURE);
        while (poll(&end, 1, -1) != 1)
                ;
        if (holding->in_charge)
                hand_all_over();
        _exit(EXIT_SUCCESS);
}

static bool prepare(void)
{
        struct timespec now;
        holding = mmap(NULL, sizeof *holding, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (holding == MAP_FAILED)
                return false;
        clock_gettime(CLOCK_REALTIME, &now);
        snprintf(holding->name, sizeof holding->name, HOLDER_SET_PREFIX "%" PRIx64,
                (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
        return true;
}

/* Whatever comes: the daemon may be gone before the holder has run at all, and its process number with it. So
 * the holder is given a descriptor of it, and no signal ends it from the first moment on. */
static pid_t start(void)
{
        sigset_t all, before;
        const int daemon = (int)syscall(SYS_pidfd_open, getpid(), 0);
        if (daemon < 0)
                return -1;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &before);
        /* Not fork(2), which copies the table. */
        const pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
        if (pid == 0)
                hold(daemon);
        sigprocmask(SIG_SETMASK, &before, NULL);
        return pid;
}

void holder_start(void)
{
        if (getenv("NOTIFY_SOCKET") == NULL)
                return;
        if (prepare() && (holder = start()) > 0) {
                keeps_listeners = keeper_is_above();
                return;
        }
        log_write(LOG_LEVEL_ERROR, "nothing will outlive the daemon: %s", strerror(errno));
        holding = NULL;
}

bool holder_keeps_sockets(void)
{
        return holding != NULL;
}

/* seccomp: wait4 */
bool holder_has_ended(void)
{
        if (holder > 0 && waitpid(holder, NULL, WNOHANG) == holder)
                holder = 0;
        return holding != NULL && holder == 0;
}

void holder_stand_in(void)
{
        if (holder_has_ended() && holding->in_charge)
                hand_all_over();
}

bool holder_keeps_listeners(void)
{
        return keeps_listeners;
}

void holder_note_listeners(const struct listener *listeners, size_t count)
{
        if (!keeps_listeners)
                return;
        for (size_t i = 0; i < count; i++)
                holding->listeners[i] = listeners[i].fd;
        holding->listener_count = (int)count;
}

void holder_take_charge(const char *superseded)
{
        if (holding == NULL)
                return;
        snprintf(holding->superseded, sizeof holding->superseded, "%s", superseded);
        holding->in_charge = true;
}
