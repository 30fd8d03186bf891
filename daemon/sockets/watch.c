/* watch.c: the waiter's epoll: which events are asked for, and what those that come are about. */
#include "daemon/sockets/watch.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* What an event is about stands in its data's top two bits; the rest is a ticket. */
static const uint64_t ABOUT_SOCKET = 0, ABOUT_CLIENT = 1ULL << 63, ABOUT_INTERRUPT = 1ULL << 62;

static const int64_t NS_PER_S = 1000000000;

/* Edge-triggered: a condition that no call can clear (a full error queue) wakes nobody twice. */
static const uint32_t SOCKET_EVENTS = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;

static const uint32_t lane_events[DIRECTION_COUNT] = {
        [DIRECTION_RECEIVE] = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR,
        [DIRECTION_SEND] = EPOLLOUT | EPOLLHUP | EPOLLERR,
};

/* seccomp: epoll_ctl */
static bool control(const struct watch *watch, int operation, int fd, uint32_t events, uint64_t data)
{
        struct epoll_event event = { .events = events, .data.u64 = data };
        return epoll_ctl(watch->epoll_fd, operation, fd, &event) == 0;
}

/* seccomp: epoll_create1 eventfd2 */
bool watch_open(struct watch *watch, size_t capacity)
{
        watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        watch->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return table_init(&watch->sockets, (uint32_t)capacity) && watch->epoll_fd >= 0 &&
               watch->event_fd >= 0 &&
               control(watch, EPOLL_CTL_ADD, watch->event_fd, EPOLLIN, ABOUT_INTERRUPT);
}

void watch_close(struct watch *watch)
{
        if (watch->epoll_fd >= 0)
                close(watch->epoll_fd);
        if (watch->event_fd >= 0)
                close(watch->event_fd);
        table_free(&watch->sockets);
}

bool watch_arm(struct watch *watch, struct socket *socket)
{
        if (socket->armed)
                return true;
        const bool known = socket->watch_ticket != 0;
        if (!known)
                socket->watch_ticket = table_add(&watch->sockets, socket);
        socket->armed = control(watch, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket->fd, SOCKET_EVENTS,
                ABOUT_SOCKET | socket->watch_ticket);
        if (!socket->armed && !known) {
                table_remove(&watch->sockets, socket->watch_ticket);
                socket->watch_ticket = 0;
        }
        return socket->armed;
}

/* Once only: a socket that has hung up is reported for whatever it is asked, and to ask anew reports it
 * again. */
void watch_disarm(struct watch *watch, struct socket *socket)
{
        if (!socket->armed)
                return;
        control(watch, EPOLL_CTL_MOD, socket->fd, EPOLLET, ABOUT_SOCKET | socket->watch_ticket);
        /* Also where that failed: what has been reported must be asked for anew. */
        socket->armed = false;
}

struct socket *watch_find(const struct watch *watch, uint64_t ticket)
{
        struct socket *const socket = table_find(&watch->sockets, ticket);
        return socket == NULL ? NULL : socket_reference(socket);
}

void watch_forget(struct watch *watch, struct socket *socket)
{
        if (socket->watch_ticket == 0)
                return;
        control(watch, EPOLL_CTL_DEL, socket->fd, 0, 0);
        table_remove(&watch->sockets, socket->watch_ticket);
        socket->watch_ticket = 0;
        socket->armed = false;
}

void watch_client(struct watch *watch, const struct wait *wait)
{
        if (wait->client_fd >= 0)
                control(watch, EPOLL_CTL_ADD, wait->client_fd, wait->client_is_local ? 0 : EPOLLRDHUP,
                        ABOUT_CLIENT | wait->ticket);
}

void watch_leave_client(struct watch *watch, const struct wait *wait)
{
        if (wait->client_fd >= 0)
                control(watch, EPOLL_CTL_DEL, wait->client_fd, 0, 0);
}

/* seccomp: poll ppoll */
bool watch_client_is_gone(const struct wait *wait)
{
        struct pollfd client = { .fd = wait->client_fd, .events = wait->client_is_local ? 0 : POLLRDHUP };
        return wait->client_fd >= 0 && TEMP_FAILURE_RETRY(poll(&client, 1, 0)) > 0;
}

/* seccomp: read */
static struct report report_of(const struct watch *watch, const struct epoll_event *event)
{
        struct report report = { .ticket = event->data.u64 & ~(ABOUT_CLIENT | ABOUT_INTERRUPT) };
        uint64_t count;
        if ((event->data.u64 & ABOUT_INTERRUPT) != 0) {
                report.kind = REPORT_INTERRUPTED;
                (void)!read(watch->event_fd, &count, sizeof count);
        } else if ((event->data.u64 & ABOUT_CLIENT) != 0) {
                report.kind = REPORT_CLIENT;
        }
        for (int direction = 0; direction < DIRECTION_COUNT; direction++)
                report.lanes[direction] = (event->events & lane_events[direction]) != 0;
        return report;
}

/* seccomp: epoll_pwait2 */
size_t watch_sleep(const struct watch *watch, int64_t timeout_ns, struct report *out)
{
        struct epoll_event events[REPORT_BATCH];
        const struct timespec timeout = { .tv_sec = timeout_ns / NS_PER_S, .tv_nsec = timeout_ns % NS_PER_S };
        const int count =
                epoll_pwait2(watch->epoll_fd, events, REPORT_BATCH, timeout_ns < 0 ? NULL : &timeout, NULL);
        for (int i = 0; i < count; i++)
                out[i] = report_of(watch, &events[i]);
        return count < 0 ? 0 : (size_t)count;
}

/* seccomp: write */
void watch_interrupt(const struct watch *watch)
{
        const uint64_t one = 1;
        /* It can only fail when the counter is full, and then the thread is awake already. */
        (void)!write(watch->event_fd, &one, sizeof one);
}
