/* test_contract.c: whatever the contract lists, in each of the ways in which every operation may fail. */
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/steps.h"

enum { OPERATIONS_MAX = 64, MAX_SOCKETS = 4 };

struct operation {
        char method[8], path[128]; /* with an unknown id */
        bool has_id, is_of_session;
        bool uploads;            /* a PUT of a payload */
        const json_t *responses; /* as long as the scenario lasts */
};

static struct operations {
        struct operation rows[OPERATIONS_MAX];
        size_t count;
} operations;

static const char *const arguments[] = { "--max-body", "65536", "--max-sockets", "4", NULL };

static void operation_add(const char *path, const char *method, const json_t *object)
{
        const json_t *const content = json_object_get(json_object_get(object, "requestBody"), "content");
        assert_true(operations.count < OPERATIONS_MAX);
        struct operation *const operation = &operations.rows[operations.count++];
        const char *const mark = strstr(path, "{id}");
        const int before = mark ? (int)(mark - path) : (int)strlen(path);
        snprintf(operation->path, sizeof operation->path, "%.*s%s%s", before, path, mark ? "none-1" : "",
                mark ? mark + 4 : "");
        for (size_t i = 0; i < sizeof operation->method - 1 && method[i]; i++)
                operation->method[i] = (char)toupper((unsigned char)method[i]);
        operation->has_id = mark != NULL;
        operation->is_of_session = mark && strncmp(path, "/v1/sessions/", 13) == 0;
        operation->uploads =
                strcmp(method, "put") == 0 && json_object_get(content, "application/octet-stream");
        operation->responses = json_object_get(object, "responses");
}

/* Whether the contract lists the status for it. */
static bool may_answer(const struct operation *operation, const char *status)
{
        return json_object_get(operation->responses, status) != NULL;
}

static void operations_read(struct stage *stage)
{
        operations.count = 0;
        json_t *const paths = json_at(get(stage, 200, "/openapi.json")->json, "paths");
        const char *path, *method;
        json_t *item, *operation;
        json_object_foreach(paths, path, item)
        {
                json_object_foreach(item, method, operation)
                {
                        operation_add(path, method, operation);
                }
        }
        assert_true(operations.count >= 30);
}

/* How one status is brought about, whatever the operation, where the contract lists it. */
static const struct provocation {
        const char *name;
        int status;
        const char *documented; /* the status in the contract; NULL: any request may meet it */
        const char *query, *method, *json, *type;
        bool no_token, of_json;
} provocations[] = {
        { .name = "without a token", .status = 401, .documented = "401", .no_token = true },
        { .name = "an unknown parameter", .status = 400, .documented = "400", .query = "?nonesuch=1" },
        { .name = "a wrong method", .status = 405, .method = "PATCH" },
        { .name = "no JSON", .status = 400, .documented = "400", .json = "{", .of_json = true },
        { .name = "an unknown member",
                .status = 400,
                .documented = "400",
                .json = "{\"nonesuch\":1}",
                .of_json = true },
        { .name = "a wrong media type",
                .status = 415,
                .documented = "415",
                .json = "{}",
                .type = "text/plain" },
};

/* Operations with an id are called on a socket, or a session, that is there. */
static char *operation_path(const struct operation *operation, const char *id, const char *query)
{
        char *path = NULL;
        const char *const mark = operation->has_id ? strstr(operation->path, "none-1") : NULL;
        const int before = mark ? (int)(mark - operation->path) : (int)strlen(operation->path);
        assert_true(asprintf(&path, "%.*s%s%s%s", before, operation->path, mark ? id : "",
                            mark ? mark + 6 : "", query ? query : "") > 0);
        return path;
}

static const char *subject_make(struct stage *stage, const struct operation *operation)
{
        return operation->is_of_session ? text_at(post(stage, 201, "/v1/sessions", ""), "id")
                                        : make(stage, "{'family':'AF_INET','type':'SOCK_DGRAM'}");
}

