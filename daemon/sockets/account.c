/* account.c: what each account has taken, and what all have together. */
#include "daemon/sockets/account.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/sockets/cleanup.h"

static const int64_t NS_PER_S = 1000000000;

struct accounts {
        struct limits each, all; /* constant */
        struct account total;
        pthread_mutex_t lock; /* guards the list */
        struct account *first;
};

struct accounts *accounts_new(const struct limits *each, const struct limits *all)
{
        struct accounts *const accounts = calloc(1, sizeof *accounts);
        if (accounts == NULL)
                return NULL;
        accounts->each = *each;
        accounts->all = *all;
        pthread_mutex_init(&accounts->lock, NULL);
        return accounts;
}

void accounts_free(struct accounts *accounts)
{
        if (accounts == NULL)
                return;
        for (struct account *account = accounts->first, *next; account != NULL; account = next) {
                next = account->next;
                free(account);
        }
        pthread_mutex_destroy(&accounts->lock);
        free(accounts);
}

struct account *accounts_find(struct accounts *accounts, const char *name)
{
        LOCK_SCOPE(&accounts->lock);
        for (struct account *account = accounts->first; account != NULL; account = account->next)
                if (strcmp(account->name, name) == 0)
                        return account;
        struct account *const account = calloc(1, sizeof *account);
        if (account == NULL)
                return NULL;
        snprintf(account->name, sizeof account->name, "%s", name);
        account->accounts = accounts;
        account->next = accounts->first;
        accounts->first = account;
        return account;
}

/* Adds first and looks then, so that two that come at once cannot both take the last. */
static bool take(struct account *account, enum resource resource, size_t amount, size_t most)
{
        const size_t before = atomic_fetch_add(&account->used[resource], amount);
        if (most == 0 || (before <= most && amount <= most - before))
                return true;
        atomic_fetch_sub(&account->used[resource], amount);
        return false;
}

bool account_take(struct account *account, enum resource resource, size_t amount)
{
        if (account == NULL)
                return true;
        struct accounts *const accounts = account->accounts;
        if (!take(account, resource, amount, accounts->each.most[resource]))
                return false;
        if (take(&accounts->total, resource, amount, accounts->all.most[resource]))
                return true;
        atomic_fetch_sub(&account->used[resource], amount);
        return false;
}

void account_add(struct account *account, enum resource resource, size_t amount)
{
        if (account == NULL)
                return;
        atomic_fetch_add(&account->used[resource], amount);
        atomic_fetch_add(&account->accounts->total.used[resource], amount);
}

static bool has_room(const struct account *account, enum resource resource, size_t most)
{
        return most == 0 || account->used[resource] < most;
}

bool account_has_room(const struct account *account, enum resource resource)
{
        return account == NULL ||
               (has_room(account, resource, account->accounts->each.most[resource]) &&
                       has_room(&account->accounts->total, resource, account->accounts->all.most[resource]));
}

void account_give_back(struct account *account, enum resource resource, size_t amount)
{
        if (account == NULL)
                return;
        atomic_fetch_sub(&account->used[resource], amount);
        atomic_fetch_sub(&account->accounts->total.used[resource], amount);
}

const char account_over_rate[] = "There are more requests per second than there may be.";

struct result account_over(enum resource resource)
{
        static const char *const details[RESOURCE_COUNT] = {
                [RESOURCE_SOCKETS] = "there are as many sockets as there may be, of yours or in all",
                [RESOURCE_PARKED] = "as many calls wait as may, of yours or in all",
                [RESOURCE_BYTES] = "the daemon holds as many bytes as it may, of yours or in all",
        };
        return (struct result){ .kind = RESULT_QUOTA, .detail = details[resource] };
}

/* A token bucket, kept as the time at which it will be full again: each request moves that on, and must not
 * move it further ahead than what the bucket holds. */
static bool admit(struct account *account, unsigned requests_per_s, int64_t now_ns, int64_t *wait_ns)
{
        const int64_t price_ns = NS_PER_S / requests_per_s;
        int64_t until = account->spent_until_ns, next;
        do {
                next = (until > now_ns ? until : now_ns) + price_ns;
                if (next > now_ns + NS_PER_S) {
                        *wait_ns = next - now_ns - NS_PER_S;
                        return false;
                }
        } while (!atomic_compare_exchange_weak(&account->spent_until_ns, &until, next));
        return true;
}

bool account_admit(struct account *account, int64_t now_ns, int64_t *wait_ns)
{
        if (account == NULL)
                return true;
        struct accounts *const accounts = account->accounts;
        return (accounts->each.requests_per_s == 0 ||
                       admit(account, accounts->each.requests_per_s, now_ns, wait_ns)) &&
               (accounts->all.requests_per_s == 0 ||
                       admit(&accounts->total, accounts->all.requests_per_s, now_ns, wait_ns));
}
