/* reactor.h: sockets that the daemon serves by itself: echo, sink, source, verify, reply, forward. One thread
 * with an epoll of its own does all of them, some work at a time each. */
#pragma once

#include "daemon/sockets/matcher.h"
#include "daemon/sockets/pattern.h"
#include "daemon/sockets/socket.h"

struct guard;
struct reactors;
struct registry;

enum reactor_kind {
        REACTOR_ECHO,    /* sends back what comes */
        REACTOR_SINK,    /* takes what comes */
        REACTOR_SOURCE,  /* sends a pattern */
        REACTOR_VERIFY,  /* takes what comes, and holds it against a pattern */
        REACTOR_REPLY,   /* answers what it knows */
        REACTOR_FORWARD, /* sends what comes to another socket */
        REACTOR_KIND_COUNT,
};

extern const char *const reactor_kind_names[REACTOR_KIND_COUNT];

/* The most that is read or sent in one step, and so the largest datagram. */
enum { REACTOR_BLOCK = 65536, REACTOR_CONNECTIONS_MAX = 1024, REACTOR_RATE_MAX = 1000000000 };
enum { REACTOR_POLICY_SIZE = 32 };

/* What to do. A listener's reactor does it to each connection that it accepts. */
struct reactor_plan {
        enum reactor_kind kind;
        struct pattern pattern;     /* of a source or verify */
        uint64_t total;             /* ends after so many bytes; 0: goes on */
        uint64_t rate;              /* bytes per second of a source; 0: as fast as it goes */
        size_t size;                /* of each of a source's writes, at most REACTOR_BLOCK */
        bool hash;                  /* a sink works out the SHA-256 */
        struct reply_rules replies; /* of a reply */
        struct socket *to;          /* of a forward */
        unsigned connections;       /* the most that a listener has at a time */
        struct account *account;    /* who is charged with connections and memory, and whose deeds these */
        char policy[REACTOR_POLICY_SIZE]; /* are, for the policy */
};

struct reactor_counts {
        uint64_t received_bytes, sent_bytes;
        uint64_t reads, writes; /* system calls that took or gave bytes: of datagram sockets, datagrams */
        uint64_t accepted;      /* connections, since it began */
        uint64_t denied;        /* peers that the policy turned away, and senders that it gave no answer */
        uint64_t dropped;       /* datagrams that could not be sent */
        uint64_t matches;       /* answers of a reply */
};

struct reactor_report {
        enum reactor_kind kind;
        bool running;
        int error; /* errno of what ended it, or a listener's last connection that failed; 0: none did */
        struct reactor_counts counts;
        unsigned connections; /* that are open now */
        uint64_t total;
        bool hashed, mismatched;
        uint8_t hash[32];  /* of a sink so far; of a listener's, its last connection's */
        uint64_t mismatch; /* the first offset that a verify did not expect */
};

/* Starts the thread. Accepted connections take room in the registry, and are judged by the guard; `note` (may
 * be NULL) is told what that denies. Those must outlive it. NULL with errno set when it cannot be started. */
struct reactors *reactors_new(
        size_t capacity, struct registry *registry, struct guard *guard, void (*note)(const char *text));

/* Ends the thread and all reactors. Accepts NULL. */
void reactors_free(struct reactors *reactors);

/* Copies what the plan points to. EBUSY while the socket has a reactor that runs or a tenant, or calls wait
 * on it; ECANCELED when it is closed. RESULT_QUOTA. Safe from any thread, as are those below. */
struct result reactors_start(
        struct reactors *reactors, struct socket *socket, const struct reactor_plan *plan);

/* False: it has none. */
bool reactors_read(struct reactors *reactors, struct socket *socket, struct reactor_report *out);

/* Ends it, and the connections that were accepted; nothing of the socket is used any more. *out is what it
 * has done. False: there is none. */
bool reactors_stop(struct reactors *reactors, struct socket *socket, struct reactor_report *out);

/* Somebody beside the reactors who has a socket for itself. */
struct tenant {
        /* The socket is about to be closed; its descriptor must not be put into an epoll again. Called at
         * most once, under the reactors' lock, on any thread. */
        void (*evict)(struct tenant *tenant);
};

/* Lets a tenant have both directions of a socket; the caller has a reference to that as long. EBUSY, as above
 * or where the socket retains, and ECANCELED. */
struct result reactors_lend(struct reactors *reactors, struct socket *socket, struct tenant *tenant);
void reactors_take_back(struct reactors *reactors, struct socket *socket);

/* For a socket that is to be closed (socket->closed is set), before it is: ends its reactor and those that
 * forward to it, and evicts its tenant. */
void reactors_forget(struct reactors *reactors, struct socket *socket);
