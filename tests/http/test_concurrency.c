/* test_concurrency.c: many at once: clients on one socket, thousands of parked calls, connections that come
 * and go. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/steps.h"
#include "tests/http/wire.h"

/* One of several clients that work at the same time. Nothing here may fail the test but the main thread. */
struct worker {
        pthread_t thread;
        struct client *client;
        const struct job *job;
        const char *const *ids;
        size_t id_count;
        unsigned done, bad;
        char complaint[512];
};

/* What a worker does over and over: rows of requests on the socket whose turn it is, and the statuses that
 * are right. */
struct job {
        unsigned rounds;
        const struct chore {
                const char *method, *action;
                int statuses[3];
        } * chores;
        size_t chore_count;
};

static bool status_fits(const struct chore *chore, int status)
{
        for (size_t i = 0; i < COUNT(chore->statuses); i++)
                if (chore->statuses[i] == status)
                        return true;
        return false;
}

static void worker_do(struct worker *worker, const struct chore *chore, const char *id)
{
        char path[256];
        snprintf(path, sizeof path, "/v1/sockets/%s%s", id, chore->action);
        const struct request request = { .method = chore->method, .path = path };
        struct reply *const reply = exchange(worker->client, &request);
        worker->done++;
        if (!status_fits(chore, reply->status)) {
                worker->bad++;
                snprintf(worker->complaint, sizeof worker->complaint, "%.150s: %d %.50s%.250s", reply->name,
                        reply->status, reply->trouble, reply->body);
        }
        reply_free(reply);
}

static void *worker_run(void *context)
{
        struct worker *const worker = context;
        for (unsigned round = 0; round < worker->job->rounds; round++) {
                const char *const id = worker->ids[round * worker->id_count / worker->job->rounds];
                for (size_t i = 0; i < worker->job->chore_count; i++)
                        worker_do(worker, &worker->job->chores[i], id);
        }
        return NULL;
}

static void workers_start(struct stage *stage, struct worker *workers, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                workers[i].client = client_new(stage->daemon, i % 2 ? OVER_TCP : OVER_UNIX);
                client_set_quiet(workers[i].client, true);
                assert_int_equal(pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]), 0);
        }
}

static void workers_finish(struct worker *workers, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                pthread_join(workers[i].thread, NULL);
                client_free(workers[i].client);
        }
        for (size_t i = 0; i < count; i++)
                if (workers[i].bad)
                        fail_msg("%u of %u went wrong, such as %s", workers[i].bad, workers[i].done,
                                workers[i].complaint);
}

/* 404: another has deleted it. 422: so says the kernel. */
static const struct chore hammering[] = {
        { "POST", "/send?text=hammer&timeout_ms=1", { 200, 404, 422 } },
        { "POST", "/recv?size=7&timeout_ms=1", { 200, 404, 422 } },
        { "POST", "/setsockopt?level=SOL_SOCKET&option=SO_RCVBUF&value=65536", { 200, 404, 422 } },
        { "POST", "/getsockopt?level=SOL_SOCKET&option=SO_RCVBUF", { 200, 404, 422 } },
        { "POST", "/recv?until=5&timeout_ms=1", { 200, 404, 422 } },
        { "GET", "", { 200, 404 } },
};
static const struct chore hammering_and_deleting[] = {
        { "POST", "/recv?size=3&timeout_ms=20", { 200, 404, 422 } },
        { "POST", "/send?text=other&timeout_ms=1", { 200, 404, 422 } },
        { "GET", "/options", { 200, 404 } },
        { "POST", "/shutdown?how=SHUT_WR", { 200, 404, 422 } },
        { "DELETE", "", { 204, 404 } },
};

/* Several clients on the same socket, and one that takes it away from under them, a hundred times. */
static void one_socket_many_clients(struct stage *stage)
{
        enum { SOCKETS = 100 };
        static const struct job hammer = {
                .rounds = 600, .chores = hammering, .chore_count = COUNT(hammering)
        };
        static const struct job deleter = {
                .rounds = 150, .chores = hammering_and_deleting, .chore_count = COUNT(hammering_and_deleting)
        };
        const char *ids[SOCKETS];
        for (size_t i = 0; i < SOCKETS; i++)
                ids[i] = make_pair(stage, "SOCK_STREAM").near;
        struct worker workers[4] = { 0 };
        for (size_t i = 0; i < COUNT(workers); i++)
                workers[i] =
                        (struct worker){ .job = i < 3 ? &hammer : &deleter, .ids = ids, .id_count = SOCKETS };
        workers_start(stage, workers, COUNT(workers));
        workers_finish(workers, COUNT(workers));
        get(stage, 200, "/healthz");
}

