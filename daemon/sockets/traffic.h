/* traffic.h: how many bytes went through sockets, told as events from their counters, so that those who send
 * and receive need not. Safe from any thread. */
#pragma once

#include "daemon/sockets/registry.h"

/* What went through so far is not told. */
void traffic_begin(struct registry *registry);

/* Tells what went through each socket since it was told last. */
void traffic_tell_all(struct registry *registry);
void traffic_tell(struct socket *socket);
