/* client.c: a blocking HTTP client, as little as a benchmark needs. */
#include "tests/bench/client.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/sockets/cleanup.h"

void die(const char *what)
{
        fprintf(stderr, "%s (%s)\n", what, strerror(errno));
        exit(EXIT_FAILURE);
}

int64_t nanoseconds(void)
{
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void raise_limit(void)
{
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
                die("getrlimit");
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
}

double resident_kib(const char *pid)
{
        char path[PATH_MAX], line[256];
        double kib = 0;
        snprintf(path, sizeof path, "/proc/%s/status", pid);
        FILE *const file = fopen(path, "re");
        while (file != NULL && fgets(line, sizeof line, file) != NULL)
                if (strncmp(line, "VmRSS:", 6) == 0)
                        kib = strtod(line + 6, NULL);
        if (file == NULL || fclose(file) != 0)
                die(path);
        return kib;
}

size_t number(const char *text)
{
        char *end;
        const unsigned long long value = strtoull(text, &end, 10);
        if (end == text || *end != '\0')
                die(text);
        return value;
}

int tcp_connect(uint16_t port)
{
        const struct sockaddr_in address = {
                .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
        };
        const int on = 1;
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
                die("connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return fd;
}

void write_all(int fd, const void *bytes, size_t size)
{
        for (size_t sent = 0; sent < size;) {
                const ssize_t taken = send(fd, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);
                if (taken < 0)
                        die("send");
                sent += (size_t)taken;
        }
}

void client_open(struct client *client, uint16_t port, const char *token)
{
        client->fd = tcp_connect(port);
        client->token = token;
}

static int format_head(const struct client *client, char *out, size_t size, const char *method,
        const char *path, const char *headers, long long length)
{
        char content[48] = "";
        if (length >= 0)
                snprintf(content, sizeof content, "Content-Length: %lld\r\n", length);
        return snprintf(out, size,
                "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n%s%s\r\n", method, path,
                client->token, headers, content);
}

void client_head(
        struct client *client, const char *method, const char *path, const char *headers, long long size)
{
        char head[1024];
        const int length = format_head(client, head, sizeof head, method, path, headers, size);
        write_all(client->fd, head, (size_t)length);
}

void client_ask(struct client *client, const char *path, const char *body)
{
        char request[8192];
        const bool get = body == NULL;
        const char *const headers = get ? "" : "Content-Type: application/json\r\n";
        const int length = format_head(client, request, sizeof request, get ? "GET" : "POST", path, headers,
                get ? -1 : (long long)strlen(body));
        const size_t rest =
                (size_t)snprintf(request + length, sizeof request - (size_t)length, "%s", get ? "" : body);
        write_all(client->fd, request, (size_t)length + rest);
}

static void read_more(struct client *client)
{
        const size_t room = sizeof client->reply - 1 - client->used;
        const ssize_t taken = recv(client->fd, client->reply + client->used, room, 0);
        if (taken <= 0)
                die("recv of a reply");
        client->used += (size_t)taken;
        client->reply[client->used] = '\0';
}

char *client_reply_head(struct client *client)
{
        static const char end[] = "\r\n\r\n", good[] = "HTTP/1.1 2", switched[] = "HTTP/1.1 101";
        char *found;
        client->used = 0;
        do
                read_more(client);
        while ((found = strstr(client->reply, end)) == NULL);
        if (strncmp(client->reply, good, sizeof good - 1) != 0 &&
                strncmp(client->reply, switched, sizeof switched - 1) != 0)
                die(client->reply);
        return found + sizeof end - 1;
}

const char *client_reply(struct client *client)
{
        static const char name[] = "Content-Length: ";
        const char *const body = client_reply_head(client);
        const char *const length = strstr(client->reply, name);
        const size_t size = length == NULL ? 0 : strtoull(length + sizeof name - 1, NULL, 10);
        while (client->used < (size_t)(body - client->reply) + size)
                read_more(client);
        return body;
}

const char *client_call(struct client *client, const char *path, const char *id, const char *body)
{
        char whole[256];
        const char *const hole = strstr(path, "%s");
        if (hole == NULL)
                snprintf(whole, sizeof whole, "%s", path);
        else
                snprintf(whole, sizeof whole, "%.*s%s%s", (int)(hole - path), path, id, hole + 2);
        client_ask(client, whole, body);
        return client_reply(client);
}

static const char *json_member(const char *json, const char *name, int nth)
{
        char mark[ID_SIZE];
        const int length = snprintf(mark, sizeof mark, "\"%s\":", name);
        for (const char *found = json; (found = strstr(found, mark)) != NULL; found += length)
                if (nth-- == 0)
                        return found + length;
        die(name);
}

void json_string(const char *json, const char *name, int nth, char out[ID_SIZE])
{
        const char *const start = json_member(json, name, nth) + 1;
        snprintf(out, ID_SIZE, "%.*s", (int)strcspn(start, "\""), start);
}

long long json_number(const char *json, const char *name)
{
        return strtoll(json_member(json, name, 0), NULL, 10);
}

int outside_socket(struct client *client, char id[ID_SIZE])
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof address;
        char body[256];
        const int on = 1;
        fd_auto const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
                listen(listener, 1) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
                die("listen");
        snprintf(body, sizeof body,
                "{\"family\":\"AF_INET\",\"type\":\"SOCK_STREAM\",\"connect\":\"127.0.0.1:%u\"}",
                ntohs(address.sin_port));
        json_string(client_call(client, "/v1/sockets", NULL, body), "id", 0, id);
        const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
                die("accept");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return fd;
}
