/* test_websocket.c: the WebSocket protocol, as RFC 6455 has it, after the cases of Autobahn's test suite that
 * apply: frames of all sorts, whole and byte by byte. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/ws.h"

enum { PARTS_MAX = 6, MESSAGE_MAX = 1 << 20 };

#define PART(byte, text, ...)                                                                                \
        {                                                                                                    \
                .first = (byte), .bytes = (text), .size = sizeof(text) - 1, __VA_ARGS__                      \
        }
#define BINARY(text) PART(WS_FIN | WS_BINARY, text, .form = 0)
#define BEGIN(text) PART(WS_BINARY, text, .form = 0)
#define MORE(text) PART(WS_CONTINUATION, text, .form = 0)
#define LAST(text) PART(WS_FIN | WS_CONTINUATION, text, .form = 0)
#define PING(text) PART(WS_FIN | WS_PING, text, .form = 0)
#define PONG(text) PART(WS_FIN | WS_PONG, text, .form = 0)
#define TEXT(text) PART(WS_FIN | WS_TEXT, text, .form = 0)
#define CLOSE(payload) PART(WS_FIN | WS_CLOSE, payload, .form = 0)
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define FULL HUNDRED TEN TEN "01234" /* 125 bytes */

/* What a client sends; what the socket's peer gets of it; the pong that comes; and the close: 0 is none, or
 * of an echoed close without a code. */
