/* test_events.c: what happens to sockets is told to those who follow, or ask for it: every kind of event,
 * filters, and where they go on. */
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
                const struct frame *const frame = hear_any(follower);
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

/* Of three sockets, only the second one's end is let through. */
static const struct filter {
        const char *name, *query;
        bool by_id, by_session; /* behind the query stands the second one's id, or its session's */
        const char *more;
} filters[] = {
        { "socket", "?kind=made,closed&socket=", .by_id = true, .more = "" },
        { "label", "?kind=made,closed&label=the+second", .more = "" },
        { "session", "?kind=made,closed&session=", .by_id = true, .by_session = true, .more = "" },
        { "kind", "?label=the+second&socket=", .by_id = true, .more = "&kind=readable,closed" },
};

static void play_filter(struct stage *stage, const void *row)
{
        const struct filter *const filter = row;
        char query[256];
        const char *const session = text_at(post(stage, 201, "/v1/sessions", "{}"), "id");
        const char *const first = make(stage, "{'label':'the first'}");
        const char *const second = make(stage, "{'label':'the second','session':'%s'}", session);
        const char *const third = make(stage, "{}");
        const char *const value = filter->by_session ? session : second;
        snprintf(query, sizeof query, "%s%s%s", filter->query, filter->by_id ? value : "", filter->more);
        struct follower *const follower = follow(stage, query, NULL);
        act(stage, second, "listen", 200, "{}");
        drop(stage, 204, "/v1/sockets/%s", first);
        drop(stage, 204, "/v1/sockets/%s", third);
        drop(stage, 204, "/v1/sockets/%s", second);
        hear(follower, "closed", second);
        follower_close(follower);
        drop(stage, 204, "/v1/sessions/%s", session);
}

/* What a listener's filter lets through of what is accepted from it. */
static void a_listener_and_its_connections(struct stage *stage)
{
        const struct reply *const server = post(stage, 201, "/v1/sockets", "%s", SERVER);
        const char *const id = text_at(server, "id");
        char query[128];
        snprintf(query, sizeof query, "?socket=%s&kind=accepted,closed", id);
        struct follower *const follower = follow(stage, query, NULL);
        const char *const near =
                make(stage, "{'connect':'127.0.0.1:%d'}", (int)number_at(server, "local.port"));
        const char *const far = text_at(act(stage, id, "accept", 201, "{}"), "id");
        drop(stage, 204, "/v1/sockets/%s", near);
        drop(stage, 204, "/v1/sockets/%s", far);
        hear(follower, "accepted", far);
        hear(follower, "closed", far);
        follower_close(follower);
}

static void goes_on_where_it_was(struct stage *stage)
{
        char header[64];
        struct follower *follower = follow(stage, "?kind=made", NULL);
        const char *ids[4];
        ids[0] = make(stage, "{}");
        const struct frame *const frame = hear(follower, "made", ids[0]);
        snprintf(header, sizeof header, "Last-Event-ID: %s", frame->id);
        follower_close(follower);
        for (int i = 1; i < 4; i++)
                ids[i] = make(stage, "{}");
        follower = follow(stage, "?kind=made", header);
        for (int i = 1; i < 4; i++)
                hear(follower, "made", ids[i]);
        /* From the beginning too, where nothing had been heard. */
        snprintf(header, sizeof header, "Last-Event-ID: %s", follower_start(follower));
        follower_close(follower);
        follower = follow(stage, "?kind=made&after=0", header);
        hear(follower, "made", ids[1]);
        follower_close(follower);
}

