/* test_call.c: parameters from query, JSON and raw body; the replies; what is expected; and sockets left as
 * they were. */
#include "tests/unit/exchange.h"

#define ERRNO(name, number, call)                                                                            \
        "{\"type\":\"https://sockwright.dev/problems/errno/" name "\",\"status\":422,\"errno\":\"" name      \
        "\",\"errno_number\":" #number ",\"call\":\"" call "\",\"timed_out\":false}"
#define UNSOUND(parameter)                                                                                   \
        "{\"type\":\"https://sockwright.dev/problems/"                                                       \
        "unsound-request\",\"status\":400,\"parameter\":\"" parameter "\"}"

struct call_row {
        const char *name;
        const char *operation, *query, *json, *raw;
        int status;
        const char *members; /* that the reply holds */
};

/* On a stream that has "hello\nworld" to receive. */
static const struct call_row sound_rows[] = {
        { "query", "socket_recv", "size=5", NULL, NULL, 200,
                "{\"data\":\"aGVsbG8=\",\"size\":5,\"eof\":false,\"complete\":true}" },
        { "JSON", "socket_recv", NULL, "{\"size\":5}", NULL, 200, "{\"data\":\"aGVsbG8=\"}" },
        { "query and JSON", "socket_recv", "size=5", "{\"flags\":[\"MSG_PEEK\"]}", NULL, 200,
                "{\"size\":5}" },
        { "no parameters", "socket_recv", NULL, NULL, NULL, 200, "{\"size\":11}" },
        { "an empty object", "socket_recv", NULL, "{}", NULL, 200, "{\"size\":11}" },
        { "an empty body", "socket_recv", NULL, "", NULL, 200, "{\"size\":11}" },
        { "until", "socket_recv", NULL, "{\"until\":{\"delimiter_text\":\"\\n\"}}", NULL, 200,
                "{\"data\":\"aGVsbG8K\",\"complete\":true}" },
        { "until in the query", "socket_recv", "until=3", NULL, NULL, 200, "{\"data\":\"aGVs\"}" },
        { "MSG_WAITALL", "socket_recv", "size=11&flags=MSG_WAITALL", NULL, NULL, 200, "{\"size\":11}" },
        { "nothing asked for", "socket_recv", "size=0", NULL, NULL, 200,
                "{\"data\":\"\",\"size\":0,\"eof\":false}" },
        { "recvfrom", "socket_recvfrom", "size=5", NULL, NULL, 200,
                "{\"data\":\"aGVsbG8=\",\"address\":null}" },
        { "data", "socket_send", NULL, "{\"data\":\"YWJj\"}", NULL, 200, "{\"sent\":3}" },
        { "data in the query", "socket_send", "data=YWJj", NULL, NULL, 200, "{\"sent\":3}" },
        { "text", "socket_send", NULL, "{\"text\":\"abc\"}", NULL, 200, "{\"sent\":3}" },
        { "text in the query", "socket_send", "text=abcd", NULL, NULL, 200, "{\"sent\":4}" },
        { "raw", "socket_send", NULL, NULL, "abcde", 200, "{\"sent\":5}" },
        { "raw with a query", "socket_send", "all=true", NULL, "abcde", 200, "{\"sent\":5}" },
        { "empty raw", "socket_send", NULL, NULL, "", 200, "{\"sent\":0}" },
        { "empty data", "socket_send", NULL, "{\"data\":\"\"}", NULL, 200, "{\"sent\":0}" },
        { "upload", "socket_upload", NULL, NULL, "abcde", 200, "{\"sent\":5}" },
        { "deleting", "socket_delete", NULL, NULL, NULL, 204, NULL },
        { "an endless time-out", "socket_recv", "timeout_ms=9223372036854775807", NULL, NULL, 200,
                "{\"size\":11}" },
        { "a refusal", "socket_accept", NULL, NULL, NULL, 422, ERRNO("EINVAL", 22, "accept") },
        { "another refusal", "socket_listen", NULL, NULL, NULL, 422, ERRNO("EINVAL", 22, "listen") },

        { "expected", "socket_listen", "expect=EINVAL", NULL, NULL, 200,
                "{\"errno\":\"EINVAL\",\"errno_number\":22,\"call\":\"listen\",\"timed_out\":false}" },
        { "expected by number", "socket_listen", "expect=22", NULL, NULL, 200, "{\"errno\":\"EINVAL\"}" },
        { "expected among others", "socket_listen", "expect=EPIPE,EINVAL", NULL, NULL, 200,
                "{\"errno\":\"EINVAL\"}" },
        { "expected, in JSON", "socket_listen", NULL, "{\"expect\":[\"EPIPE\",\"EINVAL\"]}", NULL, 200,
                "{\"errno\":\"EINVAL\"}" },
        { "another was expected", "socket_listen", "expect=EPIPE", NULL, NULL, 422,
                "{\"type\":\"https://sockwright.dev/problems/unexpected-outcome\",\"errno\":\"EINVAL\","
                "\"errno_number\":22,\"call\":\"listen\"}" },
        { "success was not expected", "socket_recv", "size=5&expect=EAGAIN", NULL, NULL, 422,
                "{\"type\":\"https://sockwright.dev/problems/"
                "unexpected-outcome\",\"outcome\":{\"data\":\"aGVsbG8=\","
                "\"size\":5}}" },
        { "a failure that was expected of a wait", "socket_accept", "timeout_ms=0&expect=EINVAL", NULL, NULL,
                200, "{\"errno\":\"EINVAL\",\"call\":\"accept\"}" },
        { "an unsound request is no outcome", "socket_recv", "size=-1&expect=EINVAL", NULL, NULL, 400,
                UNSOUND("size") },
};

