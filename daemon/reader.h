/* reader.h: one client who follows events: which it is to get, what is on its way, and how that is written.
 * One thread's at a time. */
#pragma once

#include <gnutls/gnutls.h>

#include "daemon/frames.h"

struct reader {
        /* Set by its owner before it is added to the feed. */
        int fd; /* non-blocking */
        bool is_local;
        gnutls_session_t session; /* NULL: the connection is not encrypted */
        struct event_filter filter;
        uint64_t position; /* the last event that it has, or was not to have */
        /* Called once, on the feed's thread, when no more is to be written; it is its owner's again. */
        void (*end)(struct reader *reader);

        /* Its own. */
        struct reader *next;
        bool blocked; /* it takes no more until its connection says so */
        bool gone;
        bool sealed; /* a record waits in the TLS session to be sent on */
        int64_t spoken_ns;
        char *rest; /* what is to go first: a frame that has begun, or what is no event */
        size_t rest_size, rest_sent, rest_capacity;
};

/* Frees what it holds; the struct is the owner's. */
void reader_clear(struct reader *reader);

/* What it is to read before all else. Without memory it is gone. */
void reader_say(struct reader *reader, const char *text, size_t size);

/* Says how many events are lost. */
void reader_say_gap(struct reader *reader, uint64_t lost);

/* Writes what was said so far at once, before it is added to the feed, which may take a while. */
void reader_begin(struct reader *reader, int64_t now);

/* Writes what it has not got yet, as far as its connection takes it; if there was nothing for so long, a sign
 * of life. */
void reader_turn(struct reader *reader, const struct frames *frames, int64_t now, int64_t heartbeat_ns);
