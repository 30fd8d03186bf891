/* interface.h: network interfaces by name and number, as the network namespace of a socket has them. */
#pragma once

#include <net/if.h>
#include <stdbool.h>

/* 0: there is none of that name. */
unsigned interface_index(const char *name);

/* False: there is none of that number. */
bool interface_name(unsigned index, char out[static IF_NAMESIZE]);

/* From here to the end of the scope, this thread means the interfaces that the socket `fd` sees; -1: the
 * daemon's own, as it does otherwise. */
#define INTERFACES_OF(fd)                                                                                    \
        const int interfaces_before __attribute__((cleanup(cleanup_interfaces), unused)) =                   \
                interfaces_enter(fd)

/* Returns what was meant before. */
int interfaces_enter(int fd);

static inline void cleanup_interfaces(const int *before)
{
        interfaces_enter(*before);
}
