/* waiter.c: the calls that wait.
 *
 * Each direction of a socket is a lane: calls stand in it in the order they came, and only the first makes
 * system calls. A call attempts at once when its lane is empty; if that would block, it is parked: it stays
 * in the lane, and this file's one thread attempts it again when the socket is ready, its retry time has
 * come, or its deadline has passed.
 *
 * Sockets are in the epoll edge-triggered, so that a condition that no call can clear (a full error queue)
 * wakes nobody twice. No edge is lost: an attempt and the parking that follows it happen under the same lane
 * lock, which the waiter takes before it looks for someone to wake. A socket stays armed until an event finds
 * nobody waiting.
 *
 * A call that only looks stands in a lane of its own, its lookout's, and beside those of the sockets it looks
 * at; see lookout.c.
 *
 * A parked call's client is watched too, and looked at once more right before each attempt: a call whose
 * client has gone takes nothing from the kernel. Over TCP the end of the client's stream counts as gone,
 * since a killed client looks the same; over AF_UNIX a half-close can be told apart, and the call goes on.
 *
 * Locks: a lookout's lane's, then a socket's lane's, then the waiter's. Ending a wait needs its lane's lock;
 * that of a detached one needs the waiter's. */
#include "daemon/sockets/waiter.h"

#include <stdlib.h>
#include <time.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/heap.h"
#include "daemon/sockets/lane.h"
#include "daemon/sockets/table.h"
#include "daemon/sockets/thread.h"
#include "daemon/sockets/watch.h"

static const int64_t NS_PER_S = 1000000000, RETRY_UNWATCHABLE_NS = 10000000;

struct waiter {
        pthread_t thread;

        pthread_mutex_t lock; /* guards all below */
        struct watch watch;
        struct table waits; /* the parked calls */
        struct heap heap;
        bool shut_down, stopping;
};

/* Waits that have ended and are yet to be woken, once no lock is held. */
struct woken {
        struct wait *first;
};

