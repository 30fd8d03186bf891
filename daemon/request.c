/* request.c: one HTTP request, from its headers to its reply.
 *
 * libmicrohttpd calls request_on_data() several times for one request: once with its headers, then for each
 * piece of its body, then once more at its end, and again after each time that the connection was suspended.
 * What is to happen next stands in request->stage. No stage blocks: a call that must wait suspends the
 * connection, and the waiter resumes it.
 *
 * A reply can only be queued right after the headers or at the body's end, so a request that has failed in
 * between goes through STAGE_DISCARD until its body has ended. */
#include "daemon/request.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/route.h"
#include "daemon/audit.h"
#include "daemon/browser.h"
#include "daemon/deadline.h"
#include "daemon/header.h"
#include "daemon/log.h"

enum { STREAM_BLOCK_SIZE = 65536 };

/* So much and for so long is a body read that nobody wants: clients see the reply once they have sent all. */
enum { DISCARD_MAX_SIZE = 64 << 20 };
static const int64_t DISCARD_MAX_NS = 10000000000, NS_PER_S = 1000000000;

/* A request's state until it has one of its own, when its target is unsound. */
static char unsound_target;

enum stage {
        STAGE_JSON,    /* collect the body, as JSON */
        STAGE_RAW,     /* collect the body, as payload */
        STAGE_STREAM,  /* send the body on as it comes */
        STAGE_DISCARD, /* it has failed: read on to the body's end */
        STAGE_RUN,     /* the body has ended: run the call, again after each wait */
        STAGE_REPLIED,
};

struct request {
        struct server *server;
        struct MHD_Connection *connection;
        struct route route;
        struct headers headers;
        struct call call;
        struct problem *problem; /* what is wrong before there is a call, from malloc() */
        enum stage stage;
        bool early;                /* the reply goes out before the body has come */
        bool preflight;            /* a browser asks what a page may do */
        bool for_page;             /* a page of another origin may read the reply */
        struct deadline *deadline; /* the connection's */
        size_t progress;           /* of the body, since the deadline was moved */
        char *body;
        size_t size, capacity;
        int64_t started_ns, discard_until_ns;
        int64_t retry_after_s;     /* 0: not said */
        int status;                /* of the reply, for the log */
        const char *method, *path; /* the library's; path without escapes and query */
};

static void suspend(struct call *call)
{
        struct request *const request = (struct request *)((char *)call - offsetof(struct request, call));
        MHD_suspend_connection(request->connection);
}

static void resume(struct call *call)
{
        struct request *const request = (struct request *)((char *)call - offsetof(struct request, call));
        MHD_resume_connection(request->connection);
}

/* Makes the request one that has failed; its reply comes when it can be queued. */
static void fail(struct request *request, enum problem_kind kind, const char *parameter, const char *detail)
{
        if (request->problem == NULL)
                request->problem = calloc(1, sizeof *request->problem);
        if (request->problem != NULL)
                problem_set(request->problem, kind, parameter, "%s", detail);
        request->stage = STAGE_DISCARD;
}

static bool is_local(const struct request *request)
{
        const union MHD_ConnectionInfo *const info =
                MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        return info != NULL && info->client_addr != NULL && info->client_addr->sa_family == AF_UNIX;
}

static int client_fd(const struct request *request)
{
        const union MHD_ConnectionInfo *const info =
                MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        return info == NULL ? -1 : info->connect_fd;
}

/* NULL: the connection is not encrypted. */
static gnutls_session_t tls_session(struct MHD_Connection *connection)
{
        const union MHD_ConnectionInfo *const info =
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        return info == NULL ? NULL : info->tls_session;
}

static bool has_body(const struct request *request)
{
        const char *const length = request->headers.values[HEADER_CONTENT_LENGTH];
        return request->headers.values[HEADER_TRANSFER_ENCODING] != NULL ||
               (length != NULL && strcmp(length, "0") != 0);
}

/* 0 when it is not said beforehand. libmicrohttpd has checked that it is a number. */
static uint64_t announced_size(const struct request *request)
{
        const char *const length = request->headers.values[HEADER_CONTENT_LENGTH];
        return length == NULL ? 0 : strtoull(length, NULL, 10);
}

static enum MHD_Result add_query(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
        const char *value, size_t value_size)
{
        struct request *const request = context;
        (void)kind;
        if (strlen(name) != name_size) {
                call_unsound(&request->call, "query", "a parameter's name holds a NUL byte");
                return MHD_NO;
        }
        return call_add_query(&request->call, name, value, value_size) ? MHD_YES : MHD_NO;
}

