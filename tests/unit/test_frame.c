/* test_frame.c: a stream is cut into the same messages however it comes, and what is no message is told. */
#include "daemon/sockets/frame.h"

#include <time.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/receive.h"
#include "tests/unit/ends.h"
#include "tests/unit/rows.h"

enum { MIB = 1 << 20, MIB_2 = 2 << 20, MIB_8 = 8 << 20, MIB_16 = 16 << 20, COUNT_ALL = 1000 };

#define FIXED(n)                                                                                             \
        {                                                                                                    \
                .bytes = (n), .max = MIB, .count = COUNT_ALL                                                 \
        }
#define DELIMITED(text, most)                                                                                \
        {                                                                                                    \
                .delimiter = (const uint8_t *)(text), .delimiter_size = sizeof(text) - 1, .max = (most),     \
                .count = COUNT_ALL                                                                           \
        }
#define PREFIXED(bytes_of_it, ...)                                                                           \
        {                                                                                                    \
                .width = (bytes_of_it), .max = MIB, .count = COUNT_ALL, __VA_ARGS__                          \
        }

struct frame_row {
        const char *name;
        struct frame frame;
        const char *bytes;
        size_t size;
        enum frame_state state;
        uint64_t length;
};
#define BYTES(text) (text), sizeof(text) - 1

static const struct frame_row frame_rows[] = {
        { "fixed, none", FIXED(4), BYTES(""), FRAME_INCOMPLETE, 4 },
        { "fixed, short", FIXED(4), BYTES("abc"), FRAME_INCOMPLETE, 4 },
        { "fixed", FIXED(4), BYTES("abcd"), FRAME_WHOLE, 4 },
        { "fixed, more", FIXED(4), BYTES("abcdefgh"), FRAME_WHOLE, 4 },
        { "no delimiter", DELIMITED("\r\n", MIB), BYTES("abc\r"), FRAME_INCOMPLETE, 0 },
        { "a delimiter", DELIMITED("\r\n", MIB), BYTES("abc\r\nde"), FRAME_WHOLE, 5 },
        { "only a delimiter", DELIMITED("\n", MIB), BYTES("\n"), FRAME_WHOLE, 1 },
        { "a zero byte", DELIMITED("\0", MIB), BYTES("ab\0c"), FRAME_WHOLE, 3 },
        { "a delimiter at max", DELIMITED("\n", 4), BYTES("abc\nd"), FRAME_WHOLE, 4 },
        { "a delimiter behind max", DELIMITED("\n", 4), BYTES("abcd\n"), FRAME_OVERSIZED, 0 },
        { "a delimiter across max", DELIMITED("\r\n", 4), BYTES("abc\r\n"), FRAME_OVERSIZED, 0 },
        { "no delimiter up to max", DELIMITED("\n", 4), BYTES("abcd"), FRAME_OVERSIZED, 0 },
        { "no delimiter yet", DELIMITED("\n", 4), BYTES("abc"), FRAME_INCOMPLETE, 0 },
        { "no header", PREFIXED(2), BYTES("\0"), FRAME_INCOMPLETE, 0 },
        { "only a header", PREFIXED(2), BYTES("\0\3"), FRAME_INCOMPLETE, 5 },
        { "one byte", PREFIXED(1), BYTES("\3abcd"), FRAME_WHOLE, 4 },
        { "two bytes", PREFIXED(2), BYTES("\0\3abcd"), FRAME_WHOLE, 5 },
        { "two bytes, little", PREFIXED(2, .little_endian = true), BYTES("\3\0abcd"), FRAME_WHOLE, 5 },
        { "two bytes, the other order", PREFIXED(2, .little_endian = true), BYTES("\0\3abcd"),
                FRAME_INCOMPLETE, 770 },
        { "three bytes", PREFIXED(3), BYTES("\0\0\1a"), FRAME_WHOLE, 4 },
        { "three bytes, little", PREFIXED(3, .little_endian = true), BYTES("\1\0\0a"), FRAME_WHOLE, 4 },
        { "four bytes", PREFIXED(4), BYTES("\0\0\0\2ab"), FRAME_WHOLE, 6 },
        { "four bytes, little", PREFIXED(4, .little_endian = true), BYTES("\2\0\0\0ab"), FRAME_WHOLE, 6 },
        { "eight bytes", PREFIXED(8), BYTES("\0\0\0\0\0\0\0\1a"), FRAME_WHOLE, 9 },
        { "eight bytes, little", PREFIXED(8, .little_endian = true), BYTES("\1\0\0\0\0\0\0\0a"), FRAME_WHOLE,
                9 },
        { "an empty message", PREFIXED(2), BYTES("\0\0x"), FRAME_WHOLE, 2 },
        { "an offset", PREFIXED(2, .offset = 3), BYTES("xyz\0\2abc"), FRAME_WHOLE, 7 },
        { "an offset, no length yet", PREFIXED(2, .offset = 3), BYTES("xyz\0"), FRAME_INCOMPLETE, 0 },
        { "inclusive", PREFIXED(2, .inclusive = true), BYTES("\0\4abcd"), FRAME_WHOLE, 4 },
        { "inclusive with an offset", PREFIXED(2, .inclusive = true, .offset = 1), BYTES("x\0\5abc"),
                FRAME_WHOLE, 5 },
        { "inclusive, a header alone", PREFIXED(2, .inclusive = true), BYTES("\0\2a"), FRAME_WHOLE, 2 },
        { "inclusive, less than its header", PREFIXED(2, .inclusive = true), BYTES("\0\1a"), FRAME_UNSOUND,
                1 },
        { "inclusive, nothing", PREFIXED(1, .inclusive = true), BYTES("\0"), FRAME_UNSOUND, 0 },
        { "as long as max", PREFIXED(4), BYTES("\0\x0f\xff\xfc"), FRAME_INCOMPLETE, MIB },
        { "longer than max", PREFIXED(4), BYTES("\0\x0f\xff\xfd"), FRAME_OVERSIZED, MIB + 1 },
        { "the longest", PREFIXED(8), BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"), FRAME_OVERSIZED,
                UINT64_MAX },
        { "the longest but its header", PREFIXED(8), BYTES("\xff\xff\xff\xff\xff\xff\xff\xf7"),
                FRAME_OVERSIZED, UINT64_MAX },
};

