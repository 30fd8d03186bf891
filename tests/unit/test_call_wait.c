/* test_call_wait.c: calls that park, and how they go on: in time, too late, closed, and piece by piece. */
#include <signal.h>
#include <sys/un.h>

#include "daemon/sockets/cleanup.h"
#include "tests/unit/exchange.h"

static void park(struct exchange *exchange, const char *operation, const struct socket *socket,
        const char *query, const char *json)
{
        assert_true(exchange_begin(exchange, operation, socket, query, json));
        assert_int_equal(call_run(&exchange->call), CALL_PARKED);
        assert_int_equal(exchange->suspends, 1);
}

/* What happens to a parked call; 0: the reply comes after that. */
static void feed(struct scene *scene)
{
        scene_feed(scene, "hello\n");
}

static void end_stream(struct scene *scene)
{
        assert_int_equal(shutdown(scene->peer, SHUT_WR), 0);
}

static void close_peer(struct scene *scene)
{
        end_close(&scene->peer);
}

static void reset_peer(struct scene *scene)
{
        end_reset(&scene->peer);
}

static void drain(struct scene *scene)
{
        assert_true(end_drain(scene->peer) > 0);
}

static void do_nothing(struct scene *scene)
{
        (void)scene;
}

struct wait_row {
        const char *name;
        int family;
        const char *operation, *query;
        void (*act)(struct scene *scene);
        int status;
        const char *members;
};

#define LATE(call) "{\"errno\":\"EAGAIN\",\"errno_number\":11,\"call\":\"" call "\",\"timed_out\":true}"
#define CLOSED(call) "{\"errno\":\"ECANCELED\",\"call\":\"" call "\",\"timed_out\":false}"

/* The send direction is full. */
static const struct wait_row wait_rows[] = {
        { "data comes", AF_UNIX, "socket_recv", NULL, feed, 200, "{\"data\":\"aGVsbG8K\"}" },
        { "data comes over TCP", AF_INET, "socket_recv", NULL, feed, 200, "{\"data\":\"aGVsbG8K\"}" },
        { "the end comes", AF_INET, "socket_recv", NULL, end_stream, 200, "{\"data\":\"\",\"eof\":true}" },
        { "a reset comes", AF_INET, "socket_recv", NULL, reset_peer, 422,
                "{\"errno\":\"ECONNRESET\",\"call\":\"recv\",\"timed_out\":false}" },
        { "until comes", AF_UNIX, "socket_recv", "until=6", feed, 200, "{\"size\":6,\"complete\":true}" },
        { "until never comes", AF_UNIX, "socket_recv", "until=7&timeout_ms=30", feed, 422, LATE("recv") },
        { "recv is late", AF_UNIX, "socket_recv", "timeout_ms=20", do_nothing, 422, LATE("recv") },
        { "recvfrom is late", AF_UNIX, "socket_recvfrom", "timeout_ms=20", do_nothing, 422,
                LATE("recvfrom") },
        { "send is late", AF_UNIX, "socket_send", "text=x&timeout_ms=20", do_nothing, 422, LATE("send") },
        { "upload is late", AF_UNIX, "socket_upload", "data=eA==&timeout_ms=20", do_nothing, 422,
                LATE("send") },
        { "lateness was expected", AF_UNIX, "socket_recv", "timeout_ms=20&expect=EAGAIN", do_nothing, 200,
                LATE("recv") },
        { "recv is closed", AF_UNIX, "socket_recv", NULL, scene_delete, 422, CLOSED("recv") },
        { "send is closed", AF_INET, "socket_send", "text=x", scene_delete, 422, CLOSED("send") },
        { "closing was expected", AF_UNIX, "socket_recv", "expect=ECANCELED", scene_delete, 200,
                CLOSED("recv") },
        { "room comes", AF_UNIX, "socket_send", "text=abc", drain, 200, "{\"sent\":3}" },
        { "the pipe breaks", AF_UNIX, "socket_send", "text=abc", close_peer, 422,
                "{\"errno\":\"EPIPE\",\"call\":\"send\"}" },
};

