/* test_call_stream.c: payloads that go piece by piece, under one turn. */
#include "tests/unit/exchange.h"

enum { LARGE = 1 << 20 };

/* A raw body that goes to the socket as it comes. */
static void begin_upload(struct exchange *exchange, const struct scene *scene)
{
        assert_true(exchange_open_call(exchange, "socket_upload", scene->socket));
        assert_true(call_streams_in(&exchange->call));
        exchange->call.streamed = true;
        assert_true(call_decode(&exchange->call));
}

static void streams_in(void **state)
{
        (void)state;
        static const uint8_t block[65536];
        struct scene scene;
        struct exchange stream, next;
        size_t sent = 0, received = 0, used;
        scene_set(&scene, AF_UNIX, SOCK_STREAM);
        begin_upload(&stream, &scene);
        while (sent < LARGE) {
                if (call_send_piece(&stream.call, block, sizeof block, &used) == CALL_PARKED) {
                        received += end_drain(scene.peer);
                        exchange_await(&stream);
                        continue;
                }
                assert_int_equal(stream.call.result.kind, RESULT_DONE);
                assert_true(used > 0);
                sent += used;
        }
        assert_true(stream.suspends > 0);
        /* It has the turn until it is over. */
        assert_true(exchange_begin(&next, "socket_send", scene.socket, "text=x", NULL));
        assert_int_equal(call_run(&next.call), CALL_PARKED);
        exchange_reply(&stream);
        char members[64];
        snprintf(members, sizeof members, "{\"sent\":%zu}", sent);
        exchange_check(&stream, 200, members);
        received += end_drain(scene.peer);
        exchange_clean(&stream);
        exchange_await(&next);
        exchange_finish(&next);
        exchange_check(&next, 200, "{\"sent\":1}");
        assert_int_equal(received + end_drain(scene.peer), sent + 1);
        exchange_clean(&next);
        scene_clean(&scene);
}

static void streams_out(void **state)
{
        (void)state;
        struct scene scene;
        struct exchange stream;
        uint8_t bytes[4];
        size_t used;
        scene_set(&scene, AF_UNIX, SOCK_STREAM);
        assert_true(exchange_begin(&stream, "socket_recv", scene.socket, "until=eof", NULL));
        stream.call.raw_reply = true;
        assert_true(call_streams_out(&stream.call));
        assert_true(call_stream_size(&stream.call) == UINT64_MAX);
        stream.call.streamed = true;
        assert_int_equal(call_receive_piece(&stream.call, NULL, 0, &used), CALL_PARKED);
        scene_feed(&scene, "hello\n");
        exchange_await(&stream);
        assert_int_equal(call_receive_piece(&stream.call, NULL, 0, &used), CALL_DONE);
        assert_int_equal(used, 1);
        static const char *const pieces[] = { "hell", "o\n" };
        for (int i = 0; i < 2; i++) {
                assert_int_equal(call_receive_piece(&stream.call, bytes, sizeof bytes, &used), CALL_DONE);
                assert_int_equal(used, strlen(pieces[i]));
                assert_memory_equal(bytes, pieces[i], used);
        }
        assert_int_equal(call_receive_piece(&stream.call, bytes, sizeof bytes, &used), CALL_PARKED);
        end_close(&scene.peer);
        exchange_await(&stream);
        assert_int_equal(call_receive_piece(&stream.call, bytes, sizeof bytes, &used), CALL_DONE);
        assert_int_equal(stream.call.result.kind, RESULT_DONE);
        assert_int_equal(used, 0);
        assert_false(stream.call.wait.in_lane);
        exchange_clean(&stream);
        scene_clean(&scene);
}

static void closed_under_a_stream(void **state)
{
        (void)state;
        static const uint8_t block[65536];
        struct scene scene;
        struct exchange stream;
        size_t used;
        scene_set(&scene, AF_UNIX, SOCK_STREAM);
        begin_upload(&stream, &scene);
        while (call_send_piece(&stream.call, block, sizeof block, &used) == CALL_DONE)
                assert_true(used > 0);
        scene_delete(&scene);
        exchange_await(&stream);
        assert_int_equal(call_send_piece(&stream.call, block, sizeof block, &used), CALL_DONE);
        exchange_reply(&stream);
        exchange_check(&stream, 422, "{\"errno\":\"ECANCELED\",\"call\":\"send\",\"timed_out\":false}");
        assert_true(json_integer_value(json_object_get(stream.json, "sent")) > 0);
        exchange_clean(&stream);
        scene_clean(&scene);
}

/* Flags that a stream would never end with, or that leave the buffer as it was. */
static void streams_no_peeks(void **state)
{
        (void)state;
        static const char *const queries[] = { "until=eof&flags=MSG_PEEK", "until=eof&flags=MSG_TRUNC",
                "until=eof&flags=MSG_OOB", "until=eof&flags=MSG_ERRQUEUE" };
        for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
                struct scene scene;
                struct exchange exchange;
                scene_set(&scene, AF_INET, SOCK_STREAM);
                scene_feed(&scene, "hello\n");
                assert_true(exchange_begin(&exchange, "socket_recv", scene.socket, queries[i], NULL));
                exchange.call.raw_reply = true;
                assert_false(call_streams_out(&exchange.call));
                exchange_finish(&exchange);
                exchange_check(&exchange, 400, "{\"parameter\":\"flags\"}");
                exchange_clean(&exchange);
                scene_clean(&scene);
        }
}

int main(void)
{
        static struct row_tests all;
        rows_add_one(&all, "streams in", streams_in);
        rows_add_one(&all, "streams out", streams_out);
        rows_add_one(&all, "closed under a stream", closed_under_a_stream);
        rows_add_one(&all, "streams no peeks", streams_no_peeks);
        if (!exchange_open())
                return EXIT_FAILURE;
        const int failed = rows_run("call that streams", &all);
        exchange_close();
        return failed;
}
