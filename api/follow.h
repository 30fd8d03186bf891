/* follow.h: events for those who follow them: which they want, from where on, and each as JSON. */
#pragma once

#include "api/call.h"
#include "api/print.h"
#include "daemon/sockets/event.h"

/* Whether a call, once decoded, asks for a stream of events rather than for a list. `accept`: what its caller
 * accepts, or NULL. */
bool call_follows(const struct call *call, const char *accept);

/* Which events a decoded call asks for, the last one before them, and how many are lost already; `last_id` is
 * what a caller who comes again has seen last, or NULL. RESULT_UNSOUND names what is wrong. */
struct result call_follow(
        struct call *call, const char *last_id, struct event_filter *filter, uint64_t *after, uint64_t *lost);

/* What an event says. */
extern const struct fields event_object_fields;

/* An event as a JSON object on one line. */
void event_print(struct print *print, const struct registry *registry, const struct event *event);
