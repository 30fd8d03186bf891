/* test_session.c: sessions: whatever was made in one is closed with it, and nothing else. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/policy.h"

enum { SESSIONS_EACH = 256, PATH_SIZE = 128 };

static const char *open_session(struct stage *stage, int ttl_ms)
{
        return text_at(post(stage, 201, "/v1/sessions", "{'ttl_ms':%d}", ttl_ms), "id");
}

static void end_session(struct stage *stage, const char *id)
{
        drop(stage, 204, "/v1/sessions/%s", id);
        expect_problem(get(stage, 404, "/v1/sessions/%s", id), 404, NULL);
}

static void shown(struct stage *stage)
{
        char location[PATH_SIZE];
        const struct reply *const made = post(stage, 201, "/v1/sessions", "{'ttl_ms':90000,'label':'job'}");
        const char *const id = text_at(made, "id");
        snprintf(location, sizeof location, "/v1/sessions/%s", id);
        assert_string_equal(reply_header(made, "location"), location);
        assert_int_equal(number_at(made, "ttl_ms"), 90000);
        assert_int_equal(number_at(made, "sockets"), 0);
        assert_string_equal(text_at(made, "label"), "job");
        const char *const socket = make(stage, "{'session':'%s'}", id);
        assert_string_equal(text_at(get(stage, 200, "/v1/sockets/%s", socket), "session"), id);
        assert_string_equal(text_at(get(stage, 200, "/v1/sockets?session=%s", id), "sockets.0.id"), socket);
        const struct reply *const now = get(stage, 200, "%s", location);
        assert_int_equal(number_at(now, "sockets"), 1);
        assert_string_equal(text_at(now, "expires"), text_at(made, "expires"));
        const struct reply *const list = get(stage, 200, "/v1/sessions");
        assert_int_equal(json_array_size(json_at(list->json, "sessions")), 1);
        assert_string_equal(text_at(list, "sessions.0.id"), id);
        drop(stage, 204, "/v1/sockets/%s", socket);
        assert_int_equal(number_at(get(stage, 200, "%s", location), "sockets"), 0);
        end_session(stage, id);
}

/* Without a word it lives as long as it was given before. */
static void renewed(struct stage *stage)
{
        char path[PATH_SIZE];
        const struct reply *const made = post(stage, 201, "/v1/sessions", "");
        assert_int_equal(number_at(made, "ttl_ms"), 60000);
        assert_true(json_is_null(json_at(made->json, "label")));
        snprintf(path, sizeof path, "/v1/sessions/%s/renew", text_at(made, "id"));
        const struct reply *const longer = post(stage, 200, path, "{'ttl_ms':86400000}");
        assert_true(strcmp(text_at(longer, "expires"), text_at(made, "expires")) > 0);
        assert_int_equal(number_at(post(stage, 200, path, ""), "ttl_ms"), 86400000);
        end_session(stage, text_at(made, "id"));
        expect_problem(post(stage, 404, path, ""), 404, NULL);
}

static const struct unsound {
        const char *name, *path, *json, *parameter;
        int status;
} unsound[] = {
        { "too short", "/v1/sessions", "{'ttl_ms':99}", "ttl_ms", 400 },
        { "too long", "/v1/sessions", "{'ttl_ms':86400001}", "ttl_ms", 400 },
        { "no number", "/v1/sessions", "{'ttl_ms':'1 s'}", "ttl_ms", 400 },
        { "an outcome", "/v1/sessions", "{'expect':['EPERM']}", "expect", 400 },
        { "no session", "/v1/sockets", "{'session':'none-1'}", "session", 404 },
        { "no session for a pair", "/v1/socketpairs", "{'session':''}", "session", 404 },
        { "a very long id", "/v1/sessions/0123456789012345678901234567890123456789/renew", "", NULL, 404 },
};

static void play_unsound(struct stage *stage, const void *row)
{
        const struct unsound *const request = row;
        expect_problem(post(stage, request->status, request->path, "%s", request->json), request->status,
                request->parameter);
        assert_int_equal(count_sockets(stage), 0);
        assert_int_equal(json_array_size(json_at(get(stage, 200, "/v1/sessions")->json, "sessions")), 0);
}

