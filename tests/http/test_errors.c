/* test_errors.c: requests that are unsound, each a problem that names the parameter and changes no socket;
 * `expect`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/steps.h"

/* Sent to one TCP socket, "{id}" standing for its id. Bodies are sent as they are, with ' for ". */
static const struct unsound {
        const char *name, *method, *path, *json;
        int status;
        const char *parameter; /* NULL: whatever */
} unsounds[] = {
        { "no JSON", "POST", "/v1/sockets", "{'family':", 400, NULL },
        { "JSON with more behind it", "POST", "/v1/sockets", "{} {}", 400, NULL },
        { "JSON that is no object", "POST", "/v1/sockets", "[]", 400, NULL },
        { "JSON that is a string", "POST", "/v1/sockets", "'hello'", 400, NULL },
        { "not UTF-8", "POST", "/v1/sockets", "{'label':'\xff\xfe'}", 400, NULL },
        { "half a surrogate", "POST", "/v1/sockets", "{'label':'\\ud800'}", 400, NULL },
        { "a NUL in a name", "POST", "/v1/sockets", "{'la\\u0000bel':'x'}", 400, NULL },
        { "doubled member", "POST", "/v1/sockets", "{'label':'a','label':'b'}", 400, NULL },
        { "given in both places", "POST", "/v1/sockets?label=a", "{'label':'b'}", 400, "label" },
        { "unknown member", "POST", "/v1/sockets", "{'labell':'a'}", 400, "labell" },
        { "unknown member within", "POST", "/v1/sockets", "{'listen':{'backlock':1}}", 400,
                "listen.backlock" },
        { "unknown parameter", "POST", "/v1/sockets?labell=a", NULL, 400, "labell" },
        { "doubled parameter", "POST", "/v1/sockets?label=a&label=b", NULL, 400, "label" },
        { "number for a text", "POST", "/v1/sockets", "{'label':7}", 400, "label" },
        { "text for a number", "POST", "/v1/sockets/{id}/listen", "{'backlog':'many'}", 400, "backlog" },
        { "real for a number", "POST", "/v1/sockets/{id}/listen", "{'backlog':1.0}", 400, "backlog" },
        { "null for a number", "POST", "/v1/sockets/{id}/listen", "{'backlog':null}", 400, "backlog" },
        { "list for a number", "POST", "/v1/sockets/{id}/listen", "{'backlog':[1]}", 400, "backlog" },
        { "words for a number in the query", "POST", "/v1/sockets/{id}/listen?backlog=1x", NULL, 400,
                "backlog" },
        { "nothing for a number in the query", "POST", "/v1/sockets/{id}/listen?backlog=", NULL, 400,
                "backlog" },
        { "text for a boolean", "POST", "/v1/sockets/{id}/send", "{'text':'a','all':'yes'}", 400, "all" },
        { "family without a name", "POST", "/v1/sockets", "{'family':'AF_INTE'}", 400, "family" },
        { "type of another kind", "POST", "/v1/sockets", "{'type':'AF_INET'}", 400, "type" },
        { "family's type", "POST", "/v1/sockets", "{'family':true}", 400, "family" },
        { "family below an int", "POST", "/v1/sockets", "{'family':-2147483649}", 400, "family" },
        { "flag without a name", "POST", "/v1/sockets/{id}/recv", "{'size':1,'flags':['MSG_PEAK']}", 400,
                NULL },
        { "port 65536", "POST", "/v1/sockets/{id}/bind",
                "{'address':{'family':'AF_INET','host':'127.0.0.1','port':65536}}", 400, "address.port" },
        { "port -1", "POST", "/v1/sockets/{id}/bind",
                "{'address':{'family':'AF_INET','host':'127.0.0.1','port':-1}}", 400, "address.port" },
        { "port 65536 in short", "POST", "/v1/sockets/{id}/bind", "{'address':'127.0.0.1:65536'}", 400,
                "address" },
        { "no address", "POST", "/v1/sockets/{id}/bind", "{}", 400, "address" },
        { "no address at all", "POST", "/v1/sockets/{id}/bind", NULL, 400, "address" },
        { "an address of no form", "POST", "/v1/sockets/{id}/bind", "{'address':'nonsense'}", 400,
                "address" },
        { "an address that is a number", "POST", "/v1/sockets/{id}/bind", "{'address':80}", 400, "address" },
        { "a path of 108 bytes", "POST", "/v1/sockets/{id}/bind",
                "{'address':'unix:/"
                "2345678901234567890123456789012345678901234567890123456789012345678901234567890123456"
                "7890123456789012345678'}",
                400, "address" },
        { "size -1", "POST", "/v1/sockets/{id}/recv", "{'size':-1}", 400, "size" },
        { "size 0 below the least", "POST", "/v1/sockets/{id}/recv?size=-0x1", NULL, 400, "size" },
        { "size 2^63", "POST", "/v1/sockets/{id}/recv", "{'size':9223372036854775808}", 400, NULL },
        { "size 2^63 in the query", "POST", "/v1/sockets/{id}/recv?size=9223372036854775808", NULL, 400,
                "size" },
        { "size of a gigabyte", "POST", "/v1/sockets/{id}/recv?size=1099511627776", NULL, 400, "size" },
        { "timeout_ms -1", "POST", "/v1/sockets/{id}/recv", "{'size':1,'timeout_ms':-1}", 400, "timeout_ms" },
        { "backlog 2^31", "POST", "/v1/sockets/{id}/listen", "{'backlog':2147483648}", 400, "backlog" },
        { "not base64", "POST", "/v1/sockets/{id}/send", "{'data':'a*b='}", 400, "data" },
        { "base64 without its end", "POST", "/v1/sockets/{id}/send", "{'data':'AQI'}", 400, "data" },
        { "base64 with stray bits", "POST", "/v1/sockets/{id}/send", "{'data':'AQJ='}", 400, "data" },
        { "base64 with a blank", "POST", "/v1/sockets/{id}/send", "{'data':'AQ ID'}", 400, "data" },
        { "data and text", "POST", "/v1/sockets/{id}/send", "{'data':'AQID','text':'x'}", 400, NULL },
        { "nothing to send", "POST", "/v1/sockets/{id}/send", "{}", 400, NULL },
        { "until's kinds together", "POST", "/v1/sockets/{id}/recv", "{'until':{'bytes':1,'eof':true}}", 400,
                NULL },
        { "until nothing", "POST", "/v1/sockets/{id}/recv", "{'until':{}}", 400, NULL },
        { "until an empty delimiter", "POST", "/v1/sockets/{id}/recv", "{'until':{'delimiter':''}}", 400,
                NULL },
        { "how is missing", "POST", "/v1/sockets/{id}/shutdown", "{}", 400, "how" },
        { "how is unknown", "POST", "/v1/sockets/{id}/shutdown", "{'how':'SHUT_UP'}", 400, "how" },
        { "expects what is no errno", "POST", "/v1/sockets/{id}/listen", "{'expect':['ENOSUCH']}", 400,
                NULL },
        { "expect is no list", "POST", "/v1/sockets/{id}/listen", "{'expect':true}", 400, "expect" },
        { "a cursor of no page", "GET", "/v1/sockets?cursor=nonsense", NULL, 400, "cursor" },
        { "limit 0", "GET", "/v1/sockets?limit=0", NULL, 400, "limit" },
        { "a state of none", "GET", "/v1/sockets?state=sleeping", NULL, 400, "state" },
        { "reset is a boolean", "DELETE", "/v1/sockets/{id}?reset=maybe", NULL, 400, "reset" },
        { "a NUL in a text", "GET", "/v1/inet_aton?address=127.0.0.1%00x", NULL, 400, NULL },
        { "a broken escape", "GET", "/v1/sockets?label=%zz", NULL, 400, NULL },
        { "a NUL in a path", "GET", "/v1/sockets/%00", NULL, 400, NULL },
        { "unknown id", "GET", "/v1/sockets/none-1", NULL, 404, NULL },
        { "an id of odd bytes", "GET", "/v1/sockets/%ff%2e%2e", NULL, 404, NULL },
        { "unknown path", "GET", "/v1/sock", NULL, 404, NULL },
        { "unknown action", "POST", "/v1/sockets/{id}/sendall", NULL, 404, NULL },
        { "path with an end too many", "GET", "/v1/sockets/{id}/options/", NULL, 404, NULL },
        { "dots in a path", "GET", "/v1/../v1/sockets", NULL, 404, NULL },
        { "wrong method", "PUT", "/v1/sockets", NULL, 405, NULL },
        { "wrong method of an action", "GET", "/v1/sockets/{id}/recv", NULL, 405, NULL },
        { "a method of no one", "BREW", "/v1/sockets", NULL, 405, NULL },
};