static void subject_drop(struct stage *stage, const struct operation *operation, const char *id)
{
        drop(stage, 204, "/v1/%s/%s", operation->is_of_session ? "sessions" : "sockets", id);
}

static void provoke(struct stage *stage, const struct provocation *way, const struct operation *operation)
{
        const char *const id = subject_make(stage, operation);
        char *const path = operation_path(operation, id, way->query);
        const struct request request = {
                .method = way->method ? way->method : operation->method,
                .path = path,
                .json = way->json,
                .type = way->type,
                .no_token = way->no_token,
        };
        struct client *const client = way->no_token ? stage->over_tcp : stage->client;
        expect_problem(stage_keep(stage, exchange(client, &request)), way->status, NULL);
        free(path);
        subject_drop(stage, operation, id);
}

static void play_provocation(struct stage *stage, const void *row)
{
        const struct provocation *const way = row;
        operations_read(stage);
        for (size_t i = 0; i < operations.count; i++) {
                const struct operation *const operation = &operations.rows[i];
                const bool takes_json = strcmp(operation->method, "POST") == 0;
                if ((!way->documented || may_answer(operation, way->documented)) &&
                        (takes_json || !way->of_json))
                        provoke(stage, way, operation);
        }
}

static void unknown_ids(struct stage *stage)
{
        operations_read(stage);
        for (size_t i = 0; i < operations.count; i++) {
                const struct operation *const operation = &operations.rows[i];
                if (!operation->has_id)
                        continue;
                const bool is_raw = operation->uploads;
                const struct request request = {
                        .method = operation->method,
                        .path = operation->path,
                        .raw = is_raw ? "x" : NULL,
                        .raw_size = is_raw,
                };
                expect_problem(stage_keep(stage, exchange(stage->client, &request)), 404, NULL);
        }
}

static void unknown_path(struct stage *stage)
{
        expect_problem(get(stage, 404, "/v2/sockets"), 404, NULL);
}

/* A stream has no limit, but what is collected has: JSON and datagrams. */
static void too_large(struct stage *stage)
{
        enum { SIZE = 1 << 20 };
        char *const body = malloc(SIZE + 1);
        assert_non_null(body);
        memset(body, ' ', SIZE);
        memcpy(body + SIZE - 2, "{}", 3);
        operations_read(stage);
        for (size_t i = 0; i < operations.count; i++) {
                const struct operation *const operation = &operations.rows[i];
                if (!may_answer(operation, "413"))
                        continue;
                const char *const id = subject_make(stage, operation);
                char *const path = operation_path(operation, id, NULL);
                const bool is_raw = operation->uploads;
                const struct request request = {
                        .method = operation->method,
                        .path = path,
                        .json = is_raw ? NULL : body,
                        .raw = is_raw ? body : NULL,
                        .raw_size = SIZE,
                };
                expect_problem(stage_keep(stage, exchange(stage->client, &request)), 413, NULL);
                subject_drop(stage, operation, id);
                free(path);
        }
        free(body);
}

/* What makes a socket is refused at the limit, and takes nothing: the connection is accepted when there is
 * room. */
static void quota(struct stage *stage)
{
        const struct reply *const server =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':true}");
        const char *const listener = text_at(server, "id");
        make(stage, "{'connect':'127.0.0.1:%d'}", (int)number_at(server, "local.port"));
        const char *const spare = make(stage, "");
        expect_problem(post(stage, 429, "/v1/socketpairs", "{'family':'AF_UNIX'}"), 429, NULL);
        make(stage, "");
        assert_int_equal(count_sockets(stage), MAX_SOCKETS);
        expect_problem(post(stage, 429, "/v1/sockets", ""), 429, NULL);
        expect_problem(act(stage, listener, "accept", 429, ""), 429, NULL);
        drop(stage, 204, "/v1/sockets/%s", spare);
        act(stage, listener, "accept", 201, "");
}

