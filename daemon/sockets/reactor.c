/* reactor.c: the reactors and the thread that serves them.
 *
 * One lock guards everything; the thread holds it for a turn of one link at a time, and lets callers go
 * first. Descriptors are in the epoll only while their link waits for an event, by a ticket that is never
 * valid twice: a late event finds nothing. */
#include "daemon/sockets/reactor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/reactor_link.h"
#include "daemon/sockets/registry.h"
#include "daemon/sockets/thread.h"
#include "daemon/sockets/waiter.h"

enum { EVENTS_AT_ONCE = 64 };

static const int64_t NS_PER_MS = 1000000;

const char *const reactor_kind_names[REACTOR_KIND_COUNT] = {
        [REACTOR_ECHO] = "echo",
        [REACTOR_SINK] = "sink",
        [REACTOR_SOURCE] = "source",
        [REACTOR_VERIFY] = "verify",
        [REACTOR_REPLY] = "reply",
        [REACTOR_FORWARD] = "forward",
};

/* The directions of the socket that a reactor has for itself. */
static const unsigned directions_of[REACTOR_KIND_COUNT] = {
        [REACTOR_ECHO] = 1u << DIRECTION_RECEIVE | 1u << DIRECTION_SEND,
        [REACTOR_SINK] = 1u << DIRECTION_RECEIVE,
        [REACTOR_SOURCE] = 1u << DIRECTION_SEND,
        [REACTOR_VERIFY] = 1u << DIRECTION_RECEIVE,
        [REACTOR_REPLY] = 1u << DIRECTION_RECEIVE | 1u << DIRECTION_SEND,
        [REACTOR_FORWARD] = 1u << DIRECTION_RECEIVE,
};

static unsigned directions_for(const struct socket *socket, enum reactor_kind kind)
{
        return socket_is_listening(socket) ? 1u << DIRECTION_RECEIVE : directions_of[kind];
}

/* The thread would keep the lock from others for long, as locks are not fair. */
static void enter(struct reactors *reactors)
{
        atomic_fetch_add(&reactors->callers, 1);
        pthread_mutex_lock(&reactors->lock);
        if (atomic_fetch_sub(&reactors->callers, 1) == 1)
                pthread_cond_signal(&reactors->calm);
}

#define ENTER_SCOPE(reactors)                                                                                \
        pthread_mutex_t *const scope_lock __attribute__((cleanup(cleanup_lock), unused)) =                   \
                &(reactors)->lock;                                                                           \
        enter(reactors)

/* Milliseconds until a link is due, rounded up; -1: none waits for a time. Turns those that are. */
static int run_later(struct reactors *reactors)
{
        const int64_t now = now_ns();
        int64_t first = INT64_MAX;
        for (struct link *link = reactors->later, *later; link != NULL; link = later) {
                later = link->later;
                if (link->due_ns <= now)
                        link_turn(link);
        }
        for (const struct link *link = reactors->later; link != NULL; link = link->later)
                first = link->due_ns < first ? link->due_ns : first;
        if (first == INT64_MAX)
                return -1;
        return first <= now ? 0 : (int)((first - now + NS_PER_MS - 1) / NS_PER_MS);
}

/* Lets the callers go first. Returns with the lock held. */
static void enter_calmly(struct reactors *reactors)
{
        pthread_mutex_lock(&reactors->lock);
        while (atomic_load(&reactors->callers) > 0)
                pthread_cond_wait(&reactors->calm, &reactors->lock);
}

/* seccomp: read */
static void run_event(struct reactors *reactors, const struct epoll_event *event)
{
        if (event->data.u64 == 0)
                eventfd_read(reactors->wake, &(eventfd_t){ 0 });
        struct link *const link = table_find(&reactors->links, event->data.u64);
        if (link == NULL)
                return;
        if ((event->events & EPOLLERR) != 0) {
                socket_empty_error_queue(link->in.fd);
                socket_empty_error_queue(link->out.fd);
        }
        link_turn(link);
}

