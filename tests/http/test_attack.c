/* test_attack.c: attacks by whole requests, a row each, and how each fails. Those by the bytes of one are
 * in test_smuggling.c, those by slowness and number in test_late.c, those by a browser in test_browser.c. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/http/steps.h"
#include "tests/http/wire.h"

/* Whole requests that look for a way in, over TCP with no token but what the row shows. {id} is a socket of
 * the owner's, {prefix} what its id begins with. */
static const struct intrusion {
        const char *name, *method, *path;
        const char *headers[3];
        const char *json;
        int status;
} intrusions[] = {
        { "no token", "GET", "/v1/sockets", { NULL }, NULL, 401 },
        { "a wrong token", "GET", "/v1/sockets", { "Authorization: Bearer 0123456789abcdef" }, NULL, 401 },
        { "a token cut short", "GET", "/v1/sockets", { "Authorization: Bearer {cut}" }, NULL, 401 },
        { "a token of the first half", "GET", "/v1/sockets", { "Authorization: Bearer {half}" }, NULL, 401 },
        { "a token and more", "GET", "/v1/sockets", { "Authorization: Bearer {token}0" }, NULL, 401 },
        { "two tokens in one", "GET", "/v1/sockets", { "Authorization: Bearer {token}, Bearer {token}" },
                NULL, 401 },
        { "a token in the query", "GET", "/v1/sockets?token={token}", { NULL }, NULL, 401 },
        { "a token in a cookie", "GET", "/v1/sockets", { "Cookie: token={token}" }, NULL, 401 },
        { "another scheme", "GET", "/v1/sockets", { "Authorization: Basic {token}" }, NULL, 401 },
        { "a proxy's word", "GET", "/v1/sockets", { "X-Forwarded-For: 127.0.0.1", "X-Remote-User: owner" },
                NULL, 401 },
        { "another path by header", "GET", "/healthz",
                { "X-Original-URL: /v1/sockets", "X-Rewrite-URL: /v1/sockets" }, NULL, 200 },
        { "another method by header", "GET", "/v1/sockets/{id}",
                { "Authorization: Bearer {token}", "X-HTTP-Method-Override: DELETE" }, NULL, 200 },
        { "a rebound name", "GET", "/v1/sockets", { "Host: evil.example", "Authorization: Bearer {token}" },
                NULL, 403 },
        { "a page of another site", "POST", "/v1/sockets",
                { "Origin: https://evil.example", "Authorization: Bearer {token}" }, "{}", 403 },
        { "a page without an origin", "POST", "/v1/sockets",
                { "Origin: null", "Authorization: Bearer {token}" }, "{}", 403 },
        { "up and out", "GET", "/v1/../etc/passwd", { "Authorization: Bearer {token}" }, NULL, 404 },
        { "up and out, far", "GET", "/../../../../etc/passwd", { "Authorization: Bearer {token}" }, NULL,
                404 },
        { "up and out, escaped", "GET", "/v1/%2e%2e/etc/passwd", { "Authorization: Bearer {token}" }, NULL,
                404 },
        { "up and out, slashes escaped", "GET", "/v1/sockets/..%2f..%2fetc%2fpasswd",
                { "Authorization: Bearer {token}" }, NULL, 404 },
        { "up and out, escaped twice", "GET", "/v1/%252e%252e/etc/passwd",
                { "Authorization: Bearer {token}" }, NULL, 404 },
        { "up and out, overlong", "GET", "/v1/%c0%ae%c0%ae/etc/passwd", { "Authorization: Bearer {token}" },
                NULL, 404 },
        { "up and out, by backslash", "GET", "/v1\\..\\etc\\passwd", { "Authorization: Bearer {token}" },
                NULL, 404 },
        { "round the token by two slashes", "GET", "//v1/sockets", { NULL }, NULL, 404 },
        { "round the token by a dot", "GET", "/./v1/sockets", { NULL }, NULL, 404 },
        { "round the token by capitals", "GET", "/V1/sockets", { NULL }, NULL, 404 },
        { "round the token by an escape", "GET", "/%76%31/sockets", { NULL }, NULL, 401 },
        { "round the token by a public path", "GET", "/healthz/../v1/sockets", { NULL }, NULL, 404 },
        { "round the token by a parameter", "GET", "/healthz;/v1/sockets", { NULL }, NULL, 404 },
        { "TRACE", "TRACE", "/healthz", { "X: secret" }, NULL, 405 },
        { "a guessed id", "DELETE", "/v1/sockets/1", { "Authorization: Bearer {token}" }, NULL, 404 },
        { "id 0", "DELETE", "/v1/sockets/{prefix}0", { "Authorization: Bearer {token}" }, NULL, 404 },
        { "id -1", "DELETE", "/v1/sockets/{prefix}-1", { "Authorization: Bearer {token}" }, NULL, 404 },
        { "id +1", "DELETE", "/v1/sockets/{prefix}%2b1", { "Authorization: Bearer {token}" }, NULL, 404 },
        { "an id with a leading zero", "DELETE", "/v1/sockets/{prefix}01",
                { "Authorization: Bearer {token}" }, NULL, 404 },
        { "an id with a blank", "DELETE", "/v1/sockets/{id}%20", { "Authorization: Bearer {token}" }, NULL,
                404 },
        { "an id with a line's end", "DELETE", "/v1/sockets/{id}%0a", { "Authorization: Bearer {token}" },
                NULL, 404 },
        { "an id with more", "DELETE", "/v1/sockets/{id}x", { "Authorization: Bearer {token}" }, NULL, 404 },
        { "an id of 2^64", "DELETE", "/v1/sockets/{prefix}18446744073709551617",
                { "Authorization: Bearer {token}" }, NULL, 404 },
        { "an id of many digits", "DELETE",
                "/v1/sockets/{prefix}99999999999999999999999999999999999999999999999999999999999999999999",
                { "Authorization: Bearer {token}" }, NULL, 404 },
        { "an id of another start", "DELETE", "/v1/sockets/0000000-1", { "Authorization: Bearer {token}" },
                NULL, 404 },
        { "an id without a start", "DELETE", "/v1/sockets/-1", { "Authorization: Bearer {token}" }, NULL,
                404 },
        { "a descriptor", "DELETE", "/v1/sockets/5", { "Authorization: Bearer {token}" }, NULL, 404 },
        { "no id", "DELETE", "/v1/sockets/", { "Authorization: Bearer {token}" }, NULL, 404 },
};