int64_t now_ns(void)
{
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void wake_all(struct woken *woken)
{
        for (struct wait *wait = woken->first, *next; wait != NULL; wait = next) {
                next = wait->wake_next;
                wait->wake(wait);
        }
}

static void set_due(struct wait *wait)
{
        wait->due_ns = wait->deadline_ns;
        if (wait->retry_ns > 0) {
                const int64_t retry_at = now_ns() + wait->retry_ns;
                if (retry_at < wait->due_ns)
                        wait->due_ns = retry_at;
        }
}

/* False: a socket that it waits on cannot be watched. Needs the same locks as begin(). */
static bool begin_watching(struct waiter *waiter, struct wait *wait)
{
        if (wait->lookout != NULL)
                return lookout_begin(wait->lookout, &waiter->watch, wait);
        wait->socket->waiting++;
        return watch_arm(&waiter->watch, wait->socket);
}

/* Begins the waiting. Needs the waiter's lock, and the lane's if there is one. */
static void begin(struct waiter *waiter, struct wait *wait)
{
        struct lane *const lane = lane_of(wait);
        wait->waiting = true;
        wait->ticket = table_add(&waiter->waits, wait);
        if (lane != NULL) {
                lane->parked++;
                if (!begin_watching(waiter, wait) && wait->retry_ns == 0)
                        wait->retry_ns = RETRY_UNWATCHABLE_NS;
        }
        set_due(wait);
        heap_add(&waiter->heap, wait);
        if (heap_first(&waiter->heap) == wait)
                watch_interrupt(&waiter->watch);
        watch_client(&waiter->watch, wait);
}

/* Ends the waiting, which leaves the call's place in the lane as it is. Needs the same locks. */
static void finish(struct waiter *waiter, struct wait *wait, enum wait_end end)
{
        wait->waiting = false;
        wait->end = end;
        table_remove(&waiter->waits, wait->ticket);
        heap_remove(&waiter->heap, wait);
        watch_leave_client(&waiter->watch, wait);
        if (lane_of(wait) != NULL)
                lane_of(wait)->parked--;
        if (wait->lookout != NULL)
                lookout_end(wait->lookout);
        else if (wait->socket != NULL)
                wait->socket->waiting--;
}

/* Ends a parked call for good. Needs the lane's lock. */
static void end_parked(struct waiter *waiter, struct wait *wait, enum wait_end end, struct woken *woken)
{
        pthread_mutex_lock(&waiter->lock);
        finish(waiter, wait, end);
        pthread_mutex_unlock(&waiter->lock);
        lane_remove(lane_of(wait), wait);
        wait->wake_next = woken->first;
        woken->first = wait;
}

/* A parked call that has got its turn, to go on on its owner's thread. Needs the lane's lock. */
static void hold(struct waiter *waiter, struct wait *wait, struct woken *woken)
{
        pthread_mutex_lock(&waiter->lock);
        finish(waiter, wait, WAIT_FINISHED);
        pthread_mutex_unlock(&waiter->lock);
        wait->wake_next = woken->first;
        woken->first = wait;
}

/* An attempt may find out that it wants to be tried again by itself. Needs the lane's lock. */
static void retry_later(struct waiter *waiter, struct wait *wait)
{
        if (wait->retry_ns == 0)
                return;
        LOCK_SCOPE(&waiter->lock);
        heap_remove(&waiter->heap, wait);
        set_due(wait);
        heap_add(&waiter->heap, wait);
        if (heap_first(&waiter->heap) == wait)
                watch_interrupt(&waiter->watch);
}

/* Attempts the parked calls at the head of the lane, until one must go on waiting. Needs the lane's lock. */
static void advance(struct waiter *waiter, struct lane *lane, struct woken *woken)
{
        for (struct wait *wait; (wait = lane->first) != NULL && wait->waiting;) {
                if (watch_client_is_gone(wait)) {
                        end_parked(waiter, wait, WAIT_ABANDONED, woken);
                        continue;
                }
                const enum attempt attempt = wait->attempt(wait);
                if (attempt == ATTEMPT_AGAIN) {
                        retry_later(waiter, wait);
                        return;
                }
                if (attempt == ATTEMPT_HOLD)
                        hold(waiter, wait, woken);
                else
                        end_parked(waiter, wait, WAIT_FINISHED, woken);
        }
}

/* Leaves the lane, if it stands there, and lets the next one try. Needs the lane's lock. */
static void leave(struct waiter *waiter, struct wait *wait, struct woken *woken)
{
        if (!wait->in_lane)
                return;
        lane_remove(lane_of(wait), wait);
        advance(waiter, lane_of(wait), woken);
}

/* The lane's lock is held. */
static enum entry enter(struct waiter *waiter, struct wait *wait, struct woken *woken)
{
        struct lane *const lane = lane_of(wait);
        wait->end = WAIT_CANCELED;
        if (wait->socket != NULL && wait->socket->closed) {
                leave(waiter, wait, woken);
                return ENTRY_FINISHED;
        }
        const bool has_turn = lane->first == NULL || lane->first == wait;
        const enum attempt attempt = has_turn ? wait->attempt(wait) : ATTEMPT_AGAIN;
        wait->end = WAIT_FINISHED;
        if (attempt == ATTEMPT_FINISHED) {
                leave(waiter, wait, woken);
                return ENTRY_FINISHED;
        }
        if (!wait->in_lane)
                lane_append(lane, wait);
        if (attempt == ATTEMPT_HOLD)
                return ENTRY_HOLDING;
        if (!wait->park(wait)) {
                wait->end = WAIT_TIMED_OUT;
                leave(waiter, wait, woken);
                return ENTRY_FINISHED;
        }
        pthread_mutex_lock(&waiter->lock);
        begin(waiter, wait);
        const bool shut_down = waiter->shut_down;
        pthread_mutex_unlock(&waiter->lock);
        if (shut_down)
                end_parked(waiter, wait, WAIT_SHUTDOWN, woken);
        else if (wait->lookout != NULL) /* what came before it was among those who look woke nobody */
                advance(waiter, lane, woken);
        return ENTRY_PARKED;
}

enum entry waiter_enter(struct waiter *waiter, struct wait *wait)
{
        struct woken woken = { 0 };
        struct lane *const lane = lane_of(wait);
        /* The call may be over on another thread before the lock is let go of. */
        struct lookout *lookout lookout_auto = lookout_reference(wait->lookout);
        pthread_mutex_lock(&lane->lock);
        const enum entry entry = enter(waiter, wait, &woken);
        pthread_mutex_unlock(&lane->lock);
        wake_all(&woken);
        return entry;
}

void waiter_leave(struct waiter *waiter, struct wait *wait)
{
        struct woken woken = { 0 };
        struct lane *const lane = lane_of(wait);
        pthread_mutex_lock(&lane->lock);
        leave(waiter, wait, &woken);
        pthread_mutex_unlock(&lane->lock);
        wake_all(&woken);
}

bool waiter_enter_detached(struct waiter *waiter, struct wait *wait, uint64_t *ticket)
{
        if (!wait->park(wait)) {
                wait->end = WAIT_TIMED_OUT;
                return false;
        }
        pthread_mutex_lock(&waiter->lock);
        begin(waiter, wait);
        *ticket = wait->ticket;
        const bool shut_down = waiter->shut_down;
        if (shut_down)
                finish(waiter, wait, WAIT_SHUTDOWN);
        pthread_mutex_unlock(&waiter->lock);
        if (shut_down)
                wait->wake(wait);
        return true;
}

/* What a timer, a client's going away, a completion or the shutdown does to one parked call. */
enum due { DUE_END, DUE_RETRY };

static bool end_by_ticket(struct waiter *waiter, uint64_t ticket, enum due due, enum wait_end end)
{
        struct woken woken = { 0 };
        pthread_mutex_lock(&waiter->lock);
        struct wait *const wait = table_find(&waiter->waits, ticket);
        struct lane *const lane = wait == NULL ? NULL : lane_of(wait);
        if (lane == NULL) {
                if (wait != NULL)
                        finish(waiter, wait, end);
                pthread_mutex_unlock(&waiter->lock);
                if (wait != NULL)
                        wait->wake(wait);
                return wait != NULL;
        }
        struct socket *socket socket_auto = wait->socket == NULL ? NULL : socket_reference(wait->socket);
        struct lookout *lookout lookout_auto = lookout_reference(wait->lookout);
        pthread_mutex_unlock(&waiter->lock);

        /* Whoever ends a wait holds its lane's lock: when it is still there under that lock, it stays. */
        pthread_mutex_lock(&lane->lock);
        pthread_mutex_lock(&waiter->lock);
        const bool still = table_find(&waiter->waits, ticket) != NULL;
        pthread_mutex_unlock(&waiter->lock);
        if (still && due == DUE_END)
                end_parked(waiter, wait, end, &woken);
        if (still)
                advance(waiter, lane, &woken);
        pthread_mutex_unlock(&lane->lock);
        wake_all(&woken);
        return still;
}

bool waiter_complete(struct waiter *waiter, uint64_t ticket)
{
        return end_by_ticket(waiter, ticket, DUE_END, WAIT_FINISHED);
}

/* The ticket of a call that looks at the socket, or 0. */
static uint64_t ticket_of_look(struct waiter *waiter, const struct socket *socket)
{
        LOCK_SCOPE(&waiter->lock);
        return socket->looks == NULL ? 0 : socket->looks->lookout->wait->ticket;
}

void waiter_cancel(struct waiter *waiter, struct socket *socket)
{
        struct woken woken = { 0 };
        for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
                struct lane *const lane = &socket->lanes[direction];
                LOCK_SCOPE(&lane->lock);
                for (struct wait *wait = lane->first, *next; wait != NULL; wait = next) {
                        next = wait->next;
                        if (wait->waiting)
                                end_parked(waiter, wait, WAIT_CANCELED, &woken);
                }
        }
        wake_all(&woken);
        for (uint64_t ticket; (ticket = ticket_of_look(waiter, socket)) != 0;)
                end_by_ticket(waiter, ticket, DUE_END, WAIT_CANCELED);
        LOCK_SCOPE(&waiter->lock);
        watch_forget(&waiter->watch, socket);
}