static char *with_id(const char *path, const char *id)
{
        char *out = NULL;
        const char *const mark = strstr(path, "{id}");
        const int before = mark ? (int)(mark - path) : (int)strlen(path);
        assert_true(asprintf(&out, "%.*s%s%s", before, path, mark ? id : "", mark ? mark + 4 : "") > 0);
        return out;
}

static char *snapshot(struct stage *stage, const char *id)
{
        json_t *const socket = json_deep_copy(get(stage, 200, "/v1/sockets/%s", id)->json);
        json_object_del(socket, "duration_us");
        char *const text = json_dumps(socket, JSON_SORT_KEYS);
        json_decref(socket);
        return text;
}

static void play_unsound(struct stage *stage, const void *row)
{
        const struct unsound *const unsound = row;
        const char *const id = make(stage, "{'label':'untouched'}");
        char *const before = snapshot(stage, id), *const path = with_id(unsound->path, id);
        char *const json = unsound->json ? requote(unsound->json) : NULL;
        const struct request request = { .method = unsound->method, .path = path, .json = json };
        const struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
        expect_problem(reply, unsound->status, unsound->parameter);
        if (unsound->status == 405)
                assert_non_null(reply_header(reply, "allow"));
        char *const after = snapshot(stage, id);
        assert_string_equal(after, before);
        assert_int_equal(count_sockets(stage), 1);
        free(json);
        free(path);
        free(after);
        free(before);
}

