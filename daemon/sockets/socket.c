/* socket.c: counted references to owned sockets, and what the kernel says of them. */
#include "daemon/sockets/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netpacket/packet.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/session.h"
#include "daemon/sockets/store.h"
#include "daemon/sockets/transcript.h"

struct socket *socket_new(int fd, int family, int type, int protocol)
{
        struct socket *const socket = calloc(1, sizeof *socket);
        if (socket == NULL)
                return NULL;
        socket->stored = store_take(STORE_SOCKETS);
        if (socket->stored == NULL) {
                free(socket);
                return NULL;
        }
        socket->fd = fd;
        socket->family = family;
        socket->type = type;
        socket->protocol = protocol;
        socket->references = 1;
        clock_gettime(CLOCK_REALTIME, &socket->stored->created);
        tally_begin(&socket->stored->received);
        tally_begin(&socket->stored->sent);
        for (int direction = 0; direction < DIRECTION_COUNT; direction++)
                pthread_mutex_init(&socket->lanes[direction].lock, NULL);
        return socket;
}

struct socket *socket_reference(struct socket *socket)
{
        atomic_fetch_add_explicit(&socket->references, 1, memory_order_relaxed);
        return socket;
}

/* seccomp: getsockopt */
uint64_t socket_cookie(int fd)
{
        uint64_t cookie = 0;
        return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &(socklen_t){ sizeof cookie }) == 0 ? cookie
                                                                                                  : 0;
}

int socket_option(int fd, int option, int otherwise)
{
        int value = 0;
        return getsockopt(fd, SOL_SOCKET, option, &value, &(socklen_t){ sizeof value }) == 0 ? value
                                                                                             : otherwise;
}

/* What is known of it without its descriptor. */
static void store_facts(const struct socket *socket)
{
        struct stored_socket *const stored = socket->stored;
        stored->parent = socket->parent;
        stored->session = socket->session == NULL ? 0 : socket->session->number;
        snprintf(stored->owner, sizeof stored->owner, "%s", socket->owner == NULL ? "" : socket->owner->name);
        snprintf(stored->netns, sizeof stored->netns, "%s", socket->netns == NULL ? "" : socket->netns);
}

void socket_store(struct socket *socket)
{
        struct stored_socket *const stored = socket->stored;
        stored->cookie = socket_cookie(socket->fd);
        stored->fd = socket->fd;
        store_facts(socket);
}

struct socket *socket_expect(const struct socket *listener)
{
        struct socket *const socket = socket_new(-1, listener->family, listener->type, listener->protocol);
        if (socket == NULL)
                return NULL;
        socket->parent = listener->number;
        socket->netns = listener->netns == NULL ? NULL : strdup(listener->netns);
        if (listener->netns == NULL || socket->netns != NULL)
                return socket;
        socket_release(socket);
        return NULL;
}

/* seccomp: accept4 */
bool socket_accept(
        struct socket *socket, const struct socket *listener, const char *policy, struct address *peer)
{
        struct stored_socket *const stored = socket->stored;
        store_facts(socket);
        snprintf(stored->policy, sizeof stored->policy, "%s", policy);
        stored->peer_size = sizeof stored->peer;
        stored->number = STORED_COMING;
        socket_unblock(listener);
        socket->fd = accept4(listener->fd, (struct sockaddr *)&stored->peer, &stored->peer_size,
                SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket->fd < 0) {
                stored->number = 0;
                return false;
        }
        socket->protocol = socket_option(socket->fd, SO_PROTOCOL, 0);
        *peer = (struct address){ .storage = stored->peer, .size = stored->peer_size };
        return true;
}

void socket_turn_away(struct socket *socket)
{
        connection_reset(take_fd(&socket->fd));
        socket->stored->number = 0;
}

/* A positive SO_LINGER only makes close(2) wait, even on a non-blocking socket; on the wire it changes
 * nothing. seccomp: getsockopt setsockopt */
static void set_linger(int fd, bool reset)
{
        struct linger linger = { .l_onoff = 1, .l_linger = 0 };
        socklen_t size = sizeof linger;
        if (!reset && getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size) == 0 && linger.l_linger > 0)
                linger.l_onoff = 0;
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

bool accept_passes_over(int error)
{
        static const int errors[] = { EINTR, ECONNABORTED, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET,
                EHOSTUNREACH, ENETUNREACH };
        for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
                if (errors[i] == error)
                        return true;
        return false;
}

