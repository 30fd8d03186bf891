/* test_receive.c: receiving keeps the kernel's boundaries, or gathers exactly what was asked for. */
#include "daemon/sockets/receive.h"

#include <errno.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "daemon/sockets/result.h"
#include "tests/unit/ends.h"
#include "tests/unit/rows.h"

struct scene {
        struct socket *socket;
        int peer;
};

static void scene_set(struct scene *scene, int family, int type)
{
        struct ends ends;
        assert_true(ends_open(&ends, family, type));
        scene->socket = socket_new(ends.one, family, type, 0);
        assert_non_null(scene->socket);
        scene->peer = ends.other;
}

static void scene_clean(struct scene *scene)
{
        socket_release(scene->socket);
        end_close(&scene->peer);
}

static void feed_bytes(const struct scene *scene, const void *bytes, size_t size)
{
        int before = 0, now = 0;
        ioctl(scene->socket->fd, SIOCINQ, &before);
        assert_int_equal(send(scene->peer, bytes, size, MSG_NOSIGNAL), size);
        for (now = before; scene->socket->type == SOCK_STREAM && now < before + (int)size;) {
                assert_true(end_await(scene->socket->fd, POLLIN));
                ioctl(scene->socket->fd, SIOCINQ, &now);
        }
}

static void feed(const struct scene *scene, const char *text)
{
        feed_bytes(scene, text, strlen(text));
}

static void feed_end(const struct scene *scene)
{
        assert_int_equal(shutdown(scene->peer, SHUT_WR), 0);
        assert_true(end_await(scene->socket->fd, POLLRDHUP));
}

static void check_receipt(struct receipt *receipt, const char *text)
{
        assert_int_equal(receipt->size, strlen(text));
        if (receipt->size > 0)
                assert_memory_equal(receipt->bytes, text, receipt->size);
        free(receipt->bytes);
}

static void check_rest(const struct scene *scene, const char *rest)
{
        char left[64] = "";
        const ssize_t size = recv(scene->socket->fd, left, sizeof left - 1, MSG_DONTWAIT);
        assert_int_equal(size > 0 ? size : 0, strlen(rest));
        assert_string_equal(left, rest);
}

enum { PIECES = 5 };

struct until_row {
        const char *name;
        const char *pieces[PIECES]; /* each but the last one makes it wait; "" is the end of the stream */
        size_t bytes;
        const char *delimiter;
        size_t limit;            /* 0: plenty */
        const char *data, *rest; /* what is received, and what stays in the kernel */
        bool complete, eof;
};

static const struct until_row until_rows[] = {
        { "so many bytes", { "abcd" }, 4, NULL, 0, "abcd", "", true, false },
        { "so many bytes, with more behind", { "abcdef" }, 4, NULL, 0, "abcd", "ef", true, false },
        { "so many bytes in pieces", { "a", "bc", "def" }, 4, NULL, 0, "abcd", "ef", true, false },
        { "one byte", { "ab" }, 1, NULL, 0, "a", "b", true, false },
        { "fewer bytes, then the end", { "ab", "" }, 4, NULL, 0, "ab", "", false, true },
        { "no bytes, then the end", { "" }, 4, NULL, 0, "", "", false, true },
        { "more bytes than the limit", { "abcdef" }, 5, NULL, 3, "abc", "def", false, false },
        { "as many bytes as the limit", { "abcdef" }, 3, NULL, 3, "abc", "def", true, false },
        { "a delimiter", { "ab\ncd" }, 0, "\n", 0, "ab\n", "cd", true, false },
        { "a delimiter at once", { "\nab" }, 0, "\n", 0, "\n", "ab", true, false },
        { "a delimiter at the end", { "ab\n" }, 0, "\n", 0, "ab\n", "", true, false },
        { "a delimiter alone later", { "ab", "\n" }, 0, "\n", 0, "ab\n", "", true, false },
        { "a delimiter torn apart", { "ab\r", "\ncd" }, 0, "\r\n", 0, "ab\r\n", "cd", true, false },
        { "a delimiter torn to bits", { "x\r", "\n", "\r", "\ny" }, 0, "\r\n\r\n", 0, "x\r\n\r\n", "y", true,
                false },
        { "the same byte over and over", { "aaab", "aab" }, 0, "baab", 0, "aaabaab", "", true, false },
        { "a false start", { "\r\r", "\nz" }, 0, "\r\n", 0, "\r\r\n", "z", true, false },
        { "two delimiters", { "a\nb\n" }, 0, "\n", 0, "a\n", "b\n", true, false },
        { "no delimiter, then the end", { "ab", "" }, 0, "\n", 0, "ab", "", false, true },
        { "nothing, then the end", { "" }, 0, "\n", 0, "", "", false, true },
        { "no delimiter within the limit", { "abcdef\n" }, 0, "\n", 4, "abcd", "ef\n", false, false },
        { "a delimiter that ends at the limit", { "abc\nd" }, 0, "\n", 4, "abc\n", "d", true, false },
        { "a delimiter longer than the limit", { "abcd" }, 0, "abcd", 2, "ab", "cd", false, false },
        { "the end of the stream", { "ab", "cd", "" }, 0, NULL, 0, "abcd", "", true, true },
        { "the end at once", { "" }, 0, NULL, 0, "", "", true, true },
        { "the limit before the end", { "abcd" }, 0, NULL, 3, "abc", "d", false, false },
};

