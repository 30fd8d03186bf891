/* test_event.c: the ring of events: numbers, what is lost when it runs over, filters, and bells. */
#include "daemon/sockets/event.h"

#include <poll.h>
#include <pthread.h>

#include "daemon/sockets/store.h"
#include "tests/unit/rows.h"

static struct socket *sample(uint64_t number)
{
        assert_true(store_open());
        struct socket *const socket = socket_new(-1, AF_UNIX, SOCK_STREAM, 0);
        assert_non_null(socket);
        socket->number = number;
        return socket;
}

static void publish(const struct socket *socket, enum event_kind kind)
{
        event_publish(socket, &(struct event_facts){ .kind = kind });
}

static void numbers_go_on(void **state)
{
        (void)state;
        struct socket *const socket = sample(7);
        const uint64_t start = event_last();
        struct event events[4];
        uint64_t after = start, lost = 99;
        assert_true(start > 0);
        publish(socket, EVENT_MADE);
        event_publish(socket, &(struct event_facts){ .kind = EVENT_ERROR, .error = 32, .call = "send" });
        assert_int_equal(event_read(&after, events, 4, &lost), 2);
        assert_int_equal(lost, 0);
        assert_int_equal(after, start + 2);
        assert_int_equal(events[0].sequence, start + 1);
        assert_int_equal(events[0].kind, EVENT_MADE);
        assert_int_equal(events[0].socket, 7);
        assert_int_equal(events[1].error, 32);
        assert_string_equal(events[1].call, "send");
        assert_int_equal(event_read(&after, events, 4, &lost), 0);
        socket_release(socket);
}

/* Nobody knows it yet, or nobody wants to know. */
static void some_are_not_told(void **state)
{
        (void)state;
        struct socket *const unknown = sample(0), *const known = sample(8);
        const uint64_t start = event_last();
        publish(unknown, EVENT_MADE);
        publish(known, EVENT_READABLE);
        publish(known, EVENT_PARKED);
        assert_int_equal(event_last(), start);
        assert_int_equal(event_want(EVENT_READABLE | EVENT_MADE), 0);
        publish(known, EVENT_READABLE);
        publish(known, EVENT_PARKED);
        assert_int_equal(event_last(), start + 1);
        assert_int_equal(event_want(0), EVENT_READABLE | EVENT_MADE);
        event_publish_once(known, &(struct event_facts){ .kind = EVENT_RESET });
        event_publish_once(known, &(struct event_facts){ .kind = EVENT_RESET });
        assert_int_equal(event_last(), start + 2);
        socket_release(unknown);
        socket_release(known);
}

/* Where somebody comes from, once more events than are kept have come. */
static const struct place {
        const char *name;
        int64_t behind; /* the first one's number */
        bool absolute;
        uint64_t lost;
        int64_t next; /* behind the first one's number: the first that is read */
} places[] = {
        { "at the beginning", 0, false, 100, 101 },
        { "in what is gone", 40, false, 60, 101 },
        { "right before the oldest", 100, false, 0, 101 },
        { "in what is kept", 500, false, 0, 501 },
        { "at the end", EVENTS_KEPT + 100, false, 0, EVENTS_KEPT + 101 },
        { "all that is kept", 0, true, 0, 101 },
        { "another daemon's number", 1, true, EVENTS_LOST_UNKNOWN, 101 },
        { "a number to come", EVENTS_KEPT + 1000, false, EVENTS_LOST_UNKNOWN, 101 },
};

static void runs_over(void **state)
{
        static struct event events[EVENTS_KEPT];
        const struct place *const place = *state;
        struct socket *const socket = sample(9);
        const uint64_t start = event_last();
        uint64_t lost;
        for (int i = 0; i < EVENTS_KEPT + 100; i++)
                publish(socket, EVENT_BOUND);
        uint64_t after = (place->absolute ? 0 : start) + (uint64_t)place->behind;
        const size_t count = event_read(&after, events, EVENTS_KEPT, &lost);
        assert_int_equal(lost, place->lost);
        assert_int_equal(count, EVENTS_KEPT + 101 - place->next);
        assert_int_equal(after, start + EVENTS_KEPT + 100);
        for (size_t i = 0; i < count; i++)
                assert_int_equal(events[i].sequence, start + (uint64_t)place->next + i);
        socket_release(socket);
}

static const struct account me = { .name = "me" }, other = { .name = "other" };

