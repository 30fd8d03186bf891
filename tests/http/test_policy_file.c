/* test_policy_file.c: the policy's file: checked, read anew, only reported of, and what is said of unsound
 * ones. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/http/command.h"
#include "tests/http/policy.h"

static void await_log(struct stage *stage, const char *text)
{
        const int64_t deadline = milliseconds() + 10000;
        for (bool found = false; !found;) {
                char *const log = daemon_log(stage->daemon);
                found = strstr(log, text) != NULL;
                free(log);
                assert_true(found || milliseconds() < deadline);
        }
}

static void await_rule(struct stage *stage, const char *rule)
{
        const int64_t deadline = milliseconds() + 10000;
        for (bool same = false; !same;) {
                const struct reply *const reply = post(
                        stage, 200, "/v1/policy/explain", "{'operation':'connect','address':'127.0.0.1:1'}");
                same = strcmp(text_at(reply, "rule"), rule) == 0;
                assert_true(same || milliseconds() < deadline);
        }
}

/* All of it or nothing. */
static void reloads(struct stage *stage)
{
        policy_write("{'rules':[{'name':'new','allow':['*']}]}");
        assert_return_code(kill(stage->daemon->pid, SIGHUP), errno);
        await_rule(stage, "new");
        policy_write("{'rules':[{'name':'newer','allow':['*']},{'allow':['connct']}]}");
        assert_return_code(kill(stage->daemon->pid, SIGHUP), errno);
        await_log(stage, "rules[1].allow[0]: must be one of");
        await_log(stage, "reloading failed");
        await_rule(stage, "new");
        policy_write(rules);
        assert_return_code(kill(stage->daemon->pid, SIGHUP), errno);
        await_rule(stage, "loop");
}

/* On another daemon, with the same file. */
static void reports(struct stage *stage)
{
        struct stage other;
        const char *const arguments[] = { "--policy", policy_path, NULL };
        policy_write("{'mode':'report','rules':[{'name':'no port','deny':['bind']}]}");
        stage_open(&other, arguments);
        post(&other, 201, "/v1/sockets", "{'bind':'127.0.0.1:0'}");
        await_log(&other, "policy: owner: bind 127.0.0.1:0 would be denied by \"no port\"");
        const struct reply *const reply =
                post(&other, 200, "/v1/policy/explain", "{'operation':'bind','address':'127.0.0.1:0'}");
        assert_true(flag_at(reply, "allowed") && flag_at(reply, "reported"));
        assert_string_equal(text_at(reply, "mode"), "report");
        assert_string_equal(text_at(reply, "rule"), "no port");
        expect_denied(post(&other, 403, "/v1/sockets", "{'connect':'127.0.0.1:%u'}", other.daemon->port),
                "control");
        struct daemon *const daemon = other.daemon;
        stage_close(&other, stage);
        daemon_stop(daemon);
        policy_write(rules);
}

/* A rule may let some in. */
static void a_rule_opens_control(struct stage *stage)
{
        struct stage other;
        const char *const arguments[] = { "--policy", policy_path, NULL };
        policy_write("{'rules':[{'name':'open','allow':['connect'],'class':['control']}]}");
        stage_open(&other, arguments);
        const char *const id = text_at(
                post(&other, 201, "/v1/sockets", "{'connect':'127.0.0.1:%u'}", other.daemon->port), "id");
        act(&other, id, "send", 200, "{'text':'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n'}");
        act(&other, id, "recv", 200, "");
        expect_denied(post(&other, 403, "/v1/sockets", "{'connect':'127.0.0.1:1'}"), "default");
        struct daemon *const daemon = other.daemon;
        stage_close(&other, stage);
        daemon_stop(daemon);
        policy_write(rules);
}

static const struct file {
        const char *name, *text; /* NULL: there is no file */
        unsigned mode;
        const char *option;
        int status;
        const char *says;
} files[] = {
        { "sound", "{'rules':[]}", 0600, "--check-policy", 0, ": 0 rules, ok" },
        { "one rule", "{'rules':[{'allow':['*']}]}", 0644, "--check-policy", 0, ": 1 rule, ok" },
        { "unsound", "{'rules':[{'allow':['*'],'cidr':['x']}]}", 0600, "--check-policy", 1,
                ": rules[0].cidr[0]: must be an address" },
        { "no JSON", "rules", 0600, "--check-policy", 1, ": line 1" },
        { "not there", NULL, 0, "--check-policy", 1, ": No such file" },
        { "unsound, at the start", "{'rules':[{'allow':['*'],'port':['1']}]}", 0600, "--policy", 1,
                "did you mean" },
        { "not there, at the start", NULL, 0, "--policy", 1, "No such file" },
        { "open to others", "{'rules':[]}", 0666, "--policy", 1, "others than the daemon's user" },
};

static void play_file(struct stage *stage, const void *row)
{
        const struct file *const file = row;
        const char *const program = getenv("SOCKWRIGHTD");
        char line[1024];
        int status;
        (void)stage;
        policy_write(file->text ? file->text : "");
        assert_return_code(chmod(policy_path, file->mode), errno);
        if (!file->text)
                unlink(policy_path);
        snprintf(line, sizeof line, "timeout 30 %s --unix %s/own.sock --listen 127.0.0.1:0 %s %s 2>&1",
                program ? program : SOCKWRIGHTD, folder, file->option, policy_path);
        char *const output = output_of(line, &status);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != file->status || !strstr(output, file->says))
                fail_msg("%s: wait status %#x: %.1000s", line, (unsigned)status, output);
        free(output);
        unlink(policy_path);
        policy_write(rules);
}

static const struct scenario scenarios[] = {
        { "reloads", reloads },
        { "reports", reports },
        { "a rule opens control", a_rule_opens_control },
};

int main(void)
{
        const char *const arguments[] = { "--policy", policy_path, "--tokens", tokens_path, NULL };
        folder_fill();
        SUITE_ADD_ROWS(play_file, files);
        SUITE_ADD_SCENARIOS(scenarios);
        const int failed = suite_run("policy_file", arguments);
        folder_remove();
        return failed;
}
