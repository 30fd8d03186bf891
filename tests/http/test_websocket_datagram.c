/* test_websocket_datagram.c: sockets with boundaries, used by WebSocket: as JSON with addresses, and as
 * bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/ws.h"

static void datagrams(struct stage *stage)
{
        const char *const near = make(stage, "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        const struct reply *const far =
                post(stage, 201, "/v1/sockets", "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        const int port = (int)number_at(far, "local.port");
        const int near_port = (int)number_at(get(stage, 200, "/v1/sockets/%s", near), "local.port");
        struct ws *const ws = ws_open(stage, near, "", "sockwright.datagrams");
        char text[256];
        snprintf(text, sizeof text, "{'address':'127.0.0.1:%d','data':'b25l'}", port);
        ws_send_text(ws, text);
        snprintf(text, sizeof text, "{'data':'','address':{'family':'AF_INET','host':'127.0.0.1','port':%d}}",
                port);
        ws_send_text(ws, text);
        const struct reply *const one = act(stage, text_at(far, "id"), "recvfrom", 200, "");
        expect_text(one, "one");
        assert_int_equal(number_at(one, "address.port"), near_port);
        assert_int_equal(number_at(act(stage, text_at(far, "id"), "recvfrom", 200, ""), "size"), 0);
        act(stage, text_at(far, "id"), "sendto", 200, "{'text':'','address':'127.0.0.1:%d'}", near_port);
        act(stage, text_at(far, "id"), "sendto", 200, "{'text':'two','address':'127.0.0.1:%d'}", near_port);
        for (size_t i = 0; i < 2; i++) {
                json_t *const json = json_loads(ws_expect_text(ws), 0, NULL);
                assert_int_equal(json_integer_value(json_at(json, "address.port")), port);
                assert_string_equal(json_string_value(json_at(json, "data")), i == 0 ? "" : "dHdv");
                json_decref(json);
        }
        ws_close(ws);
}

static const struct mistake {
        const char *name, *text, *path, *value;
} mistakes[] = {
        { "a datagram to nobody", "{'data':'eA=='}", "problem.errno", "EDESTADDRREQ" },
        { "a datagram that is too long", NULL, "problem.errno", "EMSGSIZE" },
        { "a datagram to where nobody may", "{'data':'eA==','address':'169.254.169.254:80'}", "problem.rule",
                "metadata" },
        { "a datagram to a name", "{'data':'eA==','address':'localhost:80'}", "problem.parameter",
                "address" },
        { "a datagram of another family", "{'data':'eA==','address':'[::1]:80'}", "problem.errno",
                "EAFNOSUPPORT" },
        { "a datagram without data", "{'address':'127.0.0.1:80'}", "problem.parameter", "data" },
        { "a datagram that is no base64", "{'data':'?'}", "problem.parameter", "data" },
        { "a datagram with what nobody knows", "{'data':'','dat':1}", "problem.parameter", "dat" },
        { "a datagram that is no object", "[1]", "problem.parameter", "message" },
        { "a datagram that is no JSON", "hello", "problem.parameter", "message" },
        { "a datagram that nests deep", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "problem.parameter", "message" },
};

/* It is told, and the stream goes on. */
static void mistake(struct stage *stage, const void *row)
{
        const struct mistake *const mistake = row;
        const char *const near = make(stage, "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        const int port = (int)number_at(get(stage, 200, "/v1/sockets/%s", near), "local.port");
        struct ws *const ws = ws_open(stage, near, "", "sockwright.datagrams");
        char *text = NULL, *data = NULL;
        uint8_t *const bytes = noise(65520);
        data = base64_encode(bytes, 65520);
        assert_true(asprintf(&text, "{'data':'%s','address':'127.0.0.1:%d'}", data, port) > 0);
        ws_send_text(ws, mistake->text ? mistake->text : text);
        json_t *const json = json_loads(ws_expect_text(ws), 0, NULL);
        const char *const value = json_string_value(json_at(json, mistake->path));
        assert_non_null(value);
        assert_string_equal(value, mistake->value);
        json_decref(json);
        snprintf(text, 128, "{'data':'b2s=','address':'127.0.0.1:%d'}", port);
        ws_send_text(ws, text);
        assert_non_null(strstr(ws_expect_text(ws), "b2s="));
        ws_send(ws, WS_FIN | WS_BINARY, "x", 1);
        ws_expect_close(ws, 1003, "");
        free(bytes);
        free(data);
        free(text);
}

/* In bytes too, messages stay whole where the socket keeps them so. */
static void boundaries(struct stage *stage, const void *row)
{
        const struct size_row {
                const char *name, *type;
        } *const kind = row;
        const struct ends ends = make_pair(stage, kind->type);
        struct ws *const ws = ws_open(stage, ends.near, "", NULL);
        ws_send(ws, WS_BINARY, "on", 2);
        ws_send(ws, WS_FIN | WS_CONTINUATION, "e", 1);
        ws_send(ws, WS_FIN | WS_BINARY, "two", 3);
        expect_text(act(stage, ends.far, "recv", 200, ""), "one");
        expect_text(act(stage, ends.far, "recv", 200, ""), "two");
        act(stage, ends.far, "send", 200, "{'text':'a'}");
        act(stage, ends.far, "send", 200, "{'text':'b'}");
        struct ws_frame frame;
        for (size_t i = 0; i < 2; i++) {
                assert_true(ws_read(ws, &frame));
                assert_int_equal(frame.size, 1);
        }
        uint8_t *const bytes = noise(65537);
        ws_send(ws, WS_FIN | WS_BINARY, bytes, 65537);
        ws_expect_close(ws, 1009, "");
        free(bytes);
}

static const struct {
        const char *name, *type;
} kinds[] = {
        { "boundaries of SOCK_DGRAM", "SOCK_DGRAM" },
        { "boundaries of SOCK_SEQPACKET", "SOCK_SEQPACKET" },
};

/* More of them than are read at once, while nobody takes them. */
static void many_datagrams(struct stage *stage)
{
        enum { COUNT_OF_THEM = 3000 };
        const struct ends ends = make_pair(stage, "SOCK_DGRAM");
        struct ws *const ws = ws_open(stage, ends.near, "", "sockwright.datagrams");
        for (int i = 0; i < COUNT_OF_THEM; i++) {
                char text[64], number[16];
                snprintf(number, sizeof number, "%06d", i);
                char *const data = base64_encode(number, 6);
                snprintf(text, sizeof text, "{'data':'%s'}", data);
                ws_send_text(ws, text);
                free(data);
        }
        client_set_quiet(stage->client, true);
        for (int i = 0; i < COUNT_OF_THEM; i++) {
                char number[16];
                snprintf(number, sizeof number, "%06d", i);
                expect_text(act(stage, ends.far, "recv", 200, ""), number);
        }
        client_set_quiet(stage->client, false);
        assert_int_equal(
                number_at(get(stage, 200, "/v1/sockets/%s", ends.near), "sent_messages"), COUNT_OF_THEM);
        ws_close(ws);
}

static const struct scenario scenarios[] = {
        { "datagrams with addresses", datagrams },
        { "many datagrams", many_datagrams },
};

int main(void)
{
        SUITE_ADD_SCENARIOS(scenarios);
        SUITE_ADD_ROWS(mistake, mistakes);
        SUITE_ADD_ROWS(boundaries, kinds);
        return suite_run("websocket datagrams", NULL);
}
