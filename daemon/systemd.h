/* systemd.h: what the service manager and the daemon tell each other. Without one, nothing is said or found.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/takeover.h"

/* Takes the listening sockets that were passed (sd_listen_fds(3)), and sets aside what was kept for an
 * earlier daemon. False after logging which is none that the daemon can serve on. Called once, before threads
 * start. */
bool systemd_take_listeners(struct listener *listeners, size_t capacity, size_t *count, struct estate *estate,
        const struct configuration *configuration);

/* Where a credential of that name, or a file in the service's state directory, stands. False: there is none,
 * and *out is untouched. */
bool systemd_find_credential(const char *name, char *out, size_t out_size);
bool systemd_find_state(const char *name, char *out, size_t out_size);

/* How long the service manager waits for the next sign of life; 0: it does not. */
uint64_t systemd_watchdog_us(void);

/* What the daemon is about, in the words of sd_notify(3). */
void systemd_say(const char *state);

/* Has the service manager's store forget what it keeps under that name. */
void systemd_forget(const char *name);

/* Waits until all that was said so far has been heard, or for a while. */
void systemd_settle(void);
