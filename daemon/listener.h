/* listener.h: the addresses that the daemon serves on, and who may connect to them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include "daemon/command_line.h"

struct access;
struct server;

/* For so long may the client of a TCP connection leave bytes unacknowledged before it counts as gone. */
enum { CLIENT_SILENCE_MS = 20000 };

struct listener {
        int fd;
        bool is_own;           /* opened here: not passed by the service manager */
        const char *unix_path; /* of a unix socket; NULL: TCP */
        char url[160];         /* "https://127.0.0.1:7625", "unix:/run/sockwright/sockwright.sock" */
};

/* Both return false after logging why. A unix socket has mode 0600; one that a dead daemon left is replaced.
 * `path` must outlive the listener. Beyond loopback, TCP wants TLS or --insecure-listen. */
bool listener_open_unix(struct listener *listener, const char *path);
bool listener_open_tcp(
        struct listener *listener, const char *address, const struct configuration *configuration);

/* Takes a socket that was passed under a name, of whatever kind it is: its path stays at the end, and its
 * mode is for whoever made it to say. Beyond loopback it wants the same as others. `listener` must stay in
 * its place. False after logging why. */
bool listener_adopt(
        struct listener *listener, int fd, const char *name, const struct configuration *configuration);

/* Accepts what is there and hands it to the server. False when descriptors or connections have run out: try
 * again a little later. */
bool listener_accept(const struct listener *listener, struct access *access, struct server *server);

/* Whether the mode of a unix socket of ours lets all users come as far as to be looked at. */
void listener_let_in(const struct listener *listener, bool all_users);

/* Closes it, and takes the path of a unix socket of ours away. */
void listener_close(struct listener *listener);
