/* lookout.c: the sockets that a waiting call looks at, without a turn in their lanes.
 *
 * A call that only looks disturbs nobody's order, so it stands in no lane of the socket's: any number of them
 * hang in a ring at each socket, and the waiter has all of them look when an event is reported, before those
 * in the lanes may take away what there was to see. */
#include "daemon/sockets/lookout.h"

#include <poll.h>
#include <stdlib.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/watch.h"

size_t lookout_size(size_t capacity)
{
        return sizeof(struct lookout) + capacity * sizeof(struct look);
}

struct lookout *lookout_new(size_t capacity)
{
        struct lookout *const lookout = calloc(1, lookout_size(capacity));
        if (lookout == NULL)
                return NULL;
        lookout->references = 1;
        pthread_mutex_init(&lookout->lane.lock, NULL);
        return lookout;
}

void lookout_add(struct lookout *lookout, struct socket *socket, short events)
{
        struct look *const look = &lookout->looks[lookout->count++];
        look->socket = socket;
        look->events = events;
        look->lookout = lookout;
}

struct lookout *lookout_reference(struct lookout *lookout)
{
        if (lookout != NULL)
                atomic_fetch_add_explicit(&lookout->references, 1, memory_order_relaxed);
        return lookout;
}

void lookout_release(struct lookout *lookout)
{
        if (lookout == NULL || atomic_fetch_sub_explicit(&lookout->references, 1, memory_order_acq_rel) != 1)
                return;
        for (size_t i = 0; i < lookout->count; i++)
                socket_release(lookout->looks[i].socket);
        pthread_mutex_destroy(&lookout->lane.lock);
        free(lookout);
}

/* seccomp: poll ppoll */
static void poll_once(struct look *look)
{
        struct pollfd polled = { .fd = look->socket->fd, .events = look->events };
        (void)TEMP_FAILURE_RETRY(poll(&polled, 1, 0)); /* where it fails, it leaves revents alone */
        look->revents = polled.revents;
}

/* What the next recv would find counts, whether it lies with the kernel or was left unread. The lane's lock
 * keeps out a recv that is carrying bytes from the one to the other. Returns whether there is anything. */
static bool poll_look(struct look *look)
{
        if ((look->events & POLLIN) == 0) {
                poll_once(look);
        } else {
                LOCK_SCOPE(&look->socket->lanes[DIRECTION_RECEIVE].lock);
                poll_once(look);
                if (inbox_cursor(look->socket) < socket_position(look->socket, DIRECTION_RECEIVE))
                        look->revents = (short)(look->revents | POLLIN);
        }
        return look->revents != 0;
}

struct result lookout_check(const struct lookout *lookout)
{
        for (size_t i = 0; i < lookout->count; i++)
                if (lookout->looks[i].socket->closed)
                        return (struct result){ .kind = RESULT_REFUSED,
                                .error = ECANCELED,
                                .call = "poll",
                                .detail = "the socket was closed while the call waited" };
        return DONE;
}

struct result lookout_poll(struct lookout *lookout)
{
        bool ready = false, still = false;
        for (size_t i = 0; i < lookout->count; i++)
                if ((atomic_exchange(&lookout->looks[i].changed, false) || !lookout->watched) && !ready)
                        ready = poll_look(&lookout->looks[i]);
        /* Once it ends, it says all that there is. */
        for (size_t i = 0; i < lookout->count && ready; i++)
                still = poll_look(&lookout->looks[i]) || still;
        TRY(lookout_check(lookout));
        return still ? DONE : would_block("poll");
}

static void ring_add(struct look *look)
{
        struct look **const ring = &look->socket->looks;
        if (*ring == NULL)
                *ring = look->next = look->previous = look;
        look->next = *ring;
        look->previous = (*ring)->previous;
        look->next->previous = look->previous->next = look;
}

static void ring_remove(struct look *look)
{
        struct look **const ring = &look->socket->looks;
        look->next->previous = look->previous;
        look->previous->next = look->next;
        if (*ring == look)
                *ring = look->next == look ? NULL : look->next;
}

bool lookout_begin(struct lookout *lookout, struct watch *watch, struct wait *wait)
{
        lookout->wait = wait;
        lookout->watched = true;
        for (size_t i = 0; i < lookout->count; i++) {
                struct look *const look = &lookout->looks[i];
                look->changed = true;
                ring_add(look);
                look->socket->waiting++;
                /* One that is closed has been forgotten for good. */
                if (look->socket->closed || !watch_arm(watch, look->socket))
                        lookout->watched = false;
        }
        return lookout->watched;
}

void lookout_end(struct lookout *lookout)
{
        for (size_t i = 0; i < lookout->count; i++) {
                ring_remove(&lookout->looks[i]);
                lookout->looks[i].socket->waiting--;
        }
        lookout->wait = NULL;
}

size_t lookout_count(const struct socket *socket)
{
        size_t count = 0;
        const struct look *look = socket->looks;
        if (look == NULL)
                return 0;
        do {
                count++;
                look = look->next;
        } while (look != socket->looks);
        return count;
}

struct lookout *lookout_next(struct socket *socket)
{
        struct look *const look = socket->looks;
        if (look == NULL)
                return NULL;
        socket->looks = look->next;
        look->changed = true;
        return lookout_reference(look->lookout);
}
