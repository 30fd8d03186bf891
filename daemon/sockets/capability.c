/* capability.c: which capability a refused system call would have needed, and whether the daemon lacks it. */
#include "daemon/sockets/capability.h"

#include <cap-ng.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/sockets/option.h"

static const struct {
        const char *name;
        unsigned number;
        const char *detail;
} capabilities[] = {
        { "CAP_NET_ADMIN", CAP_NET_ADMIN, "needs CAP_NET_ADMIN, which the daemon lacks" },
        { "CAP_NET_RAW", CAP_NET_RAW, "needs CAP_NET_RAW, which the daemon lacks" },
        { "CAP_NET_BIND_SERVICE", CAP_NET_BIND_SERVICE,
                "needs CAP_NET_BIND_SERVICE, which the daemon lacks" },
        { "CAP_SYS_ADMIN", CAP_SYS_ADMIN, "needs CAP_SYS_ADMIN, which the daemon lacks" },
        { "CAP_NET_BROADCAST", CAP_NET_BROADCAST, "needs CAP_NET_BROADCAST, which the daemon lacks" },
};

/* What calls other than setsockopt need; -1: any. The first row that fits is the answer. */
static const struct {
        const char *call;
        int family, type;
        const char *capability;
} needs[] = {
        { "socket", AF_PACKET, -1, "CAP_NET_RAW" },
        { "socket", AF_INET, SOCK_RAW, "CAP_NET_RAW" },
        { "socket", AF_INET6, SOCK_RAW, "CAP_NET_RAW" },
        { "bind", AF_INET, -1, "CAP_NET_BIND_SERVICE" },
        { "bind", AF_INET6, -1, "CAP_NET_BIND_SERVICE" },
        { "bind", AF_VSOCK, -1, "CAP_NET_BIND_SERVICE" },
        { "bind", AF_NETLINK, -1, "CAP_NET_ADMIN" },
        { "setns", -1, -1, "CAP_SYS_ADMIN" },
};

const char *capability_needed(const char *call, int level, int option, int family, int type)
{
        if (strcmp(call, "setsockopt") == 0) {
                const struct option *row = option_by_number(level, option);
                return row ? row->capability : NULL;
        }
        for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
                if (strcmp(needs[i].call, call) == 0 &&
                        (needs[i].family == -1 || needs[i].family == family) &&
                        (needs[i].type == -1 || needs[i].type == type))
                        return needs[i].capability;
        return NULL;
}

/* seccomp: capget */
struct result capability_explain(struct result result, int level, int option, int family, int type)
{
        if (result.kind != RESULT_REFUSED || result.detail ||
                (result.error != EPERM && result.error != EACCES))
                return result;
        const char *needed = capability_needed(result.call, level, option, family, type);
        /* libcap-ng keeps what it read for each thread: read again, since the daemon may have dropped some.
         */
        if (!needed || capng_get_caps_process() != 0)
                return result;
        for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++)
                if (strcmp(capabilities[i].name, needed) == 0 &&
                        !capng_have_capability(CAPNG_EFFECTIVE, capabilities[i].number))
                        result.detail = capabilities[i].detail;
        return result;
}

/* seccomp: capget */
bool capability_may_have(unsigned number)
{
        return capng_get_caps_process() == 0 && capng_have_capability(CAPNG_PERMITTED, number);
}