static void waits(void **state)
{
        const struct wait_row *const row = *state;
        struct scene scene;
        struct exchange exchange;
        scene_set(&scene, row->family, SOCK_STREAM);
        end_fill(scene.socket->fd);
        park(&exchange, row->operation, scene.socket, row->query, NULL);
        row->act(&scene);
        exchange_await(&exchange);
        exchange_finish(&exchange);
        exchange_check(&exchange, row->status, row->members);
        assert_int_equal(exchange.suspends, 1);
        assert_int_equal(waiter_count(exchange_service.waiter), 0);
        exchange_clean(&exchange);
        scene_clean(&scene);
}

/* How long a call may wait, from where: it must be late within a second, and not before its time. */
struct time_row {
        const char *name;
        const char *query;
        struct timeval option; /* SO_RCVTIMEO, if not 0 */
        int64_t default_ms, max_ms;
        int64_t least_ms;
        bool parks;
};

static const struct time_row time_rows[] = {
        { "asked for", "timeout_ms=20", { 0 }, 30000, 60000, 20, true },
        { "none", "timeout_ms=0", { 0 }, 30000, 60000, 0, false },
        { "the default", NULL, { 0 }, 20, 60000, 20, true },
        { "no default", NULL, { 0 }, 0, 60000, 0, false },
        { "more than the maximum", "timeout_ms=9223372036854775807", { 0 }, 30000, 20, 20, true },
        { "a default above the maximum", NULL, { 0 }, 30000, 20, 20, true },
        { "SO_RCVTIMEO", NULL, { .tv_usec = 20000 }, 30000, 60000, 20, true },
        { "SO_RCVTIMEO, but asked for", "timeout_ms=20", { .tv_sec = 30 }, 30000, 60000, 20, true },
        { "SO_RCVTIMEO above the maximum", NULL, { .tv_sec = 30 }, 30000, 20, 20, true },
        { "SO_RCVTIMEO of a million centuries", NULL, { .tv_sec = 20000000000000000 }, 30000, 20, 20, true },
};

static void waits_no_longer(void **state)
{
        const struct time_row *const row = *state;
        struct scene scene;
        struct exchange exchange;
        scene_set(&scene, AF_UNIX, SOCK_STREAM);
        assert_int_equal(
                setsockopt(scene.socket->fd, SOL_SOCKET, SO_RCVTIMEO, &row->option, sizeof row->option), 0);
        exchange_service.default_timeout_ms = row->default_ms;
        exchange_service.max_timeout_ms = row->max_ms;
        const int64_t before = now_ns();
        exchange_make(&exchange, "socket_recv", scene.socket, row->query, NULL);
        const int64_t passed_ms = (now_ns() - before) / 1000000;
        exchange_service.default_timeout_ms = 30000;
        exchange_service.max_timeout_ms = 60000;
        exchange_check(&exchange, 422, LATE("recv"));
        assert_int_equal(exchange.suspends, row->parks);
        assert_in_range(passed_ms, row->least_ms, 5000);
        exchange_clean(&exchange);
        scene_clean(&scene);
}

/* MSG_DONTWAIT does not wait for its turn either. */
static void dont_wait_overrides(void **state)
{
        (void)state;
        static const char *const operations_that_wait[] = { "socket_recv", "socket_recvfrom" };
        struct scene scene;
        struct exchange first, second;
        scene_set(&scene, AF_UNIX, SOCK_STREAM);
        park(&first, "socket_recv", scene.socket, NULL, NULL);
        for (int i = 0; i < 2; i++) {
                exchange_make(&second, operations_that_wait[i], scene.socket, "flags=MSG_DONTWAIT", NULL);
                exchange_check(&second, 422, "{\"errno\":\"EAGAIN\"}");
                assert_int_equal(second.suspends, 0);
                exchange_clean(&second);
        }
        feed(&scene);
        exchange_await(&first);
        exchange_finish(&first);
        exchange_check(&first, 200, NULL);
        exchange_clean(&first);
        scene_clean(&scene);
}

static void client_goes(void **state)
{
        (void)state;
        struct scene scene;
        struct exchange exchange;
        struct ends client;
        scene_set(&scene, AF_UNIX, SOCK_STREAM);
        assert_true(ends_open(&client, AF_INET, SOCK_STREAM));
        assert_true(exchange_begin(&exchange, "socket_recv", scene.socket, NULL, NULL));
        exchange.call.client_fd = client.one;
        assert_int_equal(call_run(&exchange.call), CALL_PARKED);
        end_close(&client.other);
        exchange_await(&exchange);
        exchange_finish(&exchange);
        exchange_check(&exchange, 422, CLOSED("recv"));
        exchange_clean(&exchange);
        ends_close(&client);
        scene_clean(&scene);
}