/* seccomp: epoll_wait epoll_pwait */
static void *run(void *context)
{
        struct reactors *const reactors = context;
        struct epoll_event events[EVENTS_AT_ONCE];
        pthread_setname_np(pthread_self(), "reactors");
        for (;;) {
                enter_calmly(reactors);
                const int timeout_ms = run_later(reactors);
                const bool stopping = reactors->stopping;
                pthread_mutex_unlock(&reactors->lock);
                if (stopping)
                        return NULL;
                const int count = epoll_wait(reactors->epoll, events, EVENTS_AT_ONCE, timeout_ms);
                for (int i = 0; i < count; i++) {
                        enter_calmly(reactors);
                        run_event(reactors, &events[i]);
                        pthread_mutex_unlock(&reactors->lock);
                }
        }
}

static const uint8_t *append(uint8_t **end, const uint8_t *bytes, size_t size)
{
        uint8_t *const place = *end;
        if (size > 0)
                memcpy(place, bytes, size);
        *end += size;
        return place;
}

/* One block for all that the plan points to. NULL without memory. */
static uint8_t *plan_copy(struct reactor_plan *plan, size_t *size)
{
        const size_t rules_size = plan->replies.count * sizeof *plan->replies.items;
        *size = rules_size + plan->pattern.size;
        for (size_t i = 0; i < plan->replies.count; i++)
                *size += plan->replies.items[i].when_size + plan->replies.items[i].then_size;
        uint8_t *const block = malloc(*size + 1);
        if (block == NULL)
                return NULL;
        struct reply_rule *const rules = (struct reply_rule *)(void *)block;
        uint8_t *end = block + rules_size;
        for (size_t i = 0; i < plan->replies.count; i++) {
                rules[i] = plan->replies.items[i];
                rules[i].when = append(&end, rules[i].when, rules[i].when_size);
                rules[i].then = append(&end, rules[i].then, rules[i].then_size);
        }
        plan->replies.items = rules;
        plan->pattern.bytes = append(&end, plan->pattern.bytes, plan->pattern.size);
        reply_rules_prepare(&plan->replies);
        return block;
}

/* Ends it, and forgets what it did. */
static void reactor_drop(struct reactor *reactor)
{
        reactor_end(reactor, ECANCELED);
        *reactor->at = reactor->next;
        if (reactor->next != NULL)
                reactor->next->at = reactor->at;
        reactor->socket->reactor = NULL;
        account_give_back(reactor->plan.account, RESOURCE_BYTES, reactor->held);
        socket_release(reactor->plan.to);
        socket_release(reactor->socket);
        free(reactor->memory);
        free(reactor);
}

/* Without links yet; NULL without memory. */
static struct reactor *reactor_new(struct socket *socket, const struct reactor_plan *plan)
{
        struct reactor *const reactor = calloc(1, sizeof *reactor);
        if (reactor == NULL)
                return NULL;
        reactor->plan = *plan;
        reactor->memory = plan_copy(&reactor->plan, &reactor->held);
        if (reactor->memory == NULL) {
                free(reactor);
                return NULL;
        }
        reactor->held += sizeof *reactor;
        reactor->socket = socket_reference(socket);
        if (plan->to != NULL)
                socket_reference(plan->to);
        return reactor;
}

static void reactor_add(struct reactors *reactors, struct reactor *reactor)
{
        reactor->reactors = reactors;
        reactor->socket->reactor = reactor;
        reactor->next = reactors->first;
        reactor->at = &reactors->first;
        if (reactor->next != NULL)
                reactor->next->at = &reactor->next;
        reactors->first = reactor;
        account_add(reactor->plan.account, RESOURCE_BYTES, reactor->held);
}

/* Gives somebody directions for himself. What he takes from a socket is not retained; the lock keeps out a
 * recv that begins to. */
