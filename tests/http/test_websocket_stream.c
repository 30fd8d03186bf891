/* test_websocket_stream.c: sockets used by WebSocket: the handshake, who may, both directions and their ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/ws.h"

#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static const struct handshake {
        const char *name;
        struct ws_offer offer;
        int status;
        const char *parameter, *protocol;
} handshakes[] = {
        { "a handshake without subprotocols", { .no_token = false }, 101, .parameter = NULL },
        { "sockwright.bytes", { .protocols = "sockwright.bytes" }, 101, .protocol = "sockwright.bytes" },
        { "the second subprotocol", { .protocols = "chat,  sockwright.bytes ,x" }, 101,
                .protocol = "sockwright.bytes" },
        { "headers as Firefox has them",
                { .headers = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n" VERSION KEY }, 101,
                .parameter = NULL },
        { "extensions, which are not taken", { .more = "Sec-WebSocket-Extensions: permessage-deflate\r\n" },
                101, .parameter = NULL },
        { "no Upgrade", { .headers = "X: y\r\n" }, 426, .parameter = "Upgrade" },
        { "Upgrade to something else", { .headers = "Upgrade: h2c\r\nConnection: Upgrade\r\n" VERSION KEY },
                426, .parameter = "Upgrade" },
        { "no Connection", { .headers = "Upgrade: websocket\r\n" VERSION KEY }, 400,
                .parameter = "Connection" },
        { "Connection: keep-alive",
                { .headers = "Connection: keep-alive\r\nUpgrade: websocket\r\n" VERSION KEY }, 400,
                .parameter = "Connection" },
        { "version 8", { .headers = UPGRADE "Sec-WebSocket-Version: 8\r\n" KEY }, 426,
                .parameter = "Sec-WebSocket-Version" },
        { "no version", { .headers = UPGRADE KEY }, 426, .parameter = "Sec-WebSocket-Version" },
        { "two versions", { .headers = UPGRADE VERSION VERSION KEY }, 400,
                .parameter = "Sec-WebSocket-Version" },
        { "no key", { .headers = UPGRADE VERSION }, 400, .parameter = "Sec-WebSocket-Key" },
        { "a short key", { .headers = UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n" }, 400,
                .parameter = "Sec-WebSocket-Key" },
        { "a key that is no base64",
                { .headers = UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j*Q==\r\n" }, 400,
                .parameter = "Sec-WebSocket-Key" },
        { "two keys", { .headers = UPGRADE VERSION KEY KEY }, 400, .parameter = "Sec-WebSocket-Key" },
        { "unknown subprotocols", { .protocols = "chat, superchat" }, 400,
                .parameter = "Sec-WebSocket-Protocol" },
        { "datagrams of a stream", { .protocols = "sockwright.datagrams" }, 400,
                .parameter = "Sec-WebSocket-Protocol" },
        { "a page of another origin", { .more = "Origin: https://evil.example\r\n" }, 403,
                .parameter = "Origin" },
};

static void handshake(struct stage *stage, const void *row)
{
        const struct handshake *const handshake = row;
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        struct reply *reply;
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/stream", ends.near);
        struct ws *const ws = ws_ask(stage, path, &handshake->offer, &reply);
        expect_status(reply, handshake->status);
        if (!ws) {
                expect_problem(reply, handshake->status, handshake->parameter);
                if (handshake->status == 426)
                        assert_string_equal(reply_header(reply, "sec-websocket-version"), "13");
                return;
        }
        const char *const protocol = reply_header(reply, "sec-websocket-protocol");
        assert_string_equal(protocol ? protocol : "", handshake->protocol ? handshake->protocol : "");
        ws_send(ws, WS_FIN | WS_BINARY, "x", 1);
        expect_text(act(stage, ends.far, "recv", 200, "{'until':1}"), "x");
        ws_close(ws);
}

/* A browser's page shows its token as a subprotocol. */
static void token_as_subprotocol(struct stage *stage)
{
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        char path[128], protocols[400], origin[128];
        struct reply *reply;
        stage->client = stage->over_tcp;
        snprintf(path, sizeof path, "/v1/sockets/%s/stream", ends.near);
        snprintf(origin, sizeof origin, "Origin: %s://localhost\r\n",
                strncmp(stage->daemon->url, "https", 5) == 0 ? "https" : "http");
        snprintf(protocols, sizeof protocols, "bearer.%s, sockwright.bytes", stage->daemon->token);
        struct ws *const ws = ws_ask(stage, path,
                &(struct ws_offer){ .protocols = protocols, .no_token = true, .more = origin }, &reply);
        expect_status(reply, 101);
        assert_string_equal(reply_header(reply, "sec-websocket-protocol"), "sockwright.bytes");
        ws_close(ws);
        const char *const wrong[] = { "bearer.0123456789abcdef, sockwright.bytes",
                "bearer., sockwright.bytes", "sockwright.bytes" };
        for (size_t i = 0; i < COUNT(wrong); i++) {
                ws_ask(stage, path, &(struct ws_offer){ .protocols = wrong[i], .no_token = true }, &reply);
                expect_problem(reply, 401, NULL);
        }
}