/* The sockets of a session, with calls that wait on two of them, and one that is none of its. */
struct crowd {
        const char *session, *listener, *stranger;
        struct pending *accepting, *receiving;
};

/* What is accepted belongs where its listener does. */
static struct crowd gather(struct stage *stage, int ttl_ms)
{
        struct crowd crowd = { .session = open_session(stage, ttl_ms) };
        const struct reply *const listener = post(stage, 201, "/v1/sockets",
                "{'bind':'127.0.0.1:0','listen':true,'session':'%s'}", crowd.session);
        crowd.listener = text_at(listener, "id");
        crowd.stranger = make(stage, "{'connect':'127.0.0.1:%d'}", (int)number_at(listener, "local.port"));
        const struct reply *const accepted = act(stage, crowd.listener, "accept", 201, "");
        assert_string_equal(text_at(accepted, "session"), crowd.session);
        const struct reply *const pair =
                post(stage, 201, "/v1/socketpairs", "{'family':'AF_UNIX','session':'%s'}", crowd.session);
        assert_string_equal(text_at(pair, "sockets.1.session"), crowd.session);
        crowd.accepting = later(stage, crowd.listener, "accept", "{'timeout_ms':30000}");
        crowd.receiving = later(stage, text_at(pair, "sockets.0.id"), "recv", "{'timeout_ms':30000}");
        await_parked(stage, crowd.listener, 1);
        await_parked(stage, text_at(pair, "sockets.0.id"), 1);
        return crowd;
}

static void expect_gone(struct stage *stage, const struct crowd *crowd)
{
        expect_errno(finish(stage, crowd->accepting, 422), "ECANCELED");
        expect_errno(finish(stage, crowd->receiving, 422), "ECANCELED");
        get(stage, 404, "/v1/sessions/%s", crowd->session);
        get(stage, 404, "/v1/sockets/%s", crowd->listener);
        assert_true(
                json_is_null(json_at(get(stage, 200, "/v1/sockets/%s", crowd->stranger)->json, "session")));
        assert_int_equal(count_sockets(stage), 1);
}

static void ended(struct stage *stage)
{
        const struct crowd crowd = gather(stage, 60000);
        assert_int_equal(number_at(get(stage, 200, "/v1/sessions/%s", crowd.session), "sockets"), 4);
        drop(stage, 204, "/v1/sessions/%s", crowd.session);
        expect_gone(stage, &crowd);
}

/* The calls that wait tell when; another session is renewed meanwhile, and lives on. */
static void expired(struct stage *stage)
{
        char path[PATH_SIZE];
        const char *const longer = open_session(stage, 1500);
        const struct crowd crowd = gather(stage, 2000);
        snprintf(path, sizeof path, "/v1/sessions/%s/renew", longer);
        post(stage, 200, path, "{'ttl_ms':60000}");
        expect_gone(stage, &crowd);
        end_session(stage, longer);
}

static void bounded(struct stage *stage)
{
        const char *ids[SESSIONS_EACH];
        for (int i = 0; i < SESSIONS_EACH; i++)
                ids[i] = open_session(stage, 60000);
        expect_problem(post(stage, 429, "/v1/sessions", ""), 429, NULL);
        const struct reply *const list = get(stage, 200, "/v1/sessions");
        assert_int_equal(json_array_size(json_at(list->json, "sessions")), SESSIONS_EACH);
        for (int i = 0; i < SESSIONS_EACH; i++)
                drop(stage, 204, "/v1/sessions/%s", ids[i]);
        end_session(stage, open_session(stage, 60000));
}

