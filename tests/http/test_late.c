/* test_late.c: clients that are slow on purpose, or too many, and the others that do not notice. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/http/steps.h"
#include "tests/http/wire.h"

/* Absolute times are checked to this side only: a machine under load may be late itself. */
enum { CUT_WITHIN_MS = 30000, STEP_MS = 250 };

/* One client of many at the same time: what it sends at once, and then again and again. */
static const struct dripper {
        const char *name, *begins, *drips;
        int every_ms;
        int not_before_ms; /* it may take so long in any case */
        bool ends_well;    /* it is not cut, and answered in the end */
        int drip_count;    /* of one that ends well */
} drippers[] = {
        { "nothing at all", "", "", 1000, 4500, false, 0 },
        { "a request line, a byte a second", "", "G", 1000, 4500, false, 0 },
        { "a header, a byte a second", "POST /v1/sockets HTTP/1.1\r\nHost: localhost\r\n", "X", 1000, 4500,
                false, 0 },
        { "a header, a line a second", "POST /v1/sockets HTTP/1.1\r\nHost: localhost\r\n", "X: y\r\n", 1000,
                4500, false, 0 },
        { "a body that never comes",
                "POST /v1/sockets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                "Content-Length: 9999\r\n\r\n",
                "", 1000, 9500, false, 0 },
        { "a body, a byte a second",
                "POST /v1/sockets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                "Content-Length: 9999\r\n\r\n",
                " ", 1000, 9500, false, 0 },
        { "a chunk a second",
                "POST /v1/sockets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                "Transfer-Encoding: chunked\r\n\r\n",
                "1\r\n \r\n", 1000, 9500, false, 0 },
        { "a trailer, a line a second",
                "POST /v1/sockets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
                "X: y\r\n", 1000, 9500, false, 0 },
        { "a body that nobody wants, a byte a second",
                "POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                "Content-Length: 9999\r\n\r\n",
                " ", 1000, 9500, false, 0 },
        { "a second request's header, a line a second",
                "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: "
                "localhost\r\n",
                "X: y\r\n", 1000, 14500, false, 0 },
        { "a slow upload that goes on",
                "POST /v1/sockets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                "Content-Length: 12800\r\nConnection: close\r\n\r\n",
                "                                                                                            "
                "    "
                "                                                                                            "
                "    "
                "                                                                ",
                250, 0, true, 50 },
};

struct drip {
        int fd;
        int64_t next_ms, ended_ms;
        int count;
};

static void drip_begin(const struct stage *stage, const struct dripper *dripper, struct drip *out)
{
        *out = (struct drip){ .fd = wire_open(stage->daemon, OVER_UNIX),
                .next_ms = milliseconds() + dripper->every_ms };
        wire_write(out->fd, "%s", dripper->begins);
}

