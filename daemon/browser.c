/* browser.c: which web pages may reach the daemon through a browser, and what replies tell it.
 *
 * A browser lets any page send requests to any host, and says in Origin whose page it is; what it would not
 * send by itself (a token, JSON) it first asks for with OPTIONS, a preflight. */
#include "daemon/browser.h"

#include <arpa/inet.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "daemon/log.h"

static const struct text_list *allowed_origins, *own_names;

static const struct {
        const char *name, *value;
} headers_of_all[] = {
        { "X-Content-Type-Options", "nosniff" },
        { "Referrer-Policy", "no-referrer" },
}, headers_of_allowed[] = {
        { "Vary", "Origin" },
        { "Access-Control-Expose-Headers", "Location, Sockwright-Reply, Retry-After, Allow, Idempotency-Replayed" },
}, headers_of_preflight[] = {
        { "Access-Control-Allow-Methods", "GET, POST, PUT, DELETE" },
        { "Access-Control-Allow-Headers", "Authorization, Content-Type, Accept, Idempotency-Key, Last-Event-ID" },
        { "Access-Control-Max-Age", "600" },
};

static const char digits[] = "0123456789";
static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

/* "https://dash.example:8443": as browsers send it, with nothing behind it. */
static bool is_origin(const char *text)
{
        const char *const host = strstr(text, "://");
        if (host == NULL || host == text || strspn(text, letters) != (size_t)(host - text))
                return false;
        const size_t size = host[3] == '[' ? strcspn(host + 3, "]") + 1 : strspn(host + 3, letters);
        if (size == 0 || memchr(host + 3, '\0', size) != NULL)
                return false;
        const char *const port = host + 3 + size;
        return *port == '\0' ||
               (*port == ':' && port[1] != '\0' && port[1 + strspn(port + 1, digits)] == '\0');
}

static bool is_listed(const struct text_list *list, const char *text)
{
        for (size_t i = 0; list != NULL && i < list->count; i++)
                if (strcasecmp(list->items[i], text) == 0)
                        return true;
        return false;
}

bool browser_allow(const struct text_list *origins, const struct text_list *names)
{
        for (size_t i = 0; i < origins->count; i++)
                if (!is_origin(origins->items[i])) {
                        log_write(LOG_LEVEL_ERROR,
                                "--allow-origin %s: must be SCHEME://HOST or SCHEME://HOST:PORT",
                                origins->items[i]);
                        return false;
                }
        for (size_t i = 0; i < names->count; i++)
                if (names->items[i][strspn(names->items[i], letters)] != '\0') {
                        log_write(LOG_LEVEL_ERROR, "--host %s: must be a name, without a port",
                                names->items[i]);
                        return false;
                }
        allowed_origins = origins;
        own_names = names;
        return true;
}

/* The name without its port and an IPv6 address' brackets; false when it is too long or has none. */
static bool host_name(const char *host, char *out, size_t out_size)
{
        const bool bracketed = host[0] == '[';
        const size_t size = bracketed ? strcspn(host, "]") : strcspn(host, ":");
        const char *const rest = host + size + (bracketed && host[size] == ']');
        const char *const port = rest[0] == ':' ? rest + 1 : rest;
        if (size >= out_size || size <= (size_t)bracketed || (bracketed && host[size] != ']') ||
                (rest[0] != ':' && rest[0] != '\0'))
                return false;
        memcpy(out, host + bracketed, size - bracketed);
        out[size - bracketed] = '\0';
        return port[strspn(port, digits)] == '\0';
}

bool host_is_own(const char *host)
{
        char name[256], own[HOST_NAME_MAX + 1] = "";
        unsigned char address[sizeof(struct in6_addr)];
        if (host == NULL || !host_name(host, name, sizeof name))
                return false;
        if (host[0] == '[')
                return inet_pton(AF_INET6, name, address) == 1;
        if (strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, address) == 1)
                return true;
        gethostname(own, sizeof own);
        return strcasecmp(name, own) == 0 || is_listed(own_names, name);
}

bool origin_is_allowed(const char *origin, const char *host, bool tls)
{
        const char *const scheme = tls ? "https://" : "http://";
        if (host_is_own(host) && strncasecmp(origin, scheme, strlen(scheme)) == 0 &&
                strcasecmp(origin + strlen(scheme), host) == 0)
                return true;
        return is_listed(allowed_origins, origin);
}

void browser_add_headers(struct MHD_Response *response, const char *origin)
{
        for (size_t i = 0; i < sizeof headers_of_all / sizeof *headers_of_all; i++)
                MHD_add_response_header(response, headers_of_all[i].name, headers_of_all[i].value);
        if (origin == NULL)
                return;
        MHD_add_response_header(response, "Access-Control-Allow-Origin", origin);
        for (size_t i = 0; i < sizeof headers_of_allowed / sizeof *headers_of_allowed; i++)
                MHD_add_response_header(response, headers_of_allowed[i].name, headers_of_allowed[i].value);
}

struct MHD_Response *browser_preflight(bool private_network)
{
        struct MHD_Response *const response =
                MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        if (response == NULL)
                return NULL;
        for (size_t i = 0; i < sizeof headers_of_preflight / sizeof *headers_of_preflight; i++)
                MHD_add_response_header(
                        response, headers_of_preflight[i].name, headers_of_preflight[i].value);
        if (private_network)
                MHD_add_response_header(response, "Access-Control-Allow-Private-Network", "true");
        return response;
}
