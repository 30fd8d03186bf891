/* watch.h: what the waiter's thread sleeps on: owned sockets, clients' connections, and an event of its own.
 */
#pragma once

#include "daemon/sockets/table.h"
#include "daemon/sockets/waiter.h"

/* Guarded by the waiter's lock, but for watch_sleep() and watch_interrupt(). */
struct watch {
        int epoll_fd, event_fd;
        struct table sockets;
};

/* False with errno set; to be closed then too. */
bool watch_open(struct watch *watch, size_t capacity);
void watch_close(struct watch *watch);

/* Has the socket's events reported, each change of them once. Not before the last report has found nobody
 * waiting are they left out again. False: it cannot be watched. */
bool watch_arm(struct watch *watch, struct socket *socket);
void watch_disarm(struct watch *watch, struct socket *socket);

/* A reference to the socket of a report, or NULL when it has been forgotten. */
struct socket *watch_find(const struct watch *watch, uint64_t ticket);

/* Leaves the socket out for good. */
void watch_forget(struct watch *watch, struct socket *socket);

/* Has it reported when the client of a parked call goes. */
void watch_client(struct watch *watch, const struct wait *wait);
void watch_leave_client(struct watch *watch, const struct wait *wait);

/* The same, asked now. */
bool watch_client_is_gone(const struct wait *wait);

enum { REPORT_BATCH = 256 };

enum report_kind { REPORT_SOCKET, REPORT_CLIENT, REPORT_INTERRUPTED };

struct report {
        enum report_kind kind;
        uint64_t ticket; /* of the socket, or of the wait whose client is gone */
        bool lanes[DIRECTION_COUNT];
};

/* Sleeps until something is to be reported, or for that long (negative: forever). Returns how many reports
 * there are, at most REPORT_BATCH. */
size_t watch_sleep(const struct watch *watch, int64_t timeout_ns, struct report *out);

/* Ends the thread's sleep. */
void watch_interrupt(const struct watch *watch);
