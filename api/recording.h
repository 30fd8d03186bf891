/* recording.h: one call on a socket that records, as its transcript keeps it. */
#pragma once

#include "api/call.h"
#include "daemon/sockets/transcript.h"

/* Bytes of a recording; not terminated. */
struct part {
        const uint8_t *bytes;
        size_t size;
        bool given;
};

struct recording {
        struct transcript_entry entry; /* first, so that an entry is its recording */
        const struct operation *operation;
        uint64_t subject; /* of a path with {id}: whose id it is */
        uint64_t self;    /* the socket that it was recorded for */
        struct timespec started;
        int64_t duration_ns;
        int status;
        bool streamed;              /* the payload came, or went, piece by piece … */
        bool piece;                 /* … and this is one of them */
        const char *errno_name;     /* what the kernel refused it with; NULL: it did not */
        struct address local, peer; /* of the internet families: the ends of what went over the wire */
        struct part arguments;      /* a JSON object of what was asked, but for the payload */
        struct part sent;           /* the request's payload */
        struct part reply;          /* the reply's JSON object, but for its payload; not given: it has none */
        struct part received;       /* the reply's payload */
        uint8_t bytes[];            /* of all parts */
};

/* Records a call that has ended, for its socket and for those that it has made, where they record. `reply` is
 * NULL where it went out piece by piece. */
void recording_add(const struct call *call, const struct call_reply *reply);

/* Records a piece of a streamed payload. */
void recording_add_piece(const struct call *call, const uint8_t *bytes, size_t size);

/* The JSON object of a part; a new reference, or NULL. */
json_t *part_json(const struct part *part);
