/* test_silent.c: clients that vanish without a word: their machine, or what leads to it, is gone. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/command.h"
#include "tests/http/steps.h"
#include "tests/http/wire.h"

enum { NAME_SIZE = 64, LINE_SIZE = 2048 };

/* The daemon's host, 10.78.0.1, and its clients', with a cable between them. */
static char near[NAME_SIZE], far[NAME_SIZE];
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
        snprintf(near, sizeof near, "sw-%d-near", (int)getpid());
        snprintf(far, sizeof far, "sw-%d-far", (int)getpid());
        snprintf(line, sizeof line,
                "{ ip netns add %s && ip netns add %s && ip -n %s link set lo up && "
                "ip -n %s link add cable type veth peer name cable netns %s && "
                "ip -n %s address add 10.78.0.1/24 dev cable && ip -n %s link set cable up && "
                "ip -n %s address add 10.78.0.2/24 dev cable && ip -n %s link set cable up; } 2>&1",
                near, far, near, near, far, near, near, far, far);
        may_have_them = run_line(line);
}

static void hosts_remove(void)
{
        char line[LINE_SIZE];
        snprintf(line, sizeof line, "ip netns del %s 2>&1; ip netns del %s 2>&1", near, far);
        run_line(line);
}

/* Cut at the clients' end, so that neither end says goodbye. */
static void cable_cut(void)
{
        char line[LINE_SIZE];
        snprintf(line, sizeof line, "ip -n %s link set cable down 2>&1", far);
        assert_true(run_line(line));
}

/* This thread goes to a host. Returns where it was, for it to come back. */
static int go_to(const char *host)
{
        char path[2 * NAME_SIZE];
        const int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        snprintf(path, sizeof path, "/run/netns/%s", host);
        const int there = open(path, O_RDONLY | O_CLOEXEC);
        assert_return_code(setns(there, CLONE_NEWNET), errno);
        close(there);
        return here;
}

static void come_back(int here)
{
        assert_return_code(setns(here, CLONE_NEWNET), errno);
        close(here);
}

/* A connection from the other host. */
static int dial(const struct daemon *daemon)
{
        static const char shown[] = "://10.78.0.1:";
        const char *const listener = strstr(daemon->greeting, shown);
        assert_non_null(listener);
        const struct sockaddr_in address = {
                .sin_family = AF_INET,
                .sin_port = htons((uint16_t)strtoul(listener + sizeof shown - 1, NULL, 10)),
                .sin_addr = { .s_addr = inet_addr("10.78.0.1") },
        };
        const int here = go_to(far);
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(connect(fd, (const struct sockaddr *)&address, sizeof address), errno);
        come_back(here);
        return fd;
}

static void ask_for(int fd, const struct stage *stage, const char *id)
{
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/recv?timeout_ms=120000", id);
        wire_post(fd, stage->daemon, path);
}

/* A client that is there, and does not read for a while what it has asked for. */
struct pause {
        int fd;
        int64_t started_ms;
        struct pending *source;
        uint8_t *bytes;
};

enum { PAUSE_SIZE = 20 << 20, PAUSE_MS = 25000 };

static struct pause pause_begin(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        struct pause pause = { .bytes = noise(PAUSE_SIZE), .started_ms = milliseconds() };
        const int here = go_to(near);
        pause.fd = wire_open(stage->daemon, OVER_TCP);
        come_back(here);
        wire_write(pause.fd,
                "POST /v1/sockets/%s/recv?until=%d&timeout_ms=120000 HTTP/1.1\r\nHost: localhost\r\n"
                "Authorization: Bearer %s\r\nAccept: application/octet-stream\r\nContent-Length: 0\r\n\r\n",
                pair.near, PAUSE_SIZE, stage->daemon->token);
        pause.source = later_raw(stage, pair.far, "send?timeout_ms=120000", pause.bytes, PAUSE_SIZE, false);
        return pause;
}

/* Nothing happens to it for so long. */
static void pause_lasts(const struct pause *pause, int64_t duration_ms)
{
        struct pollfd end = { .fd = pause->fd, .events = POLLRDHUP };
        assert_int_equal(poll(&end, 1, duration_ms < 0 ? 0 : (int)duration_ms), 0);
}

/* It reads on, and nothing is missing. */
static void pause_end(struct stage *stage, const struct pause *pause)
{
        char head[4096] = "";
        uint8_t *const got = malloc(PAUSE_SIZE);
        assert_non_null(got);
        pause_lasts(pause, pause->started_ms + PAUSE_MS - milliseconds());
        for (size_t size = 0; size < sizeof head - 1 && !strstr(head, "\r\n\r\n"); size++)
                assert_int_equal(recv(pause->fd, head + size, 1, 0), 1);
        assert_int_equal(recv(pause->fd, got, PAUSE_SIZE, MSG_WAITALL), PAUSE_SIZE);
        assert_memory_equal(got, pause->bytes, PAUSE_SIZE);
        finish(stage, pause->source, 200);
        close(pause->fd);
        free(pause->bytes);
        free(got);
}

static int64_t parked(struct stage *stage, const char *id)
{
        return number_at(get(stage, 200, "/v1/sockets/%s", id), "parked");
}

/* The pause is what is waited on, so that waiting costs nothing. */
static void await_notice(struct stage *stage, const char *id, const struct pause *pause)
{
        enum { NOTICE_MS = 40000, LOOK_MS = 500 };
        const int64_t deadline = milliseconds() + NOTICE_MS;
        while (parked(stage, id) > 0) {
                assert_true(milliseconds() < deadline);
                pause_lasts(pause, LOOK_MS);
        }
}

/* The kernel asks one client for a sign of life. It cannot ask another, which leaves a reply unacknowledged.
 * What comes once they are noticed is for others; and the one who only pauses is let be. */
static void silent_clients(struct stage *stage)
{
        if (!may_have_them) {
                print_message("no network namespaces can be made here\n");
                skip();
        }
        const char *const arguments[] = { "--listen", "10.78.0.1:0", "--insecure-listen", NULL };
        struct stage other;
        const int here = go_to(near);
        stage_open(&other, arguments);
        come_back(here);
        const struct ends quiet = make_pair(&other, "SOCK_STREAM"),
                          answered = make_pair(&other, "SOCK_STREAM"), next = make_pair(&other, "SOCK_DGRAM");
        const int one = dial(other.daemon), two = dial(other.daemon);
        ask_for(one, &other, quiet.near);
        ask_for(two, &other, answered.near);
        ask_for(two, &other, next.near);
        await_parked(&other, quiet.near, 1);
        await_parked(&other, answered.near, 1);
        const struct pause pause = pause_begin(&other);
        cable_cut();
        act(&other, answered.far, "send", 200, "{'text':'an answer that nobody gets'}");
        await_parked(&other, next.near, 1);
        await_notice(&other, quiet.near, &pause);
        await_notice(&other, next.near, &pause);
        act(&other, quiet.far, "send", 200, "{'text':'kept'}");
        act(&other, next.far, "send", 200, "{'text':'kept too'}");
        expect_text(act(&other, quiet.near, "recv", 200, ""), "kept");
        expect_text(act(&other, next.near, "recv", 200, ""), "kept too");
        pause_end(&other, &pause);
        close(one);
        close(two);
        daemon_stop(other.daemon);
        stage_close(&other, stage);
}

static const struct scenario scenarios[] = { { "silent clients", silent_clients } };

int main(void)
{
        hosts_make();
        SUITE_ADD_SCENARIOS(scenarios);
        const int failed = suite_run("clients that vanish", NULL);
        hosts_remove();
        return failed;
}
