/* inbox.c: what was received on a socket and is kept: its place, its growth and its moves. */
#include "daemon/sockets/inbox.h"

#include <string.h>

#include "daemon/sockets/kept.h"
#include "daemon/sockets/socket.h"
#include "daemon/sockets/store.h"

static struct inbox *inbox_of(const struct socket *socket)
{
        return &socket->stored->inbox;
}

static const struct inbox_place *place_of(const struct socket *socket)
{
        const struct inbox *const inbox = inbox_of(socket);
        return &inbox->places[inbox->current & 1];
}

void inbox_move(struct socket *socket, uint64_t extent, uint64_t start, uint64_t base)
{
        struct inbox *const inbox = inbox_of(socket);
        const unsigned other = (inbox->current & 1) ^ 1;
        inbox->places[other].extent = extent;
        inbox->places[other].start = start;
        inbox->places[other].base = base;
        inbox->current = other;
}

static uint64_t position_of(const struct socket *socket)
{
        return socket_position(socket, DIRECTION_RECEIVE);
}

bool inbox_retains(const struct socket *socket)
{
        return inbox_of(socket)->retain != 0;
}

uint64_t inbox_base(const struct socket *socket)
{
        const struct inbox *const inbox = inbox_of(socket);
        unsigned current;
        uint64_t base;
        do { /* while it moves, the other place is not yet what counts */
                current = inbox->current;
                const struct inbox_place *const place = &inbox->places[current & 1];
                base = place->extent == 0 ? position_of(socket) : place->base;
        } while (inbox->current != current);
        return base;
}

uint64_t inbox_cursor(const struct socket *socket)
{
        const uint64_t base = inbox_base(socket), cursor = inbox_of(socket)->cursor;
        return cursor > base ? cursor : base;
}

/* Bytes in the extent; of messages with their headers. */
static size_t used_of(const struct socket *socket)
{
        return socket_has_boundaries(socket) ? socket->kept.size
                                             : (size_t)(position_of(socket) - inbox_base(socket));
}

size_t inbox_free(const struct socket *socket)
{
        return (size_t)inbox_of(socket)->retain - used_of(socket);
}

const uint8_t *inbox_bytes(const struct socket *socket, uint64_t position)
{
        const struct inbox_place *const place = place_of(socket);
        return place->extent == 0 ? NULL
                                  : store_bytes(place->extent) + place->start + (position - place->base);
}

const struct kept *inbox_message(struct socket *socket, uint64_t number)
{
        const struct inbox_place *const place = place_of(socket);
        const uint8_t *const first = store_bytes(place->extent) + place->start;
        if (socket->kept.found > number || socket->kept.found < place->base) {
                socket->kept.found = place->base;
                socket->kept.found_at = 0;
        }
        for (; socket->kept.found < number; socket->kept.found++)
                socket->kept.found_at += kept_space((const void *)(first + socket->kept.found_at));
        return (const void *)(first + socket->kept.found_at);
}

static void give_back(const struct socket *socket, uint64_t extent)
{
        if (extent == 0)
                return;
        account_give_back(socket->owner, RESOURCE_BYTES, store_size(extent));
        store_free(extent);
}

/* What a socket has to itself: what is kept is copied there, and nothing of it changes on the way. */
static struct result enlarge(struct socket *socket, size_t size)
{
        const struct inbox_place old = *place_of(socket);
        const uint64_t extent = store_allocate(size);
        if (extent == 0)
                return refused("recv", ENOMEM);
        if (!account_take(socket->owner, RESOURCE_BYTES, store_size(extent))) {
                store_free(extent);
                return account_over(RESOURCE_BYTES);
        }
        const size_t used = used_of(socket);
        if (used > 0)
                memcpy(store_bytes(extent), store_bytes(old.extent) + old.start, used);
        inbox_move(socket, extent, 0, inbox_base(socket));
        give_back(socket, old.extent);
        return DONE;
}