/* A failed call says how far it came. */
struct progress_row {
        const char *name, *query;
        void (*act)(struct scene *scene);
        int status;
        const char *members;
};

static const struct progress_row progress_rows[] = {
        { "sent until the peer went", NULL, close_peer, 422, "{\"errno\":\"EPIPE\",\"call\":\"send\"}" },
        { "sent until it was late", "timeout_ms=30", do_nothing, 422, LATE("send") },
        { "sent until it was closed", NULL, scene_delete, 422, CLOSED("send") },
        { "sent, as expected", "expect=EPIPE", close_peer, 200, "{\"errno\":\"EPIPE\"}" },
        { "sent, as not expected", "expect=EIO", close_peer, 422, "{\"errno\":\"EPIPE\"}" },
};

enum { LARGE = 1 << 20 };

static bool begin_large(struct exchange *exchange, const struct scene *scene, const char *query)
{
        static uint8_t bytes[LARGE];
        return exchange_open_call(exchange, "socket_upload", scene->socket) &&
               exchange_add_query(exchange, query) && call_add_raw(&exchange->call, bytes, sizeof bytes) &&
               call_decode(&exchange->call);
}

static void says_its_progress(void **state)
{
        const struct progress_row *const row = *state;
        struct scene scene;
        struct exchange exchange;
        scene_set(&scene, AF_UNIX, SOCK_STREAM);
        assert_true(begin_large(&exchange, &scene, row->query));
        assert_int_equal(call_run(&exchange.call), CALL_PARKED);
        row->act(&scene);
        exchange_await(&exchange);
        exchange_finish(&exchange);
        exchange_check(&exchange, row->status, row->members);
        const json_int_t sent = json_integer_value(json_object_get(exchange.json, "sent"));
        assert_in_range(sent, 1, LARGE - 1);
        assert_int_equal(sent, scene.socket->stored->sent.bytes);
        exchange_clean(&exchange);
        scene_clean(&scene);
}

static void sends_all(void **state)
{
        (void)state;
        struct scene scene;
        struct exchange exchange;
        size_t received = 0;
        scene_set(&scene, AF_UNIX, SOCK_STREAM);
        assert_true(begin_large(&exchange, &scene, NULL));
        assert_int_equal(call_run(&exchange.call), CALL_PARKED);
        while (received < LARGE) {
                assert_true(end_await(scene.peer, POLLIN));
                received += end_drain(scene.peer);
        }
        exchange_await(&exchange);
        exchange_finish(&exchange);
        exchange_check(&exchange, 200, "{\"sent\":1048576}");
        exchange_clean(&exchange);
        scene_clean(&scene);
}

static void resolves_names(void **state)
{
        (void)state;
        struct sockaddr_in address;
        fd_auto int listener = end_bound(SOCK_STREAM, &address);
        assert_int_equal(listen(listener, 1), 0);
        char json[128];
        struct exchange exchange;
        snprintf(json, sizeof json, "{\"connect\":{\"host\":\"localhost\",\"port\":%d}}",
                ntohs(address.sin_port));
        exchange_make(&exchange, "socket_create", NULL, "family=AF_INET", json);
        exchange_check(&exchange, 201, "{\"state\":\"connected\",\"peer\":{\"host\":\"127.0.0.1\"}}");
        assert_true(exchange.suspends > 0);
        struct socket *const made = exchange.call.socket;
        assert_true(registry_unpublish(exchange_service.registry, made));
        waiter_cancel(exchange_service.waiter, made);
        socket_release(made);
        exchange_clean(&exchange);

        exchange_make(&exchange, "getaddrinfo", NULL, "host=localhost&family=AF_INET&type=SOCK_STREAM", NULL);
        exchange_check(&exchange, 200, NULL);
        assert_int_equal(exchange.suspends, 1);
        exchange_clean(&exchange);
}