static const struct exchange {
        const char *name;
        struct ws_part parts[PARTS_MAX];
        const char *delivered, *pong;
        unsigned code;
        bool echoed; /* the close is the client's own */
} exchanges[] = {
        { "one frame", { BINARY("hello") }, .delivered = "hello" },
        { "an empty frame among others", { BINARY("a"), BINARY(""), BINARY("b") }, .delivered = "ab" },
        { "125 bytes", { BINARY(FULL) }, .delivered = FULL },
        { "126 bytes", { BINARY(FULL "x") }, .delivered = FULL "x" },
        { "fragments", { BEGIN("he"), MORE("ll"), LAST("o") }, .delivered = "hello" },
        { "empty fragments", { BEGIN(""), MORE(""), MORE("x"), LAST("") }, .delivered = "x" },
        { "a ping among fragments", { BEGIN("he"), PING("p"), LAST("llo") }, .delivered = "hello",
                .pong = "p" },
        { "a pong among fragments", { BEGIN("he"), PONG("p"), LAST("llo") }, .delivered = "hello" },
        { "a ping", { PING("hello") }, .pong = "hello" },
        { "an empty ping", { PING("") }, .pong = "" },
        { "a ping of 125 bytes", { PING(FULL) }, .pong = FULL },
        { "a ping of binary bytes", { PING("\xff\xfe\xfd") }, .pong = "\xff\xfe\xfd" },
        { "a pong that nobody asked for", { PONG("x"), PING("y") }, .pong = "y" },
        { "a ping of 126 bytes", { PING(FULL "x") }, .code = 1002 },
        { "a fragmented ping", { PART(WS_PING, "x", .form = 0) }, .code = 1002 },
        { "a fragmented pong", { PART(WS_PONG, "x", .form = 0) }, .code = 1002 },
        { "a fragmented close", { PART(WS_CLOSE, "\x03\xe8", .form = 0) }, .code = 1002 },
        { "reserved bit 1", { PART(WS_FIN | WS_BINARY | 0x40, "x", .form = 0) }, .code = 1002 },
        { "reserved bit 2", { PART(WS_FIN | WS_BINARY | 0x20, "x", .form = 0) }, .code = 1002 },
        { "reserved bit 3", { PART(WS_FIN | WS_BINARY | 0x10, "x", .form = 0) }, .code = 1002 },
        { "a reserved bit of a ping", { PART(WS_FIN | WS_PING | 0x40, "x", .form = 0) }, .code = 1002 },
        { "a reserved bit, after what is sound",
                { BINARY("a"), PART(WS_FIN | WS_TEXT | 0x70, "", .form = 0) }, .delivered = "a",
                .code = 1002 },
        { "opcode 3", { PART(WS_FIN | 3, "x", .form = 0) }, .code = 1002 },
        { "opcode 7, empty", { PART(WS_FIN | 7, "", .form = 0) }, .code = 1002 },
        { "opcode 11", { PART(WS_FIN | 11, "x", .form = 0) }, .code = 1002 },
        { "opcode 15, empty", { PART(WS_FIN | 15, "", .form = 0) }, .code = 1002 },
        { "a continuation of nothing", { LAST("x") }, .code = 1002 },
        { "a continuation after a whole message", { BINARY("a"), MORE("x") }, .delivered = "a",
                .code = 1002 },
        { "a message within a message", { BEGIN("a"), BINARY("b") }, .code = 1002 },
        { "a frame without a mask", { PART(WS_FIN | WS_BINARY, "x", .unmasked = true) }, .code = 1002 },
        { "a ping without a mask", { PART(WS_FIN | WS_PING, "", .unmasked = true) }, .code = 1002 },
        { "5 bytes in the 16-bit form", { PART(WS_FIN | WS_BINARY, "hello", .form = 2) }, .code = 1002 },
        { "5 bytes in the 64-bit form", { PART(WS_FIN | WS_BINARY, "hello", .form = 8) }, .code = 1002 },
        { "a close in the 16-bit form", { PART(WS_FIN | WS_CLOSE, "\x03\xe8", .form = 2) }, .code = 1002 },
        { "2^63 bytes", { PART(WS_FIN | WS_BINARY, "x", .claim = UINT64_C(1) << 63) }, .code = 1002 },
        { "2^63 - 1 bytes", { PART(WS_FIN | WS_BINARY, "x", .claim = INT64_MAX) }, .code = 1009 },
        { "one byte more than may be", { PART(WS_FIN | WS_BINARY, "x", .claim = MESSAGE_MAX + 1) },
                .code = 1009 },
        { "one byte more than may be, in two fragments",
                { BEGIN("a"), PART(WS_FIN | WS_CONTINUATION, "x", .claim = MESSAGE_MAX) }, .code = 1009 },
        { "two sizes that add up to 2^64", { BEGIN("ab"), PART(WS_CONTINUATION, "x", .claim = INT64_MAX) },
                .code = 1009 },
        { "text", { TEXT("hello") }, .code = 1003 },
        { "text after bytes", { BINARY("a"), TEXT("[]") }, .delivered = "a", .code = 1003 },
        { "text that asks for something else", { TEXT("{\"shutdown\":\"SHUT_RD\"}") }, .code = 1003 },
        { "text that asks for more", { TEXT("{\"shutdown\":\"SHUT_WR\",\"a\":1}") }, .code = 1003 },
        { "text that is long", { TEXT(HUNDRED) }, .code = 1003 },
        { "text that is no UTF-8", { TEXT("\xff") }, .code = 1007 },
        { "text that ends within a character", { TEXT("\xe2\x82") }, .code = 1007 },
        { "text with a surrogate, in fragments", { PART(WS_TEXT, "\xed", .form = 0), LAST("\xa0\x80") },
                .code = 1007 },
        { "bytes after the end of what is sent", { TEXT("{\"shutdown\":\"SHUT_WR\"}"), BINARY("x") },
                .code = 1008 },
        { "close 1000", { CLOSE("\x03\xe8") }, .code = 1000, .echoed = true },
        { "close 1000 with a reason",
                { CLOSE("\x03\xe8"
                        "bye") },
                .code = 1000, .echoed = true },
        { "close without a code", { CLOSE("") }, .code = 0, .echoed = true },
        { "close 1007", { CLOSE("\x03\xef") }, .code = 1007, .echoed = true },
        { "close 1011", { CLOSE("\x03\xf3") }, .code = 1011, .echoed = true },
        { "close 1014", { CLOSE("\x03\xf6") }, .code = 1014, .echoed = true },
        { "close 3000", { CLOSE("\x0b\xb8") }, .code = 3000, .echoed = true },
        { "close 4999", { CLOSE("\x13\x87") }, .code = 4999, .echoed = true },
        { "close with a reason of 123 bytes", { CLOSE("\x03\xe8" HUNDRED TEN TEN "012") }, .code = 1000,
                .echoed = true },
        { "close with a reason of 124 bytes", { CLOSE("\x03\xe8" HUNDRED TEN TEN "0123") }, .code = 1002 },
        { "close with one byte", { CLOSE("\x03") }, .code = 1002 },
        { "close 0", { CLOSE("\0\0") }, .code = 1002 },
        { "close 999", { CLOSE("\x03\xe7") }, .code = 1002 },
        { "close 1004", { CLOSE("\x03\xec") }, .code = 1002 },
        { "close 1005", { CLOSE("\x03\xed") }, .code = 1002 },
        { "close 1006", { CLOSE("\x03\xee") }, .code = 1002 },
        { "close 1015", { CLOSE("\x03\xf7") }, .code = 1002 },
        { "close 2999", { CLOSE("\x0b\xb7") }, .code = 1002 },
        { "close 5000", { CLOSE("\x13\x88") }, .code = 1002 },
        { "close 65535", { CLOSE("\xff\xff") }, .code = 1002 },
        { "close with a reason that is no UTF-8",
                { CLOSE("\x03\xe8"
                        "a\xc0\x80") },
                .code = 1007 },
        { "close with a reason that ends within a character",
                { CLOSE("\x03\xe8"
                        "\xe2\x82") },
                .code = 1007 },
        { "close with a character at each end",
                { CLOSE("\x03\xe8"
                        "\xe2\x82\xac-\xf0\x9f\x8e\x89") },
                .code = 1000, .echoed = true },
        { "bytes before a close", { BINARY("hello"), CLOSE("\x03\xe8") }, .delivered = "hello", .code = 1000,
                .echoed = true },
        { "a close among fragments", { BEGIN("he"), CLOSE("\x03\xe8") }, .delivered = "he", .code = 1000,
                .echoed = true },
        { "bytes and a ping after a close", { CLOSE("\x03\xe8"), BINARY("x"), PING("y") }, .code = 1000,
                .echoed = true },
};

