/* test_events.c: whoever follows events, or asks for them, gets those that he asks for, and goes on where he
 * was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/follower.h"
#include "tests/http/steps.h"

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
        const struct reply *const server = post(
                stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':{'backlog':4},'label':'server'}");
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
        { "a listener and its connections", a_listener_and_its_connections },
        { "goes on where it was", goes_on_where_it_was },
        { "polled", polled },
        { "awaited", awaited },
        { "heartbeat", heartbeat },
};

int main(void)
{
        SUITE_ADD_ROWS(play_filter, filters);
        SUITE_ADD_SCENARIOS(scenarios);
        SUITE_ADD_ROWS(play_mistake, mistakes);
        return suite_run("events", NULL);
}