/* Its placeholders filled in, to be freed. */
static char *fill_in(const struct stage *stage, const char *id, const char *text)
{
        const char *const token = stage->daemon->token, *const dash = strchr(id, '-');
        const struct {
                const char *mark, *text;
                size_t size;
        } marks[] = {
                { "{token}", token, strlen(token) },
                { "{cut}", token, strlen(token) - 1 },
                { "{half}", token, strlen(token) / 2 },
                { "{id}", id, strlen(id) },
                { "{prefix}", id, (size_t)(dash - id) + 1 },
        };
        char *out = NULL;
        size_t size = 0;
        FILE *const stream = open_memstream(&out, &size);
        assert_non_null(stream);
        while (*text) {
                size_t at = 0;
                while (at < COUNT(marks) && strncmp(text, marks[at].mark, strlen(marks[at].mark)) != 0)
                        at++;
                if (at == COUNT(marks)) {
                        fputc(*text++, stream);
                } else {
                        fwrite(marks[at].text, 1, marks[at].size, stream);
                        text += strlen(marks[at].mark);
                }
        }
        fclose(stream);
        return out;
}

static void play_intrusion(struct stage *stage, const void *row)
{
        const struct intrusion *const intrusion = row;
        const char *const id = make(stage, "{'label':'untouched'}");
        char *const path = fill_in(stage, id, intrusion->path), *lines[COUNT(intrusion->headers)] = { NULL };
        struct request request = {
                .method = intrusion->method, .path = path, .json = intrusion->json, .no_token = true
        };
        for (size_t i = 0; i < COUNT(lines) && intrusion->headers[i]; i++)
                request.headers[i] = lines[i] = fill_in(stage, id, intrusion->headers[i]);
        client_set_quiet(stage->over_tcp, true);
        const struct reply *const reply = stage_keep(stage, exchange(stage->over_tcp, &request));
        client_set_quiet(stage->over_tcp, false);
        expect_status(reply, intrusion->status);
        if (strstr(reply->body, "root:") || strstr(reply->body, "secret"))
                fail_msg("%s", reply->body);
        assert_string_equal(text_at(get(stage, 200, "/v1/sockets/%s", id), "label"), "untouched");
        assert_int_equal(count_sockets(stage), 1);
        for (size_t i = 0; i < COUNT(lines); i++)
                free(lines[i]);
        free(path);
}

/* What a page may send without asking first: bodies of these types, or of none. */
static const struct form {
        const char *name, *type;
} forms[] = {
        { "a form, as text", "text/plain" },
        { "a form, encoded", "application/x-www-form-urlencoded" },
        { "a form, in parts", "multipart/form-data; boundary=x" },
        { "a body of no type", "" },
};

static void play_form(struct stage *stage, const void *row)
{
        const struct form *const form = row;
        const struct request request = {
                .method = "POST", .path = "/v1/sockets", .json = "{}", .type = form->type
        };
        expect_problem(stage_keep(stage, exchange(stage->client, &request)), 415, "Content-Type");
        assert_int_equal(count_sockets(stage), 0);
}

