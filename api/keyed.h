/* keyed.h: calls with a key: each is run once, and whoever comes again with the key gets its reply. */
#pragma once

#include "api/call.h"

/* Claims the key of a call that has one and was decoded: again when the wait for another's outcome has ended.
 */
enum keyed_step {
        KEYED_RUN,    /* the call is to be run */
        KEYED_PARKED, /* another call runs with the key */
        KEYED_DONE,   /* there is a reply already, of this or of an earlier call */
};
enum keyed_step keyed_enter(struct call *call);

/* Whether the key, if there is one, is this call's now. */
bool keyed_holds(const struct call *call);

/* Whether an earlier call's reply is this one's; makes it so (false: there is none). */
bool keyed_replays(const struct call *call);
bool keyed_replay(struct call *call, struct call_reply *out);

/* Before its reply is made: what the kernel refuses a call that was interrupted before may be what it has
 * done then, which is a problem of its own. */
void keyed_doubt(struct call *call);

/* Keeps what came of a call, whose reply is made (NULL: it could not be). */
void keyed_keep(struct call *call, const struct call_reply *reply);

/* When the call is released. */
void keyed_release(struct call *call);

/* What the call is to mark its new sockets with, for who comes again; 0: nothing. */
uint64_t keyed_number(const struct call *call);

/* For run functions that send, before each attempt: the position that the first of it has, as the caller said
 * (`asked`), or as is noted now so that who comes again does not send it twice. Without a key: `asked`. */
uint64_t keyed_start(struct call *call, uint64_t asked);

/* After each attempt. */
void keyed_note_sent(struct call *call);
