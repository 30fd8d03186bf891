/* vessel.c: the buffer of a recvmsg that all its messages come into, cut into pieces. */
#include "api/vessel.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "api/record.h"
#include "daemon/sockets/cleanup.h"

void vessel_empty(struct vessel *vessel)
{
        free(TAKE(vessel->bytes));
        free(TAKE(vessel->control));
        free(TAKE(vessel->pieces));
}
static struct result read_sizes(struct call *call, const json_t *sizes, struct vessel *out)
{
        out->piece_count = json_array_size(sizes);
        if (!json_is_array(sizes) || out->piece_count == 0 || out->piece_count > SIZES_MOST)
                return call_unsound(
                        call, "sizes", "sizes: must be a list of from 1 to %d numbers of bytes", SIZES_MOST);
        out->pieces = calloc(out->piece_count, sizeof *out->pieces);
        if (out->pieces == NULL)
                return refused("recvmsg", ENOMEM);
        for (size_t i = 0; i < out->piece_count; i++) {
                const json_t *const size = json_array_get(sizes, i);
                const json_int_t number = json_is_integer(size) ? json_integer_value(size) : -1;
                char name[PROBLEM_PARAMETER_SIZE];
                snprintf(name, sizeof name, "sizes[%zu]", i);
                if (number < 0 || number > RECEIVE_MAX_SIZE - (json_int_t)out->size)
                        return call_unsound(call, name,
                                "%s: must be a number of bytes, all of them at most %d", name,
                                RECEIVE_MAX_SIZE);
                out->pieces[i].iov_len = (size_t)number;
                out->size += (size_t)number;
        }
        return DONE;
}

struct result vessel_make(struct call *call, const struct socket_recvmsg_request *request, struct vessel *out)
{
        if (request->sizes.json != NULL && request->size != UINT64_MAX)
                return call_unsound(call, "sizes", "sizes: cannot stand beside `size`");
        if (request->sizes.json != NULL) {
                TRY(read_sizes(call, request->sizes.json, out));
        } else {
                out->pieces = calloc(1, sizeof *out->pieces);
                out->piece_count = 1;
                out->size = request->size == UINT64_MAX ? RECEIVE_DEFAULT_SIZE : (size_t)request->size;
        }
        out->bytes = malloc(out->size + 1);
        out->control = malloc((size_t)request->ancillary_size + 1);
        if (out->pieces == NULL || out->bytes == NULL || out->control == NULL)
                return refused("recvmsg", ENOMEM);
        if (request->sizes.json == NULL)
                out->pieces[0].iov_len = out->size;
        for (size_t i = 0, at = 0; i < out->piece_count; at += out->pieces[i++].iov_len)
                out->pieces[i].iov_base = out->bytes + at;
        return DONE;
}

json_t *vessel_pieces(const struct vessel *vessel, size_t size)
{
        static const struct field row = { .kind = FIELD_BINARY };
        json_t *const list = json_array();
        for (size_t i = 0; i < vessel->piece_count; i++) {
                const size_t piece = vessel->pieces[i].iov_len < size ? vessel->pieces[i].iov_len : size;
                const struct binary bytes = {
                        .bytes = vessel->pieces[i].iov_base, .size = piece, .given = true
                };
                json_array_append_new(list, field_encode(&row, &bytes));
                size -= piece;
        }
        return list;
}