static const struct call_row unsound_rows[] = {
        { "unknown in the query", "socket_recv", "sise=1", NULL, NULL, 400, UNSOUND("sise") },
        { "unknown in JSON", "socket_recv", NULL, "{\"sise\":1}", NULL, 400, UNSOUND("sise") },
        { "an unknown one that is no UTF-8", "socket_recv", "\xff=1", NULL, NULL, 400,
                UNSOUND("\xef\xbf\xbd") },
        { "no name", "socket_recv", "=1", NULL, NULL, 400, NULL },
        { "doubled in the query", "socket_recv", "size=1&size=2", NULL, NULL, 400, UNSOUND("size") },
        { "doubled in JSON", "socket_recv", NULL, "{\"size\":1,\"size\":2}", NULL, 400, UNSOUND("size") },
        { "doubled in query and JSON", "socket_recv", "size=1", "{\"size\":2}", NULL, 400, UNSOUND("size") },
        { "doubled in query and JSON, later on", "socket_recv", "size=1", "{\"flags\":[],\"size\":2}", NULL,
                400, UNSOUND("size") },
        { "doubled common parameter", "socket_recv", "timeout_ms=1", "{\"flags\":[],\"timeout_ms\":2}", NULL,
                400, UNSOUND("timeout_ms") },
        { "data in query and JSON", "socket_send", "data=YQ==", "{\"data\":\"Yg==\"}", NULL, 400,
                UNSOUND("data") },
        { "text and data", "socket_send", NULL, "{\"text\":\"a\",\"data\":\"Yg==\"}", NULL, 400, NULL },
        { "text in the query, data in JSON", "socket_send", "text=a", "{\"data\":\"Yg==\"}", NULL, 400,
                NULL },
        { "text and raw", "socket_send", "text=a", NULL, "b", 400, UNSOUND("data") },
        { "data and raw", "socket_send", "data=YQ==", NULL, "b", 400, UNSOUND("data") },
        { "nothing to send", "socket_send", "all=true", NULL, NULL, 400, UNSOUND("data") },
        { "a raw body for nothing", "socket_recv", NULL, NULL, "abc", 400, UNSOUND("body") },
        { "data for nothing", "socket_recv", NULL, "{\"data\":\"YWJj\"}", NULL, 400, UNSOUND("data") },
        { "no base64", "socket_send", NULL, "{\"data\":\"*\"}", NULL, 400, UNSOUND("data") },
        { "no base64, in the query", "socket_send", "data=*", NULL, NULL, 400, UNSOUND("data") },
        { "no JSON", "socket_recv", NULL, "{\"size\":", NULL, 400, NULL },
        { "no object", "socket_recv", NULL, "[1]", NULL, 400, NULL },
        { "a negative size", "socket_recv", "size=-1", NULL, NULL, 400, UNSOUND("size") },
        { "a size of 2^63", "socket_recv", NULL, "{\"size\":9223372036854775808}", NULL, 400,
                UNSOUND("size") },
        { "no size", "socket_recv", "size=", NULL, NULL, 400, UNSOUND("size") },
        { "a bare size", "socket_recv", "size", NULL, NULL, 400, UNSOUND("size") },
        { "a negative time-out", "socket_recv", "timeout_ms=-1", NULL, NULL, 400, UNSOUND("timeout_ms") },
        { "a time-out of what never waits", "socket_listen", "timeout_ms=1", NULL, NULL, 400,
                UNSOUND("timeout_ms") },
        { "an unknown errno", "socket_recv", "expect=ENOSUCH", NULL, NULL, 400, UNSOUND("expect") },
        { "an errno that is no text", "socket_recv", NULL, "{\"expect\":[{}]}", NULL, 400,
                UNSOUND("expect") },
        { "expect is no list", "socket_recv", NULL, "{\"expect\":{}}", NULL, 400, UNSOUND("expect") },
        { "an unknown flag", "socket_recv", "flags=MSG_PEAK", NULL, NULL, 400, UNSOUND("flags") },
        { "until goes without peeking", "socket_recv", "until=3&flags=MSG_PEEK", NULL, NULL, 400,
                UNSOUND("flags") },
        { "until goes with one condition", "socket_recv", NULL, "{\"until\":{\"bytes\":3,\"eof\":true}}",
                NULL, 400, NULL },
};

