/* observer.c: the thread that looks at all sockets for events, and wakes the calls that wait for one.
 *
 * It sleeps until an event comes that a call may wait for, until the next call's deadline and, while events
 * are wanted that only looking tells, for no longer than a round. */
#include "daemon/sockets/observer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/edge.h"
#include "daemon/sockets/thread.h"
#include "daemon/sockets/traffic.h"
#include "daemon/sockets/waiter.h"

enum { BATCH = 64 };

static const int64_t NS_PER_S = 1000000000, ROUND_NS = 50000000, PAUSE_NS = 5000000, LINGER_NS = 30000000000;

static const unsigned TRAFFIC_KINDS = EVENT_RECEIVED | EVENT_SENT;
static const unsigned EDGE_KINDS = EVENT_READABLE | EVENT_PEER_CLOSED | EVENT_RESET | EVENT_ERROR;

struct listener {
        struct listener *next;
        uint64_t number;
        struct event_filter filter;
        struct alarm alarm; /* .ticket 0: not armed */
};

struct observer {
        struct registry *registry;
        struct waiter *waiter;
        pthread_t thread;
        struct event_bell bell;
        struct edges edges; /* the thread's own */

        pthread_mutex_t lock; /* guards all below */
        bool started, stopping;
        size_t wants[EVENT_KIND_COUNT]; /* how many want each */
        unsigned lingering;             /* kinds that were wanted until a while ago … */
        int64_t linger_until_ns;        /* … and are till then */
        uint64_t last_number;           /* of a listener */
        struct listener *listeners;
        uint64_t seen; /* the last event that was held against the listeners */
};

/* Needs the lock. */
static unsigned wanted_kinds(struct observer *observer)
{
        unsigned kinds = 0;
        for (int place = 0; place < EVENT_KIND_COUNT; place++)
                kinds |= observer->wants[place] > 0 ? 1u << place : 0;
        if (observer->lingering != 0 && now_ns() >= observer->linger_until_ns)
                observer->lingering = 0;
        return kinds | observer->lingering;
}

/* What went through before is no news for who comes first. Returns the kinds. Needs the lock. */
static unsigned set_wanted(struct observer *observer)
{
        const unsigned kinds = wanted_kinds(observer);
        const unsigned before = event_want(kinds);
        if ((kinds & TRAFFIC_KINDS) != 0 && (before & TRAFFIC_KINDS) == 0)
                traffic_begin(observer->registry);
        return kinds;
}

/* A round of looking. */
static void look(struct observer *observer)
{
        unsigned kinds;
        {
                LOCK_SCOPE(&observer->lock);
                kinds = set_wanted(observer);
        }
        if ((kinds & TRAFFIC_KINDS) != 0)
                traffic_tell_all(observer->registry);
        const bool watches = observer->edges.epoll_fd >= 0;
        if ((kinds & EDGE_KINDS) == 0 && watches)
                edges_close(&observer->edges);
        else if ((kinds & EDGE_KINDS) != 0 && (watches || edges_open(&observer->edges, observer->registry)))
                edges_tell(&observer->edges);
}

/* Needs the lock. */
static void want(struct observer *observer, unsigned kinds)
{
        for (int place = 0; place < EVENT_KIND_COUNT; place++)
                observer->wants[place] += kinds >> place & 1u;
        set_wanted(observer);
}

/* Needs the lock. */
static void unwant(struct observer *observer, unsigned kinds)
{
        for (int place = 0; place < EVENT_KIND_COUNT; place++)
                observer->wants[place] -= kinds >> place & 1u;
        observer->lingering |= kinds;
        observer->linger_until_ns = now_ns() + LINGER_NS;
}

/* Needs the lock. */
static void end_listener(struct observer *observer, struct listener **link)
{
        struct listener *const listener = *link;
        *link = listener->next;
        unwant(observer, listener->filter.kinds);
        free(listener);
}

static bool is_met(const struct listener *listener, const struct event *events, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (events[i].sequence > listener->alarm.after &&
                        event_matches(&listener->filter, &events[i]))
                        return true;
        return false;
}

/* Ends those of the listeners that a batch of events meets, or whose time is over; where events were lost,
 * all. Returns how many tickets those are, at most `most`. Needs the lock. */
static size_t take_met(struct observer *observer, const struct event *events, size_t count, bool lost,
        uint64_t *tickets, size_t most)
{
        const int64_t now = now_ns();
        size_t met = 0;
        for (struct listener **link = &observer->listeners; *link != NULL && met < most;) {
                const struct alarm *const alarm = &(*link)->alarm;
                if (alarm->ticket == 0 ||
                        (!lost && alarm->deadline_ns > now && !is_met(*link, events, count))) {
                        link = &(*link)->next;
                        continue;
                }
                tickets[met++] = alarm->ticket;
                end_listener(observer, link);
        }
        return met;
}

/* Holds the next events against the listeners. False: there are none left. */
static bool wake_some(struct observer *observer)
{
        struct event events[BATCH];
        uint64_t tickets[BATCH], lost = 0;
        size_t count, met;
        {
                LOCK_SCOPE(&observer->lock);
                uint64_t seen = observer->seen;
                count = observer->listeners == NULL ? 0 : event_read(&seen, events, BATCH, &lost);
                met = observer->listeners == NULL
                              ? 0
                              : take_met(observer, events, count, lost > 0, tickets, BATCH);
                /* Where there are more tickets than fit, the same events come again. */
                if (met < BATCH)
                        observer->seen = observer->listeners == NULL ? event_last() : seen;
        }
        for (size_t i = 0; i < met; i++)
                waiter_complete(observer->waiter, tickets[i]);
        return met == BATCH || count == BATCH;
}

