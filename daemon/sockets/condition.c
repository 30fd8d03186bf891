/* condition.c: what a call may wait for on one socket, beside the events of poll(2): whether it holds now. */
#include "daemon/sockets/condition.h"

#include <poll.h>
#include <string.h>

#include "daemon/sockets/cleanup.h"

static const int64_t PAUSE_LEAST_NS = 1000000, PAUSE_MOST_NS = 20000000, PAUSES = 16;

static struct result hold(bool holds)
{
        return holds ? DONE : would_block("poll");
}

static bool is_listening(const struct socket_status *status)
{
        return strcmp(status->state, "listening") == 0;
}

/* The lane's lock keeps out a recv that is carrying bytes from the kernel to those left unread. */
static void read_status(struct socket *socket, struct socket_status *out)
{
        LOCK_SCOPE(&socket->lanes[DIRECTION_RECEIVE].lock);
        socket_status_read(socket, out);
}

struct result condition_receive_queue(struct socket *socket, uint64_t least, uint64_t *now)
{
        struct socket_status status;
        read_status(socket, &status);
        if (is_listening(&status))
                return refused("ioctl", EINVAL);
        *now = status.receive_queue;
        return hold(*now >= least);
}

struct result condition_send_queue(struct socket *socket, uint64_t most, uint64_t *now)
{
        struct socket_status status;
        read_status(socket, &status);
        if (is_listening(&status))
                return refused("ioctl", EINVAL);
        *now = status.send_queue;
        return hold(*now <= most);
}

struct result condition_tcp_state(struct socket *socket, int state)
{
        struct socket_status status;
        read_status(socket, &status);
        if (status.tcp_state == 0)
                return refused("getsockopt", EOPNOTSUPP);
        return hold(status.tcp_state == state);
}

/* seccomp: poll ppoll */
struct result condition_connection(struct socket *socket)
{
        struct socket_status status;
        struct pollfd polled = { .fd = socket->fd, .events = POLLIN };
        read_status(socket, &status);
        if (!is_listening(&status))
                return refused("accept", EINVAL);
        return hold(TEMP_FAILURE_RETRY(poll(&polled, 1, 0)) == 1 && (polled.revents & POLLIN) != 0);
}

/* Whoever has waited for long can wait a little longer: so many old waits cost little, and a new one is exact
 * to a millisecond. */
int64_t condition_pause_ns(int64_t waited_ns)
{
        const int64_t pause = waited_ns / PAUSES;
        if (pause < PAUSE_LEAST_NS)
                return PAUSE_LEAST_NS;
        return pause < PAUSE_MOST_NS ? pause : PAUSE_MOST_NS;
}