static void finds(void **state)
{
        const struct frame_row *const row = *state;
        /* Memory of just that size, for the sanitizer to guard. */
        uint8_t *const bytes = malloc(row->size + (row->size == 0));
        uint64_t length = 99;
        memcpy(bytes, row->bytes, row->size);
        assert_int_equal(frame_find(&row->frame, bytes, row->size, 0, &length), row->state);
        assert_int_equal(length, row->length);
        free(bytes);
}

struct stream_row {
        const char *name;
        struct frame frame;
        const char *bytes;
        size_t size;
        const char *sizes; /* of the messages, in order, a digit each */
        int error;         /* then, at the end of the stream; 0: no message is begun */
};

static const struct stream_row stream_rows[] = {
        { "fixed sizes", FIXED(3), BYTES("abcdefghi"), "333", 0 },
        { "fixed sizes and a rest", FIXED(3), BYTES("abcdefgh"), "33", EBADMSG },
        { "lines", DELIMITED("\n", MIB), BYTES("a\nbc\n\ndef\n"), "2314", 0 },
        { "lines and a rest", DELIMITED("\r\n", MIB), BYTES("a\r\n\r\rb\r\n\r"), "35", EBADMSG },
        { "one that begins like a delimiter", DELIMITED("aab", MIB), BYTES("aaabaab"), "43", 0 },
        { "prefixed", PREFIXED(2), BYTES("\0\1a\0\0\0\3abc"), "325", 0 },
        { "prefixed, with a rest", PREFIXED(2), BYTES("\0\1a\0\3ab"), "3", EBADMSG },
        { "prefixed, half a header", PREFIXED(4), BYTES("\0\0\0\1a\0\0"), "5", EBADMSG },
        { "an inclusive length behind a type", PREFIXED(2, .offset = 1, .inclusive = true),
                BYTES("t\0\4au\0\3v\0\5bc"), "435", 0 },
        { "a long one after short ones", DELIMITED("\n", 4), BYTES("ab\nabcdef\n"), "3", EMSGSIZE },
        { "a length that cannot be", PREFIXED(1, .inclusive = true), BYTES("\2a\0b"), "2", EPROTO },
        { "nothing", PREFIXED(1), BYTES(""), "", 0 },
};

struct scene {
        struct socket *socket;
        int peer;
        size_t fed, taken;
        const struct stream_row *row;
        const char *size; /* of the next message */
};

static void scene_open(struct scene *scene, const struct stream_row *row)
{
        struct ends ends;
        assert_true(ends_open(&ends, AF_UNIX, SOCK_STREAM));
        *scene = (struct scene){ .socket = socket_new(ends.one, AF_UNIX, SOCK_STREAM, 0),
                .peer = ends.other,
                .row = row,
                .size = row == NULL ? NULL : row->sizes };
        assert_non_null(scene->socket);
}

static void scene_close(struct scene *scene)
{
        socket_release(scene->socket);
        if (scene->peer >= 0)
                end_close(&scene->peer);
}

static void feed(struct scene *scene, size_t size)
{
        assert_int_equal(send(scene->peer, scene->row->bytes + scene->fed, size, MSG_NOSIGNAL), size);
        scene->fed += size;
}

/* Each message is the one that the row tells of. */
static void check_messages(struct scene *scene, const struct receipt *receipt)
{
        assert_memory_equal(receipt->bytes, scene->row->bytes + scene->taken, receipt->size);
        for (size_t left = receipt->size; left > 0;) {
                const size_t size = (size_t)(*scene->size++ - '0');
                assert_true(size > 0 && size <= left);
                left -= size;
        }
        scene->taken += receipt->size;
}

