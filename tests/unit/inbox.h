/* inbox.h: a socket that keeps what it receives, fed with bytes that tell where they stand. */
#pragma once

#include "daemon/sockets/inbox.h"

#include "daemon/sockets/kept.h"
#include "daemon/sockets/retained.h"
#include "tests/unit/ends.h"
#include "tests/unit/rows.h"

static const size_t RETAIN = 4096;

enum { LONGEST = 900 };

struct scene {
        struct socket *socket;
        int peer;
        uint64_t sent; /* bytes of a stream, else messages */
};

static inline void scene_set(struct scene *scene, int type, uint64_t retain)
{
        struct ends ends;
        assert_true(ends_open(&ends, AF_UNIX, type));
        *scene = (struct scene){ .socket = socket_new(ends.one, AF_UNIX, type, 0), .peer = ends.other };
        assert_non_null(scene->socket);
        assert_int_equal(inbox_retain(scene->socket, retain).kind, RESULT_DONE);
        scene->socket->stored->number = 7;
}

static inline void scene_clean(struct scene *scene)
{
        socket_release(scene->socket);
        end_close(&scene->peer);
}

/* The stream's byte at a position; a message's number fills it. */
static inline uint8_t byte_at(uint64_t position)
{
        return (uint8_t)(position * 31 + position / 251);
}

static inline size_t length_of(uint64_t number)
{
        return (size_t)(number * 37 % LONGEST);
}

/* Sends without waiting; returns whether the peer's buffer took it. */
static inline bool feed(struct scene *scene, size_t size)
{
        uint8_t bytes[8192];
        if (socket_has_boundaries(scene->socket)) {
                memset(bytes, byte_at(scene->sent), size);
                if (send(scene->peer, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
                        return false;
                scene->sent++;
                return true;
        }
        for (size_t i = 0; i < size; i++)
                bytes[i] = byte_at(scene->sent + i);
        const ssize_t sent = send(scene->peer, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        scene->sent += sent > 0 ? (uint64_t)sent : 0;
        return sent > 0;
}

static inline void check_message(struct socket *socket, uint64_t number, size_t length)
{
        const struct kept *const kept = inbox_message(socket, number);
        assert_int_equal(kept->error, 0);
        assert_int_equal(kept->length, length);
        assert_int_equal(kept->size, length);
        for (size_t i = 0; i < kept->size; i++)
                assert_int_equal(kept_bytes(kept)[i], byte_at(number));
}

/* Of messages: each has length_of() its number. */
static const size_t EACH = SIZE_MAX;

/* All that is kept is what was sent. */
static inline void check_kept(struct socket *socket, size_t length)
{
        const uint64_t base = inbox_base(socket), next = socket_position(socket, DIRECTION_RECEIVE);
        assert_true(base <= next);
        for (uint64_t at = base; at < next; at++) {
                if (socket_has_boundaries(socket))
                        check_message(socket, at, length == EACH ? length_of(at) : length);
                else
                        assert_int_equal(*inbox_bytes(socket, at), byte_at(at));
        }
}