bool accept_falls_short(int error)
{
        return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

void connection_reset(int fd)
{
        set_linger(fd, true);
        close(fd);
}

/* seccomp: dup3 shutdown close */
void socket_close(struct socket *socket, bool reset)
{
        fd_auto const int nothing = open("/dev/null", O_PATH | O_CLOEXEC);
        set_linger(socket->fd, reset);
        if (nothing < 0 || dup3(nothing, socket->fd, O_CLOEXEC) < 0)
                shutdown(socket->fd, SHUT_RDWR);
}

/* seccomp: recvfrom */
void socket_empty_error_queue(int fd)
{
        enum { ERRORS_AT_ONCE = 64 };
        int left = ERRORS_AT_ONCE;
        char none;
        while (left > 0 && recv(fd, &none, 0, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
                left--;
}

bool socket_error_passes(int error)
{
        return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH || error == EHOSTDOWN ||
               error == ENETDOWN || error == EMSGSIZE || error == ECONNRESET || error == EPERM ||
               error == ENOENT;
}

uint64_t socket_position(const struct socket *socket, enum direction direction)
{
        const struct tally *const tally =
                direction == DIRECTION_RECEIVE ? &socket->stored->received : &socket->stored->sent;
        return socket_has_boundaries(socket) ? tally->messages : tally->bytes;
}

/* seccomp: fcntl */
void socket_unblock(const struct socket *socket)
{
        const int flags = socket->stored->shared ? fcntl(socket->fd, F_GETFL) : O_NONBLOCK;
        if (flags >= 0 && (flags & O_NONBLOCK) == 0)
                fcntl(socket->fd, F_SETFL, flags | O_NONBLOCK);
}

/* seccomp: close */
void socket_release(struct socket *socket)
{
        if (socket == NULL || atomic_fetch_sub_explicit(&socket->references, 1, memory_order_acq_rel) != 1)
                return;
        if (socket->fd >= 0) {
                set_linger(socket->fd, false);
                close(socket->fd);
        }
        for (int direction = 0; direction < DIRECTION_COUNT; direction++)
                pthread_mutex_destroy(&socket->lanes[direction].lock);
        inbox_empty(socket);
        session_release(socket->session);
        store_give_back(STORE_SOCKETS, socket->stored);
        transcript_free(socket->transcript);
        free(socket->netns);
        free(socket);
}

/* seccomp: getsockname */
static void read_local(int fd, struct address *out)
{
        out->size = sizeof out->storage;
        out->given = getsockname(fd, (struct sockaddr *)&out->storage, &out->size) == 0;
        if (out->size > sizeof out->storage)
                out->size = sizeof out->storage;
}

/* seccomp: getpeername */
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
        bool has_port; /* its first two bytes, where raw sockets have their protocol */
        size_t offset, size;
} significant[] = {
        { AF_INET, true, offsetof(struct sockaddr_in, sin_port), sizeof(in_port_t) + sizeof(struct in_addr) },
        { AF_INET6, true, offsetof(struct sockaddr_in6, sin6_port),
                sizeof(struct sockaddr_in6) - sizeof(sa_family_t) },
        { AF_NETLINK, false, offsetof(struct sockaddr_nl, nl_pid), sizeof(uint32_t) * 2 },
        { AF_PACKET, false, offsetof(struct sockaddr_ll, sll_ifindex), sizeof(int) },
};

/* Whether a name that the kernel gives is one that a socket was given. */
static bool is_name(const struct address *name, int type)
{
        static const uint8_t zero[sizeof(struct sockaddr_in6)];
        if (!name->given)
                return false;
        for (size_t i = 0; i < sizeof significant / sizeof *significant; i++) {
                const struct significant *const row = &significant[i];
                const size_t skipped = row->has_port && type == SOCK_RAW ? sizeof(in_port_t) : 0;
                if (name->storage.ss_family == row->family)
                        return memcmp((const uint8_t *)&name->storage + row->offset + skipped, zero,
                                       row->size - skipped) != 0;
        }
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

/* seccomp: ioctl */
static uint64_t read_queue(int fd, unsigned long request)
{
        int size = 0;
        return ioctl(fd, request, &size) == 0 && size > 0 ? (uint64_t)size : 0;
}

static const char *state_of(const struct socket *socket, const struct socket_status *status)
{
        if (socket_option(socket->fd, SO_ACCEPTCONN, 0) != 0)
                return "listening";
        if (status->peer.given && (socket->family != AF_NETLINK || is_name(&status->peer, socket->type)))
                return "connected";
        if (status->tcp_state == TCP_SYN_SENT || status->tcp_state == TCP_SYN_RECV)
                return "connecting";
        if (socket->stored->received.bytes + socket->stored->sent.bytes > 0 && status->tcp_state == TCP_CLOSE)
                return "disconnected";
        return is_name(&status->local, socket->type) ? "bound" : "created";
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
        out->receive_queue += socket->unread;
        out->at_mark = !listening && socket->type == SOCK_STREAM && socket->unread == 0 &&
                       read_queue(socket->fd, SIOCATMARK) != 0;
        out->parked = socket->waiting;
}