size_t waiter_count(struct waiter *waiter)
{
        LOCK_SCOPE(&waiter->lock);
        return waiter->heap.count;
}

void waiter_shut_down(struct waiter *waiter)
{
        pthread_mutex_lock(&waiter->lock);
        waiter->shut_down = true;
        for (struct wait *wait; (wait = heap_first(&waiter->heap)) != NULL;) {
                const uint64_t ticket = wait->ticket;
                pthread_mutex_unlock(&waiter->lock);
                end_by_ticket(waiter, ticket, DUE_END, WAIT_SHUTDOWN);
                pthread_mutex_lock(&waiter->lock);
        }
        pthread_mutex_unlock(&waiter->lock);
}

/* A reference to the socket, if anybody waits on it, and how many look; else it is reported no more. */
static struct socket *awaited_socket(struct waiter *waiter, uint64_t ticket, size_t *lookouts)
{
        LOCK_SCOPE(&waiter->lock);
        struct socket *socket socket_auto = watch_find(&waiter->watch, ticket);
        if (socket != NULL && socket->waiting > 0) {
                *lookouts = lookout_count(socket);
                return TAKE(socket);
        }
        if (socket != NULL)
                watch_disarm(&waiter->watch, socket);
        return NULL;
}

static void advance_lane(struct waiter *waiter, struct lane *lane)
{
        struct woken woken = { 0 };
        pthread_mutex_lock(&lane->lock);
        advance(waiter, lane, &woken);
        pthread_mutex_unlock(&lane->lock);
        wake_all(&woken);
}