/* Receives until nothing more is whole. Returns what is said then. */
static struct result receive_all(struct scene *scene, struct frame frame, struct receipt *receipt)
{
        for (;;) {
                struct goal goal = { .frame = &frame, .limit = MIB_16 };
                *receipt = (struct receipt){ 0 };
                const struct result result = receive_until(scene->socket, &goal, 0, receipt);
                if (result.kind != RESULT_DONE || receipt->eof)
                        return result;
                assert_true(receipt->complete);
                check_messages(scene, receipt);
                free(receipt->bytes);
        }
}

/* Nothing is lost: what is no message can be had in another way. */
static void check_rest(struct scene *scene)
{
        struct receipt receipt;
        do {
                assert_int_equal(receive_once(scene->socket, 100, 0, &receipt).kind, RESULT_DONE);
                assert_true(receipt.size <= scene->row->size - scene->taken);
                assert_memory_equal(receipt.bytes, scene->row->bytes + scene->taken, receipt.size);
                scene->taken += receipt.size;
                free(receipt.bytes);
        } while (!receipt.eof);
        assert_int_equal(scene->taken, scene->row->size);
}

/* In pieces of this size, so many messages at once; then the end of the stream, and what is left. */
static void plays(const struct stream_row *row, size_t piece, size_t count)
{
        struct scene scene;
        struct receipt receipt;
        struct frame frame = row->frame;
        frame.count = count;
        scene_open(&scene, row);
        while (scene.fed < row->size) {
                feed(&scene, piece < row->size - scene.fed ? piece : row->size - scene.fed);
                receive_all(&scene, frame, &receipt);
        }
        assert_int_equal(*scene.size, '\0');
        end_close(&scene.peer);
        const struct result last = receive_all(&scene, frame, &receipt);
        assert_int_equal(last.error, row->error);
        const size_t left = row->size - scene.taken;
        assert_int_equal(receipt.size, row->error == EBADMSG ? left : 0);
        if (receipt.size > 0)
                assert_memory_equal(receipt.bytes, row->bytes + scene.taken, left);
        free(receipt.bytes);
        check_rest(&scene);
        scene_close(&scene);
}

static void cuts_a_stream(void **state)
{
        const struct stream_row *const row = *state;
        for (size_t piece = 1; piece <= row->size + 1; piece++)
                for (size_t count = 1; count <= 4; count++)
                        plays(row, piece, count);
}

/* What is behind the last whole message is the kernel's still, for those who look there. */
static void leaves_the_rest(void **state)
{
        (void)state;
        static const struct stream_row row = {
                .frame = DELIMITED("\n", MIB), BYTES("a\nb\nrest"), .sizes = ""
        };
        const struct frame frame = row.frame;
        struct goal goal = { .frame = &frame, .limit = MIB };
        struct scene scene;
        struct receipt receipt;
        char rest[8];
        scene_open(&scene, &row);
        feed(&scene, row.size);
        assert_int_equal(receive_until(scene.socket, &goal, 0, &receipt).kind, RESULT_DONE);
        assert_int_equal(receipt.size, 4);
        free(receipt.bytes);
        assert_int_equal(recv(scene.socket->fd, rest, sizeof rest, MSG_DONTWAIT), 4);
        assert_int_equal(scene.socket->unread, 0);
        scene_close(&scene);
}

static double seconds(void)
{
        struct timespec now;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* How long a message of that size takes that comes in small pieces. */
static double torn_message(size_t size)
{
        enum { PIECE = 64 };
        static const uint8_t zeros[PIECE];
        const struct frame frame = {
                .delimiter = (const uint8_t *)"\0\n", .delimiter_size = 2, .max = MIB_8, .count = 1
        };
        struct goal goal = { .frame = &frame, .limit = MIB_8 };
        struct scene scene;
        struct receipt receipt;
        scene_open(&scene, NULL);
        const double start = seconds();
        for (size_t sent = 0; sent < size; sent += PIECE) {
                assert_int_equal(send(scene.peer, zeros, PIECE, MSG_NOSIGNAL), PIECE);
                assert_int_equal(receive_until(scene.socket, &goal, 0, &receipt).kind, RESULT_WAIT);
        }
        assert_int_equal(send(scene.peer, "\n", 1, MSG_NOSIGNAL), 1);
        assert_int_equal(receive_until(scene.socket, &goal, 0, &receipt).kind, RESULT_DONE);
        assert_int_equal(receipt.size, size + 1);
        free(receipt.bytes);
        scene_close(&scene);
        return seconds() - start;
}

/* Sixteen times the bytes take about as many times the time, and not 256 times. */
static void searches_once(void **state)
{
        (void)state;
        const double little = torn_message(MIB / 8), much = torn_message(MIB_2);
        if (much > 80 * little)
                fail_msg("%.1f ms for 128 KiB, but %.1f ms for 2 MiB", little * 1e3, much * 1e3);
}

int main(void)
{
        static struct row_tests tests;
        ROWS_ADD(&tests, finds, frame_rows);
        ROWS_ADD(&tests, cuts_a_stream, stream_rows);
        rows_add_one(&tests, "leaves the rest to the kernel", leaves_the_rest);
        rows_add_one(&tests, "searches no byte twice", searches_once);
        return rows_run("frame", &tests);
}
