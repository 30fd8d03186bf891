/* outcome.c: what came of calls that were made with a key.
 *
 * The slot in the stored memory is live before the call runs, and `done` is written when its whole reply is
 * there. So a kill leaves no doubt whether a call that could have done something has: either its reply is
 * kept, or it was interrupted, and who comes again looks for what it has made (`made_by`), or how much it has
 * sent.
 *
 * Those that have ended, or were interrupted, stand in two rings, oldest first: of all, and of their
 * account's. Only they are ever evicted. Memory: a slot of about 1.6 KiB each, at most as many as the pool
 * has, and what the bodies take that do not fit in it, at most outcome_bounds.bytes for each account. */
#include "daemon/sockets/outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/sockets/cleanup.h"

enum { BUCKET_COUNT = 16384 };

struct ring {
        struct ring *next, *previous;
};

/* An account with outcomes; made with its first, and there for good, as accounts are. */
struct holder {
        char name[ACCOUNT_NAME_SIZE];
        struct holder *next;
        size_t count, bytes;
        struct ring ended;
};

struct outcome {
        struct stored_outcome *stored;
        struct holder *holder;
        bool running;
        struct joiner *joiners;
        struct ring of_all, of_holder; /* while it does not run */
        struct outcome *bucket_next;
};

struct outcomes {
        struct outcome_bounds each; /* constant */
        struct waiter *waiter;
        uint64_t seed; /* so that nobody can choose keys that all fall into one bucket */

        pthread_mutex_t lock; /* guards all below; the waiter's is taken under it */
        struct ring ended;
        struct holder *holders;
        struct outcome *buckets[BUCKET_COUNT];
};

static void ring_append(struct ring *ring, struct ring *item)
{
        item->next = ring;
        item->previous = ring->previous;
        ring->previous->next = item;
        ring->previous = item;
}

static void ring_remove(struct ring *item)
{
        item->previous->next = item->next;
        item->next->previous = item->previous;
}

static void ring_begin(struct ring *ring)
{
        ring->next = ring->previous = ring;
}

#define OUTCOME_OF(item, member) ((struct outcome *)(void *)((char *)(item)-offsetof(struct outcome, member)))

/* seccomp: getrandom */
struct outcomes *outcomes_new(const struct outcome_bounds *each, struct waiter *waiter)
{
        struct outcomes *const outcomes = store_open() ? calloc(1, sizeof *outcomes) : NULL;
        if (outcomes == NULL)
                return NULL;
        outcomes->each = *each;
        outcomes->waiter = waiter;
        if (getrandom(&outcomes->seed, sizeof outcomes->seed, 0) < 0)
                outcomes->seed = (uint64_t)now_ns();
        pthread_mutex_init(&outcomes->lock, NULL);
        ring_begin(&outcomes->ended);
        return outcomes;
}

void outcomes_free(struct outcomes *outcomes)
{
        if (outcomes == NULL)
                return;
        for (size_t i = 0; i < BUCKET_COUNT; i++)
                for (struct outcome *outcome = outcomes->buckets[i], *next; outcome != NULL; outcome = next) {
                        next = outcome->bucket_next;
                        free(outcome);
                }
        for (struct holder *holder = outcomes->holders, *next; holder != NULL; holder = next) {
                next = holder->next;
                free(holder);
        }
        pthread_mutex_destroy(&outcomes->lock);
        free(outcomes);
}

size_t outcomes_count(struct outcomes *outcomes)
{
        LOCK_SCOPE(&outcomes->lock);
        size_t count = 0;
        for (const struct holder *holder = outcomes->holders; holder != NULL; holder = holder->next)
                count += holder->count;
        return count;
}

/* FNV-1a, and a last mix, since only the lower bits are used. */
static uint64_t hash(uint64_t seed, const char *text)
{
        for (; *text != '\0'; text++)
                seed = (seed ^ (uint8_t)*text) * 0x100000001b3U;
        return seed ^ seed >> 32;
}

static struct outcome **bucket_of(struct outcomes *outcomes, const char *owner, const char *key)
{
        return &outcomes->buckets[hash(hash(outcomes->seed, owner), key) % BUCKET_COUNT];
}

