/* stream_turn.c: what one stream does: bytes and messages both ways, and how it ends.
 *
 * Nothing is read from the socket while something is queued for the client, and nothing from the client while
 * what came from it is not delivered: each side is slowed by the other, and no more is held than the buffers.
 *
 * An end has four ways. The peer sends no more: we close with 1000, and what the client sends before it
 * answers is delivered. The client closes, or goes: what came from it is delivered, and then it is answered.
 * Something fails, or the daemon or the socket goes: we close, and throw away what comes. The client breaks
 * the protocol: the same, but its answer cannot be read, and its end is waited for. */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "api/utf8.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/name.h"
#include "daemon/stream_turn.h"

enum { ROUNDS_PER_TURN = 8 };

/* So long a client has to answer a closing, and to end; and so long what came from one that has gone has to
 * be delivered. */
static const int64_t CLOSE_TIMEOUT_NS = 2000000000;

static void enter_state(struct stream *stream, enum stream_state state)
{
        stream->state = state;
        stream->due_ns = now_ns() + CLOSE_TIMEOUT_NS;
}

/* What is not delivered yet will not be. */
static void forget_input(struct stream *stream)
{
        stream->in_start = stream->in_size = stream->text_size = 0;
        stream->ready = stream->shuts = false;
        stream->shut = true;
}

void stream_close(struct stream *stream, enum websocket_code code, const char *reason)
{
        if (stream->state != STREAM_OPEN && stream->state != STREAM_CLOSING)
                return;
        if (code != WEBSOCKET_NORMAL)
                forget_input(stream);
        if (websocket_is_closing(stream->websocket))
                return;
        websocket_close(stream->websocket, code, reason);
        enter_state(stream, STREAM_CLOSING);
}

/* What was sound before is delivered all the same. */
static void break_off(struct stream *stream, enum websocket_code code)
{
        if (stream->keeps_boundaries && !stream->ready)
                stream->in_size = 0;
        websocket_close(stream->websocket, code, "");
        enter_state(stream, STREAM_DRAINING);
}

/* Ends it with the errno as the reason. */
static void fail(struct stream *stream, const struct result *result)
{
        const char *const name = name_of(&errno_names, result->error);
        forget_input(stream);
        stream->answer = WEBSOCKET_FAILED;
        stream->reason = name == NULL ? "" : name;
        if (stream->call->socket->closed)
                stream_close(stream, WEBSOCKET_GOING_AWAY, "the socket was closed");
        else
                stream_close(stream, WEBSOCKET_FAILED, stream->reason);
}

/* Says text that is freed then. */
static void say(struct stream *stream, char *text)
{
        if (text != NULL && websocket_has_room(stream->websocket, strlen(text)))
                websocket_send(stream->websocket, true, text, strlen(text));
        free(text);
}

static void end_peer(struct stream *stream)
{
        stream->peer_ended = true;
        if (!stream->far_end.half_open || stream->shut)
                stream_close(stream, WEBSOCKET_NORMAL, "");
        else
                websocket_send(stream->websocket, true, far_end_is_shut, strlen(far_end_is_shut));
}

/* What came out of the socket goes to the client. */
static void pass_on(struct stream *stream, const uint8_t *bytes, const struct arrival *arrival)
{
        if (arrival->end)
                end_peer(stream);
        else if (stream->far_end.datagrams)
                say(stream, far_end_datagram(stream->call, bytes, arrival));
        else
                websocket_send(stream->websocket, false, bytes, arrival->size);
}

/* From the socket to the client. Whether something moved. */
static bool move_out(struct stream *stream, uint8_t *scratch)
{
        struct arrival arrival;
        if (!websocket_flush(stream->websocket) && stream->state == STREAM_OPEN)
                enter_state(stream, STREAM_CLOSING);
        if (websocket_is_full(stream->websocket) || stream->state != STREAM_OPEN || stream->peer_ended)
                return false;
        const struct result result = far_end_receive(stream->call, scratch, FAR_END_BLOCK, &arrival);
        if (result.kind == RESULT_WAIT)
                return false;
        if (result.kind == RESULT_DONE)
                pass_on(stream, scratch, &arrival);
        else if (stream->keeps_boundaries && socket_error_passes(result.error))
                say(stream, far_end_problem(&result));
        else
                fail(stream, &result);
        return true;
}

/* Gives the socket what is there of a stream of bytes. */
static struct result give_bytes(struct stream *stream)
{
        size_t sent = 0;
        const struct result result =
                far_end_send(stream->call, stream->in + stream->in_start, stream->in_size, &sent);
        stream->in_start += sent;
        stream->in_size -= sent;
        if (stream->in_size == 0)
                stream->in_start = 0;
        return result;
}

