/* rights.h: descriptors that travel in messages (SCM_RIGHTS): owned sockets go out, what comes is owned. */
#pragma once

#include "api/ancillary.h"
#include "api/call.h"

/* References to the sockets whose descriptors are in a message that is being sent. Zeroed, it has none. */
struct loan {
        struct socket **sockets;
        size_t count;
};

/* Writes the descriptors of the sockets that are named into the control data; `path` is where that stands, ""
 * or "messages[1].". A socket that the caller does not reach is RESULT_UNSOUND. End with loan_end(). */
struct result loan_begin(
        struct call *call, const struct control *control, const char *path, struct loan *out);
void loan_end(struct loan *loan);

#define loan_auto __attribute__((cleanup(loan_end)))

/* A descriptor_taker's take, whose context is the call: {"sockets": [ids], "closed": [what]}. Sockets become
 * the caller's, as far as its limits and the policy go; all else is closed. */
json_t *rights_take(void *context, const int *fds, size_t count);
