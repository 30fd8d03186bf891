/* deadline.c: clients that are late with a request are cut off, however busily they drip.
 *
 * libmicrohttpd's own timeout starts anew with every byte. Here, each connection notes when it is due, which
 * costs the worker that serves it one store; a thread goes through them twice a second. It only shuts a late
 * one down, and libmicrohttpd, which owns the descriptor, sees the end of the stream and closes it. */
#include "daemon/deadline.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/log.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/waiter.h"

enum { TICK_NS = 500000000, NS_PER_S = 1000000000 };

struct deadline {
        struct deadlines *deadlines;
        struct deadline *next, *previous; /* guarded by the lock */
        _Atomic int64_t due_ns;
        int fd;
};

struct deadlines {
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t changed; /* the first has come, or it is to stop */
        struct deadline *first; /* guarded by the lock, as is what follows */
        bool stopping;
};

/* Bytes that wait to be read are the daemon's lateness, not the client's. */
static bool has_unread(int fd)
{
        int unread = 0;
        return ioctl(fd, FIONREAD, &unread) == 0 && unread > 0;
}

static unsigned cut_late(struct deadlines *deadlines)
{
        const int64_t now = now_ns();
        unsigned count = 0;
        for (struct deadline *deadline = deadlines->first; deadline != NULL; deadline = deadline->next) {
                if (atomic_load_explicit(&deadline->due_ns, memory_order_relaxed) > now ||
                        has_unread(deadline->fd))
                        continue;
                deadline_set(deadline, DEADLINE_NONE);
                shutdown(deadline->fd, SHUT_RDWR);
                count++;
        }
        return count;
}

static void await_tick(struct deadlines *deadlines)
{
        struct timespec next;
        clock_gettime(CLOCK_MONOTONIC, &next);
        next.tv_nsec += TICK_NS;
        next.tv_sec += next.tv_nsec / NS_PER_S;
        next.tv_nsec %= NS_PER_S;
        int error = 0;
        while (!deadlines->stopping && error != ETIMEDOUT)
                error = pthread_cond_timedwait(&deadlines->changed, &deadlines->lock, &next);
}

static void *watch(void *context)
{
        struct deadlines *const deadlines = context;
        LOCK_SCOPE(&deadlines->lock);
        while (!deadlines->stopping) {
                if (deadlines->first == NULL) {
                        pthread_cond_wait(&deadlines->changed, &deadlines->lock);
                        continue;
                }
                await_tick(deadlines);
                const unsigned count = cut_late(deadlines);
                if (count > 0)
                        log_write(LOG_LEVEL_INFO, "cut off %u clients that were late with a request", count);
        }
        return NULL;
}

struct deadlines *deadlines_start(void)
{
        struct deadlines *const deadlines = calloc(1, sizeof *deadlines);
        pthread_condattr_t clock;
        int error = ENOMEM;
        if (deadlines != NULL) {
                pthread_condattr_init(&clock);
                pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
                pthread_cond_init(&deadlines->changed, &clock);
                pthread_condattr_destroy(&clock);
                pthread_mutex_init(&deadlines->lock, NULL);
                error = pthread_create(&deadlines->thread, NULL, watch, deadlines);
                if (error == 0)
                        return deadlines;
        }
        log_write(LOG_LEVEL_ERROR, "no thread for deadlines: %s", strerror(error));
        free(deadlines);
        return NULL;
}

void deadlines_stop(struct deadlines *deadlines)
{
        if (deadlines == NULL)
                return;
        pthread_mutex_lock(&deadlines->lock);
        deadlines->stopping = true;
        pthread_cond_signal(&deadlines->changed);
        pthread_mutex_unlock(&deadlines->lock);
        pthread_join(deadlines->thread, NULL);
        pthread_cond_destroy(&deadlines->changed);
        pthread_mutex_destroy(&deadlines->lock);
        free(deadlines);
}

struct deadline *deadline_open(struct deadlines *deadlines, int fd, int64_t due_ns)
{
        struct deadline *const deadline = malloc(sizeof *deadline);
        if (deadline == NULL)
                return NULL;
        *deadline = (struct deadline){ .deadlines = deadlines, .fd = fd, .due_ns = due_ns };
        LOCK_SCOPE(&deadlines->lock);
        deadline->next = deadlines->first;
        if (deadlines->first == NULL)
                pthread_cond_signal(&deadlines->changed);
        else
                deadlines->first->previous = deadline;
        deadlines->first = deadline;
        return deadline;
}

void deadline_close(struct deadline *deadline)
{
        if (deadline == NULL)
                return;
        struct deadlines *const deadlines = deadline->deadlines;
        pthread_mutex_lock(&deadlines->lock);
        if (deadline->next != NULL)
                deadline->next->previous = deadline->previous;
        if (deadline->previous != NULL)
                deadline->previous->next = deadline->next;
        else
                deadlines->first = deadline->next;
        pthread_mutex_unlock(&deadlines->lock);
        free(deadline);
}

void deadline_set(struct deadline *deadline, int64_t due_ns)
{
        if (deadline != NULL)
                atomic_store_explicit(&deadline->due_ns, due_ns, memory_order_relaxed);
}
