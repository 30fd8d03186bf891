/* stream.h: WebSockets that are an owned socket's user: what clients send goes into the socket, and what
 * comes out of it goes to them. One thread with an epoll of its own does all of them. */
#pragma once

#include "api/call.h"

struct stream;
struct streams;

/* Starts the thread. Clients that say nothing for so long are pinged, and given up when they do not answer
 * within as long again. NULL after logging why. */
struct streams *streams_start(int64_t ping_ns);

/* Has all streams closed, now and from now on: clients have a little while to answer. */
void streams_shut_down(struct streams *streams);

/* Ends those that are left, and the thread; what is begun after that ends at once. Accepts NULL. */
void streams_stop(struct streams *streams);

/* Once nothing can be begun any more. Accepts NULL. */
void streams_free(struct streams *streams);

/* For a call that is to become a stream, which must outlive it: the call's far end is set. NULL without
 * memory.
 */
struct stream *stream_new(struct streams *streams, struct call *call, bool datagrams);

/* One that was not begun. Accepts NULL. */
void stream_free(struct stream *stream);

/* What a stream is begun with. The descriptors stay the connection's until `end` is called, once, when the
 * stream has ended and is freed; on any thread. That may be before stream_begin() returns. */
struct stream_connection {
        int fd;        /* where the WebSocket is spoken */
        int client_fd; /* the client's own, where that is another one: its end is only seen there; or -1 */
        const void *early;
        size_t early_size; /* what came behind the handshake */
        void (*end)(void *context);
        void *context;
};
void stream_begin(struct stream *stream, const struct stream_connection *connection);