/* What a kept reply takes of its account's bytes. */
static size_t cost_of(const struct stored_outcome *stored)
{
        return stored->extent != 0 ? store_size(stored->extent) : stored->body_size + stored->members_size;
}

static struct outcome *find(struct outcomes *outcomes, const char *owner, const char *key)
{
        struct outcome *outcome = *bucket_of(outcomes, owner, key);
        while (outcome != NULL &&
                (strcmp(outcome->stored->key, key) != 0 || strcmp(outcome->stored->owner, owner) != 0))
                outcome = outcome->bucket_next;
        return outcome;
}

/* Ends it for good. It is in no ring. Needs the lock. */
static void forget(struct outcomes *outcomes, struct outcome *outcome)
{
        struct stored_outcome *const stored = outcome->stored;
        struct outcome **link = bucket_of(outcomes, stored->owner, stored->key);
        while (*link != outcome)
                link = &(*link)->bucket_next;
        *link = outcome->bucket_next;
        outcome->holder->count--;
        outcome->holder->bytes -= cost_of(stored);
        const uint64_t extent = stored->extent;
        store_give_back(STORE_OUTCOMES, stored);
        store_free(extent);
        free(outcome);
}

static void unlist(struct outcome *outcome)
{
        ring_remove(&outcome->of_all);
        ring_remove(&outcome->of_holder);
}

static void evict(struct outcomes *outcomes, struct outcome *outcome)
{
        unlist(outcome);
        forget(outcomes, outcome);
}

/* The oldest that is not running; false: there is none. */
static bool evict_of_all(struct outcomes *outcomes)
{
        if (outcomes->ended.next == &outcomes->ended)
                return false;
        evict(outcomes, OUTCOME_OF(outcomes->ended.next, of_all));
        return true;
}

static bool evict_of_holder(struct outcomes *outcomes, struct holder *holder)
{
        if (holder->ended.next == &holder->ended)
                return false;
        evict(outcomes, OUTCOME_OF(holder->ended.next, of_holder));
        return true;
}

static void evict_expired(struct outcomes *outcomes)
{
        const int64_t latest_ns = now_ns() - outcomes->each.age_ns;
        while (outcomes->ended.next != &outcomes->ended &&
                OUTCOME_OF(outcomes->ended.next, of_all)->stored->ended_ns <= latest_ns)
                evict_of_all(outcomes);
}

static struct holder *find_holder(struct outcomes *outcomes, const char *name)
{
        struct holder *holder = outcomes->holders;
        while (holder != NULL && strcmp(holder->name, name) != 0)
                holder = holder->next;
        if (holder != NULL)
                return holder;
        holder = calloc(1, sizeof *holder);
        if (holder == NULL)
                return NULL;
        snprintf(holder->name, sizeof holder->name, "%s", name);
        ring_begin(&holder->ended);
        holder->next = outcomes->holders;
        return outcomes->holders = holder;
}

/* Needs the lock. */
static struct stored_outcome *take_slot(struct outcomes *outcomes)
{
        struct stored_outcome *slot = store_take(STORE_OUTCOMES);
        while (slot == NULL && evict_of_all(outcomes))
                slot = store_take(STORE_OUTCOMES);
        return slot;
}

/* Adds one that runs, whose slot becomes live. NULL without memory. Needs the lock. */
static struct outcome *add(
        struct outcomes *outcomes, struct holder *holder, struct stored_outcome *slot, uint64_t number)
{
        struct outcome *const outcome = calloc(1, sizeof *outcome);
        if (outcome == NULL)
                return NULL;
        outcome->stored = slot;
        outcome->holder = holder;
        outcome->running = true;
        struct outcome **const bucket = bucket_of(outcomes, slot->owner, slot->key);
        outcome->bucket_next = *bucket;
        *bucket = outcome;
        holder->count++;
        slot->number = number;
        return outcome;
}

