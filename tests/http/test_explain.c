/* test_explain.c: what the policy would make of a call, as it says when asked. */
#include <stdio.h>
#include <string.h>

#include "tests/http/policy.h"

/* Whether it is allowed, by which rule, and of what. */
static const struct question {
        const char *name, *json;
        bool allowed;
        const char *rule, *judged;
} questions[] = {
        { "connect", "{'operation':'connect','address':'127.0.0.1:80'}", true, "loop", "127.0.0.1:80" },
        { "connect, mapped", "{'operation':'connect','address':'[::ffff:127.0.0.1]:80'}", true, "loop",
                "127.0.0.1:80" },
        { "connect to a name", "{'operation':'connect','address':'localhost:80','family':'AF_INET'}", true,
                "loop", "127.0.0.1:80" },
        { "send elsewhere", "{'operation':'send','address':'10.0.0.1:80','type':'SOCK_DGRAM'}", false,
                "default", "10.0.0.1:80" },
        { "bind", "{'operation':'bind','address':'0.0.0.0:0'}", false, "default", "0.0.0.0:0" },
        { "bind a path", "{'operation':'bind','address':'unix:{}/lab/x/../../y'}", false, "default", NULL },
        { "accept", "{'operation':'accept','address':'127.0.0.1:1'}", true, "peers", "127.0.0.1:1" },
        { "join", "{'operation':'join','address':'239.1.0.9:0'}", true, "groups", "239.1.0.9:0" },
        { "a raw socket", "{'operation':'socket','type':'SOCK_RAW'}", false, "default", NULL },
        { "a socket", "{'operation':'socket'}", true, "default", NULL },
        { "a device", "{'operation':'device','device':'lo'}", true, "lo", NULL },
        { "a namespace", "{'operation':'netns','netns':'lab'}", false, "default", NULL },
        { "an option", "{'operation':'option','option':'SO_KEEPALIVE'}", false, "no keepalive", NULL },
        { "an option by number", "{'operation':'option','option':'1:36'}", false, "default", NULL },
        { "another token", "{'operation':'connect','address':'127.0.0.2:1','token':'ci'}", true, "ci",
                "127.0.0.2:1" },
        { "another policy", "{'operation':'connect','address':'127.0.0.3:1','policy':'lab'}", true, "lab",
                "127.0.0.3:1" },
        { "metadata", "{'operation':'connect','address':'169.254.169.254:80'}", false, "metadata",
                "169.254.169.254:80" },
};

static void play_question(struct stage *stage, const void *row)
{
        const struct question *const question = row;
        char json[TEXT_SIZE];
        folder_name(question->json, json);
        const struct reply *const reply = post(stage, 200, "/v1/policy/explain", "%s", json);
        assert_int_equal(flag_at(reply, "allowed"), question->allowed);
        assert_false(flag_at(reply, "reported"));
        assert_string_equal(text_at(reply, "rule"), question->rule);
        if (question->judged)
                assert_string_equal(text_at(reply, "judged"), question->judged);
}

static const struct bad_question {
        const char *name, *json;
        int status;
        const char *parameter;
} bad_questions[] = {
        { "no operation", "{}", 400, "operation" },
        { "an unknown operation", "{'operation':'sendto'}", 400, "operation" },
        { "no address", "{'operation':'connect'}", 400, "address" },
        { "no device", "{'operation':'device'}", 400, "device" },
        { "no namespace", "{'operation':'netns'}", 400, "netns" },
        { "a namespace that is none", "{'operation':'netns','netns':'a/b'}", 400, "netns" },
        { "no option", "{'operation':'option'}", 400, "option" },
        { "a group as an option", "{'operation':'option','option':'IP_ADD_MEMBERSHIP'}", 400, "option" },
        { "a name that is none", "{'operation':'connect','address':'nowhere.invalid:80'}", 422, NULL },
};

static void play_bad_question(struct stage *stage, const void *row)
{
        const struct bad_question *const question = row;
        expect_problem(post(stage, question->status, "/v1/policy/explain", "%s", question->json),
                question->status, question->parameter);
}

/* Who is no administrator asks for itself. */
static void questions_of_others(struct stage *stage)
{
        const struct reply *reply =
                as_ci(stage, "/v1/policy/explain", "{'operation':'connect','address':'127.0.0.2:1'}");
        expect_status(reply, 200);
        assert_string_equal(text_at(reply, "rule"), "ci");
        reply = as_ci(stage, "/v1/policy/explain",
                "{'operation':'connect','address':'127.0.0.2:1','token':'ci','policy':'lab'}");
        expect_status(reply, 200);
        reply = as_ci(stage, "/v1/policy/explain",
                "{'operation':'connect','address':'127.0.0.2:1','token':'owner'}");
        expect_problem(reply, 403, "token");
        assert_string_equal(text_at(reply, "type"), "https://sockwright.dev/problems/forbidden");
        reply = as_ci(stage, "/v1/policy/explain",
                "{'operation':'connect','address':'127.0.0.2:1','policy':'other'}");
        expect_problem(reply, 403, "policy");
}

static const struct scenario scenarios[] = {
        { "questions of others", questions_of_others },
};

int main(void)
{
        const char *const arguments[] = { "--policy", policy_path, "--tokens", tokens_path, NULL };
        folder_fill();
        SUITE_ADD_ROWS(play_question, questions);
        SUITE_ADD_ROWS(play_bad_question, bad_questions);
        SUITE_ADD_SCENARIOS(scenarios);
        const int failed = suite_run("explain", arguments);
        folder_remove();
        return failed;
}
