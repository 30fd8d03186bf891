/* test_smuggling.c: bytes that servers on a request's way may understand differently, and lines without end:
 * each ends its connection, and nothing behind it is looked at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/steps.h"
#include "tests/http/wire.h"

/* What an attacker would have run behind the request that is understood in two ways. */
#define SMUGGLED                                                                                             \
        "POST /v1/sockets HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: "  \
        "0\r\n\r\n"
#define POST "POST /v1/sockets HTTP/1.1\r\n"
#define GET "GET /v1/sockets HTTP/1.1\r\n"
#define OWN "Host: localhost\r\nAuthorization: Bearer {token}\r\n"

/* Sent over TCP as they stand, but for {token} and {nul}, with SMUGGLED behind them. Each ends its
 * connection, and makes no socket. */
static const struct smuggling {
        const char *name, *text;
        int status; /* 0: it is closed without a word */
} smugglings[] = {
        { "two lengths", POST OWN "Content-Length: 0\r\nContent-Length: 150\r\n\r\n", 400 },
        { "two lengths in one", POST OWN "Content-Length: 0, 150\r\n\r\n", 400 },
        { "the same length twice", POST OWN "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400 },
        { "a length with a sign", POST OWN "Content-Length: +0\r\n\r\n", 400 },
        { "a negative length", POST OWN "Content-Length: -1\r\n\r\n", 400 },
        { "a hexadecimal length", POST OWN "Content-Length: 0x0\r\n\r\n", 400 },
        { "a length with a blank within", POST OWN "Content-Length: 0 0\r\n\r\n", 400 },
        { "a length with a blank behind", POST OWN "Content-Length: 0 \r\n\r\n", 400 },
        { "an empty length", POST OWN "Content-Length:\r\n\r\n", 400 },
        { "a length over 2^64", POST OWN "Content-Length: 18446744073709551616\r\n\r\n", 413 },
        { "a blank before the colon", POST OWN "Content-Length : 150\r\n\r\n", 400 },
        { "a tab before the colon", POST OWN "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", 400 },
        { "length, then chunks", POST OWN "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                400 },
        { "chunks, then length", POST OWN "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
                400 },
        { "chunks and identity", POST OWN "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400 },
        { "identity and chunks", POST OWN "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", 400 },
        { "identity", POST OWN "Transfer-Encoding: identity\r\n\r\n", 400 },
        { "chunks twice",
                POST OWN "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
        { "chunks and another coding twice",
                POST OWN "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", 400 },
        { "xchunked", POST OWN "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400 },
        { "chunked behind a control", POST OWN "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", 400 },
        { "chunked with a blank behind", POST OWN "Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n", 400 },
        { "chunked in quotes", POST OWN "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400 },
        { "chunks of HTTP/1.0",
                "POST /v1/sockets HTTP/1.0\r\n" OWN "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
        { "a folded length", POST OWN "Content-Length:\r\n 150\r\n\r\n", 400 },
        { "a folded header", POST OWN "X: a\r\n b\r\nContent-Length: 0\r\n\r\n", 400 },
        { "a folded coding", POST OWN "Transfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n", 400 },
        { "a folded last line", POST OWN "Content-Length: 0\r\nX: a\r\n b\r\n\r\n", 400 },
        { "a folded first line", "POST /v1/sockets HTTP/1.1\r\n X: y\r\n" OWN "Content-Length: 0\r\n\r\n",
                400 },
        { "a line without CR", POST OWN "X: y\nContent-Length: 0\r\n\r\n", 400 },
        { "a first line without CR", "POST /v1/sockets HTTP/1.1\n" OWN "Content-Length: 0\r\n\r\n", 400 },
        { "a last line without CR", POST OWN "Content-Length: 0\r\nX: y\n\r\n", 400 },
        { "an end without CR", POST OWN "Content-Length: 0\r\n\n", 400 },
        { "no CR at all",
                "POST /v1/sockets HTTP/1.1\nHost: localhost\nAuthorization: Bearer {token}\n"
                "Content-Length: 0\n\n",
                400 },
        { "CR alone", POST OWN "X: y\rContent-Length: 150\r\nContent-Length: 0\r\n\r\n", 400 },
        { "NUL in a value", POST OWN "X: y{nul}z\r\nContent-Length: 0\r\n\r\n", 400 },
        { "NUL in a name", POST OWN "X{nul}Y: z\r\nContent-Length: 0\r\n\r\n", 400 },
        { "NUL at a line's start", POST OWN "X: y\r\n{nul}Content-Length: 150\r\n\r\n", 400 },
        { "NUL at a line's end", POST OWN "Content-Length: 0{nul}\r\n\r\n", 400 },
        { "NUL in the target", "POST /v1/sockets{nul}?x HTTP/1.1\r\n" OWN "Content-Length: 0\r\n\r\n", 400 },
        { "NUL in the method", "POST{nul}X /v1/sockets HTTP/1.1\r\n" OWN "Content-Length: 0\r\n\r\n", 400 },
        { "a line without a colon", POST OWN "Content-Length\r\n\r\n", 400 },
        { "an empty name", POST OWN ": y\r\nContent-Length: 0\r\n\r\n", 400 },
        { "a name of odd bytes", POST OWN "X\x01Y: z\r\nContent-Length: 0\r\n\r\n", 400 },
        { "a name with a slash", POST OWN "X/Y: z\r\nContent-Length: 0\r\n\r\n", 400 },
        { "two blanks", "POST  /v1/sockets HTTP/1.1\r\n" OWN "Content-Length: 0\r\n\r\n", 400 },
        { "a blank in the target", "POST /v1/sockets ?x HTTP/1.1\r\n" OWN "Content-Length: 0\r\n\r\n", 0 },
        { "a tab between", "POST\t/v1/sockets HTTP/1.1\r\n" OWN "Content-Length: 0\r\n\r\n", 400 },
        { "no version", "POST /v1/sockets\r\n" OWN "Content-Length: 0\r\n\r\n", 400 },
        { "HTTP/0.9", "POST /v1/sockets HTTP/0.9\r\n" OWN "Content-Length: 0\r\n\r\n", 505 },
        { "HTTP/2.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505 },
        { "HTTP/11", "POST /v1/sockets HTTP/11\r\n" OWN "Content-Length: 0\r\n\r\n", 400 },
        { "a whole URL", "GET http://localhost/v1/sockets HTTP/1.1\r\n" OWN "\r\n", 400 },
        { "a host as target", "CONNECT 127.0.0.1:22 HTTP/1.1\r\n" OWN "\r\n", 400 },
        { "an asterisk as target", "OPTIONS * HTTP/1.1\r\n" OWN "\r\n", 400 },
        { "no host", "GET /v1/sockets HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n", 400 },
        { "two hosts", GET OWN "Host: evil.example\r\n\r\n", 400 },
        { "two tokens", GET OWN "Authorization: Bearer wrong\r\n\r\n", 400 },
        { "two media types",
                POST OWN
                "Content-Type: text/plain\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n",
                400 },
        { "a chunk size over 2^64",
                POST OWN "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "10000000000000002\r\n{}\r\n0\r\n\r\n",
                413 },
        { "a negative chunk size",
                POST OWN "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n",
                400 },
        { "a chunk size with 0x",
                POST OWN "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n",
                400 },
        { "a chunk longer than its size",
                POST OWN "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n",
                400 },
        /* These are understood, one way or the other; but nothing behind them is. */
        { "chunk lines without CR",
                POST OWN "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n", 415 },
        { "a chunk's extension",
                POST OWN "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "2;x=\"\r\n{}\r\n0\r\n\r\n",
                415 },
        { "a trailer that is a length",
                POST OWN "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "0\r\nContent-Length: 150\r\n\r\n",
                415 },
        { "a trailer that begins with NUL",
                POST OWN "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{nul}X: y\r\n",
                415 },
};

/* Its placeholders filled in, to be freed. */
static char *fill(const struct stage *stage, const char *text, size_t *size)
{
        char *out = NULL;
        FILE *const stream = open_memstream(&out, size);
        assert_non_null(stream);
        while (*text) {
                if (strncmp(text, "{token}", 7) == 0) {
                        fputs(stage->daemon->token, stream);
                        text += 7;
                } else if (strncmp(text, "{nul}", 5) == 0) {
                        fputc('\0', stream);
                        text += 5;
                } else {
                        fputc(*text++, stream);
                }
        }
        fclose(stream);
        return out;
}

/* As much as the daemon takes. */
static void send_all(int fd, const char *bytes, size_t size)
{
        while (size > 0) {
                const ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
                if (sent <= 0)
                        return;
                bytes += sent;
                size -= (size_t)sent;
        }
}

static void play_smuggling(struct stage *stage, const void *row)
{
        const struct smuggling *const smuggling = row;
        struct wire_reply reply;
        size_t size;
        char *whole = NULL;
        assert_true(asprintf(&whole, "%s" SMUGGLED, smuggling->text) > 0);
        char *const text = fill(stage, whole, &size);
        const int fd = wire_open(stage->daemon, OVER_TCP);
        send_all(fd, text, size);
        wire_read(fd, &reply);
        if (reply.status != smuggling->status)
                fail_msg("%d, not %d: %s%s", reply.status, smuggling->status, reply.head, reply.body);
        char rest[4096] = "";
        ssize_t got;
        while ((got = recv(fd, rest, sizeof rest - 1, 0)) > 0) {
                rest[got] = '\0';
                if (strstr(rest, "HTTP/1.1"))
                        fail_msg("a second reply: %s", rest);
        }
        close(fd);
        assert_int_equal(count_sockets(stage), 0);
        free(text);
        free(whole);
}

/* A megabyte where a line is expected. */
static const struct bulk {
        const char *name, *begin, *again;
        int status;
} bulks[] = {
        { "a header of 1 MB", GET OWN "X: ", "yyyyyyyyyyyyyyyy", 431 },
        { "a megabyte of headers", GET OWN, "X: yyyyyyyyyyy\r\n", 431 },
        { "a target of 1 MB", "GET /v1/sockets?label=", "yyyyyyyyyyyyyyyy", 414 },
        { "a method of 1 MB", "", "yyyyyyyyyyyyyyyy", 414 },
        { "a megabyte of empty names", GET OWN, ":\r\n", 400 },
};

static void play_bulk(struct stage *stage, const void *row)
{
        enum { MEGABYTE = 1 << 20 };
        const struct bulk *const bulk = row;
        const size_t piece = strlen(bulk->again), rounds = MEGABYTE / piece;
        struct wire_reply reply;
        size_t size;
        char *const begin = fill(stage, bulk->begin, &size);
        const long memory = daemon_memory(stage->daemon);
        const int fd = wire_open(stage->daemon, OVER_TCP);
        send_all(fd, begin, size);
        char *const megabyte = malloc(MEGABYTE);
        assert_non_null(megabyte);
        for (size_t i = 0; i < rounds; i++)
                memcpy(megabyte + i * piece, bulk->again, piece);
        send_all(fd, megabyte, rounds * piece);
        wire_read(fd, &reply);
        /* What is not read when it hangs up resets the connection, and may take the reply with it. */
        if (reply.status != bulk->status && reply.status != 0)
                fail_msg("%d, not %d: %s%s", reply.status, bulk->status, reply.head, reply.body);
        assert_true(wire_ends(fd));
        close(fd);
        assert_true(daemon_memory(stage->daemon) < memory + 4096);
        get(stage, 200, "/healthz");
        free(megabyte);
        free(begin);
}

int main(void)
{
        SUITE_ADD_ROWS(play_smuggling, smugglings);
        SUITE_ADD_ROWS(play_bulk, bulks);
        return suite_run("smuggling", NULL);
}
