/* test_parcel.c: descriptors go into parcels and come out as copies, as often as one looks. */
#include "daemon/sockets/parcel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "daemon/sockets/cleanup.h"
#include "tests/unit/rows.h"

/* More than one message, and more than one parcel. */
static const struct amount {
        const char *name;
        size_t count;
} amounts[] = { { "one", 1 }, { "a message", 253 }, { "more than a message", 254 },
        { "more than a parcel", 60000 } };

static void close_all(struct parcel_items *list)
{
        for (size_t i = 0; i < list->count; i++)
                close(list->items[i].fd);
        free(list->items);
        *list = (struct parcel_items){ .count = 0 };
}

/* The same descriptor under each number: that is not the parcel's business. */
static size_t pack(size_t count, int *parcels, size_t room)
{
        fd_auto const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct parcel_items list = { .count = 0 };
        for (size_t i = 0; i < count; i++)
                assert_true(parcel_items_add(&list, i + 1, fd));
        size_t next = 0, used = 0;
        while (next < count) {
                assert_true(used < room);
                parcels[used] = parcel_pack(&list, &next);
                assert_true(parcels[used++] >= 0);
        }
        free(list.items);
        return used;
}

/* Where there may be as many descriptors. */
static void comes_out_again(void **state)
{
        const struct amount *const row = *state;
        int parcels[16];
        struct rlimit limit;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        /* A user has no more descriptors on their way than may be open. */
        if (row->count > limit.rlim_max && geteuid() != 0)
                skip();
        const size_t count = pack(row->count, parcels, sizeof parcels / sizeof *parcels);
        for (int time = 0; time < 2 && row->count < limit.rlim_max / 2; time++) {
                struct parcel_items list = { .count = 0 };
                for (size_t i = 0; i < count; i++)
                        assert_true(parcel_look(parcels[i], &list));
                assert_int_equal(list.count, row->count);
                for (size_t i = 0; i < list.count; i++) {
                        assert_int_equal(list.items[i].number, i + 1);
                        assert_int_equal(fcntl(list.items[i].fd, F_GETFD), FD_CLOEXEC);
                }
                close_all(&list);
        }
        for (size_t i = 0; i < count; i++)
                close(parcels[i]);
}

/* What is in a parcel lives on without whoever has packed it. */
static void keeps_alive(void **state)
{
        (void)state;
        int ends[2];
        char byte = 'x';
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        struct parcel_items list = { .count = 0 };
        assert_true(parcel_items_add(&list, 7, ends[0]));
        size_t next = 0;
        const int parcel = parcel_pack(&list, &next);
        close_all(&list);
        assert_int_equal(send(ends[1], &byte, 1, MSG_NOSIGNAL), 1);
        assert_true(parcel_look(parcel, &list));
        assert_int_equal(list.count, 1);
        assert_int_equal(recv(list.items[0].fd, &byte, 1, 0), 1);
        close_all(&list);
        close(parcel);
        assert_int_equal(recv(ends[1], &byte, 1, 0), 0);
        close(ends[1]);
}

static void says_that_not_all_can_be_had(void **state)
{
        (void)state;
        int parcel;
        struct rlimit limit, few;
        assert_int_equal(pack(8, &parcel, 1), 1);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        few = limit;
        few.rlim_cur = (rlim_t)parcel + 4;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        struct parcel_items list = { .count = 0 };
        const bool complete = parcel_look(parcel, &list);
        const int error = errno;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_false(complete);
        assert_int_equal(error, EMFILE);
        assert_true(list.count < 8);
        close_all(&list);
        assert_true(parcel_look(parcel, &list));
        assert_int_equal(list.count, 8);
        close_all(&list);
        close(parcel);
}

static void refuses_what_is_no_parcel(void **state)
{
        (void)state;
        fd_auto const int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
        struct parcel_items list = { .count = 0 };
        assert_false(parcel_look(file, &list));
        assert_int_equal(list.count, 0);
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        ROWS_ADD(&all, comes_out_again, amounts);
        rows_add_one(&all, "keeps alive", keeps_alive);
        rows_add_one(&all, "says that not all can be had", says_that_not_all_can_be_had);
        rows_add_one(&all, "refuses what is no parcel", refuses_what_is_no_parcel);
        return rows_run("parcel", &all);
}
