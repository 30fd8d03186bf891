/* header.h: the request headers that matter, read once and strictly. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>

enum header {
        HEADER_HOST,
        HEADER_CONTENT_LENGTH,
        HEADER_TRANSFER_ENCODING,
        HEADER_CONTENT_TYPE,
        HEADER_ACCEPT,
        HEADER_AUTHORIZATION,
        HEADER_EXPECT,
        HEADER_COUNT,
};

struct headers {
        const char *values[HEADER_COUNT]; /* the first of each, or NULL; they live as long as the request */
        unsigned counts[HEADER_COUNT];
        const char *fault; /* why the request can't be trusted to end where it seems to, or NULL */
};

/* libmicrohttpd takes requests whose end another server on the way may see elsewhere; here they are faults:
 * not exactly one Host, several Content-Lengths, one beside Transfer-Encoding, another coding than chunked,
 * NUL bytes. */
void headers_read(struct MHD_Connection *connection, const char *version, struct headers *out);

/* Whether a Host names this machine in a way that no other site can make a browser use: localhost, an
 * address, or the machine's own name; with a port or without. */
bool host_is_own(const char *host);

/* Whether a request's target has only sound percent-escapes, and no NUL in its path. */
bool target_is_sound(const char *target);

/* Whether libmicrohttpd's pool has room for the parameters of a target, each of which takes some. */
bool target_fits(const char *target);

/* Whether a Content-Type or Accept value names the media type; parameters aside. */
bool media_is(const char *value, const char *media);
