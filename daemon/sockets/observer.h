/* observer.h: the thread that looks at all sockets while somebody wants events that are not told by
 * themselves, and wakes the calls that wait for one. Safe from any thread. */
#pragma once

#include "daemon/sockets/event.h"

struct observer;
struct registry;
struct waiter;

/* The thread is only started when it is wanted. NULL with errno set. */
struct observer *observer_new(struct registry *registry, struct waiter *waiter);

/* When nobody wants anything any more. Accepts NULL. */
void observer_free(struct observer *observer);

/* Somebody wants these kinds of events, from now on, or no more. Once nobody does, they are still told for a
 * while, for those who come again. False: there is no thread, or memory, for it. */
bool observer_want(struct observer *observer, unsigned kinds);
void observer_unwant(struct observer *observer, unsigned kinds);

/* Wants what a filter lets through, for a call that may come to wait for it. Returns by which number to arm
 * it and to leave; 0: no memory. Leaving ends it in any case; 0 is nobody. */
uint64_t observer_listen(struct observer *observer, const struct event_filter *filter);
void observer_leave(struct observer *observer, uint64_t listener);

/* Has a listener end, and a detached wait completed, once there is an event behind `after` that it is to see,
 * or at the deadline. Where the listener has left, it does nothing. */
struct alarm {
        uint64_t ticket, after;
        int64_t deadline_ns;
};
void observer_arm(struct observer *observer, uint64_t listener, const struct alarm *alarm);
