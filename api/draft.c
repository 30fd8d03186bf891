/* draft.c: the messages of a sendmsg as the kernel takes them, made once and kept while the call waits. */
#include "api/draft.h"

#include <string.h>
#include <sys/uio.h>

#include "api/record.h"

/* UIO_MAXIOV, and what a request of reasonable size can hold. */
enum { PIECES_MOST = 1024, MESSAGES_MOST = 1024 };

struct buffer {
        struct payload data;
};

static const struct field buffer_rows[] = {
        FIELD(struct buffer, data, "What to send.", .required = true),
};
static const struct fields buffer_fields = FIELDS(struct buffer, buffer_rows);

/* One of many messages. */
struct item {
        struct value buffers;
        struct address address;
        struct value ancillary;
};

static const struct field item_rows[] = {
        FIELD(struct item, buffers, "What to send, in pieces.", .required = true),
        FIELD(struct item, address, "Where to send it."),
        FIELD(struct item, ancillary, "What goes with it."),
};
static const struct fields item_fields = FIELDS(struct item, item_rows);

static bool decode_buffer(struct decoder *decoder, json_t *object, struct iovec *out)
{
        struct buffer buffer;
        if (!json_is_object(object))
                return decoder_fail(
                        decoder, "", "must be an object with data or text, not %s", json_kind_word(object));
        if (!fields_decode(decoder, &buffer_fields, &buffer, NULL, NULL, object))
                return false;
        if (!buffer.data.given)
                return decoder_fail(decoder, "data", "is missing (or text)");
        *out = (struct iovec){ .iov_base = buffer.data.bytes, .iov_len = buffer.data.size };
        return true;
}

static bool decode_buffers(struct decoder *decoder, json_t *list, struct draft_message *out)
{
        if (!json_is_array(list))
                return decoder_fail(decoder, "buffers", "must be a list, not %s", json_kind_word(list));
        out->piece_count = json_array_size(list);
        if (out->piece_count > PIECES_MOST)
                return decoder_fail(decoder, "buffers", "must have at most %d items", PIECES_MOST);
        out->pieces = arena_allocate(decoder->arena, (out->piece_count + 1) * sizeof *out->pieces);
        if (out->pieces == NULL)
                return decoder_fail_memory(decoder);
        for (size_t i = 0; i < out->piece_count; i++) {
                const size_t mark = decoder_enter(decoder, "buffers[%zu].", i);
                if (!decode_buffer(decoder, json_array_get(list, i), &out->pieces[i]))
                        return false;
                decoder_leave(decoder, mark);
                out->size += out->pieces[i].iov_len;
        }
        return true;
}

static bool decode_message(struct decoder *decoder, const struct item *item, struct draft_message *out)
{
        out->address = item->address;
        out->path = arena_copy(decoder->arena, decoder->path, strlen(decoder->path));
        if (out->path == NULL)
                return decoder_fail_memory(decoder);
        return decode_buffers(decoder, item->buffers.json, out) &&
               decode_ancillary(decoder, item->ancillary.json, &out->control);
}

static bool decode_item(
        struct decoder *decoder, json_t *object, const struct socket *socket, struct draft_message *out)
{
        struct item item;
        if (!json_is_object(object))
                return decoder_fail(decoder, "", "must be an object, not %s", json_kind_word(object));
        if (!fields_decode(decoder, &item_fields, &item, NULL, NULL, object))
                return false;
        address_fit(&item.address, socket->family);
        if (item.address.given && item.address.name[0] != '\0')
                return decoder_fail(
                        decoder, "address", "must be numeric: among many messages, names are not resolved");
        return decode_message(decoder, &item, out);
}

static bool decode_messages(
        struct decoder *decoder, json_t *list, const struct socket *socket, struct draft *draft)
{
        for (size_t i = 0; i < draft->count; i++) {
                const size_t mark = decoder_enter(decoder, "messages[%zu].", i);
                if (!decode_item(decoder, json_array_get(list, i), socket, &draft->messages[i]))
                        return false;
                decoder_leave(decoder, mark);
        }
        return true;
}

/* One message stands in the request itself. */
static bool decode_single(
        struct decoder *decoder, const struct socket_sendmsg_request *request, struct draft *draft)
{
        const struct item item = {
                .buffers = request->buffers, .address = request->address, .ancillary = request->ancillary
        };
        if (request->buffers.json == NULL)
                return decoder_fail(decoder, "buffers", "is missing (or messages)");
        return decode_message(decoder, &item, &draft->messages[0]);
}

static bool decode_draft(struct decoder *decoder, const struct socket_sendmsg_request *request,
        const struct socket *socket, struct draft *draft)
{
        json_t *const list = request->messages.json;
        const bool alone =
                request->buffers.json == NULL && !request->address.given && request->ancillary.json == NULL;
        if (list != NULL && !alone)
                return decoder_fail(decoder, "messages", "cannot stand beside buffers, address or ancillary");
        draft->count = list == NULL ? 1 : json_array_size(list);
        if (list != NULL && (!json_is_array(list) || draft->count == 0 || draft->count > MESSAGES_MOST))
                return decoder_fail(
                        decoder, "messages", "must be a list of from 1 to %d messages", MESSAGES_MOST);
        draft->messages = arena_allocate(decoder->arena, draft->count * sizeof *draft->messages);
        if (draft->messages == NULL)
                return decoder_fail_memory(decoder);
        return list == NULL ? decode_single(decoder, request, draft)
                            : decode_messages(decoder, list, socket, draft);
}

/* What it holds of the daemon's memory, about. */
static size_t size_of(const struct draft *draft)
{
        size_t size = draft->count * sizeof *draft->messages;
        for (size_t i = 0; i < draft->count; i++)
                size += draft->messages[i].size + draft->messages[i].control.size +
                        draft->messages[i].piece_count * sizeof *draft->messages[i].pieces;
        return size;
}

struct result draft_make(struct call *call, const struct socket_sendmsg_request *request)
{
        struct problem problem = { .extra = NULL };
        struct decoder decoder = { .arena = &call->arena, .problem = &problem };
        struct draft *const draft = arena_allocate(&call->arena, sizeof *draft);
        if (draft == NULL)
                return refused("sendmsg", ENOMEM);
        if (!decode_draft(&decoder, request, call->socket, draft))
                return call_fail(call, &problem);
        if (!call_hold(call, size_of(draft)))
                return call->result;
        call->draft = draft;
        return DONE;
}

/* clang-format off */
#define BUFFERS                                                                                              \
        "{\"type\":\"array\",\"maxItems\":1024,\"items\":{\"type\":\"object\",\"properties\":{"              \
        "\"data\":{\"type\":\"string\",\"contentEncoding\":\"base64\"},\"text\":{\"type\":\"string\"}},"     \
        "\"oneOf\":[{\"required\":[\"data\"]},{\"required\":[\"text\"]}],\"additionalProperties\":false}}"
/* clang-format on */

const char buffers_schema[] = BUFFERS;

const char messages_schema[] =
        "{\"type\":\"array\",\"minItems\":1,\"maxItems\":1024,\"items\":{\"type\":\"object\",\"properties\":{"
        "\"buffers\":" BUFFERS ",\"address\":{\"type\":[\"string\",\"object\"]},"
        "\"ancillary\":{\"type\":\"array\"}},\"required\":[\"buffers\"],\"additionalProperties\":false}}";
