/* waiter.h: the calls that wait. One thread with an epoll and a timer heap wakes them, in the order they
 * came. */
#pragma once

#include "daemon/sockets/lookout.h"

struct waiter;

enum wait_end {
        WAIT_FINISHED, /* the last attempt is the answer */
        WAIT_TIMED_OUT,
        WAIT_CANCELED,  /* the socket was closed */
        WAIT_ABANDONED, /* the client went away */
        WAIT_SHUTDOWN,
};

enum attempt {
        ATTEMPT_FINISHED, /* leaves the lane */
        ATTEMPT_AGAIN,    /* would block: stays first in its lane */
        ATTEMPT_HOLD,     /* leaves the waiting, but keeps the turn until waiter_leave() */
};

/* A call's place in a lane. Zeroed and filled in by its owner before waiter_enter(); the waiter's from then
 * until wake() is called. */
struct wait {
        struct socket
                *socket; /* the owner's reference; NULL: waits for waiter_complete() alone, in no lane */
        enum direction direction;
        struct lookout
                *lookout; /* beside all lanes: of a call that only looks, whose `socket` is NULL; or NULL */
        int client_fd;    /* the client's connection, watched for its going away; -1: none */
        bool client_is_local; /* AF_UNIX: a half-close can be told from a close */
        int64_t deadline_ns;  /* on now_ns()'s clock */
        /* Not 0: try again this often too (an AF_UNIX connect has no readiness). An attempt may set it while
         * the waiter's timers read it. */
        _Atomic int64_t retry_ns;

        /* Makes the system call; under the lane's lock, on the caller's or the waiter's thread. */
        enum attempt (*attempt)(struct wait *wait);
        /* Called when the call is about to be parked, under the lane's lock, on waiter_enter()'s thread. Sets
         * deadline_ns. False: it must not wait, and ends with WAIT_TIMED_OUT at once. */
        bool (*park)(struct wait *wait);
        /* Called once after each park() that was true, when the waiting has ended; without locks, on any
         * thread. */
        void (*wake)(struct wait *wait);

        enum wait_end end; /* when it is finished */

        /* The waiter's own; guarded by the lane's lock while it is in a lane. */
        struct wait *next, *previous; /* in the lane */
        bool in_lane, waiting;        /* an attempt may read `waiting`: it is then on the waiter's thread */
        uint64_t ticket;              /* guarded by the waiter's lock, as are the two below */
        size_t heap_index;
        int64_t due_ns;
        struct wait *wake_next;
};

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t now_ns(void);

/* Starts the thread. At most `capacity` calls may wait at a time, on as many sockets. NULL with errno set
 * when it can't be started. */
struct waiter *waiter_new(size_t capacity);

/* Ends all waits (WAIT_SHUTDOWN), now and from now on. */
void waiter_shut_down(struct waiter *waiter);

/* Stops the thread, when no wait is left. Accepts NULL. */
void waiter_free(struct waiter *waiter);

enum entry {
        ENTRY_FINISHED, /* wait->end says how; nothing more will be called */
        ENTRY_HOLDING,  /* attempted, done, and has the turn */
        ENTRY_PARKED,   /* wake() will be called, or has been */
};

/* Attempts at once when it is this call's turn, and parks it otherwise. A holder calls it again to wait
 * again. */
enum entry waiter_enter(struct waiter *waiter, struct wait *wait);

/* Parks a wait without a socket. *ticket names it for waiter_complete(); the work that completes it starts
 * after. False: park() did not want to wait. */
bool waiter_enter_detached(struct waiter *waiter, struct wait *wait, uint64_t *ticket);

/* Ends a detached wait (WAIT_FINISHED), if it still waits. Returns whether it did. */
bool waiter_complete(struct waiter *waiter, uint64_t ticket);

/* A holder gives up the turn. */
void waiter_leave(struct waiter *waiter, struct wait *wait);

/* Ends all calls of a socket that is closed (socket->closed is set) with WAIT_CANCELED, and forgets the
 * socket. To be called before the last reference goes of every socket that has waited. */
void waiter_cancel(struct waiter *waiter, struct socket *socket);

/* How many calls are parked. */
size_t waiter_count(struct waiter *waiter);
