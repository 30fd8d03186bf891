/* session.h: leases that sockets are made under: who does not renew them in time loses all of their sockets.
 * Safe from any thread. */
#pragma once

#include "daemon/sockets/registry.h"

/* What each account may have, and how long a lease may be. */
enum { SESSIONS_EACH = 256, TTL_MIN_MS = 100, TTL_DEFAULT_MS = 60000, TTL_MAX_MS = 86400000 };

/* For how long a session lives, unless it is renewed. */
struct lease {
        int64_t ttl_ms;
        int64_t deadline_ns; /* on now_ns()'s clock */
        struct timespec expires;
};

/* A counted reference, of the list, of each of its sockets, and of calls that name it. */
struct session {
        /* Constant. */
        uint64_t number;
        char label[LABEL_SIZE];
        struct account *owner;         /* NULL: nobody in particular */
        struct stored_session *stored; /* its slot in the stored memory */

        _Atomic unsigned references;
        _Atomic size_t sockets; /* published ones */

        pthread_mutex_t
                lock; /* is held while a socket of its is published, so that none comes after the end */
        bool ended;

        struct session *next; /* guarded by the sessions' lock, as is the lease */
        struct lease lease;
};

struct session *session_reference(struct session *session);

/* Lets go. Accepts NULL. */
void session_release(struct session *session);

static inline void cleanup_session(struct session **session)
{
        session_release(*session);
}
#define session_auto __attribute__((cleanup(cleanup_session), unused))

struct sessions;

/* All are to outlive it; reactors may be NULL. NULL without memory. */
struct sessions *sessions_new(struct registry *registry, struct waiter *waiter, struct reactors *reactors);

/* Stops looking at leases, when no call is under way. Sockets stay. Accepts NULL. */
void sessions_free(struct sessions *sessions);

/* Makes a session; *out is a reference. `made_by` is the number of the call's outcome, or 0. RESULT_QUOTA
 * when the owner has too many. */
struct result sessions_add(struct sessions *sessions, struct account *owner, int64_t ttl_ms,
        const char *label, uint64_t made_by, struct session **out);

/* Goes on with a session of an earlier process: its lease begins anew. Those come in order, before any other.
 * False without memory. */
bool sessions_restore(struct sessions *sessions, struct account *owner, const struct stored_session *stored);

/* A reference, or NULL when there is no such session (any more). */
struct session *sessions_find(struct sessions *sessions, uint64_t number);
struct session *sessions_find_made(struct sessions *sessions, uint64_t made_by);

/* References to at most `count` sessions with a number above `after`, oldest first. Returns how many. */
size_t sessions_list(struct sessions *sessions, uint64_t after, struct session **out, size_t count);

struct lease session_lease(struct sessions *sessions, const struct session *session);

/* Lets it live for that long from now; 0: as long as before. False when it has ended. */
bool session_renew(struct sessions *sessions, struct session *session, int64_t ttl_ms);

/* Ends it, and closes all of its sockets; their parked calls end as when each of them is closed. Not under a
 * lane's lock. False when it has ended. */
bool session_end(struct sessions *sessions, struct session *session);
