/* message.h: what tests of messages share: datagram sockets, and what a received message says. */
#pragma once

#include "tests/http/steps.h"

struct post {
        const char *id;
        int port;
};

/* A datagram socket, bound there; `options` are the items of the list. */
struct post make_udp(struct stage *stage, const char *local, const char *options);

#define FLAG(level, option) "{'level':'" level "','option':'" option "','value':true}"

/* The value of a message's first ancillary item of that type, or NULL; ancillary_at() fails the test then. */
json_t *ancillary_of(const json_t *message, const char *type);
json_t *ancillary_at(const struct reply *reply, const char *type);

bool has_flag(const json_t *message, const char *flag);

/* An abstract name of this test's own, for sockets. */
enum { GIFT_NAME_SIZE = 32 };
void gift_name(char out[static GIFT_NAME_SIZE]);

/* Sends descriptors in a message to the AF_UNIX datagram socket of that name, as another process does. */
void give(const char *name, const int *fds, size_t count);
