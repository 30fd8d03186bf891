/* test_reactor.c: sockets that the daemon serves by itself: each kind, over streams, datagrams and listeners.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/steps.h"

enum { DEADLINE_MS = 20000 };

/* PUT /v1/sockets/{id}/reactor. */
static struct reply *put(struct stage *stage, int status, const char *id, const char *json)
{
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/reactor", id);
        char *const body = requote(json);
        const struct request request = { .method = "PUT", .path = path, .json = body };
        struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
        free(body);
        expect_status(reply, status);
        return reply;
}

static struct reply *look(struct stage *stage, const char *id)
{
        return get(stage, 200, "/v1/sockets/%s/reactor", id);
}

static const char *make_listener(struct stage *stage, int *port)
{
        const struct reply *const reply =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':true}");
        *port = (int)number_at(reply, "local.port");
        return text_at(reply, "id");
}

/* Looks until a number has come to that. */
static struct reply *await(struct stage *stage, const char *id, const char *member, int64_t number)
{
        const int64_t deadline = milliseconds() + DEADLINE_MS;
        struct reply *reply = look(stage, id);
        while (number_at(reply, member) != number) {
                if (milliseconds() > deadline)
                        fail_msg("%s is %d, not %d", member, (int)number_at(reply, member), (int)number);
                reply = look(stage, id);
        }
        return reply;
}

static struct reply *await_end(struct stage *stage, const char *id)
{
        const int64_t deadline = milliseconds() + DEADLINE_MS;
        struct reply *reply = look(stage, id);
        while (strcmp(text_at(reply, "state"), "ended") != 0) {
                if (milliseconds() > deadline)
                        fail_msg("the reactor does not end");
                reply = look(stage, id);
        }
        return reply;
}

