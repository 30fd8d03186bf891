/* lookout.h: the sockets that a waiting call looks at, without a turn in their lanes. */
#pragma once

#include "daemon/sockets/result.h"
#include "daemon/sockets/socket.h"

struct watch;

/* One of the sockets. */
struct look {
        struct socket *socket; /* a reference */
        short events, revents; /* as poll(2) has them; guarded by the lookout's lane lock */
        _Atomic bool changed;  /* an event has come since it was last polled */
        struct lookout *lookout;
        struct look *next,
                *previous; /* the ring of those who look at the socket; the waiter's lock guards it */
};

struct lookout {
        struct lane lane; /* its own, and so always its call's turn: nobody else stands there */
        _Atomic unsigned references;
        bool watched;      /* changes of all of them are reported; guarded by the lane's lock */
        struct wait *wait; /* while it is parked; guarded by the waiter's lock */
        size_t count;
        struct look looks[];
};

/* How much memory one for that many sockets takes. */
size_t lookout_size(size_t capacity);

/* One reference to a lookout that has no sockets yet, or NULL without memory. */
struct lookout *lookout_new(size_t capacity);

/* Adds a socket, whose reference it takes over. Not more than the capacity, nor once it waits. */
void lookout_add(struct lookout *lookout, struct socket *socket, short events);

/* Accepts NULL, as does lookout_release(). */
struct lookout *lookout_reference(struct lookout *lookout);
void lookout_release(struct lookout *lookout);

static inline void cleanup_lookout(struct lookout **lookout)
{
        lookout_release(*lookout);
}
#define lookout_auto __attribute__((cleanup(cleanup_lookout), unused))

/* poll(2) of all its sockets, in an attempt: DONE with `revents` filled in when any has something,
 * RESULT_WAIT, or ECANCELED when one is closed. Only those are polled again that have changed. */
struct result lookout_poll(struct lookout *lookout);

/* Whether one of the sockets is closed: RESULT_REFUSED with ECANCELED, or DONE. */
struct result lookout_check(const struct lookout *lookout);

/* For the waiter, under its lock. */

/* Has its sockets' events reported. False: one of them cannot be watched. */
bool lookout_begin(struct lookout *lookout, struct watch *watch, struct wait *wait);
void lookout_end(struct lookout *lookout);

/* How many look at a socket, and a reference to the next of them, marked as changed: each gets its turn when
 * it is called that often. NULL: nobody looks. */
size_t lookout_count(const struct socket *socket);
struct lookout *lookout_next(struct socket *socket);
