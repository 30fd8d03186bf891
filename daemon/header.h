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
        HEADER_ACCEPT_ENCODING,
        HEADER_IF_NONE_MATCH,
        HEADER_AUTHORIZATION,
        HEADER_EXPECT,
        HEADER_ORIGIN,
        HEADER_REQUEST_METHOD,  /* Access-Control-Request-Method: a preflight */
        HEADER_REQUEST_NETWORK, /* Access-Control-Request-Private-Network */
        HEADER_KEY,             /* Idempotency-Key */
        HEADER_CONNECTION,
        HEADER_UPGRADE,
        HEADER_WEBSOCKET_VERSION,
        HEADER_WEBSOCKET_KEY,
        HEADER_WEBSOCKET_PROTOCOL,
        HEADER_LAST_EVENT_ID,
        HEADER_COUNT,
};

struct headers {
        const char *values[HEADER_COUNT]; /* the first of each, or NULL; they live as long as the request */
        unsigned counts[HEADER_COUNT];
        bool is_old;       /* HTTP/1.0 */
        const char *fault; /* why the request can't be trusted to end where it seems to, or NULL */
};

/* The first line, as libmicrohttpd hands it to the access handler; the target without its escapes. */
struct request_line {
        const char *method, *target, *version;
};

/* libmicrohttpd takes requests whose end another server on the way may see elsewhere; here they are faults:
 * not exactly one Host, several Content-Lengths, one beside Transfer-Encoding, another coding than chunked,
 * NUL bytes and other controls, folded lines, lines that end without CR, and several
 * of what must not be open to choice. */
void headers_read(struct MHD_Connection *connection, const struct request_line *line, struct headers *out);

/* Whether a request's target, as it came, is a path with only sound percent-escapes, no controls, and no NUL
 * in its path. The version must stand behind it, as it does where libmicrohttpd shows it to its URI log. */
bool target_is_sound(const char *target);

/* Whether libmicrohttpd's pool has room for the parameters of a target, each of which takes some. */
bool target_fits(const char *target);

/* Whether a Content-Type or Accept value names the media type; parameters aside. */
bool media_is(const char *value, const char *media);