/* Needs the lock. */
static enum claim begin(struct outcomes *outcomes, const struct outcome_key *key, struct outcome **out)
{
        struct holder *const holder = find_holder(outcomes, key->owner);
        if (holder == NULL)
                return CLAIM_NO_MEMORY;
        while (holder->count >= outcomes->each.count)
                if (!evict_of_holder(outcomes, holder))
                        return CLAIM_FULL;
        struct stored_outcome *const slot = take_slot(outcomes);
        if (slot == NULL)
                return CLAIM_FULL;
        snprintf(slot->owner, sizeof slot->owner, "%s", key->owner);
        snprintf(slot->key, sizeof slot->key, "%s", key->text);
        memcpy(slot->fingerprint, key->fingerprint, sizeof slot->fingerprint);
        *out = add(outcomes, holder, slot, ++*store_last_number());
        if (*out != NULL)
                return CLAIM_NEW;
        store_give_back(STORE_OUTCOMES, slot);
        return CLAIM_NO_MEMORY;
}

static uint8_t *bytes_of(struct stored_outcome *stored)
{
        return stored->extent != 0 ? store_bytes(stored->extent) : stored->small;
}

static enum claim copy_reply(struct stored_outcome *stored, struct outcome_reply *out)
{
        if (!stored->whole)
                return CLAIM_LOST;
        const size_t body_size = stored->body_size, members_size = stored->members_size;
        *out = (struct outcome_reply){ .status = stored->status, .size = body_size };
        memcpy(out->media, stored->media, sizeof out->media);
        memcpy(out->location, stored->location, sizeof out->location);
        out->body = malloc(body_size + 1);
        out->members = members_size == 0 ? NULL : calloc(1, members_size + 1);
        if (out->body == NULL || (members_size > 0 && out->members == NULL)) {
                free(out->body);
                free(out->members);
                return CLAIM_NO_MEMORY;
        }
        memcpy(out->body, bytes_of(stored), body_size);
        if (members_size > 0)
                memcpy(out->members, bytes_of(stored) + body_size, members_size);
        return CLAIM_DONE;
}

static enum claim join(struct outcome *outcome, struct joiner *joiner)
{
        *joiner = (struct joiner){ .outcome = outcome, .next = outcome->joiners };
        outcome->joiners = joiner;
        return CLAIM_RUNNING;
}

enum claim outcomes_claim(struct outcomes *outcomes, const struct outcome_key *key, struct outcome **out,
        struct outcome_reply *reply, struct joiner *joiner)
{
        LOCK_SCOPE(&outcomes->lock);
        evict_expired(outcomes);
        struct outcome *const outcome = find(outcomes, key->owner, key->text);
        if (outcome == NULL)
                return begin(outcomes, key, out);
        struct stored_outcome *const stored = outcome->stored;
        if (memcmp(stored->fingerprint, key->fingerprint, sizeof stored->fingerprint) != 0)
                return CLAIM_OTHER;
        if (outcome->running)
                return join(outcome, joiner);
        if (stored->done)
                return copy_reply(stored, reply);
        unlist(outcome);
        outcome->running = true;
        *out = outcome;
        return CLAIM_INTERRUPTED;
}

void outcomes_await(struct outcomes *outcomes, struct joiner *joiner, uint64_t ticket)
{
        LOCK_SCOPE(&outcomes->lock);
        joiner->ticket = ticket;
        if (joiner->outcome == NULL)
                waiter_complete(outcomes->waiter, ticket);
}

void outcomes_part(struct outcomes *outcomes, struct joiner *joiner)
{
        LOCK_SCOPE(&outcomes->lock);
        if (joiner->outcome == NULL)
                return;
        struct joiner **link = &joiner->outcome->joiners;
        while (*link != joiner)
                link = &(*link)->next;
        *link = joiner->next;
        joiner->outcome = NULL;
}

/* They claim the key anew. Needs the lock. */
static void wake_joiners(struct outcomes *outcomes, struct outcome *outcome)
{
        for (struct joiner *joiner = outcome->joiners, *next; joiner != NULL; joiner = next) {
                next = joiner->next;
                joiner->outcome = NULL;
                if (joiner->ticket != 0)
                        waiter_complete(outcomes->waiter, joiner->ticket);
        }
        outcome->joiners = NULL;
}

