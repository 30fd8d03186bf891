/* server.c: libmicrohttpd's worker threads, and the connections that they are given. */
#include "daemon/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/deadline.h"
#include "daemon/feed.h"
#include "daemon/log.h"
#include "daemon/peers.h"
#include "daemon/request.h"
#include "daemon/stream.h"

/* A small pool keeps a parked connection small, and is what libmicrohttpd clears after each request; it
 * bounds the headers and the pieces in which bodies come. */
enum { CONNECTION_POOL_SIZE = 7680 };

/* How many connections are kept for the unix socket. */
enum { LOCAL_RESERVE = 32, LOCAL_RESERVE_SHARE = 8 };

static const int64_t NS_PER_S = 1000000000, HEARTBEAT_NS = 15000000000;

__attribute__((format(printf, 2, 0))) static void on_library_log(
        void *context, const char *format, va_list arguments)
{
        char line[512];
        (void)context;
        vsnprintf(line, sizeof line, format, arguments);
        line[strcspn(line, "\n")] = '\0';
        log_write(LOG_LEVEL_DEBUG, "libmicrohttpd: %s", line);
}

/* Where it cannot be begun, it is shut down: libmicrohttpd ends it then. */
static struct connection *connection_begin(struct server *server, struct MHD_Connection *from)
{
        struct connection *const connection = calloc(1, sizeof *connection);
        const int fd = MHD_get_connection_info(from, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        const union MHD_ConnectionInfo *const session =
                MHD_get_connection_info(from, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        if (connection != NULL)
                connection->deadline =
                        deadline_open(server->deadlines, fd, now_ns() + HEADER_TIMEOUT_S * NS_PER_S);
        if (connection == NULL || connection->deadline == NULL)
                shutdown(fd, SHUT_RDWR);
        else if (session != NULL)
                connection->papers = tls_begin(server->tls, session->tls_session);
        return connection;
}

/* The TLS session has ended by then, and is not to be touched any more. */
static void connection_end(struct connection *connection)
{
        if (connection == NULL)
                return;
        if (connection->deadline != NULL)
                deadline_close(connection->deadline);
        tls_release(connection->papers);
        free(connection);
}

/* MHD_NotifyConnectionCallback. */
static void on_connection(void *context, struct MHD_Connection *connection, void **state,
        enum MHD_ConnectionNotificationCode what)
{
        struct server *const server = context;
        if (what == MHD_CONNECTION_NOTIFY_STARTED) {
                atomic_fetch_sub(&server->queued, 1);
                *state = connection_begin(server, connection);
                return;
        }
        connection_end(*state);
        peers_leave(server->peers,
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
        atomic_fetch_sub(&server->connections, 1);
}

/* At a limit of its own, libmicrohttpd 0.9.75 deadlocks: its workers share theirs, so that each may have as
 * many as server_is_full() lets in at all. */
static struct MHD_Daemon *start(struct server *server, unsigned threads, unsigned tls_flag)
{
        const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
                               MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG | tls_flag;
        /* What is about TLS may only be said with its flag, and is last. */
        const int tls_first = tls_flag == 0 ? MHD_OPTION_END : MHD_OPTION_HTTPS_PRIORITIES;
        struct MHD_Daemon *const daemon = MHD_start_daemon(flags, 0, NULL, NULL, request_on_data, server,
                MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL, MHD_OPTION_THREAD_POOL_SIZE,
                threads > 1 ? threads : 0U, MHD_OPTION_CONNECTION_LIMIT, server->connection_limit * threads,
                MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                (size_t)CONNECTION_POOL_SIZE, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
                MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, request_on_target, NULL,
                MHD_OPTION_NOTIFY_COMPLETED, request_on_completed, NULL, tls_first, tls_priorities,
                MHD_OPTION_HTTPS_CERT_CALLBACK, tls_no_certificate, MHD_OPTION_END);
        if (daemon == NULL)
                log_write(LOG_LEVEL_ERROR, "libmicrohttpd does not start");
        return daemon;
}

struct server *server_start(struct service *service, struct access *access, struct tls *tls, unsigned threads,
        unsigned connection_limit, int64_t ping_ns)
{
        struct server *const server = calloc(1, sizeof *server);
        if (server == NULL) {
                log_write(LOG_LEVEL_ERROR, "no memory for the server");
                return NULL;
        }
        server->service = service;
        service->connections = &server->connections;
        server->access = access;
        server->tls = tls;
        server->connection_limit = connection_limit;
        server->deadlines = deadlines_start();
        server->streams = streams_start(ping_ns);
        server->feed = feed_start(service->registry, HEARTBEAT_NS);
        if (server->deadlines != NULL && server->streams != NULL && server->feed != NULL)
                server->plain = start(server, threads, 0);
        if (server->plain != NULL && tls != NULL)
                server->encrypted = start(server, threads, MHD_USE_TLS);
        if (server->plain != NULL && (tls == NULL || server->encrypted != NULL))
                return server;
        server_stop(server);
        server_free(server);
        return NULL;
}

bool server_limit_peers(struct server *server, unsigned each)
{
        const unsigned total = server->connection_limit;
        server->peers = peers_new(total, each > 0 ? each : total / 2 + 1, each == 0);
        if (server->peers == NULL)
                log_write(LOG_LEVEL_ERROR, "no memory to count connections");
        return server->peers != NULL;
}

/* At most once a second. */
static void complain_of(struct server *server, const struct sockaddr *peer, socklen_t peer_size)
{
        struct address address = { .size = peer_size };
        char text[ADDRESS_TEXT_SIZE];
        const int64_t now = now_ns();
        int64_t before = server->complained_ns;
        if (now - before < NS_PER_S || !atomic_compare_exchange_strong(&server->complained_ns, &before, now))
                return;
        memcpy(&address.storage, peer, peer_size);
        log_write(LOG_LEVEL_WARNING, "refused a connection of %s: its address has as many as it may",
                address_format(&address, text, sizeof text));
}

void server_add(struct server *server, int fd, const struct sockaddr *peer, socklen_t peer_size)
{
        if (!peers_enter(server->peers, peer)) {
                close(fd);
                complain_of(server, peer, peer_size);
                return;
        }
        const bool plain = server->encrypted == NULL || peer->sa_family == AF_UNIX;
        atomic_fetch_add(&server->connections, 1);
        atomic_fetch_add(&server->queued, 1);
        if (MHD_add_connection(plain ? server->plain : server->encrypted, fd, peer, peer_size) == MHD_YES)
                return;
        peers_leave(server->peers, peer);
        atomic_fetch_sub(&server->connections, 1);
        atomic_fetch_sub(&server->queued, 1);
        log_write(LOG_LEVEL_WARNING, "libmicrohttpd refuses a connection: %s", strerror(errno));
}

bool server_is_full(const struct server *server, bool local)
{
        const unsigned share = server->connection_limit / LOCAL_RESERVE_SHARE;
        const unsigned kept = local ? 0 : share < LOCAL_RESERVE ? share : LOCAL_RESERVE;
        return server->connections >= server->connection_limit - kept;
}

/* Told to stop, a worker of libmicrohttpd 0.9.75 closes what is queued for it without the queue's lock. */
bool server_is_busy(const struct server *server)
{
        return server->queued > 0 || server->requests > 0;
}

void server_shut_down(struct server *server)
{
        streams_shut_down(server->streams);
        feed_shut_down(server->feed);
}

/* libmicrohttpd wants all that was upgraded to be closed. */
void server_stop(struct server *server)
{
        streams_stop(server->streams);
        if (server->encrypted != NULL)
                MHD_stop_daemon(server->encrypted);
        if (server->plain != NULL)
                MHD_stop_daemon(server->plain);
        streams_free(server->streams);
        feed_stop(server->feed);
        deadlines_stop(server->deadlines);
}

void server_free(struct server *server)
{
        if (server == NULL)
                return;
        peers_free(server->peers);
        free(server);
}