/* When something is to be done by itself; INT64_MAX: never. False: stop. */
static bool next_due(struct observer *observer, int64_t *due_ns)
{
        LOCK_SCOPE(&observer->lock);
        const bool looks = (wanted_kinds(observer) & (TRAFFIC_KINDS | EDGE_KINDS)) != 0;
        *due_ns = looks                      ? now_ns() + ROUND_NS
                  : observer->lingering != 0 ? observer->linger_until_ns
                                             : INT64_MAX;
        for (const struct listener *listener = observer->listeners; listener != NULL;
                listener = listener->next)
                if (listener->alarm.ticket != 0 && listener->alarm.deadline_ns < *due_ns)
                        *due_ns = listener->alarm.deadline_ns;
        /* An event that is there already is due now. */
        if (observer->listeners != NULL && !event_bell_arm(&observer->bell, observer->seen))
                *due_ns = 0;
        return !observer->stopping;
}

/* seccomp: ppoll */
static void sleep_until(const struct observer *observer, int64_t due_ns)
{
        struct pollfd bell = { .fd = observer->bell.fd, .events = POLLIN };
        const int64_t left = due_ns - now_ns();
        const struct timespec timeout = { .tv_sec = left > 0 ? left / NS_PER_S : 0,
                .tv_nsec = left > 0 ? left % NS_PER_S : 0 };
        if (ppoll(&bell, 1, due_ns == INT64_MAX ? NULL : &timeout, NULL) > 0)
                event_bell_hush(&observer->bell);
}

/* The pause has the next events come together. seccomp: clock_nanosleep nanosleep */
static void *observe(void *context)
{
        struct observer *const observer = context;
        const struct timespec pause = { .tv_nsec = PAUSE_NS };
        int64_t due_ns, round_ns = 0;
        pthread_setname_np(pthread_self(), "observer");
        while (next_due(observer, &due_ns)) {
                sleep_until(observer, due_ns);
                if (now_ns() >= round_ns) {
                        look(observer);
                        round_ns = now_ns() + ROUND_NS;
                }
                while (wake_some(observer))
                        continue;
                nanosleep(&pause, NULL);
        }
        return NULL;
}

/* Needs the lock. */
static bool start(struct observer *observer)
{
        if (!observer->started)
                observer->started = thread_start(&observer->thread, observe, observer) == 0;
        return observer->started;
}

struct observer *observer_new(struct registry *registry, struct waiter *waiter)
{
        struct observer *observer = calloc(1, sizeof *observer);
        if (observer == NULL)
                return NULL;
        observer->registry = registry;
        observer->waiter = waiter;
        observer->edges.epoll_fd = -1;
        pthread_mutex_init(&observer->lock, NULL);
        if (event_bell_open(&observer->bell))
                return observer;
        pthread_mutex_destroy(&observer->lock);
        free(observer);
        return NULL;
}

void observer_free(struct observer *observer)
{
        if (observer == NULL)
                return;
        pthread_mutex_lock(&observer->lock);
        observer->stopping = true;
        pthread_mutex_unlock(&observer->lock);
        event_bell_ring(&observer->bell);
        if (observer->started)
                pthread_join(observer->thread, NULL);
        event_want(0);
        event_bell_close(&observer->bell);
        edges_close(&observer->edges);
        pthread_mutex_destroy(&observer->lock);
        free(observer);
}

bool observer_want(struct observer *observer, unsigned kinds)
{
        LOCK_SCOPE(&observer->lock);
        if (!start(observer))
                return false;
        want(observer, kinds);
        event_bell_ring(&observer->bell);
        return true;
}

void observer_unwant(struct observer *observer, unsigned kinds)
{
        LOCK_SCOPE(&observer->lock);
        unwant(observer, kinds);
}

uint64_t observer_listen(struct observer *observer, const struct event_filter *filter)
{
        LOCK_SCOPE(&observer->lock);
        struct listener *const listener = start(observer) ? calloc(1, sizeof *listener) : NULL;
        if (listener == NULL)
                return 0;
        listener->number = ++observer->last_number;
        listener->filter = *filter;
        listener->next = observer->listeners;
        observer->listeners = listener;
        want(observer, filter->kinds);
        return listener->number;
}

/* Needs the lock. */
static struct listener **find(struct observer *observer, uint64_t number)
{
        struct listener **link = &observer->listeners;
        while (*link != NULL && (*link)->number != number)
                link = &(*link)->next;
        return link;
}

void observer_leave(struct observer *observer, uint64_t listener)
{
        if (listener == 0)
                return;
        LOCK_SCOPE(&observer->lock);
        struct listener **const link = find(observer, listener);
        if (*link != NULL)
                end_listener(observer, link);
}

void observer_arm(struct observer *observer, uint64_t listener, const struct alarm *alarm)
{
        LOCK_SCOPE(&observer->lock);
        struct listener *const found = *find(observer, listener);
        if (found == NULL)
                return;
        found->alarm = *alarm;
        if (alarm->after < observer->seen)
                observer->seen = alarm->after;
        event_bell_ring(&observer->bell);
}
