/* websocket.c: frames to messages, and back.
 *
 * What was read stands in `raw` until it is used up; it is unmasked there, and pieces point into it. What is
 * to be sent stands in `out`. */
#include "daemon/websocket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "api/utf8.h"

/* A frame's first byte. */
enum { FIN = 0x80, RESERVED = 0x70, OPCODE = 0x0f };
enum opcode {
        OPCODE_CONTINUATION = 0,
        OPCODE_TEXT = 1,
        OPCODE_BINARY = 2,
        OPCODE_CLOSE = 8,
        OPCODE_PING = 9,
        OPCODE_PONG = 10,
};

/* Its second byte; lengths from 126 on stand behind it, in two or eight bytes. */
enum { MASKED = 0x80, LENGTH = 0x7f, LENGTH_16 = 126, LENGTH_64 = 127, MASK_SIZE = 4 };

/* The longest heads of frames that are sent and read; a control frame's payload; with its head; and what must
 * be free before one is read that may be answered, with the closing that may follow. */
enum { SENT_HEAD = 10, READ_HEAD = SENT_HEAD + MASK_SIZE };
enum { CONTROL_MAX = 125, CONTROL_FRAME = CONTROL_MAX + 2, ANSWER_ROOM = 2 * CONTROL_FRAME };
enum { RAW_SIZE = 65536, OUT_SIZE = SENT_HEAD + WEBSOCKET_MESSAGE + WEBSOCKET_RESERVE };

struct websocket {
        int fd;
        uint64_t message_max;
        bool ended, closing;

        /* The message that is coming: its opcode (0: none is), its size so far; and the frame. */
        uint8_t opcode;
        uint64_t message_size;
        uint8_t head[READ_HEAD];
        size_t head_size;
        bool in_frame; /* the head is complete; `left` bytes of payload are to come, `taken` have */
        uint64_t left, taken;
        uint8_t control[CONTROL_MAX];

        size_t raw_start, raw_end, out_start, out_end;
        uint8_t raw[RAW_SIZE], out[OUT_SIZE];
};

struct websocket *websocket_new(int fd, const void *early, size_t early_size, uint64_t message_max)
{
        struct websocket *const websocket = early_size > RAW_SIZE ? NULL : calloc(1, sizeof *websocket);
        if (websocket == NULL)
                return NULL;
        websocket->fd = fd;
        websocket->message_max = message_max;
        if (early_size > 0)
                memcpy(websocket->raw, early, early_size);
        websocket->raw_end = early_size;
        return websocket;
}

void websocket_free(struct websocket *websocket)
{
        free(websocket);
}

/* seccomp: recvfrom */
bool websocket_fill(struct websocket *websocket)
{
        if (websocket->raw_start < websocket->raw_end)
                return true;
        if (websocket->ended)
                return false;
        const ssize_t size = recv(websocket->fd, websocket->raw, RAW_SIZE, MSG_DONTWAIT);
        websocket->raw_start = 0;
        websocket->raw_end = size > 0 ? (size_t)size : 0;
        websocket->ended = size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
        return size > 0;
}

bool websocket_is_at_end(const struct websocket *websocket)
{
        return websocket->ended && websocket->raw_start == websocket->raw_end;
}

void websocket_discard(struct websocket *websocket)
{
        websocket->raw_start = websocket->raw_end;
}

bool websocket_has_room(const struct websocket *websocket, size_t size)
{
        return size + SENT_HEAD <= OUT_SIZE - websocket->out_end;
}

static void put(struct websocket *websocket, const void *bytes, size_t size)
{
        if (size > 0)
                memcpy(websocket->out + websocket->out_end, bytes, size);
        websocket->out_end += size;
}

static void queue(struct websocket *websocket, enum opcode opcode, const void *bytes, size_t size)
{
        const size_t form = size < LENGTH_16 ? 0 : size <= UINT16_MAX ? 2 : 8;
        uint8_t head[SENT_HEAD] = { (uint8_t)(FIN | opcode), (uint8_t)(form == 0   ? size
                                                                       : form == 2 ? LENGTH_16
                                                                                   : LENGTH_64) };
        if (websocket->closing || !websocket_has_room(websocket, size))
                return;
        for (size_t i = 0; i < form; i++)
                head[2 + i] = (uint8_t)((uint64_t)size >> 8 * (form - 1 - i));
        put(websocket, head, 2 + form);
        put(websocket, bytes, size);
}

void websocket_send(struct websocket *websocket, bool text, const void *bytes, size_t size)
{
        queue(websocket, text ? OPCODE_TEXT : OPCODE_BINARY, bytes, size);
}

