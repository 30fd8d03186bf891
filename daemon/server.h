/* server.h: the HTTP server: worker threads that take connections and answer their requests. */
#pragma once

#include <sys/socket.h>

#include "api/call.h"
#include "daemon/access.h"
#include "daemon/tls.h"

struct server;

/* Starts the worker threads; with `tls` (NULL: none), as many again for TLS. All must outlive the server.
 * WebSockets that are idle are pinged after `ping_ns`. NULL after logging why. */
struct server *server_start(struct service *service, struct access *access, struct tls *tls, unsigned threads,
        unsigned connection_limit, int64_t ping_ns);

/* Hands an accepted connection over, whatever becomes of it: it is closed at once where its address has as
 * many as it may. With TLS, all but those on AF_UNIX must speak it. Clients on AF_UNIX need no token: whoever
 * calls this has checked their uid. */
void server_add(struct server *server, int fd, const struct sockaddr *peer, socklen_t peer_size);

/* Limits the connections from one address; 0: to half of all, but those of this host itself. Before the first
 * is added. False after logging why. */
bool server_limit_peers(struct server *server, unsigned each);

/* Whether there are as many connections as there may be: no more are to be added then. A few are kept for
 * clients on the unix socket, so that nobody can shut them out over the network. */
bool server_is_full(const struct server *server, bool local);

/* Whether a connection is yet to be begun, or a request to be answered. */
bool server_is_busy(const struct server *server);

/* Has all WebSockets closed, and ends the streams of events; it is busy until they have ended. */
void server_shut_down(struct server *server);

/* Stops the threads and closes the connections. No call may be parked; best once it is not busy. A call with
 * a key that lost its connection may go on in the background, with the server. */
void server_stop(struct server *server);

/* Once that is done too. Accepts NULL. */
void server_free(struct server *server);
