/* steps.c: what scenarios are told in: make a socket, act on it, expect this, do that meanwhile. */
#include "tests/http/steps.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 4096, PARKED_DEADLINE_MS = 30000 };

struct pending {
        pthread_t thread;
        struct client *client;
        struct request request;
        struct reply *reply;
        char *path, *json;
};

char *requote(const char *text)
{
        char *const copy = strdup(text);
        assert_non_null(copy);
        for (char *c = strchr(copy, '\''); c; c = strchr(c, '\''))
                *c = '"';
        return copy;
}

/* NULL for "". To be freed. */
__attribute__((format(printf, 1, 0))) static char *format_json(const char *format, va_list arguments)
{
        char *text = NULL, *json = NULL;
        assert_true(vasprintf(&text, format, arguments) >= 0);
        if (*text)
                json = requote(text);
        free(text);
        return json;
}

static struct reply *run(
        struct stage *stage, int status, const char *method, const char *path, const char *json)
{
        const struct request request = { .method = method, .path = path, .json = json };
        struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
        expect_status(reply, status);
        return reply;
}

struct reply *get(struct stage *stage, int status, const char *path, ...)
{
        char text[PATH_SIZE];
        va_list arguments;
        va_start(arguments, path);
        vsnprintf(text, sizeof text, path, arguments);
        va_end(arguments);
        return run(stage, status, "GET", text, NULL);
}

struct reply *drop(struct stage *stage, int status, const char *path, ...)
{
        char text[PATH_SIZE];
        va_list arguments;
        va_start(arguments, path);
        vsnprintf(text, sizeof text, path, arguments);
        va_end(arguments);
        return run(stage, status, "DELETE", text, NULL);
}

__attribute__((format(printf, 4, 0))) static struct reply *post_list(
        struct stage *stage, int status, const char *path, const char *format, va_list arguments)
{
        char *const json = format_json(format, arguments);
        struct reply *const reply = run(stage, status, "POST", path, json);
        free(json);
        return reply;
}

struct reply *post(struct stage *stage, int status, const char *path, const char *json, ...)
{
        va_list arguments;
        va_start(arguments, json);
        struct reply *const reply = post_list(stage, status, path, json, arguments);
        va_end(arguments);
        return reply;
}

struct reply *act(struct stage *stage, const char *id, const char *action, int status, const char *json, ...)
{
        char path[PATH_SIZE];
        va_list arguments;
        snprintf(path, sizeof path, "/v1/sockets/%s/%s", id, action);
        va_start(arguments, json);
        struct reply *const reply = post_list(stage, status, path, json, arguments);
        va_end(arguments);
        return reply;
}

struct reply *act_refused(struct stage *stage, const char *id, const char *action, const char *errno_name,
        const char *json, ...)
{
        char path[PATH_SIZE];
        va_list arguments;
        snprintf(path, sizeof path, "/v1/sockets/%s/%s", id, action);
        va_start(arguments, json);
        struct reply *const reply = post_list(stage, 422, path, json, arguments);
        va_end(arguments);
        expect_errno(reply, errno_name);
        return reply;
}

const char *make(struct stage *stage, const char *json, ...)
{
        va_list arguments;
        va_start(arguments, json);
        const struct reply *const reply = post_list(stage, 201, "/v1/sockets", json, arguments);
        va_end(arguments);
        return text_at(reply, "id");
}

struct ends make_pair(struct stage *stage, const char *type)
{
        const struct reply *const reply =
                post(stage, 201, "/v1/socketpairs", "{'family':'AF_UNIX','type':'%s'}", type);
        return (struct ends){ .near = text_at(reply, "sockets.0.id"), .far = text_at(reply, "sockets.1.id") };
}

