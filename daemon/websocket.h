/* websocket.h: the server's side of one WebSocket (RFC 6455), over a connection that is never waited for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct websocket;

/* The longest message that may be sent; and how much more there is room for, beside one. */
enum { WEBSOCKET_MESSAGE = 96 << 10, WEBSOCKET_RESERVE = 8192 };

/* Why a WebSocket is closed. */
enum websocket_code {
        WEBSOCKET_NO_CODE = 0,
        WEBSOCKET_NORMAL = 1000,
        WEBSOCKET_GOING_AWAY = 1001,
        WEBSOCKET_PROTOCOL_ERROR = 1002,
        WEBSOCKET_UNSUPPORTED = 1003,
        WEBSOCKET_INCONSISTENT = 1007,
        WEBSOCKET_POLICY = 1008,
        WEBSOCKET_TOO_BIG = 1009,
        WEBSOCKET_FAILED = 1011,
};

/* `early` is what came behind the handshake. `message_max` bounds the messages that are taken. The descriptor
 * stays the caller's. NULL without memory. */
struct websocket *websocket_new(int fd, const void *early, size_t early_size, uint64_t message_max);
void websocket_free(struct websocket *websocket);

enum websocket_event {
        WEBSOCKET_NOTHING, /* all that was read is used up, or there is no room to answer */
        WEBSOCKET_DATA,    /* a piece of a message */
        WEBSOCKET_CLOSED,  /* the client closes, with `code` */
        WEBSOCKET_FAULTY,  /* the client broke the protocol; `code` says how. Nothing more can be read */
};

struct websocket_piece {
        const uint8_t *bytes; /* until the next call */
        size_t size;
        bool text, last; /* last: the message is complete */
        enum websocket_code code;
};

/* Reads once from the connection, if what was read before is used up. False: there is nothing. */
bool websocket_fill(struct websocket *websocket);

/* Whether the connection has ended: nothing can be read any more, beside what was read before. */
bool websocket_is_at_end(const struct websocket *websocket);

/* The next of what was read, at most `most` bytes of it, which is not 0. Pings are answered. */
enum websocket_event websocket_next(struct websocket *websocket, size_t most, struct websocket_piece *out);

/* Throws away what was read, and reads no frames any more. */
void websocket_discard(struct websocket *websocket);

/* Whether so many more bytes can be queued. */
bool websocket_has_room(const struct websocket *websocket, size_t size);

/* Queue a message, a ping, or the end, behind which nothing is queued any more. What there is no room for is
 * not queued. A reason
 * is cut to what fits. */
void websocket_send(struct websocket *websocket, bool text, const void *bytes, size_t size);
void websocket_ping(struct websocket *websocket);
void websocket_close(struct websocket *websocket, enum websocket_code code, const char *reason);
bool websocket_is_closing(const struct websocket *websocket);

/* Sends what is queued. False: the connection has failed, and what was queued is dropped. */
bool websocket_flush(struct websocket *websocket);

/* Whether some of it is still to be sent. */
bool websocket_is_full(const struct websocket *websocket);