/* A socket in the making that nobody waits for any more is closed, and its room is free again. */
static void abandons_the_making(void **state)
{
        (void)state;
        struct sockaddr_in address;
        fd_auto int listener = end_bound(SOCK_STREAM, &address);
        fd_auto int first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(listen(listener, 0), 0);
        (void)connect(first, (const struct sockaddr *)&address, sizeof address);
        assert_true(end_await(first, POLLOUT));
        char query[64];
        struct exchange exchange;
        const size_t before = registry_count(exchange_service.registry);
        snprintf(query, sizeof query, "connect=127.0.0.1:%d&timeout_ms=30", ntohs(address.sin_port));
        exchange_make(&exchange, "socket_create", NULL, query, NULL);
        exchange_check(&exchange, 422, "{\"errno\":\"ETIMEDOUT\",\"call\":\"connect\",\"timed_out\":true}");
        exchange_clean(&exchange);
        assert_int_equal(registry_count(exchange_service.registry), before);
        assert_int_equal(registry_reserve(exchange_service.registry, NULL, 100 - before).kind, RESULT_DONE);
        registry_unreserve(exchange_service.registry, NULL, 100 - before);
}

/* A full queue is tried again and again; a refusal ends that. */
static void connects_to_a_full_queue(bool accepts, int status, const char *members)
{
        const struct sockaddr_un unnamed = { .sun_family = AF_UNIX };
        struct sockaddr_un address;
        socklen_t size = sizeof address;
        fd_auto int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        fd_auto int first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(listener, (const struct sockaddr *)&unnamed, sizeof(sa_family_t)), 0);
        assert_int_equal(listen(listener, 0), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
        assert_int_equal(connect(first, (const struct sockaddr *)&address, size), 0);
        char query[128];
        struct exchange exchange;
        snprintf(query, sizeof query, "family=AF_UNIX&timeout_ms=5000&connect=unix:@%.*s", (int)(size - 3),
                address.sun_path + 1);
        park(&exchange, "socket_create", NULL, query, NULL);
        if (accepts) {
                fd_auto int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                assert_true(accepted >= 0);
        } else {
                end_close(&listener);
        }
        exchange_await(&exchange);
        exchange_finish(&exchange);
        exchange_check(&exchange, status, members);
        exchange_clean(&exchange);
}

/* A client that has gone by the end of its batch asks no more for what came of it. */
static void abandons_a_batch(void **state)
{
        (void)state;
        struct exchange exchange;
        park(&exchange, "batch", NULL, NULL, "{\"steps\":[{\"method\":\"GET\",\"path\":\"/version\"}]}");
        exchange_await(&exchange);
        exchange_clean(&exchange);
}

static void full_queue_empties(void **state)
{
        (void)state;
        connects_to_a_full_queue(true, 201, "{\"state\":\"connected\"}");
}

static void full_queue_is_closed(void **state)
{
        (void)state;
        connects_to_a_full_queue(
                false, 422, "{\"errno\":\"ECONNREFUSED\",\"call\":\"connect\",\"timed_out\":false}");
}

static void shuts_down(void **state)
{
        (void)state;
        struct scene scene;
        struct exchange parked, late, health;
        scene_set(&scene, AF_UNIX, SOCK_STREAM);
        park(&parked, "socket_recv", scene.socket, NULL, NULL);
        exchange_service.shutting_down = true;
        waiter_shut_down(exchange_service.waiter);
        exchange_await(&parked);
        exchange_finish(&parked);
        exchange_check(&parked, 503, "{\"status\":503}");
        exchange_make(&late, "socket_recv", scene.socket, NULL, NULL);
        exchange_check(&late, 503, "{\"status\":503}");
        exchange_make(&health, "service_health", NULL, NULL, NULL);
        exchange_check(&health, 200, NULL);
        exchange_clean(&parked);
        exchange_clean(&late);
        exchange_clean(&health);
        scene_clean(&scene);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, waits, wait_rows);
        ROWS_ADD(&all, waits_no_longer, time_rows);
        rows_add_one(&all, "MSG_DONTWAIT overrides any wait", dont_wait_overrides);
        rows_add_one(&all, "the client goes", client_goes);
        ROWS_ADD(&all, says_its_progress, progress_rows);
        rows_add_one(&all, "sends all", sends_all);
        rows_add_one(&all, "resolves names", resolves_names);
        rows_add_one(&all, "abandons the making", abandons_the_making);
        rows_add_one(&all, "abandons a batch", abandons_a_batch);
        rows_add_one(&all, "a full queue empties", full_queue_empties);
        rows_add_one(&all, "a full queue is closed", full_queue_is_closed);
        rows_add_one(&all, "shuts down", shuts_down);
        if (!exchange_open())
                return EXIT_FAILURE;
        const int failed = rows_run("call that waits", &all);
        exchange_close();
        return failed;
}
