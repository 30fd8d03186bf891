/* session_object.h: what is said of a session. */
#pragma once

#include "api/call.h"
#include "api/record.h"

/* Texts are in the call's arena or the session's own, and live no longer than both. */
void session_describe(struct call *call, const struct session *session, struct session_object *out);
