/* bulk.c: how many MB/s go through the daemon, or through socat: one writer, one reader, TCP on both sides.
 *
 * Usage: bench_bulk json|upload|download|echo|websocket-up|websocket-down MIB PORT TOKEN, or bench_bulk
 * socat|socat-echo MIB BLOCK-SIZE. Prints MB/s of payload: of an echo, in one direction. */
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/sockets/cleanup.h"
#include "tests/bench/client.h"

enum { BLOCK_SIZE = 65536, MIB = 1 << 20 };

struct flow {
        int fd;
        size_t size;
        bool end; /* shut down after the last byte */
};

static void *pump(void *context)
{
        static char block[BLOCK_SIZE];
        const struct flow *const flow = context;
        for (size_t left = flow->size; left > 0;) {
                const size_t size = left < sizeof block ? left : sizeof block;
                write_all(flow->fd, block, size);
                left -= size;
        }
        if (flow->end)
                shutdown(flow->fd, SHUT_WR);
        return NULL;
}

static void *drain(void *context)
{
        static char block[BLOCK_SIZE];
        const struct flow *const flow = context;
        for (size_t left = flow->size; left > 0;) {
                const ssize_t taken = recv(flow->fd, block, sizeof block, 0);
                if (taken <= 0)
                        die("recv");
                left -= (size_t)taken;
        }
        return NULL;
}

static pthread_t begin(void *(*run)(void *), struct flow *flow)
{
        pthread_t thread;
        if (pthread_create(&thread, NULL, run, flow) != 0)
                die("pthread_create");
        return thread;
}

/* A chunked body: sizes are skipped, the bytes counted, until the chunk of size 0. */
struct chunks {
        size_t left; /* of the chunk at hand, its CRLF included */
        size_t size; /* the number that is being read */
        size_t total;
        bool in_size, ended;
};

static void take_size_byte(struct chunks *chunks, char byte)
{
        const char digit[2] = { byte, '\0' };
        if (byte != '\n') {
                if (byte != '\r')
                        chunks->size = chunks->size * 16 + strtoul(digit, NULL, 16);
                return;
        }
        chunks->ended = chunks->size == 0;
        chunks->total += chunks->size;
        chunks->left = chunks->size + 2;
        chunks->size = 0;
        chunks->in_size = false;
}

static void take_chunks(struct chunks *chunks, const char *bytes, size_t size)
{
        for (size_t at = 0; at < size && !chunks->ended;) {
                if (chunks->in_size) {
                        take_size_byte(chunks, bytes[at++]);
                        continue;
                }
                const size_t step = size - at < chunks->left ? size - at : chunks->left;
                at += step;
                chunks->left -= step;
                chunks->in_size = chunks->left == 0;
        }
}

static void json(struct client *client, size_t mib)
{
        /* 1 MiB is 349,525 groups of three bytes and one byte more. */
        enum { ENCODED_SIZE = (MIB + 2) / 3 * 4 };
        static char body[ENCODED_SIZE + 64] = "{\"all\":true,\"data\":\"";
        char id[ID_SIZE], path[ID_SIZE + 32];
        static const char ending[] = "==\"}";
        char *const data = body + strlen(body);
        memset(data, 'A', ENCODED_SIZE - 2);
        memcpy(data + ENCODED_SIZE - 2, ending, sizeof ending);
        const size_t size = strlen(body);
        struct flow sink = { .fd = outside_socket(client, id), .size = mib * MIB };
        const pthread_t thread = begin(drain, &sink);
        snprintf(path, sizeof path, "/v1/sockets/%s/send", id);
        for (size_t i = 0; i < mib; i++) {
                client_head(client, "POST", path, "Content-Type: application/json\r\n", (long long)size);
                write_all(client->fd, body, size);
                const char *const reply = client_reply(client);
                if (json_number(reply, "sent") != MIB)
                        die(reply);
        }
        pthread_join(thread, NULL);
}

static void upload(struct client *client, size_t mib)
{
        char id[ID_SIZE], path[ID_SIZE + 32];
        struct flow sink = { .fd = outside_socket(client, id), .size = mib * MIB };
        struct flow source = { .fd = client->fd, .size = mib * MIB };
        snprintf(path, sizeof path, "/v1/sockets/%s/send", id);
        client_head(client, "PUT", path, "", (long long)source.size);
        const pthread_t thread = begin(pump, &source);
        drain(&sink);
        pthread_join(thread, NULL);
        client_reply(client);
}

