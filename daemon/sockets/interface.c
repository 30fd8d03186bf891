/* interface.c: network interfaces by name and number, as the network namespace of a socket has them. */
#include "daemon/sockets/interface.h"

#include <string.h>
#include <sys/ioctl.h>

static _Thread_local int scope = -1;

int interfaces_enter(int fd)
{
        const int before = scope;
        scope = fd;
        return before;
}

/* seccomp: ioctl */
unsigned interface_index(const char *name)
{
        struct ifreq request = { .ifr_ifindex = 0 };
        if (scope < 0)
                return if_nametoindex(name);
        if (strlen(name) >= sizeof request.ifr_name)
                return 0;
        memcpy(request.ifr_name, name, strlen(name) + 1);
        return ioctl(scope, SIOCGIFINDEX, &request) == 0 ? (unsigned)request.ifr_ifindex : 0;
}

bool interface_name(unsigned index, char out[static IF_NAMESIZE])
{
        struct ifreq request = { .ifr_ifindex = (int)index };
        if (scope < 0)
                return if_indextoname(index, out) != NULL;
        if (ioctl(scope, SIOCGIFNAME, &request) != 0)
                return false;
        memcpy(out, request.ifr_name, IF_NAMESIZE);
        return true;
}
