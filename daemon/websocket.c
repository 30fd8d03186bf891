/* websocket.c: messages over wslay's frames.
 *
 * Wslay reads from `raw`, which is filled by one recv(2) at a time, and writes into `out`: its callbacks
 * never fail, and a client that floods gets its turn like any other. Its event layer would do less well: it
 * queues pongs without bound, and does not say what a client did wrong. */
#include "daemon/websocket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <wslay/wslay.h>

#include "api/utf8.h"

/* A control frame's payload; with its header; and what must be free before one is read that may be answered,
 * with the closing that may follow. */
enum { CONTROL_MAX = 125, CONTROL_FRAME = CONTROL_MAX + 2, ANSWER_ROOM = 2 * CONTROL_FRAME };
enum { HEADER_MAX = 10, RAW_SIZE = 65536, OUT_SIZE = HEADER_MAX + WEBSOCKET_MESSAGE + WEBSOCKET_RESERVE };

struct websocket {
        wslay_frame_context_ptr frames;
        int fd;
        uint64_t message_max;
        bool ended, closing;

        /* The message that is coming: its opcode (0: none is), its size so far; and the frame. */
        uint8_t opcode;
        uint64_t message_size, frame_left;
        bool in_frame;
        uint8_t control[CONTROL_MAX];
        size_t control_size;

        size_t raw_start, raw_end, out_start, out_end;
        uint8_t raw[RAW_SIZE], out[OUT_SIZE];
};

/* A header may be left over when wslay asks for more: with that, a piece stays within its size. */
static ssize_t give_raw(uint8_t *bytes, size_t size, int flags, void *context)
{
        enum { MOST = WEBSOCKET_PIECE - HEADER_MAX - 4 };
        struct websocket *const websocket = context;
        const size_t left = websocket->raw_end - websocket->raw_start;
        (void)flags;
        if (size > MOST)
                size = MOST;
        if (size > left)
                size = left;
        if (size == 0)
                return -1;
        memcpy(bytes, websocket->raw + websocket->raw_start, size);
        websocket->raw_start += size;
        return (ssize_t)size;
}

static ssize_t take_out(const uint8_t *bytes, size_t size, int flags, void *context)
{
        struct websocket *const websocket = context;
        (void)flags;
        if (size > OUT_SIZE - websocket->out_end)
                return -1;
        memcpy(websocket->out + websocket->out_end, bytes, size);
        websocket->out_end += size;
        return (ssize_t)size;
}

struct websocket *websocket_new(int fd, const void *early, size_t early_size, uint64_t message_max)
{
        static const struct wslay_frame_callbacks callbacks = { .recv_callback = give_raw,
                .send_callback = take_out };
        struct websocket *const websocket = calloc(1, sizeof *websocket);
        if (websocket == NULL || early_size > RAW_SIZE ||
                wslay_frame_context_init(&websocket->frames, &callbacks, websocket) != 0) {
                free(websocket);
                return NULL;
        }
        websocket->fd = fd;
        websocket->message_max = message_max;
        if (early_size > 0)
                memcpy(websocket->raw, early, early_size);
        websocket->raw_end = early_size;
        return websocket;
}

void websocket_free(struct websocket *websocket)
{
        if (websocket == NULL)
                return;
        wslay_frame_context_free(websocket->frames);
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
        return size + HEADER_MAX <= OUT_SIZE - websocket->out_end;
}

static void queue(struct websocket *websocket, uint8_t opcode, const void *bytes, size_t size)
{
        struct wslay_frame_iocb frame = {
                .fin = 1, .opcode = opcode, .payload_length = size, .data = bytes, .data_length = size
        };
        if (!websocket->closing)
                wslay_frame_send(websocket->frames, &frame);
}

void websocket_send(struct websocket *websocket, bool text, const void *bytes, size_t size)
{
        queue(websocket, text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, bytes, size);
}

void websocket_ping(struct websocket *websocket)
{
        queue(websocket, WSLAY_PING, NULL, 0);
}

