/* socket.h: one owned socket: a counted reference to a descriptor, its lanes and its counters. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "daemon/sockets/account.h"
#include "daemon/sockets/address.h"
#include "daemon/sockets/stored.h"

struct look;
struct reactor;
struct session;
struct tenant;
struct transcript;
struct wait;

enum direction { DIRECTION_RECEIVE, DIRECTION_SEND, DIRECTION_COUNT };

/* The calls of one direction, in the order they came. The first one has the turn: only it may make system
 * calls. */
struct lane {
        pthread_mutex_t lock; /* guards all below, and is held while a call is attempted */
        struct wait *first, *last;
        _Atomic unsigned parked; /* how many of them wait; read without the lock */
};

struct socket {
        /* Set before the socket is published, then constant. */
        uint64_t number, parent; /* parent 0: none */
        int fd, family, type, protocol;
        struct stored_socket *stored; /* its slot in the stored memory: its label, its counters */
        struct account *owner;        /* NULL: nobody in particular */
        struct session *session;      /* a reference; NULL: none */
        char *netns;                  /* the socket's own: where it was opened; NULL: where the daemon is */

        struct transcript *transcript; /* the socket's own; NULL: it does not record */

        _Atomic unsigned references;
        _Atomic bool closed; /* its id is gone; calls end with ECANCELED */

        _Atomic unsigned told_kinds;            /* of events that are told once */
        _Atomic uint64_t told[DIRECTION_COUNT]; /* bytes that events have told of */

        struct lane lanes[DIRECTION_COUNT];
        /* Of what its inbox keeps; guarded by the receive lane's lock. */
        _Atomic size_t unread; /* bytes that were not handed out; read without the lock too */
        struct {
                size_t size;     /* of messages, with their headers */
                uint64_t found;  /* the message that was looked for last … */
                size_t found_at; /* … and how many bytes stand before it */
        } kept;
        /* Guarded by the reactors' lock; the bits of the directions that a reactor or a tenant has for itself
         * are also read without. */
        struct reactor *reactor;
        struct tenant *tenant;
        _Atomic unsigned reacting;
        /* Guarded by the waiter's lock: its name in the epoll (0: not there), whether it is asked for events,
         * how many calls wait on it (read without the lock too), and a ring of those that only look. */
        uint64_t watch_ticket;
        bool armed;
        _Atomic unsigned waiting;
        struct look *looks;
        struct socket *newer, *older; /* guarded by the registry's lock, as is bucket_next */
        struct socket *bucket_next;
};

/* Takes over fd, which must be non-blocking and close-on-exec. Returns one reference, or NULL without memory
 * (fd is then still the caller's). */
struct socket *socket_new(int fd, int family, int type, int protocol);

struct socket *socket_reference(struct socket *socket);

/* An integer option of SOL_SOCKET, or what is said instead when there is none. */
int socket_option(int fd, int option, int otherwise);

/* By which the kernel knows the socket that a descriptor is, as long as there is one; 0: it is none. */
uint64_t socket_cookie(int fd);

/* Notes in the stored memory what a later process is to know of the socket. It is live once its number is
 * there too, which is the registry's to write. */
void socket_store(struct socket *socket);

/* A socket without a descriptor, for socket_accept(): its owner, session and so on are to be set before that.
 * NULL without memory. */
struct socket *socket_expect(const struct socket *listener);

/* Accepts a listener's next connection; *peer is whose. A kill in the middle loses nothing: that the socket
 * is coming stands in the stored memory before the call, so that who finds the connection knows what it is.
 * `policy` is who judges the peer, beside the owner. False with errno set. */
bool socket_accept(
        struct socket *socket, const struct socket *listener, const char *policy, struct address *peer);

/* Accepted, but not to be had: its peer sees a reset. The socket can be accepted into again. */
void socket_turn_away(struct socket *socket);

/* Closes what the descriptor stands for, with RST if so asked, once no new call can find the socket. Calls
 * under way then meet a descriptor that is no socket; its number stays theirs until the last reference goes.
 */
void socket_close(struct socket *socket, bool reset);

/* Whether accept(2) says nothing of the listener with that, but of a connection that has failed by the time
 * it is taken: the next one is to be taken instead. */
bool accept_passes_over(int error);

/* Whether it says that the process or the host lacks something just now: the connection waits on. */
bool accept_falls_short(int error);

/* Closes a connection that nobody is to have: its peer sees a reset. */
void connection_reset(int fd);

/* What an epoll would tell of for ever: throws away what stands in the error queue. */
void socket_empty_error_queue(int fd);

/* Whether an error of a socket with boundaries is one message's, after which it goes on. */
bool socket_error_passes(int error);

/* Before a system call that only a non-blocking descriptor keeps from waiting: whoever has it too may have
 * made it blocking. */
void socket_unblock(const struct socket *socket);

/* Lets go. The last one closes the descriptor. */
void socket_release(struct socket *socket);

static inline void cleanup_socket(struct socket **socket)
{
        socket_release(*socket);
}
#define socket_auto __attribute__((cleanup(cleanup_socket), unused))

/* Whether it gives and takes messages, each whole, rather than a stream of bytes. */
static inline bool socket_has_boundaries(const struct socket *socket)
{
        return socket->type != SOCK_STREAM;
}

/* Where a direction stands: how many bytes of a stream, or how many messages, the kernel gave or took. */
uint64_t socket_position(const struct socket *socket, enum direction direction);

/* What the kernel says of a socket now. */
struct socket_status {
        const char *state; /* "created", "bound", "listening", "connecting", "connected", "disconnected" */
        struct address local, peer;         /* .given false: it has none */
        uint64_t receive_queue, send_queue; /* SIOCINQ and SIOCOUTQ; unread bytes count as received */
        unsigned parked;
        int tcp_state; /* TCP_ESTABLISHED …, or 0 when it is not TCP */
        bool at_mark;  /* SIOCATMARK: no unread byte is before the out-of-band mark */
};

void socket_status_read(struct socket *socket, struct socket_status *out);