/* Bytes of two receivers, together, are those that were sent. */
static void nothing_lost_between_two(struct stage *stage)
{
        enum { TOTAL = 4000 };
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        const struct chore take = { "POST", "/recv?until=4&timeout_ms=30000", { 200 } };
        const struct chore give = { "POST", "/send?text=12345678", { 200 } };
        const struct job taking = { .rounds = TOTAL / 4 / 2, .chores = &take, .chore_count = 1 };
        const struct job giving = { .rounds = TOTAL / 8, .chores = &give, .chore_count = 1 };
        struct worker workers[3] = {
                { .job = &taking, .ids = &pair.near, .id_count = 1 },
                { .job = &taking, .ids = &pair.near, .id_count = 1 },
                { .job = &giving, .ids = &pair.far, .id_count = 1 },
        };
        workers_start(stage, workers, COUNT(workers));
        workers_finish(workers, COUNT(workers));
        const struct reply *const reply = get(stage, 200, "/v1/sockets/%s", pair.near);
        assert_int_equal(number_at(reply, "receive_queue"), 0);
        assert_int_equal(number_at(reply, "received_bytes"), TOTAL);
}

/* Each parked call has a connection of its own; each datagram then ends one of them, in the order they came.
 */
static void thousands_parked(struct stage *stage)
{
        enum { PARKED = 2000, PER_SOCKET = 500 };
        static int connections[PARKED];
        struct ends pairs[PARKED / PER_SOCKET] = { 0 };
        char path[128];
        for (size_t i = 0; i < COUNT(pairs); i++)
                pairs[i] = make_pair(stage, "SOCK_DGRAM");
        for (size_t i = 0; i < PARKED; i++) {
                snprintf(path, sizeof path, "/v1/sockets/%s/recv?size=9&timeout_ms=120000",
                        pairs[i / PER_SOCKET].near);
                connections[i] = wire_open(stage->daemon, i % 2 ? OVER_TCP : OVER_UNIX);
                wire_post(connections[i], stage->daemon, path);
        }
        for (size_t i = 0; i < COUNT(pairs); i++)
                await_parked(stage, pairs[i].near, PER_SOCKET);
        for (size_t i = 0; i < PARKED; i++) {
                snprintf(path, sizeof path, "/v1/sockets/%s/send?text=x&timeout_ms=30000",
                        pairs[i / PER_SOCKET].far);
                struct reply *const sent =
                        exchange(stage->client, &(struct request){ .method = "POST", .path = path });
                expect_status(sent, 200);
                reply_free(sent);
        }
        for (size_t i = 0; i < PARKED; i++) {
                struct wire_reply reply;
                wire_read(connections[i], &reply);
                close(connections[i]);
                assert_int_equal(reply.status, 200);
                assert_non_null(strstr(reply.body, "eA=="));
        }
}

/* A client that comes and goes in the way of its number. */
static void visit(const struct daemon *daemon, const char *path, unsigned number)
{
        const enum transport transport = number % 2 ? OVER_TCP : OVER_UNIX;
        const int fd = wire_open(daemon, transport);
        if (number % 3 == 0)
                wire_write(fd, "POST /v1/sock");
        else
                wire_post(fd, daemon, number % 3 == 1 ? path : "/healthz");
        if (number % 4 == 1)
                wire_reset(fd);
        else
                close(fd);
}

/* Clients that connect, ask, and leave without waiting for the answer, in every way. The daemon keeps no
 * descriptor. */
static void churn(struct stage *stage)
{
        enum { CLIENTS = 600 };
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/recv?size=9&timeout_ms=60000", pair.near);
        client_disconnect(stage->client);
        get(stage, 200, "/healthz");
        const long descriptors = daemon_descriptors(stage->daemon);
        for (unsigned i = 0; i < CLIENTS; i++)
                visit(stage->daemon, path, i);
        await_parked(stage, pair.near, 0);
        const int64_t deadline = milliseconds() + 30000;
        while (daemon_descriptors(stage->daemon) > descriptors)
                if (milliseconds() > deadline)
                        fail_msg("%ld descriptors, not %ld", daemon_descriptors(stage->daemon), descriptors);
        act(stage, pair.far, "send", 200, "{'text':'whole'}");
        expect_text(act(stage, pair.near, "recv", 200, "{'size':9}"), "whole");
}

/* Sockets that are made and closed by several at once are all counted. */
static void made_and_closed(struct stage *stage)
{
        enum { MAKERS = 4, ROUNDS = 50 };
        struct pending *pending[MAKERS];
        for (int round = 0; round < ROUNDS; round++) {
                const char *const id =
                        make(stage, "{'family':'AF_INET','type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
                for (int i = 0; i < MAKERS; i++)
                        pending[i] = later(stage, id, "recv", "{'size':1,'timeout_ms':30000}");
                await_parked(stage, id, MAKERS);
                drop(stage, 204, "/v1/sockets/%s", id);
                for (int i = 0; i < MAKERS; i++)
                        expect_errno(finish(stage, pending[i], 422), "ECANCELED");
        }
        assert_int_equal(count_sockets(stage), 0);
}

static const struct scenario scenarios[] = {
        { "one socket, many clients", one_socket_many_clients },
        { "nothing is lost between two", nothing_lost_between_two },
        { "thousands parked", thousands_parked },
        { "churn", churn },
        { "made and closed", made_and_closed },
};

int main(void)
{
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("concurrency", NULL);
}
