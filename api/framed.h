/* framed.h: what a recv with `frame` says: its messages one by one, or why there is none. */
#pragma once

#include "api/call.h"
#include "api/record.h"
#include "daemon/sockets/receive.h"

/* Fills the reply in from what receive_until() came to with the frame, and takes the receipt's bytes over. A
 * raw reply keeps them as they are, its `data`; else they are in its `messages`. A refusal gets its words,
 * and the reply what there is of a message that the stream's end cut off. */
struct result framed_reply(struct call *call, const struct goal *goal, struct result result,
        struct receipt *receipt, struct received *reply);