/* Another's session looks just as none; an administrator reaches it. */
static void foreign(struct stage *stage)
{
        char path[PATH_SIZE], json[PATH_SIZE];
        const char *const id = open_session(stage, 60000);
        snprintf(path, sizeof path, "/v1/sessions/%s/renew", id);
        expect_problem(as_ci(stage, path, ""), 404, NULL);
        snprintf(json, sizeof json, "{'session':'%s'}", id);
        expect_problem(as_ci(stage, "/v1/sockets", json), 404, "session");
        end_session(stage, id);
        const struct reply *const theirs = as_ci(stage, "/v1/sessions", "{}");
        expect_status(theirs, 201);
        assert_string_equal(text_at(theirs, "owner"), "ci");
        assert_string_equal(text_at(get(stage, 200, "/v1/sessions"), "sessions.0.owner"), "ci");
        end_session(stage, text_at(theirs, "id"));
}

/* Makes sockets in a session until it is gone. */
struct maker {
        pthread_t thread;
        struct client *client;
        char json[PATH_SIZE];
        const char *path;
        int bad; /* a status that is none of those to expect */
};

static void *maker_run(void *context)
{
        struct maker *const maker = context;
        const struct request request = { .method = "POST", .path = maker->path, .json = maker->json };
        for (int status = 201; status == 201;) {
                struct reply *const reply = exchange(maker->client, &request);
                status = reply->status;
                reply_free(reply);
                if (status != 201 && status != 404 && status != 422)
                        maker->bad = status;
        }
        return NULL;
}

/* Whatever is in the making when a session ends is not left over. */
static void raced(struct stage *stage)
{
        enum { ROUNDS = 20, MAKERS = 4, SOCKETS = 20 };
        char path[PATH_SIZE];
        for (int round = 0; round < ROUNDS; round++) {
                struct maker makers[MAKERS] = { 0 };
                const char *const id = open_session(stage, 60000);
                snprintf(path, sizeof path, "/v1/sessions/%s", id);
                for (int i = 0; i < MAKERS; i++) {
                        makers[i].client = client_new(stage->daemon, i % 2 ? OVER_TCP : OVER_UNIX);
                        makers[i].path = i < 2 ? "/v1/sockets" : "/v1/socketpairs";
                        client_set_quiet(makers[i].client, true);
                        snprintf(makers[i].json, sizeof makers[i].json, "{\"session\":\"%s\"}", id);
                        assert_int_equal(pthread_create(&makers[i].thread, NULL, maker_run, &makers[i]), 0);
                }
                while (number_at(get(stage, 200, "%s", path), "sockets") < SOCKETS) {
                }
                drop(stage, 204, "%s", path);
                for (int i = 0; i < MAKERS; i++) {
                        pthread_join(makers[i].thread, NULL);
                        client_free(makers[i].client);
                        assert_int_equal(makers[i].bad, 0);
                }
                assert_int_equal(count_sockets(stage), 0);
        }
}

/* A port that the kernel chose is kept: nobody gets it until it is let go. */
static void held_port(struct stage *stage)
{
        const struct reply *const holder = post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0'}");
        const int port = (int)number_at(holder, "local.port");
        assert_in_range(port, 1, 65535);
        assert_string_equal(text_at(holder, "state"), "bound");
        expect_errno(post(stage, 422, "/v1/sockets", "{'bind':'127.0.0.1:%d'}", port), "EADDRINUSE");
        const struct reply *const listening =
                act(stage, text_at(holder, "id"), "listen", 200, "{'backlog':1}");
        assert_int_equal(number_at(listening, "local.port"), port);
        make(stage, "{'connect':'127.0.0.1:%d'}", port);
}

static const struct scenario scenarios[] = {
        { "shown", shown },
        { "renewed", renewed },
        { "ended", ended },
        { "expired", expired },
        { "bounded", bounded },
        { "another's", foreign },
        { "made while it ends", raced },
        { "a port is held", held_port },
};

int main(void)
{
        const char *const arguments[] = { "--tokens", tokens_path, NULL };
        folder_fill();
        SUITE_ADD_SCENARIOS(scenarios);
        SUITE_ADD_ROWS(play_unsound, unsound);
        const int failed = suite_run("session", arguments);
        folder_remove();
        return failed;
}