struct link make_link(struct stage *stage)
{
        const struct reply *const listener = post(stage, 201, "/v1/sockets",
                "{'family':'AF_INET','type':'SOCK_STREAM','bind':'127.0.0.1:0','listen':{'backlog':16}}");
        struct link link = { .listener = text_at(listener, "id"),
                .port = (int)number_at(listener, "local.port") };
        link.near =
                make(stage, "{'family':'AF_INET','type':'SOCK_STREAM','connect':'127.0.0.1:%d'}", link.port);
        link.far = text_at(act(stage, link.listener, "accept", 201, ""), "id");
        return link;
}

struct reply *act_raw(
        struct stage *stage, const char *id, const char *action, int status, const void *bytes, size_t size)
{
        return finish(stage, later_raw(stage, id, action, bytes, size, false), status);
}

struct reply *act_for_raw(struct stage *stage, const char *id, const char *action, int status)
{
        return finish(stage, later_raw(stage, id, action, NULL, 0, true), status);
}

static void *pending_run(void *context)
{
        struct pending *const pending = context;
        pending->reply = exchange(pending->client, &pending->request);
        return NULL;
}

/* Takes json over. */
static struct pending *pending_start(struct stage *stage, const char *id, const char *action, char *json)
{
        struct pending *const pending = calloc(1, sizeof *pending);
        assert_non_null(pending);
        pending->client = client_new(stage->daemon, stage->client == stage->over_unix ? OVER_UNIX : OVER_TCP);
        pending->json = json;
        assert_true(asprintf(&pending->path, "/v1/sockets/%s/%s", id, action) > 0);
        pending->request = (struct request){ .method = "POST", .path = pending->path, .json = json };
        return pending;
}

struct pending *later(struct stage *stage, const char *id, const char *action, const char *json, ...)
{
        va_list arguments;
        va_start(arguments, json);
        struct pending *const pending = pending_start(stage, id, action, format_json(json, arguments));
        va_end(arguments);
        assert_int_equal(pthread_create(&pending->thread, NULL, pending_run, pending), 0);
        return pending;
}

struct pending *later_post(struct stage *stage, const char *path, const char *json, ...)
{
        va_list arguments;
        va_start(arguments, json);
        struct pending *const pending = pending_start(stage, "", "", format_json(json, arguments));
        va_end(arguments);
        free(pending->path);
        pending->path = strdup(path);
        assert_non_null(pending->path);
        pending->request.path = pending->path;
        assert_int_equal(pthread_create(&pending->thread, NULL, pending_run, pending), 0);
        return pending;
}

struct pending *later_raw(struct stage *stage, const char *id, const char *action, const void *bytes,
        size_t size, bool raw_reply)
{
        struct pending *const pending = pending_start(stage, id, action, NULL);
        pending->request.raw = bytes;
        pending->request.raw_size = size;
        if (raw_reply)
                pending->request.headers[0] = "Accept: application/octet-stream";
        assert_int_equal(pthread_create(&pending->thread, NULL, pending_run, pending), 0);
        return pending;
}

struct reply *finish(struct stage *stage, struct pending *pending, int status)
{
        pthread_join(pending->thread, NULL);
        struct reply *const reply = stage_keep(stage, pending->reply);
        client_free(pending->client);
        free(pending->path);
        free(pending->json);
        free(pending);
        expect_status(reply, status);
        return reply;
}

void await_parked(struct stage *stage, const char *id, int count)
{
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "/v1/sockets/%s", id);
        const int64_t deadline = milliseconds() + PARKED_DEADLINE_MS;
        client_set_quiet(stage->client, true);
        for (int64_t parked = -1; parked != count;) {
                struct reply *const reply =
                        exchange(stage->client, &(struct request){ .method = "GET", .path = path });
                expect_status(reply, 200);
                parked = number_at(reply, "parked");
                reply_free(reply);
                if (milliseconds() > deadline)
                        fail_msg("%d calls are parked on %s, not %d", (int)parked, id, count);
        }
        client_set_quiet(stage->client, false);
}

size_t count_sockets(struct stage *stage)
{
        return json_array_size(json_at(get(stage, 200, "/v1/sockets?limit=1000")->json, "sockets"));
}
