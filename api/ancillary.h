/* ancillary.h: ancillary data of messages as JSON: one row per type that goes by name, the rest raw. */
#pragma once

#include <sys/socket.h>

#include "api/field.h"
#include "api/option_codec.h"

/* The most descriptors of one message: SCM_MAX_FD. */
enum { DESCRIPTORS_MOST = 253, CONTROL_MAX_SIZE = 65536 };

/* SCM_RIGHTS to be sent: the sockets' ids, whose descriptors go to `offset` in the control data. */
struct rights {
        size_t offset;
        json_t *ids; /* borrowed */
        struct rights *next;
};

/* Ancillary data as sendmsg(2) takes it. It lives in the decoder's arena. */
struct control {
        uint8_t *bytes;
        size_t size;
        struct rights *rights;
};

/* Reads a list of {level, type, value or raw or sockets}; NULL is none. False with decoder->problem filled
 * in. Descriptors and addresses of memory cannot be given raw: they would be the daemon's own. */
bool decode_ancillary(struct decoder *decoder, json_t *list, struct control *out);

/* What is made of descriptors that came: takes them over. A new reference: the item's value. */
struct descriptor_taker {
        json_t *(*take)(void *context, const int *fds, size_t count);
        void *context;
};

/* The list that decode_ancillary() reads, of what came. A new reference, or NULL without memory; the
 * descriptors are taken in any case. */
json_t *encode_ancillary(struct msghdr *header, const struct descriptor_taker *taker);

/* JSON Schemas, as text. */
extern const char ancillary_request_schema[], ancillary_reply_schema[];

/* How the bytes of a type are a JSON value. */
struct ancillary_shape {
        /* NULL: it is only received. As of struct option_codec. */
        bool (*decode)(struct decoder *decoder, json_t *value, struct option_bytes *out);
        /* NULL when the bytes are not of this shape. */
        json_t *(*encode)(const uint8_t *bytes, size_t size);
};

extern const struct ancillary_shape shape_integer; /* an int, or where the kernel says so a byte */
extern const struct ancillary_shape shape_unsigned, shape_unsigned_long, shape_short;
extern const struct ancillary_shape shape_packet_info, shape_packet_info6, shape_credentials;
extern const struct ancillary_shape shape_time, shape_time_us, shape_timestamping;
extern const struct ancillary_shape shape_address, shape_error;