static void receives_until(const struct until_row *row, int family)
{
        struct scene scene;
        struct receipt receipt;
        struct result result = { 0 };
        struct goal goal = { .bytes = row->bytes,
                .delimiter = (const uint8_t *)row->delimiter,
                .delimiter_size = row->delimiter == NULL ? 0 : strlen(row->delimiter),
                .limit = row->limit == 0 ? 1 << 20 : row->limit };
        scene_set(&scene, family, SOCK_STREAM);
        assert_int_equal(receive_until(scene.socket, &goal, 0, &receipt).kind, RESULT_WAIT);
        /* Who waits for the first byte costs no memory. */
        const struct inbox *const inbox = &scene.socket->stored->inbox;
        assert_false(inbox->places[inbox->current].extent);
        for (int i = 0; i < PIECES && row->pieces[i] != NULL; i++) {
                if (i > 0)
                        assert_int_equal(result.kind, RESULT_WAIT);
                if (row->pieces[i][0] == '\0')
                        feed_end(&scene);
                else
                        feed(&scene, row->pieces[i]);
                result = receive_until(scene.socket, &goal, 0, &receipt);
        }
        assert_int_equal(result.kind, RESULT_DONE);
        assert_int_equal(scene.socket->stored->received.bytes, strlen(row->data));
        assert_int_equal(receipt.complete, row->complete);
        assert_int_equal(receipt.eof, row->eof);
        assert_int_equal(receipt.length, receipt.size);
        check_receipt(&receipt, row->data);
        check_rest(&scene, row->rest);
        assert_int_equal(scene.socket->unread, 0);
        scene_clean(&scene);
}

static void receives_until_over_unix(void **state)
{
        receives_until(*state, AF_UNIX);
}

static void receives_until_over_tcp(void **state)
{
        receives_until(*state, AF_INET);
}

/* How the bytes that a recv(until) gathered and did not answer with are received: "abc\ndef" here. */
struct gathered_row {
        const char *name;
        bool until;
        size_t size; /* the limit of an until */
        size_t bytes;
        const char *delimiter;
        int flags;
        const char *data, *left;
        bool complete;
};

