/* edge.c: what the kernel has for sockets that nobody waits on: an epoll of all sockets, edge-triggered,
 * which is looked at now and then. A socket that is closed leaves it by itself.
 *
 * Nothing is taken from the sockets: errors neither, so that an event does not say which it is. */
#include "daemon/sockets/edge.h"

#include <sys/epoll.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/event.h"

enum { BATCH = 64, ROUNDS_MOST = 256 };

static const uint32_t BROKEN = EPOLLERR | EPOLLHUP;

/* seccomp: epoll_create1 */
bool edges_open(struct edges *edges, struct registry *registry)
{
        *edges = (struct edges){ .registry = registry, .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
        return edges->epoll_fd >= 0;
}

void edges_close(struct edges *edges)
{
        cleanup_fd(&edges->epoll_fd);
        edges->epoll_fd = -1;
}

/* One that is just being closed cannot be watched. seccomp: epoll_ctl */
static bool watch(void *context, struct socket *socket)
{
        struct edges *const edges = context;
        struct epoll_event event = { .events = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET,
                .data.u64 = socket->number };
        epoll_ctl(edges->epoll_fd, EPOLL_CTL_ADD, socket->fd, &event);
        edges->last = socket->number;
        return true;
}

/* Whoever waits on a socket, or serves it, learns by itself. */
static bool is_left_alone(const struct socket *socket)
{
        return socket->waiting == 0 && (socket->reacting & 1u << DIRECTION_RECEIVE) == 0;
}

/* An error stays until a call takes it, and comes with whatever comes meanwhile. */
static void tell_error(struct socket *socket, uint32_t events)
{
        if ((events & EPOLLERR) == 0)
                atomic_fetch_and(&socket->told_kinds, ~(unsigned)EVENT_ERROR);
        else if (socket->type == SOCK_STREAM && (events & BROKEN) == BROKEN)
                event_publish_once(socket, &(struct event_facts){ .kind = EVENT_RESET });
        else
                event_publish_once(socket, &(struct event_facts){ .kind = EVENT_ERROR });
}

static void tell(struct socket *socket, uint32_t events)
{
        if (is_left_alone(socket)) {
                tell_error(socket, events);
                if ((events & (EPOLLIN | EPOLLPRI)) != 0 && (events & BROKEN) == 0)
                        event_publish(socket, &(struct event_facts){ .kind = EVENT_READABLE });
        }
        if ((events & EPOLLRDHUP) != 0 && (events & EPOLLERR) == 0)
                event_publish_once(socket, &(struct event_facts){ .kind = EVENT_PEER_CLOSED });
}

/* Not for ever: what comes faster than it is told must not keep out all else. seccomp: epoll_wait epoll_pwait
 */
void edges_tell(struct edges *edges)
{
        struct epoll_event events[BATCH];
        registry_each(edges->registry, edges->last, watch, edges);
        int count = BATCH;
        for (int round = 0; round < ROUNDS_MOST && count == BATCH; round++) {
                count = epoll_wait(edges->epoll_fd, events, BATCH, 0);
                for (int i = 0; i < count; i++) {
                        struct socket *socket socket_auto =
                                registry_find_number(edges->registry, events[i].data.u64);
                        if (socket != NULL)
                                tell(socket, events[i].events);
                }
        }
}
