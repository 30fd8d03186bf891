/* socket.c: counted references to owned sockets, and what the kernel says of them. */
#include "daemon/sockets/socket.h"

#include <linux/netlink.h>
#include <linux/sockios.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netpacket/packet.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/sockets/background.h"

struct lingering_close {
        struct background_job job;
        int fd;
};

struct socket *socket_new(int fd, int family, int type, int protocol)
{
        struct socket *const socket = calloc(1, sizeof *socket);
        if (socket == NULL)
                return NULL;
        socket->fd = fd;
        socket->family = family;
        socket->type = type;
        socket->protocol = protocol;
        socket->references = 1;
        clock_gettime(CLOCK_REALTIME, &socket->created);
        for (int direction = 0; direction < DIRECTION_COUNT; direction++)
                pthread_mutex_init(&socket->lanes[direction].lock, NULL);
        return socket;
}

struct socket *socket_reference(struct socket *socket)
{
        atomic_fetch_add_explicit(&socket->references, 1, memory_order_relaxed);
        return socket;
}

static void close_lingering(struct background_job *job)
{
        struct lingering_close *const lingering = (struct lingering_close *)job;
        close(lingering->fd);
        free(lingering);
}

/* close() waits for as long as SO_LINGER says, even on a non-blocking socket. */
static bool lingers(int fd)
{
        struct linger linger = { 0 };
        socklen_t size = sizeof linger;
        return getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size) == 0 && linger.l_onoff &&
               linger.l_linger > 0;
}

static void close_descriptor(int fd, bool reset)
{
        if (reset) {
                const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        } else if (lingers(fd)) {
                struct lingering_close *const lingering = malloc(sizeof *lingering);
                if (lingering != NULL) {
                        *lingering = (struct lingering_close){ .job.run = close_lingering, .fd = fd };
                        background_submit(&lingering->job);
                        return;
                }
        }
        close(fd);
}

void socket_release(struct socket *socket)
{
        if (socket == NULL || atomic_fetch_sub_explicit(&socket->references, 1, memory_order_acq_rel) != 1)
                return;
        if (socket->fd >= 0)
                close_descriptor(socket->fd, socket->reset);
        for (int direction = 0; direction < DIRECTION_COUNT; direction++)
                pthread_mutex_destroy(&socket->lanes[direction].lock);
        free(socket->unread.bytes);
        free(socket);
}

static void read_local(int fd, struct address *out)
{
        out->size = sizeof out->storage;
        out->given = getsockname(fd, (struct sockaddr *)&out->storage, &out->size) == 0;
        if (out->size > sizeof out->storage)
                out->size = sizeof out->storage;
}

static void read_peer(int fd, struct address *out)
{
        out->size = sizeof out->storage;
        out->given = getpeername(fd, (struct sockaddr *)&out->storage, &out->size) == 0;
        if (out->size > sizeof out->storage)
                out->size = sizeof out->storage;
}

/* The bytes of a name that say where a socket is, family by family: all zero, they are no address. */
static const struct significant {
        sa_family_t family;
        size_t offset, size;
} significant[] = {
        { AF_INET, offsetof(struct sockaddr_in, sin_port), sizeof(in_port_t) + sizeof(struct in_addr) },
        { AF_INET6, offsetof(struct sockaddr_in6, sin6_port),
                sizeof(struct sockaddr_in6) - sizeof(sa_family_t) },
        { AF_NETLINK, offsetof(struct sockaddr_nl, nl_pid), sizeof(uint32_t) * 2 },
        { AF_PACKET, offsetof(struct sockaddr_ll, sll_ifindex), sizeof(int) },
};

/* Whether a name that the kernel gives is one that a socket was given. */
static bool is_name(const struct address *name)
{
        static const uint8_t zero[sizeof(struct sockaddr_in6)];
        if (!name->given)
                return false;
        for (size_t i = 0; i < sizeof significant / sizeof *significant; i++)
                if (name->storage.ss_family == significant[i].family)
                        return memcmp((const uint8_t *)&name->storage + significant[i].offset, zero,
                                       significant[i].size) != 0;
        if (name->storage.ss_family == AF_VSOCK)
                return ((const struct sockaddr_vm *)&name->storage)->svm_port != VMADDR_PORT_ANY;
        return name->size > sizeof(sa_family_t);
}

static int read_tcp_state(const struct socket *socket)
{
        if ((socket->family != AF_INET && socket->family != AF_INET6) || socket->type != SOCK_STREAM)
                return 0;
        struct tcp_info info = { 0 };
        socklen_t size = sizeof info;
        return getsockopt(socket->fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_state : 0;
}

static int read_int_option(int fd, int option)
{
        int value = 0;
        socklen_t size = sizeof value;
        return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : 0;
}

static uint64_t read_queue(int fd, unsigned long request)
{
        int size = 0;
        return ioctl(fd, request, &size) == 0 && size > 0 ? (uint64_t)size : 0;
}

static const char *state_of(const struct socket *socket, const struct socket_status *status)
{
        if (read_int_option(socket->fd, SO_ACCEPTCONN) != 0)
                return "listening";
        if (status->peer.given && (socket->family != AF_NETLINK || is_name(&status->peer)))
                return "connected";
        if (status->tcp_state == TCP_SYN_SENT || status->tcp_state == TCP_SYN_RECV)
                return "connecting";
        if (socket->received_bytes + socket->sent_bytes > 0 && status->tcp_state == TCP_CLOSE)
                return "disconnected";
        return is_name(&status->local) ? "bound" : "created";
}

void socket_status_read(struct socket *socket, struct socket_status *out)
{
        *out = (struct socket_status){ 0 };
        read_local(socket->fd, &out->local);
        read_peer(socket->fd, &out->peer);
        out->tcp_state = read_tcp_state(socket);
        out->state = state_of(socket, out);
        const bool listening = strcmp(out->state, "listening") == 0;
        out->receive_queue = listening ? 0 : read_queue(socket->fd, SIOCINQ);
        out->send_queue = listening ? 0 : read_queue(socket->fd, SIOCOUTQ);
        out->receive_queue += socket->unread.size;
        out->parked = socket->lanes[DIRECTION_RECEIVE].parked + socket->lanes[DIRECTION_SEND].parked;
}
