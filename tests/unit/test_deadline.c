/* test_deadline.c: who is late is shut down, and nobody else. */
#include "daemon/deadline.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/sockets/waiter.h"
#include "tests/unit/rows.h"

enum { CUT_WITHIN_MS = 5000 };
static const int64_t NS_PER_MS = 1000000;

static struct deadlines *deadlines;

static bool is_cut(int peer, int timeout_ms)
{
        struct pollfd end = { .fd = peer, .events = POLLRDHUP };
        return poll(&end, 1, timeout_ms) == 1;
}

static void open_pair(int ends[2])
{
        assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), errno);
}

static void cuts_the_late(void **state)
{
        (void)state;
        int late[2], early[2];
        open_pair(late);
        open_pair(early);
        struct deadline *const first = deadline_open(deadlines, late[0], now_ns() + 10 * NS_PER_MS);
        struct deadline *const second = deadline_open(deadlines, early[0], now_ns() + 3600000 * NS_PER_MS);
        assert_true(is_cut(late[1], CUT_WITHIN_MS));
        assert_false(is_cut(early[1], 0));
        deadline_close(first);
        deadline_set(second, now_ns());
        assert_true(is_cut(early[1], CUT_WITHIN_MS));
        deadline_close(second);
        for (int i = 0; i < 2; i++) {
                close(late[i]);
                close(early[i]);
        }
}

/* What is moved away in time, is closed, or has sent what the daemon has not yet read, stays whole. */
static void spares_the_rest(void **state)
{
        (void)state;
        int moved[2], closed[2], unread[2], late[2];
        open_pair(moved);
        open_pair(closed);
        open_pair(unread);
        open_pair(late);
        struct deadline *const moving = deadline_open(deadlines, moved[0], now_ns() + 3600000 * NS_PER_MS);
        deadline_set(moving, DEADLINE_NONE);
        deadline_close(deadline_open(deadlines, closed[0], now_ns() + 3600000 * NS_PER_MS));
        assert_int_equal(write(unread[1], "x", 1), 1);
        struct deadline *const waiting = deadline_open(deadlines, unread[0], now_ns());
        struct deadline *const cut = deadline_open(deadlines, late[0], now_ns());
        assert_true(is_cut(late[1], CUT_WITHIN_MS));
        assert_false(is_cut(moved[1], 0));
        assert_false(is_cut(closed[1], 0));
        assert_false(is_cut(unread[1], 0));
        char byte;
        assert_int_equal(read(unread[0], &byte, 1), 1);
        assert_true(is_cut(unread[1], CUT_WITHIN_MS));
        deadline_close(moving);
        deadline_close(waiting);
        deadline_close(cut);
        for (int i = 0; i < 2; i++) {
                close(moved[i]);
                close(closed[i]);
                close(unread[i]);
                close(late[i]);
        }
}

static void takes_nothing(void **state)
{
        (void)state;
        deadline_set(NULL, 0);
        deadline_close(NULL);
        deadlines_stop(NULL);
}

/* Closed in any order, the list stays whole. */
static void closes_in_any_order(void **state)
{
        (void)state;
        enum { COUNT = 5 };
        static const int orders[][COUNT] = { { 0, 1, 2, 3, 4 }, { 4, 3, 2, 1, 0 }, { 2, 0, 4, 1, 3 } };
        for (size_t order = 0; order < sizeof orders / sizeof *orders; order++) {
                struct deadline *all[COUNT];
                for (int i = 0; i < COUNT; i++)
                        all[i] = deadline_open(deadlines, -1, DEADLINE_NONE);
                for (int i = 0; i < COUNT; i++)
                        deadline_close(all[orders[order][i]]);
        }
}

int main(void)
{
        static struct row_tests all;
        deadlines = deadlines_start();
        rows_add_one(&all, "cuts the late", cuts_the_late);
        rows_add_one(&all, "spares the rest", spares_the_rest);
        rows_add_one(&all, "takes nothing", takes_nothing);
        rows_add_one(&all, "closes in any order", closes_in_any_order);
        const int failed = rows_run("deadline", &all);
        deadlines_stop(deadlines);
        return failed;
}