void websocket_ping(struct websocket *websocket)
{
        queue(websocket, OPCODE_PING, NULL, 0);
}

void websocket_close(struct websocket *websocket, enum websocket_code code, const char *reason)
{
        char payload[CONTROL_MAX + 1] = { (char)(code >> 8), (char)(code & 0xff) };
        const size_t size = utf8_clean(payload + 2, sizeof payload - 2, reason, strlen(reason));
        queue(websocket, OPCODE_CLOSE, payload, code == WEBSOCKET_NO_CODE ? 0 : size + 2);
        websocket->closing = true;
}

bool websocket_is_closing(const struct websocket *websocket)
{
        return websocket->closing;
}

/* seccomp: sendto */
bool websocket_flush(struct websocket *websocket)
{
        bool failed = false;
        while (websocket->out_start < websocket->out_end && !failed) {
                const ssize_t sent = send(websocket->fd, websocket->out + websocket->out_start,
                        websocket->out_end - websocket->out_start, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (sent < 0 && (errno == EAGAIN || errno == EINTR))
                        return true;
                failed = sent < 0;
                websocket->out_start += sent < 0 ? 0 : (size_t)sent;
        }
        websocket->out_start = websocket->out_end = 0;
        websocket->closing |= failed;
        return !failed;
}

bool websocket_is_full(const struct websocket *websocket)
{
        return websocket->out_start < websocket->out_end;
}

static enum websocket_event fault(struct websocket_piece *out, enum websocket_code code)
{
        out->code = code;
        return WEBSOCKET_FAULTY;
}

/* Those of RFC 6455 and of IANA's list that may stand in a frame, and those that applications have. */
static bool is_code(unsigned code)
{
        return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
               (code >= 3000 && code <= 4999);
}

static enum websocket_event end_closing(const struct websocket *websocket, struct websocket_piece *out)
{
        const uint8_t *const payload = websocket->control;
        const size_t size = (size_t)websocket->taken;
        if (size == 0) {
                out->code = WEBSOCKET_NO_CODE;
                return WEBSOCKET_CLOSED;
        }
        const unsigned code = size < 2 ? 0 : (unsigned)payload[0] << 8 | payload[1];
        if (!is_code(code))
                return fault(out, WEBSOCKET_PROTOCOL_ERROR);
        if (!utf8_is_valid((const char *)payload + 2, size - 2))
                return fault(out, WEBSOCKET_INCONSISTENT);
        out->code = (enum websocket_code)code;
        return WEBSOCKET_CLOSED;
}

/* Whether the first two bytes of a head are sound. */
static bool is_sound(const struct websocket *websocket)
{
        const uint8_t first = websocket->head[0], second = websocket->head[1], opcode = first & OPCODE;
        if ((first & RESERVED) != 0 || (second & MASKED) == 0)
                return false;
        if (opcode >= OPCODE_CLOSE)
                return opcode <= OPCODE_PONG && (first & FIN) != 0 && (second & LENGTH) <= CONTROL_MAX;
        return opcode <= OPCODE_BINARY && (opcode == OPCODE_CONTINUATION) == (websocket->opcode != 0);
}

/* The bytes of the extended length. */
static size_t form_of(const uint8_t *head)
{
        const uint8_t length = head[1] & LENGTH;
        return length == LENGTH_64 ? 8 : length == LENGTH_16 ? 2 : 0;
}

/* False: all that was read is used up. */
static bool read_head(struct websocket *websocket, size_t size)
{
        while (websocket->head_size < size && websocket->raw_start < websocket->raw_end)
                websocket->head[websocket->head_size++] = websocket->raw[websocket->raw_start++];
        return websocket->head_size >= size;
}

/* Reads the length, which must not be written in a longer form than it needs. */
static bool read_length(struct websocket *websocket)
{
        const uint8_t *const head = websocket->head;
        const size_t form = form_of(head);
        uint64_t length = form == 0 ? head[1] & LENGTH : 0;
        for (size_t i = 0; i < form; i++)
                length = length << 8 | head[2 + i];
        websocket->left = length;
        return form == 0 || (form == 2 ? length >= LENGTH_16 : length > UINT16_MAX && length <= INT64_MAX);
}

/* NO_CODE: a frame has begun, or its head is not there yet. */
static enum websocket_code begin_frame(struct websocket *websocket)
{
        if (!read_head(websocket, 2))
                return WEBSOCKET_NO_CODE;
        if (!is_sound(websocket))
                return WEBSOCKET_PROTOCOL_ERROR;
        if (!read_head(websocket, 2 + form_of(websocket->head) + MASK_SIZE))
                return WEBSOCKET_NO_CODE;
        if (!read_length(websocket))
                return WEBSOCKET_PROTOCOL_ERROR;
        websocket->in_frame = true;
        websocket->taken = 0;
        const uint8_t opcode = websocket->head[0] & OPCODE;
        if (opcode >= OPCODE_CLOSE)
                return WEBSOCKET_NO_CODE;
        if (websocket->left > websocket->message_max - websocket->message_size)
                return WEBSOCKET_TOO_BIG;
        websocket->message_size += websocket->left;
        if (opcode != OPCODE_CONTINUATION)
                websocket->opcode = opcode;
        return WEBSOCKET_NO_CODE;
}

/* Eight bytes at a time; the first of them is the payload's `offset`th. */
static void unmask(uint8_t *bytes, size_t size, const uint8_t mask[static MASK_SIZE], uint64_t offset)
{
        uint8_t key[sizeof(uint64_t)];
        uint64_t wide_key, wide;
        size_t at = 0;
        for (size_t i = 0; i < sizeof key; i++)
                key[i] = mask[(offset + i) % MASK_SIZE];
        memcpy(&wide_key, key, sizeof key);
        for (; at + sizeof wide <= size; at += sizeof wide) {
                memcpy(&wide, bytes + at, sizeof wide);
                wide ^= wide_key;
                memcpy(bytes + at, &wide, sizeof wide);
        }
        for (size_t i = 0; at < size; at++, i++)
                bytes[at] ^= key[i];
}

/* At most `most` of the payload's next bytes, without their mask; it ends the frame if they are the last. */
static size_t take_payload(struct websocket *websocket, size_t most, const uint8_t **bytes)
{
        uint8_t *const start = websocket->raw + websocket->raw_start;
        size_t size = websocket->raw_end - websocket->raw_start;
        if (size > most)
                size = most;
        if (size > websocket->left)
                size = (size_t)websocket->left;
        unmask(start, size, websocket->head + websocket->head_size - MASK_SIZE, websocket->taken);
        websocket->raw_start += size;
        websocket->taken += size;
        websocket->left -= size;
        if (websocket->left == 0) {
                websocket->in_frame = false;
                websocket->head_size = 0;
        }
        *bytes = start;
        return size;
}

/* A piece of a control frame. WEBSOCKET_NOTHING: go on. */
static enum websocket_event take_control(struct websocket *websocket, struct websocket_piece *out)
{
        const uint8_t *bytes;
        const uint64_t before = websocket->taken;
        const size_t size = take_payload(websocket, CONTROL_MAX, &bytes);
        const uint8_t opcode = websocket->head[0] & OPCODE;
        memcpy(websocket->control + before, bytes, size);
        if (websocket->in_frame || opcode == OPCODE_PONG)
                return WEBSOCKET_NOTHING;
        if (opcode == OPCODE_CLOSE)
                return end_closing(websocket, out);
        queue(websocket, OPCODE_PONG, websocket->control, (size_t)websocket->taken);
        return WEBSOCKET_NOTHING;
}

static enum websocket_event take_data(struct websocket *websocket, size_t most, struct websocket_piece *out)
{
        *out = (struct websocket_piece){ .text = websocket->opcode == OPCODE_TEXT };
        out->size = take_payload(websocket, most, &out->bytes);
        out->last = (websocket->head[0] & FIN) != 0 && !websocket->in_frame;
        if (out->last) {
                websocket->opcode = 0;
                websocket->message_size = 0;
        }
        return WEBSOCKET_DATA;
}

enum websocket_event websocket_next(struct websocket *websocket, size_t most, struct websocket_piece *out)
{
        while (websocket_has_room(websocket, ANSWER_ROOM)) {
                const enum websocket_code code =
                        websocket->in_frame ? WEBSOCKET_NO_CODE : begin_frame(websocket);
                if (code != WEBSOCKET_NO_CODE)
                        return fault(out, code);
                if (!websocket->in_frame ||
                        (websocket->left > 0 && websocket->raw_start == websocket->raw_end))
                        return WEBSOCKET_NOTHING;
                if ((websocket->head[0] & OPCODE) < OPCODE_CLOSE)
                        return take_data(websocket, most, out);
                const enum websocket_event event = take_control(websocket, out);
                if (event != WEBSOCKET_NOTHING)
                        return event;
        }
        return WEBSOCKET_NOTHING;
}
