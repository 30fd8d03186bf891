/* admission.c: whether a request may be looked at, and who asks. */
#include <stdlib.h>
#include <string.h>

#include "daemon/browser.h"
#include "daemon/exchange.h"
#include "daemon/handshake.h"
#include "daemon/tls.h"

enum { TOKEN_HEADER_SIZE = 512 };

void request_fail(struct request *request, enum problem_kind kind, const char *parameter, const char *detail)
{
        if (request->problem == NULL)
                request->problem = calloc(1, sizeof *request->problem);
        if (request->problem != NULL)
                problem_set(request->problem, kind, parameter, "%s", detail);
        request->stage = STAGE_DISCARD;
}

bool request_is_local(const struct request *request)
{
        const union MHD_ConnectionInfo *const info =
                MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        return info != NULL && info->client_addr != NULL && info->client_addr->sa_family == AF_UNIX;
}

int request_client_fd(const struct request *request)
{
        const union MHD_ConnectionInfo *const info =
                MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        return info == NULL ? -1 : info->connect_fd;
}

gnutls_session_t connection_tls_session(struct MHD_Connection *connection)
{
        const union MHD_ConnectionInfo *const info =
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        return info == NULL ? NULL : info->tls_session;
}

static bool spend(struct request *request)
{
        int64_t wait_ns;
        if (account_admit(request->call.caller.account, request->started_ns, &wait_ns))
                return true;
        request->retry_after_s = 1 + wait_ns / REQUEST_NS_PER_S;
        request_fail(request, PROBLEM_QUOTA, NULL, account_over_rate);
        return false;
}

/* Returns false. */
static bool refuse_anonymous(struct request *request)
{
        request_fail(request, PROBLEM_UNAUTHORIZED, NULL, "Show a token: Authorization: Bearer TOKEN");
        return false;
}

/* Finds out who asks. Outside of /v1, that is the operation's business. */
static bool identify(struct request *request)
{
        gnutls_session_t session = connection_tls_session(request->connection);
        char name[ACCOUNT_NAME_SIZE], token[TOKEN_HEADER_SIZE];
        const bool certified = session != NULL && tls_peer_name(session, name, sizeof name);
        const char *authorization = request->headers.values[HEADER_AUTHORIZATION];
        if (authorization == NULL && handshake_token(&request->headers, token, sizeof token))
                authorization = token;
        const struct introduction introduction = { .authorization = authorization,
                .certificate = certified ? name : NULL,
                .unix_fd = request_is_local(request) ? request_client_fd(request) : -1 };
        if (access_identify(request->server->access, &introduction, &request->call.caller))
                return spend(request);
        request->anonymous = true;
        return strncmp(request->path, "/v1", 3) != 0 || refuse_anonymous(request);
}

/* A browser says which page a request came from; one that asks before it sends shows no token. */
static bool admit_page(struct request *request)
{
        const char *const origin = request->headers.values[HEADER_ORIGIN];
        if (origin == NULL)
                return true;
        if (!origin_is_allowed(origin, request->headers.values[HEADER_HOST],
                    connection_tls_session(request->connection) != NULL)) {
                request_fail(request, PROBLEM_FORBIDDEN, "Origin",
                        "Pages of this origin may not call the daemon: --allow-origin lets them.");
                return false;
        }
        request->for_page = true;
        request->preflight = strcmp(request->method, "OPTIONS") == 0 &&
                             request->headers.values[HEADER_REQUEST_METHOD] != NULL;
        if (request->preflight)
                request->stage = STAGE_DISCARD;
        return true;
}

bool request_admit(struct request *request, bool sound_target)
{
        if (!sound_target)
                request->headers.fault =
                        "the target is no path, or has a percent sign without two hexadecimal digits, or a "
                        "control character";
        if (request->headers.fault != NULL) {
                request_fail(request, PROBLEM_UNSOUND_REQUEST, NULL, request->headers.fault);
                request->early = true;
                return false;
        }
        if (!request_is_local(request) && !host_is_own(request->headers.values[HEADER_HOST])) {
                request_fail(request, PROBLEM_FORBIDDEN, "Host",
                        "The daemon goes by localhost, its addresses, the machine's own name, and --host.");
                return false;
        }
        return admit_page(request) && !request->preflight && identify(request);
}

bool request_permit(struct request *request)
{
        const enum role role = request->route.operation->role;
        if (request->anonymous && role != ROLE_ANYONE)
                return refuse_anonymous(request);
        if (role != ROLE_OPERATE || request->call.caller.operates)
                return true;
        request_fail(request, PROBLEM_FORBIDDEN, NULL, "This caller may only look: it has the role watch.");
        return false;
}