static void refused_to(struct stage *stage, const char *id, const char *errno_name)
{
        char path[128];
        struct reply *reply;
        snprintf(path, sizeof path, "/v1/sockets/%s/stream", id);
        assert_null(ws_ask(stage, path, &(struct ws_offer){ .no_token = false }, &reply));
        expect_errno(reply, errno_name);
}

static void one_user_at_a_time(struct stage *stage)
{
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        struct ws *const ws = ws_open(stage, ends.near, "", NULL);
        refused_to(stage, ends.near, "EBUSY");
        act_refused(stage, ends.near, "recv", "EBUSY", "");
        act_refused(stage, ends.near, "send", "EBUSY", "{'text':'x'}");
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/reactor", ends.near);
        const struct request reactor = { .method = "PUT", .path = path, .json = "{\"kind\":\"sink\"}" };
        expect_errno(stage_keep(stage, exchange(stage->client, &reactor)), "EBUSY");
        ws_send_close(ws, 1000, "");
        struct ws_frame frame;
        assert_true(ws_read(ws, &frame));
        /* Who has heard of the end finds the socket free. */
        assert_int_equal(stage_keep(stage, exchange(stage->client, &reactor))->status, 200);
        refused_to(stage, ends.near, "EBUSY");
        ws_close(ws);
        drop(stage, 200, "/v1/sockets/%s/reactor", ends.near);
        struct pending *const waits = later(stage, ends.near, "recv", "{'size':1}");
        await_parked(stage, ends.near, 1);
        refused_to(stage, ends.near, "EBUSY");
        act(stage, ends.far, "send", 200, "{'text':'x'}");
        finish(stage, waits, 200);
}

/* Nobody acknowledges what a stream takes: such a socket has none, and begins to retain only without. */
static void sockets_that_retain(struct stage *stage)
{
        const struct reply *const pair =
                post(stage, 201, "/v1/socketpairs", "{'type':'SOCK_STREAM','retain':4096}");
        refused_to(stage, text_at(pair, "sockets.0.id"), "EBUSY");
        const struct ends ends = make_pair(stage, "SOCK_DGRAM");
        struct ws *const ws = ws_open(stage, ends.near, "", NULL);
        act_refused(stage, ends.near, "recv", "EBUSY", "{'offset':0}");
        ws_close(ws);
        ws_await_free(stage, ends.near);
        act_refused(stage, ends.near, "recv", "EAGAIN", "{'offset':0,'timeout_ms':0}");
        refused_to(stage, ends.near, "EBUSY");
}

static int64_t count_at(struct stage *stage, const char *id, const char *counter)
{
        return number_at(get(stage, 200, "/v1/sockets/%s", id), counter);
}

/* A stream counts as other calls do: positions go on behind it. */
static void positions_go_on(struct stage *stage)
{
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        act(stage, ends.near, "send", 200, "{'text':'ab','offset':0}");
        struct ws *const ws = ws_open(stage, ends.near, "", NULL);
        act(stage, ends.far, "send", 200, "{'text':'12345'}");
        ws_expect_bytes(ws, "12345", 5);
        ws_send(ws, WS_FIN | WS_BINARY, "cde", 3);
        expect_text(act(stage, ends.far, "recv", 200, "{'until':5}"), "abcde");
        ws_close(ws);
        ws_await_free(stage, ends.near);
        assert_int_equal(count_at(stage, ends.near, "received_bytes"), 5);
        assert_int_equal(count_at(stage, ends.near, "sent_bytes"), 5);
        assert_true(flag_at(act(stage, ends.near, "send", 200, "{'text':'de','offset':3}"), "duplicate"));
        act(stage, ends.near, "send", 200, "{'text':'f','offset':5}");
        expect_problem(act(stage, ends.near, "recv", 410, "{'offset':4,'timeout_ms':0}"), 410, "offset");
        act(stage, ends.far, "send", 200, "{'text':'6'}");
        expect_text(act(stage, ends.near, "recv", 200, "{'offset':5}"), "6");
}

