/* test_netns.c: sockets in network namespaces: one daemon plays hosts that are connected by nothing but a
 * cable. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/http/command.h"
#include "tests/http/policy.h"

enum { NAME_SIZE = 64, PATH_SIZE = 128, LINE_SIZE = 2048 };

/* Two hosts, 10.77.0.1 and 10.77.0.2, and two names that are none. */
static char near[NAME_SIZE], far[NAME_SIZE], file[NAME_SIZE], link_name[NAME_SIZE];
static bool may_have_them;

static bool run_line(const char *line)
{
        int status = -1;
        free(output_of(line, &status));
        return status == 0;
}

static void hosts_make(void)
{
        char line[LINE_SIZE];
        const int number = (int)getpid();
        snprintf(near, sizeof near, "sw-%d-near", number);
        snprintf(far, sizeof far, "sw-%d-far", number);
        snprintf(file, sizeof file, "sw-%d-file", number);
        snprintf(link_name, sizeof link_name, "sw-%d-link", number);
        snprintf(line, sizeof line,
                "{ ip netns add %s && ip netns add %s && "
                "ip -n %s link add cable type veth peer name cable netns %s && "
                "ip -n %s address add 10.77.0.1/24 dev cable && ip -n %s link set cable up && "
                "ip -n %s address add 10.77.0.2/24 dev cable && ip -n %s link set cable up && "
                "touch /run/netns/%s && ln -s %s /run/netns/%s; } 2>&1",
                near, far, near, far, near, near, far, far, file, near, link_name);
        may_have_them = run_line(line);
}

static void hosts_remove(void)
{
        char line[LINE_SIZE];
        snprintf(line, sizeof line,
                "ip netns del %s 2>&1; ip netns del %s 2>&1; rm -f /run/netns/%s /run/netns/%s", near, far,
                file, link_name);
        run_line(line);
}

static void need_hosts(void)
{
        if (!may_have_them) {
                print_message("no network namespaces can be made here\n");
                skip();
        }
}

static void connected(struct stage *stage)
{
        need_hosts();
        const struct reply *const server = post(stage, 201, "/v1/sockets",
                "{'netns':'%s','bind':'10.77.0.2:0','listen':true,'label':'server'}", far);
        assert_string_equal(text_at(server, "netns"), far);
        const struct reply *const client = post(stage, 201, "/v1/sockets",
                "{'netns':'%s','connect':'10.77.0.2:%d'}", near, (int)number_at(server, "local.port"));
        assert_string_equal(text_at(client, "netns"), near);
        const struct reply *const accepted = act(stage, text_at(server, "id"), "accept", 201, "");
        assert_string_equal(text_at(accepted, "netns"), far);
        assert_string_equal(text_at(accepted, "peer.host"), "10.77.0.1");
        act(stage, text_at(client, "id"), "send", 200, "{'text':'over the cable'}");
        expect_text(act(stage, text_at(accepted, "id"), "recv", 200, ""), "over the cable");
}

/* Each host has its own addresses and ports. */
static void apart(struct stage *stage)
{
        need_hosts();
        expect_errno(post(stage, 422, "/v1/sockets", "{'netns':'%s','bind':'10.77.0.2:0'}", near),
                "EADDRNOTAVAIL");
        expect_errno(post(stage, 422, "/v1/sockets", "{'bind':'10.77.0.2:0'}"), "EADDRNOTAVAIL");
        assert_int_equal(count_sockets(stage), 0);
        make(stage, "{'netns':'%s','bind':'0.0.0.0:7777','listen':true}", near);
        make(stage, "{'netns':'%s','bind':'0.0.0.0:7777','listen':true}", far);
        make(stage, "{'netns':'%s','family':'AF_PACKET','type':'SOCK_RAW','protocol':3}", far);
}

/* Interfaces go by the names that they have where the socket is: the daemon has no cable. */
static void interfaces(struct stage *stage)
{
        need_hosts();
        const char *const id = make(stage,
                "{'netns':'%s','type':'SOCK_DGRAM','options':[{'level':'SOL_SOCKET',"
                "'option':'SO_BINDTODEVICE','value':'cable'}]}",
                near);
        const struct reply *const device =
                act(stage, id, "getsockopt", 200, "{'level':'SOL_SOCKET','option':'SO_BINDTOIFINDEX'}");
        assert_string_equal(text_at(device, "value"), "cable");
        expect_problem(post(stage, 400, "/v1/sockets",
                               "{'type':'SOCK_DGRAM','options':[{'level':'SOL_SOCKET',"
                               "'option':'SO_BINDTOIFINDEX','value':'cable'}]}"),
                400, "options[0].value");
        const char *const packet = make(stage, "{'netns':'%s','family':'AF_PACKET','type':'SOCK_RAW'}", near);
        act(stage, packet, "bind", 200, "{'address':{'family':'AF_PACKET','interface':'cable'}}");
        assert_string_equal(text_at(get(stage, 200, "/v1/sockets/%s", packet), "local.interface"), "cable");
        assert_string_equal(
                text_at(get(stage, 200, "/v1/sockets?family=AF_PACKET"), "sockets.0.local.interface"),
                "cable");
}

