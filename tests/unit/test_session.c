/* test_session.c: sessions are listed, renewed and bounded, and what is made while they end is not left. */
#include "daemon/sockets/session.h"

#include <stdio.h>
#include <sys/un.h>

#include "daemon/sockets/cleanup.h"
#include "tests/unit/exchange.h"

enum { LONG_MS = 60000 };

static struct session *add(struct account *owner, int64_t ttl_ms)
{
        struct session *session = NULL;
        assert_int_equal(
                sessions_add(exchange_service.sessions, owner, ttl_ms, "", 0, &session).kind, RESULT_DONE);
        assert_non_null(session);
        return session;
}

static void end(struct session *session)
{
        assert_true(session_end(exchange_service.sessions, session));
        assert_false(session_end(exchange_service.sessions, session));
        assert_false(session_renew(exchange_service.sessions, session, LONG_MS));
        assert_null(sessions_find(exchange_service.sessions, session->number));
        session_release(session);
}

/* In the order of their making, from any place, whichever of them end. */
static void lists(void **state)
{
        (void)state;
        enum { COUNT_OF_ALL = 5 };
        struct session *all[COUNT_OF_ALL], *found[COUNT_OF_ALL];
        for (int i = 0; i < COUNT_OF_ALL; i++)
                all[i] = add(NULL, LONG_MS);
        end(all[4]);
        end(all[1]);
        all[4] = add(NULL, LONG_MS);
        struct session *const left[] = { all[0], all[2], all[3], all[4] };
        assert_int_equal(sessions_list(exchange_service.sessions, 0, found, COUNT_OF_ALL), 4);
        for (int i = 0; i < 4; i++) {
                assert_ptr_equal(found[i], left[i]);
                session_release(found[i]);
        }
        assert_int_equal(sessions_list(exchange_service.sessions, all[2]->number, found, 1), 1);
        assert_ptr_equal(found[0], all[3]);
        session_release(found[0]);
        for (int i = 0; i < 4; i++)
                end(left[i]);
}

/* Each account has its own. */
static void bounded(void **state)
{
        (void)state;
        struct account one = { .name = "one" }, other = { .name = "other" };
        struct session *all[SESSIONS_EACH], *more = NULL;
        for (int i = 0; i < SESSIONS_EACH; i++)
                all[i] = add(&one, LONG_MS);
        assert_int_equal(
                sessions_add(exchange_service.sessions, &one, LONG_MS, "", 0, &more).kind, RESULT_QUOTA);
        assert_null(more);
        end(add(&other, LONG_MS));
        end(all[0]);
        all[0] = add(&one, LONG_MS);
        for (int i = 0; i < SESSIONS_EACH; i++)
                end(all[i]);
}

/* A lease is as long as was last said. */
static void renews(void **state)
{
        (void)state;
        struct session *const session = add(NULL, LONG_MS);
        const struct lease first = session_lease(exchange_service.sessions, session);
        assert_int_equal(first.ttl_ms, LONG_MS);
        assert_true(session_renew(exchange_service.sessions, session, 2 * LONG_MS + 999));
        assert_true(session_renew(exchange_service.sessions, session, 0));
        const struct lease second = session_lease(exchange_service.sessions, session);
        assert_int_equal(second.ttl_ms, 2 * LONG_MS + 999);
        assert_true(second.deadline_ns - first.deadline_ns >= (int64_t)(LONG_MS + 999) * 1000000);
        assert_in_range(second.expires.tv_nsec, 0, 999999999);
        assert_in_range(second.expires.tv_sec - first.expires.tv_sec, LONG_MS / 1000, LONG_MS / 1000 + 30);
        end(session);
}

static void publish_in(struct session *session, struct socket **out)
{
        const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct socket *const socket = socket_new(fd, AF_UNIX, SOCK_STREAM, 0);
        assert_non_null(socket);
        socket->session = session_reference(session);
        *out = socket;
}

