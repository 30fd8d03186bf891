/* feed.h: the thread that writes events to all who follow them. */
#pragma once

#include "daemon/reader.h"

struct feed;

/* The registry must outlive it. Who gets nothing else for `heartbeat_ns` gets a sign of life. NULL after
 * logging why. */
struct feed *feed_start(const struct registry *registry, int64_t heartbeat_ns);

/* Hands a reader over until its end. False: the feed has been shut down, and the reader is the caller's. */
bool feed_add(struct feed *feed, struct reader *reader);

/* Ends all readers, now and from now on. */
void feed_shut_down(struct feed *feed);

/* Stops the thread, when no reader is left. Accepts NULL. */
void feed_stop(struct feed *feed);
