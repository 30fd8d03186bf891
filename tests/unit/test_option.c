/* test_option.c: the options' rows, and setting and reading them on real sockets. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/option.h"
#include "tests/unit/rows.h"

static void dont_linger_keeps_the_time(void **state)
{
        (void)state;
        fd_auto int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct linger linger = { .l_onoff = 1, .l_linger = 5 };
        size_t size = sizeof linger;
        assert_int_equal(option_set(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger).kind, RESULT_DONE);
        assert_int_equal(
                option_set(fd, SOL_SOCKET, SO_DONTLINGER, &(int){ 1 }, sizeof(int)).kind, RESULT_DONE);
        assert_int_equal(option_get(fd, SOL_SOCKET, SO_LINGER, &linger, &size).kind, RESULT_DONE);
        assert_int_equal(linger.l_onoff, 0);
        assert_int_equal(linger.l_linger, 5);
}

static void rows_are_sound(void **state)
{
        (void)state;
        for (size_t i = 0; i < option_count; i++) {
                const struct option *row = &options[i];
                const bool named = row->kind == OPTION_CONSTANT || row->kind == OPTION_FLAGS;
                const bool by_name = row->names != NULL;
                if (named != by_name || row->help[strlen(row->help) - 1] != '.')
                        fail_msg("%s", row->name);
                assert_ptr_equal(option_by_name(row->level, row->name, strlen(row->name)), row);
                assert_non_null(name_of(&level_names, row->level));
        }
        for (size_t i = 0; i < OPTION_KIND_COUNT; i++)
                for (size_t j = 0; j < option_layouts[i].count; j++)
                        assert_true(option_layouts[i].size <= OPTION_VALUE_SIZE);
}

static void daemon_memory_is_out_of_reach(void **state)
{
        (void)state;
        fd_auto int fd = socket(AF_INET, SOCK_STREAM, 0);
        uint8_t bytes[64] = { 0 };
        size_t size = sizeof bytes;
        const struct result set = option_set(fd, SOL_SOCKET, SO_ATTACH_FILTER, bytes, 16);
        assert_int_equal(set.kind, RESULT_UNSOUND);
        assert_string_equal(set.parameter, "option");
        assert_int_equal(
                option_get(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, bytes, &size).kind, RESULT_UNSOUND);
        assert_int_equal(option_set(fd, IPPROTO_IP, 64, bytes, sizeof bytes).kind, RESULT_UNSOUND);
        /* The filter itself may be read: it holds no address. */
        assert_int_equal(option_get(fd, SOL_SOCKET, SO_ATTACH_FILTER, bytes, &size).kind, RESULT_DONE);
}

static bool has_level(int family, int protocol, int level)
{
        int levels[LEVELS_MOST];
        const size_t count = option_levels(family, protocol, levels);
        for (size_t i = 0; i < count; i++)
                if (levels[i] == level)
                        return true;
        return false;
}

static void levels_follow_the_socket(void **state)
{
        (void)state;
        assert_true(
                has_level(AF_INET, IPPROTO_TCP, IPPROTO_TCP) && has_level(AF_INET, IPPROTO_TCP, IPPROTO_IP));
        assert_true(has_level(AF_INET6, IPPROTO_UDP, IPPROTO_UDP) && has_level(AF_INET6, 0, IPPROTO_IPV6));
        assert_true(has_level(AF_PACKET, 0, SOL_PACKET) && has_level(AF_NETLINK, 0, SOL_NETLINK));
        assert_true(has_level(AF_UNIX, 0, SOL_SOCKET));
        /* Other families number their protocols as they like. */
        assert_false(has_level(AF_NETLINK, IPPROTO_TCP, IPPROTO_TCP) || has_level(AF_UNIX, 0, IPPROTO_IP));
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        rows_add_one(&all, "dont linger keeps the time", dont_linger_keeps_the_time);
        rows_add_one(&all, "rows are sound", rows_are_sound);
        rows_add_one(&all, "daemon memory is out of reach", daemon_memory_is_out_of_reach);
        rows_add_one(&all, "levels follow the socket", levels_follow_the_socket);
        return rows_run("option", &all);
}
