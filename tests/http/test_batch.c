/* test_batch.c: many calls in one request: order, references, failures, deadlines, clients that go away. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/steps.h"
#include "tests/http/wire.h"

#define SERVER "{'name':'server','path':'/v1/sockets','body':{'bind':'127.0.0.1:0','listen':true}}"
#define CLIENT "{'name':'client','path':'/v1/sockets','body':{'connect':{'$ref':'server/local'}}"
#define PEER "{'name':'peer','path':'/v1/sockets/{server/id}/accept'"
#define SERVER_B "{'name':'b','path':'/v1/sockets'}"
#define PAIR "{'name':'pair','path':'/v1/socketpairs','body':{'family':'AF_UNIX','type':'SOCK_STREAM'}}"

#define GIFT                                                                                                 \
        "{'path':'/v1/sockets/{pair/sockets/0/id}/sendmsg','body':{'buffers':[{'text':'x'}],"                \
        "'ancillary':[{'level':'SOL_SOCKET','type':'SCM_RIGHTS',"                                            \
        "'value':{'sockets':[{'$ref':'pair/sockets/0/id'}]}}]}},"                                            \
        "{'path':'/v1/sockets/{pair/sockets/1/id}/recvmsg'"

/* Refused before any step is made. */
static const struct unsound_row {
        const char *name, *json, *parameter;
} unsound_rows[] = {
        { "no steps", "{}", "steps" },
        { "steps that are no list", "{'steps':{}}", "steps" },
        { "a step that is no object", "{'steps':[1]}", "steps[0]" },
        { "a step without a path", "{'steps':[{}]}", "steps[0].path" },
        { "a step of an unknown member", "{'steps':[{'path':'/v1/sockets','pth':1}]}", "steps[0].pth" },
        { "a path with a query", "{'steps':[{'path':'/v1/sockets?label=x'}]}", "steps[0].path" },
        { "a method that is none", "{'steps':[{'path':'/v1/sockets','method':'PATCH'}]}", "steps[0].method" },
        { "a body that is no object", "{'steps':[{'path':'/v1/sockets','body':[]}]}", "steps[0].body" },
        { "an unknown end", "{'steps':[{'path':'/v1/sockets','on_error':'panic'}]}", "steps[0].on_error" },
        { "a name that is a number", "{'steps':[{'path':'/v1/sockets','name':'0'}]}", "steps[0].name" },
        { "a name with a slash", "{'steps':[{'path':'/v1/sockets','name':'a/b'}]}", "steps[0].name" },
        { "a name twice", "{'steps':[{'path':'/healthz','name':'a'},{'path':'/healthz','name':'a'}]}",
                "steps[1].name" },
        { "a time that is none", "{'steps':[],'at':'soon'}", "at" },
        { "a time with a zone", "{'steps':[],'at':'2026-01-01T00:00:00+01:00'}", "at" },
        { "a time too far ahead", "{'steps':[],'at':'2099-01-01T00:00:00Z'}", "at" },
};

static void play_unsound(struct stage *stage, const void *row)
{
        const struct unsound_row *const unsound = row;
        expect_problem(post(stage, 400, "/v1/batch", "%s", unsound->json), 400, unsound->parameter);
        assert_int_equal(count_sockets(stage), 0);
}