static const struct gathered_row gathered_rows[] = {
        { "all of it", false, 100, 0, NULL, 0, "abc\ndef", "", true },
        { "a part", false, 2, 0, NULL, 0, "ab", "c\ndef", true },
        { "none of it", false, 0, 0, NULL, 0, "", "abc\ndef", true },
        { "a look", false, 100, 0, NULL, MSG_PEEK, "abc\ndef", "abc\ndef", true },
        { "a short look", false, 2, 0, NULL, MSG_PEEK, "ab", "abc\ndef", true },
        { "without waiting", false, 100, 0, NULL, MSG_DONTWAIT, "abc\ndef", "", true },
        { "so many of them", true, 100, 3, NULL, 0, "abc", "\ndef", true },
        { "exactly all of them", true, 100, 7, NULL, 0, "abc\ndef", "", true },
        { "up to the delimiter", true, 100, 0, "\n", 0, "abc\n", "def", true },
        { "the delimiter is the last", true, 100, 0, "f", 0, "abc\ndef", "", true },
        { "the delimiter is beyond the limit", true, 3, 0, "\n", 0, "abc", "\ndef", false },
        { "the delimiter reaches beyond the limit", true, 3, 0, "c\n", 0, "abc", "\ndef", false },
        { "the delimiter ends at the limit", true, 4, 0, "\n", 0, "abc\n", "def", true },
        { "more than the limit", true, 3, 5, NULL, 0, "abc", "\ndef", false },
        { "the limit before the end", true, 4, 0, NULL, 0, "abc\n", "def", false },
};

static void gather_and_fail(struct scene *scene)
{
        struct receipt receipt;
        struct goal goal = { .bytes = 100, .limit = 1000 };
        scene_set(scene, AF_UNIX, SOCK_STREAM);
        feed(scene, "ab");
        assert_int_equal(receive_until(scene->socket, &goal, 0, &receipt).kind, RESULT_WAIT);
        feed(scene, "c\ndef");
        assert_int_equal(receive_until(scene->socket, &goal, 0, &receipt).kind, RESULT_WAIT);
        assert_int_equal(scene->socket->unread, 7);
}

static void gathered_comes_first(void **state)
{
        const struct gathered_row *const row = *state;
        struct scene scene;
        struct receipt receipt;
        struct goal goal = { .bytes = row->bytes,
                .delimiter = (const uint8_t *)row->delimiter,
                .delimiter_size = row->delimiter == NULL ? 0 : strlen(row->delimiter),
                .limit = row->size };
        gather_and_fail(&scene);
        feed(&scene, "ghi"); /* comes behind, and stays where it is */
        const struct result result = row->until ? receive_until(scene.socket, &goal, row->flags, &receipt)
                                                : receive_once(scene.socket, row->size, row->flags, &receipt);
        assert_int_equal(result.kind, RESULT_DONE);
        assert_int_equal(receipt.complete, row->complete);
        assert_false(receipt.eof);
        check_receipt(&receipt, row->data);
        assert_int_equal(scene.socket->unread, strlen(row->left));
        if (row->left[0] != '\0') {
                assert_int_equal(receive_once(scene.socket, 100, 0, &receipt).kind, RESULT_DONE);
                check_receipt(&receipt, row->left);
        }
        assert_int_equal(scene.socket->stored->received.bytes, 7);
        check_rest(&scene, "ghi");
        scene_clean(&scene);
}

/* Gathered bytes outlive the connection. */
static void gathered_survives_a_reset(void **state)
{
        (void)state;
        struct scene scene;
        struct receipt receipt;
        struct goal goal = { .bytes = 100, .limit = 1000 };
        scene_set(&scene, AF_INET, SOCK_STREAM);
        feed(&scene, "abc");
        assert_int_equal(receive_until(scene.socket, &goal, 0, &receipt).kind, RESULT_WAIT);
        end_reset(&scene.peer);
        assert_true(end_await(scene.socket->fd, POLLIN));
        const struct result reset = receive_until(scene.socket, &goal, 0, &receipt);
        assert_int_equal(reset.kind, RESULT_REFUSED);
        assert_int_equal(reset.error, ECONNRESET);
        assert_string_equal(reset.call, "recv");
        assert_int_equal(receive_once(scene.socket, 100, 0, &receipt).kind, RESULT_DONE);
        check_receipt(&receipt, "abc");
        scene_clean(&scene);
}

