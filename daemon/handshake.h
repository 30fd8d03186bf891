/* handshake.h: how a client asks for a WebSocket (RFC 6455, section 4), and what it is told. */
#pragma once

#include "api/problem.h"
#include "daemon/header.h"

enum { HANDSHAKE_ACCEPT_SIZE = 29 };

/* What was agreed on. */
struct handshake {
        char accept[HANDSHAKE_ACCEPT_SIZE]; /* made of the client's key */
        const char *protocol;               /* NULL: the client offers none */
        bool datagrams;
};

/* The subprotocols that there are. */
extern const char handshake_bytes[], handshake_datagrams[];

/* Reads the headers. False with what is wrong: its kind, the header at fault, and words for it. */
struct handshake_fault {
        enum problem_kind kind;
        const char *header, *detail;
};
bool handshake_read(const struct headers *headers, struct handshake *out, struct handshake_fault *fault);

/* The token that a browser's page, which cannot set Authorization, shows as the subprotocol "bearer.TOKEN":
 * as "Bearer TOKEN" in `out`. False: none is there, or it is too long. */
bool handshake_token(const struct headers *headers, char *out, size_t out_size);