/* Each operation's refusal by the kernel: as a 422, as an expected 200, and as an outcome other than
 * expected. "{port}" is that of a listener with nothing to accept, "{id}" a new TCP socket, "{listener}" that
 * listener. */
static const struct refusal {
        const char *name, *path, *members, *errno_name;
} refusals[] = {
        { "create", "/v1/sockets", "'connect':'127.0.0.1:1'", "ECONNREFUSED" },
        { "pair", "/v1/socketpairs", "'family':'AF_INET'", "EOPNOTSUPP" },
        { "bind", "/v1/sockets/{id}/bind", "'address':'203.0.113.1:0'", "EADDRNOTAVAIL" },
        { "listen", "/v1/sockets/{udp}/listen", "'backlog':1", "EOPNOTSUPP" },
        { "accept", "/v1/sockets/{id}/accept", "'timeout_ms':0", "EINVAL" },
        { "connect", "/v1/sockets/{id}/connect", "'address':'127.0.0.1:1'", "ECONNREFUSED" },
        { "shutdown", "/v1/sockets/{id}/shutdown", "'how':'SHUT_WR'", "ENOTCONN" },
        { "send", "/v1/sockets/{id}/send", "'text':'x'", "EPIPE" },
        { "recv", "/v1/sockets/{id}/recv", "'size':1", "ENOTCONN" },
        { "sendto", "/v1/sockets/{udp}/sendto", "'text':'x','address':'127.0.0.1:0'", "EINVAL" },
        { "recvfrom", "/v1/sockets/{udp}/recvfrom", "'size':1,'timeout_ms':0", "EAGAIN" },
        { "setsockopt", "/v1/sockets/{id}/setsockopt", "'level':1,'option':9999,'raw':'AQAAAA=='",
                "ENOPROTOOPT" },
        { "getsockopt", "/v1/sockets/{id}/getsockopt", "'level':1,'option':9999", "ENOPROTOOPT" },
};

static void play_refusal(struct stage *stage, const void *row)
{
        const struct refusal *const refusal = row;
        const char *const mark = strchr(refusal->path, '{');
        const bool is_udp = strstr(refusal->path, "{udp}") != NULL;
        const char *const id =
                mark ? make(stage, "{'family':'AF_INET','type':'%s'}", is_udp ? "SOCK_DGRAM" : "SOCK_STREAM")
                     : "";
        char path[128];
        snprintf(path, sizeof path, "%.*s%s%s", mark ? (int)(mark - refusal->path) : 127, refusal->path, id,
                mark ? strchr(mark, '}') + 1 : "");
        const size_t before = count_sockets(stage);
        expect_errno(post(stage, 422, path, "{%s}", refusal->members), refusal->errno_name);
        const struct reply *const expected = post(
                stage, 200, path, "{%s,'expect':['ENOTDIR','%s']}", refusal->members, refusal->errno_name);
        assert_string_equal(text_at(expected, "errno"), refusal->errno_name);
        const struct reply *const unexpected =
                post(stage, 422, path, "{%s,'expect':['ENOTDIR']}", refusal->members);
        expect_problem(unexpected, 422, NULL);
        assert_string_equal(text_at(unexpected, "errno"), refusal->errno_name);
        assert_int_equal(count_sockets(stage), before);
}

