/* test_replay.c: a transcript as a script of curl: what it calls is recorded again, and is the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/command.h"
#include "tests/http/steps.h"

enum { PATH_SIZE = 128, LINE_SIZE = 1024 };

/* Runs the script of a socket as a user would. What it prints, to be freed; `variables` are more of its
 * environment. */
static char *replay(struct stage *stage, const char *id, const char *variables, int *status)
{
        char path[PATH_SIZE], line[LINE_SIZE];
        const struct reply *const reply = get(stage, 200, "/v1/sockets/%s/transcript?format=curl", id);
        assert_string_equal(reply_header(reply, "content-type"), "application/x-sh");
        snprintf(path, sizeof path, "%s/replay.sh", stage->daemon->directory);
        reply_save(reply, path);
        snprintf(line, sizeof line,
                "cd '%s' && SOCKWRIGHT_URL=%s SOCKWRIGHT_TOKEN=%s %s sh -eu replay.sh 2>&1",
                stage->daemon->directory, stage->daemon->url, stage->daemon->token, variables);
        char *const text = output_of(line, status);
        remove(path);
        return text;
}

/* A member of the first reply that a script printed, to be freed. */
static char *first_said(const char *output, const char *path)
{
        json_t *const reply = json_loads(output, JSON_DISABLE_EOF_CHECK, NULL);
        const char *const text = json_string_value(json_at(reply, path));
        if (text == NULL)
                fail_msg("no %s in: %s", path, output);
        char *const copy = strdup(text == NULL ? "" : text);
        json_decref(reply);
        return copy;
}

static bool same(const json_t *one, const json_t *other, const char *path)
{
        return json_equal(json_at(one, path), json_at(other, path)) == 1 ||
               (json_at(one, path) == NULL && json_at(other, path) == NULL);
}

/* Both transcripts tell of the same calls: what was asked, how it ended, what came. */
static void expect_same(struct stage *stage, const char *id, const char *again)
{
        static const char *const paths[] = { "operation", "method", "arguments", "status", "reply.data",
                "reply.size", "reply.sent", "reply.errno", "reply.label", "reply.value", "reply.parameter" };
        const json_t *const calls = json_at(get(stage, 200, "/v1/sockets/%s/transcript", id)->json, "calls");
        const json_t *const others =
                json_at(get(stage, 200, "/v1/sockets/%s/transcript", again)->json, "calls");
        assert_true(json_array_size(calls) > 0);
        assert_int_equal(json_array_size(calls), json_array_size(others));
        for (size_t i = 0; i < json_array_size(calls); i++)
                for (size_t j = 0; j < COUNT(paths); j++) {
                        const json_t *const call = json_array_get(calls, i), *const other = json_array_get(
                                                                                     others, i);
                        if (!same(call, other, paths[j]))
                                fail_msg("call %zu: %s: %s and %s", i, paths[j], json_dumps(call, 0),
                                        json_dumps(other, 0));
                }
}

/* Replays a socket's script, and compares. */
static void expect_replayed(struct stage *stage, const char *id, const char *made, const char *variables)
{
        int status;
        char *const output = replay(stage, id, variables, &status);
        if (status != 0)
                fail_msg("%d: %s", status, output);
        char *const again = first_said(output, made);
        assert_string_not_equal(again, id);
        expect_same(stage, id, again);
        free(again);
        free(output);
}

/* Words that a shell, curl or sed may take for something else; as JSON. */
static const struct hostile {
        const char *name, *text;
} hostile[] = {
        { "a quote", "'" },
        { "quotes", "''\\\"''" },
        { "a command", "'; touch hacked; '" },
        { "a substitution", "$(touch hacked)`touch hacked`${HOME}" },
        { "lines", "\\n\\r\\ntouch hacked\\n" },
        { "the end of a here-document", "\\nEOF\\nEND\\n" },
        { "controls", "\\u0001\\u001b[2J\\u007f\\t" },
        { "beyond ASCII", "\\u00e4\\u20ac\\ud83d\\ude00\\u202e" },
        { "a percent sign", "%s%n%d\\\\c" },
        { "a member", "{\\\"id\\\":\\\"nobody\\\"}" },
        { "a member on a line", "\\n\\\"id\\\":\\\"nobody\\\"" },
        { "an at sign", "@/etc/passwd" },
};