static void echo(struct stage *stage)
{
        const struct link link = make_link(stage);
        assert_string_equal(text_at(put(stage, 200, link.far, "{'kind':'echo'}"), "state"), "running");
        act(stage, link.near, "send", 200, "{'text':'hello'}");
        expect_text(act(stage, link.near, "recv", 200, "{'until':5}"), "hello");
        const struct reply *const running = look(stage, link.far);
        assert_string_equal(text_at(running, "kind"), "echo");
        assert_int_equal(number_at(running, "received_bytes"), 5);
        assert_int_equal(number_at(running, "sent_bytes"), 5);
        assert_int_equal(number_at(running, "reads"), 1);
        act(stage, link.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        assert_true(flag_at(act(stage, link.near, "recv", 200, "{'size':9}"), "eof"));
        assert_true(json_is_null(json_at(await_end(stage, link.far)->json, "error")));
        assert_int_equal(number_at(get(stage, 200, "/v1/sockets/%s", link.far), "received_bytes"), 5);
}

/* A peer that does not read: the echo stops reading, and nothing is lost. */
static void echo_waits_for_its_peer(struct stage *stage)
{
        enum { SIZE = 32 << 20, STEP = 4 << 20 };
        const struct link link = make_link(stage);
        put(stage, 200, link.far, "{'kind':'echo'}");
        uint8_t *const bytes = noise(SIZE);
        size_t sent = 0, read = 0;
        for (int status = 200; status == 200 && sent < SIZE;) {
                char *const data = base64_encode(bytes + sent, STEP);
                char *json = NULL, path[128];
                assert_true(asprintf(&json, "{\"all\":true,\"timeout_ms\":300,\"data\":\"%s\"}", data) > 0);
                snprintf(path, sizeof path, "/v1/sockets/%s/send", link.near);
                const struct request request = { .method = "POST", .path = path, .json = json };
                client_set_quiet(stage->client, true);
                const struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
                client_set_quiet(stage->client, false);
                sent += (size_t)number_at(reply, "sent");
                status = reply->status;
                free(json);
                free(data);
        }
        assert_true(sent < SIZE);
        while (read < sent) {
                const struct reply *const reply = act_for_raw(stage, link.near, "recv?size=4000000", 200);
                assert_true(reply->size > 0 && reply->size <= sent - read);
                assert_memory_equal(reply->body, bytes + read, reply->size);
                read += reply->size;
        }
        assert_int_equal(number_at(look(stage, link.far), "sent_bytes"), sent);
        free(bytes);
}

static void sink(struct stage *stage)
{
        enum { SIZE = 500000 };
        const struct link link = make_link(stage);
        uint8_t *const bytes = noise(SIZE), hash[32];
        char hex[65];
        put(stage, 200, link.far, "{'kind':'sink'}");
        act_raw(stage, link.near, "send", 200, bytes, SIZE);
        const struct reply *const running = await(stage, link.far, "received_bytes", SIZE);
        assert_string_equal(text_at(running, "state"), "running");
        digest(bytes, SIZE, hash);
        for (size_t i = 0; i < sizeof hash; i++)
                snprintf(hex + i * 2, 3, "%02x", hash[i]);
        assert_string_equal(text_at(running, "sha256"), hex);
        drop(stage, 204, "/v1/sockets/%s", link.near);
        assert_string_equal(text_at(await_end(stage, link.far), "sha256"), hex);
        free(bytes);
}

/* What a recv has left over is taken first; and after `total` the rest is a recv's again. */
static void sink_of_a_part(struct stage *stage)
{
        const struct link link = make_link(stage);
        act(stage, link.near, "send", 200, "{'text':'abcdefgh'}");
        act_refused(stage, link.far, "recv", "EAGAIN", "{'until':20,'timeout_ms':50}");
        put(stage, 200, link.far, "{'kind':'sink','total':6,'hash':false}");
        const struct reply *const ended = await_end(stage, link.far);
        assert_int_equal(number_at(ended, "received_bytes"), 6);
        assert_true(json_is_null(json_at(ended->json, "sha256")));
        expect_text(act(stage, link.far, "recv", 200, "{'size':9}"), "gh");
}

static void source(struct stage *stage)
{
        enum { SIZE = 300000 };
        const struct link link = make_link(stage);
        put(stage, 200, link.far, "{'kind':'source','total':300000}");
        const struct reply *const reply =
                act_for_raw(stage, link.near, "recv?until=300000&timeout_ms=10000", 200);
        assert_int_equal(reply->size, SIZE);
        for (size_t i = 0; i < SIZE; i++)
                assert_int_equal((uint8_t)reply->body[i], (uint8_t)(i / 4 >> (3 - i % 4) * 8));
        const struct reply *const ended = await_end(stage, link.far);
        assert_int_equal(number_at(ended, "sent_bytes"), SIZE);
        assert_int_equal(number_at(ended, "total"), SIZE);
        act(stage, link.far, "send", 200, "{'text':'on'}");
        expect_text(act(stage, link.near, "recv", 200, "{'size':9}"), "on");
}

/* 100 bytes at once, and the last of 2000 after 190 ms. */
static void source_keeps_its_rate(struct stage *stage)
{
        const struct link link = make_link(stage);
        const int64_t start = milliseconds();
        put(stage, 200, link.far, "{'kind':'source','pattern_text':'tick ','rate':10000,'total':2000}");
        const struct reply *const reply = act(stage, link.near, "recv", 200, "{'until':2000}");
        assert_in_range(milliseconds() - start, 180, DEADLINE_MS);
        assert_int_equal(number_at(reply, "size"), 2000);
        assert_int_equal(number_at(await_end(stage, link.far), "writes"), 20);
}

/* A source and a verify of a pattern; what stands between them is changed at an offset. */
static const struct checking {
        const char *name, *source, *verify, *more;
        int mismatch; /* -1: none */
} checkings[] = {
        { "numbers", "{'kind':'source','total':100000}", "{'kind':'verify'}", "", -1 },
        { "a text", "{'kind':'source','pattern_text':'abc','total':10000}",
                "{'kind':'verify','pattern':'YWJj'}", "", -1 },
        { "another pattern", "{'kind':'source','pattern_text':'abc','total':10}",
                "{'kind':'verify','pattern_text':'abd'}", "", 2 },
        { "at the start", "{'kind':'source','pattern_text':'x','total':10}", "{'kind':'verify'}", "", 0 },
        { "something more", "{'kind':'source','total':70000}", "{'kind':'verify'}", "x", 70000 },
};

static void play_checking(struct stage *stage, const void *row)
{
        const struct checking *const checking = row;
        const struct link link = make_link(stage);
        put(stage, 200, link.far, checking->verify);
        put(stage, 200, link.near, checking->source);
        const int64_t sent = number_at(await_end(stage, link.near), "sent_bytes");
        const int64_t more = (int64_t)strlen(checking->more);
        if (more > 0)
                act(stage, link.near, "send", 200, "{'text':'%s'}", checking->more);
        const struct reply *const reply = await(stage, link.far, "received_bytes", sent + more);
        if (checking->mismatch < 0)
                assert_true(json_is_null(json_at(reply->json, "mismatch")));
        else
                assert_int_equal(number_at(reply, "mismatch"), checking->mismatch);
}

static void reply_across_reads(struct stage *stage)
{
        const struct link link = make_link(stage);
        put(stage, 200, link.far,
                "{'kind':'reply','replies':[{'when_text':'PING','then_text':'PONG'},"
                "{'when':'YnllCg==','then':'Y2lhbwo='}]}");
        act(stage, link.near, "send", 200, "{'text':'PIN'}");
        await(stage, link.far, "received_bytes", 3);
        act(stage, link.near, "send", 200, "{'text':'GPINGPI'}");
        expect_text(act(stage, link.near, "recv", 200, "{'until':8}"), "PONGPONG");
        act(stage, link.near, "send", 200, "{'text':'NG bye\\n'}");
        expect_text(act(stage, link.near, "recv", 200, "{'until':9}"), "PONGciao\n");
        assert_int_equal(number_at(look(stage, link.far), "matches"), 4);
}

static void forward(struct stage *stage)
{
        enum { SIZE = 3 << 20 };
        const struct link in = make_link(stage), out = make_link(stage);
        char json[128];
        uint8_t *const bytes = noise(SIZE);
        act(stage, in.near, "send", 200, "{'text':'left over'}");
        act_refused(stage, in.far, "recv", "EAGAIN", "{'until':20,'timeout_ms':50}");
        snprintf(json, sizeof json, "{'kind':'forward','to':'%s'}", out.near);
        put(stage, 200, in.far, json);
        expect_text(act(stage, out.far, "recv", 200, "{'until':9}"), "left over");
        struct pending *const sending = later_raw(stage, in.near, "send", bytes, SIZE, false);
        expect_data(act(stage, out.far, "recv", 200, "{'until':%d}", SIZE), bytes, SIZE);
        finish(stage, sending, 200);
        act(stage, in.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        assert_true(flag_at(act(stage, out.far, "recv", 200, "{'size':9}"), "eof"));
        const struct reply *const ended = await_end(stage, in.far);
        assert_int_equal(number_at(ended, "received_bytes"), SIZE + 9);
        assert_int_equal(number_at(ended, "sent_bytes"), SIZE + 9);
        free(bytes);
}

/* Both ways at once, over sockets of other types too. */
static const struct crossing {
        const char *name, *type, *other;
} crossings[] = {
        { "streams", "SOCK_STREAM", "SOCK_STREAM" },
        { "datagrams", "SOCK_DGRAM", "SOCK_DGRAM" },
        { "a stream and datagrams", "SOCK_STREAM", "SOCK_DGRAM" },
        { "datagrams and packets", "SOCK_DGRAM", "SOCK_SEQPACKET" },
};

static void play_crossing(struct stage *stage, const void *row)
{
        const struct crossing *const crossing = row;
        const struct ends left = make_pair(stage, crossing->type), right = make_pair(stage, crossing->other);
        char json[128];
        snprintf(json, sizeof json, "{'kind':'forward','to':'%s'}", right.near);
        put(stage, 200, left.far, json);
        snprintf(json, sizeof json, "{'kind':'forward','to':'%s'}", left.far);
        put(stage, 200, right.near, json);
        act(stage, left.near, "send", 200, "{'text':'there'}");
        expect_text(act(stage, right.far, "recv", 200, "{'size':9}"), "there");
        act(stage, right.far, "send", 200, "{'text':'and back'}");
        expect_text(act(stage, left.near, "recv", 200, "{'size':9}"), "and back");
        /* The target goes: that ends the forward. */
        drop(stage, 204, "/v1/sockets/%s", right.near);
        const struct reply *const ended = await_end(stage, left.far);
        assert_string_equal(text_at(ended, "error"), "ECANCELED");
}

static void listener_serves_many(struct stage *stage)
{
        enum { MANY = 5 };
        int port;
        const char *const listener = make_listener(stage, &port), *callers[MANY];
        put(stage, 200, listener, "{'kind':'echo'}");
        for (int i = 0; i < MANY; i++)
                callers[i] = make(stage, "{'connect':'127.0.0.1:%d'}", port);
        for (int i = 0; i < MANY; i++)
                act(stage, callers[i], "send", 200, "{'text':'caller %d'}", i);
        for (int i = 0; i < MANY; i++) {
                const char text[] = { 'c', 'a', 'l', 'l', 'e', 'r', ' ', (char)('0' + i), '\0' };
                expect_text(act(stage, callers[i], "recv", 200, "{'until':8}"), text);
        }
        const struct reply *const reply = look(stage, listener);
        assert_int_equal(number_at(reply, "accepted"), MANY);
        assert_int_equal(number_at(reply, "connections"), MANY);
        assert_int_equal(number_at(reply, "received_bytes"), MANY * 8);
        /* They are in no list, but each has its place. */
        assert_int_equal(count_sockets(stage), MANY + 1);
        act(stage, callers[0], "shutdown", 200, "{'how':'SHUT_WR'}");
        assert_true(flag_at(act(stage, callers[0], "recv", 200, "{'size':9}"), "eof"));
        await(stage, listener, "connections", MANY - 1);
        act_refused(stage, listener, "accept", "EBUSY", "");
        drop(stage, 200, "/v1/sockets/%s/reactor", listener);
        assert_true(flag_at(act(stage, callers[1], "recv", 200, "{'size':9}"), "eof"));
        make(stage, "{'connect':'127.0.0.1:%d'}", port);
        act(stage, listener, "accept", 201, "");
}

static void listener_has_a_limit(struct stage *stage)
{
        int port;
        const char *const listener = make_listener(stage, &port);
        put(stage, 200, listener, "{'kind':'source','pattern_text':'hi','total':2,'connections':1}");
        const char *const first = make(stage, "{'connect':'127.0.0.1:%d'}", port);
        expect_text(act(stage, first, "recv", 200, "{'until':'eof'}"), "hi");
        const char *const second = make(stage, "{'connect':'127.0.0.1:%d'}", port);
        act_refused(stage, second, "recv", "EAGAIN", "{'size':9,'timeout_ms':100}");
        assert_int_equal(number_at(look(stage, listener), "accepted"), 1);
        drop(stage, 204, "/v1/sockets/%s", first);
        expect_text(act(stage, second, "recv", 200, "{'until':'eof'}"), "hi");
        assert_int_equal(number_at(look(stage, listener), "accepted"), 2);
}

/* An ICMP error tells of a datagram, and not of the way. */
static void forward_of_datagrams(struct stage *stage)
{
        enum { COUNT = 6 };
        const char *const gone = make(stage, "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        const int target = (int)number_at(get(stage, 200, "/v1/sockets/%s", gone), "local.port");
        const char *const out = make(stage, "{'type':'SOCK_DGRAM','connect':'127.0.0.1:%d'}", target);
        drop(stage, 204, "/v1/sockets/%s", gone);
        const struct reply *const made =
                post(stage, 201, "/v1/sockets", "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        const char *const in = text_at(made, "id");
        const char *const near = make(
                stage, "{'type':'SOCK_DGRAM','connect':'127.0.0.1:%d'}", (int)number_at(made, "local.port"));
        char json[128];
        snprintf(json, sizeof json, "{'kind':'forward','to':'%s'}", out);
        put(stage, 200, in, json);
        for (int i = 1; i <= COUNT; i++) {
                act(stage, near, "send", 200, "{'text':'x'}");
                await(stage, in, "reads", i);
        }
        const struct reply *const running = look(stage, in);
        assert_string_equal(text_at(running, "state"), "running");
        assert_int_equal(number_at(running, "writes") + number_at(running, "dropped"), COUNT);
        assert_true(number_at(running, "dropped") > 0);
}

static void datagrams(struct stage *stage)
{
        const struct reply *const made =
                post(stage, 201, "/v1/sockets", "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        const char *const server = text_at(made, "id");
        const int port = (int)number_at(made, "local.port");
        const char *const one = make(stage, "{'type':'SOCK_DGRAM'}");
        const char *const other = make(stage, "{'type':'SOCK_DGRAM','connect':'127.0.0.1:%d'}", port);
        put(stage, 200, server, "{'kind':'echo'}");
        act(stage, one, "sendto", 200, "{'text':'one','address':'127.0.0.1:%d'}", port);
        act(stage, one, "sendto", 200, "{'text':'','address':'127.0.0.1:%d'}", port);
        act(stage, other, "send", 200, "{'text':'other'}");
        expect_text(act(stage, one, "recv", 200, "{'size':9}"), "one");
        expect_text(act(stage, one, "recv", 200, "{'size':9}"), "");
        expect_text(act(stage, other, "recv", 200, "{'size':9}"), "other");
        assert_int_equal(number_at(drop(stage, 200, "/v1/sockets/%s/reactor", server), "writes"), 3);
        put(stage, 200, server, "{'kind':'reply','replies':[{'when_text':'who','then_text':'me'}]}");
        act(stage, other, "send", 200, "{'text':'wh'}");
        act(stage, other, "send", 200, "{'text':'o'}");
        act(stage, other, "send", 200, "{'text':'who?'}");
        expect_text(act(stage, other, "recv", 200, "{'size':9}"), "me");
        assert_int_equal(number_at(drop(stage, 200, "/v1/sockets/%s/reactor", server), "matches"), 1);
        put(stage, 200, server, "{'kind':'verify','pattern_text':'abc'}");
        put(stage, 200, other, "{'kind':'source','pattern_text':'abc','size':100,'total':1000}");
        assert_int_equal(number_at(await_end(stage, other), "writes"), 10);
        const struct reply *const verified = await(stage, server, "received_bytes", 1000);
        assert_int_equal(number_at(verified, "reads"), 10);
        assert_true(json_is_null(json_at(verified->json, "mismatch")));
}

/* Whatever it does to connections, of a listener it takes those. */
static void accepts_that_wait(struct stage *stage)
{
        const struct link link = make_link(stage);
        struct pending *const waiting = later(stage, link.listener, "accept", "{}");
        await_parked(stage, link.listener, 1);
        expect_errno(put(stage, 422, link.listener, "{'kind':'source','total':1}"), "EBUSY");
        make(stage, "{'connect':'127.0.0.1:%d'}", link.port);
        finish(stage, waiting, 201);
        put(stage, 200, link.listener, "{'kind':'source','total':1}");
}

static void one_at_a_time(struct stage *stage)
{
        const struct link link = make_link(stage);
        put(stage, 200, link.far, "{'kind':'echo'}");
        expect_errno(put(stage, 422, link.far, "{'kind':'sink'}"), "EBUSY");
        assert_string_equal(
                text_at(put(stage, 200, link.far, "{'kind':'sink','expect':['EBUSY']}"), "errno"), "EBUSY");
        act_refused(stage, link.far, "recv", "EBUSY", "{'size':1}");
        act_refused(stage, link.far, "send", "EBUSY", "{'text':'x'}");
        struct pending *const waiting = later(stage, link.near, "recv", "{'size':9}");
        await_parked(stage, link.near, 1);
        expect_errno(put(stage, 422, link.near, "{'kind':'sink'}"), "EBUSY");
        put(stage, 200, link.near, "{'kind':'source','total':1}");
        finish(stage, waiting, 200);
        await_end(stage, link.near);
        put(stage, 200, link.near, "{'kind':'sink'}");
}

static void stop(struct stage *stage)
{
        const struct link link = make_link(stage);
        expect_problem(get(stage, 404, "/v1/sockets/%s/reactor", link.far), 404, NULL);
        put(stage, 200, link.far, "{'kind':'echo'}");
        act(stage, link.near, "send", 200, "{'text':'x'}");
        expect_text(act(stage, link.near, "recv", 200, "{'size':9}"), "x");
        const struct reply *const stopped = drop(stage, 200, "/v1/sockets/%s/reactor", link.far);
        assert_string_equal(text_at(stopped, "state"), "ended");
        assert_int_equal(number_at(stopped, "sent_bytes"), 1);
        expect_problem(drop(stage, 404, "/v1/sockets/%s/reactor", link.far), 404, NULL);
        act(stage, link.near, "send", 200, "{'text':'y'}");
        expect_text(act(stage, link.far, "recv", 200, "{'size':9}"), "y");
}

/* Sockets that are closed in the middle of it: the peers see it, and no descriptor is left. */
static void close_while_running(struct stage *stage)
{
        const long before = daemon_descriptors(stage->daemon);
        const struct link link = make_link(stage), other = make_link(stage);
        char json[128];
        snprintf(json, sizeof json, "{'kind':'forward','to':'%s'}", other.near);
        put(stage, 200, link.near, json);
        put(stage, 200, link.far, "{'kind':'source'}");
        put(stage, 200, other.far, "{'kind':'verify'}");
        const int64_t deadline = milliseconds() + DEADLINE_MS;
        while (number_at(look(stage, other.far), "received_bytes") < 1 << 20)
                assert_true(milliseconds() < deadline);
        assert_true(json_is_null(json_at(look(stage, other.far)->json, "mismatch")));
        drop(stage, 204, "/v1/sockets/%s", other.near);
        assert_string_equal(text_at(await_end(stage, link.near), "error"), "ECANCELED");
        await_end(stage, other.far);
        drop(stage, 204, "/v1/sockets/%s?reset=true", link.far);
        const char *const ids[] = { link.near, link.listener, other.far, other.listener };
        for (size_t i = 0; i < COUNT(ids); i++)
                drop(stage, 204, "/v1/sockets/%s", ids[i]);
        while (daemon_descriptors(stage->daemon) > before)
                assert_true(milliseconds() < deadline);
}

/* The daemon ends well while reactors run. */
static void shutdown_ends_all(struct stage *stage)
{
        struct stage own;
        stage_open(&own, NULL);
        const struct link link = make_link(&own);
        put(&own, 200, link.listener, "{'kind':'echo'}");
        make(&own, "{'connect':'127.0.0.1:%d'}", link.port);
        put(&own, 200, link.near, "{'kind':'source'}");
        put(&own, 200, link.far, "{'kind':'echo'}");
        await(&own, link.listener, "accepted", 1);
        daemon_stop(own.daemon);
        stage_close(&own, stage);
}

/* What cannot be served says so, and the reactor has ended. */
static void nothing_to_serve(struct stage *stage)
{
        const char *const id = make(stage, "");
        put(stage, 200, id, "{'kind':'sink'}");
        assert_string_equal(text_at(await_end(stage, id), "error"), "ENOTCONN");
        expect_problem(put(stage, 404, id, "{'kind':'forward','to':'none-1'}"), 404, "to");
}

static const struct scenario scenarios[] = {
        { "echo", echo },
        { "an echo waits for its peer", echo_waits_for_its_peer },
        { "sink", sink },
        { "a sink of a part", sink_of_a_part },
        { "source", source },
        { "a source keeps its rate", source_keeps_its_rate },
        { "reply across reads", reply_across_reads },
        { "forward", forward },
        { "a listener serves many", listener_serves_many },
        { "a listener has a limit", listener_has_a_limit },
        { "datagrams", datagrams },
        { "a forward of datagrams", forward_of_datagrams },
        { "accepts that wait", accepts_that_wait },
        { "one at a time", one_at_a_time },
        { "stop", stop },
        { "close while running", close_while_running },
        { "shutdown ends all", shutdown_ends_all },
        { "nothing to serve", nothing_to_serve },
};

int main(void)
{
        SUITE_ADD_ROWS(play_checking, checkings);
        SUITE_ADD_ROWS(play_crossing, crossings);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("reactor", NULL);
}