/* Lengths that do not fit the option, or anything. The kernel may say no; nothing else happens. */
static const struct length {
        const char *name, *action, *json;
        int status;
} lengths[] = {
        { "set: 0 bytes", "setsockopt", "{'level':1,'option':9,'raw':''}", 422 },
        { "set: 1 byte", "setsockopt", "{'level':1,'option':9,'raw':'AA=='}", 422 },
        { "set: SO_LINGER, 4 bytes of 8", "setsockopt", "{'level':1,'option':13,'raw':'AAAAAA=='}", 422 },
        { "set: an option without a length", "setsockopt", "{'level':1,'option':9}", 400 },
        { "get: 0 bytes", "getsockopt", "{'level':1,'option':9,'size':0}", 200 },
        { "get: 1 byte", "getsockopt", "{'level':1,'option':9,'size':1}", 200 },
        { "get: -1 bytes", "getsockopt", "{'level':1,'option':9,'size':-1}", 400 },
        { "get: -2^31 bytes", "getsockopt", "{'level':1,'option':9,'size':-2147483648}", 400 },
        { "get: 2^31 bytes", "getsockopt", "{'level':1,'option':9,'size':2147483648}", 400 },
        { "get: 2^32 + 4 bytes", "getsockopt", "{'level':1,'option':9,'size':4294967300}", 400 },
        { "get: 2^63 bytes", "getsockopt", "{'level':1,'option':9,'size':9223372036854775808}", 400 },
        { "get: bytes that are no number", "getsockopt", "{'level':1,'option':9,'size':'4'}", 400 },
        { "receive: -1 bytes", "recv", "{'size':-1}", 400 },
        { "receive: 2^63 - 1 bytes", "recv", "{'size':9223372036854775807}", 400 },
};

static void play_length(struct stage *stage, const void *row)
{
        const struct length *const length = row;
        const char *const id = make(stage, "{}");
        const struct reply *const reply = act(stage, id, length->action, length->status, "%s", length->json);
        if (length->status == 400)
                expect_problem(reply, 400, NULL);
        get(stage, 200, "/v1/sockets/%s", id);
}

/* A value of an option is at most as long as the daemon says; the kernel sees no more. */
static void huge_option(struct stage *stage)
{
        enum { SIZE = 1 << 20 };
        const char *const id = make(stage, "{}");
        char *const bytes = calloc(1, SIZE);
        assert_non_null(bytes);
        char *const text = base64_encode(bytes, SIZE);
        char *json = NULL;
        assert_true(asprintf(&json, "{\"level\":1,\"option\":9,\"raw\":\"%s\"}", text) > 0);
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/setsockopt", id);
        const struct request request = { .method = "POST", .path = path, .json = json };
        const int status = stage_keep(stage, exchange(stage->client, &request))->status;
        if (status != 400 && status != 413 && status != 422)
                fail_msg("%d", status);
        get(stage, 200, "/v1/sockets/%s", id);
        free(json);
        free(text);
        free(bytes);
}

static void ten_thousand_deep(struct stage *stage)
{
        enum { DEPTH = 10000 };
        static const char *const levels[] = { "[", "{\"options\":", "[{\"a\":" };
        for (size_t i = 0; i < COUNT(levels); i++) {
                const size_t size = strlen(levels[i]);
                char *const json = malloc(size * DEPTH + 1);
                assert_non_null(json);
                for (size_t level = 0; level < DEPTH; level++)
                        memcpy(json + level * size, levels[i], size);
                json[size * DEPTH] = '\0';
                const struct request request = { .method = "POST", .path = "/v1/sockets", .json = json };
                expect_problem(stage_keep(stage, exchange(stage->client, &request)), 400, NULL);
                free(json);
        }
        assert_int_equal(count_sockets(stage), 0);
}