static void polled(struct stage *stage)
{
        const struct reply *reply = get(stage, 200, "/v1/events?timeout_ms=0");
        assert_int_equal(json_array_size(json_at(reply->json, "events")), 0);
        int64_t next = number_at(reply, "next");
        const char *const id = make(stage, "{'label':'polled'}");
        reply = get(stage, 200, "/v1/events?kind=made&after=%lld", (long long)next);
        assert_int_equal(json_array_size(json_at(reply->json, "events")), 1);
        assert_string_equal(text_at(reply, "events.0.socket"), id);
        assert_string_equal(text_at(reply, "events.0.label"), "polled");
        assert_int_equal(number_at(reply, "events.0.sequence"), number_at(reply, "next"));
        assert_false(flag_at(reply, "gap"));
        next = number_at(reply, "next");
        const int64_t begun = milliseconds();
        reply = get(stage, 200, "/v1/events?kind=made&after=%lld&timeout_ms=200", (long long)next);
        assert_int_equal(json_array_size(json_at(reply->json, "events")), 0);
        assert_true(milliseconds() - begun >= 199);
        assert_true(json_array_size(json_at(get(stage, 200, "/v1/events?after=0")->json, "events")) > 0);
}

/* The wait ends with the first event that is asked for, whatever else comes before. */
static void awaited(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        struct pending *const waiting = later_post(stage, "/v1/batch",
                "{'steps':[{'method':'GET','path':'/v1/events','timeout_ms':30000,'parallel':true,"
                "'body':{'kind':['closed'],'socket':'%s'}},"
                "{'path':'/v1/sockets/%s/recv','body':{'timeout_ms':30000},'parallel':true}]}",
                pair.near, pair.near);
        await_parked(stage, pair.near, 1); /* the other step waits too, or is about to: it misses nothing */
        act(stage, pair.far, "bind", 422, "{'address':'127.0.0.1:0'}");
        drop(stage, 204, "/v1/sockets/%s", pair.far);
        drop(stage, 204, "/v1/sockets/%s", pair.near);
        const struct reply *const reply = finish(stage, waiting, 200);
        assert_string_equal(text_at(reply, "results.0.body.events.0.socket"), pair.near);
}

static const struct mistake {
        const char *name, *path, *header, *parameter;
        int status;
} mistakes[] = {
        { "no such kind", "/v1/events?kind=mede", NULL, "kind", 400 },
        { "no id of a socket", "/v1/events?socket=abc", NULL, "socket", 400 },
        { "no id of a session", "/v1/events?session=abc-1", NULL, "session", 400 },
        { "no number", "/v1/events?after=-1", NULL, "after", 400 },
        { "a long label",
                "/v1/events?label="
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                NULL, "label", 400 },
        { "no number to go on from", "/v1/events", "Last-Event-ID: 12x", "Last-Event-ID", 400 },
        { "another outcome", "/v1/events?timeout_ms=0&expect=EAGAIN", NULL, NULL, 422 },
};

static void play_mistake(struct stage *stage, const void *row)
{
        const struct mistake *const mistake = row;
        const struct request request = {
                .method = "GET", .path = mistake->path, .headers = { mistake->header }
        };
        expect_problem(
                stage_keep(stage, exchange(stage->client, &request)), mistake->status, mistake->parameter);
}

/* Who gets nothing is told that there is nothing, and up to where. */
static void heartbeat(struct stage *stage)
{
        char header[64];
        struct follower *follower = follow(stage, "?kind=bound", NULL);
        const char *const before = make(stage, "{}");
        const struct frame *const frame = hear_any(follower);
        assert_string_equal(frame->comment, "heartbeat");
        snprintf(header, sizeof header, "Last-Event-ID: %s", frame->id);
        follower_close(follower);
        const char *const behind = make(stage, "{}");
        assert_string_not_equal(before, behind);
        follower = follow(stage, "?kind=made", header);
        hear(follower, "made", behind);
        follower_close(follower);
}

static const struct scenario scenarios[] = {
        { "bytes add up", bytes_add_up },
        { "where it came from", where_it_came_from },
        { "not readable for those who wait", not_readable_for_those_who_wait },
        { "a listener and its connections", a_listener_and_its_connections },
        { "goes on where it was", goes_on_where_it_was },
        { "polled", polled },
        { "awaited", awaited },
        { "heartbeat", heartbeat },
};

int main(void)
{
        SUITE_ADD_ROWS(play_kind, kinds);
        SUITE_ADD_ROWS(play_filter, filters);
        SUITE_ADD_SCENARIOS(scenarios);
        SUITE_ADD_ROWS(play_mistake, mistakes);
        return suite_run("events", NULL);
}
