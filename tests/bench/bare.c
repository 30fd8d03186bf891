/* bare.c: the least that libmicrohttpd can do, as a yardstick: it takes POST bodies and answers constant
 * JSON.
 *
 * Flags, threads, pool size and the way of accepting are sockwrightd's. Usage: bench_bare REPLY-TO-SEND
 * REPLY-TO-RECV */
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/sockets/cleanup.h"

enum { CONNECTION_POOL_SIZE = 8192, IDLE_TIMEOUT_S = 75, BACKLOG = 4096, CONNECTION_LIMIT = 1000 };

struct replies {
        const char *send, *recv;
};

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
        const char *method, const char *version, const char *bytes, size_t *size, void **state)
{
        static int begun;
        const struct replies *const replies = context;
        (void)method;
        (void)version;
        (void)bytes;
        if (*state == NULL) {
                *state = &begun;
                return MHD_YES;
        }
        if (*size > 0) {
                *size = 0;
                return MHD_YES;
        }
        const size_t length = strlen(path);
        const bool is_recv = length > 0 && path[length - 1] == 'v';
        char *const text = strdup(is_recv ? replies->recv : replies->send);
        if (text == NULL)
                return MHD_NO;
        struct MHD_Response *const response =
                MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
        MHD_add_response_header(response, "Content-Type", "application/json");
        const enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
        MHD_destroy_response(response);
        return result;
}

static struct MHD_Daemon *start(struct replies *replies)
{
        const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
                               MHD_ALLOW_SUSPEND_RESUME;
        const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        return MHD_start_daemon(flags, 0, NULL, NULL, on_request, replies, MHD_OPTION_THREAD_POOL_SIZE,
                cpus > 1 ? (unsigned)cpus : 0U, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTION_LIMIT,
                MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_POOL_SIZE,
                MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                MHD_OPTION_END);
}

int main(int argc, char **argv)
{
        if (argc != 3)
                return 2;
        struct replies replies = { .send = argv[1], .recv = argv[2] };
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof address;
        fd_auto const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct MHD_Daemon *const daemon = start(&replies);
        if (daemon == NULL || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
                listen(fd, BACKLOG) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0)
                return EXIT_FAILURE;
        printf("listening on http://127.0.0.1:%u\n", ntohs(address.sin_port));
        fflush(stdout);
        for (;;) {
                struct sockaddr_storage peer = { 0 };
                size = sizeof peer;
                const int connection =
                        accept4(fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (connection >= 0)
                        MHD_add_connection(daemon, connection, (const struct sockaddr *)&peer, size);
        }
}
