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
#include <sys/socket.h>

#include "daemon/audit.h"
#include "daemon/exchange.h"
#include "daemon/log.h"
#include "daemon/stream.h"
#include "daemon/tls.h"

/* So much and for so long is a body read that nobody wants: clients see the reply once they have sent all. */
enum { DISCARD_MAX_SIZE = 64 << 20 };
static const int64_t DISCARD_MAX_NS = 10000000000;

/* A request's state until it has one of its own, when its target is unsound. */
static char unsound_target;

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

/* The client is due with the next of its body; streams may pause. */
static void expect_body(struct request *request)
{
        request->progress = 0;
        deadline_set(request->deadline, request->stage == STAGE_STREAM
                                                ? DEADLINE_NONE
                                                : now_ns() + BODY_TIMEOUT_S * REQUEST_NS_PER_S);
}

/* The call's parameters from the query string; false when the request is unsound. */
static bool begin_call(struct request *request)
{
        struct call *const call = &request->call;
        call->suspend = suspend;
        call->resume = resume;
        call->client_fd = request_client_fd(request);
        call->client_is_local = request_is_local(request);
        call->accept = request->headers.values[HEADER_ACCEPT];
        call->raw_reply = media_is(call->accept, "application/octet-stream");
        if (!call_begin(call, request->server->service, request->route.operation, request->route.id))
                return false;
        MHD_get_connection_values_n(request->connection, MHD_GET_ARGUMENT_KIND, add_query, request);
        return call->problem == NULL;
}

/* Which stage takes the body, by its media type. A body without one is raw where there is a payload to fill;
 * a PUT of a payload has no other body. */
static bool choose_stage(struct request *request)
{
        const char *const media = request->headers.values[HEADER_CONTENT_TYPE];
        const struct operation *const operation = request->route.operation;
        const bool uploads = operation->method == METHOD_PUT && fields_payload(operation->request) != NULL;
        const bool raw =
                media == NULL ? uploads || has_body(request) : media_is(media, "application/octet-stream");
        request->stage = raw ? STAGE_RAW : STAGE_JSON;
        if (raw)
                return fields_payload(operation->request) != NULL;
        return !has_body(request) || (!uploads && media_is(media, "application/json"));
}

/* Begins the call of a request that was admitted, and chooses what becomes of its body. */
static void start(struct request *request)
{
        if (!choose_stage(request)) {
                request_fail(request, PROBLEM_UNSUPPORTED_MEDIA, "Content-Type",
                        "The body must be application/json (curl --json), or application/octet-stream where "
                        "it is a payload.");
        } else if (!request_take_key(request)) {
                return;
        } else if (!begin_call(request)) {
                request->stage = STAGE_DISCARD;
        } else if (request->stage == STAGE_RAW && call_streams_in(&request->call)) {
                if (request_streams_with_key(request))
                        return;
                request->call.streamed = true;
                request->stage = call_decode(&request->call) ? STAGE_STREAM : STAGE_DISCARD;
                if (request->stage == STAGE_STREAM)
                        request_set_idle_timeout(request, 0);
        } else if (announced_size(request) > request->server->service->max_body_size) {
                request_fail(
                        request, PROBLEM_TOO_LARGE, "body", "The body is longer than --max-body allows.");
        }
}

/* A file of the page waits for the body's end as what has failed does. */
static void choose_file(struct request *request, const char *method)
{
        request->stage = STAGE_DISCARD;
        if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
                return;
        strcpy(request->route.allow, "GET, HEAD");
        request_fail(request, PROBLEM_WRONG_METHOD, NULL, "A file of the page has no method but GET, HEAD");
}

