/* test_keys_joined.c: requests with one Idempotency-Key that come while the first is under way, whose client
 * may have gone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/keyed.h"
#include "tests/http/wire.h"

enum { DEADLINE_MS = 20000, CROWD = 8 };

/* The scenarios' daemon lets two calls wait: returns when both do. What is tried for that may be one of the
 * two for a moment: `again` is called each time. */
static void await_two(struct stage *stage, void (*again)(void *context), void *context)
{
        const char *const id = make(stage, "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        const int64_t deadline = milliseconds() + DEADLINE_MS;
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/recv?timeout_ms=1", id);
        client_set_quiet(stage->client, true);
        for (int status = 0; status != 429;) {
                struct reply *const reply =
                        exchange(stage->client, &(struct request){ .method = "POST", .path = path });
                status = reply->status;
                reply_free(reply);
                if (again)
                        again(context);
                if (milliseconds() > deadline)
                        fail_msg("no two calls wait");
        }
        client_set_quiet(stage->client, false);
        drop(stage, 204, "/v1/sockets/%s", id);
}

/* What ends the wait. */
static void send_to_it(struct stage *stage, const struct ends *ends)
{
        act(stage, ends->far, "send", 200, "{'text':'once'}");
}

static void close_it(struct stage *stage, const struct ends *ends)
{
        drop(stage, 204, "/v1/sockets/%s", ends->near);
}

static void end_far(struct stage *stage, const struct ends *ends)
{
        drop(stage, 204, "/v1/sockets/%s", ends->far);
}

static const struct joined {
        const char *name, *action, *json;
        void (*cause)(struct stage *stage, const struct ends *ends);
        int status;
} joineds[] = {
        { "a recv gets bytes", "recv", "", send_to_it, 200 },
        { "a recv gets the end", "recv", "", end_far, 200 },
        { "a recv is cut off", "recv", "", close_it, 422 },
        { "a recvmsg gets bytes", "recvmsg", "", send_to_it, 200 },
        { "a wait", "wait", "{'events':['POLLIN']}", send_to_it, 200 },
};

static void play_joined(struct stage *stage, const void *row)
{
        const struct joined *const joined = row;
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        const char *const key = new_key();
        struct going first, again;
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/%s", ends.near, joined->action);
        going_begin(stage, OVER_UNIX, key, path, joined->json, &first);
        await_parked(stage, ends.near, 1);
        going_begin(stage, OVER_TCP, key, path, joined->json, &again);
        await_two(stage, NULL, NULL);
        joined->cause(stage, &ends);
        const struct reply *const reply = going_end(stage, &first);
        expect_status(reply, joined->status);
        assert_false(is_replayed(reply));
        expect_replay(reply, going_end(stage, &again));
        if (joined->cause == send_to_it && strcmp(joined->action, "wait") != 0)
                act_refused(stage, ends.near, "recv", "EAGAIN", "{'timeout_ms':0}");
}

static const char *make_listener(struct stage *stage, int *port)
{
        const struct reply *const reply =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':{'backlog':9}}");
        *port = (int)number_at(reply, "local.port");
        return text_at(reply, "id");
}

static void joined_accept(struct stage *stage)
{
        const char *const key = new_key();
        int port;
        const char *const listener = make_listener(stage, &port);
        struct going first, again;
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/accept", listener);
        going_begin(stage, OVER_TCP, key, path, "", &first);
        await_parked(stage, listener, 1);
        going_begin(stage, OVER_UNIX, key, path, "", &again);
        await_two(stage, NULL, NULL);
        make(stage, "{'connect':'127.0.0.1:%d'}", port);
        make(stage, "{'connect':'127.0.0.1:%d'}", port);
        const struct reply *const reply = going_end(stage, &first);
        expect_status(reply, 201);
        expect_replay(reply, going_end(stage, &again));
        act(stage, listener, "accept", 201, "");
        act_refused(stage, listener, "accept", "EAGAIN", "{'timeout_ms':0}");
}

static void wire_close(int fd)
{
        close(fd);
}

/* How the first one's client goes while its call waits. */
static const struct leave {
        const char *name;
        enum transport transport;
        void (*leave)(int fd);
        bool retried_before; /* the retry comes before the call is done */
} leaves[] = {
        { "reset, joined by the retry", OVER_TCP, wire_reset, true },
        { "reset, before the retry", OVER_TCP, wire_reset, false },
        { "closed over unix, joined by the retry", OVER_UNIX, wire_close, true },
        { "closed over unix, before the retry", OVER_UNIX, wire_close, false },
};

static void ask_on(int fd, const struct daemon *daemon, const char *key, const char *path)
{
        wire_write(fd,
                "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
                "Idempotency-Key: %s\r\nContent-Length: 0\r\n\r\n",
                path, daemon->token, key);
}

static int ask(const struct stage *stage, enum transport transport, const char *key, const char *path)
{
        const int fd = wire_open(stage->daemon, transport);
        ask_on(fd, stage->daemon, key, path);
        return fd;
}

/* Returns when the socket has nothing to receive. */
static void await_taken(struct stage *stage, const char *id)
{
        const int64_t deadline = milliseconds() + DEADLINE_MS;
        while (number_at(get(stage, 200, "/v1/sockets/%s", id), "receive_queue") > 0)
                if (milliseconds() > deadline)
                        fail_msg("nobody takes it");
}

/* A call goes on without its client, and who comes again gets what it got. */
static void play_leave(struct stage *stage, const void *row)
{
        const struct leave *const leave = row;
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        const char *const key = new_key();
        struct going again;
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/recv", ends.near);
        const int fd = ask(stage, leave->transport, key, path);
        await_parked(stage, ends.near, 1);
        leave->leave(fd);
        if (leave->retried_before) {
                going_begin(stage, OVER_TCP, key, path, "", &again);
                await_two(stage, NULL, NULL);
        }
        await_parked(stage, ends.near, 1);
        send_to_it(stage, &ends);
        await_taken(stage, ends.near);
        if (!leave->retried_before)
                going_begin(stage, OVER_UNIX, key, path, "", &again);
        const struct reply *const reply = going_end(stage, &again);
        expect_status(reply, 200);
        assert_true(is_replayed(reply));
        expect_text(reply, "once");
        assert_int_equal(number_at(get(stage, 200, "/v1/sockets/%s", ends.near), "parked"), 0);
}

/* Asks on a connection, and once more when a limit was met. */
struct asker {
        const struct daemon *daemon;
        int fd;
        const char *key, *path;
};

static void ask_again(void *context)
{
        const struct asker *const asker = context;
        struct wire_reply reply;
        char byte;
        if (recv(asker->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
                return;
        wire_read(asker->fd, &reply);
        assert_int_equal(reply.status, 429);
        ask_on(asker->fd, asker->daemon, asker->key, asker->path);
}

/* One that has joined goes by itself, and takes nothing along. */
static void a_joiner_leaves(struct stage *stage)
{
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        const char *const key = new_key();
        struct going first;
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/recv", ends.near);
        going_begin(stage, OVER_UNIX, key, path, "", &first);
        await_parked(stage, ends.near, 1);
        for (int i = 0; i < 3; i++) {
                struct asker asker = { stage->daemon, ask(stage, OVER_TCP, key, path), key, path };
                await_two(stage, ask_again, &asker);
                wire_reset(asker.fd);
        }
        struct going again;
        going_begin(stage, OVER_UNIX, key, path, "", &again);
        await_two(stage, NULL, NULL);
        send_to_it(stage, &ends);
        const struct reply *const reply = going_end(stage, &first);
        expect_text(reply, "once");
        expect_replay(reply, going_end(stage, &again));
}

/* As many calls wait as may: that the first is refused is no outcome. */
static void refused_by_a_limit(struct stage *stage)
{
        const struct ends one = make_pair(stage, "SOCK_STREAM"), two = make_pair(stage, "SOCK_STREAM");
        const char *const key = new_key();
        char path[128];
        struct pending *const waiting[] = { later(stage, two.near, "recv", ""),
                later(stage, two.far, "recv", "") };
        snprintf(path, sizeof path, "/v1/sockets/%s/recv?timeout_ms=10000", one.near);
        await_parked(stage, two.near, 1);
        await_parked(stage, two.far, 1);
        for (int i = 0; i < 2; i++) {
                const struct reply *const reply = keyed(stage, stage->client, key, "POST", path, "");
                expect_problem(reply, 429, NULL);
                assert_false(is_replayed(reply));
        }
        act(stage, two.far, "send", 200, "{'text':'go'}");
        finish(stage, waiting[0], 200);
        send_to_it(stage, &one);
        const struct reply *const reply = keyed(stage, stage->client, key, "POST", path, "");
        expect_text(reply, "once");
        assert_false(is_replayed(reply));
        act(stage, two.near, "send", 200, "{'text':'go'}");
        finish(stage, waiting[1], 200);
}

/* A send that was refused in its middle is not begun anew: what the kernel has taken it has. */
static void goes_on_after_a_limit(struct stage *stage)
{
        enum { SIZE = 1 << 20 };
        const struct ends pair = make_pair(stage, "SOCK_STREAM"), two = make_pair(stage, "SOCK_STREAM");
        const char *const key = new_key();
        uint8_t *const bytes = noise(SIZE);
        char *const data = base64_encode(bytes, SIZE), path[128], *json = NULL;
        struct pending *const waiting[] = { later(stage, two.near, "recv", ""),
                later(stage, two.far, "recv", "") };
        snprintf(path, sizeof path, "/v1/sockets/%s/send", pair.near);
        assert_true(asprintf(&json, "{'data':'%s','all':true}", data) > 0);
        await_parked(stage, two.near, 1);
        await_parked(stage, two.far, 1);
        const struct reply *const stopped = keyed(stage, stage->client, key, "POST", path, json);
        expect_problem(stopped, 429, NULL);
        assert_true(number_at(stopped, "sent") > 0);
        for (int i = 0; i < 2; i++) {
                act(stage, i ? two.near : two.far, "send", 200, "{'text':'go'}");
                finish(stage, waiting[i], 200);
        }
        struct pending *const receiving = later(stage, pair.far, "recv", "{'until':{'bytes':%d}}", SIZE);
        const struct reply *const reply = keyed(stage, stage->client, key, "POST", path, json);
        expect_status(reply, 200);
        assert_int_equal(number_at(reply, "sent"), SIZE);
        assert_int_equal(number_at(reply, "offset"), 0);
        expect_data(finish(stage, receiving, 200), bytes, SIZE);
        expect_replay(reply, keyed(stage, stage->client, key, "POST", path, json));
        act_refused(stage, pair.far, "recv", "EAGAIN", "{'timeout_ms':0}");
        free(json);
        free(data);
        free(bytes);
}

/* All at once: one of them makes it. */
static void a_crowd(struct stage *stage)
{
        struct stage other;
        stage_open(&other, NULL);
        for (int round = 0; round < 20; round++) {
                struct going all[CROWD];
                const struct reply *first = NULL, *replies[CROWD];
                const char *const key = new_key();
                const size_t before = count_sockets(&other);
                for (int i = 0; i < CROWD; i++)
                        going_begin(&other, i % 2 ? OVER_TCP : OVER_UNIX, key, "/v1/sockets",
                                "{'label':'one'}", &all[i]);
                for (int i = 0; i < CROWD; i++) {
                        replies[i] = going_end(&other, &all[i]);
                        expect_status(replies[i], 201);
                        if (!is_replayed(replies[i])) {
                                assert_null(first);
                                first = replies[i];
                        }
                }
                assert_non_null(first);
                for (int i = 0; i < CROWD; i++)
                        assert_string_equal(first->body, replies[i]->body);
                assert_int_equal(count_sockets(&other), before + 1);
        }
        daemon_stop(other.daemon);
        stage_close(&other, stage);
}

/* Waiting calls with keys, and those who have joined, are ended by the shutdown. */
static void shutdown_ends_them(struct stage *stage)
{
        struct stage other;
        struct going first, again;
        char path[128];
        static const char *const two_wait[] = { "--max-parked", "2", NULL };
        stage_open(&other, two_wait);
        const struct ends ends = make_pair(&other, "SOCK_STREAM");
        snprintf(path, sizeof path, "/v1/sockets/%s/recv", ends.near);
        going_begin(&other, OVER_UNIX, "key", path, "", &first);
        await_parked(&other, ends.near, 1);
        going_begin(&other, OVER_TCP, "key", path, "", &again);
        await_two(&other, NULL, NULL);
        daemon_terminate(other.daemon);
        expect_problem(going_end(&other, &first), 503, NULL);
        expect_problem(going_end(&other, &again), 503, NULL);
        daemon_wait(other.daemon);
        stage_close(&other, stage);
}

static const struct scenario scenarios[] = {
        { "an accept is joined", joined_accept },
        { "one who has joined leaves", a_joiner_leaves },
        { "refused by a limit", refused_by_a_limit },
        { "goes on after a limit", goes_on_after_a_limit },
        { "a crowd with one key", a_crowd },
        { "a shutdown", shutdown_ends_them },
};

int main(void)
{
        static const char *const arguments[] = { "--max-parked", "2", NULL };
        SUITE_ADD_ROWS(play_joined, joineds);
        SUITE_ADD_ROWS(play_leave, leaves);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("joined keys", arguments);
}