/* A request whose body is held back until gate_open(): the daemon does not end before it is answered. */
static struct {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool held, released;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void gate_hold(void *context)
{
        (void)context;
        pthread_mutex_lock(&gate.lock);
        gate.held = true;
        pthread_cond_broadcast(&gate.changed);
        while (!gate.released)
                pthread_cond_wait(&gate.changed, &gate.lock);
        pthread_mutex_unlock(&gate.lock);
}

static void gate_await(void)
{
        struct timespec deadline;
        clock_gettime(CLOCK_REALTIME, &deadline);
        deadline.tv_sec += 30;
        int failed = 0;
        pthread_mutex_lock(&gate.lock);
        while (!gate.held && !failed)
                failed = pthread_cond_timedwait(&gate.changed, &gate.lock, &deadline);
        pthread_mutex_unlock(&gate.lock);
        assert_int_equal(failed, 0);
}

static void gate_open(void)
{
        pthread_mutex_lock(&gate.lock);
        gate.released = true;
        pthread_cond_broadcast(&gate.changed);
        pthread_mutex_unlock(&gate.lock);
}

static void *gatekeeper_run(void *context)
{
        static const struct request request = {
                .method = "POST", .path = "/v1/socketpairs", .json = "{}", .hold = gate_hold
        };
        return exchange(context, &request);
}

/* Connections that were there before SIGTERM. */
static void connections_open(struct client **clients, size_t count, const struct daemon *daemon)
{
        for (size_t i = 0; i < count; i++) {
                clients[i] = client_new(daemon, OVER_UNIX);
                struct reply *const reply =
                        exchange(clients[i], &(struct request){ .method = "GET", .path = "/healthz" });
                expect_status(reply, 200);
                reply_free(reply);
        }
}

static void expect_shutting_down(
        struct stage *stage, const struct operation *operation, struct client *client, const char *id)
{
        if (may_answer(operation, "503")) {
                char *const path = operation_path(operation, id, NULL);
                const bool is_raw = operation->uploads;
                const struct request request = { .method = operation->method,
                        .path = path,
                        .raw = is_raw ? "x" : NULL,
                        .raw_size = is_raw };
                expect_problem(stage_keep(stage, exchange(client, &request)), 503, NULL);
                free(path);
        }
        client_free(client);
}

/* While requests are still under way after SIGTERM, all others are answered 503. */
static void shutdown_for_all(struct stage *stage)
{
        struct client *clients[OPERATIONS_MAX] = { 0 };
        struct stage other;
        pthread_t gatekeeper;
        void *last = NULL;
        operations_read(stage);
        stage_open(&other, NULL);
        connections_open(clients, operations.count, other.daemon);
        const struct ends pair = make_pair(&other, "SOCK_STREAM");
        struct pending *const sign = later(&other, pair.near, "recv", "{'size':1,'timeout_ms':30000}");
        await_parked(&other, pair.near, 1);
        assert_int_equal(pthread_create(&gatekeeper, NULL, gatekeeper_run, other.over_unix), 0);
        gate_await();
        daemon_terminate(other.daemon);
        finish(&other, sign, 503);
        for (size_t i = 0; i < operations.count; i++)
                expect_shutting_down(&other, &operations.rows[i], clients[i], pair.far);
        gate_open();
        pthread_join(gatekeeper, &last);
        stage_keep(stage, last);
        daemon_wait(other.daemon);
        stage_close(&other, stage);
}

/* The same for uploads, whose parameters stand in the query. */
static void upload_refused(struct stage *stage)
{
        static const struct {
                const char *query;
                int status;
        } rows[] = { { "", 422 }, { "?expect=EPIPE", 200 }, { "?expect=ENOTDIR", 422 } };
        const char *const id = make(stage, "");
        for (size_t i = 0; i < COUNT(rows); i++) {
                char path[128];
                snprintf(path, sizeof path, "/v1/sockets/%s/send%s", id, rows[i].query);
                const struct request request = { .method = "PUT", .path = path, .raw = "x", .raw_size = 1 };
                const struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
                expect_status(reply, rows[i].status);
                assert_string_equal(text_at(reply, "errno"), "EPIPE");
        }
}

static const struct scenario scenarios[] = {
        { "an upload refused", upload_refused },
        { "unknown ids", unknown_ids },
        { "unknown path", unknown_path },
        { "too large", too_large },
        { "quota", quota },
        { "all during shutdown", shutdown_for_all },
};

int main(void)
{
        SUITE_ADD_ROWS(play_provocation, provocations);
        SUITE_ADD_ROWS(play_refusal, refusals);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("contract", arguments);
}