/* Whether there is an operation to start. */
static bool route(struct request *request, const char *method, const char *path)
{
        request->file = page_find(path);
        if (request->file != NULL) {
                choose_file(request, method);
                return false;
        }
        struct problem problem = { 0 };
        if (route_find(method, path, &request->route, &problem))
                return true;
        request_fail(request, problem.kind, problem.parameter, problem.detail);
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

static void request_free(struct request *request)
{
        atomic_fetch_sub_explicit(&request->server->requests, 1, memory_order_relaxed);
        stream_free(request->stream);
        follower_free(request->follower);
        call_release(&request->call);
        if (request->problem != NULL)
                json_decref(request->problem->extra);
        free(request->problem);
        free(request->body);
        free(request);
}

/* A call with a key goes on to its end without its connection: who comes again gets its reply. It is on the
 * thread that it was woken for. */
static void go_on_alone(struct background_job *job)
{
        struct request *const request = (struct request *)((char *)job - offsetof(struct request, job));
        struct call_reply reply;
        if (call_run(&request->call) == CALL_PARKED)
                return;
        if (call_reply(&request->call, &reply)) {
                free(reply.body);
                free(reply.members);
        }
        request_free(request);
}

static void suspend_alone(struct call *call)
{
        (void)call;
}

static void resume_alone(struct call *call)
{
        struct request *const request = (struct request *)((char *)call - offsetof(struct request, call));
        background_submit(&request->job);
}

/* What libmicrohttpd finds broken it does not resume. */
static void end_or_go_on(struct request *request)
{
        if (request->stage != STAGE_RUN || !keyed_holds(&request->call)) {
                request_free(request);
                return;
        }
        request->job.run = go_on_alone;
        request->call.suspend = suspend_alone;
        request->call.resume = resume_alone;
        go_on_alone(&request->job);
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
                request_set_idle_timeout(request, IDLE_TIMEOUT_S);
        deadline_set(request->deadline, now_ns() + (IDLE_TIMEOUT_S + HEADER_TIMEOUT_S) * REQUEST_NS_PER_S);
        *state = NULL;
        end_or_go_on(request);
}

/* Waits until the socket has something to say, so that an error can still be a problem; then the stream
 * begins. */
static enum MHD_Result run_stream_out(struct request *request)
{
        size_t used;
        if (call_receive_piece(&request->call, NULL, 0, &used) == CALL_PARKED)
                return MHD_YES;
        return request->call.result.kind == RESULT_DONE ? request_reply_stream(request)
                                                        : request_reply(request);
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
        if (call->operation->success == MHD_HTTP_SWITCHING_PROTOCOLS)
                return request_upgrade(request);
        if (request_follows(request))
                return request_follow(request);
        if (call->streamed)
                return run_stream_out(request);
        return call_run(call) == CALL_PARKED ? MHD_YES : request_reply(request);
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
                return request_reply(request);
        if (!request_take_fingerprint(request) || !finish_body(request))
                return request_reply(request);
        request->stage = STAGE_RUN;
        request->call.streamed = call_streams_out(&request->call);
        if (request->call.streamed && request_streams_with_key(request))
                return request_reply(request);
        return run(request);
}

static bool collect(struct request *request, const char *bytes, size_t size)
{
        const size_t limit = request->server->service->max_body_size;
        if (size > limit - request->size) {
                request_fail(
                        request, PROBLEM_TOO_LARGE, "body", "The body is longer than --max-body allows.");
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
                        request_set_idle_timeout(request, IDLE_TIMEOUT_S);
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

/* libmicrohttpd 0.9.75 takes a read that gives less than it asked for as the last one until there is an
 * event, and never learns of the end of the stream where that had come by then. What is left of the body is
 * in its hands already, or does not come. seccomp: recvfrom */
static void expect_end(struct request *request)
{
        char byte;
        if (recv(request_client_fd(request), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
                deadline_set(request->deadline, now_ns() + REQUEST_NS_PER_S);
}

static enum MHD_Result take_stream(struct request *request, const char *bytes, size_t *size)
{
        deadline_set(request->deadline, DEADLINE_NONE);
        stream_body(request, bytes, size);
        if (*size == 0)
                expect_end(request);
        return MHD_YES;
}

static enum MHD_Result take_body(struct request *request, const char *bytes, size_t *size)
{
        if (request->stage == STAGE_STREAM)
                return take_stream(request, bytes, size);
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
                if (request_admit(request, sound) && route(request, method, path) && request_permit(request))
                        start(request);
                /* Who asks first, or announces very much, is answered at once. */
                if (request->stage == STAGE_DISCARD && (request->headers.values[HEADER_EXPECT] != NULL ||
                                                               announced_size(request) > DISCARD_MAX_SIZE))
                        request->early = true;
                expect_body(request);
                return request->early ? request_reply(request) : MHD_YES;
        }
        if (*size > 0)
                return take_body(request, bytes, size);
        return request->stage == STAGE_RUN ? run(request) : end_body(request);
}

/* Where the pool would not do for the target's parameters, libmicrohttpd answers nothing at all: it is
 * answered here, and the connection ended. seccomp: sendto shutdown */
static void refuse_target(struct MHD_Connection *connection)
{
        static const char answer[] =
                "HTTP/1.1 414 URI Too Long\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        const union MHD_ConnectionInfo *const info =
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info == NULL)
                return;
        gnutls_session_t session = connection_tls_session(connection);
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
