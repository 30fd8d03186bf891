/* registry.c: the owned sockets by number, in buckets, and in the order of their making. */
#include "daemon/sockets/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/event.h"
#include "daemon/sockets/reactor.h"
#include "daemon/sockets/session.h"
#include "daemon/sockets/store.h"
#include "daemon/sockets/traffic.h"
#include "daemon/sockets/waiter.h"

/* A power of two near the largest number of descriptors that a daemon is given. */
enum { BUCKET_COUNT = 32768 };

struct registry {
        size_t limit;
        char *prefix; /* of the ids; in the stored memory, as is the last number that was given */
        _Atomic uint64_t *last_number;

        pthread_mutex_t lock; /* guards all below, and the sockets' links */
        size_t published, reserved;
        struct traffic closed; /* of those that are there no more */
        struct socket *oldest, *newest;
        struct socket *buckets[BUCKET_COUNT];
};

/* Ids are never given twice, by later processes neither: the prefix is the start time in sixteenths of a
 * second, in letters and digits that are not mistaken for each other. A process that starts after this one
 * has another one, since this one waits until its own is over. */
static void make_prefix(char *out)
{
        static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
        enum { EPOCH_2026_S = 1767225600, PREFIX_LENGTH = 7, TICK_NS = 62500000 };
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        uint64_t ticks = (uint64_t)(now.tv_sec - EPOCH_2026_S) * 16 + (uint64_t)now.tv_nsec / TICK_NS;
        nanosleep(&(struct timespec){ .tv_nsec = TICK_NS - now.tv_nsec % TICK_NS }, NULL);
        out[PREFIX_LENGTH] = '\0';
        for (int i = PREFIX_LENGTH - 1; i >= 0; i--, ticks /= 32)
                out[i] = digits[ticks % 32];
}

struct registry *registry_new(size_t limit)
{
        struct registry *const registry = store_open() ? calloc(1, sizeof *registry) : NULL;
        if (registry == NULL)
                return NULL;
        registry->limit = limit;
        pthread_mutex_init(&registry->lock, NULL);
        registry->prefix = store_prefix();
        registry->last_number = store_last_number();
        if (registry->prefix[0] == '\0')
                make_prefix(registry->prefix);
        return registry;
}

void registry_free(struct registry *registry)
{
        if (registry == NULL)
                return;
        for (struct socket *socket = registry->oldest, *newer; socket != NULL; socket = newer) {
                newer = socket->newer;
                socket_release(socket);
        }
        pthread_mutex_destroy(&registry->lock);
        free(registry);
}

struct result registry_reserve(struct registry *registry, struct account *owner, size_t count)
{
        if (!account_take(owner, RESOURCE_SOCKETS, count))
                return account_over(RESOURCE_SOCKETS);
        LOCK_SCOPE(&registry->lock);
        /* Those that an earlier process has left may be more than there may be. */
        const size_t used = registry->published + registry->reserved;
        if (used <= registry->limit && count <= registry->limit - used) {
                registry->reserved += count;
                return DONE;
        }
        account_give_back(owner, RESOURCE_SOCKETS, count);
        return account_over(RESOURCE_SOCKETS);
}

void registry_unreserve(struct registry *registry, struct account *owner, size_t count)
{
        account_give_back(owner, RESOURCE_SOCKETS, count);
        LOCK_SCOPE(&registry->lock);
        registry->reserved -= count;
}

/* Needs the lock. */
static void publish_as(struct registry *registry, struct socket *socket, uint64_t number)
{
        registry->published++;
        socket->number = number;
        socket->stored->number = number;
        socket->older = registry->newest;
        socket->newer = NULL;
        *(registry->newest == NULL ? &registry->oldest : &registry->newest->newer) = socket;
        registry->newest = socket;
        struct socket **const bucket = &registry->buckets[socket->number % BUCKET_COUNT];
        socket->bucket_next = *bucket;
        *bucket = socket_reference(socket);
        if (socket->session != NULL)
                socket->session->sockets++;
}

/* Whether it was made, or accepted. */
static void tell_of_new(const struct socket *socket, bool accepted)
{
        const struct stored_socket *const stored = socket->stored;
        const struct address peer = { .storage = stored->peer, .size = stored->peer_size };
        event_publish(socket, &(struct event_facts){ .kind = accepted ? EVENT_ACCEPTED : EVENT_MADE,
                                      .peer = accepted ? &peer : NULL });
}

static void add_traffic(struct traffic *traffic, const struct socket *socket)
{
        traffic->received_bytes += socket->stored->received.bytes;
        traffic->sent_bytes += socket->stored->sent.bytes;
}

/* What an earlier process has counted is not counted again. It may wrap, and is whole again in the sum. */
static void take_traffic(struct traffic *traffic, const struct socket *socket)
{
        traffic->received_bytes -= socket->stored->received.bytes;
        traffic->sent_bytes -= socket->stored->sent.bytes;
}

/* A restored one has its number, and is nothing new. Nobody can find it before it is told of. */
static void publish(struct registry *registry, struct socket *socket)
{
        const bool is_restored = socket->number != 0, accepted = socket->stored->number == STORED_COMING;
        socket_store(socket);
        LOCK_SCOPE(&registry->lock);
        registry->reserved -= !is_restored;
        publish_as(registry, socket, is_restored ? socket->number : registry_take_number(registry));
        if (is_restored)
                take_traffic(&registry->closed, socket);
        else
                tell_of_new(socket, accepted);
}

