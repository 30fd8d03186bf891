/* test_websocket_fate.c: what becomes of WebSockets whose client or daemon goes, of many, and of more than
 * may be. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/http/kept.h"
#include "tests/http/wire.h"
#include "tests/http/ws.h"

enum { DEADLINE_MS = 20000 };

static void await_descriptors(struct stage *stage, long count)
{
        const int64_t deadline = milliseconds() + DEADLINE_MS;
        while (daemon_descriptors(stage->daemon) > count)
                if (milliseconds() > deadline)
                        fail_msg("%ld descriptors, not %ld", daemon_descriptors(stage->daemon), count);
}

/* Clients that vanish, some of them with bytes on their way in each direction. */
static void vanished_clients(struct stage *stage)
{
        enum { CLIENTS = 40 };
        struct ws *clients[CLIENTS];
        const char *ids[CLIENTS];
        uint8_t *const bytes = noise(1 << 20);
        for (size_t i = 0; i < CLIENTS; i++)
                ids[i] = make_pair(stage, "SOCK_STREAM").near;
        const long before = daemon_descriptors(stage->daemon);
        for (size_t i = 0; i < CLIENTS; i++) {
                clients[i] = ws_open(stage, ids[i], "", i % 2 ? "sockwright.bytes" : NULL);
                uint8_t *frame = NULL;
                size_t size = 0;
                ws_build(&frame, &size,
                        &(struct ws_part){ .first = WS_BINARY, .bytes = bytes, .size = 1 << 20 });
                ws_write_some(clients[i], frame, i % 4 < 2 ? size : 3);
                free(frame);
        }
        for (size_t i = 0; i < CLIENTS; i++)
                ws_reset(clients[i]);
        await_descriptors(stage, before);
        for (size_t i = 0; i < CLIENTS; i++)
                ws_await_free(stage, ids[i]);
        free(bytes);
}

/* Handshakes that do not end, beside one that works. */
static void half_open_handshakes(struct stage *stage)
{
        enum { CLIENTS = 1000 };
        static int fds[CLIENTS];
        struct rlimit limit;
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        const long before = daemon_descriptors(stage->daemon);
        for (size_t i = 0; i < CLIENTS; i++) {
                fds[i] = wire_open(stage->daemon, OVER_UNIX);
                wire_write(fds[i],
                        "GET /v1/sockets/%s/stream HTTP/1.1\r\nHost: localhost\r\n"
                        "Upgrade: websocket\r\n",
                        ends.near);
        }
        struct ws *const ws = ws_open(stage, ends.near, "", NULL);
        ws_send(ws, WS_FIN | WS_BINARY, "x", 1);
        expect_text(act(stage, ends.far, "recv", 200, "{'until':1}"), "x");
        ws_close(ws);
        for (size_t i = 0; i < CLIENTS; i++)
                close(fds[i]);
        await_descriptors(stage, before);
}

/* A few of many, so that each has its turn. */
static void many_streams(struct stage *stage)
{
        enum { STREAMS = 200 };
        static struct ws *streams[STREAMS];
        static struct ends ends[STREAMS];
        for (size_t i = 0; i < STREAMS; i++) {
                ends[i] = make_pair(stage, "SOCK_STREAM");
                streams[i] = ws_open(stage, ends[i].near, "", NULL);
        }
        for (size_t i = 0; i < STREAMS; i++)
                ws_send(streams[i], WS_FIN | WS_BINARY, &i, sizeof i);
        for (size_t i = 0; i < STREAMS; i++)
                expect_data(act(stage, ends[i].far, "recv", 200, "{'until':%zu}", sizeof i), &i, sizeof i);
        for (size_t i = 0; i < STREAMS; i++)
                ws_close(streams[i]);
}

static void daemon_goes_down(struct stage *suite)
{
        struct stage stage;
        stage_open(&stage, NULL);
        const struct ends ends = make_pair(&stage, "SOCK_STREAM"), others = make_pair(&stage, "SOCK_STREAM");
        struct ws *const ws = ws_open(&stage, ends.near, "", NULL);
        struct ws *const silent = ws_open(&stage, others.near, "", NULL);
        daemon_terminate(stage.daemon);
        ws_expect_close(ws, 1001, "the daemon goes down");
        /* The other one does not answer. */
        daemon_wait(stage.daemon);
        ws_close(silent);
        stage_close(&stage, suite);
}

