/* ending.c: what is noted of a call when it has ended. */
#include "api/ending.h"

#include "api/keyed.h"
#include "api/measure.h"

void ending_note(struct call *call, const struct call_reply *reply)
{
        (void)reply;
        if (call->ended || keyed_replays(call))
                return;
        call->ended = true;
        measure_call(call);
}
