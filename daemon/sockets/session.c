/* session.c: the sessions that live, in a list, and the thread that ends those whose time is over.
 *
 * Locks: a session's own, then the registry's; the list's alone. A session that ends first leaves the list,
 * then takes no more sockets, and only then are its sockets looked for, with no lock held while they are
 * closed. */
#include "daemon/sockets/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/store.h"
#include "daemon/sockets/thread.h"
#include "daemon/sockets/waiter.h"

static const int64_t NS_PER_S = 1000000000, NS_PER_MS = 1000000;

struct sessions {
        struct registry *registry;
        struct waiter *waiter;
        struct reactors *reactors;
        pthread_t thread;

        pthread_mutex_t lock; /* guards all below */
        pthread_cond_t changed;
        struct session *oldest, **end;
        bool started, stopping;
};

struct session *session_reference(struct session *session)
{
        atomic_fetch_add_explicit(&session->references, 1, memory_order_relaxed);
        return session;
}

void session_release(struct session *session)
{
        if (session == NULL || atomic_fetch_sub_explicit(&session->references, 1, memory_order_acq_rel) != 1)
                return;
        pthread_mutex_destroy(&session->lock);
        store_give_back(STORE_SESSIONS, session->stored);
        free(session);
}

struct closing {
        const struct sessions *sessions;
        const struct session *session;
};

static bool close_one(void *context, struct socket *socket)
{
        const struct closing *const closing = context;
        const struct sessions *const sessions = closing->sessions;
        if (socket->session == closing->session)
                registry_close(sessions->registry, sessions->waiter, sessions->reactors, socket, false);
        return closing->session->sockets > 0;
}

static void close_sockets(const struct sessions *sessions, struct session *session)
{
        struct closing closing = { .sessions = sessions, .session = session };
        {
                LOCK_SCOPE(&session->lock);
                session->ended = true;
        }
        if (session->sockets > 0)
                registry_each(sessions->registry, 0, close_one, &closing);
}

/* Takes it out of the list, whose reference goes to the caller. Its record goes first: killed from there on,
 * sockets are left whose session is not, and they are closed then. Needs the lock. */
static bool unlink_session(struct sessions *sessions, const struct session *session)
{
        struct session **link = &sessions->oldest;
        while (*link != NULL && *link != session)
                link = &(*link)->next;
        if (*link == NULL)
                return false;
        session->stored->number = 0;
        *link = session->next;
        if (session->next == NULL)
                sessions->end = link;
        return true;
}

/* Needs the lock. */
static struct session *first_to_expire(const struct sessions *sessions)
{
        struct session *first = sessions->oldest;
        for (struct session *session = first; session != NULL; session = session->next)
                if (session->lease.deadline_ns < first->lease.deadline_ns)
                        first = session;
        return first;
}

/* Needs the lock. */
static void wait_until(struct sessions *sessions, int64_t deadline_ns)
{
        const struct timespec deadline = { .tv_sec = deadline_ns / NS_PER_S,
                .tv_nsec = deadline_ns % NS_PER_S };
        pthread_cond_clockwait(&sessions->changed, &sessions->lock, CLOCK_MONOTONIC, &deadline);
}

/* The next session whose time is over, taken out of the list, once there is one; NULL when it is time to
 * stop. */
static struct session *await_expired(struct sessions *sessions)
{
        LOCK_SCOPE(&sessions->lock);
        while (!sessions->stopping) {
                struct session *const first = first_to_expire(sessions);
                if (first == NULL)
                        pthread_cond_wait(&sessions->changed, &sessions->lock);
                else if (first->lease.deadline_ns > now_ns())
                        wait_until(sessions, first->lease.deadline_ns);
                else if (unlink_session(sessions, first))
                        return first;
        }
        return NULL;
}

static void *expire(void *context)
{
        struct sessions *const sessions = context;
        pthread_setname_np(pthread_self(), "sessions");
        for (struct session *session; (session = await_expired(sessions)) != NULL;) {
                close_sockets(sessions, session);
                session_release(session);
        }
        return NULL;
}

/* With the first session: most daemons never have one. Needs the lock. */
static bool start(struct sessions *sessions)
{
        if (!sessions->started)
                sessions->started = thread_start(&sessions->thread, expire, sessions) == 0;
        return sessions->started;
}

struct sessions *sessions_new(struct registry *registry, struct waiter *waiter, struct reactors *reactors)
{
        struct sessions *const sessions = calloc(1, sizeof *sessions);
        if (sessions == NULL)
                return NULL;
        sessions->registry = registry;
        sessions->waiter = waiter;
        sessions->reactors = reactors;
        sessions->end = &sessions->oldest;
        pthread_mutex_init(&sessions->lock, NULL);
        pthread_cond_init(&sessions->changed, NULL);
        return sessions;
}

void sessions_free(struct sessions *sessions)
{
        if (sessions == NULL)
                return;
        pthread_mutex_lock(&sessions->lock);
        sessions->stopping = true;
        pthread_cond_broadcast(&sessions->changed);
        pthread_mutex_unlock(&sessions->lock);
        if (sessions->started)
                pthread_join(sessions->thread, NULL);
        for (struct session *session = sessions->oldest, *next; session != NULL; session = next) {
                next = session->next;
                session_release(session);
        }
        pthread_cond_destroy(&sessions->changed);
        pthread_mutex_destroy(&sessions->lock);
        free(sessions);
}

