/* peers.c: how many connections there are from each address: a table with linear probing. */
#include "daemon/peers.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/sockets/cleanup.h"

/* The first half of an IPv6 address, or ::ffff:0:0/96 and an IPv4 one: those that differ, differ here. */
struct peer_key {
        uint32_t words[4];
};

struct peer {
        struct peer_key key;
        unsigned count; /* 0: the slot is free */
};

struct peers {
        pthread_mutex_t lock;
        struct peer *slots; /* guarded by the lock; more than half of them are free */
        size_t mask;
        unsigned each;
        bool spare_loopback;
        uint64_t secret; /* so that nobody can choose addresses that collide */
};

struct peers *peers_new(unsigned total, unsigned each, bool spare_loopback)
{
        size_t capacity = 16;
        while (capacity < (size_t)total * 2)
                capacity *= 2;
        struct peers *const peers = calloc(1, sizeof *peers);
        struct peer *const slots = calloc(capacity, sizeof *slots);
        if (peers == NULL || slots == NULL) {
                free(peers);
                free(slots);
                return NULL;
        }
        *peers = (struct peers){
                .slots = slots, .mask = capacity - 1, .each = each, .spare_loopback = spare_loopback
        };
        pthread_mutex_init(&peers->lock, NULL);
        (void)!getrandom(&peers->secret, sizeof peers->secret, GRND_NONBLOCK);
        return peers;
}

void peers_free(struct peers *peers)
{
        if (peers == NULL)
                return;
        pthread_mutex_destroy(&peers->lock);
        free(peers->slots);
        free(peers);
}

static bool is_loopback(const struct in6_addr *address)
{
        return IN6_IS_ADDR_LOOPBACK(address) ||
               (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == IN_LOOPBACKNET);
}

/* False for what is not counted. */
static bool key_of(const struct peers *peers, const struct sockaddr *address, struct peer_key *out)
{
        struct in6_addr canonical = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
        if (address->sa_family == AF_INET)
                memcpy(canonical.s6_addr + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr,
                        4);
        else if (address->sa_family == AF_INET6)
                canonical = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        else
                return false;
        if (peers->spare_loopback && is_loopback(&canonical))
                return false;
        if (!IN6_IS_ADDR_V4MAPPED(&canonical))
                memset(canonical.s6_addr + 8, 0, 8);
        memcpy(out->words, canonical.s6_addr, sizeof out->words);
        return true;
}

static size_t home_of(const struct peers *peers, const struct peer_key *key)
{
        uint64_t hash = peers->secret;
        for (size_t i = 0; i < sizeof key->words / sizeof *key->words; i++) {
                hash = (hash ^ key->words[i]) * UINT64_C(0x9e3779b97f4a7c15);
                hash ^= hash >> 32;
        }
        return (size_t)hash & peers->mask;
}

/* The address' slot, or the free one that it would get. */
static size_t find(const struct peers *peers, const struct peer_key *key)
{
        size_t at = home_of(peers, key);
        while (peers->slots[at].count > 0 && memcmp(&peers->slots[at].key, key, sizeof *key) != 0)
                at = (at + 1) & peers->mask;
        return at;
}

/* Frees a slot, and moves up what could not have its own place because of it. */
static void vacate(struct peers *peers, size_t hole)
{
        peers->slots[hole].count = 0;
        for (size_t at = (hole + 1) & peers->mask; peers->slots[at].count > 0; at = (at + 1) & peers->mask) {
                const size_t home = home_of(peers, &peers->slots[at].key);
                if (((at - home) & peers->mask) < ((at - hole) & peers->mask))
                        continue;
                peers->slots[hole] = peers->slots[at];
                peers->slots[at].count = 0;
                hole = at;
        }
}

bool peers_enter(struct peers *peers, const struct sockaddr *address)
{
        struct peer_key key;
        if (!key_of(peers, address, &key))
                return true;
        LOCK_SCOPE(&peers->lock);
        struct peer *const peer = &peers->slots[find(peers, &key)];
        if (peer->count >= peers->each)
                return false;
        peer->key = key;
        peer->count++;
        return true;
}

void peers_leave(struct peers *peers, const struct sockaddr *address)
{
        struct peer_key key;
        if (!key_of(peers, address, &key))
                return;
        LOCK_SCOPE(&peers->lock);
        const size_t at = find(peers, &key);
        if (peers->slots[at].count > 1)
                peers->slots[at].count--;
        else
                vacate(peers, at);
}
