/* lane.h: calls in the order they came. All needs the lane's lock. */
#pragma once

#include "daemon/sockets/waiter.h"

/* Where a call stands, or is to stand; NULL: it is detached. Needs no lock. */
struct lane *lane_of(const struct wait *wait);

void lane_append(struct lane *lane, struct wait *wait);
void lane_remove(struct lane *lane, struct wait *wait);
