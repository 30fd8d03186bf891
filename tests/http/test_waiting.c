/* test_waiting.c: calls that wait: deadlines, turns, cancellation, clients that go away, shutdown. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/steps.h"
#include "tests/http/wire.h"

/* How long a recv waits for what never comes. The daemon's maximum is 2000 ms here, its default 700. */
static const char *const arguments[] = { "--max-timeout-ms", "2000", "--default-timeout-ms", "700", NULL };

static const struct deadline {
        const char *name, *action;
        int64_t least, most;
} deadlines[] = {
        { "not at all", "recv?size=1&timeout_ms=0", 0, 500 },
        { "finite", "recv?size=1&timeout_ms=120", 118, 5000 },
        { "the default", "recv?size=1", 690, 6000 },
        { "capped", "recv?size=1&timeout_ms=600000", 1990, 9000 },
        { "capped far out", "recv?size=1&timeout_ms=9223372036854775807", 1990, 9000 },
        { "MSG_DONTWAIT goes before", "recv?size=1&timeout_ms=600000&flags=MSG_DONTWAIT", 0, 500 },
};

static void play_deadline(struct stage *stage, const void *row)
{
        const struct deadline *const deadline = row;
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        const int64_t started = milliseconds();
        const struct reply *const reply = act_refused(stage, pair.near, deadline->action, "EAGAIN", "");
        assert_in_range(milliseconds() - started, deadline->least, deadline->most);
        assert_int_equal(flag_at(reply, "timed_out"), !strstr(deadline->action, "DONTWAIT"));
        assert_true(number_at(reply, "duration_us") / 1000 >= deadline->least - 1);
        act(stage, pair.far, "send", 200, "{'text':'z'}");
        expect_text(act(stage, pair.near, "recv", 200, "{'size':9}"), "z");
}

static const char *make_listener(struct stage *stage, int *port)
{
        const struct reply *const reply =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':true}");
        *port = (int)number_at(reply, "local.port");
        return text_at(reply, "id");
}

static void accept_times_out(struct stage *stage)
{
        int port;
        const char *const listener = make_listener(stage, &port);
        act_refused(stage, listener, "accept", "EAGAIN", "{'timeout_ms':0}");
        assert_true(
                flag_at(act_refused(stage, listener, "accept", "EAGAIN", "{'timeout_ms':50}"), "timed_out"));
}

static void accept_is_woken(struct stage *stage)
{
        int port;
        const char *const listener = make_listener(stage, &port);
        struct pending *const accepting = later(stage, listener, "accept", "{'timeout_ms':2000}");
        await_parked(stage, listener, 1);
        const char *const caller = make(stage, "{'connect':'127.0.0.1:%d'}", port);
        const struct reply *const accepted = finish(stage, accepting, 201);
        assert_string_equal(text_at(accepted, "parent"), listener);
        assert_int_equal(number_at(accepted, "peer.port"),
                number_at(get(stage, 200, "/v1/sockets/%s", caller), "local.port"));
        await_parked(stage, listener, 0);
}

static void recv_is_woken(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        struct pending *const receiving = later(stage, pair.near, "recv", "{'size':9,'timeout_ms':2000}");
        await_parked(stage, pair.near, 1);
        act(stage, pair.far, "send", 200, "{'text':'wake'}");
        expect_text(finish(stage, receiving, 200), "wake");
}

static void connect_times_out(struct stage *stage)
{
        int port;
        const struct reply *const full =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':{'backlog':0}}");
        port = (int)number_at(full, "local.port");
        int refused = 0;
        for (int i = 0; i < 4 && !refused; i++) { /* the queue of an idle listener is soon full */
                const char *const id = make(stage, "");
                char path[128];
                snprintf(path, sizeof path, "/v1/sockets/%s/connect?address=127.0.0.1:%d&timeout_ms=100", id,
                        port);
                const struct request request = { .method = "POST", .path = path };
                const struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
                if (reply->status == 200)
                        continue;
                expect_errno(reply, "ETIMEDOUT");
                assert_true(flag_at(reply, "timed_out"));
                refused++;
        }
        assert_int_equal(refused, 1);
}

