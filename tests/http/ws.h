/* ws.h: a WebSocket client that builds its frames by hand, also such as no good client would send. */
#pragma once

#include "tests/http/steps.h"

struct ws;

/* What the handshake says. Zeroed, it is a good client's, and shows the daemon's token where one is needed.
 */
struct ws_offer {
        const char *protocols; /* Sec-WebSocket-Protocol, or NULL */
        const char *headers;   /* instead of those that ask for a WebSocket: whole lines */
        const char *more;      /* whole lines, beside them */
        bool no_token;
        const void *behind; /* sent in the same write */
        size_t behind_size;
};

/* Opens a connection of the kind that the stage's client has, and asks. *reply is the stage's, and its
 * exchange is noted. NULL: it was no 101; ws_close() then too is not to be called. */
struct ws *ws_ask(struct stage *stage, const char *path, const struct ws_offer *offer, struct reply **reply);

/* A good one, on /v1/sockets/{id}/stream with a query ("" or "?half_open=true"). */
struct ws *ws_open(struct stage *stage, const char *id, const char *query, const char *protocols);

/* Ends the connection, and frees it; ws_reset() with RST. */
void ws_close(struct ws *ws);
void ws_reset(struct ws *ws);

/* The first byte of a frame. */
enum {
        WS_FIN = 0x80,
        WS_CONTINUATION = 0,
        WS_TEXT = 1,
        WS_BINARY = 2,
        WS_CLOSE = 8,
        WS_PING = 9,
        WS_PONG = 10,
};

/* A frame as it is to be sent. */
struct ws_part {
        uint8_t first;
        const void *bytes;
        size_t size;
        uint64_t claim; /* another size that it claims to have; 0: none */
        int form;       /* bytes of the extended length, also where fewer would do; 0: as it should be */
        bool unmasked;
};

/* Appends it to bytes from malloc(). */
void ws_build(uint8_t **bytes, size_t *size, const struct ws_part *part);

void ws_write(struct ws *ws, const void *bytes, size_t size);
/* Writes what goes at once, and returns how much that was. */
size_t ws_write_some(struct ws *ws, const void *bytes, size_t size);

void ws_send(struct ws *ws, uint8_t first, const void *bytes, size_t size);
void ws_send_text(struct ws *ws, const char *text);
void ws_send_close(struct ws *ws, unsigned code, const char *reason);

/* A frame that came. */
struct ws_frame {
        uint8_t first;
        uint8_t *bytes; /* terminated; freed by the next one, and with the ws */
        size_t size;
        unsigned code; /* of a close; 0: none */
};

/* Waits for the next one, at most 30 s. False: the connection has ended. */
bool ws_read(struct ws *ws, struct ws_frame *out);

/* These fail the test unless the next frames are those: binary ones that have these bytes together; a text; a
 * close, upon which it is answered, and the connection ends. */
void ws_expect_bytes(struct ws *ws, const void *bytes, size_t size);
const char *ws_expect_text(struct ws *ws);
void ws_expect_close(struct ws *ws, unsigned code, const char *reason);

/* Waits until nobody has the socket for himself; it must have nothing to receive. */
void ws_await_free(struct stage *stage, const char *id);
