/* listener.c: the addresses that the daemon serves on, and who may connect to them. */
#include "daemon/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/access.h"
#include "daemon/log.h"
#include "daemon/server.h"
#include "daemon/sockets/cleanup.h"

enum { BACKLOG = 4096 };

/* What a listener's connections inherit, so that a client that vanished without a word is noticed, in 20 to
 * 25 s: one that is quiet is asked for signs of life, and one that acknowledges nothing is given up. */
static const struct {
        int level, option, value;
} vigilance[] = {
        { SOL_SOCKET, SO_KEEPALIVE, 1 },
        { IPPROTO_TCP, TCP_KEEPIDLE, 10 }, /* s */
        { IPPROTO_TCP, TCP_KEEPINTVL, 5 }, /* s */
        { IPPROTO_TCP, TCP_KEEPCNT, 2 },
        { IPPROTO_TCP, TCP_USER_TIMEOUT, CLIENT_SILENCE_MS },
};

/* seccomp: setsockopt */
static bool set_vigilance(int fd)
{
        for (size_t i = 0; i < sizeof vigilance / sizeof *vigilance; i++)
                if (setsockopt(fd, vigilance[i].level, vigilance[i].option, &vigilance[i].value,
                            sizeof vigilance[i].value) != 0)
                        return false;
        return true;
}

static bool complain(const char *what, const char *why)
{
        log_write(LOG_LEVEL_ERROR, "%s: %s", what, why);
        return false;
}

/* Whether somebody serves there. seccomp: socket connect */
static bool is_alive(const struct sockaddr_un *address)
{
        fd_auto const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        return connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN;
}

/* Takes away what a dead daemon left, and nothing else. seccomp: lstat unlink newfstatat unlinkat */
static void remove_stale(const struct sockaddr_un *address)
{
        struct stat status;
        if (lstat(address->sun_path, &status) == 0 && S_ISSOCK(status.st_mode) && !is_alive(address))
                unlink(address->sun_path);
}

/* seccomp: socket umask bind listen unlink unlinkat */
bool listener_open_unix(struct listener *listener, const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        if (strlen(path) >= sizeof address.sun_path)
                return complain(path, "too long for a unix socket's path");
        memcpy(address.sun_path, path, strlen(path) + 1);
        remove_stale(&address);
        fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        const mode_t mask = umask(0177);
        const bool bound = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
        umask(mask);
        if (!bound || listen(fd, BACKLOG) != 0) {
                complain(path, strerror(errno));
                if (bound)
                        unlink(path);
                return false;
        }
        *listener = (struct listener){ .fd = take_fd(&fd), .unix_path = path, .is_own = true };
        snprintf(listener->url, sizeof listener->url, "unix:%s", path);
        return true;
}

static const char *scheme(const struct configuration *configuration)
{
        return configuration->tls_certificate == NULL ? "http://" : "https://";
}

static bool is_loopback(const struct address *address)
{
        const struct sockaddr_in *const four = (const struct sockaddr_in *)&address->storage;
        const struct sockaddr_in6 *const six = (const struct sockaddr_in6 *)&address->storage;
        if (address->storage.ss_family == AF_INET)
                return ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
        if (address->storage.ss_family != AF_INET6)
                return false;
        if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
                return six->sin6_addr.s6_addr[12] == IN_LOOPBACKNET;
        return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

/* Tokens, and what sockets send and receive, must not cross a network in clear without having been asked to.
 */
static bool may_listen(
        const struct address *address, const char *text, const struct configuration *configuration)
{
        if (configuration->tls_certificate != NULL || is_loopback(address))
                return true;
        if (!configuration->insecure_listen)
                return complain(text, "is not loopback: give --tls-cert and --tls-key, or --insecure-listen "
                                      "where nobody can read along");
        log_write(LOG_LEVEL_WARNING,
                "%s: without TLS, and not loopback: all can read along who see the packets", text);
        return true;
}

/* seccomp: socket setsockopt bind listen getsockname */
bool listener_open_tcp(struct listener *listener, const char *text, const struct configuration *configuration)
{
        struct address address;
        const int on = 1;
        const struct result parsed = address_parse(text, &address);
        if (parsed.kind != RESULT_DONE)
                return complain(text, parsed.detail);
        if (address.name[0] != '\0' || address.storage.ss_family == AF_UNIX)
                return complain(text, "must be a numeric address and a port, as 127.0.0.1:7625");
        if (!may_listen(&address, text, configuration))
                return false;
        fd_auto int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 || !set_vigilance(fd) ||
                bind(fd, (const struct sockaddr *)&address.storage, address.size) != 0 ||
                listen(fd, BACKLOG) != 0)
                return complain(text, strerror(errno));
        address.size = sizeof address.storage;
        if (getsockname(fd, (struct sockaddr *)&address.storage, &address.size) != 0)
                return complain(text, strerror(errno));
        char real[sizeof listener->url - sizeof "https://"];
        *listener = (struct listener){ .fd = take_fd(&fd), .is_own = true };
        snprintf(listener->url, sizeof listener->url, "%s%s", scheme(configuration),
                address_format(&address, real, sizeof real));
        return true;
}