static void play_hostile(struct stage *stage, const void *row)
{
        const struct hostile *const word = row;
        char json[LINE_SIZE], path[PATH_SIZE];
        snprintf(json, sizeof json,
                "{\"family\":\"AF_UNIX\",\"type\":\"SOCK_DGRAM\",\"record\":true,\"label\":\"%s\"}",
                word->text);
        const struct request create = { .method = "POST", .path = "/v1/socketpairs", .json = json };
        const struct reply *const pair = stage_keep(stage, exchange(stage->client, &create));
        expect_status(pair, 201);
        const char *const id = text_at(pair, "sockets.0.id");
        snprintf(path, sizeof path, "/v1/sockets/%s/send", id);
        snprintf(json, sizeof json, "{\"text\":\"%s\"}", word->text);
        const struct request send = { .method = "POST", .path = path, .json = json };
        expect_status(stage_keep(stage, exchange(stage->client, &send)), 200);
        snprintf(path, sizeof path, "/v1/sockets/%s/recv", id);
        snprintf(json, sizeof json, "{\"timeout_ms\":0,\"expect\":[\"EAGAIN\"],\"%s\":1}", word->text);
        expect_status(stage_keep(stage, exchange(stage->client, &send)), 400);
        act(stage, id, "recv", 200, "{'timeout_ms':0,'expect':['EAGAIN']}");
        expect_replayed(stage, id, "sockets.0.id", "");
        snprintf(path, sizeof path, "%s/hacked", stage->daemon->directory);
        assert_null(file_read(path));
}

/* Calls of many sorts on one socket, and what comes of them without a peer. */
static void one_socket(struct stage *stage)
{
        const char *const id = make(stage, "{'type':'SOCK_DGRAM','record':true}");
        act(stage, id, "bind", 200, "{'address':'127.0.0.1:0'}");
        act(stage, id, "setsockopt", 200, "{'level':'SOL_SOCKET','option':'SO_REUSEADDR','value':true}");
        act(stage, id, "getsockopt?level=SOL_SOCKET&option=SO_REUSEADDR", 200, "");
        act(stage, id, "sendto", 200, "{'address':'127.0.0.1:9','data':'AP8nCg=='}");
        act_refused(stage, id, "shutdown", "ENOTCONN", "{'how':'SHUT_RD'}");
        act(stage, id, "recv", 422, "{'timeout_ms':1}");
        get(stage, 200, "/v1/sockets/%s", id);
        expect_replayed(stage, id, "id", "");
}

/* The second of a pair is the script's own, too; what it has sent raw, and in pieces, is sent again. */
static void second_of_pair(struct stage *stage)
{
        uint8_t bytes[300];
        for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = (uint8_t)i;
        const struct reply *const pair =
                post(stage, 201, "/v1/socketpairs", "{'family':'AF_UNIX','type':'SOCK_DGRAM','record':true}");
        const char *const id = text_at(pair, "sockets.1.id");
        act_raw(stage, id, "send", 200, bytes, sizeof bytes);
        act(stage, id, "recv", 422, "{'timeout_ms':0}");
        int status;
        char *const output = replay(stage, id, "", &status);
        assert_int_equal(status, 0);
        char *const again = first_said(output, "sockets.1.id"), *const far =
                                                                        first_said(output, "sockets.0.id");
        expect_data(act(stage, far, "recv", 200, ""), bytes, sizeof bytes);
        const struct reply *const reply = get(stage, 200, "/v1/sockets/%s/transcript", again);
        assert_string_equal(text_at(reply, "calls.1.operation"), "socket_send");
        assert_string_equal(text_at(reply, "calls.2.reply.errno"), "EAGAIN");
        free(again);
        free(far);
        free(output);
}

