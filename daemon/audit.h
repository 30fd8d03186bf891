/* audit.h: one structured line for each call that may change something, and for each that was not let in. */
#pragma once

#include "api/call.h"

/* Off until then. To be called before threads start. */
void audit_enable(void);
bool audit_is_enabled(void);

/* A request that has been answered. */
struct audit {
        const struct operation *operation; /* NULL: none was found */
        const struct call *call;           /* not begun, where the request was not let in */
        const char *from;                  /* the client's address */
        int status;
        int64_t duration_us;
};

/* Logs it as one line of JSON; under systemd, to the journal with a field of its own for each member.
 * Received bytes and tokens are not among them. */
void audit_write(const struct audit *audit);
