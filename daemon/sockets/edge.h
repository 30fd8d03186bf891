/* edge.h: what the kernel has for sockets that nobody waits on, told as events: bytes to read, the peer's
 * end, a reset, an error. One thread's. */
#pragma once

#include "daemon/sockets/registry.h"

struct edges {
        struct registry *registry;
        int epoll_fd;  /* -1: nothing is watched */
        uint64_t last; /* the newest socket that is */
};

/* Begins to watch all sockets. False with errno set. */
bool edges_open(struct edges *edges, struct registry *registry);

/* Watches none any more; costs nothing then. */
void edges_close(struct edges *edges);

/* Tells what has come since the last time, and watches the sockets that were made meanwhile. */
void edges_tell(struct edges *edges);
