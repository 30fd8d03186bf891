/* vessel.h: the buffer of a recvmsg that all its messages come into, cut into pieces. */
#pragma once

#include "api/call.h"

enum { RECEIVE_DEFAULT_SIZE = 65536, RECEIVE_MAX_SIZE = 1 << 30, SIZES_MOST = 1024 };

struct iovec;
struct socket_recvmsg_request;

/* Zeroed, it holds nothing. */
struct vessel {
        uint8_t *bytes, *control;
        struct iovec *pieces; /* slices of bytes, in order */
        size_t piece_count, size;
};

/* Makes it as the request says. RESULT_UNSOUND names what is wrong. End with vessel_empty(), also then. */
struct result vessel_make(
        struct call *call, const struct socket_recvmsg_request *request, struct vessel *out);
void vessel_empty(struct vessel *vessel);

#define vessel_auto __attribute__((cleanup(vessel_empty)))

/* The first `size` bytes, a base64 text for each piece. A new reference. */
json_t *vessel_pieces(const struct vessel *vessel, size_t size);