/* What becomes of the last step, and what it says of the reason. */
static const struct step_row {
        const char *name, *steps;
        int status;
        const char *member, *text; /* of its body */
} step_rows[] = {
        { "by name", SERVER ",{'method':'GET','path':'/v1/sockets/{server/id}'}", 200, "state", "listening" },
        { "by number", SERVER ",{'method':'GET','path':'/v1/sockets/{0/id}'}", 200, "state", "listening" },
        { "a text", SERVER ",{'path':'/v1/sockets','body':{'label':{'$ref':'server/local/host'}}}", 201,
                "label", "127.0.0.1" },
        { "in a list",
                PAIR ",{'path':'/v1/sockets/{pair/sockets/1/id}/send','body':{'text':'x'}},"
                     "{'path':'/v1/sockets/{pair/sockets/0/id}/recv','body':{'size':9}}",
                200, "data", "eA==" },
        { "a query's parameter", "{'method':'GET','path':'/v1/inet_aton','body':{'address':'1.2.3.4'}}", 200,
                "packed", "AQIDBA==" },
        { "a later step", "{'method':'GET','path':'/v1/sockets/{1/id}'}", 400, "detail",
                "1/id: no step of that name has a result yet" },
        { "no such name", SERVER ",{'method':'GET','path':'/v1/sockets/{sever/id}'}", 400, "detail",
                "sever/id: no step of that name has a result yet" },
        { "no such member", SERVER ",{'path':'/v1/sockets','body':{'label':{'$ref':'server/name'}}}", 400,
                "detail", "server/name: the result has no such member" },
        { "no text", SERVER ",{'method':'GET','path':'/v1/sockets/{server/local}'}", 400, "parameter",
                "path" },
        { "a sibling",
                SERVER "," CLIENT ",'parallel':true}," PEER
                       ",'parallel':true,'body':{'label':{'$ref':'client/id'}}}",
                400, "parameter", "body" },
        { "a body that is a text", SERVER ",{'path':'/v1/sockets','body':{'$ref':'server/id'}}", 400,
                "detail", "body: must be an object, not text" },
        { "descriptors that came", PAIR "," GIFT "},{'path':'/v1/nothing'}", 404, "title", "Unknown path" },
        { "descriptors of many", PAIR "," GIFT ",'body':{'count':2}},{'path':'/v1/nothing'}", 404, "title",
                "Unknown path" },
        { "an unknown path", "{'path':'/v1/socks'}", 404, "title", "Unknown path" },
        { "a wrong method", "{'method':'PUT','path':'/v1/sockets'}", 405, "title", "Wrong method" },
        { "an unknown socket", "{'path':'/v1/sockets/x-1/listen'}", 404, "title", "Unknown socket" },
        { "an unknown parameter", "{'path':'/v1/sockets','body':{'labl':'x'}}", 400, "parameter", "labl" },
        { "a timeout twice", "{'path':'/v1/sockets','timeout_ms':1,'body':{'timeout_ms':1}}", 400,
                "parameter", "timeout_ms" },
        { "a batch in a batch", "{'path':'/v1/batch','body':{'steps':[]}}", 400, "detail",
                "a batch has no batches in it" },
        { "an errno", SERVER ",{'path':'/v1/sockets','body':{'bind':{'$ref':'server/local'}}}", 422, "errno",
                "EADDRINUSE" },
        { "an expected errno",
                SERVER ",{'path':'/v1/sockets','body':{'bind':{'$ref':'server/local'}},"
                       "'expect':['EADDRINUSE']}",
                200, "errno", "EADDRINUSE" },
        { "no wait", SERVER "," PEER ",'timeout_ms':0}", 422, "errno", "EAGAIN" },
        { "side by side", SERVER "," PEER ",'parallel':true}," CLIENT ",'parallel':true}", 201, "state",
                "connected" },
};

static void play_step(struct stage *stage, const void *row)
{
        const struct step_row *const step = row;
        const struct reply *const reply =
                post(stage, 200, "/v1/batch", "{'steps':[%s],'rollback':true}", step->steps);
        const json_t *const results = json_at(reply->json, "results");
        const size_t last = json_array_size(results) - 1;
        const json_t *const result = json_array_get(results, last);
        if (json_integer_value(json_object_get(result, "status")) != step->status)
                fail_msg("%s", reply->body);
        const json_t *const member = json_object_get(json_object_get(result, "body"), step->member);
        assert_non_null(member);
        assert_string_equal(json_string_value(member), step->text);
        if (step->status < 400) {
                assert_true(json_is_null(json_at(reply->json, "failed")));
                return;
        }
        assert_int_equal(number_at(reply, "failed"), last);
        assert_int_equal(count_sockets(stage), 0);
}

static void failure_stops(struct stage *stage)
{
        const struct reply *const reply =
                post(stage, 200, "/v1/batch", "{'steps':[" SERVER ",{'path':'/v1/nothing'}," SERVER_B "]}");
        assert_int_equal(number_at(reply, "failed"), 1);
        assert_true(flag_at(reply, "results.2.skipped"));
        assert_string_equal(text_at(reply, "results.2.name"), "b");
        assert_int_equal(count_sockets(stage), 1);
}

static void failure_goes_on(struct stage *stage)
{
        const struct reply *const reply = post(stage, 200, "/v1/batch",
                "{'steps':[{'path':'/v1/nothing','on_error':'continue'}," SERVER "]}");
        assert_true(json_is_null(json_at(reply->json, "failed")));
        assert_int_equal(number_at(reply, "results.0.status"), 404);
        assert_int_equal(number_at(reply, "results.1.status"), 201);
}

/* An accept that waits, and the connect beside it, with a recv that only a later step would end. */
static void waits_side_by_side(struct stage *stage)
{
        const struct reply *const reply = post(stage, 200, "/v1/batch",
                "{'steps':[" PAIR ",{'path':'/v1/sockets/{pair/sockets/0/id}/recv','body':{'size':9},"
                "'parallel':true},{'path':'/v1/sockets/{pair/sockets/1/id}/send','body':{'text':'now'},"
                "'parallel':true},{'path':'/v1/sockets/{pair/sockets/0/id}/send',"
                "'body':{'data':{'$ref':'1/data'}}},"
                "{'path':'/v1/sockets/{pair/sockets/1/id}/recv','body':{'size':9}}]}");
        assert_string_equal(text_at(reply, "results.1.body.data"), "bm93");
        assert_string_equal(text_at(reply, "results.4.body.data"), "bm93");
}

