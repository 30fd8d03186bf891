/* keyed.h: requests with an Idempotency-Key, one after the other and side by side. */
#pragma once

#include <pthread.h>

#include "tests/http/steps.h"

/* One that no other scenario has; it is as it was until the next call. */
const char *new_key(void);

/* A request with a key. The JSON is written as in steps.h; "" is no body. */
struct reply *keyed(struct stage *stage, struct client *client, const char *key, const char *method,
        const char *path, const char *json);

bool is_replayed(const struct reply *reply);

/* The second reply is the first once more, and says so. */
void expect_replay(const struct reply *first, const struct reply *again);

/* A POST with a key that is made meanwhile, on a connection of its own. */
struct going {
        pthread_t thread;
        struct client *client;
        struct request request;
        struct reply *reply;
        char path[256], header[384], *body;
};

/* It comes again when it meets a limit. */
void going_begin(struct stage *stage, enum transport transport, const char *key, const char *path,
        const char *json, struct going *out);
struct reply *going_end(struct stage *stage, struct going *going);
