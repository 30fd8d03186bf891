/* browser.h: which web pages may reach the daemon through a browser, and what replies tell it. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>

#include "daemon/command_line.h"

/* The origins whose pages may call, and names that the daemon goes by, beside those it knows by itself.
 * Before threads start; the texts must live on. False after logging what is no origin or name. */
bool browser_allow(const struct text_list *origins, const struct text_list *names);

/* Whether a Host names this machine in a way that no other site can make a browser use: localhost, an
 * address, the machine's own name, or one that was allowed; with a port or without. */
bool host_is_own(const char *host);

/* Whether the page that a request came from may call: it is the daemon's own, of the very Host that the
 * request is for, or allowed. */
bool origin_is_allowed(const char *origin, const char *host, bool tls);

/* What every reply says; `origin`: that of a page that may read it, or NULL. */
void browser_add_headers(struct MHD_Response *response, const char *origin);

/* The reply to a browser that asks whether a page may send a request (CORS); NULL without memory. */
struct MHD_Response *browser_preflight(bool private_network);
