/* inbox.h: what was received on a socket and is kept: in the stored memory, so that it outlives the process.
 *
 * Positions count the bytes of a stream, else messages. What is kept stands between the base and the position
 * where the socket stands; what is before the cursor of it has been handed out. A socket that retains keeps
 * all that it was not acknowledged, up to a limit; any other keeps what a receive_until() gathered and has
 * not handed over, so that its base is its cursor. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/sockets/result.h"

struct socket;
struct store_image;
struct stored_socket;

/* What may be retained, in bytes: less than the least is rounded up. Messages take some more than what they
 * have, for their header. */
enum { RETAIN_LEAST = 4096, RETAIN_DEFAULT = 262144, RETAIN_MOST = 64 << 20 };

/* No position: wherever the cursor is, or nothing to acknowledge. */
static const uint64_t POSITION_NONE = UINT64_MAX;

/* Where what is kept stands: all of it in a row. */
struct inbox_place {
        _Atomic uint64_t extent; /* 0: nothing is kept, and base means nothing */
        uint64_t start;          /* bytes into the extent */
        _Atomic uint64_t base;   /* the position of what stands there */
};

/* Stands in stored memory. A kill at any moment must lose nothing, so the place changes by one store: the
 * other of the two is written, and then `current`. What is moved is copied to where nothing of it stands. How
 * much is kept is not written down at all: it is what the tally, which the kernel writes, has from the base
 * on. */
struct inbox {
        struct inbox_place places[2];
        _Atomic unsigned current;
        _Atomic uint64_t retain; /* 0: it does not */
        _Atomic uint64_t cursor; /* before the base, it is at the base */
        _Atomic int error;       /* what ended the stream: recvmmsg(2) says it before the last bytes */
};

/* All but those marked so are called under the receive lane's lock. */

/* From any thread. */
bool inbox_retains(const struct socket *socket);
uint64_t inbox_base(const struct socket *socket);
uint64_t inbox_cursor(const struct socket *socket);

/* How many more bytes may be kept, of a socket that retains. */
size_t inbox_free(const struct socket *socket);

/* Begins to retain: `size` bytes, or what is kept already if that is more. 0: nothing is done. RESULT_QUOTA;
 * EBUSY when a reactor serves the socket. Memory is taken, and its account charged, with the first receive.
 */
struct result inbox_retain(struct socket *socket, uint64_t size);

/* Of streams: the byte at a position that is kept. It stays there until room is made, or anything is
 * forgotten. */
const uint8_t *inbox_bytes(const struct socket *socket, uint64_t position);

/* Of others: the message of that number, which is kept. The same holds of it. */
struct kept;
const struct kept *inbox_message(struct socket *socket, uint64_t number);

/* Makes room for `size` more bytes behind what is kept, at *tail; of a socket that retains no more than are
 * free. They are kept once the tally has them, which is then to be said. */
struct result inbox_make_room(struct socket *socket, size_t size, uint8_t **tail);
void inbox_added(struct socket *socket, size_t size);
void inbox_added_message(struct socket *socket, const struct kept *kept);

/* Everything before the position was handed out; what does not retain forgets it. */
void inbox_hand_out(struct socket *socket, uint64_t position);

/* Everything before the position is forgotten. */
void inbox_forget(struct socket *socket, uint64_t position);

/* At the socket's end. Needs no lock. */
void inbox_empty(struct socket *socket);

/* What is kept stands elsewhere now: the one store of struct inbox. For inbox.c and inbox_restore.c. */
void inbox_move(struct socket *socket, uint64_t extent, uint64_t start, uint64_t base);

/* Copies what an earlier process kept, and settles its tally of what was received. The socket is fresh, and
 * its owner is set. False: what is there of it cannot be; the socket then keeps nothing, but its positions go
 * on. */
bool inbox_restore(struct socket *socket, const struct store_image *image, const struct stored_socket *old);