/* One host joins a group from one source, the other one sends to it. */
static void multicast(struct stage *stage)
{
        need_hosts();
        const struct reply *const receiver = post(stage, 201, "/v1/sockets",
                "{'netns':'%s','type':'SOCK_DGRAM','bind':'0.0.0.0:0','options':[{'level':'IPPROTO_IP',"
                "'option':'MCAST_JOIN_SOURCE_GROUP',"
                "'value':{'interface':'cable','group':'232.7.7.7','source':'10.77.0.1'}}]}",
                far);
        const char *const sender = make(stage,
                "{'netns':'%s','type':'SOCK_DGRAM','bind':'10.77.0.1:0','options':[{'level':'IPPROTO_IP',"
                "'option':'IP_MULTICAST_IF','value':'10.77.0.1'}]}",
                near);
        act(stage, sender, "sendto", 200, "{'text':'to all','address':'232.7.7.7:%d'}",
                (int)number_at(receiver, "local.port"));
        expect_text(act(stage, text_at(receiver, "id"), "recv", 200, "{'timeout_ms':5000}"), "to all");
}

static int64_t cookie(struct stage *stage, const char *json)
{
        const char *const id = make(stage, "%s", json);
        const struct reply *const reply =
                act(stage, id, "getsockopt", 200, "{'level':'SOL_SOCKET','option':'SO_NETNS_COOKIE'}");
        drop(stage, 204, "/v1/sockets/%s", id);
        return number_at(reply, "value");
}

/* The daemon's threads stay where they are. */
static void returned(struct stage *stage)
{
        enum { ROUNDS = 40 };
        char there[LINE_SIZE];
        need_hosts();
        snprintf(there, sizeof there, "{'netns':'%s'}", far);
        const int64_t own = cookie(stage, "{}"), other = cookie(stage, there);
        const long descriptors = daemon_descriptors(stage->daemon);
        assert_int_not_equal(own, other);
        for (int round = 0; round < ROUNDS; round++) {
                assert_int_equal(cookie(stage, there), other);
                assert_int_equal(cookie(stage, "{}"), own);
        }
        assert_in_range(daemon_descriptors(stage->daemon), 0, descriptors + ROUNDS / 2);
        assert_true(json_is_null(json_at(post(stage, 201, "/v1/sockets", "")->json, "netns")));
}

