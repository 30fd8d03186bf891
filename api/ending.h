/* ending.h: what is noted of a call when it has ended, the one place for all of them. */
#pragma once

#include "api/call.h"

/* Counts the call, and records it where its socket records. `reply` is NULL where it went out piece by piece.
 * Does so once, however often it is called, and not for one that an earlier call's reply is given to. */
void ending_note(struct call *call, const struct call_reply *reply);