bool registry_publish(struct registry *registry, struct socket *socket)
{
        if (socket->session == NULL) {
                publish(registry, socket);
                return true;
        }
        LOCK_SCOPE(&socket->session->lock);
        if (!socket->session->ended)
                publish(registry, socket);
        return !socket->session->ended;
}

struct socket *registry_find_number(struct registry *registry, uint64_t number)
{
        LOCK_SCOPE(&registry->lock);
        struct socket *socket = registry->buckets[number % BUCKET_COUNT];
        while (socket != NULL && socket->number != number)
                socket = socket->bucket_next;
        return socket == NULL ? NULL : socket_reference(socket);
}

struct socket *registry_find(struct registry *registry, const char *id)
{
        uint64_t number;
        return registry_parse_id(registry, id, &number) ? registry_find_number(registry, number) : NULL;
}

/* All at once, so that it never becomes less. */
struct traffic registry_traffic(struct registry *registry)
{
        LOCK_SCOPE(&registry->lock);
        struct traffic traffic = registry->closed;
        for (const struct socket *socket = registry->oldest; socket != NULL; socket = socket->newer)
                add_traffic(&traffic, socket);
        return traffic;
}

bool registry_unpublish(struct registry *registry, struct socket *socket)
{
        LOCK_SCOPE(&registry->lock);
        struct socket **link = &registry->buckets[socket->number % BUCKET_COUNT];
        while (*link != NULL && *link != socket)
                link = &(*link)->bucket_next;
        if (*link == NULL)
                return false;
        socket->stored->number = 0;
        *link = socket->bucket_next;
        *(socket->older == NULL ? &registry->oldest : &socket->older->newer) = socket->newer;
        *(socket->newer == NULL ? &registry->newest : &socket->newer->older) = socket->older;
        registry->published--;
        add_traffic(&registry->closed, socket);
        account_give_back(socket->owner, RESOURCE_SOCKETS, 1);
        if (socket->session != NULL)
                socket->session->sockets--;
        return true;
}

/* The kernel may hand the descriptor's number out again as soon as it is closed: the id goes first, then
 * those who wait, and the last reference closes it. */
bool registry_close(struct registry *registry, struct waiter *waiter, struct reactors *reactors,
        struct socket *socket, bool reset)
{
        if (!registry_unpublish(registry, socket))
                return false;
        socket->closed = true;
        waiter_cancel(waiter, socket);
        reactors_forget(reactors, socket);
        traffic_tell(socket);
        event_publish(socket, &(struct event_facts){ .kind = EVENT_CLOSED });
        socket_close(socket, reset);
        socket_release(socket);
        return true;
}

uint64_t registry_take_number(struct registry *registry)
{
        return ++*registry->last_number;
}

/* Where to go on after `number`: from its own place when it is still there, else from the oldest. */
static struct socket *first_after(const struct registry *registry, uint64_t number)
{
        struct socket *socket = registry->buckets[number % BUCKET_COUNT];
        while (socket != NULL && socket->number != number)
                socket = socket->bucket_next;
        if (socket == NULL)
                socket = registry->oldest;
        while (socket != NULL && socket->number <= number)
                socket = socket->newer;
        return socket;
}

size_t registry_list(struct registry *registry, uint64_t after, struct socket **out, size_t count)
{
        LOCK_SCOPE(&registry->lock);
        size_t found = 0;
        for (struct socket *socket = first_after(registry, after); socket != NULL && found < count;
                socket = socket->newer)
                out[found++] = socket_reference(socket);
        return found;
}

void registry_each(struct registry *registry, uint64_t after,
        bool (*show)(void *context, struct socket *socket), void *context)
{
        enum { BATCH = 64 };
        struct socket *batch[BATCH];
        bool goes_on = true;
        for (size_t count = BATCH; goes_on && count == BATCH;) {
                count = registry_list(registry, after, batch, BATCH);
                for (size_t i = 0; i < count; i++) {
                        after = batch[i]->number;
                        goes_on = goes_on && show(context, batch[i]);
                        socket_release(batch[i]);
                }
        }
}

size_t registry_count(struct registry *registry)
{
        LOCK_SCOPE(&registry->lock);
        return registry->published;
}

const char *registry_format_id(const struct registry *registry, uint64_t number, char *out)
{
        snprintf(out, SOCKET_ID_SIZE, "%s-%" PRIu64, registry->prefix, number);
        return out;
}

bool registry_parse_id(const struct registry *registry, const char *id, uint64_t *number)
{
        const size_t prefix_size = strlen(registry->prefix);
        if (strncmp(id, registry->prefix, prefix_size) != 0 || id[prefix_size] != '-')
                return false;
        uint64_t read = 0;
        size_t digits = 0;
        for (const char *digit = id + prefix_size + 1; *digit != '\0'; digit++, digits++) {
                if (*digit < '0' || *digit > '9' || digits == 18)
                        return false;
                read = read * 10 + (uint64_t)(*digit - '0');
        }
        if (digits == 0 || id[prefix_size + 1] == '0')
                return false;
        *number = read;
        return true;
}
