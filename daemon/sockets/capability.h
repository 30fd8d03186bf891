/* capability.h: which capability a refused system call would have needed, and whether the daemon lacks it. */
#pragma once

#include "daemon/sockets/result.h"

/* "CAP_NET_ADMIN" … or NULL: the capability that "socket", "bind", "setns" or "setsockopt" may
 * need; level and option
 * count for the last only. A string literal. */
const char *capability_needed(const char *call, int level, int option, int family, int type);

/* Adds the missing capability as the detail of a call that was refused with EPERM or EACCES; any other result
 * comes back unchanged, as does one whose capability the daemon has. Safe from any thread. */
struct result capability_explain(struct result result, int level, int option, int family, int type);

/* Whether the daemon has a capability, by CAP_ number, or may take it up. */
bool capability_may_have(unsigned number);