static void deadline_ends(struct stage *stage)
{
        const int64_t started = milliseconds();
        const struct reply *const reply = post(stage, 200, "/v1/batch",
                "{'timeout_ms':150,'rollback':true,'steps':[" SERVER "," PEER
                ",'on_error':'continue'}," CLIENT "}]}");
        assert_in_range(milliseconds() - started, 140, 20000);
        assert_true(flag_at(reply, "timed_out"));
        assert_string_equal(text_at(reply, "results.1.body.errno"), "EAGAIN");
        assert_true(flag_at(reply, "results.2.skipped"));
        assert_int_equal(count_sockets(stage), 0);
}

/* Not to wait is for the steps: those that need not are made. */
static void without_waiting(struct stage *stage)
{
        const struct reply *const reply =
                post(stage, 200, "/v1/batch", "{'timeout_ms':0,'steps':[" SERVER "," PEER "}]}");
        assert_int_equal(number_at(reply, "results.0.status"), 201);
        assert_string_equal(text_at(reply, "results.1.body.errno"), "EAGAIN");
        assert_false(flag_at(reply, "timed_out"));
}

static void thousand_steps(struct stage *stage)
{
        enum { ROUNDS = 500 };
        char *json = NULL;
        size_t size = 0;
        FILE *const stream = open_memstream(&json, &size);
        fprintf(stream, "{'steps':[" PAIR);
        for (int i = 0; i < ROUNDS; i++)
                fprintf(stream,
                        ",{'path':'/v1/sockets/{pair/sockets/0/id}/send','body':{'text':'%06d'}},"
                        "{'path':'/v1/sockets/{pair/sockets/1/id}/recv','body':{'size':9}}",
                        i);
        fprintf(stream, "]}");
        fclose(stream);
        const struct reply *const reply = post(stage, 200, "/v1/batch", "%s", json);
        free(json);
        assert_true(json_is_null(json_at(reply->json, "failed")));
        assert_int_equal(json_array_size(json_at(reply->json, "results")), 2 * ROUNDS + 1);
        assert_string_equal(text_at(reply, "results.1000.body.data"), "MDAwNDk5");
}

static void too_many_steps(struct stage *stage)
{
        char json[2001 * 3 + 32] = "{'steps':[1";
        for (size_t i = 0; i < 2000; i++)
                strcat(json + 2 * i, ",1");
        strcat(json, "]}");
        expect_problem(post(stage, 400, "/v1/batch", "%s", json), 400, "steps");
}

static void at_a_time(struct stage *stage)
{
        struct timespec at;
        struct tm parts;
        char text[64];
        clock_gettime(CLOCK_REALTIME, &at);
        at.tv_sec++;
        gmtime_r(&at.tv_sec, &parts);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
        const int64_t started = milliseconds();
        const struct reply *const reply = post(stage, 200, "/v1/batch",
                "{'at':'%s.%09ldZ','timeout_ms':50,'steps':[" SERVER "]}", text, at.tv_nsec);
        assert_in_range(milliseconds() - started, 800, 20000);
        assert_int_equal(number_at(reply, "results.0.status"), 201);
        assert_true(number_at(reply, "late_us") >= 0);
        assert_non_null(json_at(reply->json, "clock.synchronized"));
        assert_true(strcmp(text_at(reply, "started"), text) > 0);
}

static void time_long_past(struct stage *stage)
{
        const struct reply *const reply = post(stage, 200, "/v1/batch",
                "{'at':'1700-01-01T00:00:00Z','timeout_ms':5000,'steps':[" SERVER "]}");
        assert_int_equal(number_at(reply, "results.0.status"), 201);
        assert_true(number_at(reply, "late_us") > 0);
}

