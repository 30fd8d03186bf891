/* test_transcript.c: what a socket that records says of its calls, how much of it, and to whom. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/steps.h"

enum { PATH_SIZE = 128 };

static const struct reply *transcript(struct stage *stage, const char *id)
{
        return get(stage, 200, "/v1/sockets/%s/transcript", id);
}

static const char *recorded_pair(struct stage *stage, const char **far)
{
        const struct reply *const pair =
                post(stage, 201, "/v1/socketpairs", "{'family':'AF_UNIX','record':true}");
        *far = text_at(pair, "sockets.1.id");
        return text_at(pair, "sockets.0.id");
}

/* One call of each sort, and what is said of it: members of the call, as JSON */
static const struct call {
        const char *name, *method, *action, *json;
        int status;
        const char *said;
} calls[] = {
        { "a send", "POST", "send", "{'text':'hello'}", 200,
                "{'operation':'socket_send','method':'POST','arguments':{'data':'aGVsbG8='},'status':200,"
                "'reply':{'sent':5,'offset':0,'next':5,'duplicate':false}}" },
        { "a receive", "POST", "recv", "{'size':3,'flags':['MSG_PEEK']}", 200,
                "{'operation':'socket_recv','arguments':{'size':3,'flags':['MSG_PEEK']},'status':200,"
                "'reply':{'data':'aGVs','size':3,'offset':0,'next':0,'eof':false,'complete':true,'truncated':"
                "false}}" },
        { "a refusal", "POST", "getsockopt", "{'level':'IPPROTO_TCP','option':'TCP_INFO'}", 422,
                "{'operation':'socket_getsockopt','status':422,'reply':{'call':'getsockopt','errno':'"
                "EOPNOTSUPP'}}" },
        { "an unsound one", "POST", "send", "{'data':'a'}", 400,
                "{'operation':'socket_send','status':400,'reply':{'status':400,'parameter':'data'}}" },
        { "in the query", "POST", "shutdown?how=SHUT_WR", "", 200,
                "{'operation':'socket_shutdown','arguments':{'how':'SHUT_WR'},'status':200}" },
        { "a look", "GET", "", NULL, 200,
                "{'operation':'socket_show','method':'GET','arguments':{},'status':200}" },
        { "of an option", "POST", "setsockopt", "{'level':'SOL_SOCKET','option':'SO_KEEPALIVE','value':true}",
                200,
                "{'operation':'socket_setsockopt','arguments':{'level':'SOL_SOCKET','option':'SO_KEEPALIVE','"
                "value':true}}" },
};

/* Whether all of `expected` stands in `actual`. */
static void expect_members(json_t *actual, json_t *expected)
{
        const char *name;
        json_t *value;
        json_object_foreach(expected, name, value)
        {
                json_t *const found = json_object_get(actual, name);
                if (json_is_object(value) && strcmp(name, "arguments") != 0)
                        expect_members(found, value);
                else if (!json_equal(found, value))
                        fail_msg("%s: %s instead of %s", name, json_dumps(found, JSON_ENCODE_ANY),
                                json_dumps(value, JSON_ENCODE_ANY));
        }
}

static void play_call(struct stage *stage, const void *row)
{
        const struct call *const call = row;
        char path[PATH_SIZE];
        const char *far;
        const char *const near = recorded_pair(stage, &far);
        act(stage, far, "send", 200, "{'text':'hello'}");
        snprintf(path, sizeof path, "/v1/sockets/%s%s%s", near, call->action[0] == '\0' ? "" : "/",
                call->action);
        char *const json = call->json == NULL ? NULL : requote(call->json);
        const struct request request = { .method = call->method, .path = path, .json = json };
        expect_status(stage_keep(stage, exchange(stage->client, &request)), call->status);
        free(json);
        const struct reply *const reply = transcript(stage, near);
        assert_int_equal(json_array_size(json_at(reply->json, "calls")), 2);
        assert_string_equal(text_at(reply, "calls.0.operation"), "socketpair_create");
        assert_int_equal(number_at(reply, "calls.1.sequence"), 2);
        assert_true(number_at(reply, "calls.1.duration_us") >= 0);
        assert_true(strcmp(text_at(reply, "calls.1.time"), text_at(reply, "calls.0.time")) >= 0);
        path[strcspn(path, "?")] = '\0';
        assert_string_equal(text_at(reply, "calls.1.path"), path);
        char *const said = requote(call->said);
        json_t *const expected = json_loads(said, 0, NULL);
        assert_non_null(expected);
        expect_members(json_at(reply->json, "calls.1"), expected);
        json_decref(expected);
        free(said);
}

/* Those with a record, what they were made with, and how much they say that they keep. */
static const struct size {
        const char *name, *json;
        int64_t record_bytes; /* 0: it does not record */
} sizes[] = {
        { "not asked for", "{}", 0 },
        { "asked for", "{'record':true}", 262144 },
        { "declined", "{'record':false}", 0 },
        { "by its size", "{'record_bytes':65536}", 65536 },
        { "both", "{'record':true,'record_bytes':65536}", 65536 },
        { "the least", "{'record_bytes':1}", 4096 },
        { "the most", "{'record_bytes':16777216}", 16777216 },
        { "none", "{'record':true,'record_bytes':0}", 0 },
};

