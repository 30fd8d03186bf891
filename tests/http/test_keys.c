/* test_keys.c: each operation that may change something is run once for all requests with one
 * Idempotency-Key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/keyed.h"

/* What an operation is called on. */
struct subject {
        const char *id, *peer; /* "" and NULL: none */
        int port;              /* of a listener that connections wait at */
};

static void no_subject(struct stage *stage, struct subject *out)
{
        (void)stage;
        out->id = "";
}

static void new_socket(struct stage *stage, struct subject *out)
{
        out->id = make(stage, "");
}

static void bound_socket(struct stage *stage, struct subject *out)
{
        out->id = make(stage, "{'bind':'127.0.0.1:0'}");
}

static void listener(struct stage *stage, struct subject *out)
{
        const struct reply *const reply =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':{'backlog':9}}");
        out->id = text_at(reply, "id");
        out->port = (int)number_at(reply, "local.port");
        for (int i = 0; i < 3; i++)
                make(stage, "{'connect':'127.0.0.1:%d'}", out->port);
}

static void to_connect(struct stage *stage, struct subject *out)
{
        listener(stage, out);
        out->id = make(stage, "");
}

/* Of messages, some of which have come. */
static void pair(struct stage *stage, struct subject *out)
{
        const struct ends ends = make_pair(stage, "SOCK_SEQPACKET");
        out->id = ends.near;
        out->peer = ends.far;
        for (int i = 0; i < 4; i++)
                act(stage, ends.far, "send", 200, "{'text':'message %d'}", i);
}

static void stream(struct stage *stage, struct subject *out)
{
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        out->id = ends.near;
        out->peer = ends.far;
}