static const struct filter {
        const char *name;
        struct event_filter filter;
        bool matches;
} filters[] = {
        { "mine", { .kinds = EVENT_ALL_KINDS, .owner = &me }, true },
        { "another's", { .kinds = EVENT_ALL_KINDS, .owner = &other }, false },
        { "nobody's", { .kinds = EVENT_ALL_KINDS }, false },
        { "everybody's", { .kinds = EVENT_ALL_KINDS, .of_all = true }, true },
        { "its kind", { .kinds = EVENT_CLOSED | EVENT_ACCEPTED, .owner = &me }, true },
        { "other kinds", { .kinds = EVENT_CLOSED | EVENT_MADE, .owner = &me }, false },
        { "its number", { .kinds = EVENT_ALL_KINDS, .owner = &me, .socket = 5 }, true },
        { "its listener's", { .kinds = EVENT_ALL_KINDS, .owner = &me, .socket = 4 }, true },
        { "another number", { .kinds = EVENT_ALL_KINDS, .owner = &me, .socket = 6 }, false },
        { "its session", { .kinds = EVENT_ALL_KINDS, .owner = &me, .session = 3 }, true },
        { "another session", { .kinds = EVENT_ALL_KINDS, .owner = &me, .session = 5 }, false },
        { "its label", { .kinds = EVENT_ALL_KINDS, .owner = &me, .has_label = true, .label = "x" }, true },
        { "another label", { .kinds = EVENT_ALL_KINDS, .owner = &me, .has_label = true, .label = "xy" },
                false },
        { "no label", { .kinds = EVENT_ALL_KINDS, .owner = &me, .has_label = true }, false },
        { "one thing amiss",
                { .kinds = EVENT_ALL_KINDS,
                        .owner = &me,
                        .socket = 5,
                        .session = 3,
                        .has_label = true,
                        .label = "y" },
                false },
};

static void filters_events(void **state)
{
        const struct filter *const filter = *state;
        const struct event event = {
                .kind = EVENT_ACCEPTED, .socket = 5, .parent = 4, .session = 3, .owner = &me, .label = "x"
        };
        assert_int_equal(event_matches(&filter->filter, &event), filter->matches);
}

static bool rings(const struct event_bell *bell)
{
        struct pollfd ready = { .fd = bell->fd, .events = POLLIN };
        return poll(&ready, 1, 0) == 1;
}

static void bells_ring_once(void **state)
{
        (void)state;
        struct socket *const socket = sample(10);
        struct event_bell one, two;
        assert_true(event_bell_open(&one));
        assert_true(event_bell_open(&two));
        publish(socket, EVENT_MADE);
        assert_false(rings(&one));
        assert_false(event_bell_arm(&one, event_last() - 1)); /* there is one already */
        publish(socket, EVENT_MADE);
        assert_false(rings(&one));
        assert_true(event_bell_arm(&one, event_last()));
        publish(socket, EVENT_MADE);
        assert_true(rings(&one));
        assert_false(rings(&two));
        event_bell_hush(&one);
        publish(socket, EVENT_MADE);
        assert_false(rings(&one));
        event_bell_close(&one);
        assert_true(event_bell_arm(&two, event_last()));
        publish(socket, EVENT_MADE);
        assert_true(rings(&two));
        event_bell_close(&two);
        publish(socket, EVENT_MADE);
        socket_release(socket);
}

enum { WRITERS = 4, EACH = 20000 };

static void *write_many(void *context)
{
        struct socket *const socket = sample((uint64_t)(uintptr_t)context);
        for (uint64_t i = 1; i <= EACH; i++)
                event_publish(socket, &(struct event_facts){ .kind = EVENT_MADE, .bytes = i });
        socket_release(socket);
        return NULL;
}

/* Whoever reads meanwhile sees each writer's in order, whole, and knows how many he has not seen. */
static void many_at_once(void **state)
{
        (void)state;
        static struct event events[64];
        pthread_t writers[WRITERS];
        uint64_t after = event_last(), lost, missed = 0, seen = 0, before[WRITERS] = { 0 };
        for (uintptr_t i = 0; i < WRITERS; i++)
                assert_int_equal(pthread_create(&writers[i], NULL, write_many, (void *)(i + 100)), 0);
        while (seen + missed < (uint64_t)WRITERS * EACH) {
                const size_t count = event_read(&after, events, 64, &lost);
                missed += lost;
                for (size_t i = 0; i < count; i++) {
                        const uint64_t writer = events[i].socket - 100;
                        assert_true(writer < WRITERS && events[i].bytes > before[writer]);
                        before[writer] = events[i].bytes;
                }
                seen += count;
        }
        assert_int_equal(seen + missed, (uint64_t)WRITERS * EACH);
        for (int i = 0; i < WRITERS; i++)
                pthread_join(writers[i], NULL);
}

int main(void)
{
        static struct row_tests all;
        rows_add_one(&all, "numbers go on", numbers_go_on);
        rows_add_one(&all, "some are not told", some_are_not_told);
        ROWS_ADD(&all, runs_over, places);
        ROWS_ADD(&all, filters_events, filters);
        rows_add_one(&all, "bells ring once", bells_ring_once);
        rows_add_one(&all, "many at once", many_at_once);
        return rows_run("events", &all);
}