void websocket_close(struct websocket *websocket, enum websocket_code code, const char *reason)
{
        char payload[CONTROL_MAX + 1] = { (char)(code >> 8), (char)(code & 0xff) };
        const size_t size = utf8_clean(payload + 2, sizeof payload - 2, reason, strlen(reason));
        queue(websocket, WSLAY_CONNECTION_CLOSE, payload, code == WEBSOCKET_NO_CODE ? 0 : size + 2);
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
        const size_t size = websocket->control_size;
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

/* What the first of a frame says of it. NO_CODE: it is sound. */
static enum websocket_code begin_frame(struct websocket *websocket, const struct wslay_frame_iocb *frame)
{
        const bool goes_on = frame->opcode == WSLAY_CONTINUATION_FRAME;
        if (frame->rsv != 0 || frame->mask == 0 || frame->opcode > WSLAY_PONG ||
                (frame->opcode > WSLAY_BINARY_FRAME && frame->opcode < WSLAY_CONNECTION_CLOSE))
                return WEBSOCKET_PROTOCOL_ERROR;
        websocket->frame_left = frame->payload_length;
        websocket->control_size = 0;
        websocket->in_frame = true;
        if (wslay_is_ctrl_frame(frame->opcode))
                return WEBSOCKET_NO_CODE;
        if (goes_on != (websocket->opcode != 0))
                return WEBSOCKET_PROTOCOL_ERROR;
        if (frame->payload_length > websocket->message_max - websocket->message_size)
                return WEBSOCKET_TOO_BIG;
        websocket->message_size += frame->payload_length;
        if (!goes_on)
                websocket->opcode = frame->opcode;
        return WEBSOCKET_NO_CODE;
}

/* A piece of a control frame. WEBSOCKET_NOTHING: go on. */
static enum websocket_event take_control(
        struct websocket *websocket, const struct wslay_frame_iocb *frame, struct websocket_piece *out)
{
        memcpy(websocket->control + websocket->control_size, frame->data, frame->data_length);
        websocket->control_size += frame->data_length;
        if (websocket->in_frame || frame->opcode == WSLAY_PONG)
                return WEBSOCKET_NOTHING;
        if (frame->opcode == WSLAY_CONNECTION_CLOSE)
                return end_closing(websocket, out);
        queue(websocket, WSLAY_PONG, websocket->control, websocket->control_size);
        return WEBSOCKET_NOTHING;
}

static enum websocket_event take_data(
        struct websocket *websocket, const struct wslay_frame_iocb *frame, struct websocket_piece *out)
{
        *out = (struct websocket_piece){ .bytes = frame->data,
                .size = frame->data_length,
                .text = websocket->opcode == WSLAY_TEXT_FRAME,
                .last = frame->fin != 0 && !websocket->in_frame };
        if (out->last) {
                websocket->opcode = 0;
                websocket->message_size = 0;
        }
        return WEBSOCKET_DATA;
}

enum websocket_event websocket_next(struct websocket *websocket, struct websocket_piece *out)
{
        while (websocket_has_room(websocket, ANSWER_ROOM)) {
                struct wslay_frame_iocb frame = { 0 };
                const ssize_t size = wslay_frame_recv(websocket->frames, &frame);
                if (size == WSLAY_ERR_WANT_READ)
                        return WEBSOCKET_NOTHING;
                if (size < 0)
                        return fault(out, WEBSOCKET_PROTOCOL_ERROR);
                const enum websocket_code code =
                        websocket->in_frame ? WEBSOCKET_NO_CODE : begin_frame(websocket, &frame);
                if (code != WEBSOCKET_NO_CODE)
                        return fault(out, code);
                websocket->frame_left -= frame.data_length;
                websocket->in_frame = websocket->frame_left > 0;
                if (!wslay_is_ctrl_frame(frame.opcode))
                        return take_data(websocket, &frame, out);
                const enum websocket_event event = take_control(websocket, &frame, out);
                if (event != WEBSOCKET_NOTHING)
                        return event;
        }
        return WEBSOCKET_NOTHING;
}
