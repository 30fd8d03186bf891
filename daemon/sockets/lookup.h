/* lookup.h: name resolution on a background thread; the call that waits for it may leave at any time. */
#pragma once

#include <netdb.h>
#include <stdint.h>

#include "daemon/sockets/address.h"

struct lookup;
struct waiter;

/* What the resolver said. */
struct lookup_outcome {
        int code;                         /* 0 or EAI_NONAME …, as <netdb.h> has them */
        int error;                        /* the errno of EAI_SYSTEM */
        const struct addrinfo *addresses; /* of lookup_new_names() */
        const char *host, *service;       /* of lookup_new_address() */
};

/* Prepare a lookup; host, service and hints are copied and may be NULL. One reference, or NULL without
 * memory. */
struct lookup *lookup_new_names(const char *host, const char *service, const struct addrinfo *hints);
struct lookup *lookup_new_address(const struct address *address, int flags);

/* Starts it, once. When the outcome is there, the detached wait `ticket` is completed (see waiter.h). The job
 * has a reference of its own. */
void lookup_start(struct lookup *lookup, struct waiter *waiter, uint64_t ticket);

/* The outcome, or NULL while there is none. It lives as long as the caller's reference. */
const struct lookup_outcome *lookup_outcome(const struct lookup *lookup);

/* The outcome's failure, or DONE; .error is a negative EAI_ number where no errno says it. */
struct result lookup_result(const struct lookup *lookup);

/* The first address of a complete lookup_new_names(), with that port; or its failure, *out is then untouched.
 */
struct result lookup_first_address(const struct lookup *lookup, uint16_t port, struct address *out);

/* Lets go. Accepts NULL. */
void lookup_release(struct lookup *lookup);

static inline void cleanup_lookup(struct lookup **lookup)
{
        lookup_release(*lookup);
}
#define lookup_auto __attribute__((cleanup(cleanup_lookup)))