/* Byte by byte, so that each may come by itself. */
static void send_slowly(struct ws *ws, const uint8_t *bytes, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if (ws_write_some(ws, bytes + i, 1) == 0)
                        return;
}

static void expect_end(struct ws *ws, const struct exchange *exchange)
{
        struct ws_frame frame;
        const struct ws_part *last = exchange->parts;
        while (exchange->echoed && last->first != (WS_FIN | WS_CLOSE))
                last++;
        assert_true(ws_read(ws, &frame));
        assert_int_equal(frame.first, WS_FIN | WS_CLOSE);
        assert_int_equal(frame.code, exchange->code);
        if (exchange->echoed)
                assert_int_equal(frame.size, last->size < 2 ? last->size : 2);
        if (!exchange->echoed)
                ws_send_close(ws, exchange->code, "");
        assert_false(ws_read(ws, &frame));
}

static void play(struct stage *stage, const struct exchange *exchange, bool slow)
{
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        struct ws *const ws = ws_open(stage, ends.near, "", NULL);
        struct ws_frame frame;
        uint8_t *bytes = NULL;
        size_t size = 0;
        for (size_t i = 0; i < PARTS_MAX && exchange->parts[i].bytes; i++)
                ws_build(&bytes, &size, &exchange->parts[i]);
        if (slow)
                send_slowly(ws, bytes, size);
        else
                ws_write(ws, bytes, size);
        free(bytes);
        if (exchange->pong) {
                assert_true(ws_read(ws, &frame));
                assert_int_equal(frame.first, WS_FIN | WS_PONG);
                assert_string_equal((const char *)frame.bytes, exchange->pong);
        }
        if (exchange->delivered)
                expect_text(act(stage, ends.far, "recv", 200, "{'until':%zu}", strlen(exchange->delivered)),
                        exchange->delivered);
        if (exchange->code || exchange->echoed)
                expect_end(ws, exchange);
        ws_close(ws);
}

static void plays(struct stage *stage, const void *row)
{
        play(stage, row, false);
}

/* What is sound, and what ends it, comes in the same way however it is cut. */
static void plays_slowly(struct stage *stage, const void *row)
{
        play(stage, row, true);
}

static const struct size_row {
        const char *name;
        size_t size;
} sizes[] = {
        { "1 byte each way", 1 },
        { "125 bytes each way", 125 },
        { "126 bytes each way", 126 },
        { "127 bytes each way", 127 },
        { "65535 bytes each way", 65535 },
        { "65536 bytes each way", 65536 },
        { "1 MiB each way", MESSAGE_MAX },
};

