/* takeover.h: going on with what an earlier daemon has left in the service manager's store. */
#pragma once

#include "api/call.h"
#include "daemon/holder.h"

enum { ESTATE_MAX = 256 };

/* What was passed beside listeners: descriptors that an earlier daemon's holder had handed over, by name. */
struct estate {
        struct estate_item {
                int fd;
                char name[HOLDER_NAME_SIZE];
        } items[ESTATE_MAX];
        size_t count;
};

/* Adds one, whose descriptor is the estate's then. False: there is no room for it, or for its name. */
bool estate_add(struct estate *estate, int fd, const char *name);

struct takeover;

/* Looks through what was kept for the newest set to go on with, and closes the rest, which stays in the
 * store: an older set, or one that this daemon cannot read, is logged as an error, and nothing of it is lost.
 * Before the registry is made, whose ids go on from the set's. False after logging why the set cannot be had,
 * though it could be read. */
bool takeover_begin(struct estate *estate, struct takeover **out);

/* Makes its sockets and sessions the service's, and has the store forget the set. Frees the takeover. NULL:
 * there was nothing; the holder then takes charge all the same. False after logging why not: the set is still
 * in the store. */
bool takeover_finish(struct takeover *takeover, struct service *service, struct accounts *accounts);