/* Sends the next bit, unless it has been cut off. */
static void drip_go_on(const struct dripper *dripper, struct drip *drip, int64_t now)
{
        if (drip->ended_ms || now < drip->next_ms ||
                (dripper->ends_well && drip->count == dripper->drip_count))
                return;
        drip->next_ms += dripper->every_ms;
        drip->count++;
        (void)!send(drip->fd, dripper->drips, strlen(dripper->drips), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Where something ends within the step, notes when. What was answered is read, so that the end is seen. */
static void drips_watch(struct drip *drips, size_t count)
{
        struct pollfd ends[COUNT(drippers)];
        char bytes[4096];
        for (size_t i = 0; i < count; i++)
                ends[i] = (struct pollfd){ .fd = drips[i].ended_ms ? -1 : drips[i].fd, .events = POLLIN };
        if (poll(ends, count, STEP_MS) <= 0)
                return;
        for (size_t i = 0; i < count; i++)
                if (ends[i].revents && recv(drips[i].fd, bytes, sizeof bytes, MSG_DONTWAIT) <= 0)
                        drips[i].ended_ms = milliseconds();
}

/* All of them at once; meanwhile others are answered. The one that goes on sends blanks, which are as good as
 * no body: it makes a socket. */
static void drip_by_drip(struct stage *stage)
{
        struct drip drips[COUNT(drippers)];
        const int64_t start = milliseconds();
        for (size_t i = 0; i < COUNT(drippers); i++)
                drip_begin(stage, &drippers[i], &drips[i]);
        size_t going = COUNT(drippers);
        while (going > 0 && milliseconds() < start + CUT_WITHIN_MS) {
                going = 0;
                for (size_t i = 0; i < COUNT(drippers); i++)
                        drip_go_on(&drippers[i], &drips[i], milliseconds());
                drips_watch(drips, COUNT(drips));
                for (size_t i = 0; i < COUNT(drippers); i++)
                        going += drips[i].ended_ms == 0;
                get(stage, 200, "/healthz");
        }
        for (size_t i = 0; i < COUNT(drippers); i++) {
                const int64_t took = drips[i].ended_ms - start;
                print_message("  %s: %s after %.1f s\n", drippers[i].name,
                        drips[i].ended_ms ? "ended" : "still there", (double)took / 1000);
                if (!drips[i].ended_ms || took < drippers[i].not_before_ms)
                        fail_msg("%s: %lld ms", drippers[i].name, (long long)took);
                if (drippers[i].ends_well)
                        assert_int_equal(drips[i].count, drippers[i].drip_count);
                close(drips[i].fd);
        }
        assert_int_equal(count_sockets(stage), 1);
}

/* A call that waits, and a source that pauses, are not late. */
static void patience(struct stage *stage)
{
        enum { PAUSE_MS = 12000 };
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        const struct ends other = make_pair(stage, "SOCK_STREAM");
        struct pending *const waiting = later(stage, pair.near, "recv", "{'size':5,'timeout_ms':60000}");
        const int upload = wire_open(stage->daemon, OVER_UNIX);
        wire_write(upload,
                "POST /v1/sockets/%s/send HTTP/1.1\r\nHost: localhost\r\n"
                "Content-Type: application/octet-stream\r\nContent-Length: 10\r\n\r\nhello",
                other.near);
        await_parked(stage, pair.near, 1);
        /* The daemon itself keeps the time here: a wait that runs out. */
        const struct ends third = make_pair(stage, "SOCK_DGRAM");
        expect_errno(act(stage, third.near, "recv", 422, "{'size':1,'timeout_ms':%d}", PAUSE_MS), "EAGAIN");
        act(stage, pair.far, "send", 200, "{'text':'there'}");
        expect_text(finish(stage, waiting, 200), "there");
        wire_write(upload, "world");
        struct wire_reply reply;
        wire_read(upload, &reply);
        close(upload);
        assert_int_equal(reply.status, 200);
        expect_text(act(stage, other.far, "recv", 200, "{'until':{'bytes':10}}"), "helloworld");
}

/* In a child, which has descriptors of its own: as many connections as there can be, which say nothing. */
static void flood(const struct daemon *daemon, int ready, const int go_on[2])
{
        const struct sockaddr_in address = { .sin_family = AF_INET,
                .sin_port = htons(daemon->port),
                .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
        struct rlimit limit;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(go_on[1]);
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        int count = 0;
        for (; count < 20000; count++) {
                const struct sockaddr_in source = { .sin_family = AF_INET,
                        .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK + 1 + (unsigned)count % 16) } };
                const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
                if (fd < 0)
                        break;
                /* From several addresses: the search for a free port would take most of the time. */
                setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
                (void)bind(fd, (const struct sockaddr *)&source, sizeof source);
                (void)connect(fd, (const struct sockaddr *)&address, sizeof address);
        }
        (void)!write(ready, &count, sizeof count);
        (void)!read(go_on[0], &count, 1);
        _exit(0);
}

static void twenty_thousand(struct stage *stage)
{
        enum { ASKED = 50 };
        int ready[2], go_on[2], count = 0;
        assert_return_code(pipe(ready), errno);
        assert_return_code(pipe(go_on), errno);
        const int64_t start = milliseconds();
        const pid_t child = fork();
        if (child == 0)
                flood(stage->daemon, ready[1], go_on);
        close(ready[1]);
        stage->client = stage->over_unix;
        int64_t slowest = 0;
        struct pollfd done = { .fd = ready[0], .events = POLLIN };
        for (int asked = 0; asked < ASKED || poll(&done, 1, 0) == 0; asked++) {
                client_disconnect(stage->client);
                const int64_t before = milliseconds();
                const char *const id = make(stage, "");
                drop(stage, 204, "/v1/sockets/%s", id);
                const int64_t took = milliseconds() - before;
                slowest = took > slowest ? took : slowest;
        }
        assert_int_equal(read(ready[0], &count, sizeof count), sizeof count);
        print_message("  %d connections in %.1f s; meanwhile two calls over unix took at most %lld ms\n",
                count, (double)(milliseconds() - start) / 1000, (long long)slowest);
        if (slowest > 5000)
                fail_msg("%lld ms", (long long)slowest);
        close(go_on[1]);
        close(ready[0]);
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(go_on[0]);
        client_disconnect(stage->over_tcp);
        stage->client = stage->over_tcp;
        get(stage, 200, "/healthz");
}

/* Where all of TCP's are taken, the unix socket still has some. */
static void unix_is_kept_free(struct stage *stage)
{
        static int fds[4096];
        char sockets[16];
        struct rlimit limit;
        assert_return_code(getrlimit(RLIMIT_NOFILE, &limit), errno);
        /* Leaves about 500 descriptors to HTTP, whatever the threads take. */
        const long long most = limit.rlim_max > (1 << 20) ? 1 << 20 : (long long)limit.rlim_max;
        snprintf(sockets, sizeof sockets, "%lld", most - 64 - 32 - 500);
        struct stage own;
        stage_open(&own, (const char *const[]){ "--max-sockets", sockets, "--threads", "16", NULL });
        int count = 0;
        for (; count < 600; count++) {
                fds[count] = wire_open(own.daemon, OVER_TCP);
                if (count < 440) {
                        /* Those that are taken are kept: they are answered, and then may be silent. */
                        struct wire_reply reply;
                        wire_write(fds[count], "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
                        wire_read(fds[count], &reply);
                        assert_int_equal(reply.status, 200);
                }
        }
        for (int i = 0; i < 10; i++) {
                client_disconnect(own.over_unix);
                get(&own, 200, "/v1/sockets");
        }
        while (count > 0)
                close(fds[--count]);
        get(&own, 200, "/healthz");
        daemon_stop(own.daemon);
        stage_close(&own, stage);
}

/* Clients leave and others come, all at once, and the daemon stops amid that: no worker may still find
 * connections that it was given and has not begun. Only ThreadSanitizer sees where one does. */
static void stopped_in_a_rush(struct stage *stage)
{
        enum { ROUNDS = 10, LEAVING = 200, COMING = 100 };
        int fds[LEAVING + COMING];
        for (int round = 0; round < ROUNDS; round++) {
                struct stage own;
                stage_open(&own, (const char *const[]){ "--threads", "2", NULL });
                for (int i = 0; i < LEAVING; i++)
                        fds[i] = wire_open(own.daemon, OVER_TCP);
                get(&own, 200, "/healthz");
                for (int i = 0; i < LEAVING; i++)
                        close(fds[i]);
                for (int i = LEAVING; i < LEAVING + COMING; i++)
                        fds[i] = wire_open(own.daemon, OVER_TCP);
                daemon_stop(own.daemon);
                for (int i = LEAVING; i < LEAVING + COMING; i++)
                        close(fds[i]);
                stage_close(&own, stage);
        }
}

/* More of one address' connections than there may be are closed at once; the others go on. */
static void connections_per_address(struct stage *stage)
{
        enum { MOST = 5 };
        struct stage own;
        stage_open(&own, (const char *const[]){ "--max-connections-per-address", "5", NULL });
        int fds[MOST];
        struct wire_reply reply;
        for (int i = 0; i < MOST; i++) {
                fds[i] = wire_open(own.daemon, OVER_TCP);
                wire_write(fds[i], "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
                wire_read(fds[i], &reply);
                assert_int_equal(reply.status, 200);
        }
        for (int i = 0; i < MOST; i++) {
                const int more = wire_open(own.daemon, OVER_TCP);
                assert_true(wire_ends(more));
                close(more);
        }
        get(&own, 200, "/healthz"); /* over unix, where nobody counts */
        wire_write(fds[0], "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        wire_read(fds[0], &reply);
        assert_int_equal(reply.status, 200);
        close(fds[0]);
        const int64_t deadline = milliseconds() + 10000;
        for (reply.status = 0; reply.status != 200 && milliseconds() < deadline; close(fds[0])) {
                fds[0] = wire_open(own.daemon, OVER_TCP);
                if (send(fds[0], "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 42, MSG_NOSIGNAL) == 42)
                        wire_read(fds[0], &reply);
        }
        assert_int_equal(reply.status, 200);
        for (int i = 1; i < MOST; i++)
                close(fds[i]);
        char *const log = daemon_log(own.daemon);
        assert_non_null(strstr(log, "refused a connection of 127.0.0.1:"));
        free(log);
        daemon_stop(own.daemon);
        stage_close(&own, stage);
}

/* slowhttptest(1) in its three ways at once: headers, bodies, readers; meanwhile a client is answered. */
static void slowhttptest(struct stage *stage)
{
        static const char *const ways[] = { "-H", "-B", "-X -w 1 -y 8 -n 1 -z 4" };
        FILE *pipes[COUNT(ways)];
        struct pollfd said[COUNT(ways)];
        if (access("/usr/bin/slowhttptest", X_OK) != 0) {
                print_message("skipped: slowhttptest is not installed\n");
                skip();
        }
        for (size_t i = 0; i < COUNT(ways); i++) {
                char command[256];
                snprintf(command, sizeof command,
                        "exec slowhttptest %s -c 200 -r 100 -i 1 -l 7 -u %s/healthz 2>&1", ways[i],
                        stage->daemon->url);
                pipes[i] = popen(command, "re"); /* NOLINT(cert-env33-c): it is no daemon of ours */
                assert_non_null(pipes[i]);
                said[i] = (struct pollfd){ .fd = fileno(pipes[i]), .events = POLLIN };
        }
        int64_t slowest = 0;
        for (size_t going = COUNT(ways); going > 0;) {
                char output[4096];
                poll(said, COUNT(ways), STEP_MS / 10);
                for (size_t i = 0; i < COUNT(ways); i++)
                        if (said[i].fd >= 0 && said[i].revents &&
                                read(said[i].fd, output, sizeof output) <= 0) {
                                said[i].fd = -1;
                                going--;
                        }
                client_disconnect(stage->client);
                const int64_t before = milliseconds();
                reply_free(exchange(stage->client, &(struct request){ .method = "GET", .path = "/healthz" }));
                const int64_t took = milliseconds() - before;
                slowest = took > slowest ? took : slowest;
        }
        for (size_t i = 0; i < COUNT(ways); i++)
                pclose(pipes[i]);
        print_message("  the slowest answer meanwhile: %lld ms\n", (long long)slowest);
        assert_true(slowest < 1000);
        get(stage, 200, "/healthz");
}

static const struct scenario scenarios[] = {
        { "drip by drip", drip_by_drip },
        { "patience", patience },
        { "20,000 connections", twenty_thousand },
        { "the unix socket is kept free", unix_is_kept_free },
        { "stopped in a rush", stopped_in_a_rush },
        { "connections per address", connections_per_address },
        { "slowhttptest", slowhttptest },
};

int main(void)
{
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("late", NULL);
}
