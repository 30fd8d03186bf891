/* registry.h: the owned sockets by id. An id is never used twice, across restarts either. Safe from any
 * thread. */
#pragma once

#include <stddef.h>

#include "daemon/sockets/socket.h"

enum { SOCKET_ID_SIZE = 32 };

struct registry;
struct reactors;
struct waiter;

/* NULL without memory. `limit` bounds the published sockets. */
struct registry *registry_new(size_t limit);

/* Ends every socket that is left; no call may be under way. Accepts NULL. */
void registry_free(struct registry *registry);

/* Reserves room for `count` sockets of an account (NULL: nobody's) before they are made. RESULT_QUOTA when
 * that passes a limit. */
struct result registry_reserve(struct registry *registry, struct account *owner, size_t count);

/* Gives back a reservation that made no socket. */
void registry_unreserve(struct registry *registry, struct account *owner, size_t count);

/* Publishes a socket under its owner's reservation: it gets its number, and the registry a reference of its
 * own. False, and nothing is done: its session has ended. One that an earlier process has left has its number
 * already, and needs no reservation: it is charged whatever the limits say. Those come in order. */
bool registry_publish(struct registry *registry, struct socket *socket);

/* A counted reference, or NULL when there is no such socket. */
struct socket *registry_find(struct registry *registry, const char *id);
struct socket *registry_find_number(struct registry *registry, uint64_t number);

/* Takes the id away. False when another caller already has. The registry's reference goes to the caller. */
bool registry_unpublish(struct registry *registry, struct socket *socket);

/* Unpublishes a socket, ends its parked calls and its reactor, and closes it, with RST if so asked. Not under
 * a lane's lock. False when another caller already has. */
bool registry_close(struct registry *registry, struct waiter *waiter, struct reactors *reactors,
        struct socket *socket, bool reset);

/* A number of the sockets' own sequence, for something else that is to have an id. */
uint64_t registry_take_number(struct registry *registry);

/* References to at most `count` sockets with a number above `after`, oldest first. Returns how many. */
size_t registry_list(struct registry *registry, uint64_t after, struct socket **out, size_t count);

/* Shows the sockets with a number above `after`, oldest first, those included that come meanwhile, until
 * show() returns false. It is called without the lock, with a reference of the registry's. */
void registry_each(struct registry *registry, uint64_t after,
        bool (*show)(void *context, struct socket *socket), void *context);

/* What the kernel has given and taken so far, of all sockets that are or were there. */
struct traffic {
        uint64_t received_bytes, sent_bytes;
};
struct traffic registry_traffic(struct registry *registry);

size_t registry_count(struct registry *registry);

/* "k7f2m1q-12". Returns `out`, of SOCKET_ID_SIZE. */
const char *registry_format_id(const struct registry *registry, uint64_t number, char *out);

/* Reads such an id. False when it is none of this daemon's run. */
bool registry_parse_id(const struct registry *registry, const char *id, uint64_t *number);
