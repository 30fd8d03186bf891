/* follower.h: a client that follows the daemon's events as a stream, one frame after the other. */
#pragma once

#include "tests/http/suite.h"

struct follower;

/* One frame of the stream: what it does not say is "" or NULL. */
struct frame {
        char id[32], event[32], comment[32];
        json_t *data;
};

/* Follows `/v1/events` with a query ("" or "?…"), by the stage's client; `header` (NULL: none) is one more.
 * The frame at the beginning has been read. Fails the test when there is no stream. End with
 * follower_close(). */
struct follower *follow(struct stage *stage, const char *query, const char *header);
void follower_close(struct follower *follower);

/* The frame at the beginning: the number that events go on from. */
const char *follower_start(const struct follower *follower);

/* The next frame, within 30 s; it lives until the next call. NULL: the stream has ended. */
const struct frame *hear_any(struct follower *follower);

/* The next one that is an event, or a gap; the stream must go on. */
const struct frame *hear_event(struct follower *follower);

/* The same, which must be of this kind and, unless NULL, this socket. */
const struct frame *hear(struct follower *follower, const char *kind, const char *id);
