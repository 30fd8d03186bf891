/* ws.c: a WebSocket client that builds its frames by hand. */
#include "tests/http/ws.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEADLINE_MS = 30000, HEAD_SIZE = 4096 };

/* RFC 6455's example. */
static const char good_headers[] =
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
static const char good_accept[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/* curl brings TLS, and leaves the rest to us. */
struct ws {
        CURL *curl;
        int fd;
        uint8_t *bytes;
};

static struct ws *connect_to(struct stage *stage)
{
        struct ws *const ws = calloc(1, sizeof *ws);
        curl_socket_t fd = -1;
        if (!ws)
                abort();
        const bool local = stage->client == stage->over_unix;
        ws->curl = curl_easy_init();
        curl_easy_setopt(ws->curl, CURLOPT_URL, local ? "http://localhost" : stage->daemon->url);
        if (local)
                curl_easy_setopt(ws->curl, CURLOPT_UNIX_SOCKET_PATH, stage->daemon->socket_path);
        curl_easy_setopt(ws->curl, CURLOPT_CAINFO, client_papers.authority);
        curl_easy_setopt(ws->curl, CURLOPT_CONNECT_ONLY, 1L);
        curl_easy_setopt(ws->curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(ws->curl, CURLOPT_PROXY, "");
        const CURLcode code = curl_easy_perform(ws->curl);
        if (code != CURLE_OK)
                fail_msg("connecting: %s", curl_easy_strerror(code));
        curl_easy_getinfo(ws->curl, CURLINFO_ACTIVESOCKET, &fd);
        ws->fd = fd;
        return ws;
}

void ws_close(struct ws *ws)
{
        curl_easy_cleanup(ws->curl);
        free(ws->bytes);
        free(ws);
}

void ws_reset(struct ws *ws)
{
        const struct linger now = { .l_onoff = 1, .l_linger = 0 };
        assert_return_code(setsockopt(ws->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), errno);
        ws_close(ws);
}

static void await(const struct ws *ws, short events)
{
        struct pollfd ready = { .fd = ws->fd, .events = events };
        if (poll(&ready, 1, DEADLINE_MS) != 1)
                fail_msg("nothing has moved on the WebSocket for %d ms", DEADLINE_MS);
}

size_t ws_write_some(struct ws *ws, const void *bytes, size_t size)
{
        size_t sent = 0;
        const CURLcode code = curl_easy_send(ws->curl, bytes, size, &sent);
        if (code != CURLE_OK && code != CURLE_AGAIN)
                fail_msg("writing: %s", curl_easy_strerror(code));
        return sent;
}

void ws_write(struct ws *ws, const void *bytes, size_t size)
{
        for (size_t sent = 0; sent < size;) {
                const size_t more = ws_write_some(ws, (const uint8_t *)bytes + sent, size - sent);
                if (more == 0)
                        await(ws, POLLOUT);
                sent += more;
        }
}

/* False: the connection has ended before. */
static bool read_all(struct ws *ws, void *bytes, size_t size)
{
        for (size_t got = 0; got < size;) {
                size_t more = 0;
                const CURLcode code = curl_easy_recv(ws->curl, (uint8_t *)bytes + got, size - got, &more);
                if (code == CURLE_AGAIN)
                        await(ws, POLLIN);
                else if (code != CURLE_OK || more == 0)
                        return false;
                got += more;
        }
        return true;
}

static void take_line(struct reply *reply, const char *line)
{
        char name[64] = "";
        const char *const colon = strchr(line, ':');
        for (size_t i = 0; i < sizeof name - 1 && line + i < colon; i++)
                name[i] = (char)tolower((unsigned char)line[i]);
        if (colon)
                json_object_set_new(reply->headers, name, json_string(colon + 2));
}

static void read_head(struct ws *ws, struct reply *reply)
{
        char head[HEAD_SIZE] = "", *rest = NULL;
        for (size_t size = 0; size < sizeof head - 1 && !strstr(head, "\r\n\r\n"); size++)
                if (!read_all(ws, head + size, 1))
                        return;
        const char *line = strtok_r(head, "\r\n", &rest);
        reply->status = line && strncmp(line, "HTTP/1.1 ", 9) == 0 ? (int)strtol(line + 9, NULL, 10) : 0;
        while ((line = strtok_r(NULL, "\r\n", &rest)))
                take_line(reply, line);
}

static void read_reply(struct ws *ws, struct reply *reply)
{
        read_head(ws, reply);
        const char *const length = reply_header(reply, "content-length");
        reply->size = length ? strtoul(length, NULL, 10) : 0;
        reply->body = calloc(1, reply->size + 1);
        assert_true(read_all(ws, reply->body, reply->size));
        reply->json = json_loadb(reply->body, reply->size, JSON_DECODE_ANY, NULL);
}

struct ws *ws_ask(struct stage *stage, const char *path, const struct ws_offer *offer, struct reply **reply)
{
        const struct request request = { .method = "GET", .path = path };
        struct ws *const ws = connect_to(stage);
        struct reply *const answer = calloc(1, sizeof *answer);
        char *head = NULL;
        const bool shows = stage->client == stage->over_tcp && !offer->no_token;
        const int size = asprintf(&head, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s%s%s%s%s%s%s%s\r\n", path,
                shows ? "Authorization: Bearer " : "", shows ? stage->daemon->token : "", shows ? "\r\n" : "",
                offer->headers ? offer->headers : good_headers,
                offer->protocols ? "Sec-WebSocket-Protocol: " : "", offer->protocols ? offer->protocols : "",
                offer->protocols ? "\r\n" : "", offer->more ? offer->more : "");
        assert_true(size > 0 && answer);
        char *const whole = malloc((size_t)size + offer->behind_size);
        memcpy(whole, head, (size_t)size);
        if (offer->behind)
                memcpy(whole + size, offer->behind, offer->behind_size);
        ws_write(ws, whole, (size_t)size + offer->behind_size);
        free(whole);
        free(head);
        answer->headers = json_object();
        snprintf(answer->name, sizeof answer->name, "GET %s", path);
        read_reply(ws, answer);
        exchange_record(&request, answer);
        *reply = stage_keep(stage, answer);
        if (answer->status == 101)
                return ws;
        ws_close(ws);
        return NULL;
}

struct ws *ws_open(struct stage *stage, const char *id, const char *query, const char *protocols)
{
        const struct ws_offer offer = { .protocols = protocols };
        char path[128];
        struct reply *reply;
        snprintf(path, sizeof path, "/v1/sockets/%s/stream%s", id, query);
        struct ws *const ws = ws_ask(stage, path, &offer, &reply);
        expect_status(reply, 101);
        assert_string_equal(reply_header(reply, "sec-websocket-accept"), good_accept);
        return ws;
}

void ws_build(uint8_t **bytes, size_t *size, const struct ws_part *part)
{
        enum { HEADER_MAX = 14 };
        static const uint8_t masks[2][4] = { { 0x37, 0xfa, 0x21, 0x3d }, { 0 } };
        const uint8_t *const mask = masks[part->unmasked];
        const uint64_t length = part->claim ? part->claim : part->size;
        const int natural = length < 126 ? 0 : length < 65536 ? 2 : 8;
        const int form = part->form ? part->form : natural;
        uint8_t *at = *bytes = realloc(*bytes, *size + part->size + HEADER_MAX);
        if (!at)
                abort();
        at += *size;
        *at++ = part->first;
        *at++ = (uint8_t)((part->unmasked ? 0 : 0x80) | (form == 0 ? (int)length : form == 2 ? 126 : 127));
        for (int i = form - 1; i >= 0; i--)
                *at++ = (uint8_t)(length >> 8 * i);
        for (size_t i = 0; i < sizeof *masks && !part->unmasked; i++)
                *at++ = mask[i];
        for (size_t i = 0; i < part->size; i++)
                *at++ = (uint8_t)(((const uint8_t *)part->bytes)[i] ^ mask[i % sizeof *masks]);
        *size = (size_t)(at - *bytes);
}

void ws_send(struct ws *ws, uint8_t first, const void *bytes, size_t size)
{
        uint8_t *frame = NULL;
        size_t frame_size = 0;
        ws_build(&frame, &frame_size, &(struct ws_part){ .first = first, .bytes = bytes, .size = size });
        ws_write(ws, frame, frame_size);
        free(frame);
}

void ws_send_text(struct ws *ws, const char *text)
{
        char *const json = requote(text);
        ws_send(ws, WS_FIN | WS_TEXT, json, strlen(json));
        free(json);
}

void ws_send_close(struct ws *ws, unsigned code, const char *reason)
{
        char payload[126] = { (char)(code >> 8), (char)code };
        snprintf(payload + 2, sizeof payload - 2, "%s", reason);
        ws_send(ws, WS_FIN | WS_CLOSE, payload, code ? 2 + strlen(payload + 2) : 0);
}

bool ws_read(struct ws *ws, struct ws_frame *out)
{
        uint8_t head[2], extended[8];
        *out = (struct ws_frame){ .first = 0 };
        if (!read_all(ws, head, sizeof head))
                return false;
        assert_int_equal(head[1] & 0x80, 0);
        uint64_t size = head[1];
        const size_t form = size == 126 ? 2 : size == 127 ? 8 : 0;
        assert_true(read_all(ws, extended, form));
        if (form > 0)
                size = 0;
        for (size_t i = 0; i < form; i++)
                size = size << 8 | extended[i];
        ws->bytes = realloc(ws->bytes, size + 1);
        if (!ws->bytes)
                abort();
        assert_true(read_all(ws, ws->bytes, size));
        ws->bytes[size] = '\0';
        *out = (struct ws_frame){ .first = head[0], .bytes = ws->bytes, .size = size };
        if (head[0] == (WS_FIN | WS_CLOSE) && size >= 2)
                out->code = (unsigned)out->bytes[0] << 8 | out->bytes[1];
        return true;
}

void ws_expect_bytes(struct ws *ws, const void *bytes, size_t size)
{
        struct ws_frame frame;
        for (size_t got = 0; got < size; got += frame.size) {
                assert_true(ws_read(ws, &frame));
                assert_int_equal(frame.first, WS_FIN | WS_BINARY);
                assert_true(frame.size > 0 && frame.size <= size - got);
                assert_memory_equal(frame.bytes, (const uint8_t *)bytes + got, frame.size);
        }
}

const char *ws_expect_text(struct ws *ws)
{
        struct ws_frame frame;
        assert_true(ws_read(ws, &frame));
        assert_int_equal(frame.first, WS_FIN | WS_TEXT);
        return (const char *)frame.bytes;
}

void ws_expect_close(struct ws *ws, unsigned code, const char *reason)
{
        struct ws_frame frame;
        assert_true(ws_read(ws, &frame));
        assert_int_equal(frame.first, WS_FIN | WS_CLOSE);
        assert_int_equal(frame.code, code);
        assert_string_equal(frame.code ? (const char *)frame.bytes + 2 : "", reason);
        ws_send(ws, WS_FIN | WS_CLOSE, frame.bytes, frame.size);
        assert_false(ws_read(ws, &frame));
        ws_close(ws);
}

void ws_await_free(struct stage *stage, const char *id)
{
        const int64_t deadline = milliseconds() + DEADLINE_MS;
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/recv?timeout_ms=0", id);
        const struct request request = { .method = "POST", .path = path };
        while (strcmp(text_at(stage_keep(stage, exchange(stage->client, &request)), "errno"), "EBUSY") == 0)
                if (milliseconds() > deadline)
                        fail_msg("the socket is not given back");
}
