/* policy.c: a policy file and what it speaks of, for tests of policies. */
#include "tests/http/policy.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/http/tokens.h"

char folder[] = "/tmp/sockwright-policy.XXXXXX";
char policy_path[64], tokens_path[64];

const char rules[] =
        "{'rules':["
        "{'name':'no pairs','deny':['socket'],'type':['SOCK_SEQPACKET']},"
        "{'name':'own ports','allow':['bind'],'cidr':['127.0.0.0/8','::1'],'ports':['0','20000-65535']},"
        "{'name':'peers','allow':['accept'],'cidr':['127.0.0.1']},"
        "{'name':'loop','allow':['connect','send'],'cidr':['127.0.0.1','::1']},"
        "{'name':'ci','allow':['connect'],'cidr':['127.0.0.2'],'token':['ci']},"
        "{'name':'lab','allow':['connect'],'cidr':['127.0.0.3'],'policy':['lab']},"
        "{'name':'files','allow':['bind','connect','send'],'path':['{}/lab'],'abstract':['lab-']},"
        "{'name':'unix peers','allow':['accept'],'family':['AF_UNIX']},"
        "{'name':'datagrams','allow':['send'],'cidr':['127.0.0.8']},"
        "{'name':'groups','allow':['join'],'cidr':['239.1.0.0/16']},"
        "{'name':'lo','allow':['device'],'device':['lo']},"
        "{'name':'no keepalive','deny':['option'],'option':['SO_KEEPALIVE']},"
        "{'name':'priority','allow':['option'],'option':['IP_MULTICAST_IF']}"
        "]}";

void policy_write(const char *text)
{
        char filled[TEXT_SIZE];
        const char *const mark = strstr(text, "{}");
        const int before = mark ? (int)(mark - text) : (int)strlen(text);
        snprintf(filled, sizeof filled, "%.*s%s%s", before, text, mark ? folder : "", mark ? mark + 2 : "");
        char *const json = requote(filled);
        const int fd = open(policy_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (write(fd, json, strlen(json)) != (ssize_t)strlen(json))
                abort();
        close(fd);
        free(json);
}

void folder_name(const char *text, char out[static TEXT_SIZE])
{
        const char *const mark = strstr(text, "{}/");
        if (mark)
                snprintf(out, TEXT_SIZE, "%.*s%s%s", (int)(mark - text), text, folder, mark + 2);
        else
                snprintf(out, TEXT_SIZE, "%s", text);
}

void expect_denied(const struct reply *reply, const char *rule)
{
        expect_problem(reply, 403, NULL);
        assert_string_equal(text_at(reply, "type"), "https://sockwright.dev/problems/denied");
        assert_string_equal(text_at(reply, "rule"), rule);
}

struct reply *as_ci(struct stage *stage, const char *path, const char *json)
{
        char *const body = requote(json);
        const struct request request = { .method = "POST",
                .path = path,
                .json = body,
                .no_token = true,
                .headers = { "Authorization: Bearer " CI } };
        struct reply *const reply = stage_keep(stage, exchange(stage->over_tcp, &request));
        free(body);
        return reply;
}

void folder_fill(void)
{
        char path[128];
        if (!mkdtemp(folder))
                abort();
        snprintf(policy_path, sizeof policy_path, "%s/policy.json", folder);
        snprintf(tokens_path, sizeof tokens_path, "%s/tokens", folder);
        tokens_file_write(tokens_path, &(struct named_token){ "ci", CI, "operate, lab" }, 1, "");
        policy_write(rules);
        snprintf(path, sizeof path, "%s/lab", folder);
        if (mkdir(path, 0700) != 0)
                abort();
        snprintf(path, sizeof path, "%s/lab/out", folder);
        if (symlink("..", path) != 0)
                abort();
        snprintf(path, sizeof path, "%s/lab/passwd", folder);
        if (symlink("/etc/passwd", path) != 0)
                abort();
}

void folder_remove(void)
{
        static const char *const names[] = { "lab/out", "lab/passwd", "lab", "policy.json", "tokens",
                "sockwright.token", "own.sock", "" };
        char path[128];
        for (size_t i = 0; i < COUNT(names); i++) {
                snprintf(path, sizeof path, "%s/%s", folder, names[i]);
                (void)remove(path);
        }
}
