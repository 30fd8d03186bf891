/* test_registry.c: ids, the limit, and the list in the order of making, while sockets come and go. */
#include "daemon/sockets/registry.h"

#include <inttypes.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/sockets/result.h"
#include "tests/unit/rows.h"

enum { LIMIT = 100 };

static struct socket *publish(struct registry *registry)
{
        const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct socket *const socket = socket_new(fd, AF_UNIX, SOCK_STREAM, 0);
        assert_non_null(socket);
        assert_int_equal(registry_reserve(registry, NULL, 1).kind, RESULT_DONE);
        registry_publish(registry, socket);
        return socket;
}

static void withdraw(struct registry *registry, struct socket *socket)
{
        assert_true(registry_unpublish(registry, socket));
        socket_release(socket);
}

struct id_row {
        const char *name;
        const char *format; /* of printf, with the prefix */
        uint64_t number;    /* 0: refused */
};

static const struct id_row id_rows[] = {
        { "the first", "%s-1", 1 },
        { "a long one", "%s-123456789012345678", 123456789012345678 },
        { "too long", "%s-1234567890123456789", 0 },
        { "far too long", "%s-99999999999999999999999999999999999999", 0 },
        { "number 0", "%s-0", 0 },
        { "a 0 before it", "%s-01", 0 },
        { "no number", "%s-", 0 },
        { "no number and no dash", "%s", 0 },
        { "another sign", "%s_1", 0 },
        { "a negative number", "%s--1", 0 },
        { "a plus sign", "%s-+1", 0 },
        { "a blank before", "%s- 1", 0 },
        { "a blank behind", "%s-1 ", 0 },
        { "hexadecimal", "%s-0x1", 0 },
        { "a letter behind", "%s-1a", 0 },
        { "other digits", "%s-\xd9\xa1", 0 },
        { "another run's", "0000000-1", 0 },
        { "something before", "x%s-1", 0 },
        { "a number alone", "1", 0 },
        { "nothing", "", 0 },
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void write_id(const struct id_row *row, const char *prefix, char *out, size_t size)
{
        snprintf(out, size, row->format, prefix);
}
#pragma GCC diagnostic pop

static void parses_ids(void **state)
{
        const struct id_row *const row = *state;
        struct registry *const registry = registry_new(LIMIT);
        char prefix[SOCKET_ID_SIZE], id[128], formatted[SOCKET_ID_SIZE];
        uint64_t number = 77;
        *strchr(strcpy(prefix, registry_format_id(registry, 1, formatted)), '-') = '\0';
        write_id(row, prefix, id, sizeof id);
        assert_int_equal(registry_parse_id(registry, id, &number), row->number != 0);
        assert_int_equal(number, row->number == 0 ? 77 : row->number);
        if (row->number != 0)
                assert_string_equal(registry_format_id(registry, row->number, formatted), id);
        assert_null(registry_find(registry, id));
        registry_free(registry);
}

static void longest_id_fits(void **state)
{
        (void)state;
        struct registry *const registry = registry_new(LIMIT);
        char id[SOCKET_ID_SIZE];
        assert_true(strlen(registry_format_id(registry, UINT64_MAX, id)) < SOCKET_ID_SIZE - 1);
        registry_free(registry);
}

static void finds_what_is_published(void **state)
{
        (void)state;
        struct registry *const registry = registry_new(LIMIT);
        struct socket *const socket = publish(registry);
        char id[SOCKET_ID_SIZE];
        registry_format_id(registry, socket->number, id);
        struct socket *const found = registry_find(registry, id);
        assert_ptr_equal(found, socket);
        assert_int_equal(socket->references, 3);
        socket_release(found);
        assert_null(registry_find_number(registry, socket->number + 1));

        assert_true(registry_unpublish(registry, socket));
        assert_false(registry_unpublish(registry, socket));
        assert_null(registry_find(registry, id));
        assert_int_equal(registry_count(registry), 0);
        socket_release(socket);
        assert_int_equal(socket->references, 1);

        struct socket *const later = publish(registry);
        assert_true(later->number > socket->number);
        assert_null(registry_find(registry, id));
        socket_release(socket);
        socket_release(later);
        registry_free(registry); /* ends the later one */
        registry_free(NULL);
}

static void keeps_the_limit(void **state)
{
        (void)state;
        struct registry *const registry = registry_new(3);
        struct socket *const one = publish(registry);
        assert_int_equal(registry_reserve(registry, NULL, 3).kind, RESULT_QUOTA);
        assert_int_equal(registry_reserve(registry, NULL, 2).kind, RESULT_DONE);
        const struct result full = registry_reserve(registry, NULL, 1);
        assert_int_equal(full.kind, RESULT_QUOTA);
        assert_non_null(full.detail);
        registry_unreserve(registry, NULL, 1);
        assert_int_equal(registry_reserve(registry, NULL, 1).kind, RESULT_DONE);
        registry_unreserve(registry, NULL, 2);
        struct socket *const two = publish(registry), *const three = publish(registry);
        assert_int_equal(registry_count(registry), 3);
        assert_int_equal(registry_reserve(registry, NULL, 1).kind, RESULT_QUOTA);
        assert_int_equal(registry_reserve(registry, NULL, SIZE_MAX).kind, RESULT_QUOTA);
        withdraw(registry, two);
        struct socket *const four = publish(registry);
        assert_int_equal(registry_count(registry), 3);
        struct socket *const all[] = { one, two, three, four };
        for (int i = 0; i < 4; i++)
                socket_release(all[i]);
        registry_free(registry);
}

struct page_row {
        const char *name;
        size_t count, page;
        size_t gone_each;   /* one in so many is gone beforehand; 0: none */
        bool cursor_leaves; /* the last one of each page is gone when the next is asked for */
};

static const struct page_row page_rows[] = {
        { "no socket", 0, 5, 0, false },
        { "one page", 4, 5, 0, false },
        { "a full page", 5, 5, 0, false },
        { "many pages", 50, 7, 0, false },
        { "one at a time", 20, 1, 0, false },
        { "with gaps", 50, 7, 3, false },
        { "all but few are gone", 50, 7, 1, false },
        { "the cursor's own socket is gone", 50, 7, 0, true },
        { "that one and others", 60, 7, 2, true },
};

static void pages(void **state)
{
        const struct page_row *const row = *state;
        struct registry *const registry = registry_new(LIMIT);
        struct socket *sockets[LIMIT] = { NULL }, *page[LIMIT];
        bool gone[LIMIT] = { false };
        size_t expected = row->count, listed = 0, count;
        for (size_t i = 0; i < row->count; i++)
                sockets[i] = publish(registry);
        for (size_t i = 0; row->gone_each > 0 && i < row->count; i += row->gone_each, expected--) {
                withdraw(registry, sockets[i]);
                gone[sockets[i]->number - sockets[0]->number] = true;
        }
        const uint64_t first = sockets[0] == NULL ? 0 : sockets[0]->number;
        for (uint64_t last = 0; (count = registry_list(registry, last, page, row->page)) > 0;
                listed += count) {
                assert_true(count <= row->page);
                for (size_t i = 0; i < count; i++) {
                        assert_true(page[i]->number > last);
                        assert_false(gone[page[i]->number - first]);
                        last = page[i]->number;
                }
                if (row->cursor_leaves)
                        withdraw(registry, page[count - 1]);
                for (size_t i = 0; i < count; i++)
                        socket_release(page[i]);
        }
        assert_int_equal(listed, expected);
        for (size_t i = 0; i < row->count; i++)
                socket_release(sockets[i]);
        registry_free(registry);
}

struct walk {
        uint64_t seen[LIMIT];
        size_t count, most;
};

static bool step(void *context, struct socket *socket)
{
        struct walk *const walk = context;
        walk->seen[walk->count++] = socket->number;
        return walk->count < walk->most;
}

/* Each once, in their order, from behind one on, and no further than is asked. */
static void each(void **state)
{
        enum { MANY = LIMIT, BEHIND = 2, SOME = MANY - 5 };
        struct registry *const registry = registry_new(LIMIT);
        struct socket *sockets[MANY];
        struct walk all = { .most = SIZE_MAX }, some = { .most = SOME };
        (void)state;
        for (size_t i = 0; i < MANY; i++)
                sockets[i] = publish(registry);
        registry_each(registry, sockets[BEHIND]->number, step, &all);
        registry_each(registry, 0, step, &some);
        assert_int_equal(all.count, MANY - BEHIND - 1);
        assert_int_equal(some.count, SOME);
        for (size_t i = 0; i < all.count; i++)
                assert_int_equal(all.seen[i], sockets[BEHIND + 1 + i]->number);
        for (size_t i = 0; i < some.count; i++)
                assert_int_equal(some.seen[i], sockets[i]->number);
        for (size_t i = 0; i < MANY; i++)
                socket_release(sockets[i]);
        registry_free(registry);
}

static void *come_and_go(void *argument)
{
        struct registry *const registry = argument;
        for (int turn = 0; turn < 1000; turn++) {
                const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                struct socket *const socket = socket_new(fd, AF_UNIX, SOCK_STREAM, 0);
                if (registry_reserve(registry, NULL, 1).kind != RESULT_DONE)
                        return NULL;
                registry_publish(registry, socket);
                struct socket *const found = registry_find_number(registry, socket->number);
                const bool unpublished = found == socket && registry_unpublish(registry, socket);
                socket_release(found);
                socket_release(socket);
                if (!unpublished)
                        return NULL;
                socket_release(socket);
        }
        return argument;
}

/* A page never shows one twice, and always those that stay. */
static void lists_while_others_come_and_go(void **state)
{
        (void)state;
        enum { THREADS = 3, STAYING = 10 };
        struct registry *const registry = registry_new(LIMIT);
        pthread_t threads[THREADS];
        struct socket *staying[STAYING], *page[8];
        for (int i = 0; i < STAYING; i++)
                staying[i] = publish(registry);
        for (int i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, registry), 0);
        for (int round = 0; round < 300; round++) {
                size_t seen = 0, count;
                for (uint64_t last = 0; (count = registry_list(registry, last, page, 8)) > 0;)
                        for (size_t i = 0; i < count; i++) {
                                assert_true(page[i]->number > last);
                                last = page[i]->number;
                                seen += last <= staying[STAYING - 1]->number;
                                socket_release(page[i]);
                        }
                assert_int_equal(seen, STAYING);
        }
        for (int i = 0; i < THREADS; i++) {
                void *done;
                pthread_join(threads[i], &done);
                assert_ptr_equal(done, registry);
        }
        assert_int_equal(registry_count(registry), STAYING);
        for (int i = 0; i < STAYING; i++)
                socket_release(staying[i]);
        registry_free(registry);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, parses_ids, id_rows);
        rows_add_one(&all, "the longest id fits", longest_id_fits);
        rows_add_one(&all, "finds what is published", finds_what_is_published);
        rows_add_one(&all, "keeps the limit", keeps_the_limit);
        ROWS_ADD(&all, pages, page_rows);
        rows_add_one(&all, "shows each, till it is enough", each);
        rows_add_one(&all, "lists while others come and go", lists_while_others_come_and_go);
        return rows_run("registry", &all);
}
