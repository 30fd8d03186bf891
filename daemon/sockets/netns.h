/* netns.h: network namespaces: which there are, and sockets opened in them. */
#pragma once

#include <stdint.h>

#include "daemon/sockets/result.h"

enum { NETNS_NAME_SIZE = 256 };

/* Whether it can name one: a file of /run/netns, or, of digits alone, the process that is in it. */
bool netns_name_is_sound(const char *name);

/* Opens a socket there, on a thread that ends with that: none that serves ever leaves its own namespace. The
 * name must be sound; *fd is the caller's. Safe from any thread. */
struct result netns_socket(const char *name, int family, int type, int protocol, int *fd);

/* Tells of each namespace in /run/netns. */
struct result netns_list(void (*tell)(void *context, const char *name, uint64_t inode), void *context);
