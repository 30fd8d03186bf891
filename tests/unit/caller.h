/* caller.h: a caller of the waiter: a wait that moves one byte through a real socket, and notes how it was
 * treated. */
#pragma once

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "daemon/sockets/waiter.h"
#include "tests/unit/ends.h"
#include "tests/unit/rows.h"

static const int64_t CALLER_LONG_NS = 60000000000, CALLER_MS = 1000000;

struct caller {
        struct wait wait;   /* first, so that a wait is its caller */
        int64_t timeout_ns; /* 0: does not park */
        unsigned char byte; /* received, or sent */
        ssize_t moved;      /* what recv or send returned last */
        int error;          /* its errno */
        int place;          /* among all that moved a byte, from 1; 0: it did not */
        int attempts, parks, wakes;
        sem_t woken;
};

static _Atomic int caller_places;

static inline struct caller *caller_of(struct wait *wait)
{
        return (struct caller *)wait;
}

static inline bool caller_park(struct wait *wait)
{
        struct caller *const caller = caller_of(wait);
        if (caller->timeout_ns == 0)
                return false;
        wait->deadline_ns = now_ns() + caller->timeout_ns;
        caller->parks++;
        return true;
}

static inline void caller_wake(struct wait *wait)
{
        struct caller *const caller = caller_of(wait);
        caller->wakes++;
        sem_post(&caller->woken);
}

static inline enum attempt caller_moved(struct caller *caller, ssize_t moved)
{
        caller->attempts++;
        caller->moved = moved;
        caller->error = moved < 0 ? errno : 0;
        if (moved < 0 && errno == EAGAIN)
                return ATTEMPT_AGAIN;
        caller->place = ++caller_places;
        return ATTEMPT_FINISHED;
}

static inline enum attempt caller_receive(struct wait *wait)
{
        struct caller *const caller = caller_of(wait);
        return caller_moved(caller, recv(wait->socket->fd, &caller->byte, 1, MSG_DONTWAIT));
}

static inline enum attempt caller_send(struct wait *wait)
{
        struct caller *const caller = caller_of(wait);
        return caller_moved(caller, send(wait->socket->fd, &caller->byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/* Sets the caller up for a direction of the socket (NULL: detached), anew each time; it may be set further
 * then. */
static inline void caller_set(struct caller *caller, struct socket *socket, enum direction direction)
{
        *caller = (struct caller){
                .wait = { .socket = socket,
                        .direction = direction,
                        .client_fd = -1,
                        .attempt = direction == DIRECTION_RECEIVE ? caller_receive : caller_send,
                        .park = caller_park,
                        .wake = caller_wake },
                .timeout_ns = CALLER_LONG_NS,
        };
        sem_init(&caller->woken, 0, 0);
}

/* False: it was not woken within twenty seconds. Safe on any thread. */
static inline bool caller_await(struct caller *caller)
{
        struct timespec deadline;
        clock_gettime(CLOCK_REALTIME, &deadline);
        deadline.tv_sec += 20;
        int failed;
        while ((failed = sem_timedwait(&caller->woken, &deadline)) != 0 && errno == EINTR) {
        }
        return failed == 0;
}

/* Whether it has been woken since; takes note of it. */
static inline bool caller_is_woken(struct caller *caller)
{
        return sem_trywait(&caller->woken) == 0;
}

/* Has nothing happen for a while on this thread, as measured by the waiter itself. */
static inline void caller_pass_time(struct waiter *waiter, int64_t ns)
{
        struct caller clock;
        uint64_t ticket;
        caller_set(&clock, NULL, DIRECTION_RECEIVE);
        clock.timeout_ns = ns;
        assert_true(waiter_enter_detached(waiter, &clock.wait, &ticket));
        assert_true(caller_await(&clock));
        assert_int_equal(clock.wait.end, WAIT_TIMED_OUT);
}

/* Processor time that the whole process has used. */
static inline int64_t processor_ns(void)
{
        struct timespec used;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
        return used.tv_sec * 1000000000 + used.tv_nsec;
}

/* A socket of one end; the other one is the test's. */
struct stage {
        struct socket *socket;
        int peer;
};

static inline void stage_set(struct stage *stage, int family, int type)
{
        struct ends ends;
        assert_true(ends_open(&ends, family, type));
        stage->socket = socket_new(ends.one, family, type, 0);
        assert_non_null(stage->socket);
        stage->peer = ends.other;
}

/* What closing a socket is to its owner. */
static inline void stage_cancel(struct waiter *waiter, const struct stage *stage)
{
        stage->socket->closed = true;
        waiter_cancel(waiter, stage->socket);
}

static inline void stage_clean(struct waiter *waiter, struct stage *stage)
{
        stage_cancel(waiter, stage);
        socket_release(stage->socket);
        end_close(&stage->peer);
}
