/* ends.h: two connected descriptors of any kind, without a fixed port. */
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/sockets/cleanup.h"

struct ends {
        int one, other;
};

static inline void ends_close(const struct ends *ends)
{
        cleanup_fd(&ends->one);
        cleanup_fd(&ends->other);
}
#define ends_auto __attribute__((cleanup(ends_close)))

static inline void end_close(int *end)
{
        const int fd = take_fd(end);
        cleanup_fd(&fd);
}

/* A socket bound to a free port of 127.0.0.1, with its address; -1: failed. */
static inline int end_bound(int type, struct sockaddr_in *address)
{
        socklen_t size = sizeof *address;
        *address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        fd_auto int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || bind(fd, (const struct sockaddr *)address, size) != 0 ||
                getsockname(fd, (struct sockaddr *)address, &size) != 0)
                return -1;
        return take_fd(&fd);
}

static inline bool ends_open_stream(struct ends *ends)
{
        struct sockaddr_in address;
        fd_auto int listener = end_bound(SOCK_STREAM, &address);
        ends->one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (listener < 0 || listen(listener, 1) != 0 ||
                connect(ends->one, (const struct sockaddr *)&address, sizeof address) != 0)
                return false;
        struct pollfd ready = { .fd = listener, .events = POLLIN };
        ends->other = poll(&ready, 1, 10000) == 1
                              ? accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)
                              : -1;
        return ends->other >= 0 && fcntl(ends->one, F_SETFL, O_NONBLOCK) == 0;
}

static inline bool ends_open_datagram(struct ends *ends)
{
        struct sockaddr_in one, other;
        ends->one = end_bound(SOCK_DGRAM, &one);
        ends->other = end_bound(SOCK_DGRAM, &other);
        return ends->one >= 0 && ends->other >= 0 &&
               connect(ends->one, (const struct sockaddr *)&other, sizeof other) == 0 &&
               connect(ends->other, (const struct sockaddr *)&one, sizeof one) == 0;
}

/* Both are non-blocking. False: could not be opened; what was is the caller's to close. */
static inline bool ends_open(struct ends *ends, int family, int type)
{
        int fds[2];
        *ends = (struct ends){ -1, -1 };
        if (family == AF_INET)
                return type == SOCK_STREAM ? ends_open_stream(ends) : ends_open_datagram(ends);
        if (socketpair(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
                return false;
        *ends = (struct ends){ fds[0], fds[1] };
        return true;
}

/* Waits until the descriptor has one of the events; false after ten seconds. */
static inline bool end_await(int fd, short events)
{
        struct pollfd ready = { .fd = fd, .events = events };
        return poll(&ready, 1, 10000) == 1;
}

/* Ends a TCP connection with RST. */
static inline void end_reset(int *end)
{
        const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
        setsockopt(*end, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        end_close(end);
}

/* Sends until the kernel takes no more. */
static inline void end_fill(int fd)
{
        static const char block[16384];
        while (send(fd, block, sizeof block, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
        }
}

/* Takes all that is there. Returns how much. */
static inline size_t end_drain(int fd)
{
        static _Thread_local char block[16384];
        size_t total = 0;
        for (ssize_t got; (got = recv(fd, block, sizeof block, MSG_DONTWAIT)) > 0;)
                total += (size_t)got;
        return total;
}