static void sockets_that_are_not_connected(struct stage *stage)
{
        refused_to(stage, make(stage, "{'type':'SOCK_STREAM'}"), "ENOTCONN");
        refused_to(stage, make(stage, "{'bind':'127.0.0.1:0','listen':true}"), "ENOTCONN");
        struct reply *reply;
        ws_ask(stage, "/v1/sockets/0000000-1/stream", &(struct ws_offer){ .no_token = false }, &reply);
        expect_problem(reply, 404, NULL);
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        const struct reply *const batch = post(stage, 200, "/v1/batch",
                "{'steps':[{'method':'GET','path':'/v1/sockets/%s/stream'}]}", ends.near);
        assert_int_equal(number_at(batch, "results.0.status"), 400);
}

/* A connection that holds little itself. */
static struct link make_narrow_link(struct stage *stage)
{
        const struct link link = make_link(stage);
        const char *const ends[] = { link.near, link.far }, *const options[] = { "SO_SNDBUF", "SO_RCVBUF" };
        for (int i = 0; i < 4; i++)
                act(stage, ends[i / 2], "setsockopt", 200,
                        "{'level':'SOL_SOCKET','option':'%s','value':65536}", options[i % 2]);
        return link;
}

/* More than all the kernel's buffers hold on the way. */
enum { SIZE = 8 << 20 };

/* Neither side holds more than its buffers: what is not taken stops who sends it, and all of it arrives. */
static void slow_socket(struct stage *stage)
{
        enum { PIECE = 1 << 20 };
        const struct link link = make_narrow_link(stage);
        struct ws *const ws = ws_open(stage, link.near, "", NULL);
        uint8_t *const bytes = noise(SIZE), *frames = NULL;
        size_t size = 0, sent = 0;
        for (size_t at = 0; at < SIZE; at += PIECE)
                ws_build(&frames, &size,
                        &(struct ws_part){ .first = WS_FIN | WS_BINARY, .bytes = bytes + at, .size = PIECE });
        const long before = daemon_memory(stage->daemon);
        for (int64_t idle_since = milliseconds(); sent < size && milliseconds() < idle_since + 700;) {
                const size_t more = ws_write_some(ws, frames + sent, size - sent);
                sent += more;
                if (more > 0)
                        idle_since = milliseconds();
        }
        assert_true(sent < size);
        assert_true(daemon_memory(stage->daemon) - before < 8192);
        struct pending *const receives = later_raw(stage, link.far, "recv?until=eof", NULL, 0, true);
        ws_write(ws, frames + sent, size - sent);
        ws_send_text(ws, "{'shutdown':'SHUT_WR'}");
        const struct reply *const reply = finish(stage, receives, 200);
        assert_int_equal(reply->size, SIZE);
        assert_memory_equal(reply->body, bytes, SIZE);
        const struct reply *const socket = get(stage, 200, "/v1/sockets/%s", link.near);
        assert_int_equal(number_at(socket, "sent_bytes"), SIZE);
        ws_close(ws);
        free(frames);
        free(bytes);
}

static void slow_client(struct stage *stage)
{
        const struct link link = make_narrow_link(stage);
        struct ws *const ws = ws_open(stage, link.near, "", NULL);
        uint8_t *const bytes = noise(SIZE);
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/send?timeout_ms=700", link.far);
        const struct request request = { .method = "PUT", .path = path, .raw = bytes, .raw_size = SIZE };
        const struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
        expect_errno(reply, "EAGAIN");
        const size_t taken = (size_t)number_at(reply, "sent");
        assert_true(taken < SIZE);
        act(stage, link.far, "shutdown", 200, "{'how':'SHUT_WR'}");
        ws_expect_bytes(ws, bytes, taken);
        ws_expect_close(ws, 1000, "");
        assert_int_equal(number_at(get(stage, 200, "/v1/sockets/%s", link.near), "received_bytes"), taken);
        free(bytes);
}

