/* reader.c: one client who follows events, and how they are written to it.
 *
 * All readers share the frames' texts, so that nothing is copied but what a connection has taken half. One
 * that does not read on falls behind until what it would get next is gone: it is told of the gap. */
#include "daemon/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One turn takes no longer than others can wait. */
enum { STEPS_PER_TURN = 4, PIECES = 64, STEP_SIZE = 256 << 10, RECORD_SIZE = 16384 };

void reader_clear(struct reader *reader)
{
        free(reader->rest);
        reader->rest = NULL;
        reader->rest_size = reader->rest_sent = reader->rest_capacity = 0;
}

void reader_say(struct reader *reader, const char *text, size_t size)
{
        const size_t needed = reader->rest_size + size;
        if (needed > reader->rest_capacity) {
                char *const larger = realloc(reader->rest, needed);
                reader->gone |= larger == NULL;
                if (larger == NULL)
                        return;
                reader->rest = larger;
                reader->rest_capacity = needed;
        }
        memcpy(reader->rest + reader->rest_size, text, size);
        reader->rest_size += size;
}

void reader_say_gap(struct reader *reader, uint64_t lost)
{
        char text[128], missed[24] = "null";
        if (lost != EVENTS_LOST_UNKNOWN)
                snprintf(missed, sizeof missed, "%" PRIu64, lost);
        const int size = snprintf(text, sizeof text, "id: %" PRIu64 "\nevent: gap\ndata: {\"missed\":%s}\n\n",
                reader->position, missed);
        reader_say(reader, text, (size_t)size);
}

/* seccomp: sendmsg */
static size_t write_plain(struct reader *reader, struct iovec *pieces, size_t count)
{
        const struct msghdr message = { .msg_iov = pieces, .msg_iovlen = count };
        const ssize_t sent = TEMP_FAILURE_RETRY(sendmsg(reader->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
        reader->blocked = sent < 0 && errno == EAGAIN;
        reader->gone |= sent < 0 && errno != EAGAIN;
        return sent < 0 ? 0 : (size_t)sent;
}

/* The session takes a whole record at once; what the connection does not take of it is sent on later. */
static bool seal(struct reader *reader, const void *bytes, size_t size)
{
        const ssize_t sent = gnutls_record_send(reader->session, bytes, size);
        reader->sealed = reader->blocked = sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED;
        reader->gone |= sent < 0 && !reader->sealed;
        return !reader->sealed && !reader->gone;
}

static size_t write_sealed(struct reader *reader, const struct iovec *pieces, size_t count)
{
        char record[RECORD_SIZE];
        const size_t most = gnutls_record_get_max_size(reader->session);
        const size_t room = most < sizeof record ? most : sizeof record;
        size_t size = 0;
        if (reader->sealed && !seal(reader, NULL, 0))
                return 0;
        for (size_t i = 0; i < count && size < room; i++) {
                const size_t left = room - size;
                const size_t part = pieces[i].iov_len < left ? pieces[i].iov_len : left;
                memcpy(record + size, pieces[i].iov_base, part);
                size += part;
        }
        seal(reader, record, size);
        return size;
}

/* Returns how much was taken. */
static size_t write_some(struct reader *reader, struct iovec *pieces, size_t count, int64_t now)
{
        const size_t size = reader->session == NULL ? write_plain(reader, pieces, count)
                                                    : write_sealed(reader, pieces, count);
        if (size > 0)
                reader->spoken_ns = now;
        return size;
}

static void write_rest(struct reader *reader, int64_t now)
{
        struct iovec piece = { .iov_base = reader->rest + reader->rest_sent,
                .iov_len = reader->rest_size - reader->rest_sent };
        reader->rest_sent += write_some(reader, &piece, 1, now);
        if (reader->rest_sent == reader->rest_size)
                reader->rest_size = reader->rest_sent = 0;
}

void reader_begin(struct reader *reader, int64_t now)
{
        if (!reader->gone)
                write_rest(reader, now);
}

/* Whether there are any. */
static bool write_frames(struct reader *reader, const struct frames *frames, int64_t now)
{
        struct iovec pieces[PIECES], cut;
        uint64_t through = reader->position;
        const size_t count = frames_collect(frames, &reader->filter, &through, pieces, PIECES, STEP_SIZE);
        if (count == 0) {
                reader->position = through;
                return false;
        }
        const size_t sent = write_some(reader, pieces, count, now);
        reader->position = frames_end(frames, &reader->filter, reader->position, through, sent, &cut);
        if (cut.iov_len > 0)
                reader_say(reader, cut.iov_base, cut.iov_len);
        return true;
}

/* The number spares those who come again a gap of what they were not to get. */
static bool say_heartbeat(struct reader *reader, int64_t now, int64_t heartbeat_ns)
{
        char text[64];
        if (now - reader->spoken_ns < heartbeat_ns)
                return false;
        const int size = snprintf(text, sizeof text, ": heartbeat\nid: %" PRIu64 "\n\n", reader->position);
        reader_say(reader, text, (size_t)size);
        return true;
}

/* False: there is nothing left to write. */
static bool step(struct reader *reader, const struct frames *frames, int64_t now, int64_t heartbeat_ns)
{
        if (reader->rest_size > 0) {
                write_rest(reader, now);
                return true;
        }
        const uint64_t before = frames_before(frames);
        if (reader->position < before) {
                const uint64_t lost = before - reader->position;
                reader->position = before;
                reader_say_gap(reader, lost);
                return true;
        }
        return write_frames(reader, frames, now) || say_heartbeat(reader, now, heartbeat_ns);
}

void reader_turn(struct reader *reader, const struct frames *frames, int64_t now, int64_t heartbeat_ns)
{
        for (int i = 0; i < STEPS_PER_TURN && !reader->blocked && !reader->gone; i++)
                if (!step(reader, frames, now, heartbeat_ns))
                        return;
}
