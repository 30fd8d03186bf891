/* kept.h: a daemon under a keeper: which process it is, and how it comes back. */
#pragma once

#include "tests/http/steps.h"

/* The daemon that the keeper has started; 0: there is none at the moment. */
pid_t kept_daemon(const struct daemon *keeper);

/* The holder of the daemon that there is; waits until it is there. */
pid_t kept_holder(const struct daemon *keeper);

/* Waits for another process than `before` (0: any), and returns it. */
pid_t kept_await(const struct daemon *keeper, pid_t before);

/* Waits until the daemon answers. */
void kept_await_ready(struct stage *stage);

/* Sends the daemon a signal, and returns when there is another one that answers. */
void kept_end(struct stage *stage, int signal);

/* Waits until the log has this text. */
void kept_await_said(const struct daemon *keeper, const char *text);

/* What a GET answers, without what differs each time; and a look whether that is the same, which frees both.
 */
json_t *kept_list(struct stage *stage, const char *path);
void kept_expect_same(json_t *before, json_t *after);
