/* stored.h: what there is in the stored memory of each socket, session and outcome. Who changes the meaning
 * of anything here, or of tally.h, gives STORED_VERSION its next number. */
#pragma once

#include <sys/socket.h>
#include <time.h>

#include "daemon/sockets/account.h"
#include "daemon/sockets/inbox.h"
#include "daemon/sockets/netns.h"
#include "daemon/sockets/tally.h"

enum { STORED_VERSION = 2, LABEL_SIZE = 128 };
enum { KEY_SIZE = 256, FINGERPRINT_SIZE = 32, MEDIA_SIZE = 48, LOCATION_SIZE = 64, SMALL_REPLY_SIZE = 1024 };

/* The number of a socket that an accept(2) may have given, or may give yet; see socket_expect(). */
#define STORED_COMING UINT64_MAX

struct stored_socket {
        _Atomic uint64_t number;

        /* Written before the number is, then constant. */
        uint64_t cookie; /* SO_COOKIE: which descriptor it is */
        uint64_t parent, session;
        uint64_t made_by; /* the outcome of the call that made it, or 0 */
        int fd;
        struct timespec created;
        char label[LABEL_SIZE], owner[ACCOUNT_NAME_SIZE], netns[NETNS_NAME_SIZE];

        _Atomic bool shared;         /* another process may have the descriptor too */
        _Atomic bool claimed;        /* a call has named its id */
        struct tally received, sent; /* what the kernel gave and took */
        struct inbox inbox;

        /* Of a coming socket: the kernel writes whose connection it took as the last part of accept(2),
         * before anybody can see the descriptor; a size that is too large says that it has not. */
        struct sockaddr_storage peer;
        socklen_t peer_size;
        char policy[POLICY_NAME_SIZE]; /* by which the peer is to be judged, with the owner's name */
        bool unjudged;                 /* it was found after a kill, before that was done */
};

struct stored_session {
        _Atomic uint64_t number;
        uint64_t made_by; /* as of a socket */
        char label[LABEL_SIZE], owner[ACCOUNT_NAME_SIZE];
        int64_t ttl_ms; /* the lease begins anew with each process: nobody can renew it in between */
};

struct stored_outcome {
        _Atomic uint64_t number;

        /* Written before the number is, then constant. */
        char owner[ACCOUNT_NAME_SIZE], key[KEY_SIZE];
        uint8_t fingerprint[FINGERPRINT_SIZE];

        /* How much the call has sent: while it is sending, what its socket has sent from `start` on, which is
         * the kernel's own count; else `taken`. Bytes of a stream, or messages. */
        _Atomic bool sending;
        bool counts_messages;
        uint64_t socket, start, taken;

        /* The reply; all of it is written before `done` is. */
        _Atomic bool done;
        bool whole; /* false: it was too large to be kept */
        int status;
        int64_t ended_ns; /* on now_ns()'s clock */
        char media[MEDIA_SIZE], location[LOCATION_SIZE];
        uint64_t extent; /* of the body, and of the other members behind it; 0: they stand in `small` */
        uint64_t body_size, members_size;
        uint8_t small[SMALL_REPLY_SIZE];
};
