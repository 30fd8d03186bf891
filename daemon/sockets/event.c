/* event.c: the ring of events, one for the process. */
#include "daemon/sockets/event.h"

#include <string.h>
#include <sys/eventfd.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/session.h"

static const struct name rows[] = {
#define EVENT(kind, text, frequent) { .name = (text), .number = EVENT_##kind },
#include "daemon/sockets/event.def"
#undef EVENT
};
const struct names event_names = { .title = "event_kind", .rows = rows, .count = sizeof rows / sizeof *rows };

static const unsigned FREQUENT_KINDS = 0
#define EVENT(kind, text, frequent) | ((frequent) ? (unsigned)EVENT_##kind : 0)
#include "daemon/sockets/event.def"
#undef EVENT
        ;

static struct {
        _Atomic unsigned wanted;

        pthread_mutex_t lock; /* guards all below */
        uint64_t base, last;  /* the number before the first one, and the last one's; 0: not begun */
        struct event_bell *bells;
        struct event kept[EVENTS_KEPT]; /* by number */
} ring = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Microseconds since 2026: fewer events than that come in a process's life, so that the next one's numbers
 * are all greater. */
static uint64_t number_now(void)
{
        enum { EPOCH_2026_S = 1767225600, US_PER_S = 1000000, NS_PER_US = 1000 };
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        return now.tv_sec <= EPOCH_2026_S
                       ? 1
                       : (uint64_t)(now.tv_sec - EPOCH_2026_S) * US_PER_S + (uint64_t)now.tv_nsec / NS_PER_US;
}

/* Needs the lock. */
static void begin(void)
{
        if (ring.last == 0)
                ring.base = ring.last = number_now();
}

unsigned event_want(unsigned kinds)
{
        return atomic_exchange(&ring.wanted, kinds);
}

bool event_is_wanted(enum event_kind kind)
{
        return (atomic_load_explicit(&ring.wanted, memory_order_relaxed) & (unsigned)kind) != 0;
}

uint64_t event_last(void)
{
        LOCK_SCOPE(&ring.lock);
        begin();
        return ring.last;
}

/* Needs the lock. */
static void add(const struct socket *socket, const struct event_facts *facts, const struct timespec *now)
{
        begin();
        struct event *const event = &ring.kept[++ring.last % EVENTS_KEPT];
        const struct address *const peer = facts->peer;
        event->sequence = ring.last;
        event->time = *now;
        event->kind = facts->kind;
        event->error = facts->error;
        event->bytes = facts->bytes;
        event->call = facts->call;
        event->socket = socket->number;
        event->parent = socket->parent;
        event->session = socket->session == NULL ? 0 : socket->session->number;
        event->owner = socket->owner;
        memcpy(event->label, socket->stored->label, sizeof event->label);
        event->peer_size = peer == NULL ? 0 : peer->size;
        if (peer != NULL)
                event->peer = peer->storage;
}

/* seccomp: write */
static void ring_fd(int fd)
{
        const uint64_t one = 1;
        /* It can only fail when it rings already. */
        (void)!write(fd, &one, sizeof one);
}

/* Only those who wait, once. Needs the lock: behind it, the descriptor's number may be another's. */
static void ring_bells(void)
{
        for (struct event_bell *bell = ring.bells; bell != NULL; bell = bell->next) {
                if (bell->armed)
                        ring_fd(bell->fd);
                bell->armed = false;
        }
}

void event_publish(const struct socket *socket, const struct event_facts *facts)
{
        struct timespec now;
        const bool is_frequent = ((unsigned)facts->kind & FREQUENT_KINDS) != 0;
        if (socket->number == 0 || (is_frequent && !event_is_wanted(facts->kind)))
                return;
        clock_gettime(CLOCK_REALTIME, &now);
        LOCK_SCOPE(&ring.lock);
        add(socket, facts, &now);
        ring_bells();
}

void event_publish_once(struct socket *socket, const struct event_facts *facts)
{
        const unsigned kind = facts->kind;
        if ((atomic_fetch_or_explicit(&socket->told_kinds, kind, memory_order_relaxed) & kind) == 0)
                event_publish(socket, facts);
}

/* Where reading behind `after` begins. Needs the lock. */
static uint64_t first_behind(uint64_t after, uint64_t *lost)
{
        const uint64_t oldest = ring.last - ring.base > EVENTS_KEPT ? ring.last - EVENTS_KEPT : ring.base;
        const bool is_own = after >= ring.base && after <= ring.last;
        *lost = after == 0 || (is_own && after >= oldest) ? 0 : is_own ? oldest - after : EVENTS_LOST_UNKNOWN;
        return is_own && after >= oldest ? after : oldest;
}

size_t event_read(uint64_t *after, struct event *out, size_t count, uint64_t *lost)
{
        LOCK_SCOPE(&ring.lock);
        begin();
        uint64_t at = first_behind(*after, lost);
        size_t read = 0;
        while (read < count && at < ring.last)
                out[read++] = ring.kept[++at % EVENTS_KEPT];
        *after = at;
        return read;
}

bool event_matches(const struct event_filter *filter, const struct event *event)
{
        return (filter->kinds & (unsigned)event->kind) != 0 &&
               (filter->of_all || filter->owner == event->owner) &&
               (filter->socket == 0 || filter->socket == event->socket || filter->socket == event->parent) &&
               (filter->session == 0 || filter->session == event->session) &&
               (!filter->has_label || strcmp(filter->label, event->label) == 0);
}

/* seccomp: eventfd2 */
bool event_bell_open(struct event_bell *bell)
{
        *bell = (struct event_bell){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
        if (bell->fd < 0)
                return false;
        LOCK_SCOPE(&ring.lock);
        bell->next = ring.bells;
        ring.bells = bell;
        return true;
}

void event_bell_close(struct event_bell *bell)
{
        pthread_mutex_lock(&ring.lock);
        for (struct event_bell **link = &ring.bells; *link != NULL; link = &(*link)->next)
                if (*link == bell) {
                        *link = bell->next;
                        break;
                }
        pthread_mutex_unlock(&ring.lock);
        close(bell->fd);
}

bool event_bell_arm(struct event_bell *bell, uint64_t after)
{
        LOCK_SCOPE(&ring.lock);
        bell->armed = ring.last <= after;
        return bell->armed;
}

void event_bell_ring(const struct event_bell *bell)
{
        ring_fd(bell->fd);
}

/* seccomp: read */
void event_bell_hush(const struct event_bell *bell)
{
        uint64_t count;
        (void)!read(bell->fd, &count, sizeof count);
}
