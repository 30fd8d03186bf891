/* suite.h: a test program: one daemon, and the scenarios that are played on it, one after the other. */
#pragma once

#include "tests/http/check.h"
#include "tests/http/client.h"

/* What a scenario works with. Replies kept here live until it ends. */
struct stage {
        struct daemon *daemon;
        struct client *client; /* one of the two below: scenarios take turns in how they reach the daemon */
        struct client *over_unix, *over_tcp;
        struct reply *replies;
};

struct scenario {
        const char *name;
        void (*run)(struct stage *stage);
};

/* Adds one. `name` and `row` must live on. */
void suite_add(const char *name, void (*run)(struct stage *stage, const void *row), const void *row);
void suite_add_scenario(const struct scenario *scenario);

/* Adds a scenario for each row of an array whose members have a name. */
#define SUITE_ADD_ROWS(play, rows)                                                                           \
        do {                                                                                                 \
                for (size_t suite_row = 0; suite_row < COUNT(rows); suite_row++)                             \
                        suite_add((rows)[suite_row].name, (play), &(rows)[suite_row]);                       \
        } while (0)

#define SUITE_ADD_SCENARIOS(rows)                                                                            \
        do {                                                                                                 \
                for (size_t suite_row = 0; suite_row < COUNT(rows); suite_row++)                             \
                        suite_add_scenario(&(rows)[suite_row]);                                              \
        } while (0)

/* Plays them all on one daemon, started with `arguments` (NULL: no more than usual). After each all sockets
 * are closed. Returns how many failed, for main to return. */
int suite_run(const char *title, const char *const *arguments);

/* A stage with a daemon of its own, for scenarios that end one. */
void stage_open(struct stage *out, const char *const *arguments);

/* Hands its replies over to another stage. Its daemon is the caller's to end. */
void stage_close(struct stage *stage, struct stage *heir);

/* Hands a reply over to the stage. Returns it. */
struct reply *stage_keep(struct stage *stage, struct reply *reply);