/* Gives it a message. One that cannot be sent is told of, and gone. */
static struct result give_message(struct stream *stream)
{
        char *problem = NULL;
        size_t sent;
        struct result result;
        if (stream->far_end.datagrams) {
                result = far_end_send_text(stream->call, (const char *)stream->in, stream->in_size, &problem);
        } else {
                result = far_end_send(stream->call, stream->in, stream->in_size, &sent);
                if (result.kind != RESULT_DONE && result.kind != RESULT_WAIT)
                        problem = far_end_problem(&result);
        }
        say(stream, problem);
        if (result.kind == RESULT_WAIT)
                return result;
        stream->in_size = 0;
        stream->ready = false;
        return DONE;
}

static struct result shut_down(struct stream *stream)
{
        stream->shuts = false;
        stream->shut = true;
        TRY(far_end_shut_down(stream->call));
        if (stream->peer_ended)
                stream_close(stream, WEBSOCKET_NORMAL, "");
        return DONE;
}

/* Whether there is something that the socket can be given. */
static bool has_bytes(const struct stream *stream)
{
        return stream->keeps_boundaries ? stream->ready : stream->in_size > 0;
}

static bool has_input(const struct stream *stream)
{
        return has_bytes(stream) || stream->shuts;
}

/* From what came to the socket. Whether something moved. */
static bool deliver(struct stream *stream)
{
        struct result result;
        if (has_bytes(stream))
                result = stream->keeps_boundaries ? give_message(stream) : give_bytes(stream);
        else if (stream->shuts)
                result = shut_down(stream);
        else
                return false;
        if (result.kind == RESULT_WAIT)
                return false;
        if (result.kind != RESULT_DONE)
                fail(stream, &result);
        return true;
}

/* A text among bytes. */
static void take_text(struct stream *stream, const struct websocket_piece *piece)
{
        if (piece->size > sizeof stream->text - stream->text_size) {
                break_off(stream, WEBSOCKET_UNSUPPORTED);
                return;
        }
        memcpy(stream->text + stream->text_size, piece->bytes, piece->size);
        stream->text_size += piece->size;
        if (!piece->last)
                return;
        if (!utf8_is_valid(stream->text, stream->text_size))
                break_off(stream, WEBSOCKET_INCONSISTENT);
        else if (!far_end_asks_to_shut(stream->text, stream->text_size))
                break_off(stream, WEBSOCKET_UNSUPPORTED);
        else
                stream->shuts = !stream->shut;
        stream->text_size = 0;
}

static void take_bytes(struct stream *stream, const struct websocket_piece *piece)
{
        uint8_t *const end = stream->in + stream->in_start + stream->in_size;
        memcpy(end, piece->bytes, piece->size);
        stream->in_size += piece->size;
        if (piece->last && piece->text && !utf8_is_valid((const char *)stream->in, stream->in_size))
                break_off(stream, WEBSOCKET_INCONSISTENT);
        else
                stream->ready = piece->last;
}

static void take_piece(struct stream *stream, const struct websocket_piece *piece)
{
        /* It has not seen our closing yet. */
        if (stream->state == STREAM_CLOSING && stream->shut)
                return;
        if (piece->text != stream->far_end.datagrams) {
                if (piece->text)
                        take_text(stream, piece);
                else
                        break_off(stream, WEBSOCKET_UNSUPPORTED);
        } else if (stream->shuts || stream->shut) {
                break_off(stream, WEBSOCKET_POLICY);
        } else {
                take_bytes(stream, piece);
        }
}

/* How much may come from the client. */
static size_t room_of(const struct stream *stream)
{
        if (stream->keeps_boundaries && stream->ready)
                return 0;
        return STREAM_IN_SIZE - stream->in_start - stream->in_size;
}

static bool reads(const struct stream *stream)
{
        return (stream->state == STREAM_OPEN || stream->state == STREAM_CLOSING) && room_of(stream) > 0 &&
               websocket_has_room(stream->websocket, WEBSOCKET_RESERVE / 2);
}

static void hear_close(struct stream *stream, enum websocket_code code)
{
        stream->answers = stream->state == STREAM_OPEN;
        stream->answer = code;
        stream->reason = "";
        enter_state(stream, STREAM_ENDING);
}

/* Uses up what was read. */
static void take_all(struct stream *stream)
{
        struct websocket_piece piece;
        while (reads(stream)) {
                switch (websocket_next(stream->websocket, room_of(stream), &piece)) {
                case WEBSOCKET_NOTHING:
                        return;
                case WEBSOCKET_DATA:
                        take_piece(stream, &piece);
                        break;
                case WEBSOCKET_CLOSED:
                        hear_close(stream, piece.code);
                        break;
                case WEBSOCKET_FAULTY:
                        break_off(stream, piece.code);
                        break;
                }
        }
}

