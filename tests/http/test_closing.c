/* test_closing.c: what is closed is closed at once: by DELETE under calls and streams, at exit, by the peer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/steps.h"
#include "tests/http/wire.h"

enum { MIB = 1024 * 1024, SOON_MS = 2000 };

/* A socket of the daemon's, connected to one of the test's own. */
struct meeting {
        const char *id;
        int peer;
};

static struct meeting meet(struct stage *stage)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
        socklen_t size = sizeof address;
        const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(bind(listener, (const struct sockaddr *)&address, size), errno);
        assert_return_code(listen(listener, 1), errno);
        assert_return_code(getsockname(listener, (struct sockaddr *)&address, &size), errno);
        struct meeting meeting;
        meeting.id = make(stage, "{'connect':'127.0.0.1:%d'}", ntohs(address.sin_port));
        meeting.peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_return_code(meeting.peer, errno);
        close(listener);
        return meeting;
}

/* Its listener's port can be bound again right after the reply, though a call had been waiting there. */
static void port_is_free(struct stage *stage)
{
        enum { ROUNDS = 50 };
        for (int round = 0; round < ROUNDS; round++) {
                const struct reply *const listener =
                        post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':true}");
                const char *const id = text_at(listener, "id");
                struct pending *const accepting = later(stage, id, "accept", "{'timeout_ms':30000}");
                await_parked(stage, id, 1);
                drop(stage, 204, "/v1/sockets/%s", id);
                const char *const again =
                        make(stage, "{'bind':'127.0.0.1:%d'}", (int)number_at(listener, "local.port"));
                drop(stage, 204, "/v1/sockets/%s", again);
                expect_errno(finish(stage, accepting, 422), "ECANCELED");
        }
}

/* Nobody reads at the other end. */
static void stall_upload(struct stage *stage, const struct meeting *meeting, int client)
{
        wire_write(client,
                "POST /v1/sockets/%s/send?timeout_ms=60000 HTTP/1.1\r\nHost: localhost\r\n"
                "Content-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n",
                meeting->id, 1024 * MIB);
        wire_fill(client);
        await_parked(stage, meeting->id, 1);
}

static void ask_for_download(const struct meeting *meeting, int client)
{
        wire_write(client,
                "POST /v1/sockets/%s/recv?until=eof&timeout_ms=60000 HTTP/1.1\r\nHost: localhost\r\n"
                "Accept: application/octet-stream\r\nContent-Length: 0\r\n\r\n",
                meeting->id);
}

/* The peer pauses, once the reply has begun. */
static void stall_download(struct stage *stage, const struct meeting *meeting, int client)
{
        ask_for_download(meeting, client);
        wire_write(meeting->peer, "the beginning");
        struct wire_reply reply;
        wire_read(client, &reply);
        assert_int_equal(reply.status, 200);
        await_parked(stage, meeting->id, 1);
}

/* The client does not read. */
static void clog_download(struct stage *stage, const struct meeting *meeting, int client)
{
        (void)stage;
        ask_for_download(meeting, client);
        wire_fill(meeting->peer);
}

static void see_reset(int peer)
{
        struct pollfd end = { .fd = peer };
        int error = 0;
        assert_int_equal(poll(&end, 1, SOON_MS), 1);
        assert_return_code(
                getsockopt(peer, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){ sizeof error }), errno);
        assert_int_equal(error, ECONNRESET);
}

static void see_end(int peer)
{
        static char bytes[65536];
        const int64_t deadline = milliseconds() + SOON_MS;
        struct pollfd ready = { .fd = peer, .events = POLLIN };
        for (int64_t left; (left = deadline - milliseconds()) > 0 && poll(&ready, 1, (int)left) == 1;) {
                const ssize_t got = recv(peer, bytes, sizeof bytes, 0);
                assert_return_code(got, errno);
                if (got == 0)
                        return;
        }
        fail_msg("no end of stream within %d ms", SOON_MS);
}

/* DELETE while a stream stands still: the peer learns of it at once, though the HTTP client stays. */
static const struct interruption {
        const char *name;
        void (*stall)(struct stage *stage, const struct meeting *meeting, int client);
        const char *query;
        void (*see)(int peer);
} interruptions[] = {
        { "upload, reset", stall_upload, "?reset=true", see_reset },
        { "upload, end", stall_upload, "", see_end },
        { "download, reset", stall_download, "?reset=true", see_reset },
        { "download, end", stall_download, "", see_end },
        { "download nobody reads, reset", clog_download, "?reset=true", see_reset },
        /* As close(2) does where bytes have come that nobody took. */
        { "download nobody reads, end", clog_download, "", see_reset },
};

