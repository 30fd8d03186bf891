/* test_socket.c: what the kernel says of a socket, and when its descriptor is closed. */
#include "daemon/sockets/socket.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include "daemon/sockets/background.h"
#include "daemon/sockets/waiter.h"
#include "tests/unit/ends.h"
#include "tests/unit/rows.h"

/* What is done to a socket before it is looked at; false: failed. *peer is closed by the test. */

static bool leave(int fd, int *peer)
{
        (void)fd, (void)peer;
        return true;
}

static bool bind_any(int fd, int *peer)
{
        const struct sockaddr_in address = { .sin_family = AF_INET,
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        (void)peer;
        return bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
}

static bool bind_itself(int fd, int *peer)
{
        const sa_family_t family = AF_UNIX;
        (void)peer;
        return bind(fd, (const struct sockaddr *)(const void *)&family, sizeof family) == 0;
}

static bool listen_any(int fd, int *peer)
{
        return bind_any(fd, peer) && listen(fd, 4) == 0;
}

static bool listen_itself(int fd, int *peer)
{
        return bind_itself(fd, peer) && listen(fd, 4) == 0;
}

static bool connect_any(int fd, int *peer)
{
        struct sockaddr_in address;
        *peer = end_bound(SOCK_STREAM, &address);
        return *peer >= 0 && listen(*peer, 1) == 0 &&
               (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ||
                       (errno == EINPROGRESS && end_await(fd, POLLOUT)));
}

static bool connect_datagram(int fd, int *peer)
{
        struct sockaddr_in address;
        *peer = end_bound(SOCK_DGRAM, &address);
        return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
}

/* Where the listener's queue is full, the kernel drops the SYN. */
static bool connect_to_a_full_one(int fd, int *peer)
{
        struct sockaddr_in address;
        *peer = end_bound(SOCK_STREAM, &address);
        fd_auto int first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (*peer < 0 || listen(*peer, 0) != 0)
                return false;
        (void)connect(first, (const struct sockaddr *)&address, sizeof address);
        return end_await(first, POLLOUT) &&
               connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 && errno == EINPROGRESS;
}

struct state_row {
        const char *name;
        int family, type;
        bool (*prepare)(int fd, int *peer);
        const char *state;
        bool local, peer;
        int tcp_state;
};

static const struct state_row state_rows[] = {
        { "TCP, new", AF_INET, SOCK_STREAM, leave, "created", true, false, TCP_CLOSE },
        { "TCP, bound", AF_INET, SOCK_STREAM, bind_any, "bound", true, false, TCP_CLOSE },
        { "TCP, listening", AF_INET, SOCK_STREAM, listen_any, "listening", true, false, TCP_LISTEN },
        { "TCP, connected", AF_INET, SOCK_STREAM, connect_any, "connected", true, true, TCP_ESTABLISHED },
        { "TCP, connecting", AF_INET, SOCK_STREAM, connect_to_a_full_one, "connecting", true, false,
                TCP_SYN_SENT },
        { "TCP over IPv6, new", AF_INET6, SOCK_STREAM, leave, "created", true, false, TCP_CLOSE },
        { "UDP, new", AF_INET, SOCK_DGRAM, leave, "created", true, false, 0 },
        { "UDP, bound", AF_INET, SOCK_DGRAM, bind_any, "bound", true, false, 0 },
        { "UDP, connected", AF_INET, SOCK_DGRAM, connect_datagram, "connected", true, true, 0 },
        { "unix, new", AF_UNIX, SOCK_STREAM, leave, "created", true, false, 0 },
        { "unix, bound", AF_UNIX, SOCK_DGRAM, bind_itself, "bound", true, false, 0 },
        { "unix, listening", AF_UNIX, SOCK_STREAM, listen_itself, "listening", true, false, 0 },
};

static void tells_the_state(void **state)
{
        const struct state_row *const row = *state;
        fd_auto int peer = -1;
        const int fd = socket(row->family, row->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct socket *socket socket_auto = socket_new(fd, row->family, row->type, 0);
        struct socket_status status;
        assert_non_null(socket);
        assert_true(row->prepare(fd, &peer));
        socket_status_read(socket, &status);
        assert_string_equal(status.state, row->state);
        assert_int_equal(status.local.given, row->local);
        assert_int_equal(status.peer.given, row->peer);
        assert_int_equal(status.tcp_state, row->tcp_state);
        assert_int_equal(status.parked, 0);
        assert_int_equal(status.receive_queue + status.send_queue, 0);
}

struct queue_row {
        const char *name;
        int family, type;
        uint64_t received; /* of two messages, of 3 and 4 bytes */
};

static const struct queue_row queue_rows[] = {
        { "TCP's queues", AF_INET, SOCK_STREAM, 7 },
        { "UDP's queues", AF_INET, SOCK_DGRAM, 3 },
        { "unix queues", AF_UNIX, SOCK_STREAM, 7 },
        { "unix datagram queues", AF_UNIX, SOCK_DGRAM, 3 },
        { "seqpacket queues", AF_UNIX, SOCK_SEQPACKET, 7 },
};

static void tells_the_queues(void **state)
{
        const struct queue_row *const row = *state;
        struct ends ends;
        struct socket_status status;
        assert_true(ends_open(&ends, row->family, row->type));
        struct socket *socket socket_auto = socket_new(ends.one, row->family, row->type, 0);
        assert_int_equal(send(ends.other, "abc", 3, 0), 3);
        assert_int_equal(send(ends.other, "defg", 4, 0), 4);
        assert_true(end_await(ends.one, POLLIN));
        socket_status_read(socket, &status);
        assert_int_equal(status.receive_queue, row->received);
        socket->unread = 100;
        socket_status_read(socket, &status);
        assert_int_equal(status.receive_queue, row->received + 100);
        socket->unread = 0;
        end_close(&ends.other);
}

/* A connection that has been used and is over is told from one that never was. */
static void tells_disconnected(void **state)
{
        (void)state;
        struct ends ends;
        struct socket_status status;
        assert_true(ends_open(&ends, AF_INET, SOCK_STREAM));
        struct socket *socket socket_auto = socket_new(ends.one, AF_INET, SOCK_STREAM, 0);
        socket->stored->sent.bytes = 1;
        end_reset(&ends.other);
        assert_true(end_await(ends.one, POLLIN));
        socket_status_read(socket, &status);
        assert_string_equal(status.state, "disconnected");
}

static void last_reference_closes(void **state)
{
        (void)state;
        struct ends ends;
        assert_true(ends_open(&ends, AF_UNIX, SOCK_STREAM));
        struct socket *const socket = socket_new(ends.one, AF_UNIX, SOCK_STREAM, 0);
        assert_ptr_equal(socket_reference(socket), socket);
        socket_release(socket);
        struct pollfd hung_up = { .fd = ends.other };
        assert_int_equal(poll(&hung_up, 1, 0), 0);
        socket_release(socket);
        assert_int_equal(poll(&hung_up, 1, 0), 1);
        socket_release(NULL);
        end_close(&ends.other);
}

struct close_row {
        const char *name;
        bool reset;
        int linger;  /* seconds; -1: not set */
        int error;   /* what the peer reads: 0 is the end of the stream */
        bool unread; /* the socket has more to send than the peer's window takes */
};

static const struct close_row close_rows[] = {
        { "closed", false, -1, 0, false },
        { "closed with a reset", true, -1, ECONNRESET, false },
        { "a reset wins over a linger", true, 5, ECONNRESET, true },
        { "a zero linger resets", false, 0, ECONNRESET, false },
        { "a linger holds nobody up", false, 5, 0, true },
};

static void closes(void **state)
{
        const struct close_row *const row = *state;
        struct ends ends;
        static char block[65536];
        assert_true(ends_open(&ends, AF_INET, SOCK_STREAM));
        struct socket *const socket = socket_new(ends.one, AF_INET, SOCK_STREAM, 0);
        const struct linger linger = { .l_onoff = 1, .l_linger = row->linger };
        if (row->linger >= 0)
                assert_int_equal(setsockopt(ends.one, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
        if (row->unread)
                end_fill(ends.one);
        const int64_t before = now_ns();
        socket_close(socket, row->reset);
        assert_true(now_ns() - before < 2000000000);
        ssize_t got = 1;
        while (got > 0) {
                assert_true(end_await(ends.other, POLLIN));
                got = recv(ends.other, block, sizeof block, MSG_DONTWAIT);
                if (got < 0 && errno == EAGAIN)
                        got = 1;
        }
        assert_int_equal(got, row->error == 0 ? 0 : -1);
        end_close(&ends.other);
        /* Its number is still the socket's, and is no socket any more. */
        assert_int_equal(send(socket->fd, "", 0, 0), -1);
        socket_release(socket);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, tells_the_state, state_rows);
        ROWS_ADD(&all, tells_the_queues, queue_rows);
        rows_add_one(&all, "disconnected", tells_disconnected);
        rows_add_one(&all, "the last reference closes", last_reference_closes);
        ROWS_ADD(&all, closes, close_rows);
        return rows_run("socket", &all);
}