/* First come, first served. */
static void turns(struct stage *stage)
{
        enum { WAITERS = 5 };
        const struct ends pair = make_pair(stage, "SOCK_DGRAM");
        struct pending *waiting[WAITERS];
        for (int i = 0; i < WAITERS; i++) {
                waiting[i] = later(stage, pair.near, "recv", "{'size':9,'timeout_ms':2000}");
                await_parked(stage, pair.near, i + 1);
        }
        for (int i = 0; i < WAITERS; i++)
                act(stage, pair.far, "send", 200, "{'text':'%d'}", i);
        for (int i = 0; i < WAITERS; i++) {
                const char text[] = { (char)('0' + i), '\0' };
                expect_text(finish(stage, waiting[i], 200), text);
        }
}

/* One whose time runs out in the middle does not take another's turn. */
static void turn_runs_out(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_DGRAM");
        struct pending *const first = later(stage, pair.near, "recv", "{'size':9,'timeout_ms':2000}");
        await_parked(stage, pair.near, 1);
        act_refused(stage, pair.near, "recv", "EAGAIN", "{'size':9,'timeout_ms':60}");
        act(stage, pair.far, "send", 200, "{'text':'one'}");
        expect_text(finish(stage, first, 200), "one");
}

static void directions_are_apart(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        struct pending *const receiving = later(stage, pair.near, "recv", "{'size':9,'timeout_ms':2000}");
        await_parked(stage, pair.near, 1);
        act(stage, pair.near, "send", 200, "{'text':'out'}");
        act(stage, pair.far, "send", 200, "{'text':'in'}");
        expect_text(finish(stage, receiving, 200), "in");
}

static void deletion_wakes(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        enum { WAITERS = 3 };
        struct pending *waiting[WAITERS];
        for (size_t i = 0; i < WAITERS; i++)
                waiting[i] = later(stage, pair.near, "recv", "{'size':9,'timeout_ms':2000}");
        await_parked(stage, pair.near, WAITERS);
        drop(stage, 204, "/v1/sockets/%s", pair.near);
        for (size_t i = 0; i < WAITERS; i++)
                expect_errno(finish(stage, waiting[i], 422), "ECANCELED");
        assert_true(flag_at(act(stage, pair.far, "recv", 200, "{'size':9}"), "eof"));
}

static void leave_by_close(int fd)
{
        close(fd);
}

static void leave_by_half_close(int fd)
{
        assert_return_code(shutdown(fd, SHUT_WR), errno);
}

/* A client goes away while its recv waits; what then comes is the next receiver's. */
static const struct vanishing {
        const char *name;
        enum transport transport;
        void (*leave)(int fd);
        bool served; /* it only half-closed, and is answered */
} vanishings[] = {
        { .name = "TCP client closes", .transport = OVER_TCP, .leave = leave_by_close },
        { .name = "TCP client resets", .transport = OVER_TCP, .leave = wire_reset },
        { .name = "unix client closes", .transport = OVER_UNIX, .leave = leave_by_close },
        { .name = "unix client half-closes",
                .transport = OVER_UNIX,
                .leave = leave_by_half_close,
                .served = true },
};

static void play_vanishing(struct stage *stage, const void *row)
{
        const struct vanishing *const vanishing = row;
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/recv?size=9&timeout_ms=2000", pair.near);
        const int fd = wire_open(stage->daemon, vanishing->transport);
        wire_post(fd, stage->daemon, path);
        await_parked(stage, pair.near, 1);
        vanishing->leave(fd);
        if (!vanishing->served)
                await_parked(stage, pair.near, 0);
        act(stage, pair.far, "send", 200, "{'text':'kept'}");
        if (!vanishing->served) {
                expect_text(act(stage, pair.near, "recv", 200, "{'size':9}"), "kept");
                return;
        }
        struct wire_reply reply;
        wire_read(fd, &reply);
        close(fd);
        assert_int_equal(reply.status, 200);
        assert_non_null(strstr(reply.body, "a2VwdA=="));
}

/* The same for accept: the connection is the next accept's. */
static void vanished_accept(struct stage *stage)
{
        int port;
        const char *const listener = make_listener(stage, &port);
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/accept?timeout_ms=2000", listener);
        const int fd = wire_open(stage->daemon, OVER_TCP);
        wire_post(fd, stage->daemon, path);
        await_parked(stage, listener, 1);
        wire_reset(fd);
        await_parked(stage, listener, 0);
        make(stage, "{'connect':'127.0.0.1:%d'}", port);
        act(stage, listener, "accept", 201, "{'timeout_ms':2000}");
}

