/* transcript.h: what was called on a socket that records: a ring of entries, whose content is the callers'
 * business. Safe from any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/sockets/account.h"
#include "daemon/sockets/address.h"

/* In bytes: less than the least is rounded up. */
enum { RECORD_LEAST = 4096, RECORD_DEFAULT = 262144, RECORD_MOST = 16 << 20 };

/* The first member of whatever is kept; from malloc(). */
struct transcript_entry {
        struct transcript_entry *next;
        uint64_t sequence; /* from 1 on, in the order that they came in; those that are gone count */
        size_t size;       /* of all of it */
};

struct transcript;

/* `limit` bounds the entries' size; they are charged to the owner (NULL: nobody), whatever its limits say.
 * NULL without memory. */
struct transcript *transcript_new(size_t limit, struct account *owner);
void transcript_free(struct transcript *transcript);

size_t transcript_limit(const struct transcript *transcript);

/* Takes an entry over, and drops the oldest where there is no room. One that is too large for all of it is
 * dropped. */
void transcript_add(struct transcript *transcript, struct transcript_entry *entry);

/* Counts an entry that could not be made. */
void transcript_miss(struct transcript *transcript);

/* Where the socket is, and its peer, as the kernel said last: what is given is noted, and what is not is
 * filled in. */
void transcript_note_ends(struct transcript *transcript, struct address *local, struct address *peer);

/* Hands out each entry that is there, the oldest first. Returns how many are gone. Calls on the socket wait
 * meanwhile. */
uint64_t transcript_read(struct transcript *transcript,
        void (*take)(void *context, const struct transcript_entry *entry), void *context);