/* A process that is in `far`. */
static pid_t inhabitant(void)
{
        char path[PATH_SIZE], byte;
        int ready[2];
        snprintf(path, sizeof path, "/run/netns/%s", far);
        assert_return_code(pipe2(ready, O_CLOEXEC), errno);
        const pid_t child = fork();
        assert_return_code(child, errno);
        if (child == 0) {
                const int netns = open(path, O_RDONLY | O_CLOEXEC);
                if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || setns(netns, CLONE_NEWNET) != 0 ||
                        write(ready[1], "", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        return child;
}

static void of_a_process(struct stage *stage)
{
        need_hosts();
        const pid_t child = inhabitant();
        char digits[NAME_SIZE];
        snprintf(digits, sizeof digits, "%d", (int)child);
        const struct reply *const one =
                post(stage, 201, "/v1/sockets", "{'netns':%s,'bind':'10.77.0.2:0'}", digits);
        assert_string_equal(text_at(one, "netns"), digits);
        make(stage, "{'netns':'%s','bind':'10.77.0.2:0'}", digits);
        assert_return_code(kill(child, SIGKILL), errno);
        assert_return_code(waitpid(child, NULL, 0), errno);
        expect_errno(post(stage, 422, "/v1/sockets", "{'netns':%s}", digits), "ENOENT");
}

static int64_t inode_of(const char *name)
{
        char path[PATH_SIZE];
        struct stat status;
        snprintf(path, sizeof path, "/run/netns/%s", name);
        assert_return_code(stat(path, &status), errno);
        return (int64_t)status.st_ino;
}

/* What else stands in the folder is not among them. */
static void listed(struct stage *stage)
{
        need_hosts();
        const struct reply *const reply = get(stage, 200, "/v1/netns");
        const json_t *const list = json_at(reply->json, "netns");
        int found = 0;
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *const item = json_array_get(list, i);
                const char *const name = json_string_value(json_object_get(item, "name"));
                assert_string_not_equal(name, file);
                assert_string_not_equal(name, link_name);
                if (strcmp(name, near) != 0 && strcmp(name, far) != 0)
                        continue;
                assert_int_equal(json_integer_value(json_object_get(item, "inode")), inode_of(name));
                found++;
        }
        assert_int_equal(found, 2);
}

static const struct refusal {
        const char *name, *json;
        int status;
        const char *errno_name; /* of a 422 */
} refusals[] = {
        { "no name", "{'netns':''}", 400, NULL },
        { "a path", "{'netns':'../netns/x'}", 400, NULL },
        { "the folder", "{'netns':'.'}", 400, NULL },
        { "the folder above", "{'netns':'..'}", 400, NULL },
        { "no text", "{'netns':true}", 400, NULL },
        { "a negative number", "{'netns':-1}", 400, NULL },
        { "process 0", "{'netns':0}", 400, NULL },
        { "half a process", "{'netns':1.5}", 400, NULL },
        { "a NUL in it", "{'netns':'x\\u0000'}", 400, NULL },
        { "none of that name", "{'netns':'sw-none'}", 422, "ENOENT" },
        { "no such process", "{'netns':999999999}", 422, "ENOENT" },
        { "no such process, as text", "{'netns':'999999999999999999999'}", 422, "ENOENT" },
};

static void play_refusal(struct stage *stage, const void *row)
{
        const struct refusal *const refusal = row;
        const struct reply *const reply = post(stage, refusal->status, "/v1/sockets", "%s", refusal->json);
        if (refusal->errno_name)
                expect_errno(reply, refusal->errno_name);
        else
                expect_problem(reply, refusal->status, "netns");
        assert_int_equal(count_sockets(stage), 0);
}

static void no_namespaces(struct stage *stage)
{
        need_hosts();
        expect_errno(post(stage, 422, "/v1/sockets", "{'netns':'%s'}", file), "EINVAL");
        expect_errno(post(stage, 422, "/v1/sockets", "{'netns':'%s'}", link_name), "ELOOP");
}

/* With a policy in force, a rule must name it. */
static void judged(struct stage *stage)
{
        char policy[LINE_SIZE];
        struct stage other;
        const char *const arguments[] = { "--policy", policy_path, NULL };
        need_hosts();
        snprintf(policy, sizeof policy, "{'rules':[{'name':'near','allow':['netns'],'netns':['%s']}]}", near);
        policy_write(policy);
        stage_open(&other, arguments);
        make(&other, "{'netns':'%s'}", near);
        expect_denied(post(&other, 403, "/v1/sockets", "{'netns':'%s'}", far), "default");
        expect_denied(post(&other, 403, "/v1/sockets", "{'netns':1}"), "default");
        expect_denied(
                post(&other, 403, "/v1/sockets", "{'netns':'%s','bind':'10.77.0.1:0'}", near), "default");
        assert_string_equal(
                text_at(post(&other, 200, "/v1/policy/explain", "{'operation':'netns','netns':'%s'}", near),
                        "rule"),
                "near");
        assert_false(
                flag_at(post(&other, 200, "/v1/policy/explain", "{'operation':'netns','netns':'%s'}", far),
                        "allowed"));
        expect_problem(post(&other, 400, "/v1/policy/explain", "{'operation':'netns'}"), 400, "netns");
        daemon_stop(other.daemon);
        stage_close(&other, stage);
}

/* What a thread drops is missing from what it starts, but not from the other threads. A daemon ends with the
 * thread that started it, which therefore stays. */
struct starter {
        pthread_t thread;
        struct stage stage;
        sem_t opened, done;
};

static void *starter_run(void *context)
{
        static const char *const arguments[] = { NULL };
        struct starter *const starter = context;
        if (prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN) == 0)
                stage_open(&starter->stage, arguments);
        sem_post(&starter->opened);
        sem_wait(&starter->done);
        return NULL;
}

static void incapable(struct stage *stage)
{
        static struct starter starter;
        need_hosts();
        sem_init(&starter.opened, 0, 0);
        sem_init(&starter.done, 0, 0);
        assert_int_equal(pthread_create(&starter.thread, NULL, starter_run, &starter), 0);
        sem_wait(&starter.opened);
        struct stage *const other = &starter.stage;
        assert_non_null(other->daemon);
        const struct reply *const reply = post(other, 422, "/v1/sockets", "{'netns':'%s'}", near);
        expect_errno(reply, "EPERM");
        assert_string_equal(text_at(reply, "call"), "setns");
        assert_non_null(strstr(text_at(reply, "detail"), "CAP_SYS_ADMIN"));
        assert_true(json_array_size(json_at(get(other, 200, "/v1/netns")->json, "netns")) >= 2);
        daemon_stop(other->daemon);
        stage_close(other, stage);
        sem_post(&starter.done);
        pthread_join(starter.thread, NULL);
}

static const struct scenario scenarios[] = {
        { "connected", connected },
        { "apart", apart },
        { "interfaces", interfaces },
        { "multicast", multicast },
        { "threads stay", returned },
        { "of a process", of_a_process },
        { "listed", listed },
        { "no namespaces", no_namespaces },
        { "judged", judged },
        { "without the capability", incapable },
};

int main(void)
{
        folder_fill();
        hosts_make();
        SUITE_ADD_SCENARIOS(scenarios);
        SUITE_ADD_ROWS(play_refusal, refusals);
        const int failed = suite_run("netns", NULL);
        hosts_remove();
        folder_remove();
        return failed;
}