static const char WAITING[] = "hello\nworld";

static bool begin_row(struct exchange *exchange, const struct call_row *row, const struct socket *socket)
{
        if (row->raw == NULL)
                return exchange_begin(exchange, row->operation, socket, row->query, row->json);
        /* A raw body comes once the query is there; the decoding waits for it. */
        return exchange_open_call(exchange, row->operation, socket) &&
               exchange_add_query(exchange, row->query) &&
               call_add_raw(&exchange->call, (const uint8_t *)row->raw, strlen(row->raw)) &&
               call_decode(&exchange->call);
}

static void make_row(struct exchange *exchange, const struct call_row *row, const struct scene *scene)
{
        if (begin_row(exchange, row, scene->socket))
                exchange_finish(exchange);
        else
                exchange_reply(exchange);
        exchange_check(exchange, row->status, row->members);
        assert_int_equal(exchange->suspends, 0);
        if (row->status == 204) {
                assert_null(exchange->reply.body);
                return;
        }
        assert_string_equal(
                exchange->reply.media, row->status < 400 ? "application/json" : "application/problem+json");
        assert_true(row->status == 400 || json_is_integer(json_object_get(exchange->json, "duration_us")));
}

static void answers(void **state)
{
        struct scene scene;
        struct exchange exchange;
        scene_set(&scene, AF_UNIX, SOCK_STREAM);
        scene_feed(&scene, WAITING);
        make_row(&exchange, *state, &scene);
        exchange_clean(&exchange);
        scene_clean(&scene);
}

static void leaves_sockets_as_they_were(void **state)
{
        struct scene scene;
        struct exchange exchange;
        char left[64] = "";
        scene_set(&scene, AF_UNIX, SOCK_STREAM);
        scene_feed(&scene, WAITING);
        make_row(&exchange, *state, &scene);
        assert_int_equal(exchange.call.result.kind, RESULT_UNSOUND);
        exchange_clean(&exchange);
        assert_int_equal(recv(scene.socket->fd, left, sizeof left, MSG_DONTWAIT), sizeof WAITING - 1);
        assert_string_equal(left, WAITING);
        assert_int_equal(recv(scene.peer, left, sizeof left, MSG_DONTWAIT), -1);
        scene_clean(&scene);
}

/* A raw body that is streamed is the payload as well. */
static void streams_only_one_payload(void **state)
{
        (void)state;
        static const char *const queries[] = { "text=a", "data=YQ==" };
        struct scene scene;
        scene_set(&scene, AF_UNIX, SOCK_STREAM);
        for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
                struct exchange exchange;
                assert_true(exchange_open_call(&exchange, "socket_send", scene.socket));
                assert_true(exchange_add_query(&exchange, queries[i]));
                assert_true(call_streams_in(&exchange.call));
                exchange.call.streamed = true;
                assert_false(call_decode(&exchange.call));
                exchange_reply(&exchange);
                exchange_check(&exchange, 400, UNSOUND("data"));
                exchange_clean(&exchange);
        }
        scene_clean(&scene);
}

