/* stream_turn.h: one stream, for stream*.c alone. */
#pragma once

#include <pthread.h>

#include "api/far_end.h"
#include "daemon/stream.h"
#include "daemon/websocket.h"

/* A descriptor in the epoll, with the events that it is there for. */
struct stream_entry {
        struct stream *stream;
        int fd;
        bool there;
        uint32_t events;
};

enum stream_state {
        STREAM_OPEN,
        STREAM_CLOSING,  /* we close, and wait for the client to do so too */
        STREAM_ENDING,   /* nothing comes from the client any more: what came is delivered */
        STREAM_DRAINING, /* all is said: what the client sends is thrown away until it ends */
        STREAM_ENDED,
};

struct stream {
        struct streams *streams;
        struct call *call;
        struct far_end far_end;
        struct stream_connection connection;
        struct websocket *websocket;
        enum stream_state state;
        bool keeps_boundaries;
        bool peer_ended; /* the socket gives no more */
        bool again;      /* there is more to do than one turn does */
        bool hung_up;    /* the client has gone: what it sent is only read to its end */
        bool unwatched;  /* the connection has left the epoll for good */
        /* To a client that closes, once all is delivered. */
        bool answers;
        enum websocket_code answer;
        const char *reason;
        bool heard, pinged; /* of the client, since it was last looked at; and that it was asked then */
        int64_t due_ns;     /* when it is looked at next; or, in other states than open, is ended */

        /* On the way to the socket: bytes of a stream, or one message, `ready` when it is whole. */
        uint8_t *in;
        size_t in_start, in_size;
        bool ready;
        /* A text among bytes, which can only ask for the end of what is sent. */
        char text[64];
        size_t text_size;
        bool shuts, shut;

        struct stream_entry client, peer, witness; /* witness: connection.client_fd */
        pthread_mutex_t lock;                      /* guards what follows, and peer's place in the epoll */
        bool evicted;

        struct stream *next;
};

/* With room beyond the longest message, so that its end can be read. */
enum { STREAM_IN_SIZE = FAR_END_TEXT + 1 };

/* Some work, and then others have their turn. `scratch` has FAR_END_BLOCK bytes. */
void stream_turn(struct stream *stream, uint8_t *scratch);

/* Closes with a code and reason; the client has a while to answer. */
void stream_close(struct stream *stream, enum websocket_code code, const char *reason);

/* Gives the socket back, which others may take from then on: it has left the epoll before. */
void stream_let_go(struct stream *stream);

/* What the stream waits for: events of the connection and of the socket. */
uint32_t stream_client_events(const struct stream *stream);
uint32_t stream_peer_events(const struct stream *stream);

/* The connection has ended, or failed: what is there of it is read, if that comes soon. */
void stream_hang_up(struct stream *stream);

/* Does what is due at stream->due_ns. */
void stream_run_due(struct stream *stream, int64_t ping_ns);