/* Those who wait behind one that goes away move up. */
static void vanished_first(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/recv?size=9&timeout_ms=2000", pair.near);
        const int fd = wire_open(stage->daemon, OVER_UNIX);
        wire_post(fd, stage->daemon, path);
        await_parked(stage, pair.near, 1);
        struct pending *const second = later(stage, pair.near, "recv", "{'size':9,'timeout_ms':2000}");
        await_parked(stage, pair.near, 2);
        close(fd);
        await_parked(stage, pair.near, 1);
        act(stage, pair.far, "send", 200, "{'text':'yours'}");
        expect_text(finish(stage, second, 200), "yours");
}

/* A half-read delimited message stays whole when its reader goes away. */
static void vanished_until(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/recv?until=6&timeout_ms=2000", pair.near);
        const int fd = wire_open(stage->daemon, OVER_UNIX);
        wire_post(fd, stage->daemon, path);
        await_parked(stage, pair.near, 1);
        act(stage, pair.far, "send", 200, "{'text':'abc'}");
        close(fd);
        await_parked(stage, pair.near, 0);
        act(stage, pair.far, "send", 200, "{'text':'def'}");
        expect_text(act(stage, pair.near, "recv", 200, "{'until':{'bytes':6}}"), "abcdef");
}

/* An upload's client goes, and the end of its stream comes with its last bytes: the turn is the next
 * sender's. */
static const struct cut {
        const char *name;
        enum transport transport;
        const char *framing; /* of a body that does not end */
} cuts[] = {
        { "TCP upload is cut off", OVER_TCP, "Content-Length: 1000000" },
        { "TCP upload in chunks is cut off", OVER_TCP, "Transfer-Encoding: chunked" },
        { "unix upload is cut off", OVER_UNIX, "Content-Length: 1000000" },
        { "unix upload in chunks is cut off", OVER_UNIX, "Transfer-Encoding: chunked" },
};

static void play_cut(struct stage *stage, const void *row)
{
        enum { ROUNDS = 8, SOON_MS = 5000, SIZE = 0xFFFF };
        const struct cut *const cut = row;
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        for (int round = 0; round < ROUNDS; round++) {
                const int fd = wire_open(stage->daemon, cut->transport);
                const int64_t started = milliseconds();
                wire_write(fd,
                        "POST /v1/sockets/%s/send HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
                        "Content-Type: application/octet-stream\r\n%s\r\n\r\n%x\r\n%*s",
                        pair.near, stage->daemon->token, cut->framing, SIZE, SIZE / 2, "x");
                leave_by_half_close(fd);
                assert_true(wire_ends(fd));
                assert_in_range(milliseconds() - started, 0, SOON_MS);
                close(fd);
                act(stage, pair.near, "send", 200, "{'text':'next'}");
                act(stage, pair.far, "recv", 200, "{'until':{'delimiter_text':'next'}}");
        }
}

/* SIGTERM: those who wait get a 503, and the daemon ends well. */
static void shutdown_answers(struct stage *stage)
{
        struct stage other;
        stage_open(&other, NULL);
        const struct ends pair = make_pair(&other, "SOCK_STREAM");
        enum { WAITERS = 3 };
        struct pending *waiting[WAITERS];
        for (size_t i = 0; i < WAITERS; i++)
                waiting[i] = later(&other, pair.near, "recv", "{'size':9,'timeout_ms':30000}");
        await_parked(&other, pair.near, WAITERS);
        const int64_t started = milliseconds();
        daemon_terminate(other.daemon);
        for (size_t i = 0; i < WAITERS; i++)
                expect_problem(finish(&other, waiting[i], 503), 503, NULL);
        daemon_wait(other.daemon);
        assert_in_range(milliseconds() - started, 0, 15000);
        stage_close(&other, stage);
}

static const struct scenario scenarios[] = {
        { "accept times out", accept_times_out },
        { "accept is woken", accept_is_woken },
        { "recv is woken", recv_is_woken },
        { "connect times out", connect_times_out },
        { "first come, first served", turns },
        { "a turn runs out", turn_runs_out },
        { "directions are apart", directions_are_apart },
        { "deletion wakes", deletion_wakes },
        { "accept's client vanishes", vanished_accept },
        { "the first of two vanishes", vanished_first },
        { "recv until's client vanishes", vanished_until },
        { "shutdown answers", shutdown_answers },
};

int main(void)
{
        SUITE_ADD_ROWS(play_deadline, deadlines);
        SUITE_ADD_ROWS(play_vanishing, vanishings);
        SUITE_ADD_ROWS(play_cut, cuts);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("waiting", arguments);
}
