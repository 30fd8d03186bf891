/* test_event_kinds.c: what happens to sockets is told to those who follow it: every kind of event. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/follower.h"
#include "tests/http/steps.h"

static const char SERVER[] = "{'bind':'127.0.0.1:0','listen':{'backlog':4},'label':'server'}";

/* What brings an event about; returns the socket that it is of. */
static const char *by_making(struct stage *stage)
{
        return make(stage, "{'label':'made'}");
}

static const char *by_binding(struct stage *stage)
{
        const char *const id = make(stage, "{}");
        act(stage, id, "bind", 200, "{'address':'127.0.0.1:0'}");
        return id;
}

static const char *by_binding_at_once(struct stage *stage)
{
        return make(stage, "{'bind':'127.0.0.1:0'}");
}

static const char *by_listening(struct stage *stage)
{
        const char *const id = make(stage, "{}");
        act(stage, id, "listen", 200, "{}");
        return id;
}

static const char *by_connecting(struct stage *stage)
{
        return make_link(stage).near;
}

static const char *by_connecting_later(struct stage *stage)
{
        const struct reply *const server = post(stage, 201, "/v1/sockets", "%s", SERVER);
        const char *const id = make(stage, "{}");
        act(stage, id, "connect", 200, "{'address':'127.0.0.1:%d'}", (int)number_at(server, "local.port"));
        return id;
}

static const char *by_accepting(struct stage *stage)
{
        return make_link(stage).far;
}

static const char *by_a_message(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_DGRAM");
        act(stage, pair.far, "send", 200, "{'text':'hello'}");
        return pair.near;
}

static const char *by_a_connection(struct stage *stage)
{
        const struct reply *const server = post(stage, 201, "/v1/sockets", "%s", SERVER);
        post(stage, 201, "/v1/sockets", "{'connect':'127.0.0.1:%d'}", (int)number_at(server, "local.port"));
        return text_at(server, "id");
}

static const char *by_receiving(struct stage *stage)
{
        const char *const id = by_a_message(stage);
        act(stage, id, "recv", 200, "{}");
        return id;
}

static const char *by_sending(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        act(stage, pair.near, "send", 200, "{'text':'hel'}");
        act(stage, pair.near, "send", 200, "{'text':'lo'}");
        drop(stage, 204, "/v1/sockets/%s", pair.near); /* what was not told yet is, before the end */
        return pair.near;
}

static const char *by_the_peers_end(struct stage *stage)
{
        const struct link link = make_link(stage);
        act(stage, link.far, "shutdown", 200, "{'how':'SHUT_WR'}");
        return link.near;
}

static const char *by_an_end_that_is_read(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        act(stage, pair.far, "shutdown", 200, "{'how':'SHUT_WR'}");
        act(stage, pair.near, "recv", 200, "{}");
        return pair.near;
}

static const char *by_a_reset(struct stage *stage)
{
        const struct link link = make_link(stage);
        drop(stage, 204, "/v1/sockets/%s?reset=true", link.far);
        return link.near;
}

static const char *by_a_refusal(struct stage *stage)
{
        const char *const id = make(stage, "{'label':'refused'}");
        act_refused(stage, id, "send", "EPIPE", "{'text':'x'}");
        return id;
}