static struct lease lease_from_now(int64_t ttl_ms)
{
        struct lease lease = { .ttl_ms = ttl_ms, .deadline_ns = now_ns() + ttl_ms * NS_PER_MS };
        clock_gettime(CLOCK_REALTIME, &lease.expires);
        const int64_t ns = lease.expires.tv_nsec + ttl_ms % 1000 * NS_PER_MS;
        lease.expires.tv_sec += ttl_ms / 1000 + ns / NS_PER_S;
        lease.expires.tv_nsec = ns % NS_PER_S;
        return lease;
}

static void set_lease(struct session *session, struct lease lease)
{
        session->lease = lease;
        session->stored->ttl_ms = lease.ttl_ms;
}

static struct session *session_new(uint64_t number, struct account *owner, const struct lease *lease,
        const char *label, uint64_t made_by)
{
        struct session *const session = calloc(1, sizeof *session);
        if (session == NULL)
                return NULL;
        session->stored = store_take(STORE_SESSIONS);
        if (session->stored == NULL) {
                free(session);
                return NULL;
        }
        session->number = number;
        session->owner = owner;
        session->references = 1;
        set_lease(session, *lease);
        snprintf(session->label, sizeof session->label, "%s", label);
        memcpy(session->stored->label, session->label, sizeof session->label);
        snprintf(session->stored->owner, sizeof session->stored->owner, "%s",
                owner == NULL ? "" : owner->name);
        session->stored->made_by = made_by;
        session->stored->number = number;
        pthread_mutex_init(&session->lock, NULL);
        return session;
}

/* Needs the lock. */
static void append(struct sessions *sessions, struct session *session)
{
        *sessions->end = session;
        sessions->end = &session->next;
        pthread_cond_signal(&sessions->changed);
}

/* Needs the lock. */
static size_t count_of(const struct sessions *sessions, const struct account *owner)
{
        size_t count = 0;
        for (const struct session *session = sessions->oldest; session != NULL; session = session->next)
                count += session->owner == owner;
        return count;
}

struct result sessions_add(struct sessions *sessions, struct account *owner, int64_t ttl_ms,
        const char *label, uint64_t made_by, struct session **out)
{
        LOCK_SCOPE(&sessions->lock);
        if (count_of(sessions, owner) >= SESSIONS_EACH)
                return (struct result){ .kind = RESULT_QUOTA,
                        .detail = "there are as many sessions of yours as there may be" };
        const struct lease lease = lease_from_now(ttl_ms);
        struct session *const session =
                start(sessions)
                        ? session_new(registry_take_number(sessions->registry), owner, &lease, label, made_by)
                        : NULL;
        if (session == NULL)
                return (struct result){ .kind = RESULT_QUOTA,
                        .detail = "the daemon has no memory or no thread left for this" };
        append(sessions, session);
        *out = session_reference(session);
        return DONE;
}

bool sessions_restore(struct sessions *sessions, struct account *owner, const struct stored_session *stored)
{
        LOCK_SCOPE(&sessions->lock);
        const struct lease lease = lease_from_now(stored->ttl_ms);
        struct session *const session =
                start(sessions) ? session_new(stored->number, owner, &lease, stored->label, stored->made_by)
                                : NULL;
        if (session != NULL)
                append(sessions, session);
        return session != NULL;
}

struct session *sessions_find(struct sessions *sessions, uint64_t number)
{
        LOCK_SCOPE(&sessions->lock);
        struct session *session = sessions->oldest;
        while (session != NULL && session->number != number)
                session = session->next;
        return session == NULL ? NULL : session_reference(session);
}

struct session *sessions_find_made(struct sessions *sessions, uint64_t made_by)
{
        LOCK_SCOPE(&sessions->lock);
        struct session *session = sessions->oldest;
        while (session != NULL && session->stored->made_by != made_by)
                session = session->next;
        return session == NULL ? NULL : session_reference(session);
}

size_t sessions_list(struct sessions *sessions, uint64_t after, struct session **out, size_t count)
{
        LOCK_SCOPE(&sessions->lock);
        size_t found = 0;
        for (struct session *session = sessions->oldest; session != NULL && found < count;
                session = session->next)
                if (session->number > after)
                        out[found++] = session_reference(session);
        return found;
}

struct lease session_lease(struct sessions *sessions, const struct session *session)
{
        LOCK_SCOPE(&sessions->lock);
        return session->lease;
}

bool session_renew(struct sessions *sessions, struct session *session, int64_t ttl_ms)
{
        LOCK_SCOPE(&sessions->lock);
        struct session *listed = sessions->oldest;
        while (listed != NULL && listed != session)
                listed = listed->next;
        if (listed == NULL)
                return false;
        set_lease(session, lease_from_now(ttl_ms > 0 ? ttl_ms : session->lease.ttl_ms));
        pthread_cond_signal(&sessions->changed);
        return true;
}

static bool leave_list(struct sessions *sessions, const struct session *session)
{
        LOCK_SCOPE(&sessions->lock);
        return unlink_session(sessions, session);
}

bool session_end(struct sessions *sessions, struct session *session)
{
        if (!leave_list(sessions, session))
                return false;
        close_sockets(sessions, session);
        session_release(session);
        return true;
}
