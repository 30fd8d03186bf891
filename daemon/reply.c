/* reply.c: from a request that is done to what libmicrohttpd sends. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/measure.h"
#include "daemon/browser.h"
#include "daemon/exchange.h"
#include "daemon/listener.h"

enum { STREAM_BLOCK_SIZE = 65536 };

/* The kernel takes a client that does not read, but is there, for one that acknowledges nothing.
 * seccomp: setsockopt */
void request_set_idle_timeout(struct request *request, unsigned timeout_s)
{
        const unsigned silence_ms = timeout_s == 0 ? 0 : CLIENT_SILENCE_MS;
        MHD_set_connection_option(request->connection, MHD_CONNECTION_OPTION_TIMEOUT, timeout_s);
        if (!request_is_local(request))
                setsockopt(request_client_fd(request), IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms,
                        sizeof silence_ms);
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
        if (value != NULL && value[0] != '\0')
                MHD_add_response_header(response, name, value);
}

enum MHD_Result request_queue(struct request *request, int status, struct MHD_Response *response)
{
        if (response == NULL)
                return MHD_NO;
        /* Where chunks end is what servers most disagree on: nothing is taken from behind them. */
        const bool ends = request->early || request->headers.values[HEADER_TRANSFER_ENCODING] != NULL ||
                          request->server->service->shutting_down;
        if (ends && status != MHD_HTTP_SWITCHING_PROTOCOLS)
                add_header(response, "Connection", "close");
        browser_add_headers(response, request->for_page ? request->headers.values[HEADER_ORIGIN] : NULL);
        const enum MHD_Result result = MHD_queue_response(request->connection, (unsigned)status, response);
        MHD_destroy_response(response);
        request->status = status;
        measure_request(request->route.operation, status);
        request->stage = STAGE_REPLIED;
        return result;
}

static enum MHD_Result reply_file(struct request *request)
{
        int status;
        struct MHD_Response *const response =
                page_response(request->file, request->headers.values[HEADER_ACCEPT_ENCODING],
                        request->headers.values[HEADER_IF_NONE_MATCH], &status);
        return response == NULL ? MHD_NO : request_queue(request, status, response);
}

enum MHD_Result request_reply(struct request *request)
{
        struct call_reply reply;
        if (request->preflight)
                return request_queue(request, 204,
                        browser_preflight(request->headers.values[HEADER_REQUEST_NETWORK] != NULL));
        if (request->file != NULL && request->problem == NULL)
                return reply_file(request);
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
        add_header(response, "Idempotency-Replayed", reply.replayed ? "true" : NULL);
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
        if (reply.status == MHD_HTTP_UPGRADE_REQUIRED) {
                add_header(response, "Upgrade", "websocket");
                add_header(response, "Sec-WebSocket-Version", "13");
        }
        return request_queue(request, reply.status, response);
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

enum MHD_Result request_reply_stream(struct request *request)
{
        request_set_idle_timeout(request, 0);
        struct MHD_Response *const response = MHD_create_response_from_callback(
                call_stream_size(&request->call), STREAM_BLOCK_SIZE, read_stream, request, NULL);
        if (response != NULL)
                add_header(response, "Content-Type", "application/octet-stream");
        return request_queue(request, 200, response);
}
