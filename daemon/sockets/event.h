/* event.h: what happens to sockets, as events in a bounded ring, which those who watch read at their own
 * pace. Safe from any thread. */
#pragma once

#include "daemon/sockets/name.h"
#include "daemon/sockets/socket.h"

/* A bit each. */
enum event_place {
#define EVENT(kind, name, frequent) EVENT_PLACE_##kind,
#include "daemon/sockets/event.def"
#undef EVENT
        EVENT_KIND_COUNT,
};
enum event_kind {
#define EVENT(kind, name, frequent) EVENT_##kind = 1 << EVENT_PLACE_##kind,
#include "daemon/sockets/event.def"
#undef EVENT
        EVENT_ALL_KINDS = (1 << EVENT_KIND_COUNT) - 1,
};
extern const struct names event_names;

/* The ring's last events are kept, so many of them. */
enum { EVENTS_KEPT = 8192 };

struct event {
        uint64_t sequence; /* goes on from process to process: it begins at the time of the start */
        enum event_kind kind;
        int error; /* an errno, or 0 */
        uint64_t socket, session, parent;
        const struct account *owner;
        uint64_t bytes;
        const char *call; /* "recv"; static; or NULL */
        struct timespec time;
        char label[LABEL_SIZE];
        struct sockaddr_storage peer;
        socklen_t peer_size; /* 0: none */
};

/* What an event says beside its socket. */
struct event_facts {
        enum event_kind kind;
        int error;
        uint64_t bytes;
        const char *call;
        const struct address *peer;
};

/* Adds one. Costs a copy under a lock that is never held for longer, and where somebody sleeps until there is
 * one, a write(2). A socket that nobody knows yet has no events. */
void event_publish(const struct socket *socket, const struct event_facts *facts);

/* The same, the first time only that it happens to the socket. */
void event_publish_once(struct socket *socket, const struct event_facts *facts);

/* Which of the frequent kinds somebody wants; others are not added. Returns those from before. */
unsigned event_want(unsigned kinds);
bool event_is_wanted(enum event_kind kind);

/* The sequence number of the last one; more than 0 even where there is none yet. */
uint64_t event_last(void);

/* That cannot be known: other processes' numbers. */
#define EVENTS_LOST_UNKNOWN UINT64_MAX

/* Copies up to `count` events behind *after (0: the oldest), and moves that on. *lost is how many between
 * were no longer there. */
size_t event_read(uint64_t *after, struct event *out, size_t count, uint64_t *lost);

/* Which events somebody is to see. */
struct event_filter {
        unsigned kinds;
        uint64_t socket, session;    /* 0: any; a socket's are those too of what is accepted from it */
        const struct account *owner; /* whose … */
        bool of_all;                 /* … unless all are to be seen */
        bool has_label;
        char label[LABEL_SIZE];
};
bool event_matches(const struct event_filter *filter, const struct event *event);

/* An eventfd of somebody who sleeps until there is an event. */
struct event_bell {
        int fd;
        bool armed; /* guarded by the ring's lock, as is the link */
        struct event_bell *next;
};

/* False with errno set. An open one must stay where it is. */
bool event_bell_open(struct event_bell *bell);
void event_bell_close(struct event_bell *bell);

/* Has it ring once, when there is an event behind `after`. False: there is one already. */
bool event_bell_arm(struct event_bell *bell, uint64_t after);

/* Makes it ring, and makes it silent again. */
void event_bell_ring(const struct event_bell *bell);
void event_bell_hush(const struct event_bell *bell);
