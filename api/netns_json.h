/* netns_json.h: how requests name network namespaces. */
#pragma once

#include "api/call.h"
#include "daemon/sockets/netns.h"

/* Reads a name, or the number of a process; "" when it is not given. */
struct result netns_read(struct call *call, const struct value *value, char out[static NETNS_NAME_SIZE]);
