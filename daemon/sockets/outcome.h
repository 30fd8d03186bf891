/* outcome.h: what came of calls that were made with a key, kept in the stored memory for those that come
 * again with the same key. Safe from any thread. */
#pragma once

#include "daemon/sockets/socket.h"
#include "daemon/sockets/store.h"
#include "daemon/sockets/waiter.h"

/* The most that is kept of each account; beyond that, its oldest goes. Of all accounts together it is what
 * the stored memory's pool has slots for. */
struct outcome_bounds {
        size_t count, bytes; /* bytes: of the replies' bodies, as they take room */
        int64_t age_ns;
};

/* Calls under way and their outcomes, by account and key. */
struct outcomes;

/* One of them. It is the running call's own until outcome_keep(), outcome_leave() or outcome_drop(). */
struct outcome;

/* The waiter is to outlive it. NULL without memory. */
struct outcomes *outcomes_new(const struct outcome_bounds *each, struct waiter *waiter);

/* When no call is under way. What is stored stays. Accepts NULL. */
void outcomes_free(struct outcomes *outcomes);

/* Copies what an earlier process has kept, after store_continue() and before any call. Calls that it was in
 * the middle of are interrupted. What is unsound in it is left out. False without memory. */
bool outcomes_restore(struct outcomes *outcomes, const struct store_image *image);

/* For that: one of a filled slot, which is taken over. False without memory. */
bool outcomes_adopt(struct outcomes *outcomes, struct stored_outcome *slot, uint64_t number);
bool outcomes_have(struct outcomes *outcomes, const char *owner, const char *key);

/* How many have ended and are kept. */
size_t outcomes_count(struct outcomes *outcomes);

struct outcome_key {
        const char *owner, *text;   /* an account's name; the key, of less than KEY_SIZE */
        const uint8_t *fingerprint; /* of the request, of FINGERPRINT_SIZE */
};

struct outcome_reply {
        int status;
        char media[MEDIA_SIZE], location[LOCATION_SIZE]; /* "": none */
        uint8_t *body;                                   /* NULL: none */
        size_t size;
        char *members; /* what goes beside a raw body, terminated; NULL: nothing */
};

/* One that waits for another call's outcome. Zeroed by its owner; it stays where it is until outcomes_part().
 */
struct joiner {
        struct outcome *outcome; /* NULL: none, or it has ended */
        uint64_t ticket;
        struct joiner *next;
};

enum claim {
        CLAIM_NEW,         /* *out is the caller's, to run the call */
        CLAIM_INTERRUPTED, /* the same, but an earlier call may have done it, in part or whole */
        CLAIM_DONE,        /* *reply is what came of it; its body and members are the caller's to free */
        CLAIM_LOST,        /* it was done, and its reply was too large to be kept */
        CLAIM_RUNNING,     /* another call is under way: the joiner is told when that has ended */
        CLAIM_OTHER,       /* the key is another request's */
        CLAIM_FULL,        /* as many are under way as may be */
        CLAIM_NO_MEMORY,
};

enum claim outcomes_claim(struct outcomes *outcomes, const struct outcome_key *key, struct outcome **out,
        struct outcome_reply *reply, struct joiner *joiner);

/* Has that detached wait completed when the outcome that was joined has ended; at once when it has. */
void outcomes_await(struct outcomes *outcomes, struct joiner *joiner, uint64_t ticket);

/* A joiner that waits no more, or that was none. */
void outcomes_part(struct outcomes *outcomes, struct joiner *joiner);

/* The call is done: keeps its reply, of which nothing is taken over, and wakes those who have joined. */
void outcome_keep(struct outcomes *outcomes, struct outcome *outcome, const struct outcome_reply *reply);

/* The call was broken off, and may have done something: who comes again is told CLAIM_INTERRUPTED. */
void outcome_leave(struct outcomes *outcomes, struct outcome *outcome);

/* The call has done nothing, and nothing is kept. */
void outcome_drop(struct outcomes *outcomes, struct outcome *outcome);

/* By which the running call marks what it makes (`made_by`). */
uint64_t outcome_number(const struct outcome *outcome);

/* For a call that sends, under the lane's turn, before each attempt: the position that its first byte, or
 * message, has. What it sends from there on is to be counted by the kernel: see tally.h. */
uint64_t outcome_start(struct outcome *outcome, const struct socket *socket);

/* After each attempt. Returns whether anything has been sent. */
bool outcome_note_sent(struct outcome *outcome, const struct socket *socket);