static void download(struct client *client, size_t mib)
{
        static char block[BLOCK_SIZE];
        char id[ID_SIZE], path[ID_SIZE + 32];
        struct flow source = { .fd = outside_socket(client, id), .size = mib * MIB, .end = true };
        struct chunks chunks = { .in_size = true };
        const pthread_t thread = begin(pump, &source);
        snprintf(path, sizeof path, "/v1/sockets/%s/recv?until=eof", id);
        client_head(client, "POST", path, "Accept: application/octet-stream\r\n", -1);
        const char *const body = client_reply_head(client);
        take_chunks(&chunks, body, client->used - (size_t)(body - client->reply));
        while (!chunks.ended) {
                const ssize_t taken = recv(client->fd, block, sizeof block, 0);
                if (taken <= 0)
                        die("recv of the body");
                take_chunks(&chunks, block, (size_t)taken);
        }
        if (chunks.total != source.size)
                die("the body is too short");
        pthread_join(thread, NULL);
}

/* There and back on one connection. */
static void there_and_back(int fd, size_t mib)
{
        struct flow flow = { .fd = fd, .size = mib * MIB };
        const pthread_t thread = begin(pump, &flow);
        drain(&flow);
        pthread_join(thread, NULL);
}

static void echo(struct client *client, size_t mib)
{
        static const char plan[] = "{\"kind\":\"echo\"}";
        char id[ID_SIZE], path[ID_SIZE + 32];
        const char *const made =
                client_call(client, "/v1/sockets", "", "{\"bind\":\"127.0.0.1:0\",\"listen\":true}");
        const uint16_t port = (uint16_t)json_number(made, "port");
        json_string(made, "id", 0, id);
        snprintf(path, sizeof path, "/v1/sockets/%s/reactor", id);
        client_head(client, "PUT", path, "Content-Type: application/json\r\n", sizeof plan - 1);
        write_all(client->fd, plan, sizeof plan - 1);
        client_reply(client);
        fd_auto const int fd = tcp_connect(port);
        there_and_back(fd, mib);
}

/* Makes the connection a WebSocket. Returns our end of the other connection; what came behind the reply is
 * left in it, from *early on. */
static int open_websocket(struct client *client, const char **early)
{
        char id[ID_SIZE], path[ID_SIZE + 32];
        const int fd = outside_socket(client, id);
        snprintf(path, sizeof path, "/v1/sockets/%s/stream", id);
        client_head(client, "GET", path,
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                -1);
        *early = client_reply_head(client);
        return fd;
}

/* Masked messages of 64 KiB. */
static void websocket_up(struct client *client, size_t mib)
{
        static uint8_t frame[14 + BLOCK_SIZE] = { 0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0x37, 0xfa, 0x21,
                0x3d };
        const char *early;
        struct flow sink = { .fd = open_websocket(client, &early), .size = mib * MIB };
        const pthread_t thread = begin(drain, &sink);
        for (size_t i = 0; i < sink.size / BLOCK_SIZE; i++)
                write_all(client->fd, frame, sizeof frame);
        pthread_join(thread, NULL);
}

/* Frames without a mask: headers are skipped, the bytes counted. */
struct frames {
        uint8_t header[10];
        size_t header_size, left, total; /* left: of the payload at hand */
};

static void take_header_byte(struct frames *frames, uint8_t byte)
{
        frames->header[frames->header_size++] = byte;
        const uint8_t length = frames->header_size < 2 ? 0 : frames->header[1];
        const size_t form = length == 127 ? 8 : length == 126 ? 2 : 0;
        if (frames->header_size < 2 + form)
                return;
        frames->left = form == 0 ? length : 0;
        for (size_t i = 0; i < form; i++)
                frames->left = frames->left << 8 | frames->header[2 + i];
        frames->total += frames->left;
        frames->header_size = 0;
}

static void take_frames(struct frames *frames, const uint8_t *bytes, size_t size)
{
        while (size > 0) {
                const size_t step = size < frames->left ? size : frames->left;
                frames->left -= step;
                bytes += step;
                size -= step;
                if (size == 0)
                        return;
                take_header_byte(frames, *bytes++);
                size--;
        }
}

