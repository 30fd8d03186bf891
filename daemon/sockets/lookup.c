/* lookup.c: getaddrinfo and getnameinfo as background jobs whose outcome is shared with the call that asked.
 */
#include "daemon/sockets/lookup.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/sockets/background.h"
#include "daemon/sockets/waiter.h"

struct lookup {
        struct background_job job; /* first, so that a job is its lookup */
        _Atomic unsigned references;
        _Atomic bool complete; /* outcome is constant from then on */
        struct waiter *waiter;
        uint64_t ticket;
        const char *call; /* "getaddrinfo" or "getnameinfo" */
        void (*resolve)(struct lookup *lookup);

        char *host, *service; /* asked for; NULL: none */
        bool hinted;
        struct addrinfo hints;

        struct address address; /* asked for */
        int flags;

        struct lookup_outcome outcome;
        struct addrinfo *addresses;
        char host_found[NI_MAXHOST], service_found[NI_MAXSERV];
};

/* seccomp: socket connect bind sendto sendmmsg recvfrom recvmsg poll ppoll ioctl getsockname setsockopt */
static void resolve_names(struct lookup *lookup)
{
        lookup->outcome.code = getaddrinfo(
                lookup->host, lookup->service, lookup->hinted ? &lookup->hints : NULL, &lookup->addresses);
        lookup->outcome.error = lookup->outcome.code == EAI_SYSTEM ? errno : 0;
        if (lookup->outcome.code != 0)
                lookup->addresses = NULL;
        lookup->outcome.addresses = lookup->addresses;
}

static void resolve_address(struct lookup *lookup)
{
        lookup->outcome.code = getnameinfo((const struct sockaddr *)&lookup->address.storage,
                lookup->address.size, lookup->host_found, sizeof lookup->host_found, lookup->service_found,
                sizeof lookup->service_found, lookup->flags);
        lookup->outcome.error = lookup->outcome.code == EAI_SYSTEM ? errno : 0;
        lookup->outcome.host = lookup->host_found;
        lookup->outcome.service = lookup->service_found;
}

static void run_lookup(struct background_job *job)
{
        struct lookup *const lookup = (struct lookup *)job;
        /* Whoever asked has left while the job was queued: slow names must not hold up the others' for
         * nothing. */
        if (atomic_load(&lookup->references) > 1) {
                lookup->resolve(lookup);
                atomic_store(&lookup->complete, true);
                waiter_complete(lookup->waiter, lookup->ticket);
        }
        lookup_release(lookup);
}

static struct lookup *lookup_new(const char *call, void (*resolve)(struct lookup *lookup))
{
        struct lookup *const lookup = calloc(1, sizeof *lookup);
        if (lookup == NULL)
                return NULL;
        lookup->job.run = run_lookup;
        lookup->references = 1;
        lookup->call = call;
        lookup->resolve = resolve;
        return lookup;
}

struct lookup *lookup_new_names(const char *host, const char *service, const struct addrinfo *hints)
{
        struct lookup *const lookup = lookup_new("getaddrinfo", resolve_names);
        if (lookup == NULL)
                return NULL;
        lookup->host = host == NULL ? NULL : strdup(host);
        lookup->service = service == NULL ? NULL : strdup(service);
        if ((host != NULL && lookup->host == NULL) || (service != NULL && lookup->service == NULL)) {
                lookup_release(lookup);
                return NULL;
        }
        lookup->hinted = hints != NULL;
        if (hints != NULL)
                lookup->hints = (struct addrinfo){ .ai_family = hints->ai_family,
                        .ai_socktype = hints->ai_socktype,
                        .ai_protocol = hints->ai_protocol,
                        .ai_flags = hints->ai_flags };
        return lookup;
}

struct lookup *lookup_new_address(const struct address *address, int flags)
{
        struct lookup *const lookup = lookup_new("getnameinfo", resolve_address);
        if (lookup == NULL)
                return NULL;
        lookup->address = *address;
        lookup->flags = flags;
        return lookup;
}

void lookup_start(struct lookup *lookup, struct waiter *waiter, uint64_t ticket)
{
        lookup->waiter = waiter;
        lookup->ticket = ticket;
        atomic_fetch_add(&lookup->references, 1);
        background_submit(&lookup->job);
}

const struct lookup_outcome *lookup_outcome(const struct lookup *lookup)
{
        return atomic_load(&lookup->complete) ? &lookup->outcome : NULL;
}

struct result lookup_result(const struct lookup *lookup)
{
        const struct lookup_outcome *const outcome = &lookup->outcome;
        assert(lookup_outcome(lookup) != NULL);
        if (outcome->code == 0)
                return DONE;
        struct result result = refused(lookup->call,
                outcome->code == EAI_SYSTEM && outcome->error != 0 ? outcome->error : outcome->code);
        result.detail = gai_strerror(outcome->code);
        return result;
}

struct result lookup_first_address(const struct lookup *lookup, uint16_t port, struct address *out)
{
        TRY(lookup_result(lookup));
        const struct addrinfo *const first = lookup->outcome.addresses;
        if (first == NULL || first->ai_addrlen > sizeof out->storage)
                return refused(lookup->call, EAI_NONAME);
        *out = (struct address){ .given = true, .size = first->ai_addrlen };
        memcpy(&out->storage, first->ai_addr, first->ai_addrlen);
        /* The port has the same place in both families. */
        ((struct sockaddr_in *)&out->storage)->sin_port = htons(port);
        return DONE;
}

void lookup_release(struct lookup *lookup)
{
        if (lookup == NULL || atomic_fetch_sub(&lookup->references, 1) != 1)
                return;
        if (lookup->addresses != NULL)
                freeaddrinfo(lookup->addresses);
        free(lookup->host);
        free(lookup->service);
        free(lookup);
}