static void each_way(struct stage *stage, const void *row)
{
        const struct size_row *const bytes = row;
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        struct ws *const ws = ws_open(stage, ends.near, "", "sockwright.bytes");
        uint8_t *const block = noise(bytes->size);
        struct pending *const receives = later_raw(stage, ends.far, "recv?until=eof", NULL, 0, true);
        ws_send(ws, WS_FIN | WS_BINARY, block, bytes->size);
        struct pending *const sends = later_raw(stage, ends.far, "send", block, bytes->size, false);
        ws_expect_bytes(ws, block, bytes->size);
        assert_int_equal(number_at(finish(stage, sends, 200), "sent"), bytes->size);
        ws_send_text(ws, "{'shutdown':'SHUT_WR'}");
        const struct reply *const reply = finish(stage, receives, 200);
        assert_int_equal(reply->size, bytes->size);
        assert_memory_equal(reply->body, block, bytes->size);
        act(stage, ends.far, "shutdown", 200, "{'how':'SHUT_WR'}");
        ws_expect_close(ws, 1000, "");
        free(block);
}

static const struct cut_row {
        const char *name;
        size_t sent;
        const char *delivered;
} cuts[] = {
        { "a connection that ends within a header", 1, NULL },
        { "a connection that ends within a mask", 4, NULL },
        { "a connection that ends within a frame", 9, "hel" },
        { "a connection that ends behind a frame", 11, "hello" },
};

/* What has come of a stream is delivered, and the socket is free. */
static void ends_early(struct stage *stage, const void *row)
{
        const struct cut_row *const cut = row;
        const struct ws_part part = BINARY("hello");
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        struct ws *const ws = ws_open(stage, ends.near, "", NULL);
        uint8_t *bytes = NULL;
        size_t size = 0;
        ws_build(&bytes, &size, &part);
        ws_write(ws, bytes, cut->sent);
        free(bytes);
        ws_close(ws);
        if (cut->delivered)
                expect_text(act(stage, ends.far, "recv", 200, "{'until':%zu}", strlen(cut->delivered)),
                        cut->delivered);
        ws_await_free(stage, ends.near);
        act(stage, ends.far, "send", 200, "{'text':'x'}");
        expect_text(act(stage, ends.near, "recv", 200, "{'until':1}"), "x");
}

/* What comes with the handshake is not lost. */
static void early_bytes(struct stage *stage)
{
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        const struct ws_part part = BINARY("hello");
        uint8_t *frame = NULL;
        size_t size = 0;
        char path[128];
        struct reply *reply;
        ws_build(&frame, &size, &part);
        snprintf(path, sizeof path, "/v1/sockets/%s/stream", ends.near);
        const struct ws_offer offer = { .behind = frame, .behind_size = size };
        struct ws *const ws = ws_ask(stage, path, &offer, &reply);
        expect_status(reply, 101);
        expect_text(act(stage, ends.far, "recv", 200, "{'until':5}"), "hello");
        ws_send_close(ws, 1000, "");
        ws_close(ws);
        free(frame);
}

/* A client that asks and asks, and reads nothing: no more is held for it than there is room for. */
static void flood_of_pings(struct stage *stage)
{
        enum { FLOOD = 64 << 20, STEP = 1 << 16 };
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        struct ws *const ws = ws_open(stage, ends.near, "", NULL);
        const long before = daemon_memory(stage->daemon);
        const struct ws_part ping = PING(FULL);
        uint8_t *frames = NULL;
        size_t size = 0, sent = 0;
        while (size < STEP)
                ws_build(&frames, &size, &ping);
        const int64_t deadline = milliseconds() + 1000;
        while (sent < FLOOD && milliseconds() < deadline)
                sent += ws_write_some(ws, frames + sent % size, size - sent % size);
        assert_true(sent < FLOOD);
        assert_true(daemon_memory(stage->daemon) - before < 4096);
        free(frames);
        ws_reset(ws);
        assert_string_equal(text_at(get(stage, 200, "/v1/sockets/%s", ends.near), "state"), "connected");
}

static const struct scenario scenarios[] = {
        { "bytes behind the handshake", early_bytes },
        { "a flood of pings", flood_of_pings },
};

int main(void)
{
        SUITE_ADD_ROWS(plays, exchanges);
        SUITE_ADD_ROWS(plays_slowly, exchanges);
        SUITE_ADD_ROWS(each_way, sizes);
        SUITE_ADD_ROWS(ends_early, cuts);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("websocket", NULL);
}
