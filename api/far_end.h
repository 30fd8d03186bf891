/* far_end.h: an owned socket as the far end of a stream that its call carries on for long: a WebSocket. */
#pragma once

#include "api/call.h"
#include "daemon/sockets/reactor.h"

/* The largest message of a socket with boundaries, and how much text says it as JSON. */
enum { FAR_END_BLOCK = REACTOR_BLOCK, FAR_END_TEXT = FAR_END_BLOCK / 3 * 4 + 8192 };

/* Set by the call's owner before it runs, but for what running sets. Has the socket for itself from then to
 * far_end_leave(), or to the call's release. */
struct far_end {
        struct tenant tenant; /* the owner's */
        bool datagrams;       /* messages go with addresses, as JSON text: {"address":A,"data":base64} */
        bool half_open;       /* the end of the peer's stream is said, and ends nothing */
        bool lent;
};

/* Lets go of the socket, if that is not done. */
void far_end_leave(struct call *call);

/* What came. */
struct arrival {
        size_t size;            /* of the bytes */
        bool end;               /* the peer sends no more */
        bool truncated;         /* the message was longer */
        struct address address; /* of the sender, where the kernel gives one */
};

/* These work on the call's socket once, and never wait: RESULT_WAIT. */
struct result far_end_receive(struct call *call, uint8_t *bytes, size_t size, struct arrival *out);
struct result far_end_send(struct call *call, const uint8_t *bytes, size_t size, size_t *sent);
struct result far_end_shut_down(struct call *call);

/* Sends one datagram of JSON text. Where it fails, but for RESULT_WAIT, *problem is text that says why, as
 * far_end_problem() makes it. */
struct result far_end_send_text(struct call *call, const char *text, size_t size, char **problem);

/* The texts that a stream says; from malloc(), the caller's, NULL without memory: what came, of a socket's
 * datagrams; why a message was not sent; and that the peer sends no more. */
char *far_end_datagram(const struct call *call, const uint8_t *bytes, const struct arrival *arrival);
char *far_end_problem(const struct result *result);
extern const char far_end_is_shut[];

/* Whether a text asks for the end of what is sent: {"shutdown":"SHUT_WR"}. */
bool far_end_asks_to_shut(const char *text, size_t size);
