/* test_option_codec.c: what the kernel says of options, as JSON. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "api/option_codec.h"
#include "api/option_json.h"
#include "daemon/sockets/cleanup.h"
#include "tests/unit/rows.h"

static void free_json(json_t **json)
{
        json_decref(*json);
}
#define json_scope __attribute__((cleanup(free_json))) json_t

static void free_call(struct call *call)
{
        arena_free(&call->arena);
}
#define call_scope __attribute__((cleanup(free_call))) struct call

static json_t *read_value(struct arena *arena, int fd, const char *name, size_t size)
{
        struct value value = { .json = NULL };
        struct binary raw = { .given = false };
        const struct option *row = option_elsewhere(name, strlen(name));
        const struct result result = option_read(arena, fd, row->level, row->number, size, &value, &raw);
        assert_int_equal(result.kind, RESULT_DONE);
        return value.json;
}

static void decodes_what_came_of_tcp_info(void **state)
{
        (void)state;
        fd_auto int fd = socket(AF_INET, SOCK_STREAM, 0);
        call_scope call = { .client_fd = -1 };
        json_scope *whole = read_value(&call.arena, fd, "TCP_INFO", 0);
        json_scope *part = read_value(&call.arena, fd, "TCP_INFO", 14);
        json_scope *none = read_value(&call.arena, fd, "SO_LINGER", 2);
        assert_string_equal(json_string_value(json_object_get(whole, "state")), "TCP_CLOSE");
        assert_true(json_is_integer(json_object_get(whole, "snd_wnd")));
        assert_true(json_is_integer(json_object_get(whole, "rcv_wscale")));
        assert_string_equal(json_string_value(json_object_get(part, "state")), "TCP_CLOSE");
        assert_non_null(json_object_get(part, "rto"));
        assert_null(json_object_get(part, "ato"));
        assert_true(json_is_null(none) || !json_object_get(none, "linger"));
}

static void bits_are_cut_out(void **state)
{
        (void)state;
        uint8_t bytes[8] = { TCP_ESTABLISHED, 0, 0, 0, 0, 0, 0x72, 0x05 };
        const struct option *row = option_by_number(IPPROTO_TCP, TCP_INFO);
        json_scope *value = option_codecs[OPTION_TCP_INFO].encode(row, bytes, sizeof bytes);
        assert_string_equal(json_string_value(json_object_get(value, "state")), "TCP_ESTABLISHED");
        assert_int_equal(json_integer_value(json_object_get(value, "snd_wscale")), 2);
        assert_int_equal(json_integer_value(json_object_get(value, "rcv_wscale")), 7);
        assert_int_equal(json_integer_value(json_object_get(value, "delivery_rate_app_limited")), 1);
        assert_int_equal(json_integer_value(json_object_get(value, "fastopen_client_fail")), 2);
}

static void reads_what_only_the_kernel_sets(void **state)
{
        (void)state;
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
        fd_auto int one = pair[0];
        fd_auto int other = pair[1];
        call_scope call = { .client_fd = -1 };
        json_scope *type = read_value(&call.arena, one, "SO_TYPE", 0);
        json_scope *domain = read_value(&call.arena, other, "SO_DOMAIN", 0);
        json_scope *credentials = read_value(&call.arena, one, "SO_PEERCRED", 0);
        json_scope *memory = read_value(&call.arena, one, "SO_MEMINFO", 0);
        json_scope *error = read_value(&call.arena, one, "SO_ERROR", 0);
        json_scope *space = read_value(&call.arena, one, "SO_NETNS_COOKIE", 0);
        assert_string_equal(json_string_value(type), "SOCK_DGRAM");
        assert_string_equal(json_string_value(domain), "AF_UNIX");
        assert_int_equal(json_integer_value(json_object_get(credentials, "pid")), getpid());
        assert_true(json_integer_value(json_object_get(memory, "rcvbuf")) > 0);
        assert_true(json_is_null(error));
        assert_true(json_is_integer(space));
}

static void an_error_goes_by_name(void **state)
{
        (void)state;
        const int number = ECONNREFUSED;
        json_scope *value = option_value_json(SOL_SOCKET, SO_ERROR, (const uint8_t *)&number, sizeof number);
        assert_string_equal(json_string_value(value), "ECONNREFUSED");
}

static void schemas_are_json(void **state)
{
        (void)state;
        for (size_t i = 0; i < OPTION_KIND_COUNT; i++) {
                json_scope *schema = json_loads(option_codecs[i].schema, 0, NULL);
                assert_non_null(schema);
        }
        json_scope *request = json_loads(option_request_schema, 0, NULL);
        json_scope *reply = json_loads(option_reply_schema, 0, NULL);
        json_scope *setting = setting_schema();
        assert_true(request && reply && setting);
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        rows_add_one(&all, "decodes what came of tcp info", decodes_what_came_of_tcp_info);
        rows_add_one(&all, "bits are cut out", bits_are_cut_out);
        rows_add_one(&all, "reads what only the kernel sets", reads_what_only_the_kernel_sets);
        rows_add_one(&all, "an error goes by name", an_error_goes_by_name);
        rows_add_one(&all, "schemas are json", schemas_are_json);
        return rows_run("option_codec", &all);
}
