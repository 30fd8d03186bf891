/* ending.c: what is noted of a call when it has ended. */
#include "api/ending.h"

#include "api/keyed.h"
#include "api/measure.h"
#include "api/record.h"
#include "api/recording.h"

/* To have read a transcript is no part of it. */
static bool is_to_record(const struct call *call)
{
        return (call->made_recorder || (call->socket != NULL && call->socket->transcript != NULL)) &&
               call->operation->reply != &transcript_page_fields;
}

void ending_note(struct call *call, const struct call_reply *reply)
{
        if (call->ended || keyed_replays(call))
                return;
        call->ended = true;
        measure_call(call);
        if (is_to_record(call))
                recording_add(call, reply);
}