/* A mistyped name is met with the one that was meant. */
static const struct suggestion {
        const char *name, *json, *meant;
} suggestions[] = {
        { "a member", "{'famly':'AF_INET'}", "family" },
        { "a family", "{'family':'AF_INTE'}", "AF_INET" },
        { "a type", "{'type':'SOCK_STEAM'}", "SOCK_STREAM" },
        { "an option", "{'options':[{'level':'SOL_SOCKET','option':'SO_REUSEADR','value':true}]}",
                "SO_REUSEADDR" },
};

static void play_suggestion(struct stage *stage, const void *row)
{
        const struct suggestion *const suggestion = row;
        const struct reply *const reply = post(stage, 400, "/v1/sockets", "%s", suggestion->json);
        if (!strstr(text_at(reply, "detail"), suggestion->meant))
                fail_msg("%s does not say %s", reply->body, suggestion->meant);
}

static void nested_too_deep(struct stage *stage)
{
        enum { DEPTH = 100000 };
        char *const json = calloc(1, (size_t)2 * DEPTH + 1);
        assert_non_null(json);
        memset(json, '[', DEPTH);
        memset(json + DEPTH, ']', DEPTH);
        expect_problem(post(stage, 400, "/v1/sockets", "%s", json), 400, NULL);
        free(json);
        char some[201] = "";
        memset(some, '[', 100);
        memset(some + 100, ']', 100);
        expect_problem(post(stage, 400, "/v1/sockets", "{'options':%s}", some), 400, NULL);
}

/* The thread sanitizer multiplies what a program takes. */
#ifdef __SANITIZE_THREAD__
enum { BOMB_LIMIT_KIB = 1024 * 1024 };
#else
enum { BOMB_LIMIT_KIB = 200 * 1024 };
#endif

/* A JSON body that would take a hundred times its size in memory. */
static void json_bomb(struct stage *stage)
{
        enum { SIZE = 900000 };
        char *const json = malloc(SIZE + 32);
        assert_non_null(json);
        const long memory = daemon_memory(stage->daemon);
        size_t size = (size_t)sprintf(json, "{'options':[");
        while (size < SIZE)
                size += (size_t)sprintf(json + size, "{},");
        sprintf(json + size, "{}]}");
        char *const quoted = requote(json);
        const struct request request = { .method = "POST", .path = "/v1/sockets", .json = quoted };
        const struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
        if (reply->status != 413)
                expect_problem(reply, 400, NULL);
        assert_true(daemon_memory(stage->daemon) < memory + BOMB_LIMIT_KIB);
        free(quoted);
        free(json);
}