static bool is_listening(int fd)
{
        return socket_option(fd, SO_TYPE, -1) == SOCK_STREAM && socket_option(fd, SO_ACCEPTCONN, 0) != 0;
}

/* seccomp: getsockname fcntl */
bool listener_adopt(
        struct listener *listener, int fd, const char *name, const struct configuration *configuration)
{
        struct address address = { .size = sizeof address.storage };
        char text[sizeof listener->url - sizeof "https://"];
        const bool is_served =
                is_listening(fd) && getsockname(fd, (struct sockaddr *)&address.storage, &address.size) == 0;
        const bool is_unix = address.storage.ss_family == AF_UNIX;
        if (!is_served ||
                (!is_unix && address.storage.ss_family != AF_INET && address.storage.ss_family != AF_INET6))
                return complain(
                        name, "passed, but no stream socket that listens on AF_UNIX, AF_INET or AF_INET6");
        address_format(&address, text, sizeof text);
        if (!is_unix && !may_listen(&address, text, configuration))
                return false;
        const int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
                (!is_unix && !set_vigilance(fd)))
                return complain(name, strerror(errno));
        *listener = (struct listener){ .fd = fd };
        snprintf(listener->url, sizeof listener->url, "%s%s", is_unix ? "" : scheme(configuration), text);
        if (is_unix)
                listener->unix_path = listener->url + sizeof "unix:" - 1;
        return true;
}

/* On a unix socket, only those are served who are known. seccomp: getsockopt */
static bool is_welcome(const struct listener *listener, struct access *access, int fd)
{
        const struct introduction introduction = { .unix_fd = fd };
        struct ucred peer = { .uid = 0 };
        socklen_t size = sizeof peer;
        struct caller caller;
        if (listener->unix_path == NULL || access_identify(access, &introduction, &caller))
                return true;
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
        log_write(
                LOG_LEVEL_WARNING, "refused a connection of uid %u on %s", (unsigned)peer.uid, listener->url);
        return false;
}

/* seccomp: accept4 */
bool listener_accept(const struct listener *listener, struct access *access, struct server *server)
{
        while (!server_is_full(server, listener->unix_path != NULL)) {
                struct sockaddr_storage peer = { .ss_family = AF_UNIX };
                socklen_t size = sizeof peer;
                fd_auto int fd =
                        accept4(listener->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0)
                        return !accept_falls_short(errno);
                if (is_welcome(listener, access, fd))
                        server_add(server, take_fd(&fd), (const struct sockaddr *)&peer, size);
        }
        return false;
}

/* seccomp: chmod fchmodat */
void listener_let_in(const struct listener *listener, bool all_users)
{
        if (listener->unix_path != NULL && listener->is_own &&
                chmod(listener->unix_path, all_users ? 0666 : 0600) != 0)
                log_write(LOG_LEVEL_WARNING, "%s: %s", listener->unix_path, strerror(errno));
}

/* seccomp: close unlink unlinkat */
void listener_close(struct listener *listener)
{
        if (listener->fd < 0)
                return;
        close(take_fd(&listener->fd));
        if (listener->unix_path != NULL && listener->is_own)
                unlink(listener->unix_path);
}
