/* greeting.h: what the daemon prints once it listens. */
#pragma once

#include "daemon/listener.h"

/* Prints a line per listener, and what to paste: a call, and the page's address. The token itself is not
 * said, but where it is: standard output may go to a log. */
void greeting_print(const struct listener *listeners, size_t count, const struct configuration *configuration,
        const char *token_file);
