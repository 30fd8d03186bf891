/* test_keys_owners.c: whose an Idempotency-Key is: names do not meet, and what they may not do is not kept.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/keyed.h"
#include "tests/http/tokens.h"

#define CI "ci-0123456789abcdef"
#define LAB "lab-0123456789abcdef"
#define EYE "eye-0123456789abcdef"

/* One exchange over TCP with a token and a key. */
static struct reply *as(
        struct stage *stage, const char *token, const char *key, const char *path, const char *json)
{
        char authorization[128], header[128];
        char *const body = requote(json);
        snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", token);
        snprintf(header, sizeof header, "Idempotency-Key: %s", key);
        const struct request request = { .method = "POST",
                .path = path,
                .json = body,
                .no_token = true,
                .headers = { authorization, header } };
        struct reply *const reply = stage_keep(stage, exchange(stage->over_tcp, &request));
        free(body);
        return reply;
}

static void names_do_not_meet(struct stage *stage)
{
        const char *const tokens[] = { CI, LAB, stage->daemon->token };
        const struct reply *first[COUNT(tokens)];
        for (size_t i = 0; i < COUNT(tokens); i++) {
                first[i] = as(stage, tokens[i], "met", "/v1/sockets", "{}");
                expect_status(first[i], 201);
                assert_false(is_replayed(first[i]));
        }
        for (size_t i = 0; i < COUNT(tokens); i++) {
                const struct reply *const again = as(stage, tokens[i], "met", "/v1/sockets", "{}");
                expect_status(again, 201);
                assert_true(is_replayed(again));
                assert_string_equal(again->body, first[i]->body);
        }
        expect_problem(as(stage, LAB, "met", "/v1/sockets", "{ }"), 422, "Idempotency-Key");
        assert_int_equal(count_sockets(stage), COUNT(tokens));
}

/* It is the same name by its token, and on the unix socket. */
static void one_name_by_two_ways(struct stage *stage)
{
        static const struct request request = {
                .method = "POST", .path = "/v1/sockets", .json = "{}", .headers = { "Idempotency-Key: ways" }
        };
        const struct reply *const first = as(stage, stage->daemon->token, "ways", "/v1/sockets", "{}");
        const struct reply *const again = stage_keep(stage, exchange(stage->over_unix, &request));
        assert_true(is_replayed(again));
        assert_string_equal(again->body, first->body);
}

/* Who may not do it, or is not known, has no outcome. */
static void not_let_in(struct stage *stage)
{
        for (int i = 0; i < 2; i++) {
                const struct reply *const watching = as(stage, EYE, "in", "/v1/sockets", "{}");
                expect_problem(watching, 403, NULL);
                assert_false(is_replayed(watching));
                const struct reply *const unknown =
                        as(stage, "who-0123456789abcdef", "in", "/v1/sockets", "{}");
                expect_problem(unknown, 401, NULL);
                assert_false(is_replayed(unknown));
        }
        const char *const explain = "{'operation':'connect','address':'127.0.0.2:1'}";
        expect_status(as(stage, EYE, "in", "/v1/policy/explain", explain), 200);
        assert_true(is_replayed(as(stage, EYE, "in", "/v1/policy/explain", explain)));
}

/* A quota that is met is no outcome; the call is made when there is room. */
static void over_quota(struct stage *stage)
{
        const struct reply *const full = as(stage, CI, "fill", "/v1/socketpairs", "{}");
        expect_status(full, 201);
        for (int i = 0; i < 2; i++) {
                const struct reply *const refused = as(stage, CI, "quota", "/v1/sockets", "{}");
                expect_problem(refused, 429, NULL);
                assert_false(is_replayed(refused));
        }
        assert_true(is_replayed(as(stage, CI, "fill", "/v1/socketpairs", "{}")));
        drop(stage, 204, "/v1/sockets/%s", text_at(full, "sockets.0.id"));
        const struct reply *const made = as(stage, CI, "quota", "/v1/sockets", "{}");
        expect_status(made, 201);
        assert_false(is_replayed(made));
}

/* What was not done again is told from what was. */
static void what_is_noted(struct stage *stage)
{
        as(stage, LAB, "noted", "/v1/sockets", "{}");
        assert_true(is_replayed(as(stage, LAB, "noted", "/v1/sockets", "{}")));
        const int64_t deadline = milliseconds() + 10000;
        int lines = 0, replayed = 0;
        while (lines < 2 || replayed < 1) {
                char *const log = daemon_log(stage->daemon);
                lines = replayed = 0;
                for (const char *at = log; (at = strstr(at, "\"who\":\"lab\"")) != NULL; at++) {
                        const char *const mark = strstr(at, "\"replayed\":\"true\"");
                        lines++;
                        replayed += mark && mark < at + strcspn(at, "\n");
                }
                free(log);
                if (milliseconds() > deadline)
                        fail_msg("%d lines, %d of them of replays", lines, replayed);
        }
        assert_true(replayed < lines);
}

static const struct scenario scenarios[] = {
        { "names do not meet", names_do_not_meet },
        { "one name by two ways", one_name_by_two_ways },
        { "not let in", not_let_in },
        { "over quota", over_quota },
        { "what is noted", what_is_noted },
};

int main(void)
{
        static const struct named_token names[] = { { "ci", CI, "operate" }, { "lab", LAB, "operate" },
                { "eye", EYE, "watch" } };
        char path[] = "/tmp/sockwright-owners.XXXXXX";
        const char *const arguments[] = { "--tokens", path, "--audit", "--token-max-sockets", "2", NULL };
        const int fd = mkstemp(path);
        if (fd < 0)
                return 1;
        close(fd);
        tokens_file_write(path, names, COUNT(names), "");
        SUITE_ADD_SCENARIOS(scenarios);
        const int failed = suite_run("owners of keys", arguments);
        unlink(path);
        return failed;
}