static void play_interruption(struct stage *stage, const void *row)
{
        const struct interruption *const interruption = row;
        const struct meeting meeting = meet(stage);
        const int client = wire_open(stage->daemon, OVER_UNIX);
        interruption->stall(stage, &meeting, client);
        drop(stage, 204, "/v1/sockets/%s%s", meeting.id, interruption->query);
        interruption->see(meeting.peer);
        close(client);
        close(meeting.peer);
}

/* A positive SO_LINGER makes close(2) wait for the peer; no thread of the daemon's may. */
static void lingering(struct stage *stage)
{
        enum { SOCKETS = 4 };
        const char *ids[SOCKETS];
        uint8_t *const bytes = noise(MIB);
        char *const data = base64_encode(bytes, MIB);
        for (int i = 0; i < SOCKETS; i++) {
                ids[i] = make_link(stage).near;
                act(stage, ids[i], "send", 200, "{'data':'%s'}", data);
                act(stage, ids[i], "setsockopt", 200,
                        "{'level':'SOL_SOCKET','option':'SO_LINGER','value':{'onoff':true,'linger':20}}");
                assert_true(number_at(get(stage, 200, "/v1/sockets/%s", ids[i]), "send_queue") > 0);
        }
        free(data);
        free(bytes);
        const int64_t started = milliseconds();
        for (int i = 0; i < SOCKETS; i++)
                drop(stage, 204, "/v1/sockets/%s", ids[i]);
        get(stage, 200, "/v1/getaddrinfo?host=localhost&family=AF_INET");
        assert_in_range(milliseconds() - started, 0, SOON_MS);
}

/* What the daemon has used of the CPUs, in milliseconds. */
static int64_t cpu_time(const struct daemon *daemon)
{
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/stat", (int)daemon->pid);
        char *const text = file_read(path);
        assert_non_null(text);
        const char *field = strrchr(text, ')');
        for (int number = 2; field && number < 14; number++)
                field = strchr(field + 1, ' ');
        assert_non_null(field);
        char *rest;
        const int64_t user = strtoll(field ? field : "", &rest, 10);
        const int64_t ticks = user + strtoll(rest, NULL, 10);
        free(text);
        return ticks * 1000 / sysconf(_SC_CLK_TCK);
}

static void leave_by_close(int fd)
{
        close(fd);
}

/* Sockets that a call has waited on stay watched: when their peers go, and nobody asks, that is no work. */
static void hung_up(struct stage *stage)
{
        enum { WAITS = 20, WAIT_MS = 50 };
        static void (*const leave[])(int fd) = { wire_reset, leave_by_close };
        for (size_t i = 0; i < COUNT(leave); i++) {
                const struct meeting meeting = meet(stage);
                act_refused(stage, meeting.id, "recv?size=1&timeout_ms=5", "EAGAIN", "");
                leave[i](meeting.peer);
        }
        const struct ends gone = make_pair(stage, "SOCK_STREAM");
        act_refused(stage, gone.near, "recv?size=1&timeout_ms=5", "EAGAIN", "");
        drop(stage, 204, "/v1/sockets/%s", gone.far);
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        const int64_t used = cpu_time(stage->daemon), started = milliseconds();
        for (int i = 0; i < WAITS; i++) {
                char action[64];
                snprintf(action, sizeof action, "recv?size=1&timeout_ms=%d", WAIT_MS);
                act_refused(stage, pair.near, action, "EAGAIN", "");
        }
        assert_in_range(cpu_time(stage->daemon) - used, 0, (milliseconds() - started) / 4);
}

/* SIGTERM while both ends of a pair are waited on: all are answered, and all is closed in order. */
static void ends_well(struct stage *stage)
{
        enum { STARTS = 50 };
        for (int start = 0; start < STARTS; start++) {
                struct stage other;
                stage_open(&other, NULL);
                const struct ends pair = make_pair(&other, "SOCK_STREAM");
                const char *const ids[] = { pair.near, pair.far };
                int clients[COUNT(ids)];
                for (size_t i = 0; i < COUNT(ids); i++) {
                        char path[128];
                        snprintf(path, sizeof path, "/v1/sockets/%s/recv?timeout_ms=30000", ids[i]);
                        clients[i] = wire_open(other.daemon, i % 2 ? OVER_TCP : OVER_UNIX);
                        wire_post(clients[i], other.daemon, path);
                        await_parked(&other, ids[i], 1);
                }
                daemon_terminate(other.daemon);
                for (size_t i = 0; i < COUNT(ids); i++) {
                        struct wire_reply reply;
                        wire_read(clients[i], &reply);
                        close(clients[i]);
                        assert_int_equal(reply.status, 503);
                }
                daemon_wait(other.daemon);
                stage_close(&other, stage);
        }
}

static const struct scenario scenarios[] = {
        { "the port is free at once", port_is_free },
        { "lingering sockets", lingering },
        { "hung up", hung_up },
        { "ends well, many times", ends_well },
};

int main(void)
{
        SUITE_ADD_ROWS(play_interruption, interruptions);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("closing", NULL);
}
