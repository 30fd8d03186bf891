/* holder.h: the process that has the daemon's descriptors too, and hands the owned sockets to the service
 * manager when the daemon ends, however that comes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/listener.h"

/* What is in a service manager's store is told by its name: a memory with its sockets, each such set under a
 * name of its own; or, where the keeper is the service manager, what the daemon serves on. */
#define HOLDER_SET_PREFIX "kept-"
#define HOLDER_LISTENERS "listeners"
enum { HOLDER_NAME_SIZE = 32 };

/* Starts it, when there is a service manager that may keep descriptors; without one, nothing outlives the
 * daemon. Before threads, secrets and the system-call filter. A daemon that can have none goes on without,
 * after logging that. */
void holder_start(void);

/* Whether what is owned is to be left as it is at the end. */
bool holder_keeps_sockets(void);

/* Whether somebody has killed it: SIGCHLD says when to ask. From then on, nothing outlives a kill of the
 * daemon. The main thread's. */
bool holder_has_ended(void);

/* Hands over in the place of a holder that has ended; else does nothing. The last that the daemon does, when
 * no call is under way any more. */
void holder_stand_in(void);

/* The listeners are to be handed over too, and neither closed nor their paths taken away: the next daemon
 * serves on them, and no client is refused meanwhile. Only the keeper wants that. */
bool holder_keeps_listeners(void);
void holder_note_listeners(const struct listener *listeners, size_t count);

/* From now on it is this daemon's memory and sockets that are handed over, in place of the set of that name
 * ("": there was none), which the service manager is to forget. Until then the holder does nothing, and that
 * set is still all there. */
void holder_take_charge(const char *superseded);