static void wrong_media(struct stage *stage)
{
        static const char *const types[] = { "text/plain", "application/x-www-form-urlencoded",
                "application/xml", "multipart/form-data; boundary=x", "application/jsonx" };
        for (size_t i = 0; i < COUNT(types); i++) {
                const struct request request = {
                        .method = "POST", .path = "/v1/sockets", .json = "{}", .type = types[i]
                };
                expect_problem(stage_keep(stage, exchange(stage->client, &request)), 415, NULL);
        }
        assert_int_equal(count_sockets(stage), 0);
        static const char *const good[] = { "application/json; charset=utf-8", "Application/JSON",
                "application/json;charset=UTF-8" };
        for (size_t i = 0; i < COUNT(good); i++) {
                const struct request request = {
                        .method = "POST", .path = "/v1/sockets", .json = "{}", .type = good[i]
                };
                expect_status(stage_keep(stage, exchange(stage->client, &request)), 201);
        }
        const struct request raw = { .method = "POST", .path = "/v1/sockets", .raw = "x", .raw_size = 1 };
        expect_problem(stage_keep(stage, exchange(stage->client, &raw)), 415, NULL);
}

/* `expect`: the errnos named are a 200, anything else is a 422. */
static void expected(struct stage *stage)
{
        const char *const id = make(stage, "");
        const struct reply *reply = act(
                stage, id, "connect", 200, "{'address':'127.0.0.1:1','expect':['ECONNREFUSED','ETIMEDOUT']}");
        assert_string_equal(text_at(reply, "errno"), "ECONNREFUSED");
        assert_string_equal(text_at(reply, "call"), "connect");
        assert_false(flag_at(reply, "timed_out"));
        reply = act(stage, id, "connect", 422, "{'address':'127.0.0.1:1','expect':['ETIMEDOUT']}");
        expect_problem(reply, 422, NULL);
        assert_string_equal(text_at(reply, "errno"), "ECONNREFUSED");
        reply = act(stage, id, "bind?expect=EADDRINUSE", 422, "{'address':'127.0.0.1:0'}");
        expect_problem(reply, 422, NULL);
        assert_null(json_at(reply->json, "errno"));
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        reply = act(stage, pair.near, "recv?size=1&timeout_ms=0&expect=EAGAIN", 200, "");
        assert_true(flag_at(reply, "timed_out"));
}

/* The outcome of a raw reply is known before it begins, when one is expected. */
static void expected_of_raw(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        act(stage, pair.near, "send", 200, "{'text':'a clean end'}");
        act(stage, pair.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        const struct reply *const reply =
                act_for_raw(stage, pair.far, "recv?until=eof&expect=ECONNRESET", 422);
        expect_problem(reply, 422, NULL);
        assert_non_null(strstr(text_at(reply, "type"), "unexpected-outcome"));
        assert_true(flag_at(reply, "outcome.eof"));
        assert_string_equal(text_at(reply, "outcome.data"), "YSBjbGVhbiBlbmQ=");
}

/* What was made against all expectation is closed again. */
static void unexpected_success(struct stage *stage)
{
        expect_problem(post(stage, 422, "/v1/sockets", "{'expect':['EACCES']}"), 422, NULL);
        assert_int_equal(count_sockets(stage), 0);
        post(stage, 200, "/v1/sockets", "{'connect':'127.0.0.1:1','expect':['ECONNREFUSED']}");
        assert_int_equal(count_sockets(stage), 0);
}

static const struct scenario scenarios[] = {
        { "nested too deep", nested_too_deep },
        { "a JSON bomb", json_bomb },
        { "wrong media types", wrong_media },
        { "expected errnos", expected },
        { "an expected errno of a raw reply", expected_of_raw },
        { "unexpected success leaves nothing", unexpected_success },
};

int main(void)
{
        SUITE_ADD_ROWS(play_unsound, unsounds);
        SUITE_ADD_ROWS(play_suggestion, suggestions);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("errors", NULL);
}