/* The step that waits takes nothing more, no other is made, and what was made is closed. */
static void client_vanishes(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        char *json = NULL;
        assert_true(asprintf(&json,
                            "{'rollback':true,'steps':[" SERVER
                            ",{'path':'/v1/sockets/%s/recv','body':{'size':9}}," SERVER_B "]}",
                            pair.near) > 0);
        char *const body = requote(json);
        const int fd = wire_open(stage->daemon, OVER_TCP);
        wire_write(fd,
                "POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: "
                "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                stage->daemon->token, strlen(body), body);
        await_parked(stage, pair.near, 1);
        assert_int_equal(count_sockets(stage), 3);
        wire_reset(fd);
        await_parked(stage, pair.near, 0);
        const int64_t until = milliseconds() + 20000;
        while (count_sockets(stage) != 2 && milliseconds() < until)
                continue;
        assert_int_equal(count_sockets(stage), 2);
        act(stage, pair.far, "send", 200, "{'text':'kept'}");
        expect_text(act(stage, pair.near, "recv", 200, "{'size':9}"), "kept");
        free(body);
        free(json);
}

/* A batch itself has no errno. */
static void expected_errno(struct stage *stage)
{
        const struct reply *const reply =
                post(stage, 422, "/v1/batch", "{'steps':[],'expect':['ECONNREFUSED']}");
        assert_true(json_is_array(json_at(reply->json, "outcome.results")));
}

static void *send_batch(void *context)
{
        struct stage *const other = context;
        struct client *const client = client_new(other->daemon, OVER_UNIX);
        char *const json = requote("{'steps':[" SERVER "," PEER "}]}");
        struct reply *const reply =
                exchange(client, &(struct request){ .method = "POST", .path = "/v1/batch", .json = json });
        client_free(client);
        free(json);
        return reply;
}

/* Either the batch ends first, by the step that the shutdown ended, or the call that waits for it. */
static void shutdown_answers(struct stage *stage)
{
        struct stage other;
        pthread_t thread;
        void *answer;
        stage_open(&other, NULL);
        assert_int_equal(pthread_create(&thread, NULL, send_batch, &other), 0);
        const int64_t until = milliseconds() + 20000;
        while (count_sockets(&other) != 1 && milliseconds() < until)
                continue;
        const struct reply *const list = get(&other, 200, "/v1/sockets");
        await_parked(&other, text_at(list, "sockets.0.id"), 1);
        daemon_terminate(other.daemon);
        assert_int_equal(pthread_join(thread, &answer), 0);
        const struct reply *const reply = stage_keep(stage, answer);
        if (reply->status == 200)
                assert_int_equal(number_at(reply, "results.1.status"), 503);
        else
                expect_problem(reply, 503, NULL);
        daemon_wait(other.daemon);
        stage_close(&other, stage);
}

/* A step counts as a request of its own. */
static void steps_are_counted(struct stage *stage)
{
        struct stage own;
        stage_open(&own, (const char *const[]){ "--max-requests-per-second", "20", NULL });
        char json[64 * 40] = "{'steps':[{'method':'GET','path':'/version'}";
        for (int i = 0; i < 40; i++)
                strcat(json, ",{'method':'GET','path':'/version'}");
        strcat(json, "]}");
        const struct reply *const reply = post(&own, 200, "/v1/batch", "%s", json);
        const int64_t failed = number_at(reply, "failed");
        assert_in_range(failed, 15, 39);
        char path[64];
        snprintf(path, sizeof path, "results.%d.status", (int)failed);
        assert_int_equal(number_at(reply, path), 429);
        daemon_stop(own.daemon);
        stage_close(&own, stage);
}

/* Results are charged for what they take of the daemon's memory. */
static void results_are_bounded(struct stage *stage)
{
        struct stage own;
        stage_open(&own, (const char *const[]){ "--max-held-bytes", "4000000", NULL });
        char json[64 * 20] = "{'steps':[{'method':'GET','path':'/openapi.json'}";
        for (int i = 1; i < 20; i++)
                strcat(json, ",{'method':'GET','path':'/openapi.json'}");
        strcat(json, "]}");
        const struct reply *const reply = post(&own, 200, "/v1/batch", "%s", json);
        const int64_t failed = number_at(reply, "failed");
        char path[64];
        assert_in_range(failed, 1, 19);
        snprintf(path, sizeof path, "results.%d.status", (int)failed);
        assert_int_equal(number_at(reply, path), 429);
        daemon_stop(own.daemon);
        stage_close(&own, stage);
}

static const struct scenario scenarios[] = {
        { "a failure stops the batch", failure_stops },
        { "a failure may be gone over", failure_goes_on },
        { "waits side by side", waits_side_by_side },
        { "the deadline ends it", deadline_ends },
        { "without waiting", without_waiting },
        { "1,000 steps", thousand_steps },
        { "too many steps", too_many_steps },
        { "at a time", at_a_time },
        { "a time long past", time_long_past },
        { "the client vanishes", client_vanishes },
        { "an errno that is expected", expected_errno },
        { "shutdown answers", shutdown_answers },
        { "steps are counted", steps_are_counted },
        { "results are bounded", results_are_bounded },
};

int main(void)
{
        SUITE_ADD_ROWS(play_unsound, unsound_rows);
        SUITE_ADD_ROWS(play_step, step_rows);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("batch", NULL);
}