static struct result claim(const char *call, struct socket *socket, unsigned directions)
{
        LOCK_SCOPE(&socket->lanes[DIRECTION_RECEIVE].lock);
        const bool takes = (directions & 1u << DIRECTION_RECEIVE) != 0 && !socket_is_listening(socket);
        if (takes && inbox_retains(socket)) {
                struct result busy = refused(call, EBUSY);
                busy.detail = "the socket retains what it receives: a reactor or a stream would not";
                return busy;
        }
        socket->reacting = directions;
        return DONE;
}

/* Its own link, and the room for it. */
static struct result reactor_begin(struct reactor *reactor)
{
        struct registry *const registry = reactor->reactors->registry;
        struct account *const account = reactor->plan.account;
        const size_t places = socket_is_listening(reactor->socket) ? 0 : link_places(reactor);
        struct link *link;
        TRY(claim("reactor", reactor->socket, directions_for(reactor->socket, reactor->plan.kind)));
        TRY(registry_reserve(registry, account, places));
        const struct result result = link_new(reactor, reactor->socket, places, &link);
        if (result.kind != RESULT_DONE)
                registry_unreserve(registry, account, places);
        return result;
}

static const char taken[] = "a reactor or a stream has the socket for itself";

/* Whoever has the directions for itself would take what calls wait for. */
static struct result nobody_waits(const char *call, const struct socket *socket, unsigned directions)
{
        struct result busy = refused(call, EBUSY);
        busy.detail = "calls wait on the socket: what they wait for would be taken from them";
        for (int direction = 0; direction < DIRECTION_COUNT; direction++)
                if ((directions & 1u << direction) != 0 && socket->lanes[direction].parked > 0)
                        return busy;
        return DONE;
}

static struct result is_free(const struct socket *socket, const struct reactor_plan *plan)
{
        struct result busy = refused("reactor", EBUSY);
        if (socket->closed || (plan->to != NULL && plan->to->closed))
                return refused("reactor", ECANCELED);
        if (socket->reactor != NULL && !socket->reactor->ended) {
                busy.detail = "the socket has a reactor that runs: DELETE it first";
                return busy;
        }
        if (socket->tenant != NULL) {
                busy.detail = taken;
                return busy;
        }
        return nobody_waits("reactor", socket, directions_for(socket, plan->kind));
}

struct result reactors_start(
        struct reactors *reactors, struct socket *socket, const struct reactor_plan *plan)
{
        ENTER_SCOPE(reactors);
        TRY(is_free(socket, plan));
        if (!account_has_room(plan->account, RESOURCE_BYTES))
                return account_over(RESOURCE_BYTES);
        if (socket->reactor != NULL)
                reactor_drop(socket->reactor);
        struct reactor *const reactor = reactor_new(socket, plan);
        if (reactor == NULL)
                return refused("malloc", ENOMEM);
        reactor_add(reactors, reactor);
        const struct result result = reactor_begin(reactor);
        if (result.kind != RESULT_DONE)
                reactor_drop(reactor);
        return result;
}

static void report(const struct reactor *reactor, struct reactor_report *out)
{
        const struct link *const newest = reactor->links;
        *out = (struct reactor_report){ .kind = reactor->plan.kind,
                .running = !reactor->ended,
                .error = reactor->error,
                .counts = reactor->counts,
                .connections = reactor->connections,
                .total = reactor->plan.total,
                .hashed = reactor->hashed,
                .mismatched = reactor->mismatched,
                .mismatch = reactor->mismatch };
        memcpy(out->hash, reactor->hash, sizeof out->hash);
        if (newest != NULL && newest->hash != NULL && link_is_newest(newest)) {
                link_read_hash(newest, out->hash);
                out->hashed = true;
        }
}