static void datagrams(struct stage *stage, struct subject *out)
{
        const struct reply *const reply =
                post(stage, 201, "/v1/sockets", "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        out->peer = text_at(reply, "id");
        out->port = (int)number_at(reply, "local.port");
        out->id = make(stage, "{'type':'SOCK_DGRAM'}");
}

static void reactor(struct stage *stage, struct subject *out)
{
        stream(stage, out);
        char path[256];
        snprintf(path, sizeof path, "/v1/sockets/%s/reactor", out->id);
        char *const body = requote("{'kind':'echo'}");
        expect_status(
                stage_keep(stage, exchange(stage->client,
                                          &(struct request){ .method = "PUT", .path = path, .json = body })),
                200);
        free(body);
}

static void session(struct stage *stage, struct subject *out)
{
        out->id = text_at(post(stage, 201, "/v1/sessions", ""), "id");
}

/* How much has come of it: once. */
static void one_message(struct stage *stage, const struct subject *subject)
{
        act(stage, subject->peer, "recv", 200, "{'timeout_ms':5000}");
        act_refused(stage, subject->peer, "recv", "EAGAIN", "{'timeout_ms':0}");
}

static void one_taken(struct stage *stage, const struct subject *subject)
{
        expect_text(act(stage, subject->id, "recv", 200, "{'timeout_ms':5000}"), "message 1");
}

static void four_bytes(struct stage *stage, const struct subject *subject)
{
        act(stage, subject->id, "shutdown", 200, "{'how':'SHUT_WR'}");
        expect_text(act(stage, subject->peer, "recv", 200, "{'until':{'eof':true}}"), "once");
}

static void two_accepted(struct stage *stage, const struct subject *subject)
{
        act(stage, subject->id, "accept", 201, "");
        act(stage, subject->id, "accept", 201, "");
        act_refused(stage, subject->id, "accept", "EAGAIN", "{'timeout_ms':0}");
}

/* "{id}" and "{port}" are the subject's. */
static const struct twice {
        const char *name; /* the operation's, and what is special */
        void (*begin)(struct stage *stage, struct subject *out);
        const char *method, *path, *json;
        int status;
        void (*check)(struct stage *stage, const struct subject *subject);
} twices[] = {
        { "socket_create", no_subject, "POST", "/v1/sockets", "{'label':'once'}", 201, NULL },
        { "socket_create, connected", to_connect, "POST", "/v1/sockets", "{'connect':'127.0.0.1:{port}'}",
                201, NULL },
        { "socket_create, expected to fail", no_subject, "POST", "/v1/sockets",
                "{'bind':'192.0.2.1:0','expect':['EADDRNOTAVAIL']}", 200, NULL },
        { "socket_create, refused", no_subject, "POST", "/v1/sockets", "{'bind':'192.0.2.1:0'}", 422, NULL },
        { "socket_create, denied", no_subject, "POST", "/v1/sockets", "{'connect':'169.254.169.254:80'}", 403,
                NULL },
        { "socketpair_create", no_subject, "POST", "/v1/socketpairs", "", 201, NULL },
        { "socket_delete", new_socket, "DELETE", "/v1/sockets/{id}", "", 204, NULL },
        { "socket_delete, with a query", new_socket, "DELETE", "/v1/sockets/{id}?reset=true", "", 204, NULL },
        { "socket_bind", new_socket, "POST", "/v1/sockets/{id}/bind", "{'address':'127.0.0.1:0'}", 200,
                NULL },
        { "socket_bind, refused", bound_socket, "POST", "/v1/sockets/{id}/bind", "{'address':'127.0.0.1:0'}",
                422, NULL },
        { "socket_bind, unexpected", new_socket, "POST", "/v1/sockets/{id}/bind",
                "{'address':'127.0.0.1:0','expect':['EADDRINUSE']}", 422, NULL },
        { "socket_listen", bound_socket, "POST", "/v1/sockets/{id}/listen", "", 200, NULL },
        { "socket_accept", listener, "POST", "/v1/sockets/{id}/accept", "", 201, two_accepted },
        { "socket_accept, by a query", listener, "POST", "/v1/sockets/{id}/accept?label=once", "", 201,
                two_accepted },
        { "socket_connect", to_connect, "POST", "/v1/sockets/{id}/connect", "{'address':'127.0.0.1:{port}'}",
                200, NULL },
        { "socket_connect, refused", new_socket, "POST", "/v1/sockets/{id}/connect",
                "{'address':'127.0.0.1:1'}", 422, NULL },
        { "socket_shutdown", stream, "POST", "/v1/sockets/{id}/shutdown", "{'how':'SHUT_RD'}", 200, NULL },
        { "socket_send", pair, "POST", "/v1/sockets/{id}/send", "{'text':'once'}", 200, one_message },
        { "socket_send, of a stream", stream, "POST", "/v1/sockets/{id}/send", "{'text':'once','all':true}",
                200, four_bytes },
        { "socket_send, at a position", stream, "POST", "/v1/sockets/{id}/send", "{'text':'once','offset':0}",
                200, four_bytes },
        { "socket_upload", pair, "PUT", "/v1/sockets/{id}/send", NULL, 200, one_message },
        { "socket_recv", pair, "POST", "/v1/sockets/{id}/recv", "", 200, one_taken },
        { "socket_recv, timed out", stream, "POST", "/v1/sockets/{id}/recv", "{'timeout_ms':0}", 422, NULL },
        { "socket_sendto", datagrams, "POST", "/v1/sockets/{id}/sendto",
                "{'address':'127.0.0.1:{port}','text':'once'}", 200, one_message },
        { "socket_recvfrom", pair, "POST", "/v1/sockets/{id}/recvfrom", "", 200, one_taken },
        { "socket_sendmsg", datagrams, "POST", "/v1/sockets/{id}/sendmsg",
                "{'address':'127.0.0.1:{port}','buffers':[{'text':'on'},{'text':'ce'}]}", 200, one_message },
        { "socket_sendmsg, of a stream", stream, "POST", "/v1/sockets/{id}/sendmsg",
                "{'messages':[{'buffers':[{'text':'on'}]},{'buffers':[{'text':'ce'}]}]}", 200, four_bytes },
        { "socket_recvmsg", pair, "POST", "/v1/sockets/{id}/recvmsg", "", 200, one_taken },
        { "socket_setsockopt", new_socket, "POST", "/v1/sockets/{id}/setsockopt",
                "{'level':'SOL_SOCKET','option':'SO_KEEPALIVE','value':true}", 200, NULL },
        { "socket_getsockopt", new_socket, "POST", "/v1/sockets/{id}/getsockopt",
                "{'level':'SOL_SOCKET','option':'SO_TYPE'}", 200, NULL },
        { "reactor_start", stream, "PUT", "/v1/sockets/{id}/reactor", "{'kind':'echo'}", 200, NULL },
        { "reactor_stop", reactor, "DELETE", "/v1/sockets/{id}/reactor", "", 200, NULL },
        { "batch", no_subject, "POST", "/v1/batch", "{'steps':[{'path':'/v1/sockets'}]}", 200, NULL },
        { "socket_wait", stream, "POST", "/v1/sockets/{id}/wait", "{'events':['POLLOUT']}", 200, NULL },
        { "poll", stream, "POST", "/v1/poll", "{'sockets':[{'id':'{id}','events':['POLLOUT']}]}", 200, NULL },
        { "policy_explain", no_subject, "POST", "/v1/policy/explain",
                "{'operation':'connect','address':'127.0.0.2:1'}", 200, NULL },
        { "session_create", no_subject, "POST", "/v1/sessions", "", 201, NULL },
        { "session_renew", session, "POST", "/v1/sessions/{id}/renew", "{'ttl_ms':50000}", 200, NULL },
        { "session_delete", session, "DELETE", "/v1/sessions/{id}", "", 204, NULL },
};

struct call {
        char path[256], json[256];
};

/* Puts `text` where the mark is. */
static void put_in(char *out, size_t size, const char *mark, const char *text)
{
        char *const at = strstr(out, mark);
        char rest[256];
        if (!at)
                return;
        snprintf(rest, sizeof rest, "%s", at + strlen(mark));
        snprintf(at, size - (size_t)(at - out), "%s%s", text, rest);
}

static void fill_in(const struct twice *twice, const struct subject *subject, struct call *out)
{
        char port[16];
        snprintf(port, sizeof port, "%d", subject->port);
        snprintf(out->path, sizeof out->path, "%s", twice->path);
        snprintf(out->json, sizeof out->json, "%s", twice->json ? twice->json : "");
        put_in(out->path, sizeof out->path, "{id}", subject->id);
        put_in(out->json, sizeof out->json, "{id}", subject->id);
        put_in(out->json, sizeof out->json, "{port}", port);
}

/* Without JSON, it has a raw body. */
static struct reply *call(struct stage *stage, struct client *client, const char *key,
        const struct twice *twice, const struct call *call)
{
        char header[64];
        if (twice->json)
                return keyed(stage, client, key, twice->method, call->path, call->json);
        snprintf(header, sizeof header, "Idempotency-Key: %s", key);
        const struct request request = { .method = twice->method,
                .path = call->path,
                .raw = "once",
                .raw_size = 4,
                .headers = { header } };
        return stage_keep(stage, exchange(client, &request));
}

static size_t count_sessions(struct stage *stage)
{
        return json_array_size(json_at(get(stage, 200, "/v1/sessions")->json, "sessions"));
}

/* The second request comes over another connection and listener. */
static void play_twice(struct stage *stage, const void *row)
{
        const struct twice *const twice = row;
        const char *const key = new_key();
        struct subject subject = { .id = "" };
        struct call what;
        twice->begin(stage, &subject);
        fill_in(twice, &subject, &what);
        const struct reply *const first = call(stage, stage->client, key, twice, &what);
        expect_status(first, twice->status);
        const size_t sockets = count_sockets(stage), sessions = count_sessions(stage);
        struct client *const other = stage->client == stage->over_tcp ? stage->over_unix : stage->over_tcp;
        expect_replay(first, call(stage, other, key, twice, &what));
        expect_replay(first, call(stage, stage->client, key, twice, &what));
        assert_int_equal(count_sockets(stage), sockets);
        assert_int_equal(count_sessions(stage), sessions);
        if (twice->check)
                twice->check(stage, &subject);
}

/* A key of another request is not for it. */
static void play_reused(struct stage *stage, const void *row)
{
        const struct twice *const twice = row;
        const char *const key = new_key();
        struct subject subject = { .id = "" };
        struct call what;
        twice->begin(stage, &subject);
        fill_in(twice, &subject, &what);
        expect_status(keyed(stage, stage->client, key, "POST", "/v1/policy/explain",
                              "{'operation':'connect','address':'127.0.0.3:1'}"),
                200);
        const size_t sockets = count_sockets(stage);
        const struct reply *const reply = call(stage, stage->client, key, twice, &what);
        expect_problem(reply, 422, "Idempotency-Key");
        assert_string_equal(text_at(reply, "title"), "Key reused");
        assert_false(is_replayed(reply));
        assert_int_equal(count_sockets(stage), sockets);
}

/* The contract has the header on what is called here, and only there. */
static void all_of_them(struct stage *stage)
{
        json_t *const paths = json_at(get(stage, 200, "/openapi.json")->json, "paths");
        const char *path, *method;
        json_t *item, *operation;
        json_object_foreach(paths, path, item)
        {
                json_object_foreach(item, method, operation)
                {
                        const char *const name = json_string_value(json_object_get(operation, "operationId"));
                        bool is_called = false, has_key = false;
                        for (size_t i = 0; i < COUNT(twices); i++)
                                is_called |= strcmp(twices[i].name, name) == 0;
                        const json_t *const parameters = json_object_get(operation, "parameters");
                        for (size_t i = 0; i < json_array_size(parameters); i++) {
                                const char *const reference = json_string_value(
                                        json_object_get(json_array_get(parameters, i), "$ref"));
                                has_key |= reference && strstr(reference, "/IdempotencyKey");
                        }
                        if (is_called != has_key || is_called == (strcmp(method, "get") == 0))
                                fail_msg("%s", name);
                }
        }
}

/* What is unsound, or cannot be, is not kept: the key is free for what is right. */
static const struct unsound {
        const char *name, *method, *path, *json;
        int status;
} unsounds[] = {
        { "no JSON", "POST", "/v1/sockets", "{", 400 },
        { "an unknown parameter", "POST", "/v1/sockets?nonesuch=1", "", 400 },
        { "unsound as it runs", "POST", "/v1/sockets", "{'listen':{},'connect':'127.0.0.1:1'}", 400 },
        { "an unknown socket", "POST", "/v1/sockets/none-1/listen", "", 404 },
        { "an unknown socket to send to", "PUT", "/v1/sockets/none-1/send", "", 404 },
        { "an unknown socket to receive from", "POST", "/v1/sockets/none-1/recv", "", 404 },
        { "an unknown socket to delete", "DELETE", "/v1/sockets/none-1", "", 404 },
        { "an unknown session", "DELETE", "/v1/sessions/none-1", "", 404 },
        { "an unknown session to make it in", "POST", "/v1/sockets", "{'session':'none-1'}", 404 },
        { "an unknown path", "POST", "/v1/nonesuch", "", 404 },
        { "another method", "DELETE", "/v1/sockets", "", 405 },
        { "too large", "POST", "/v1/sockets", NULL, 413 },
};

static void play_unsound(struct stage *stage, const void *row)
{
        const struct unsound *const unsound = row;
        const char *const key = new_key();
        char *large = NULL;
        assert_true(asprintf(&large, "{'label':'%0*d'}", 1100000, 0) > 0);
        for (int i = 0; i < 2; i++) {
                const struct reply *const reply = keyed(stage, stage->client, key, unsound->method,
                        unsound->path, unsound->json ? unsound->json : large);
                expect_problem(reply, unsound->status, NULL);
                assert_false(is_replayed(reply));
        }
        free(large);
        const struct reply *const made = keyed(stage, stage->client, key, "POST", "/v1/sockets", "{}");
        expect_status(made, 201);
        assert_false(is_replayed(made));
}

static void wrong_type(struct stage *stage)
{
        const char *const key = new_key();
        char header[64];
        snprintf(header, sizeof header, "Idempotency-Key: %s", key);
        const struct request request = { .method = "POST",
                .path = "/v1/sockets",
                .json = "{}",
                .type = "text/plain",
                .headers = { header } };
        expect_problem(stage_keep(stage, exchange(stage->client, &request)), 415, NULL);
        expect_status(keyed(stage, stage->client, key, "POST", "/v1/sockets", "{}"), 201);
}

/* What makes another request of it. */
static const struct other {
        const char *name, *method, *path, *json;
} others[] = {
        { "another method", "DELETE", "/v1/sockets/{id}", "" },
        { "another path", "POST", "/v1/sockets/{id}/recv?timeout_ms=900", "" },
        { "another value", "POST", "/v1/sockets/{id}/accept?timeout_ms=901", "" },
        { "another place of a parameter", "POST", "/v1/sockets/{id}/accept", "{'timeout_ms':900}" },
        { "one more parameter", "POST", "/v1/sockets/{id}/accept?timeout_ms=900&label=a", "" },
        { "a body", "POST", "/v1/sockets/{id}/accept?timeout_ms=900", "{}" },
        { "a blank", "POST", "/v1/sockets/{id}/accept?timeout_ms=900", " " },
};

static void play_other(struct stage *stage, const void *row)
{
        const struct other *const other = row;
        const char *const key = new_key();
        struct subject subject = { .id = "" };
        char path[256];
        listener(stage, &subject);
        snprintf(path, sizeof path, "/v1/sockets/%s/accept?timeout_ms=900", subject.id);
        const struct reply *const first = keyed(stage, stage->client, key, "POST", path, "");
        expect_status(first, 201);
        struct call what;
        fill_in(&(struct twice){ .path = other->path, .json = other->json }, &subject, &what);
        expect_problem(keyed(stage, stage->client, key, other->method, what.path, what.json), 422,
                "Idempotency-Key");
        expect_replay(first, keyed(stage, stage->client, key, "POST", path, ""));
}

/* A raw reply, with what stands beside it in a header, is another request than the same as JSON. */
static void raw_replies(struct stage *stage)
{
        const char *const key = new_key();
        struct subject subject = { .id = "" };
        char path[256], header[64];
        pair(stage, &subject);
        snprintf(path, sizeof path, "/v1/sockets/%s/recvfrom", subject.id);
        snprintf(header, sizeof header, "Idempotency-Key: %s", key);
        const struct request request = {
                .method = "POST", .path = path, .headers = { header, "Accept: application/octet-stream" }
        };
        const struct reply *const first = stage_keep(stage, exchange(stage->client, &request));
        assert_int_equal(first->size, 9);
        assert_non_null(reply_header(first, "sockwright-reply"));
        expect_replay(first, stage_keep(stage, exchange(stage->client, &request)));
        expect_problem(keyed(stage, stage->client, key, "POST", path, ""), 422, "Idempotency-Key");
        one_taken(stage, &subject);
}

/* What is streamed has positions instead. */
static void streams_have_no_keys(struct stage *stage)
{
        struct subject subject = { .id = "" };
        char path[256];
        stream(stage, &subject);
        static const char *const headers[] = { "Idempotency-Key: a", "Accept: application/octet-stream" };
        snprintf(path, sizeof path, "/v1/sockets/%s/send", subject.id);
        for (int i = 0; i < 2; i++) {
                const struct request request = { .method = i ? "PUT" : "POST",
                        .path = path,
                        .raw = "once",
                        .raw_size = 4,
                        .headers = { headers[0] } };
                const struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
                expect_problem(reply, 400, "Idempotency-Key");
                assert_non_null(strstr(text_at(reply, "detail"), "offset"));
        }
        snprintf(path, sizeof path, "/v1/sockets/%s/recv", subject.id);
        char *const body = requote("{'until':{'eof':true}}");
        const struct request request = {
                .method = "POST", .path = path, .json = body, .headers = { headers[0], headers[1] }
        };
        expect_problem(stage_keep(stage, exchange(stage->client, &request)), 400, "Idempotency-Key");
        free(body);
        act(stage, subject.id, "shutdown", 200, "{'how':'SHUT_WR'}");
        expect_text(act(stage, subject.peer, "recv", 200, "{'until':{'eof':true}}"), "");
}

/* What only looks takes no notice, even of a header that is no key. */
static void get_ignores_it(struct stage *stage)
{
        const struct request request = {
                .method = "GET", .path = "/v1/sockets", .headers = { "Idempotency-Key: \"" }
        };
        for (int i = 0; i < 2; i++) {
                const struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
                expect_status(reply, 200);
                assert_false(is_replayed(reply));
                make(stage, "");
        }
}

/* Both what was done and what its client may do again goes by the socket, which is gone by then. */
static void outlives_its_socket(struct stage *stage)
{
        struct subject subject = { .id = "" };
        char path[256], key[32];
        snprintf(key, sizeof key, "%s", new_key());
        pair(stage, &subject);
        snprintf(path, sizeof path, "/v1/sockets/%s/recv", subject.id);
        const struct reply *const first = keyed(stage, stage->client, key, "POST", path, "");
        drop(stage, 204, "/v1/sockets/%s", subject.id);
        expect_replay(first, keyed(stage, stage->client, key, "POST", path, ""));
        expect_problem(keyed(stage, stage->client, new_key(), "POST", path, ""), 404, NULL);
}

/* A daemon that keeps no body: what was done is not done again, and the client is told that it was. */
static void lost_replies(struct stage *stage)
{
        static const char *const small[] = { "--kept-outcome-bytes", "1", NULL };
        struct stage other;
        stage_open(&other, small);
        for (size_t i = 0; i < COUNT(twices); i++) {
                struct subject subject = { .id = "" };
                struct call what;
                const char *const key = new_key();
                twices[i].begin(&other, &subject);
                fill_in(&twices[i], &subject, &what);
                const struct reply *const first = call(&other, other.client, key, &twices[i], &what);
                expect_status(first, twices[i].status);
                const size_t sockets = count_sockets(&other);
                const struct reply *const again = call(&other, other.client, key, &twices[i], &what);
                if (twices[i].status == 204)
                        expect_replay(first, again);
                else
                        expect_problem(again, 409, NULL);
                assert_int_equal(count_sockets(&other), sockets);
        }
        daemon_stop(other.daemon);
        stage_close(&other, stage);
}

static const struct scenario scenarios[] = {
        { "the contract has it where it belongs", all_of_them },
        { "a wrong media type", wrong_type },
        { "raw replies", raw_replies },
        { "streams have no keys", streams_have_no_keys },
        { "GET ignores it", get_ignores_it },
        { "an outcome outlives its socket", outlives_its_socket },
        { "replies that are too large", lost_replies },
};

int main(void)
{
        SUITE_ADD_ROWS(play_twice, twices);
        SUITE_ADD_ROWS(play_reused, twices);
        SUITE_ADD_ROWS(play_unsound, unsounds);
        SUITE_ADD_ROWS(play_other, others);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("keys", NULL);
}