static bool is_tls(const struct request *request)
{
        return MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_PROTOCOL) != NULL;
}

/* The client is due with the next of its body; streams may pause. */
static void expect_body(struct request *request)
{
        request->progress = 0;
        deadline_set(request->deadline,
                request->stage == STAGE_STREAM ? DEADLINE_NONE : now_ns() + BODY_TIMEOUT_S * NS_PER_S);
}

/* The call's parameters from the query string; false when the request is unsound. */
static bool begin_call(struct request *request)
{
        struct call *const call = &request->call;
        call->suspend = suspend;
        call->resume = resume;
        call->client_fd = client_fd(request);
        call->client_is_local = is_local(request);
        call->raw_reply = media_is(request->headers.values[HEADER_ACCEPT], "application/octet-stream");
        if (!call_begin(call, request->server->service, request->route.operation, request->route.id))
                return false;
        MHD_get_connection_values_n(request->connection, MHD_GET_ARGUMENT_KIND, add_query, request);
        return call->problem == NULL;
}

/* Which stage takes the body, by its media type. A body without one is raw where there is a payload to fill.
 */
static bool choose_stage(struct request *request)
{
        const char *const media = request->headers.values[HEADER_CONTENT_TYPE];
        const struct operation *const operation = request->route.operation;
        const bool raw = media == NULL ? operation->method == METHOD_PUT || has_body(request)
                                       : media_is(media, "application/octet-stream");
        request->stage = raw ? STAGE_RAW : STAGE_JSON;
        if (raw)
                return fields_payload(operation->request) != NULL;
        return !has_body(request) || (operation->method != METHOD_PUT && media_is(media, "application/json"));
}

/* A live source may pause for longer than a connection may be silent otherwise; 0: for ever. */
static void set_idle_timeout(struct request *request, unsigned timeout_s)
{
        MHD_set_connection_option(request->connection, MHD_CONNECTION_OPTION_TIMEOUT, timeout_s);
}

static bool spend(struct request *request)
{
        int64_t wait_ns;
        if (account_admit(request->call.caller.account, request->started_ns, &wait_ns))
                return true;
        request->retry_after_s = 1 + wait_ns / NS_PER_S;
        fail(request, PROBLEM_QUOTA, NULL, "There are more requests per second than there may be.");
        return false;
}

/* Finds out who asks. Outside of /v1, that is everybody's own business. */
static bool identify(struct request *request)
{
        gnutls_session_t const session = tls_session(request->connection);
        char name[ACCOUNT_NAME_SIZE];
        const bool certified = session != NULL && tls_peer_name(session, name, sizeof name);
        const struct introduction introduction = { .authorization =
                                                           request->headers.values[HEADER_AUTHORIZATION],
                .certificate = certified ? name : NULL,
                .unix_fd = is_local(request) ? client_fd(request) : -1 };
        if (access_identify(request->server->access, &introduction, &request->call.caller))
                return spend(request);
        if (strncmp(request->path, "/v1", 3) != 0)
                return true;
        fail(request, PROBLEM_UNAUTHORIZED, NULL, "Show a token: Authorization: Bearer TOKEN");
        return false;
}

