/* relay.h: stands between a client and the daemon, and kills their connection at a byte that dice choose. */
#pragma once

#include <stddef.h>

#include "tests/http/daemon.h"

/* How far the request and its reply had come. */
enum kill_place {
        KILL_BEFORE,        /* nothing of the request was passed on */
        KILL_IN_REQUEST,    /* a part of it, and never the last byte */
        KILL_AFTER_REQUEST, /* all of it, and nothing of the reply: at once, or a little later */
        KILL_IN_REPLY,      /* the daemon has sent the reply, and not all of it was passed on */
        KILL_AFTER_REPLY,
        KILL_PLACE_COUNT,
};
extern const char *const kill_place_names[KILL_PLACE_COUNT];

struct relay;

/* Starts its thread. The same seed makes the same choices, request by request. End with relay_stop(). */
struct relay *relay_start(const struct daemon *daemon, uint64_t seed);
void relay_stop(struct relay *relay);

/* The daemon as it is reached through the relay: for one client at a time, over TCP. */
const struct daemon *relay_daemon(const struct relay *relay);

/* How many whole requests have come, and how many kills fell there, or in all. A kill is counted before
 * anybody can notice it. From any thread. */
size_t relay_requests(const struct relay *relay);
size_t relay_kills_at(const struct relay *relay, enum kill_place place);
size_t relay_kills(const struct relay *relay);

/* Below `sides`, from a state that moves on with each. */
uint64_t dice_roll(uint64_t *dice, uint64_t sides);
