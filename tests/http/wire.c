/* wire.c: plain connections to the daemon, for what an HTTP library would not send. */
#include "tests/http/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/http/check.h"

enum { WIRE_DEADLINE_S = 30 };

int wire_open(const struct daemon *daemon, enum transport transport)
{
        const struct sockaddr_in internet = {
                .sin_family = AF_INET,
                .sin_port = htons(daemon->port),
                .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) },
        };
        struct sockaddr_un local = { .sun_family = AF_UNIX };
        memcpy(local.sun_path, daemon->socket_path, sizeof daemon->socket_path);
        const bool over_unix = transport == OVER_UNIX;
        const int fd = socket(over_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(fd, errno);
        const struct timeval deadline = { .tv_sec = WIRE_DEADLINE_S };
        assert_return_code(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline), errno);
        const void *const address = over_unix ? (const void *)&local : (const void *)&internet;
        const socklen_t size = over_unix ? sizeof local : sizeof internet;
        assert_return_code(connect(fd, address, size), errno);
        return fd;
}

void wire_write(int fd, const char *format, ...)
{
        char *text = NULL;
        va_list arguments;
        va_start(arguments, format);
        const int size = vasprintf(&text, format, arguments);
        va_end(arguments);
        assert_true(size >= 0);
        assert_int_equal(send(fd, text, (size_t)size, MSG_NOSIGNAL), size);
        free(text);
}

void wire_post(int fd, const struct daemon *daemon, const char *path)
{
        wire_write(fd,
                "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: "
                "0\r\n\r\n",
                path, daemon->token);
}

size_t wire_fill(int fd)
{
        static const char bytes[65536];
        size_t total = 0;
        struct pollfd room = { .fd = fd, .events = POLLOUT };
        while (poll(&room, 1, 500) == 1) {
                const ssize_t sent = send(fd, bytes, sizeof bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (sent > 0)
                        total += (size_t)sent;
                else if (errno != EAGAIN)
                        break;
        }
        return total;
}

static size_t content_length(const char *head)
{
        const char *const line = strcasestr(head, "\r\nContent-Length:");
        return line ? strtoul(line + 17, NULL, 10) : 0;
}

void wire_read(int fd, struct wire_reply *out)
{
        size_t size = 0;
        memset(out, 0, sizeof *out);
        while (size < sizeof out->head - 1 && !strstr(out->head, "\r\n\r\n"))
                if (recv(fd, out->head + size, 1, 0) == 1)
                        out->head[++size] = '\0';
                else
                        return;
        out->status = (int)strtol(strncmp(out->head, "HTTP/1.1 ", 9) == 0 ? out->head + 9 : "", NULL, 10);
        out->closes = strcasestr(out->head, "\r\nConnection: close") != NULL;
        const size_t length = content_length(out->head);
        assert_true(length < sizeof out->body);
        if (length > 0)
                assert_int_equal(recv(fd, out->body, length, MSG_WAITALL), length);
}

bool wire_ends(int fd)
{
        char bytes[256];
        ssize_t got;
        do
                got = recv(fd, bytes, sizeof bytes, 0);
        while (got > 0);
        return got == 0 || errno == ECONNRESET;
}

void wire_reset(int fd)
{
        const struct linger now = { .l_onoff = 1, .l_linger = 0 };
        assert_return_code(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), errno);
        close(fd);
}
