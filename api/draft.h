/* draft.h: the messages of a sendmsg as the kernel takes them, made once and kept while the call waits. */
#pragma once

#include "api/ancillary.h"
#include "api/call.h"

struct iovec;
struct socket_sendmsg_request;

struct draft_message {
        struct iovec *pieces;
        size_t piece_count;
        size_t size; /* of all pieces */
        struct address address;
        struct control control;
        const char *path; /* where it stands in the request: "" or "messages[1]." */
};

struct draft {
        struct draft_message *messages;
        size_t count;
};

/* Makes call->draft, in the call's arena; all that it does not copy is the request's. RESULT_UNSOUND names
 * what is wrong. */
struct result draft_make(struct call *call, const struct socket_sendmsg_request *request);

/* JSON Schemas, as text. */
extern const char buffers_schema[], messages_schema[];