static void websocket_down(struct client *client, size_t mib)
{
        static uint8_t block[BLOCK_SIZE];
        const char *early;
        struct flow source = { .fd = open_websocket(client, &early), .size = mib * MIB };
        struct frames frames = { .total = 0 };
        const pthread_t thread = begin(pump, &source);
        take_frames(&frames, (const uint8_t *)early, client->used - (size_t)(early - client->reply));
        while (frames.total < source.size || frames.left > 0) {
                const ssize_t taken = recv(client->fd, block, sizeof block, 0);
                if (taken <= 0)
                        die("recv of frames");
                take_frames(&frames, block, (size_t)taken);
        }
        pthread_join(thread, NULL);
}

static void tcp_pair(int fds[2])
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof address;
        fd_auto const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
                listen(listener, 1) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
                die("listen");
        fds[0] = tcp_connect(ntohs(address.sin_port));
        fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fds[1] < 0)
                die("accept");
}

/* socat gets one end of each of two connections. */
static void become_socat(int left, int right, const char *block_size)
{
        char first[24], second[24];
        snprintf(first, sizeof first, "FD:%d", dup(left));
        snprintf(second, sizeof second, "FD:%d", dup(right));
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("socat", "socat", "-b", block_size, first, second, (char *)NULL);
        _exit(127);
}

static double socat(size_t mib, const char *block_size)
{
        int in[2], out[2];
        tcp_pair(in);
        tcp_pair(out);
        const pid_t child = fork();
        if (child == 0)
                become_socat(in[1], out[0], block_size);
        close(in[1]);
        close(out[0]);
        struct flow source = { .fd = in[0], .size = mib * MIB, .end = true };
        struct flow sink = { .fd = out[1], .size = mib * MIB };
        const int64_t start = nanoseconds();
        const pthread_t thread = begin(pump, &source);
        drain(&sink);
        pthread_join(thread, NULL);
        const double seconds = (double)(nanoseconds() - start) / 1e9;
        kill(child, SIGTERM);
        waitpid(child, NULL, 0);
        return seconds;
}

/* What `socat TCP-LISTEN:… PIPE` does once it has accepted. */
static double socat_echo(size_t mib, const char *block_size)
{
        int pair[2];
        char end[24];
        tcp_pair(pair);
        const pid_t child = fork();
        if (child == 0) {
                snprintf(end, sizeof end, "FD:%d", dup(pair[1]));
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                execlp("socat", "socat", "-b", block_size, end, "PIPE", (char *)NULL);
                _exit(127);
        }
        close(pair[1]);
        const int64_t start = nanoseconds();
        there_and_back(pair[0], mib);
        const double seconds = (double)(nanoseconds() - start) / 1e9;
        kill(child, SIGTERM);
        waitpid(child, NULL, 0);
        close(pair[0]);
        return seconds;
}

static double through_daemon(
        void (*run)(struct client *, size_t), size_t mib, const char *port, const char *token)
{
        static struct client client;
        client_open(&client, (uint16_t)number(port), token);
        const int64_t start = nanoseconds();
        run(&client, mib);
        return (double)(nanoseconds() - start) / 1e9;
}

static const struct mode {
        const char *name;
        void (*run)(struct client *, size_t);
} modes[] = {
        { .name = "json", .run = json },
        { .name = "upload", .run = upload },
        { .name = "download", .run = download },
        { .name = "echo", .run = echo },
        { .name = "websocket-up", .run = websocket_up },
        { .name = "websocket-down", .run = websocket_down },
};

int main(int argc, char **argv)
{
        double seconds = 0;
        if (argc < 4)
                return 2;
        const size_t mib = number(argv[2]);
        if (argc == 4 && strcmp(argv[1], "socat") == 0)
                seconds = socat(mib, argv[3]);
        if (argc == 4 && strcmp(argv[1], "socat-echo") == 0)
                seconds = socat_echo(mib, argv[3]);
        for (size_t i = 0; argc == 5 && i < sizeof modes / sizeof *modes; i++)
                if (strcmp(argv[1], modes[i].name) == 0)
                        seconds = through_daemon(modes[i].run, mib, argv[3], argv[4]);
        if (!(seconds > 0))
                return 2;
        printf("%.0f\n", (double)mib * MIB / 1e6 / seconds);
        return EXIT_SUCCESS;
}
