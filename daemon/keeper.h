/* keeper.h: a service manager of one service: `sockwrightd --keeper` starts the daemon, keeps what it hands
 * over when it ends, and starts it again with that. */
#pragma once

#include <stdbool.h>

/* Whether this process is the daemon that a keeper has started. To be asked at the start. */
bool keeper_is_above(void);

/* Runs the daemon of that command line until a signal to stop comes. Returns the exit status. */
int keeper_run(char **line);