/* Our closing is no end of what the client sends. */
static void end_of_the_peer(struct stage *stage)
{
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        struct ws *const ws = ws_open(stage, ends.near, "", NULL);
        struct ws_frame frame;
        act(stage, ends.far, "send", 200, "{'text':'bye'}");
        act(stage, ends.far, "shutdown", 200, "{'how':'SHUT_WR'}");
        ws_expect_bytes(ws, "bye", 3);
        assert_true(ws_read(ws, &frame));
        assert_int_equal(frame.code, 1000);
        ws_send(ws, WS_FIN | WS_BINARY, "late", 4);
        ws_send_close(ws, 1000, "");
        expect_text(act(stage, ends.far, "recv", 200, "{'until':4}"), "late");
        assert_false(ws_read(ws, &frame));
        ws_close(ws);
}

static void half_open(struct stage *stage)
{
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        struct ws *const ws = ws_open(stage, ends.near, "?half_open=true", NULL);
        act(stage, ends.far, "shutdown", 200, "{'how':'SHUT_WR'}");
        assert_string_equal(ws_expect_text(ws), "{\"shutdown\":\"SHUT_WR\"}");
        ws_send(ws, WS_FIN | WS_BINARY, "after", 5);
        expect_text(act(stage, ends.far, "recv", 200, "{'until':5}"), "after");
        ws_send_text(ws, "{'shutdown':'SHUT_WR'}");
        assert_true(flag_at(act(stage, ends.far, "recv", 200, "{'size':1}"), "eof"));
        ws_expect_close(ws, 1000, "");
}

static void half_close_of_the_client(struct stage *stage)
{
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        struct ws *const ws = ws_open(stage, ends.near, "", NULL);
        ws_send(ws, WS_FIN | WS_BINARY, "all", 3);
        ws_send_text(ws, "{'shutdown':'SHUT_WR'}");
        expect_text(act(stage, ends.far, "recv", 200, "{'until':{'eof':true}}"), "all");
        act(stage, ends.far, "send", 200, "{'text':'answer'}");
        ws_expect_bytes(ws, "answer", 6);
        act(stage, ends.far, "shutdown", 200, "{'how':'SHUT_WR'}");
        ws_expect_close(ws, 1000, "");
}

/* What a recv has left over comes first. */
static void bytes_that_were_left_over(struct stage *stage)
{
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        act(stage, ends.far, "send", 200, "{'text':'left'}");
        act_refused(stage, ends.near, "recv", "EAGAIN", "{'until':9,'timeout_ms':0}");
        struct ws *const ws = ws_open(stage, ends.near, "", NULL);
        act(stage, ends.far, "send", 200, "{'text':' over'}");
        ws_expect_bytes(ws, "left over", 9);
        ws_close(ws);
}

static void reset_by_the_peer(struct stage *stage)
{
        const struct link link = make_link(stage);
        struct ws *const ws = ws_open(stage, link.near, "", NULL);
        drop(stage, 204, "/v1/sockets/%s?reset=true", link.far);
        ws_expect_close(ws, 1011, "ECONNRESET");
        get(stage, 200, "/v1/sockets/%s", link.near);
}

static void deleted_meanwhile(struct stage *stage)
{
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        struct ws *const ws = ws_open(stage, ends.near, "", NULL);
        drop(stage, 204, "/v1/sockets/%s", ends.near);
        assert_true(flag_at(act(stage, ends.far, "recv", 200, "{'size':1}"), "eof"));
        ws_expect_close(ws, 1001, "the socket was closed");
}

static const struct scenario scenarios[] = {
        { "a token as a subprotocol", token_as_subprotocol },
        { "one user at a time", one_user_at_a_time },
        { "sockets that retain", sockets_that_retain },
        { "positions go on", positions_go_on },
        { "sockets that are not connected", sockets_that_are_not_connected },
        { "a slow socket", slow_socket },
        { "a slow client", slow_client },
        { "the end of the peer", end_of_the_peer },
        { "half open", half_open },
        { "half-close of the client", half_close_of_the_client },
        { "bytes that were left over", bytes_that_were_left_over },
        { "reset by the peer", reset_by_the_peer },
        { "deleted meanwhile", deleted_meanwhile },
};

int main(void)
{
        SUITE_ADD_ROWS(handshake, handshakes);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("websocket streams", NULL);
}