struct once_row {
        const char *name;
        int family, type;
        const char *messages[PIECES]; /* "" is an empty message */
        bool end;
        size_t size;
        int flags;
        const char *data;
        size_t length;
        bool eof, truncated;
        const char *next; /* what a plain receive gets after it; NULL: it would wait */
};

static const struct once_row once_rows[] = {
        { "TCP", AF_INET, SOCK_STREAM, { "abc" }, false, 10, 0, "abc", 3, false, false, NULL },
        { "TCP, less", AF_INET, SOCK_STREAM, { "abc" }, false, 2, 0, "ab", 2, false, false, "c" },
        { "TCP, none", AF_INET, SOCK_STREAM, { "abc" }, false, 0, 0, "", 0, false, false, "abc" },
        { "TCP, a look", AF_INET, SOCK_STREAM, { "abc" }, false, 10, MSG_PEEK, "abc", 3, false, false,
                "abc" },
        { "TCP, end", AF_INET, SOCK_STREAM, { NULL }, true, 10, 0, "", 0, true, false, "" },
        { "TCP, end, none asked for", AF_INET, SOCK_STREAM, { NULL }, true, 0, 0, "", 0, false, false, "" },
        { "TCP, bytes before the end", AF_INET, SOCK_STREAM, { "abc" }, true, 10, 0, "abc", 3, false, false,
                "" },
        { "TCP, thrown away", AF_INET, SOCK_STREAM, { "abcd" }, false, 3, MSG_TRUNC, "", 3, false, false,
                "d" },
        { "unix", AF_UNIX, SOCK_STREAM, { "abc" }, false, 10, 0, "abc", 3, false, false, NULL },
        { "unix, end", AF_UNIX, SOCK_STREAM, { NULL }, true, 10, 0, "", 0, true, false, "" },
        { "UDP", AF_INET, SOCK_DGRAM, { "abc", "d" }, false, 10, 0, "abc", 3, false, false, "d" },
        { "UDP, exactly", AF_INET, SOCK_DGRAM, { "abc", "d" }, false, 3, 0, "abc", 3, false, false, "d" },
        { "UDP, cut off", AF_INET, SOCK_DGRAM, { "abc", "d" }, false, 2, 0, "ab", 2, false, true, "d" },
        { "UDP, its length", AF_INET, SOCK_DGRAM, { "abc", "d" }, false, 2, MSG_TRUNC, "ab", 3, false, true,
                "d" },
        { "UDP, only its length", AF_INET, SOCK_DGRAM, { "abc" }, false, 0, MSG_TRUNC | MSG_PEEK, "", 3,
                false, true, "abc" },
        { "UDP, a look", AF_INET, SOCK_DGRAM, { "abc" }, false, 2, MSG_PEEK, "ab", 2, false, true, "abc" },
        { "UDP, empty", AF_INET, SOCK_DGRAM, { "", "d" }, false, 10, 0, "", 0, false, false, "d" },
        { "unix datagram, cut off", AF_UNIX, SOCK_DGRAM, { "abc" }, false, 1, 0, "a", 1, false, true, NULL },
        { "seqpacket", AF_UNIX, SOCK_SEQPACKET, { "abc", "d" }, false, 10, 0, "abc", 3, false, false, "d" },
        { "seqpacket, cut off", AF_UNIX, SOCK_SEQPACKET, { "abc", "d" }, false, 2, 0, "ab", 2, false, true,
                "d" },
        { "seqpacket, empty", AF_UNIX, SOCK_SEQPACKET, { "", "d" }, false, 10, 0, "", 0, false, false, "d" },
        { "seqpacket, end", AF_UNIX, SOCK_SEQPACKET, { NULL }, true, 10, 0, "", 0, true, false, "" },
        { "seqpacket, empty, more, end", AF_UNIX, SOCK_SEQPACKET, { "", "d" }, true, 10, 0, "", 0, false,
                false, "d" },
        { "seqpacket, a message before the end", AF_UNIX, SOCK_SEQPACKET, { "a" }, true, 10, 0, "a", 1, false,
                false, "" },
};

