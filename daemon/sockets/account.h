/* account.h: whose sockets and calls these are, and how much they may take of what the daemon has. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/sockets/result.h"

enum { ACCOUNT_NAME_SIZE = 64, POLICY_NAME_SIZE = 32 };

enum resource { RESOURCE_SOCKETS, RESOURCE_PARKED, RESOURCE_BYTES, RESOURCE_COUNT };

/* The most that there may be; 0: no limit. */
struct limits {
        size_t most[RESOURCE_COUNT];
        unsigned requests_per_s; /* as many may come at once, after a pause */
};

/* One per name, made when the name is first known; lives as long as its accounts. All functions take NULL for
 * a caller without an account, who has no limits. Safe from any thread. */
struct account {
        char name[ACCOUNT_NAME_SIZE];
        struct accounts *accounts;
        struct account *next; /* guarded by the accounts' lock */
        _Atomic size_t used[RESOURCE_COUNT];
        _Atomic int64_t spent_until_ns; /* when the requests so far will have been paid for */
};

struct accounts;

/* `each` limits every account, `all` the sum of them. NULL without memory. */
struct accounts *accounts_new(const struct limits *each, const struct limits *all);
void accounts_free(struct accounts *accounts);

/* The account of a name, made if need be; NULL without memory. `name` fits ACCOUNT_NAME_SIZE. */
struct account *accounts_find(struct accounts *accounts, const char *name);

/* Takes some of a resource, whatever the limits say: for what is only known once it is there. Whoever may
 * come to do so asks first whether there is room at all. */
void account_add(struct account *account, enum resource resource, size_t amount);
bool account_has_room(const struct account *account, enum resource resource);

/* Takes some of a resource. False, and nothing is taken, when that passes a limit. */
bool account_take(struct account *account, enum resource resource, size_t amount);
void account_give_back(struct account *account, enum resource resource, size_t amount);

/* What is said of a request that account_admit() refuses. */
extern const char account_over_rate[];

/* RESULT_QUOTA, for a resource that could not be had. */
struct result account_over(enum resource resource);

/* Whether one more request may come now; if not, *wait_ns says when. */
bool account_admit(struct account *account, int64_t now_ns, int64_t *wait_ns);