struct result reactors_lend(struct reactors *reactors, struct socket *socket, struct tenant *tenant)
{
        const unsigned both = 1u << DIRECTION_RECEIVE | 1u << DIRECTION_SEND;
        struct result busy = refused("stream", EBUSY);
        busy.detail = taken;
        ENTER_SCOPE(reactors);
        if (socket->closed)
                return refused("stream", ECANCELED);
        if (socket->tenant != NULL || socket->reacting != 0)
                return busy;
        TRY(nobody_waits("stream", socket, both));
        TRY(claim("stream", socket, both));
        socket->tenant = tenant;
        return DONE;
}

void reactors_take_back(struct reactors *reactors, struct socket *socket)
{
        ENTER_SCOPE(reactors);
        socket->tenant = NULL;
        socket->reacting = 0;
}

bool reactors_read(struct reactors *reactors, struct socket *socket, struct reactor_report *out)
{
        ENTER_SCOPE(reactors);
        if (socket->reactor == NULL)
                return false;
        report(socket->reactor, out);
        return true;
}

bool reactors_stop(struct reactors *reactors, struct socket *socket, struct reactor_report *out)
{
        ENTER_SCOPE(reactors);
        if (socket->reactor == NULL)
                return false;
        report(socket->reactor, out);
        out->running = false;
        out->connections = 0;
        reactor_drop(socket->reactor);
        return true;
}

void reactors_forget(struct reactors *reactors, struct socket *socket)
{
        if (reactors == NULL)
                return;
        ENTER_SCOPE(reactors);
        if (socket->reactor != NULL)
                reactor_drop(socket->reactor);
        if (socket->tenant != NULL)
                socket->tenant->evict(socket->tenant);
        for (struct reactor *reactor = reactors->first; reactor != NULL; reactor = reactor->next)
                if (reactor->plan.to == socket)
                        reactor_end(reactor, ECANCELED);
}

static bool start_thread(struct reactors *reactors)
{
        errno = thread_start(&reactors->thread, run, reactors);
        return errno == 0;
}

/* seccomp: epoll_create1 epoll_ctl eventfd2 */
static bool open_epoll(struct reactors *reactors)
{
        struct epoll_event event = { .events = EPOLLIN };
        reactors->epoll = epoll_create1(EPOLL_CLOEXEC);
        reactors->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return reactors->epoll >= 0 && reactors->wake >= 0 &&
               epoll_ctl(reactors->epoll, EPOLL_CTL_ADD, reactors->wake, &event) == 0;
}

static void dispose(struct reactors *reactors)
{
        if (reactors->epoll >= 0)
                close(reactors->epoll);
        if (reactors->wake >= 0)
                close(reactors->wake);
        table_free(&reactors->links);
        pthread_cond_destroy(&reactors->calm);
        pthread_mutex_destroy(&reactors->lock);
        free(reactors);
}

struct reactors *reactors_new(
        size_t capacity, struct registry *registry, struct guard *guard, void (*note)(const char *text))
{
        struct reactors *const reactors = calloc(1, sizeof *reactors);
        if (reactors == NULL)
                return NULL;
        pthread_mutex_init(&reactors->lock, NULL);
        pthread_cond_init(&reactors->calm, NULL);
        reactors->epoll = reactors->wake = -1;
        reactors->registry = registry;
        reactors->guard = guard;
        reactors->note = note;
        reactors->room = (uint32_t)capacity;
        if (table_init(&reactors->links, (uint32_t)capacity) && open_epoll(reactors) &&
                start_thread(reactors))
                return reactors;
        dispose(reactors);
        return NULL;
}

/* seccomp: write */
void reactors_free(struct reactors *reactors)
{
        if (reactors == NULL)
                return;
        {
                ENTER_SCOPE(reactors);
                reactors->stopping = true;
        }
        eventfd_write(reactors->wake, 1);
        pthread_join(reactors->thread, NULL);
        for (struct reactor *reactor = reactors->first, *next; reactor != NULL; reactor = next) {
                next = reactor->next;
                reactor_drop(reactor);
        }
        dispose(reactors);
}