/* More sockets than are looked at in one go, among those of others. */
static void closes(void **state)
{
        (void)state;
        enum { SOCKETS = 80 };
        struct session *const session = add(NULL, LONG_MS), *const neighbour = add(NULL, LONG_MS);
        struct socket *all[SOCKETS], *late = NULL;
        for (int i = 0; i < SOCKETS; i++) {
                publish_in(i % 8 == 0 ? neighbour : session, &all[i]);
                assert_int_equal(registry_reserve(exchange_service.registry, NULL, 1).kind, RESULT_DONE);
                assert_true(registry_publish(exchange_service.registry, all[i]));
        }
        assert_int_equal(session->sockets, SOCKETS - SOCKETS / 8);
        publish_in(session, &late);
        end(session_reference(session));
        assert_int_equal(session->sockets, 0);
        assert_int_equal(neighbour->sockets, SOCKETS / 8);
        assert_int_equal(registry_count(exchange_service.registry), SOCKETS / 8);
        assert_false(registry_publish(exchange_service.registry, late));
        assert_int_equal(registry_count(exchange_service.registry), SOCKETS / 8);
        socket_release(late);
        end(neighbour);
        for (int i = 0; i < SOCKETS; i++) {
                assert_true(all[i]->closed);
                socket_release(all[i]);
        }
        session_release(session);
}

/* By itself, and its sockets with it, while another one is renewed. */
static void expires(void **state)
{
        (void)state;
        struct scene scene;
        struct exchange exchange;
        struct session *const renewed = add(NULL, TTL_MIN_MS), *const session =
                                                                       add(NULL, (int64_t)2 * TTL_MIN_MS);
        scene_set(&scene, AF_UNIX, SOCK_STREAM);
        scene.socket->session = session_reference(session);
        session->sockets++;
        assert_true(exchange_begin(&exchange, "socket_recv", scene.socket, "size=1", NULL));
        assert_int_equal(call_run(&exchange.call), CALL_PARKED);
        assert_true(session_renew(exchange_service.sessions, renewed, LONG_MS));
        exchange_await(&exchange);
        assert_int_equal(call_run(&exchange.call), CALL_DONE);
        exchange_reply(&exchange);
        exchange_check(&exchange, 422, "{\"errno\":\"ECANCELED\",\"call\":\"recv\"}");
        exchange_clean(&exchange);
        assert_null(sessions_find(exchange_service.sessions, session->number));
        session_release(session);
        end(renewed);
        scene_clean(&scene);
}

/* One that is full, at an abstract name. */
static int full_listener(char name[static 32], int *filler)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        socklen_t size = sizeof address.sun_family;
        const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(listener, (const struct sockaddr *)&address, size), 0);
        assert_int_equal(listen(listener, 0), 0);
        size = sizeof address;
        assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
        snprintf(name, 32, "%.*s", (int)(size - sizeof address.sun_family - 1), address.sun_path + 1);
        *filler = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(*filler, (const struct sockaddr *)&address, size), 0);
        return listener;
}

/* The session ends while a socket of its is yet to be connected: nobody learns of that socket. */
static void connecting(void **state)
{
        (void)state;
        int filler;
        char name[32], query[160], id[SOCKET_ID_SIZE];
        struct exchange exchange;
        const int listener = full_listener(name, &filler);
        struct session *const session = add(NULL, LONG_MS);
        registry_format_id(exchange_service.registry, session->number, id);
        snprintf(query, sizeof query, "connect=unix:@%s&session=%s", name, id);
        assert_true(exchange_begin(&exchange, "socket_create", NULL, query, NULL));
        assert_int_equal(call_run(&exchange.call), CALL_PARKED);
        end(session);
        close(accept(listener, NULL, NULL));
        exchange_await(&exchange);
        assert_int_equal(call_run(&exchange.call), CALL_DONE);
        exchange_reply(&exchange);
        exchange_check(&exchange, 422, "{\"errno\":\"ECANCELED\",\"call\":\"connect\"}");
        exchange_clean(&exchange);
        assert_int_equal(registry_count(exchange_service.registry), 0);
        close(filler);
        close(listener);
}

int main(void)
{
        static struct row_tests all;
        if (!exchange_open())
                return EXIT_FAILURE;
        rows_add_one(&all, "listed", lists);
        rows_add_one(&all, "bounded", bounded);
        rows_add_one(&all, "renewed", renews);
        rows_add_one(&all, "closed", closes);
        rows_add_one(&all, "expired", expires);
        rows_add_one(&all, "connecting", connecting);
        const int failed = rows_run("session", &all);
        exchange_close();
        return failed;
}