static struct lookout *next_lookout(struct waiter *waiter, struct socket *socket)
{
        LOCK_SCOPE(&waiter->lock);
        return lookout_next(socket);
}

/* Has the next of those look that look at the socket, if any is left. */
static void advance_lookout(struct waiter *waiter, struct socket *socket)
{
        struct lookout *lookout lookout_auto = next_lookout(waiter, socket);
        if (lookout != NULL)
                advance_lane(waiter, &lookout->lane);
}

/* Those who look come first: then they see what was reported, and not what a call in a lane left of it. */
static void on_socket(struct waiter *waiter, const struct report *report)
{
        size_t lookouts = 0;
        struct socket *socket socket_auto = awaited_socket(waiter, report->ticket, &lookouts);
        if (socket == NULL)
                return;
        for (size_t i = 0; i < lookouts; i++)
                advance_lookout(waiter, socket);
        for (int direction = 0; direction < DIRECTION_COUNT; direction++)
                if (report->lanes[direction])
                        advance_lane(waiter, &socket->lanes[direction]);
}

static void on_report(struct waiter *waiter, const struct report *report)
{
        if (report->kind == REPORT_CLIENT)
                end_by_ticket(waiter, report->ticket, DUE_END, WAIT_ABANDONED);
        else if (report->kind == REPORT_SOCKET)
                on_socket(waiter, report);
}

/* The next wait that is due, taken out of the heap's first place if it only wants to be tried again. */
static bool next_due(struct waiter *waiter, uint64_t *ticket, enum due *due)
{
        LOCK_SCOPE(&waiter->lock);
        struct wait *const wait = heap_first(&waiter->heap);
        const int64_t now = now_ns();
        if (wait == NULL || wait->due_ns > now)
                return false;
        *ticket = wait->ticket;
        *due = wait->deadline_ns <= now ? DUE_END : DUE_RETRY;
        if (*due == DUE_RETRY) {
                heap_remove(&waiter->heap, wait);
                set_due(wait);
                heap_add(&waiter->heap, wait);
        }
        return true;
}

/* Not all at once: checks that come round faster than they are made must not keep out what is reported. */
static void run_timers(struct waiter *waiter)
{
        uint64_t ticket;
        enum due due;
        for (int i = 0; i < REPORT_BATCH && next_due(waiter, &ticket, &due); i++)
                end_by_ticket(waiter, ticket, due, WAIT_TIMED_OUT);
}

/* False: stop. *timeout_ns is how long the thread may sleep, negative when nothing is due. */
static bool next_timeout(struct waiter *waiter, int64_t *timeout_ns)
{
        LOCK_SCOPE(&waiter->lock);
        const struct wait *const wait = heap_first(&waiter->heap);
        const int64_t left_ns = wait == NULL ? -1 : wait->due_ns - now_ns();
        *timeout_ns = wait != NULL && left_ns < 0 ? 0 : left_ns;
        return !waiter->stopping;
}

static void *run(void *argument)
{
        struct waiter *const waiter = argument;
        struct report reports[REPORT_BATCH];
        int64_t timeout_ns;
        pthread_setname_np(pthread_self(), "waiter");
        while (next_timeout(waiter, &timeout_ns)) {
                const size_t count = watch_sleep(&waiter->watch, timeout_ns, reports);
                for (size_t i = 0; i < count; i++)
                        on_report(waiter, &reports[i]);
                run_timers(waiter);
        }
        return NULL;
}

static void release(struct waiter *waiter)
{
        watch_close(&waiter->watch);
        table_free(&waiter->waits);
        heap_free(&waiter->heap);
        pthread_mutex_destroy(&waiter->lock);
        free(waiter);
}

static bool start_thread(struct waiter *waiter)
{
        errno = thread_start(&waiter->thread, run, waiter);
        return errno == 0;
}

struct waiter *waiter_new(size_t capacity)
{
        struct waiter *const waiter = calloc(1, sizeof *waiter);
        if (waiter == NULL)
                return NULL;
        pthread_mutex_init(&waiter->lock, NULL);
        if (!watch_open(&waiter->watch, capacity) || !table_init(&waiter->waits, (uint32_t)capacity) ||
                !heap_init(&waiter->heap, capacity) || !start_thread(waiter)) {
                release(waiter);
                return NULL;
        }
        return waiter;
}

void waiter_free(struct waiter *waiter)
{
        if (waiter == NULL)
                return;
        pthread_mutex_lock(&waiter->lock);
        waiter->stopping = true;
        pthread_mutex_unlock(&waiter->lock);
        watch_interrupt(&waiter->watch);
        pthread_join(waiter->thread, NULL);
        release(waiter);
}
