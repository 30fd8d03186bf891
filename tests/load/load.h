/* load.h: clients at work on a daemon, who know what must come of all that they do. */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "tests/http/client.h"

enum { LOAD_ID_SIZE = 48, LOAD_FLOWS_MAX = 32, LOAD_IDS = 6, COMPLAINT_SIZE = 512 };

/* One of the two threads of a flow. */
struct worker {
        struct flow *flow;
        pthread_t thread;
        struct client *client;
        char *body;           /* of the next request; "" and NULL: none */
        bool failed;          /* it has complained, and does no more */
        _Atomic bool resting; /* while the load is held */
};

/* What one kind of work does: its giver sends what its taker is to receive, as counted bytes, datagrams or
 * connections. Each function is one round, and is called until the load stops; the taker's until it has all.
 */
struct job {
        const char *name;
        bool (*open)(struct flow *flow); /* makes what it works on, by the giver's client */
        void (*give)(struct worker *giver);
        void (*take)(struct worker *taker); /* NULL: nothing is given */
        /* Before the sockets of flow->ids are closed; NULL: nothing. */
        void (*close)(struct flow *flow);
        bool careful; /* it names positions and keys, so that its requests may be made again and again */
};

struct flow {
        const struct job *job;
        struct load *load;
        struct worker giver, taker;
        char ids[LOAD_IDS][LOAD_ID_SIZE]; /* of its sockets; "": none */
        int port;
        int fd; /* of a socket of the test's own; -1: none */
        unsigned rounds;
        sem_t ready, done; /* where giver and taker take turns */
        _Atomic bool given_all;
        _Atomic uint64_t given, taken;
        uint64_t position; /* in the stream that the taker reads */
        uint64_t doubled;
        uint64_t *seen; /* numbers that have come, each in the place that it leads to */
};

/* What clients may meet while the load runs, beside success. NULL: nothing. */
struct allowance {
        const char *errno_names[4]; /* 422 with one of these: done again, until it succeeds */
        bool quota;                 /* 429, done again */
        bool interrupted;           /* 409 of a call whose effect cannot be known; not done again */
        bool drops; /* connections of HTTP that end without a reply: careful clients ask again */
};

struct load {
        const struct daemon *daemon;
        struct allowance allowance;
        unsigned pause_us; /* before each request */
        struct flow flows[LOAD_FLOWS_MAX];
        size_t flow_count;
        bool started; /* all flows */
        _Atomic bool stopping, held;
        _Atomic bool faulty; /* a fault is on: requests are counted as in flight of it */
        _Atomic unsigned requests, in_flight, refused, dropped;
        pthread_mutex_t lock;           /* guards the complaint */
        char complaint[COMPLAINT_SIZE]; /* the first */
};

/* Starts `count` flows. False after a complaint. */
bool load_start(struct load *load, const struct daemon *daemon, const struct job *const *jobs, size_t count);

/* Has all workers rest once what they are at is done, and waits for that; and has them go on. */
void load_hold(struct load *load);
void load_let_go(struct load *load);

/* No more is given; waits until all has come that is to come, and closes what was made. */
void load_stop(struct load *load);

/* What was given and did not come; what came twice. After load_stop(). */
uint64_t load_lost(const struct load *load);
uint64_t load_doubled(const struct load *load);

/* For jobs. */

/* The next request's body, with ' for ". */
void say(struct worker *worker, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes a request until it is answered by a success, by a wait that ran out, or by a failure that has sent
 * or received some of the bytes. NULL after a complaint. To be freed. */
struct reply *ask(struct worker *worker, const char *method, const char *path, ...)
        __attribute__((format(printf, 3, 4)));

/* The same, of which only the success matters. */
bool tell(struct worker *worker, const char *method, const char *path, ...)
        __attribute__((format(printf, 3, 4)));

/* As ask(), with a raw body and a raw reply. */
struct reply *ask_raw(struct worker *worker, const char *method, const void *bytes, size_t size,
        const char *path, ...) __attribute__((format(printf, 5, 6)));

bool succeeded(const struct reply *reply);

/* Notes what is wrong, and ends the worker. */
void complain(struct worker *worker, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether a problem is one that may come. */
bool is_allowed_failure(struct worker *worker, const json_t *problem);

/* What the reply says there, or NULL: "local.port", "sockets.0.id". */
const json_t *member_of(const struct reply *reply, const char *path);

/* A string of the reply, copied; "" where there is none. */
void copy_id(const struct reply *reply, const char *path, char out[static LOAD_ID_SIZE]);
int64_t number_of(const struct reply *reply, const char *path);

/* Makes a socket from what was said; false after a complaint. */
bool make_socket(struct worker *worker, char id[static LOAD_ID_SIZE], int *port);

/* A TCP connection, both of whose ends are the daemon's. */
bool link_up(struct worker *worker, char near[static LOAD_ID_SIZE], char far[static LOAD_ID_SIZE]);

/* Bytes that say where in their stream they stand; and what came of them, from flow->position on. */
void fill_counted(uint8_t *bytes, size_t size, uint64_t position);
void take_counted(struct flow *flow, const uint8_t *bytes, size_t size);

/* Receives a piece of a stream of counted bytes. */
void take_stream_from(struct worker *taker, const char *id);

/* Counts a number that has come: as taken when it is new, else as doubled. */
void take_number(struct flow *flow, uint64_t number);

/* Connects a socket of the test's own to the flow's port; -1 after a complaint. */
int connect_own(struct worker *worker);

/* All there are; those whose requests may be made again, after a dropped connection, are careful. */
extern const struct job job_stream, job_forward, job_bulk, job_datagrams, job_messages, job_watched,
        job_accepts, job_echo, job_relay, job_life, job_batch, job_sessions, job_park;
extern const struct job job_careful_stream, job_careful_datagrams, job_careful_messages, job_careful_accepts,
        job_careful_echo, job_careful_relay, job_careful_life, job_careful_batch, job_careful_sessions,
        job_hungry;
extern const struct job job_vanishing, job_unsound, job_lookups;
