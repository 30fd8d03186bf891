/* exchange.h: drives calls as the HTTP server does, without HTTP, on one pair of sockets. */
#pragma once

#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include "api/call.h"
#include "daemon/sockets/background.h"
#include "tests/unit/ends.h"
#include "tests/unit/rows.h"

struct exchange {
        struct call call; /* first, so that a call is its exchange */
        sem_t resumed;
        int suspends, resumes;
        char *body;
        struct call_reply reply;
        json_t *json; /* of the reply, or NULL */
};

static struct service exchange_service;

static inline void exchange_suspend(struct call *call)
{
        ((struct exchange *)call)->suspends++;
}

static inline void exchange_resume(struct call *call)
{
        struct exchange *const exchange = (struct exchange *)call;
        exchange->resumes++;
        sem_post(&exchange->resumed);
}

static inline const struct operation *exchange_operation(const char *name)
{
        for (size_t i = 0; i < operation_count; i++)
                if (strcmp(operations[i].name, name) == 0)
                        return &operations[i];
        fail_msg("no operation is called %s", name);
        return NULL;
}

/* Adds "name=value&name=value", as it stands. */
static inline bool exchange_add_query(struct exchange *exchange, const char *query)
{
        for (const char *at = query; at != NULL && *at != '\0';) {
                char name[256];
                const size_t size = strcspn(at, "&");
                const size_t name_size = strcspn(at, "=&");
                memcpy(name, at, name_size);
                name[name_size] = '\0';
                const bool has_value = name_size < size;
                if (!call_add_query(&exchange->call, name, has_value ? at + name_size + 1 : NULL,
                            has_value ? size - name_size - 1 : 0))
                        return false;
                at += size + (at[size] == '&');
        }
        return true;
}

/* Begins a call; its parameters are to be added. */
static inline bool exchange_open_call(
        struct exchange *exchange, const char *operation, const struct socket *socket)
{
        char id[SOCKET_ID_SIZE] = "";
        *exchange = (struct exchange){
                .call = { .suspend = exchange_suspend, .resume = exchange_resume, .client_fd = -1 }
        };
        sem_init(&exchange->resumed, 0, 0);
        if (socket != NULL)
                registry_format_id(exchange_service.registry, socket->number, id);
        return call_begin(&exchange->call, &exchange_service, exchange_operation(operation), id);
}

/* Begins and decodes a call. False: it may only be replied to. */
static inline bool exchange_begin(struct exchange *exchange, const char *operation,
        const struct socket *socket, const char *query, const char *json)
{
        if (!exchange_open_call(exchange, operation, socket) || !exchange_add_query(exchange, query))
                return false;
        exchange->body = json == NULL ? NULL : strdup(json);
        return (json == NULL || call_add_json(&exchange->call, exchange->body, strlen(json))) &&
               call_decode(&exchange->call);
}

/* Waits for resume(); fails after twenty seconds. */
static inline void exchange_await(struct exchange *exchange)
{
        struct timespec deadline;
        clock_gettime(CLOCK_REALTIME, &deadline);
        deadline.tv_sec += 20;
        int failed;
        while ((failed = sem_timedwait(&exchange->resumed, &deadline)) != 0 && errno == EINTR) {
        }
        assert_int_equal(failed, 0);
}

static inline void exchange_reply(struct exchange *exchange)
{
        assert_true(call_reply(&exchange->call, &exchange->reply));
        if (exchange->reply.media != NULL && strstr(exchange->reply.media, "json") != NULL) {
                exchange->json =
                        json_loadb((const char *)exchange->reply.body, exchange->reply.size, 0, NULL);
                assert_non_null(exchange->json);
        }
}

/* Runs on to the end, and replies. */
static inline void exchange_finish(struct exchange *exchange)
{
        while (call_run(&exchange->call) == CALL_PARKED)
                exchange_await(exchange);
        exchange_reply(exchange);
        assert_int_equal(exchange->suspends, exchange->resumes);
}

static inline void exchange_clean(struct exchange *exchange)
{
        call_release(&exchange->call);
        json_decref(exchange->json);
        free(exchange->reply.body);
        free(exchange->reply.members);
        free(exchange->body);
        sem_destroy(&exchange->resumed);
}

/* Begins, runs and replies. */
static inline void exchange_make(struct exchange *exchange, const char *operation,
        const struct socket *socket, const char *query, const char *json)
{
        if (exchange_begin(exchange, operation, socket, query, json))
                exchange_finish(exchange);
        else
                exchange_reply(exchange);
}

/* Whether all of `expected` stands in `actual`; lists must be equal. */
static inline bool exchange_holds(const json_t *actual, json_t *expected)
{
        const char *name;
        json_t *value;
        if (!json_is_object(expected) || !json_is_object(actual))
                return json_equal(actual, expected) == 1;
        json_object_foreach(expected, name,
                value) if (!exchange_holds(json_object_get(actual, name), value)) return false;
        return true;
}

/* Checks the status, and that the reply holds at least those members. */
static inline void exchange_check(const struct exchange *exchange, int status, const char *members)
{
        json_t *const expected = members == NULL ? NULL : json_loads(members, 0, NULL);
        assert_true(members == NULL || expected != NULL);
        const bool holds = expected == NULL || exchange_holds(exchange->json, expected);
        json_decref(expected);
        if (exchange->reply.status != status || !holds)
                fail_msg("expected %d %s, got %d %.*s", status, members, exchange->reply.status,
                        (int)exchange->reply.size, (const char *)exchange->reply.body);
}

/* A published socket, and its peer's descriptor. */
struct scene {
        struct socket *socket;
        int peer;
};

static inline void scene_set(struct scene *scene, int family, int type)
{
        struct ends ends;
        assert_true(ends_open(&ends, family, type));
        scene->socket = socket_new(ends.one, family, type, 0);
        assert_non_null(scene->socket);
        assert_int_equal(registry_reserve(exchange_service.registry, NULL, 1).kind, RESULT_DONE);
        registry_publish(exchange_service.registry, scene->socket);
        scene->peer = ends.other;
}

static inline void scene_clean(struct scene *scene)
{
        if (registry_unpublish(exchange_service.registry, scene->socket)) {
                scene->socket->closed = true;
                waiter_cancel(exchange_service.waiter, scene->socket);
                socket_release(scene->socket);
        }
        socket_release(scene->socket);
        end_close(&scene->peer);
}

static inline void scene_feed(const struct scene *scene, const char *text)
{
        assert_int_equal(send(scene->peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Closes it as a client does. */
static inline void scene_delete(struct scene *scene)
{
        struct exchange exchange;
        exchange_make(&exchange, "socket_delete", scene->socket, NULL, NULL);
        exchange_check(&exchange, 204, NULL);
        exchange_clean(&exchange);
}

static inline bool exchange_open(void)
{
        exchange_service.registry = registry_new(100);
        exchange_service.waiter = waiter_new(256);
        exchange_service.sessions = sessions_new(exchange_service.registry, exchange_service.waiter, NULL);
        exchange_service.default_timeout_ms = 30000;
        exchange_service.max_timeout_ms = 60000;
        exchange_service.max_body_size = 1 << 20;
        return exchange_service.registry != NULL && exchange_service.waiter != NULL &&
               exchange_service.sessions != NULL;
}

static inline void exchange_close(void)
{
        waiter_shut_down(exchange_service.waiter);
        background_stop(now_ns() + 20000000000);
        sessions_free(exchange_service.sessions);
        waiter_free(exchange_service.waiter);
        registry_free(exchange_service.registry);
}
