/* peer.h: the other ends of a daemon's sockets: the test's own, each with a thread, and what came there of
 * streams and numbers that say where they belong. */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "tests/http/kills.h"

enum { PIECE_MAX = 400 };

/* The stream that all send: a byte says where it stands, and 16 of them leave no doubt. */
void code_fill(uint8_t *bytes, size_t size, uint64_t position);

/* What came out of it. */
struct tape {
        uint8_t *bytes;
        size_t size, capacity;
        uint64_t next; /* the position that the next byte should have */
        uint64_t missing, repeated;
};

/* What comes next stands there: what is skipped is missing, what is gone back is repeated. */
void tape_move(struct tape *tape, uint64_t position);

/* `end` is how much was sent. False: they are none of the stream's. */
bool tape_add(struct tape *tape, const uint8_t *bytes, size_t size, uint64_t end);

/* Whether it is the whole stream, by the hashes of both. */
bool tape_is_whole(const struct tape *tape, uint64_t sent);

/* How often each number has come. */
enum { LEDGER_SIZE = 1 << 16 };
void ledger_note(uint8_t *ledger, uint64_t number);
struct outcome ledger_close(const uint8_t *ledger, uint64_t count);

struct peer {
        char id[64]; /* the daemon's socket */
        int fd;
        int port, own_port;
        pthread_t thread;
        uint64_t dice;
        sem_t go;              /* for each thing that it is to do */
        _Atomic bool enough;   /* it is to come to an end */
        _Atomic uint64_t sent; /* bytes, datagrams or connections */
        struct tape tape;      /* what has come out of the stream, at whichever end */
        size_t jumps;          /* of it */
        uint8_t *ledger;       /* of what is numbered */
};

/* Makes the daemon's socket by the player, connected to the peer's own, and starts the thread. */
void peer_meet(struct player *player, struct peer *peer, int type, void *(*run)(void *peer));

/* The same for a listener of the daemon's. */
void peer_find(struct player *player, struct peer *peer, void *(*run)(void *peer));

/* Waits until it comes to its end, which it does by itself, or is made to after trouble. */
void peer_await(const struct player *player, struct peer *peer);

void peer_free(struct peer *peer);

/* Has it do one more thing, or come to its end. */
void peer_go(struct peer *peer);
void peer_stop(struct peer *peer);

/* What its thread may do. Each time it is told to, it sends a piece of the stream at about the time that
 * somebody comes for it, or the next number as a datagram, or connects and says it. */
void *peer_dribbles(void *context);
void *peer_numbers(void *context);
void *peer_calls(void *context);
/* Sends the stream as fast as it goes. */
void *peer_pours(void *context);
/* Receives the stream, or numbers until the text "end". */
void *peer_records(void *context);
void *peer_counts(void *context);