struct result inbox_retain(struct socket *socket, uint64_t size)
{
        const size_t used = used_of(socket);
        if (size == 0)
                return DONE;
        if ((socket->reacting & 1u << DIRECTION_RECEIVE) != 0) {
                struct result busy = refused("recv", EBUSY);
                busy.detail = "a reactor or a stream has the socket: what it takes cannot be retained";
                return busy;
        }
        if (size < RETAIN_LEAST)
                size = RETAIN_LEAST;
        if (size < used)
                size = used;
        if (used > 0)
                TRY(enlarge(socket, 2 * size));
        inbox_of(socket)->retain = size;
        return DONE;
}

/* A retaining socket's extent has twice what it retains: where its end is too near, what is kept begins in
 * its second half, and there is room for it in the first. */
struct result inbox_make_room(struct socket *socket, size_t size, uint8_t **tail)
{
        const struct inbox_place *const place = place_of(socket);
        const uint64_t retain = inbox_of(socket)->retain;
        const size_t used = used_of(socket);
        if (place->extent == 0) {
                TRY(enlarge(socket, retain > 0 ? 2 * retain : size));
        } else if (place->start + used + size > store_size(place->extent)) {
                const bool disjoint = place->start >= used && used + size <= store_size(place->extent);
                if (!disjoint) {
                        const size_t doubled = 2 * store_size(place->extent);
                        TRY(enlarge(socket, doubled > used + size ? doubled : used + size));
                } else {
                        uint8_t *const bytes = store_bytes(place->extent);
                        memcpy(bytes, bytes + place->start, used);
                        inbox_move(socket, place->extent, 0, place->base);
                }
        }
        *tail = store_bytes(place_of(socket)->extent) + place_of(socket)->start + used;
        return DONE;
}

void inbox_added(struct socket *socket, size_t size)
{
        socket->unread += size;
}

void inbox_added_message(struct socket *socket, const struct kept *kept)
{
        socket->unread += kept->size;
        socket->kept.size += kept_space(kept);
}

/* How many bytes of theirs, and in the extent, there are between two positions. */
static size_t size_between(struct socket *socket, uint64_t from, uint64_t to, size_t *space)
{
        size_t size = 0;
        *space = (size_t)(to - from);
        if (!socket_has_boundaries(socket))
                return *space;
        *space = 0;
        for (uint64_t number = from; number < to; number++) {
                const struct kept *const kept = inbox_message(socket, number);
                size += kept->size;
                *space += kept_space(kept);
        }
        return size;
}

void inbox_hand_out(struct socket *socket, uint64_t position)
{
        const uint64_t cursor = inbox_cursor(socket);
        size_t space;
        if (!inbox_retains(socket)) {
                inbox_forget(socket, position);
        } else if (position > cursor) {
                socket->unread -= size_between(socket, cursor, position, &space);
                inbox_of(socket)->cursor = position;
        }
}

void inbox_forget(struct socket *socket, uint64_t position)
{
        const struct inbox_place *const place = place_of(socket);
        const uint64_t cursor = inbox_cursor(socket);
        size_t space;
        if (place->extent == 0 || position < place->base)
                return;
        if (position > cursor)
                socket->unread -= size_between(socket, cursor, position, &space);
        size_between(socket, place->base, position, &space);
        if (socket_has_boundaries(socket)) {
                socket->kept.size -= space;
                socket->kept.found_at -= socket->kept.found >= position ? space : socket->kept.found_at;
                if (socket->kept.found < position)
                        socket->kept.found = position;
        }
        const uint64_t extent = place->extent;
        if (position < position_of(socket)) {
                inbox_move(socket, extent, place->start + space, position);
        } else if (inbox_retains(socket)) {
                inbox_move(socket, extent, 0, position);
        } else {
                inbox_empty(socket);
        }
}

void inbox_empty(struct socket *socket)
{
        const uint64_t extent = place_of(socket)->extent;
        if (extent != 0)
                inbox_move(socket, 0, 0, 0);
        give_back(socket, extent);
}