/* The socket outlives the stream, and so does what comes meanwhile. */
static void end_beneath(struct stage *stage, const struct ends *ends, int signal)
{
        struct ws_frame frame;
        struct ws *const ws = ws_open(stage, ends->near, "", NULL);
        ws_send(ws, WS_FIN | WS_BINARY, "to", 2);
        expect_text(act(stage, ends->far, "recv", 200, "{'until':2}"), "to");
        kept_end(stage, signal);
        assert_int_equal(ws_read(ws, &frame), signal == SIGTERM);
        if (signal == SIGTERM)
                assert_int_equal(frame.code, 1001);
        ws_close(ws);
        act(stage, ends->far, "send", 200, "{'text':'fro'}");
        struct ws *const next = ws_open(stage, ends->near, "", NULL);
        ws_expect_bytes(next, "fro", 3);
        ws_close(next);
        ws_await_free(stage, ends->near);
}

static void restarted(struct stage *suite)
{
        static const char *const arguments[] = { "--keeper", NULL };
        struct stage stage;
        stage_open(&stage, arguments);
        const struct ends ends = make_pair(&stage, "SOCK_STREAM");
        end_beneath(&stage, &ends, SIGTERM);
        end_beneath(&stage, &ends, SIGKILL);
        const struct reply *const socket = get(&stage, 200, "/v1/sockets/%s", ends.near);
        assert_int_equal(number_at(socket, "sent_bytes"), 4);
        assert_int_equal(number_at(socket, "received_bytes"), 6);
        struct daemon *const daemon = stage.daemon;
        stage_close(&stage, suite);
        daemon_stop(daemon);
}

/* Who answers pings lives on. */
static void pings(struct stage *suite)
{
        static const char *const arguments[] = { "--stream-ping-s", "1", NULL };
        struct stage stage;
        stage_open(&stage, arguments);
        const struct ends ends = make_pair(&stage, "SOCK_STREAM"), others = make_pair(&stage, "SOCK_STREAM");
        struct ws *const ws = ws_open(&stage, ends.near, "", NULL);
        struct ws *const dead = ws_open(&stage, others.near, "", NULL);
        struct ws_frame frame;
        for (int i = 0; i < 3; i++) {
                assert_true(ws_read(ws, &frame));
                assert_int_equal(frame.first, WS_FIN | WS_PING);
                ws_send(ws, WS_FIN | WS_PONG, frame.bytes, frame.size);
        }
        assert_true(ws_read(dead, &frame));
        assert_int_equal(frame.first, WS_FIN | WS_PING);
        assert_false(ws_read(dead, &frame));
        ws_await_free(&stage, others.near);
        ws_close(dead);
        ws_send(ws, WS_FIN | WS_BINARY, "x", 1);
        expect_text(act(&stage, ends.far, "recv", 200, "{'until':1}"), "x");
        ws_close(ws);
        daemon_stop(stage.daemon);
        stage_close(&stage, suite);
}

static void quotas(struct stage *suite)
{
        static const char *const arguments[] = { "--token-max-parked", "1", NULL };
        struct stage stage;
        struct reply *reply;
        char path[128];
        stage_open(&stage, arguments);
        const struct ends ends = make_pair(&stage, "SOCK_STREAM");
        struct ws *const ws = ws_open(&stage, ends.near, "", NULL);
        snprintf(path, sizeof path, "/v1/sockets/%s/stream", ends.far);
        ws_ask(&stage, path, &(struct ws_offer){ .no_token = false }, &reply);
        expect_problem(reply, 429, NULL);
        ws_close(ws);
        ws_await_free(&stage, ends.near);
        ws_close(ws_open(&stage, ends.far, "", NULL));
        daemon_stop(stage.daemon);
        stage_close(&stage, suite);
}

static const struct scenario scenarios[] = {
        { "vanished clients", vanished_clients },
        { "half-open handshakes", half_open_handshakes },
        { "many streams", many_streams },
        { "the daemon goes down", daemon_goes_down },
        { "a restart", restarted },
        { "pings", pings },
        { "quotas", quotas },
};

int main(void)
{
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("websocket fates", NULL);
}