/* A browser says which page a request came from; one that asks before it sends shows no token. */
static bool admit_page(struct request *request)
{
        const char *const origin = request->headers.values[HEADER_ORIGIN];
        if (origin == NULL)
                return true;
        if (!origin_is_allowed(origin, request->headers.values[HEADER_HOST], is_tls(request))) {
                fail(request, PROBLEM_FORBIDDEN, "Origin",
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

/* Whether the request may be looked at: it is one beyond doubt, meant for this daemon, and from somebody who
 * may. */
static bool admit(struct request *request, bool sound_target)
{
        if (!sound_target)
                request->headers.fault =
                        "the target is no path, or has a percent sign without two hexadecimal digits, or a "
                        "control character";
        if (request->headers.fault != NULL) {
                fail(request, PROBLEM_UNSOUND_REQUEST, NULL, request->headers.fault);
                request->early = true;
                return false;
        }
        if (!is_local(request) && !host_is_own(request->headers.values[HEADER_HOST])) {
                fail(request, PROBLEM_FORBIDDEN, "Host",
                        "The daemon goes by localhost, its addresses, the machine's own name, and --host.");
                return false;
        }
        return admit_page(request) && !request->preflight && identify(request);
}

/* Whether the operation is for this caller. */
static bool permit(struct request *request)
{
        if (request->route.operation->role != ROLE_OPERATE || request->call.caller.operates)
                return true;
        fail(request, PROBLEM_FORBIDDEN, NULL, "This caller may only look: it has the role watch.");
        return false;
}

/* Begins the call of a request that was admitted, and chooses what becomes of its body. */
static void start(struct request *request)
{
        if (!choose_stage(request)) {
                fail(request, PROBLEM_UNSUPPORTED_MEDIA, "Content-Type",
                        "The body must be application/json (curl --json), or application/octet-stream where "
                        "it is a payload.");
        } else if (!begin_call(request)) {
                request->stage = STAGE_DISCARD;
        } else if (request->stage == STAGE_RAW && call_streams_in(&request->call)) {
                request->call.streamed = true;
                request->stage = call_decode(&request->call) ? STAGE_STREAM : STAGE_DISCARD;
                if (request->stage == STAGE_STREAM)
                        set_idle_timeout(request, 0);
        } else if (announced_size(request) > request->server->service->max_body_size) {
                fail(request, PROBLEM_TOO_LARGE, "body", "The body is longer than --max-body allows.");
        }
}

static bool route(struct request *request, const char *method, const char *path)
{
        struct problem problem = { 0 };
        if (route_find(method, path, &request->route, &problem))
                return true;
        fail(request, problem.kind, problem.parameter, problem.detail);
        return false;
}

static struct request *request_new(
        struct server *server, struct MHD_Connection *connection, const char *method, const char *path)
{
        struct request *const request = calloc(1, sizeof *request);
        if (request == NULL)
                return NULL;
        request->server = server;
        atomic_fetch_add_explicit(&server->requests, 1, memory_order_relaxed);
        request->connection = connection;
        request->method = method;
        request->started_ns = now_ns();
        request->path = path;
        const struct connection *const context =
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
        request->deadline = context == NULL ? NULL : context->deadline;
        return request;
}

static void log_request(const struct request *request)
{
        const char *const name = request->call.operation == NULL ? NULL : call_errno_name(&request->call);
        log_write(LOG_LEVEL_INFO, "%s %s %d %s %lld us", request->method, request->path, request->status,
                name == NULL ? "-" : name, (long long)((now_ns() - request->started_ns) / 1000));
}

/* "127.0.0.1:5555", or "unix". */
static const char *client_address(const struct request *request, char *out, size_t out_size)
{
        const union MHD_ConnectionInfo *const info =
                MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        struct address address = { .given = true };
        if (info == NULL || info->client_addr == NULL || info->client_addr->sa_family == AF_UNIX)
                return "unix";
        address.size = info->client_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                                               : sizeof(struct sockaddr_in6);
        memcpy(&address.storage, info->client_addr, address.size);
        return address_format(&address, out, out_size);
}

static void audit_request(const struct request *request)
{
        char from[ADDRESS_TEXT_SIZE];
        audit_write(&(struct audit){ .operation = request->route.operation,
                .call = &request->call,
                .from = client_address(request, from, sizeof from),
                .status = request->status,
                .duration_us = (now_ns() - request->started_ns) / 1000 });
}

void request_on_completed(void *context, struct MHD_Connection *connection, void **state,
        enum MHD_RequestTerminationCode termination)
{
        struct request *const request = *state;
        (void)context;
        (void)connection;
        (void)termination;
        if (request == NULL || *state == &unsound_target)
                return;
        if (log_wants(LOG_LEVEL_INFO))
                log_request(request);
        if (audit_is_enabled())
                audit_request(request);
        if (request->call.streamed)
                set_idle_timeout(request, IDLE_TIMEOUT_S);
        deadline_set(request->deadline, now_ns() + (IDLE_TIMEOUT_S + HEADER_TIMEOUT_S) * NS_PER_S);
        atomic_fetch_sub_explicit(&request->server->requests, 1, memory_order_relaxed);
        call_release(&request->call);
        if (request->problem != NULL)
                json_decref(request->problem->extra);
        free(request->problem);
        free(request->body);
        free(request);
        *state = NULL;
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
        if (value != NULL && value[0] != '\0')
                MHD_add_response_header(response, name, value);
}

static enum MHD_Result queue(struct request *request, int status, struct MHD_Response *response)
{
        if (response == NULL)
                return MHD_NO;
        /* Where chunks end is what servers most disagree on: nothing is taken from behind them. */
        if (request->early || request->headers.values[HEADER_TRANSFER_ENCODING] != NULL ||
                request->server->service->shutting_down)
                add_header(response, "Connection", "close");
        browser_add_headers(response, request->for_page ? request->headers.values[HEADER_ORIGIN] : NULL);
        const enum MHD_Result result = MHD_queue_response(request->connection, (unsigned)status, response);
        MHD_destroy_response(response);
        request->status = status;
        request->stage = STAGE_REPLIED;
        return result;
}

static enum MHD_Result reply(struct request *request)
{
        struct call_reply reply;
        if (request->preflight)
                return queue(request, 204,
                        browser_preflight(request->headers.values[HEADER_REQUEST_NETWORK] != NULL));
        const bool made = request->problem != NULL
                                  ? problem_reply(request->problem, request->started_ns, &reply)
                                  : call_reply(&request->call, &reply);
        if (!made)
                return MHD_NO;
        struct MHD_Response *const response =
                MHD_create_response_from_buffer(reply.size, reply.body, MHD_RESPMEM_MUST_FREE);
        if (response == NULL) {
                free(reply.body);
                free(reply.members);
                return MHD_NO;
        }
        add_header(response, "Content-Type", reply.media);
        add_header(response, "Location", reply.location);
        add_header(response, "Sockwright-Reply", reply.members);
        free(reply.members);
        if (request->retry_after_s > 0) {
                char seconds[24];
                snprintf(seconds, sizeof seconds, "%lld", (long long)request->retry_after_s);
                add_header(response, "Retry-After", seconds);
        }
        if (reply.status == 401)
                add_header(response, "WWW-Authenticate", "Bearer");
        if (reply.status == 405)
                add_header(response, "Allow", request->route.allow);
        return queue(request, reply.status, response);
}

/* Fills the library's buffer from the socket; the connection is suspended while there is nothing. */
static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t size)
{
        struct request *const request = context;
        size_t used;
        (void)position;
        if (call_receive_piece(&request->call, (uint8_t *)buffer, size, &used) == CALL_PARKED)
                return 0;
        /* A reply cut short is how the client learns that the stream failed after the reply had begun. */
        if (request->call.result.kind != RESULT_DONE)
                return MHD_CONTENT_READER_END_WITH_ERROR;
        return used > 0 ? (ssize_t)used : MHD_CONTENT_READER_END_OF_STREAM;
}

static enum MHD_Result reply_stream(struct request *request)
{
        set_idle_timeout(request, 0);
        struct MHD_Response *const response = MHD_create_response_from_callback(
                call_stream_size(&request->call), STREAM_BLOCK_SIZE, read_stream, request, NULL);
        if (response != NULL)
                add_header(response, "Content-Type", "application/octet-stream");
        return queue(request, 200, response);
}

/* Waits until the socket has something to say, so that an error can still be a problem; then the stream
 * begins. */
static enum MHD_Result run_stream_out(struct request *request)
{
        size_t used;
        if (call_receive_piece(&request->call, NULL, 0, &used) == CALL_PARKED)
                return MHD_YES;
        return request->call.result.kind == RESULT_DONE ? reply_stream(request) : reply(request);
}

/* The body has ended: its bytes become the call's parameters. */
static bool finish_body(struct request *request)
{
        struct call *const call = &request->call;
        if (request->stage == STAGE_RAW && !call_add_raw(call, (const uint8_t *)request->body, request->size))
                return false;
        if (request->stage == STAGE_JSON && request->size > 0 &&
                !call_add_json(call, request->body, request->size))
                return false;
        return call_decode(call);
}

static enum MHD_Result run(struct request *request)
{
        struct call *const call = &request->call;
        if (call->streamed)
                return run_stream_out(request);
        return call_run(call) == CALL_PARKED ? MHD_YES : reply(request);
}

static enum MHD_Result end_body(struct request *request)
{
        size_t used;
        deadline_set(request->deadline, DEADLINE_NONE);
        /* An empty body is sent too: the kernel may have something to say to that. */
        if (request->stage == STAGE_STREAM && request->size == 0 &&
                call_send_piece(&request->call, (const uint8_t *)"", 0, &used) == CALL_PARKED)
                return MHD_YES;
        if (request->stage == STAGE_DISCARD || request->stage == STAGE_STREAM)
                return reply(request);
        if (!finish_body(request))
                return reply(request);
        request->stage = STAGE_RUN;
        request->call.streamed = call_streams_out(&request->call);
        return run(request);
}

static bool collect(struct request *request, const char *bytes, size_t size)
{
        const size_t limit = request->server->service->max_body_size;
        if (size > limit - request->size) {
                fail(request, PROBLEM_TOO_LARGE, "body", "The body is longer than --max-body allows.");
                return true;
        }
        if (request->size + size > request->capacity) {
                const uint64_t announced = announced_size(request);
                size_t capacity = request->capacity * 2 > request->size + size ? request->capacity * 2
                                                                               : request->size + size;
                if (announced > request->size && announced <= limit)
                        capacity = announced;
                if (!call_hold(&request->call, capacity - request->capacity)) {
                        request->stage = STAGE_DISCARD;
                        return true;
                }
                char *const body = realloc(request->body, capacity);
                if (body == NULL)
                        return false;
                request->body = body;
                request->capacity = capacity;
        }
        memcpy(request->body + request->size, bytes, size);
        request->size += size;
        return true;
}

/* Sends what came of the body. What is left in *size is kept by the library until the connection is resumed.
 */
static void stream_body(struct request *request, const char *bytes, size_t *size)
{
        while (*size > 0 && request->stage == STAGE_STREAM) {
                size_t used;
                if (call_send_piece(&request->call, (const uint8_t *)bytes, *size, &used) == CALL_PARKED)
                        return;
                bytes += used;
                *size -= used;
                if (request->call.result.kind != RESULT_DONE) {
                        request->stage = STAGE_DISCARD;
                        set_idle_timeout(request, IDLE_TIMEOUT_S);
                        expect_body(request);
                }
                request->size += used;
        }
        *size = 0;
}

/* Reads on to the body's end, if that comes soon. */
static enum MHD_Result discard_body(struct request *request)
{
        const int64_t now = now_ns();
        if (request->discard_until_ns == 0)
                request->discard_until_ns = now + DISCARD_MAX_NS;
        return now < request->discard_until_ns ? MHD_YES : MHD_NO;
}

static enum MHD_Result take_body(struct request *request, const char *bytes, size_t *size)
{
        if (request->stage == STAGE_STREAM) {
                stream_body(request, bytes, size);
                return MHD_YES;
        }
        request->progress += *size;
        if (request->progress >= BODY_PROGRESS_SIZE)
                expect_body(request);
        if (request->stage == STAGE_DISCARD) {
                *size = 0;
                return discard_body(request);
        }
        const enum MHD_Result result = collect(request, bytes, *size) ? MHD_YES : MHD_NO;
        *size = 0;
        return result;
}

enum MHD_Result request_on_data(void *context, struct MHD_Connection *connection, const char *path,
        const char *method, const char *version, const char *bytes, size_t *size, void **state)
{
        struct request *request = *state == &unsound_target ? NULL : *state;
        if (request == NULL) {
                const bool sound = *state == NULL;
                request = *state = request_new(context, connection, method, path);
                if (request == NULL)
                        return MHD_NO;
                headers_read(connection,
                        &(struct request_line){ .method = method, .target = path, .version = version },
                        &request->headers);
                if (admit(request, sound) && route(request, method, path) && permit(request))
                        start(request);
                /* Who asks first, or announces very much, is answered at once. */
                if (request->stage == STAGE_DISCARD && (request->headers.values[HEADER_EXPECT] != NULL ||
                                                               announced_size(request) > DISCARD_MAX_SIZE))
                        request->early = true;
                expect_body(request);
                return request->early ? reply(request) : MHD_YES;
        }
        if (*size > 0)
                return take_body(request, bytes, size);
        return request->stage == STAGE_RUN ? run(request) : end_body(request);
}

/* Where the pool would not do for the target's parameters, libmicrohttpd answers nothing at all: it is
 * answered here, and the connection ended. */
static void refuse_target(struct MHD_Connection *connection)
{
        static const char answer[] =
                "HTTP/1.1 414 URI Too Long\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        const union MHD_ConnectionInfo *const info =
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info == NULL)
                return;
        gnutls_session_t const session = tls_session(connection);
        if (session != NULL)
                tls_end_with(session, answer, sizeof answer - 1);
        else
                (void)!send(info->connect_fd, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        shutdown(info->connect_fd, SHUT_RDWR);
}

void *request_on_target(void *context, const char *target, struct MHD_Connection *connection)
{
        (void)context;
        if (!target_fits(target))
                refuse_target(connection);
        return target_is_sound(target) ? NULL : &unsound_target;
}
