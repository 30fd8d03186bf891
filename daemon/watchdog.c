/* watchdog.c: tells the service manager that the daemon is alive, after trying it.
 *
 * A trial goes the way of a call that waits: it is parked; the waiter's thread wakes it and sends a request
 * for /readyz; a worker thread of the server answers, another one each time as descriptors are numbered; and
 * the main loop, which reads the answer, gives the sign. Where one of them hangs, no sign is given, and the
 * service manager ends the daemon and starts it again. */
#include "daemon/watchdog.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/log.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/systemd.h"

/* Until the waiter is done with the descriptor, the main loop looks again and again. */
enum { WAKING_STEP_MS = 10 };

static const int64_t NS_PER_US = 1000, NS_PER_MS = 1000000;

struct watchdog {
        struct service *service;
        struct server *server;
        int64_t interval_ns, due_ns;
        struct wait wait;  /* the waiter's until it is woken */
        atomic_bool woken; /* the waiter's thread is done with it, and with the descriptor */
        int fd;            /* our end of the trial's connection; -1: no trial is under way */
};

struct watchdog *watchdog_new(struct service *service, struct server *server)
{
        const uint64_t period_us = systemd_watchdog_us();
        if (period_us == 0)
                return NULL;
        struct watchdog *const watchdog = calloc(1, sizeof *watchdog);
        if (watchdog == NULL) {
                log_write(LOG_LEVEL_ERROR, "no watchdog: %s", strerror(errno));
                return NULL;
        }
        *watchdog = (struct watchdog){ .service = service,
                .server = server,
                .interval_ns = (int64_t)(period_us / 2) * NS_PER_US,
                .fd = -1 };
        return watchdog;
}

static bool park(struct wait *wait)
{
        wait->deadline_ns = now_ns();
        return true;
}

/* On the waiter's thread. */
static void wake(struct wait *wait)
{
        static const char request[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        struct watchdog *const watchdog =
                (struct watchdog *)(void *)((char *)wait - offsetof(struct watchdog, wait));
        /* Where it cannot be sent, no answer comes, which is the sign that none is given. seccomp: sendto */
        (void)!send(watchdog->fd, request, sizeof request - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        watchdog->woken = true;
}

/* seccomp: socketpair */
static void begin_trial(struct watchdog *watchdog)
{
        const struct sockaddr address = { .sa_family = AF_UNIX };
        uint64_t ticket;
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
                log_write(LOG_LEVEL_WARNING, "the watchdog cannot try the daemon: %s", strerror(errno));
                return;
        }
        watchdog->fd = ends[0];
        watchdog->woken = false;
        server_add(watchdog->server, ends[1], &address, sizeof address.sa_family);
        watchdog->wait = (struct wait){ .client_fd = -1, .park = park, .wake = wake };
        waiter_enter_detached(watchdog->service->waiter, &watchdog->wait, &ticket);
}

/* Whether the daemon has answered, as it should. seccomp: recvfrom */
static bool end_trial(struct watchdog *watchdog)
{
        static const char wanted[] = "HTTP/1.1 200 ";
        char answer[sizeof wanted - 1];
        if (!watchdog->woken)
                return false;
        const ssize_t size = recv(watchdog->fd, answer, sizeof answer, MSG_DONTWAIT);
        if (size < 0 && errno == EAGAIN)
                return false;
        const bool is_good = size == (ssize_t)sizeof answer && memcmp(answer, wanted, sizeof answer) == 0;
        if (!is_good)
                log_write(LOG_LEVEL_WARNING, "the watchdog got no good answer of the daemon");
        close(take_fd(&watchdog->fd));
        return is_good;
}

int watchdog_fd(const struct watchdog *watchdog)
{
        return watchdog == NULL || !watchdog->woken ? -1 : watchdog->fd;
}

int watchdog_timeout_ms(const struct watchdog *watchdog)
{
        if (watchdog == NULL)
                return -1;
        if (watchdog->fd >= 0)
                return watchdog->woken ? -1 : WAKING_STEP_MS;
        const int64_t left = watchdog->due_ns - now_ns();
        return left <= 0 ? 0 : (int)((left + NS_PER_MS - 1) / NS_PER_MS);
}

void watchdog_run(struct watchdog *watchdog)
{
        if (watchdog == NULL)
                return;
        if (watchdog->fd >= 0 && end_trial(watchdog))
                systemd_say("WATCHDOG=1");
        if (watchdog->fd < 0 && watchdog->due_ns <= now_ns()) {
                watchdog->due_ns = now_ns() + watchdog->interval_ns;
                begin_trial(watchdog);
        }
}

void watchdog_free(struct watchdog *watchdog)
{
        if (watchdog == NULL)
                return;
        cleanup_fd(&watchdog->fd);
        free(watchdog);
}
