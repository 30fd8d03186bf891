/* watchdog.h: tells the service manager that the daemon is alive, after trying it. */
#pragma once

#include "api/call.h"
#include "daemon/server.h"

struct watchdog;

/* Every half of the service manager's period, the watchdog sends a request through the waiter's thread and a
 * worker thread of the server, and gives the sign of life when the answer has come. NULL: nobody wants a
 * sign, or no memory (after logging that). `service` and `server` must outlive it. */
struct watchdog *watchdog_new(struct service *service, struct server *server);

/* For poll(2): what becomes readable, -1 at times; and for how long to wait at most. Accept NULL. */
int watchdog_fd(const struct watchdog *watchdog);
int watchdog_timeout_ms(const struct watchdog *watchdog);

/* To be called whenever either has happened, or more often. Accepts NULL. */
void watchdog_run(struct watchdog *watchdog);

/* To be called when the waiter has shut down and the server has stopped. Accepts NULL. */
void watchdog_free(struct watchdog *watchdog);