/* An upload is many pieces, and comes again whole. */
static void uploaded(struct stage *stage)
{
        enum { SIZE = 100000 };
        uint8_t *const bytes = noise(SIZE);
        const struct reply *const pair =
                post(stage, 201, "/v1/socketpairs", "{'family':'AF_UNIX','record_bytes':1048576}");
        const char *const near = text_at(pair, "sockets.0.id"), *const far = text_at(pair, "sockets.1.id");
        struct pending *const sending = later_raw(stage, near, "send", bytes, SIZE, false);
        expect_data(act(stage, far, "recv", 200, "{'until':{'bytes':%d}}", SIZE), bytes, SIZE);
        finish(stage, sending, 200);
        int status;
        char *const output = replay(stage, near, "", &status);
        if (status != 0)
                fail_msg("%d: %s", status, output);
        char *const again = first_said(output, "sockets.1.id");
        expect_data(act(stage, again, "recv", 200, "{'until':{'bytes':%d}}", SIZE), bytes, SIZE);
        free(again);
        free(output);
        free(bytes);
}

/* What was accepted is accepted again, from a listener that the user names. */
static void accepted(struct stage *stage)
{
        char variables[PATH_SIZE];
        const struct reply *const listener =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':true,'record':true}");
        const char *const listening = text_at(listener, "id");
        const int port = (int)number_at(listener, "local.port");
        const char *const client = make(stage, "{'connect':'127.0.0.1:%d'}", port);
        const char *const id = text_at(act(stage, listening, "accept", 201, "{'label':'it\\u0027s'}"), "id");
        act(stage, id, "send", 200, "{'text':'welcome'}");
        act(stage, client, "recv", 200, "");
        make(stage, "{'connect':'127.0.0.1:%d'}", port);
        snprintf(variables, sizeof variables, "SOCKWRIGHT_LISTENER=%s", listening);
        expect_replayed(stage, id, "id", variables);
        int status;
        char *const output = replay(stage, id, "", &status);
        assert_int_not_equal(status, 0);
        assert_non_null(strstr(output, "SOCKWRIGHT_LISTENER"));
        free(output);
}

/* Where the first calls are gone, the user says which socket to go on with. */
static void without_beginning(struct stage *stage)
{
        enum { ROUNDS = 30, TEXT_SIZE = 500 };
        char text[TEXT_SIZE + 1] = "", variables[PATH_SIZE];
        const char *const create = "{'family':'AF_UNIX','type':'SOCK_DGRAM','record_bytes':8192}";
        const struct reply *const pair = post(stage, 201, "/v1/socketpairs", "%s", create);
        const struct reply *const other = post(stage, 201, "/v1/socketpairs", "%s", create);
        const char *const id = text_at(pair, "sockets.0.id");
        memset(text, 'x', TEXT_SIZE);
        for (int i = 0; i < ROUNDS; i++) {
                act(stage, id, "send", 200, "{'text':'%s'}", text);
                act(stage, text_at(pair, "sockets.1.id"), "recv", 200, "");
        }
        snprintf(variables, sizeof variables, "SOCKWRIGHT_SOCKET=%s", text_at(other, "sockets.0.id"));
        int status;
        char *const output = replay(stage, id, variables, &status);
        if (status != 0)
                fail_msg("%d: %s", status, output);
        expect_text(act(stage, text_at(other, "sockets.1.id"), "recv", 200, ""), text);
        free(output);
}

static const struct scenario scenarios[] = {
        { "one socket", one_socket },
        { "the second of a pair", second_of_pair },
        { "uploaded", uploaded },
        { "accepted", accepted },
        { "without its beginning", without_beginning },
};

int main(void)
{
        SUITE_ADD_ROWS(play_hostile, hostile);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("replay", NULL);
}
