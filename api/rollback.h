/* rollback.h: undoing what a step of a batch has done. */
#pragma once

#include "api/call.h"

/* Closes, as the caller, what a step has made, by its result in the batch: what its Location says, the
 * sockets in its body, or what came in messages. What is gone already is left alone. */
void rollback_result(struct service *service, const struct caller *caller, const json_t *result);
