/* reactor_link.h: one socket that a reactor serves, for reactor*.c alone. */
#pragma once

#include <openssl/evp.h>

#include "daemon/sockets/deed.h"
#include "daemon/sockets/reactor.h"
#include "daemon/sockets/table.h"

/* What comes after a step. */
enum step {
        STEP_MORE,     /* another one may be taken at once */
        STEP_READABLE, /* nothing to read */
        STEP_WRITABLE, /* no room to send */
        STEP_LATER,    /* at link->due_ns */
        STEP_ENDED,    /* link->error says how */
};

struct reactor {
        struct reactors *reactors;
        struct socket *socket; /* a reference */
        struct reactor_plan plan;
        uint8_t *memory; /* what the plan points to */
        size_t held;     /* bytes that the account is charged with */
        struct reactor_counts counts;
        struct link *links;     /* newest first */
        unsigned connections;   /* accepted ones among them */
        bool ended, send_noted; /* send_noted: that the policy keeps it from some sender is told */
        int error;
        bool hashed, mismatched;
        uint8_t hash[32];
        uint64_t mismatch;
        struct reactor *next, **at; /* all reactors */
};

/* A descriptor in the epoll, with the events that it is there for (0: it is not). */
struct epoll_entry {
        int fd;
        uint32_t events;
};

struct link {
        struct reactor *reactor;
        struct socket *socket;      /* a reference */
        struct socket *to;          /* where it sends: the socket itself, or the plan's; borrowed */
        struct epoll_entry in, out; /* out.fd is in.fd, or a copy of a forward's */
        enum step (*step)(struct link *link);
        uint64_t ticket, number;      /* number: 0, or which of the accepted connections it is */
        size_t reserved, held;        /* in the registry, and of the account's memory */
        bool datagrams, answers, eof; /* answers: sends to `peer` */
        int error;
        int64_t started_ns, due_ns;
        struct link *later, **later_at; /* those that wait for a time; later_at NULL: it does not */
        uint64_t received, sent;
        EVP_MD_CTX *hash;        /* or NULL */
        struct matcher *matcher; /* or NULL */
        int pipe[2];             /* of a forward between streams, or -1 */
        size_t piped;            /* bytes in it */
        uint8_t *buffer;         /* REACTOR_BLOCK bytes, or NULL: the thread's own will do */
        size_t start, end;       /* what was read there and is yet to be looked at */
        const uint8_t *output;   /* what is being sent, when `sending` */
        size_t output_size;
        bool sending;
        struct address peer;     /* the datagram's sender */
        struct socket *accepted; /* of a listener: a connection that no link could be made for yet, or NULL */
        struct link *next, **at; /* of the reactor */
};

enum { SCRATCH_SIZE = 4 * REACTOR_BLOCK };

struct reactors {
        pthread_t thread;
        int epoll, wake; /* wake: an eventfd, to look again */
        struct registry *registry;
        struct guard *guard;
        void (*note)(const char *text);

        _Atomic unsigned callers; /* that want the lock: they come before the thread */
        pthread_mutex_t lock;     /* guards all below, and all reactors and links */
        pthread_cond_t calm;      /* no caller is left */
        struct table links;
        uint32_t room; /* in the table */
        struct reactor *first;
        struct link *later;
        bool stopping;
        uint8_t scratch[SCRATCH_SIZE];
};

/* Chooses the link's steps, by its reactor's kind. */
void link_begin(struct link *link);

/* Reads and throws away, until the peer has closed. */
enum step link_drain(struct link *link);

/* Some steps, and then others have their turn. It may end the link, and no other. */
void link_turn(struct link *link);

/* Whether it has something at hand that needs no reading. */
bool link_has_work(const struct link *link);

/* Takes connections and adds a link for each; the step of a listener. */
enum step link_accept(struct link *link);

/* A link for a socket, with a reference of its own. When it comes to be, the `reserved` places in the
 * registry are its. */
struct result link_new(struct reactor *reactor, struct socket *socket, size_t reserved, struct link **out);

/* How many descriptors each of its links has beside the socket's. */
size_t link_places(const struct reactor *reactor);

/* Ends all links of a reactor: it keeps its counts. A reactor that has ended before keeps its error too. */
void reactor_end(struct reactor *reactor, int error);

/* The digest so far; the link's goes on. */
void link_read_hash(const struct link *link, uint8_t out[static 32]);

/* Whether it is the socket itself, or the last connection that was accepted. */
bool link_is_newest(const struct link *link);

bool socket_is_listening(const struct socket *socket);

/* Whether the policy lets the reactor's owner do that. */
bool link_may(struct link *link, enum deed_kind kind, const struct target *target);
