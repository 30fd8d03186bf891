/* kills.h: players who do one thing over and over, each through a relay of its own that kills its
 * connections, and what comes of it. */
#pragma once

#include "tests/http/relay.h"
#include "tests/http/suite.h"

/* What became of what was to go from one side to the other: bytes, datagrams, connections or sockets. */
struct outcome {
        size_t lost, doubled;
        size_t unheard; /* without keys: in replies that nobody got, as can be seen later */
};

/* One thread. Nothing that fails a test may be called there. */
struct player {
        const struct trial *trial;
        struct relay *relay;
        struct client *client; /* through the relay */
        struct client *calm;   /* past it */
        uint64_t dice;
        unsigned number;
        size_t quota; /* of kills */
        size_t keys;  /* that it has used */
        struct outcome outcome;
        char trouble[1024]; /* the first; "": none so far */
        pthread_t thread;
};

struct trial {
        const char *name;
        void (*play)(struct player *player);
        unsigned share; /* of all kills, in percent */
};

/* Plays one for suite_add(): until each player has seen its part of the kills. Fails the test when there was
 * trouble, or something was lost or doubled. */
void kills_play(struct stage *stage, const void *row);

/* Prints the table of all that were played. */
void kills_report(void);

/* Whether the player is to go on: there are kills to come, and no trouble. */
bool player_goes_on(const struct player *player);

/* Notes trouble. */
void player_fail(struct player *player, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Asks once, through the relay. End with reply_free(). */
struct reply *player_try(struct player *player, const struct request *request);

/* Asks the same again until there is a reply, as a client does that wants exactly one effect; another status
 * than that is trouble. End with reply_free(). */
struct reply *player_insist(struct player *player, int status, const struct request *request);

/* Asks past the relay; another status is trouble. */
struct reply *player_do(struct player *player, int status, const struct request *request);

/* A member of a reply's body; -1 or "" where there is none. */
int64_t reply_number(const struct reply *reply, const char *name);
const char *reply_text(const struct reply *reply, const char *name);

/* Text made as printf does, with " for each '. Lives until the thread has called it eight more times. */
const char *line_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
