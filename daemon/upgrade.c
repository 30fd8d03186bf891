/* upgrade.c: a request for a WebSocket, and the stream that its connection becomes. */
#include "daemon/exchange.h"
#include "daemon/handshake.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/stream.h"

/* What is on its way to a client that does not read, libmicrohttpd would wait for. */
static const int64_t FAREWELL_NS = 5000000000;

static void end(void *context)
{
        struct request *const request = context;
        deadline_set(request->deadline, now_ns() + FAREWELL_NS);
        MHD_upgrade_action(request->upgraded, MHD_UPGRADE_ACTION_CLOSE);
}

/* MHD_UpgradeHandler: the 101 has gone out. With TLS, `fd` is a socketpair's end, through which libmicrohttpd
 * passes on what it deciphers, but not the client's end. */
static void on_upgrade(void *context, struct MHD_Connection *connection, void *state, const char *early,
        size_t early_size, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
        struct request *const request = context;
        const int client_fd = request_client_fd(request);
        (void)connection;
        (void)state;
        request->upgraded = handle;
        /* It reads when it likes: what has come for it waits. */
        request_set_idle_timeout(request, 0);
        stream_begin(TAKE(request->stream), &(struct stream_connection){ .fd = fd,
                                                    .client_fd = client_fd == fd ? -1 : client_fd,
                                                    .early = early,
                                                    .early_size = early_size,
                                                    .end = end,
                                                    .context = request });
}

static enum MHD_Result switch_protocols(struct request *request, const struct handshake *handshake)
{
        struct MHD_Response *const response = MHD_create_response_for_upgrade(on_upgrade, request);
        if (response == NULL)
                return MHD_NO;
        MHD_add_response_header(response, "Upgrade", "websocket");
        MHD_add_response_header(response, "Sec-WebSocket-Accept", handshake->accept);
        if (handshake->protocol != NULL)
                MHD_add_response_header(response, "Sec-WebSocket-Protocol", handshake->protocol);
        return request_queue(request, MHD_HTTP_SWITCHING_PROTOCOLS, response);
}

enum MHD_Result request_upgrade(struct request *request)
{
        struct handshake handshake;
        struct handshake_fault fault;
        if (!handshake_read(&request->headers, &handshake, &fault)) {
                request_fail(request, fault.kind, fault.header, fault.detail);
                return request_reply(request);
        }
        request->stream = stream_new(request->server->streams, &request->call, handshake.datagrams);
        if (request->stream == NULL)
                return MHD_NO;
        call_run(&request->call);
        return request->call.result.kind == RESULT_DONE ? switch_protocols(request, &handshake)
                                                        : request_reply(request);
}