/* What is there of a client that has gone is read to its end, however long that takes. */
static void hear(struct stream *stream)
{
        stream->heard = true;
        if (stream->hung_up)
                stream->due_ns = now_ns() + CLOSE_TIMEOUT_NS;
}

/* From the client to the socket. Whether something moved. */
static bool move_in(struct stream *stream)
{
        take_all(stream);
        const bool delivered = deliver(stream);
        if (delivered && stream->state == STREAM_ENDING)
                stream->due_ns = now_ns() + CLOSE_TIMEOUT_NS;
        if (!reads(stream) && stream->state != STREAM_DRAINING)
                return delivered;
        const bool filled = websocket_fill(stream->websocket);
        if (filled)
                hear(stream);
        if (stream->state == STREAM_DRAINING)
                websocket_discard(stream->websocket);
        else if (websocket_is_at_end(stream->websocket))
                enter_state(stream, STREAM_ENDING);
        return delivered || filled;
}

/* Whoever closes a connection with something to read on it resets it, and the client might not get what was
 * said last. With TLS the client would not see that we have ended. */
static void part(struct stream *stream)
{
        websocket_discard(stream->websocket);
        if (websocket_is_at_end(stream->websocket) || stream->connection.client_fd >= 0)
                stream->state = STREAM_ENDED;
        else
                enter_state(stream, STREAM_DRAINING);
}

/* seccomp: shutdown */
static void end_if_done(struct stream *stream)
{
        const bool flushed = !websocket_is_full(stream->websocket);
        if (stream->state == STREAM_DRAINING && flushed)
                shutdown(stream->connection.fd, SHUT_WR);
        if (has_input(stream))
                return;
        if (stream->state == STREAM_DRAINING && websocket_is_at_end(stream->websocket))
                stream->state = STREAM_ENDED;
        if (stream->state != STREAM_ENDING)
                return;
        /* Whoever hears of the end finds the socket free. */
        stream_let_go(stream);
        if (stream->answers)
                websocket_close(stream->websocket, stream->answer, stream->reason);
        stream->answers = false;
        if (!websocket_flush(stream->websocket) || !websocket_is_full(stream->websocket))
                part(stream);
}

static bool is_evicted(struct stream *stream)
{
        LOCK_SCOPE(&stream->lock);
        return stream->evicted;
}

void stream_turn(struct stream *stream, uint8_t *scratch)
{
        bool moved = true;
        if (is_evicted(stream))
                stream_close(stream, WEBSOCKET_GOING_AWAY, "the socket was closed");
        for (int i = 0; i < ROUNDS_PER_TURN && moved && stream->state != STREAM_ENDED; i++) {
                const enum stream_state before = stream->state;
                moved = move_out(stream, scratch);
                moved |= move_in(stream);
                end_if_done(stream);
                moved |= stream->state != before;
        }
        stream->again = moved && stream->state != STREAM_ENDED;
}

uint32_t stream_client_events(const struct stream *stream)
{
        const bool listens = reads(stream) || stream->state == STREAM_DRAINING;
        return (listens ? EPOLLIN : 0u) | (websocket_is_full(stream->websocket) ? EPOLLOUT : 0u);
}

uint32_t stream_peer_events(const struct stream *stream)
{
        const bool listens =
                stream->state == STREAM_OPEN && !stream->peer_ended && !websocket_is_full(stream->websocket);
        return (listens ? EPOLLIN : 0u) | (has_bytes(stream) ? EPOLLOUT : 0u);
}

void stream_hang_up(struct stream *stream)
{
        stream->hung_up = true;
        if (stream->state == STREAM_OPEN)
                enter_state(stream, STREAM_CLOSING);
}

/* A client is only given up while it is listened to, and has got the ping. */
static void ping(struct stream *stream, int64_t ping_ns)
{
        const bool busy = websocket_is_full(stream->websocket) || !reads(stream);
        if (!stream->heard && stream->pinged && !busy) {
                stream->state = STREAM_ENDED;
                return;
        }
        stream->pinged = !stream->heard && !busy;
        if (stream->pinged)
                websocket_ping(stream->websocket);
        stream->heard = false;
        stream->due_ns = now_ns() + ping_ns;
}

void stream_run_due(struct stream *stream, int64_t ping_ns)
{
        if (stream->state == STREAM_OPEN)
                ping(stream, ping_ns);
        else
                stream->state = STREAM_ENDED;
}
