/* toil.h: what clients and strangers do on a daemon that may end at any moment, each on a thread of its own.
 * Nothing here fails the test: what goes wrong is noted. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "tests/http/suite.h"

enum { CALLS_MAX = 3000 };

/* What all threads share. */
extern struct load {
        struct stage *stage;
        _Atomic bool done;              /* they are to come to an end */
        _Atomic int in_flight, retried; /* requests whose reply is awaited, and those that were made again */
        char complaint[512];            /* the first one, once its thread has ended */
} load;

/* One thread's. */
struct toil {
        pthread_t thread;
        char id[48];                       /* of the socket that it works on */
        int fd, port;                      /* or the stranger's end, or the port to call */
        bool records;                      /* numbered messages, rather than counted bytes */
        unsigned long made, lost, doubled; /* of what it makes, in order */
        char complaint[512];
};

/* A stranger's connections, each of which says who it is. */
struct caller {
        int fd;
        uint16_t port;
};
extern struct caller callers[CALLS_MAX];
extern _Atomic unsigned caller_count;

/* For toil_start(), with the toil. Bytes tell their position, messages their number. */
void *toil_call(void *context);   /* a stranger connects, again and again */
void *toil_accept(void *context); /* with keys */
void *toil_make(void *context); /* sockets come and go, with keys, and none has an id that was given before */
void *toil_send(void *context); /* at its position, and again wherever a reply is lost */
void *toil_read(void *context); /* a stranger, at the far end of that */
void *toil_receive(void *context); /* at its position, acknowledging what it has */
void *toil_write(void *context);   /* a stranger, at the far end of that */

void toil_start(struct toil *toil, void *(*run)(void *));
void toil_finish(struct toil *toil);