/* As many sockets as there may be: one more is refused, the others work, and one that goes makes room. */
static void sockets_run_out(struct stage *stage)
{
        struct stage own;
        stage_open(&own, (const char *const[]){ "--max-sockets", "40", NULL });
        const char *last = NULL;
        for (int i = 0; i < 40; i++)
                last = make(&own, "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        for (int i = 0; i < 5; i++)
                expect_problem(post(&own, 429, "/v1/sockets", "{}"), 429, NULL);
        post(&own, 429, "/v1/socketpairs", "{'family':'AF_UNIX','type':'SOCK_STREAM'}");
        const int port = (int)number_at(get(&own, 200, "/v1/sockets/%s", last), "local.port");
        act(&own, last, "sendto", 200, "{'address':'127.0.0.1:%d','text':'still'}", port);
        expect_text(act(&own, last, "recv", 200, "{'size':9}"), "still");
        get(&own, 200, "/healthz");
        drop(&own, 204, "/v1/sockets/%s", last);
        make(&own, "{}");
        post(&own, 429, "/v1/sockets", "{}");
        daemon_stop(own.daemon);
        stage_close(&own, stage);
}

/* Lines that look like the daemon's own, and what terminals obey. */
static void log_injection(struct stage *stage)
{
        static const char *const paths[] = { "/v1/sockets/%0aerror:%20forged", "/v1/%0d%0aerror:%20forged",
                "/v1/%1b%5b2J%1b]0;owned%07", "/v1/sockets?label=%0aerror:%20forged", "/v1/%e2%80%ae",
                "/v1/%c2%9b31m", "/v1/%%0aerror:", "/v1/%25n%25s%25n" };
        client_set_quiet(stage->over_tcp, true);
        for (size_t i = 0; i < COUNT(paths); i++) {
                const struct request request = { .method = i % 2 ? "GET" : "POST", .path = paths[i] };
                stage_keep(stage, exchange(stage->over_tcp, &request));
                const struct request nobody = { .method = "GET",
                        .path = paths[i],
                        .no_token = true,
                        .headers = { "Authorization: Bearer \x1b[31m" } };
                stage_keep(stage, exchange(stage->over_tcp, &nobody));
        }
        client_set_quiet(stage->over_tcp, false);
        make(stage, "{'label':'\\nerror: forged \\u001b[31m'}");
        post(stage, 400, "/v1/sockets", "{'\\nerror: forged \\u001b[31m':1}");
        char *const log = daemon_log(stage->daemon);
        bool starts = true;
        for (const char *byte = log; *byte; byte++) {
                const bool plain = *byte == '\n' || (*byte >= ' ' && *byte <= '~');
                if (!plain || (starts && !islower((unsigned char)*byte)) ||
                        (starts && strncmp(byte, "error: ", 7) == 0))
                        fail_msg("%.200s", byte);
                starts = *byte == '\n';
        }
        assert_non_null(strstr(log, "\\x0aerror: forged"));
        assert_null(strstr(log, stage->daemon->token));
        free(log);
}

static int64_t clock_ns(void)
{
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* How long the daemon takes to refuse a token. */
static int64_t time_refusal(int fd, const char *token)
{
        struct wire_reply reply;
        const int64_t start = clock_ns();
        wire_write(
                fd, "GET /v1/sockets HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", token);
        wire_read(fd, &reply);
        assert_int_equal(reply.status, 401);
        return clock_ns() - start;
}

enum { TIMING_TURNS = 600 };

/* How likely one of `late` is the longer of two, one of each. */
static double share_of_longer(const int64_t *late, const int64_t *early)
{
        double longer = 0;
        for (int i = 0; i < TIMING_TURNS; i++)
                for (int j = 0; j < TIMING_TURNS; j++)
                        longer += late[i] > early[j] ? 1 : 0;
        return longer / TIMING_TURNS / TIMING_TURNS;
}

/* The daemon's token with another digit there, to be freed. */
static char *token_but(const struct stage *stage, size_t place)
{
        char *const token = strdup(stage->daemon->token);
        assert_non_null(token);
        token[place] = token[place] == '0' ? '1' : '0';
        return token;
}

/* A token that is wrong in its last digit is refused as fast as one that is wrong in its first: of two
 * refusals, one of each, either is as likely the slower. Asked in turns and in random order, so that the
 * machine's moods hit both alike; by chance, the share is off by 0.1 once in a million runs. */
static void timing_of_tokens(struct stage *stage)
{
        static int64_t took_ns[2][TIMING_TURNS];
        char *const tokens[] = { token_but(stage, 0), token_but(stage, strlen(stage->daemon->token) - 1) };
        const int fd = wire_open(stage->daemon, OVER_TCP);
        for (int i = 0; i < TIMING_TURNS; i++) {
                const long first = random() % 2;
                took_ns[first][i] = time_refusal(fd, tokens[first]);
                took_ns[!first][i] = time_refusal(fd, tokens[!first]);
        }
        close(fd);
        const double share = share_of_longer(took_ns[1], took_ns[0]);
        print_message("the last digit's refusal is the slower one in %.3f of the pairs\n", share);
        assert_true(share > 0.4 && share < 0.6);
        free(tokens[0]);
        free(tokens[1]);
}

static const struct scenario scenarios[] = {
        { "timing of tokens", timing_of_tokens },
        { "an option of 1 MB", huge_option },
        { "JSON 10,000 deep", ten_thousand_deep },
        { "sockets run out", sockets_run_out },
        { "log injection", log_injection },
};

int main(void)
{
        static const char *const arguments[] = { "--log-level", "info", "--audit", NULL };
        SUITE_ADD_ROWS(play_intrusion, intrusions);
        SUITE_ADD_ROWS(play_form, forms);
        SUITE_ADD_ROWS(play_length, lengths);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("attack", arguments);
}
