/* test_reactor_policy.c: the policy is in force for reactors too, and they reach nobody else's sockets. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/policy.h"

enum { DEADLINE_MS = 20000 };

static struct reply *put(struct stage *stage, int status, const char *id, const char *query)
{
        char path[192];
        snprintf(path, sizeof path, "/v1/sockets/%s/reactor?%s", id, query);
        const struct request request = { .method = "PUT", .path = path };
        struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
        expect_status(reply, status);
        return reply;
}

/* A socket of our own, at that address. */
static int open_at(int type, uint32_t address, int port)
{
        const struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };
        const struct sockaddr_in to = { .sin_family = AF_INET,
                .sin_port = htons((uint16_t)port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const struct timeval patience = { .tv_sec = DEADLINE_MS / 1000 };
        const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        assert_return_code(bind(fd, (const struct sockaddr *)&from, sizeof from), errno);
        assert_return_code(connect(fd, (const struct sockaddr *)&to, sizeof to), errno);
        return fd;
}

static void await_denied(struct stage *stage, const char *id, int count)
{
        const int64_t deadline = milliseconds() + DEADLINE_MS;
        while (number_at(get(stage, 200, "/v1/sockets/%s/reactor", id), "denied") != count)
                assert_true(milliseconds() < deadline);
}

static void peers_are_turned_away(struct stage *stage)
{
        char byte = 0;
        const struct reply *const made =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':true}");
        const char *const id = text_at(made, "id");
        const int port = (int)number_at(made, "local.port");
        put(stage, 200, id, "kind=echo");
        const int denied = open_at(SOCK_STREAM, INADDR_LOOPBACK + 4, port);
        assert_int_equal(recv(denied, &byte, 1, 0), -1);
        assert_int_equal(errno, ECONNRESET);
        const int welcome = open_at(SOCK_STREAM, INADDR_LOOPBACK, port);
        assert_int_equal(send(welcome, "x", 1, 0), 1);
        assert_int_equal(recv(welcome, &byte, 1, 0), 1);
        await_denied(stage, id, 1);
        char *const log = daemon_log(stage->daemon);
        assert_non_null(strstr(log, "policy: owner: a reactor's accept from 127.0.0.5:"));
        free(log);
        close(denied);
        close(welcome);
}

/* A sender that the policy lets nothing be sent to gets no answer. */
static void senders_get_no_answer(struct stage *stage)
{
        char byte = 0;
        const struct reply *const made =
                post(stage, 201, "/v1/sockets", "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        const char *const id = text_at(made, "id");
        const int port = (int)number_at(made, "local.port");
        put(stage, 200, id, "kind=echo");
        const int denied = open_at(SOCK_DGRAM, INADDR_LOOPBACK + 4, port);
        const int welcome = open_at(SOCK_DGRAM, INADDR_LOOPBACK, port);
        assert_int_equal(send(denied, "x", 1, 0), 1);
        assert_int_equal(send(welcome, "y", 1, 0), 1);
        assert_int_equal(recv(welcome, &byte, 1, 0), 1);
        await_denied(stage, id, 1);
        assert_int_equal(recv(denied, &byte, 1, MSG_DONTWAIT), -1);
        assert_int_equal(errno, EAGAIN);
        const struct reply *const reply = get(stage, 200, "/v1/sockets/%s/reactor", id);
        assert_int_equal(number_at(reply, "received_bytes"), 2);
        assert_int_equal(number_at(reply, "sent_bytes"), 1);
        close(denied);
        close(welcome);
}

/* What is another's looks just as what is not there. */
static void foreign_sockets(struct stage *stage)
{
        char path[192];
        const char *const ours = make(stage, "");
        const char *const theirs = text_at(as_ci(stage, "/v1/sockets", "{}"), "id");
        const struct wish {
                const char *method, *query;
        } wishes[] = { { "GET", "" }, { "DELETE", "" }, { "PUT", "?kind=sink" } };
        for (size_t i = 0; i < COUNT(wishes); i++) {
                snprintf(path, sizeof path, "/v1/sockets/%s/reactor%s", ours, wishes[i].query);
                const struct request request = { .method = wishes[i].method,
                        .path = path,
                        .no_token = true,
                        .headers = { "Authorization: Bearer " CI } };
                expect_problem(stage_keep(stage, exchange(stage->over_tcp, &request)), 404, NULL);
        }
        snprintf(path, sizeof path, "/v1/sockets/%s/reactor?kind=forward&to=%s", theirs, ours);
        const struct request request = {
                .method = "PUT", .path = path, .no_token = true, .headers = { "Authorization: Bearer " CI }
        };
        expect_problem(stage_keep(stage, exchange(stage->over_tcp, &request)), 404, "to");
}

/* Accepted connections count as sockets of the reactor's owner. */
static void connections_have_a_quota(struct stage *stage)
{
        char byte = 0;
        const struct reply *const made =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':true}");
        const char *const id = text_at(made, "id");
        const int port = (int)number_at(made, "local.port");
        put(stage, 200, id, "kind=source&total=1");
        const char *const spare[] = { make(stage, ""), make(stage, "") };
        const int first = open_at(SOCK_STREAM, INADDR_LOOPBACK, port);
        assert_int_equal(recv(first, &byte, 1, 0), 1);
        const int second = open_at(SOCK_STREAM, INADDR_LOOPBACK, port);
        expect_problem(post(stage, 429, "/v1/sockets", "{}"), 429, NULL);
        assert_int_equal(number_at(get(stage, 200, "/v1/sockets/%s/reactor", id), "accepted"), 1);
        drop(stage, 204, "/v1/sockets/%s", spare[0]);
        assert_int_equal(recv(second, &byte, 1, 0), 1);
        close(first);
        close(second);
}

static const struct scenario scenarios[] = {
        { "peers are turned away", peers_are_turned_away },
        { "senders get no answer", senders_get_no_answer },
        { "foreign sockets", foreign_sockets },
        { "connections have a quota", connections_have_a_quota },
};

int main(void)
{
        const char *const arguments[] = { "--policy", policy_path, "--tokens", tokens_path, "--max-sockets",
                "4", NULL };
        folder_fill();
        SUITE_ADD_SCENARIOS(scenarios);
        const int failed = suite_run("reactor_policy", arguments);
        folder_remove();
        return failed;
}
