/* guarded.h: the system calls that reach beyond the daemon, each judged by the policy right before it. */
#pragma once

#include "api/call.h"
#include "daemon/sockets/guard.h"

/* All of these give RESULT_DENIED where the policy does not let the caller do it, with call->problem saying
 * by which rule. */

/* Whether such a socket may be made. */
struct result guarded_socket(struct call *call, int family, int type, int protocol);

/* Opens a socket, in a network namespace unless that is ""; *fd is the caller's. */
struct result guarded_open(struct call *call, const char *netns, int family, int type, int protocol, int *fd);

struct result guarded_bind(struct call *call, int fd, const struct address *address);

/* A socket that is not bound gets a port with that, and is judged as if it were bound to it. */
struct result guarded_listen(struct call *call, int fd, int backlog);

/* One attempt of connect(2), which goes on by itself once begun. */
struct result guarded_connect(struct call *call, struct socket *socket, const struct address *address);

/* Takes the next connection whose peer may connect, into a socket of socket_expect(); others are reset. */
struct result guarded_accept(struct call *call, const struct socket *listener, struct socket *coming);

/* What sendto(2) is to be given. With MSG_FASTOPEN it connects, and is judged as that too. End with
 * passage_close(), also where it is denied. */
struct result guarded_destination(struct call *call, const struct socket *socket,
        const struct address *address, int flags, struct passage *out);

struct result guarded_option(
        struct call *call, int fd, int level, int option, const void *bytes, size_t size);

/* Ancillary data that goes with a message. */
struct result guarded_ancillary(
        struct call *call, const struct socket *socket, int level, int type, const void *bytes, size_t size);

/* Whether the caller may have a descriptor of such a socket that came from elsewhere. That it may not is
 * noted, for no reply tells of it. */
bool guarded_adoption(struct call *call, int family, int type, int protocol);

/* Fills in who does a deed: the call's own caller. */
void deed_sign(struct deed *deed, const struct call *call);

/* Notes in the call that its caller may not do this, as a problem of that kind. */
struct result call_forbidden(struct call *call, enum problem_kind kind, const char *parameter,
        const char *format, ...) __attribute__((format(printf, 4, 5)));