static void receives_once(void **state)
{
        const struct once_row *const row = *state;
        struct scene scene;
        struct receipt receipt;
        scene_set(&scene, row->family, row->type);
        for (int i = 0; i < PIECES && row->messages[i] != NULL; i++)
                feed(&scene, row->messages[i]);
        if (row->end)
                feed_end(&scene);
        assert_true(end_await(scene.socket->fd, POLLIN));
        assert_int_equal(receive_once(scene.socket, row->size, row->flags, &receipt).kind, RESULT_DONE);
        assert_int_equal(receipt.length, row->length);
        assert_int_equal(receipt.eof, row->eof);
        assert_int_equal(receipt.truncated, row->truncated);
        assert_true(receipt.complete);
        assert_int_equal(receipt.address.given, row->family == AF_INET && row->type == SOCK_DGRAM);
        assert_int_equal(
                scene.socket->stored->received.bytes, (row->flags & MSG_PEEK) != 0 ? 0 : row->length);
        check_receipt(&receipt, row->data);
        const struct result next = receive_once(scene.socket, 10, 0, &receipt);
        assert_int_equal(next.kind, row->next == NULL ? RESULT_WAIT : RESULT_DONE);
        if (row->next != NULL)
                check_receipt(&receipt, row->next);
        scene_clean(&scene);
}

static void nothing_is_there(void **state)
{
        (void)state;
        struct scene scene;
        struct receipt receipt;
        struct goal goal = { .bytes = 1, .limit = 1 };
        uint8_t byte;
        size_t used;
        scene_set(&scene, AF_INET, SOCK_STREAM);
        struct socket *const socket = scene.socket;
        const struct result waits[] = { receive_once(socket, 1, 0, &receipt),
                receive_until(socket, &goal, 0, &receipt), receive_piece(socket, &byte, 1, 0, &used) };
        const struct result refusals[] = { receive_once(socket, 1, MSG_DONTWAIT, &receipt),
                receive_until(socket, &goal, MSG_DONTWAIT, &receipt),
                receive_piece(socket, &byte, 1, MSG_DONTWAIT, &used) };
        for (int i = 0; i < 3; i++) {
                assert_int_equal(waits[i].kind, RESULT_WAIT);
                assert_string_equal(waits[i].call, "recv");
                assert_int_equal(refusals[i].kind, RESULT_REFUSED);
                assert_int_equal(refusals[i].error, EAGAIN);
        }
        scene_clean(&scene);
}

/* A message of the error queue without bytes is not the end of the stream. */
static void error_queue_is_no_end(void **state)
{
        (void)state;
        const int stamps = SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY;
        struct scene scene;
        struct receipt receipt;
        scene_set(&scene, AF_INET, SOCK_STREAM);
        assert_int_equal(
                setsockopt(scene.socket->fd, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof stamps), 0);
        assert_int_equal(send(scene.socket->fd, "x", 1, 0), 1);
        assert_true(end_await(scene.socket->fd, 0));
        assert_int_equal(receive_once(scene.socket, 10, MSG_ERRQUEUE, &receipt).kind, RESULT_DONE);
        assert_int_equal(receipt.length, 0);
        assert_false(receipt.eof);
        check_receipt(&receipt, "");
        scene_clean(&scene);
}

static void receives_pieces(void **state)
{
        (void)state;
        struct scene scene;
        uint8_t buffer[4];
        size_t used;
        gather_and_fail(&scene);
        feed(&scene, "ghi");
        assert_int_equal(receive_piece(scene.socket, NULL, 0, 0, &used).kind, RESULT_DONE);
        assert_int_equal(used, 1);
        static const char *const pieces[] = { "abc\n", "def", "ghi" };
        for (int i = 0; i < 3; i++) {
                assert_int_equal(
                        receive_piece(scene.socket, buffer, sizeof buffer, 0, &used).kind, RESULT_DONE);
                assert_int_equal(used, strlen(pieces[i]));
                assert_memory_equal(buffer, pieces[i], used);
        }
        assert_int_equal(receive_piece(scene.socket, NULL, 0, 0, &used).kind, RESULT_WAIT);
        feed(&scene, "j");
        assert_int_equal(receive_piece(scene.socket, NULL, 0, 0, &used).kind, RESULT_DONE);
        assert_int_equal(used, 1);
        assert_int_equal(scene.socket->stored->received.bytes, 10);
        check_rest(&scene, "j");
        feed_end(&scene);
        for (size_t size = 0; size < 2; size++) {
                assert_int_equal(receive_piece(scene.socket, buffer, size, 0, &used).kind, RESULT_DONE);
                assert_int_equal(used, 0);
        }
        scene_clean(&scene);
}