/* Needs the lock. */
static void end(struct outcomes *outcomes, struct outcome *outcome)
{
        struct holder *const holder = outcome->holder;
        outcome->running = false;
        ring_append(&outcomes->ended, &outcome->of_all);
        ring_append(&holder->ended, &outcome->of_holder);
        wake_joiners(outcomes, outcome);
        holder->bytes += cost_of(outcome->stored);
        while ((holder->bytes > outcomes->each.bytes || holder->count > outcomes->each.count) &&
                evict_of_holder(outcomes, holder)) {
        }
}

bool outcomes_adopt(struct outcomes *outcomes, struct stored_outcome *slot, uint64_t number)
{
        LOCK_SCOPE(&outcomes->lock);
        struct holder *const holder = find_holder(outcomes, slot->owner);
        struct outcome *const outcome = holder == NULL ? NULL : add(outcomes, holder, slot, number);
        if (outcome != NULL)
                end(outcomes, outcome);
        return outcome != NULL;
}

bool outcomes_have(struct outcomes *outcomes, const char *owner, const char *key)
{
        LOCK_SCOPE(&outcomes->lock);
        return find(outcomes, owner, key) != NULL;
}

/* Room for a reply of that size. False: it is too large to be kept. */
static bool make_room(const struct outcomes *outcomes, struct stored_outcome *stored, size_t size)
{
        if (size <= sizeof stored->small)
                return size <= outcomes->each.bytes;
        stored->extent = size > outcomes->each.bytes ? 0 : store_allocate(size);
        if (stored->extent == 0 || store_size(stored->extent) <= outcomes->each.bytes)
                return stored->extent != 0;
        store_free(stored->extent);
        stored->extent = 0;
        return false;
}

static void store_reply(
        const struct outcomes *outcomes, struct stored_outcome *stored, const struct outcome_reply *reply)
{
        const size_t members_size = reply->members == NULL ? 0 : strlen(reply->members);
        stored->status = reply->status;
        memcpy(stored->media, reply->media, sizeof stored->media);
        memcpy(stored->location, reply->location, sizeof stored->location);
        stored->whole = make_room(outcomes, stored, reply->size + members_size);
        if (!stored->whole)
                return;
        stored->body_size = reply->size;
        stored->members_size = members_size;
        if (reply->size > 0)
                memcpy(bytes_of(stored), reply->body, reply->size);
        if (members_size > 0)
                memcpy(bytes_of(stored) + reply->size, reply->members, members_size);
}

void outcome_keep(struct outcomes *outcomes, struct outcome *outcome, const struct outcome_reply *reply)
{
        struct stored_outcome *const stored = outcome->stored;
        store_reply(outcomes, stored, reply);
        LOCK_SCOPE(&outcomes->lock);
        stored->ended_ns = now_ns();
        stored->done = true;
        end(outcomes, outcome);
}

void outcome_leave(struct outcomes *outcomes, struct outcome *outcome)
{
        LOCK_SCOPE(&outcomes->lock);
        outcome->stored->ended_ns = now_ns();
        end(outcomes, outcome);
}

void outcome_drop(struct outcomes *outcomes, struct outcome *outcome)
{
        LOCK_SCOPE(&outcomes->lock);
        wake_joiners(outcomes, outcome);
        forget(outcomes, outcome);
}

uint64_t outcome_number(const struct outcome *outcome)
{
        return outcome->stored->number;
}

uint64_t outcome_start(struct outcome *outcome, const struct socket *socket)
{
        struct stored_outcome *const stored = outcome->stored;
        if (stored->sending)
                return stored->start;
        const uint64_t position = socket_position(socket, DIRECTION_SEND);
        if (stored->taken > position)
                stored->taken = position;
        stored->socket = socket->number;
        stored->counts_messages = socket_has_boundaries(socket);
        stored->start = position - stored->taken;
        stored->sending = true;
        return stored->start;
}

bool outcome_note_sent(struct outcome *outcome, const struct socket *socket)
{
        struct stored_outcome *const stored = outcome->stored;
        if (stored->sending)
                stored->taken = socket_position(socket, DIRECTION_SEND) - stored->start;
        /* What the socket sends after the turn may be others'. */
        stored->sending = false;
        return stored->taken > 0;
}
