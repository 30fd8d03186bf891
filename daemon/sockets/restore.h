/* restore.h: the sockets and sessions that an earlier process has left: which of its descriptors they are,
 * and going on with them. */
#pragma once

#include "daemon/sockets/guard.h"
#include "daemon/sockets/parcel.h"
#include "daemon/sockets/session.h"
#include "daemon/sockets/store.h"

/* For whoever has the table of descriptors of a process that has ended: adds to the list which of them are
 * the sockets of its memory, by number. A connection that an accept(2) gave in the last moment is found too,
 * and gets a number. False without memory. */
bool restore_gather(const struct store_image *image, struct parcel_items *list);

/* What is wrong with an image, whose process may have damaged it: it is then not to be restored from, and to
 * be kept as it is. NULL: nothing; what is damaged then is at most what single records say of themselves. */
const char *restore_flaw(const struct store_image *image);

/* Where what is restored goes. */
struct restore {
        struct registry *registry;
        struct sessions *sessions;
        struct accounts *accounts;
        struct guard *guard;
        void (*note)(const char *text); /* of what the policy denies; NULL: nobody */
        /* How it went. */
        size_t session_count, socket_count;
        size_t ended;   /* sockets of a session that has ended, or whose peer the policy denies */
        size_t missing; /* records without a descriptor */
        size_t unknown; /* descriptors without a record */
        size_t emptied; /* sockets whose kept bytes cannot be read, or had no room */
};

/* Copies what is live in an image without a flaw, and takes over the descriptors; those that are of no use
 * are closed. Before anything else is made. False without memory: what has been restored by then stays. */
bool restore_run(struct restore *restore, const struct store_image *image, struct parcel_items *list);