enum { STREAM_SIZE = 3000 };

/* Where a receive_until("\r\n") is to stop: behind the first one, at the limit, or at the stream's end. */
static size_t model_size(const char *bytes, size_t left, size_t limit, bool *complete)
{
        const char *const line_end = memmem(bytes, left < limit ? left : limit, "\r\n", 2);
        *complete = line_end != NULL;
        if (line_end != NULL)
                return (size_t)(line_end - bytes) + 2;
        return left < limit ? left : limit;
}

/* A random piece of what is left to feed, or the stream's end. */
static void feed_some(const struct scene *scene, const char *in, size_t *fed, unsigned *random)
{
        const size_t most = 1 + (size_t)rand_r(random) % 20;
        const size_t size = most < STREAM_SIZE - *fed ? most : STREAM_SIZE - *fed;
        if (size == 0) {
                feed_end(scene);
                return;
        }
        feed_bytes(scene, in + *fed, size);
        *fed += size;
}

/* One receive, fed until it is done; now and then it times out, and another one comes. Returns its size. */
static size_t receive_line(
        const struct scene *scene, const char *in, size_t *fed, size_t got, unsigned *random)
{
        struct goal goal = { .delimiter = (const uint8_t *)"\r\n", .delimiter_size = 2 };
        struct receipt receipt;
        bool complete;
        goal.limit = 1 + (size_t)rand_r(random) % 40;
        while (receive_until(scene->socket, &goal, 0, &receipt).kind == RESULT_WAIT) {
                feed_some(scene, in, fed, random);
                if (rand_r(random) % 5 == 0)
                        return 0;
        }
        assert_int_equal(receipt.size, model_size(in + got, STREAM_SIZE - got, goal.limit, &complete));
        assert_int_equal(receipt.complete, complete);
        assert_memory_equal(receipt.bytes, in + got, receipt.size);
        free(receipt.bytes);
        return receipt.size;
}

/* Random bytes in random pieces: all come out as they went in, and each receive stops where it should. */
static void lines_come_out_whole(void **state)
{
        (void)state;
        for (unsigned seed = 1; seed <= 60; seed++) {
                static char in[STREAM_SIZE];
                struct scene scene;
                unsigned random = seed;
                scene_set(&scene, seed % 2 == 0 ? AF_UNIX : AF_INET, SOCK_STREAM);
                for (size_t i = 0; i < STREAM_SIZE; i++)
                        in[i] = "ab\r\n"[rand_r(&random) % 4];
                for (size_t fed = 0, got = 0; got < STREAM_SIZE;)
                        got += receive_line(&scene, in, &fed, got, &random);
                assert_int_equal(scene.socket->stored->received.bytes, STREAM_SIZE);
                scene_clean(&scene);
        }
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, receives_until_over_unix, until_rows);
        ROWS_ADD(&all, receives_until_over_tcp, until_rows);
        ROWS_ADD(&all, gathered_comes_first, gathered_rows);
        rows_add_one(&all, "gathered bytes survive a reset", gathered_survives_a_reset);
        ROWS_ADD(&all, receives_once, once_rows);
        rows_add_one(&all, "nothing is there", nothing_is_there);
        rows_add_one(&all, "the error queue is no end", error_queue_is_no_end);
        rows_add_one(&all, "receives pieces", receives_pieces);
        rows_add_one(&all, "lines come out whole", lines_come_out_whole);
        return rows_run("receive", &all);
}
