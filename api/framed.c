/* framed.c: the messages of a framed recv as JSON, and its refusals in words. */
#include "api/framed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/base64.h"
#include "daemon/sockets/cleanup.h"

enum { DETAIL_SIZE = 160 };

static json_t *base64_json(const uint8_t *bytes, size_t size)
{
        char *text memory_auto = malloc(base64_encoded_size(size) + 1);
        return text == NULL ? NULL : json_stringn_nocheck(text, base64_encode(bytes, size, text));
}

/* A new reference, or NULL without memory. */
static json_t *messages_json(const struct frame *frame, const struct receipt *receipt)
{
        json_t *const messages = json_array();
        size_t start = 0;
        while (start < receipt->size) {
                uint64_t length;
                frame_find(frame, receipt->bytes + start, receipt->size - start, 0, &length);
                json_t *const message = json_pack("{s:o, s:I}", "data",
                        base64_json(receipt->bytes + start, (size_t)length), "size", (json_int_t)length);
                if (json_array_append_new(messages, message) != 0) {
                        json_decref(messages);
                        return NULL;
                }
                start += (size_t)length;
        }
        return messages;
}

/* The text lives as long as the call. */
static struct result explain(
        struct call *call, const struct goal *goal, struct result result, const struct receipt *receipt)
{
        char *const detail = arena_allocate(&call->arena, DETAIL_SIZE);
        if (detail == NULL)
                return result;
        result.detail = detail;
        result.parameter = goal->flaw == FRAME_OVERSIZED ? "frame.max" : NULL;
        if (receipt->bytes != NULL)
                snprintf(detail, DETAIL_SIZE,
                        "the stream ended within a message, after %zu bytes of it: incomplete has them",
                        receipt->size);
        else if (goal->flaw == FRAME_UNSOUND)
                snprintf(detail, DETAIL_SIZE,
                        "the message says that it has %zu bytes, but its header alone has %zu; it stays",
                        receipt->length, goal->frame->offset + goal->frame->width);
        else if (receipt->length > 0)
                snprintf(detail, DETAIL_SIZE, "the message has %zu bytes, more than max, %zu; it stays",
                        receipt->length, goal->frame->max);
        else
                snprintf(detail, DETAIL_SIZE,
                        "the first %zu bytes, which is max, hold no delimiter; they stay", goal->frame->max);
        return result;
}

static struct result refuse(struct call *call, const struct goal *goal, struct result result,
        struct receipt *receipt, struct received *reply)
{
        uint8_t *bytes memory_auto = receipt->bytes;
        if (bytes == NULL && goal->flaw == FRAME_WHOLE)
                return result;
        *reply = (struct received){ .incomplete.json =
                                            bytes == NULL ? NULL : base64_json(bytes, receipt->size) };
        call_keep(call, receipt->size);
        return explain(call, goal, result, receipt);
}

struct result framed_reply(struct call *call, const struct goal *goal, struct result result,
        struct receipt *receipt, struct received *reply)
{
        if (result.kind != RESULT_DONE)
                return refuse(call, goal, result, receipt, reply);
        *reply = (struct received){ .size = receipt->length,
                .offset = receipt->offset,
                .next = receipt->next,
                .eof = receipt->eof,
                .complete = receipt->complete };
        call_keep(call, receipt->size);
        if (call->raw_reply) {
                reply->data =
                        (struct payload){ .bytes = receipt->bytes, .size = receipt->size, .given = true };
                call_own(call, receipt->bytes);
                return DONE;
        }
        reply->data.given = true;
        reply->messages.json = messages_json(goal->frame, receipt);
        free(receipt->bytes);
        return reply->messages.json == NULL ? refused("recv", ENOMEM) : DONE;
}
