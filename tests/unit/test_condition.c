/* test_condition.c: what is awaited of a socket holds, does not hold yet, or cannot. */
#include "daemon/sockets/condition.h"

#include <netinet/tcp.h>

#include "tests/unit/ends.h"
#include "tests/unit/rows.h"

struct scene {
        struct socket *socket;
        int peer;
};

static struct result receive_queue(struct socket *socket, uint64_t wanted, uint64_t *now)
{
        return condition_receive_queue(socket, wanted, now);
}

static struct result send_queue(struct socket *socket, uint64_t wanted, uint64_t *now)
{
        return condition_send_queue(socket, wanted, now);
}

static struct result tcp_state(struct socket *socket, uint64_t wanted, uint64_t *now)
{
        *now = wanted;
        return condition_tcp_state(socket, (int)wanted);
}

static struct result connection(struct socket *socket, uint64_t wanted, uint64_t *now)
{
        *now = wanted;
        return condition_connection(socket);
}

static void nothing(struct scene *scene)
{
        (void)scene;
}

static void feed(struct scene *scene)
{
        assert_int_equal(send(scene->peer, "abc", 3, MSG_NOSIGNAL), 3);
        assert_true(end_await(scene->socket->fd, POLLIN));
}

/* As a recv that waits for a delimiter leaves them. */
static void feed_and_leave(struct scene *scene)
{
        scene->socket->unread = 4;
        feed(scene);
}

static void end_peer(struct scene *scene)
{
        assert_int_equal(shutdown(scene->peer, SHUT_WR), 0);
        assert_true(end_await(scene->socket->fd, POLLRDHUP));
}

static void fill(struct scene *scene)
{
        end_fill(scene->socket->fd);
}

static void replace(struct scene *scene, bool with_connection)
{
        struct sockaddr_in address;
        fd_auto int listener = end_bound(SOCK_STREAM, &address);
        assert_int_equal(listen(listener, 4), 0);
        end_close(&scene->peer);
        scene->peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (with_connection) {
                assert_int_equal(connect(scene->peer, (const struct sockaddr *)&address, sizeof address), 0);
                assert_true(end_await(listener, POLLIN));
        }
        socket_release(scene->socket);
        scene->socket = socket_new(take_fd(&listener), AF_INET, SOCK_STREAM, 0);
        assert_non_null(scene->socket);
}

static void listen_idly(struct scene *scene)
{
        replace(scene, false);
}

static void listen_and_connect(struct scene *scene)
{
        replace(scene, true);
}

static const struct row {
        const char *name;
        int family, type;
        void (*act)(struct scene *scene);
        struct result (*check)(struct socket *socket, uint64_t wanted, uint64_t *now);
        uint64_t wanted, now;
        enum result_kind kind;
        int error;
} rows[] = {
        { "no bytes", AF_INET, SOCK_STREAM, nothing, receive_queue, 1, 0, RESULT_WAIT, 0 },
        { "too few bytes", AF_INET, SOCK_STREAM, feed, receive_queue, 4, 0, RESULT_WAIT, 0 },
        { "enough bytes", AF_INET, SOCK_STREAM, feed, receive_queue, 3, 3, RESULT_DONE, 0 },
        { "more than enough bytes", AF_UNIX, SOCK_STREAM, feed, receive_queue, 1, 3, RESULT_DONE, 0 },
        { "a datagram", AF_INET, SOCK_DGRAM, feed, receive_queue, 3, 3, RESULT_DONE, 0 },
        { "unread bytes", AF_UNIX, SOCK_STREAM, feed_and_leave, receive_queue, 7, 7, RESULT_DONE, 0 },
        { "bytes of a listener", AF_INET, SOCK_STREAM, listen_idly, receive_queue, 1, 0, RESULT_REFUSED,
                EINVAL },
        { "nothing to send", AF_INET, SOCK_STREAM, nothing, send_queue, 0, 0, RESULT_DONE, 0 },
        { "much to send", AF_INET, SOCK_STREAM, fill, send_queue, 0, 0, RESULT_WAIT, 0 },
        { "a listener's to send", AF_INET, SOCK_STREAM, listen_idly, send_queue, 0, 0, RESULT_REFUSED,
                EINVAL },
        { "the state", AF_INET, SOCK_STREAM, nothing, tcp_state, TCP_ESTABLISHED, TCP_ESTABLISHED,
                RESULT_DONE, 0 },
        { "another state", AF_INET, SOCK_STREAM, nothing, tcp_state, TCP_CLOSE_WAIT, 0, RESULT_WAIT, 0 },
        { "the state that comes", AF_INET, SOCK_STREAM, end_peer, tcp_state, TCP_CLOSE_WAIT, TCP_CLOSE_WAIT,
                RESULT_DONE, 0 },
        { "no TCP", AF_UNIX, SOCK_STREAM, nothing, tcp_state, TCP_CLOSE, 0, RESULT_REFUSED, EOPNOTSUPP },
        { "no connection", AF_INET, SOCK_STREAM, listen_idly, connection, 0, 0, RESULT_WAIT, 0 },
        { "a connection", AF_INET, SOCK_STREAM, listen_and_connect, connection, 0, 0, RESULT_DONE, 0 },
        { "no listener", AF_INET, SOCK_STREAM, feed, connection, 0, 0, RESULT_REFUSED, EINVAL },
};

static void holds_or_not(void **state)
{
        const struct row *const row = *state;
        struct ends ends;
        uint64_t now = 0;
        assert_true(ends_open(&ends, row->family, row->type));
        struct scene scene = { .socket = socket_new(ends.one, row->family, row->type, 0),
                .peer = ends.other };
        assert_non_null(scene.socket);
        row->act(&scene);
        const struct result result = row->check(scene.socket, row->wanted, &now);
        assert_int_equal(result.kind, row->kind);
        assert_int_equal(result.error, row->error);
        if (result.kind == RESULT_DONE)
                assert_int_equal(now, row->now);
        if (result.kind == RESULT_WAIT)
                assert_string_equal(result.call, "poll");
        scene.socket->unread = 0;
        socket_release(scene.socket);
        end_close(&scene.peer);
}

/* Exact at first, then ever less often, but never seldom. */
static void pauses(void **state)
{
        static const int64_t ms = 1000000;
        (void)state;
        assert_int_equal(condition_pause_ns(0), ms);
        assert_int_equal(condition_pause_ns(16 * ms), ms);
        assert_int_equal(condition_pause_ns(160 * ms), 10 * ms);
        assert_int_equal(condition_pause_ns(INT64_MAX), 20 * ms);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, holds_or_not, rows);
        rows_add_one(&all, "pauses", pauses);
        return rows_run("condition", &all);
}