/* A port that nobody has any more: the kernel has an error for whoever calls next. */
static const char *by_an_icmp_error(struct stage *stage)
{
        const struct reply *const other =
                post(stage, 201, "/v1/sockets", "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        const int port = (int)number_at(other, "local.port");
        drop(stage, 204, "/v1/sockets/%s", text_at(other, "id"));
        const char *const id = make(stage, "{'type':'SOCK_DGRAM','connect':'127.0.0.1:%d'}", port);
        act(stage, id, "send", 200, "{'text':'x'}");
        return id;
}

static const char *by_deleting(struct stage *stage)
{
        const char *const id = make(stage, "{}");
        drop(stage, 204, "/v1/sockets/%s", id);
        return id;
}

static const char *by_a_session(struct stage *stage)
{
        const struct reply *const session = post(stage, 201, "/v1/sessions", "{}");
        const char *const id = make(stage, "{'session':'%s'}", text_at(session, "id"));
        drop(stage, 204, "/v1/sessions/%s", text_at(session, "id"));
        return id;
}

static const char *by_waiting(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        struct pending *const waiting = later(stage, pair.near, "recv", "{'timeout_ms':30000}");
        await_parked(stage, pair.near, 1);
        act(stage, pair.far, "send", 200, "{'text':'x'}");
        finish(stage, waiting, 200);
        return pair.near;
}

static const struct kind {
        const char *name, *kind;
        const char *(*cause)(struct stage *stage);
        const char *facts; /* members of the event */
} kinds[] = {
        { "made", "made", by_making, "{'label':'made','session':null}" },
        { "bound", "bound", by_binding, "{}" },
        { "bound at once", "bound", by_binding_at_once, "{}" },
        { "listening", "listening", by_listening, "{}" },
        { "connected", "connected", by_connecting, "{}" },
        { "connected later", "connected", by_connecting_later, "{}" },
        { "accepted", "accepted", by_accepting, "{}" },
        { "readable: a message", "readable", by_a_message, "{}" },
        { "readable: a connection", "readable", by_a_connection, "{'label':'server'}" },
        { "received", "received", by_receiving, "{'bytes':5}" },
        { "sent", "sent", by_sending, NULL },
        { "peer_closed", "peer_closed", by_the_peers_end, "{}" },
        { "peer_closed: by a call", "peer_closed", by_an_end_that_is_read, "{}" },
        { "reset", "reset", by_a_reset, "{}" },
        { "error", "error", by_a_refusal, "{'errno':'EPIPE','call':'send','label':'refused'}" },
        { "error: for the next call", "error", by_an_icmp_error, "{}" },
        { "closed", "closed", by_deleting, "{}" },
        { "closed: by its session", "closed", by_a_session, "{}" },
        { "parked", "parked", by_waiting, "{'call':'recv'}" },
        { "woken", "woken", by_waiting, "{'call':'recv'}" },
};

static void expect_facts(const json_t *data, const char *facts)
{
        char *const text = requote(facts);
        json_t *const wanted = json_loads(text, 0, NULL);
        const char *name;
        json_t *value;
        json_object_foreach(wanted, name, value)
        {
                if (!json_equal(json_object_get(data, name), value))
                        fail_msg("%s is not as in %s", name, facts);
        }
        json_decref(wanted);
        free(text);
}

/* Other sockets of the scenario may have such events too. */
static const struct frame *hear_of(struct follower *follower, const char *kind, const char *id)
{
        for (;;) {
                const struct frame *const frame = hear(follower, kind, NULL);
                if (strcmp(json_string_value(json_object_get(frame->data, "socket")), id) == 0)
                        return frame;
        }
}

static void play_kind(struct stage *stage, const void *row)
{
        const struct kind *const kind = row;
        char query[64];
        snprintf(query, sizeof query, "?kind=%s", kind->kind);
        struct follower *const follower = follow(stage, query, NULL);
        const char *const id = kind->cause(stage);
        const struct frame *frame = hear_of(follower, kind->kind, id);
        assert_string_equal(json_string_value(json_object_get(frame->data, "kind")), kind->kind);
        assert_int_equal(
                json_integer_value(json_object_get(frame->data, "sequence")), strtoll(frame->id, NULL, 10));
        if (kind->facts)
                expect_facts(frame->data, kind->facts);
        follower_close(follower);
}

/* In however many pieces it is told. */
static void bytes_add_up(struct stage *stage)
{
        struct follower *const follower = follow(stage, "?kind=sent,received", NULL);
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        int64_t sent = 0, received = 0;
        for (int i = 0; i < 20; i++)
                act(stage, pair.near, "send", 200, "{'text':'0123456789'}");
        act(stage, pair.far, "recv", 200, "{'until':{'bytes':200}}");
        while (sent < 200 || received < 200) {
                const struct frame *const frame = hear_event(follower);
                const bool is_sent = strcmp(frame->event, "sent") == 0;
                *(is_sent ? &sent : &received) += json_integer_value(json_object_get(frame->data, "bytes"));
        }
        assert_int_equal(sent, 200);
        assert_int_equal(received, 200);
        follower_close(follower);
}

static void where_it_came_from(struct stage *stage)
{
        struct follower *const follower = follow(stage, "?kind=accepted,connected", NULL);
        const struct link link = make_link(stage);
        const struct frame *frame = hear(follower, "connected", link.near);
        assert_int_equal(json_integer_value(json_at(frame->data, "peer.port")), link.port);
        frame = hear(follower, "accepted", link.far);
        assert_string_equal(json_string_value(json_object_get(frame->data, "parent")), link.listener);
        const struct reply *const near = get(stage, 200, "/v1/sockets/%s", link.near);
        assert_int_equal(
                json_integer_value(json_at(frame->data, "peer.port")), number_at(near, "local.port"));
        follower_close(follower);
}

/* Who has the socket read by a call, or by a reactor, needs no event for it. */
static void not_readable_for_those_who_wait(struct stage *stage)
{
        char path[128];
        struct follower *const follower = follow(stage, "?kind=readable", NULL);
        const struct ends pair = make_pair(stage, "SOCK_STREAM"), served = make_pair(stage, "SOCK_STREAM");
        struct pending *const waiting = later(stage, pair.near, "recv?until=2&timeout_ms=30000", "{}");
        await_parked(stage, pair.near, 1);
        snprintf(path, sizeof path, "/v1/sockets/%s/reactor?kind=sink", served.near);
        expect_status(stage_keep(stage,
                              exchange(stage->client, &(struct request){ .method = "PUT", .path = path })),
                200);
        act(stage, pair.far, "send", 200, "{'text':'x'}");
        act(stage, served.far, "send", 200, "{'text':'x'}");
        hear(follower, "readable", by_a_message(stage));
        act(stage, pair.far, "send", 200, "{'text':'y'}");
        finish(stage, waiting, 200);
        follower_close(follower);
}

static const struct scenario scenarios[] = {
        { "bytes add up", bytes_add_up },
        { "where it came from", where_it_came_from },
        { "not readable for those who wait", not_readable_for_those_who_wait },
};

int main(void)
{
        SUITE_ADD_ROWS(play_kind, kinds);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("kinds of events", NULL);
}