static void expect_record(struct stage *stage, const char *id, int64_t record_bytes)
{
        const struct reply *const object = get(stage, 200, "/v1/sockets/%s", id);
        if (record_bytes == 0) {
                assert_null(json_at(object->json, "record_bytes"));
                expect_problem(get(stage, 400, "/v1/sockets/%s/transcript", id), 400, "id");
                return;
        }
        assert_int_equal(number_at(object, "record_bytes"), record_bytes);
        assert_int_equal(number_at(transcript(stage, id), "record_bytes"), record_bytes);
}

static void play_size(struct stage *stage, const void *row)
{
        const struct size *const size = row;
        expect_record(stage, make(stage, "%s", size->json), size->record_bytes);
}

/* What a listener was made with, what an accept asks for, and what the new socket then has. */
static const struct heir {
        const char *name, *listener, *accept;
        int64_t record_bytes;
} heirs[] = {
        { "inherited", "'record_bytes':8192", "{}", 8192 },
        { "its own", "'record_bytes':8192", "{'record_bytes':4096}", 4096 },
        { "its own default", "'record_bytes':8192", "{'record':true}", 262144 },
        { "not wanted", "'record_bytes':8192", "{'record_bytes':0}", 0 },
        { "not inherited", "'record_bytes':0", "{}", 0 },
        { "only its own", "'record_bytes':0", "{'record':true}", 262144 },
};

static void play_heir(struct stage *stage, const void *row)
{
        const struct heir *const heir = row;
        const struct reply *const listener =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':true,%s}", heir->listener);
        make(stage, "{'connect':'127.0.0.1:%d'}", (int)number_at(listener, "local.port"));
        const struct reply *const accepted =
                act(stage, text_at(listener, "id"), "accept", 201, "%s", heir->accept);
        const char *const id = text_at(accepted, "id");
        expect_record(stage, id, heir->record_bytes);
        if (heir->record_bytes == 0)
                return;
        /* Its first call is the one that made it. */
        const struct reply *const reply = transcript(stage, id);
        assert_string_equal(text_at(reply, "calls.0.operation"), "socket_accept");
        assert_string_equal(text_at(reply, "calls.0.reply.id"), id);
}

static const struct mistake {
        const char *name, *path, *json, *parameter;
} mistakes[] = {
        { "too much", "/v1/sockets", "{'record_bytes':16777217}", "record_bytes" },
        { "less than nothing", "/v1/sockets", "{'record_bytes':-1}", "record_bytes" },
        { "no number", "/v1/sockets", "{'record_bytes':'1'}", "record_bytes" },
        { "no boolean", "/v1/sockets", "{'record':1}", "record" },
        { "too much for a pair", "/v1/socketpairs", "{'record_bytes':16777217}", "record_bytes" },
};

static void play_mistake(struct stage *stage, const void *row)
{
        const struct mistake *const mistake = row;
        expect_problem(post(stage, 400, mistake->path, "%s", mistake->json), 400, mistake->parameter);
        assert_int_equal(count_sockets(stage), 0);
}

static void unknown_format(struct stage *stage)
{
        const char *const id = make(stage, "{'record':true}");
        expect_problem(get(stage, 400, "/v1/sockets/%s/transcript?format=xml", id), 400, "format");
        expect_problem(get(stage, 404, "/v1/sockets/none-1/transcript"), 404, NULL);
}

/* Who was let in by a token is not told how. */
static void without_tokens(struct stage *stage)
{
        static const char *const formats[] = { "json", "pcapng", "curl" };
        const struct request request = {
                .method = "POST", .path = "/v1/sockets", .json = "{\"record\":true}"
        };
        const struct reply *const made = stage_keep(stage, exchange(stage->over_tcp, &request));
        for (size_t i = 0; i < COUNT(formats); i++) {
                const struct reply *const reply = get(
                        stage, 200, "/v1/sockets/%s/transcript?format=%s", text_at(made, "id"), formats[i]);
                assert_true(reply->size > 0);
                assert_null(
                        memmem(reply->body, reply->size, stage->daemon->token, strlen(stage->daemon->token)));
        }
}

static void in_a_batch(struct stage *stage)
{
        const char *far;
        const char *const near = recorded_pair(stage, &far);
        post(stage, 200, "/v1/batch",
                "{'steps':[{'path':'/v1/sockets/%s/send','body':{'text':'x'}},{'path':'/v1/sockets/%s/"
                "recv'}]}",
                near, far);
        assert_string_equal(text_at(transcript(stage, near), "calls.1.operation"), "socket_send");
        assert_string_equal(text_at(transcript(stage, far), "calls.1.operation"), "socket_recv");
}

static const struct scenario scenarios[] = {
        { "unknown", unknown_format },
        { "without tokens", without_tokens },
        { "in a batch", in_a_batch },
};

int main(void)
{
        SUITE_ADD_ROWS(play_call, calls);
        SUITE_ADD_ROWS(play_size, sizes);
        SUITE_ADD_ROWS(play_heir, heirs);
        SUITE_ADD_ROWS(play_mistake, mistakes);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("transcript", NULL);
}