static void raw_reply(void **state)
{
        (void)state;
        struct scene scene;
        struct exchange exchange;
        scene_set(&scene, AF_UNIX, SOCK_STREAM);
        scene_feed(&scene, WAITING);
        assert_true(exchange_begin(&exchange, "socket_recv", scene.socket, "size=5", NULL));
        exchange.call.raw_reply = true;
        assert_false(call_streams_out(&exchange.call));
        exchange_finish(&exchange);
        assert_int_equal(exchange.reply.status, 200);
        assert_string_equal(exchange.reply.media, "application/octet-stream");
        assert_int_equal(exchange.reply.size, 5);
        assert_memory_equal(exchange.reply.body, "hello", 5);
        json_t *const members = json_loads(exchange.reply.members, 0, NULL);
        assert_int_equal(json_integer_value(json_object_get(members, "size")), 5);
        assert_null(json_object_get(members, "data"));
        json_decref(members);
        exchange_clean(&exchange);
        scene_clean(&scene);
}

static void unknown_socket(void **state)
{
        (void)state;
        struct scene scene;
        struct exchange exchange;
        scene_set(&scene, AF_UNIX, SOCK_STREAM);
        exchange_make(&exchange, "socket_delete", scene.socket, NULL, NULL);
        exchange_check(&exchange, 204, NULL);
        exchange_clean(&exchange);
        static const char *const names[] = { "socket_delete", "socket_show", "socket_recv" };
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
                exchange_make(&exchange, names[i], scene.socket, NULL, NULL);
                exchange_check(&exchange, 404, "{\"status\":404}");
                exchange_clean(&exchange);
        }
        scene_clean(&scene);
}

/* What is made is there, and what fails in the making leaves nothing behind. */
static void makes_sockets(void **state)
{
        (void)state;
        static const struct call_row rows[] = {
                { "plain", "socket_create", NULL, NULL, NULL, 201,
                        "{\"family\":\"AF_INET\",\"state\":\"created\"}" },
                { "listening", "socket_create", NULL, "{\"bind\":\"127.0.0.1:0\",\"listen\":{}}", NULL, 201,
                        "{\"state\":\"listening\"}" },
                { "a pair", "socketpair_create", NULL, NULL, NULL, 201, NULL },
                { "no such family", "socket_create", "family=77", NULL, NULL, 422,
                        ERRNO("EAFNOSUPPORT", 97, "socket") },
                { "cannot bind", "socket_create", "bind=192.0.2.1:0", NULL, NULL, 422,
                        ERRNO("EADDRNOTAVAIL", 99, "bind") },
                { "no port", "socket_create", "bind=127.0.0.1:65536", NULL, NULL, 400, UNSOUND("bind") },
        };
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                struct exchange exchange;
                const size_t before = registry_count(exchange_service.registry);
                exchange_make(&exchange, rows[i].operation, NULL, rows[i].query, rows[i].json);
                exchange_check(&exchange, rows[i].status, rows[i].members);
                const bool made = rows[i].status == 201;
                assert_int_equal(exchange.reply.location[0] != '\0', made);
                assert_int_equal(registry_count(exchange_service.registry) > before, made);
                exchange_clean(&exchange);
        }
        assert_int_equal(registry_reserve(exchange_service.registry, NULL, 96).kind, RESULT_DONE);
        struct exchange exchange;
        exchange_make(&exchange, "socketpair_create", NULL, NULL, NULL);
        exchange_check(&exchange, 429, "{\"status\":429}");
        exchange_clean(&exchange);
        registry_unreserve(exchange_service.registry, NULL, 96);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, answers, sound_rows);
        ROWS_ADD(&all, leaves_sockets_as_they_were, unsound_rows);
        rows_add_one(&all, "streams only one payload", streams_only_one_payload);
        rows_add_one(&all, "raw reply", raw_reply);
        rows_add_one(&all, "unknown socket", unknown_socket);
        rows_add_one(&all, "makes sockets", makes_sockets);
        if (!exchange_open())
                return EXIT_FAILURE;
        const int failed = rows_run("call", &all);
        exchange_close();
        return failed;
}
