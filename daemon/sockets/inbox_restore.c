/* inbox_restore.c: what an earlier process kept of a socket, copied into this one's memory.
 *
 * That process may have been killed anywhere, and its memory be damaged: no number of it is used before it is
 * known to lead to what is there. */
#include <string.h>

#include "daemon/sockets/kept.h"
#include "daemon/sockets/name.h"
#include "daemon/sockets/socket.h"
#include "daemon/sockets/store.h"

enum { SIZE_MOST = 1 << 30, ERRNO_MOST = 4095 };

/* What is kept, as the image has it. */
struct found {
        const struct store_image *image;
        uint64_t extent, start, base, cursor, next;
        size_t used, unread; /* bytes; the first with the headers of messages */
};

static struct found find(const struct store_image *image, const struct stored_socket *old, uint64_t next)
{
        const struct inbox_place *const place = &old->inbox.places[old->inbox.current & 1];
        struct found found = { .image = image,
                .extent = place->extent,
                .start = place->start,
                .base = place->base,
                .cursor = old->inbox.cursor,
                .next = next };
        if (found.cursor < found.base)
                found.cursor = found.base;
        return found;
}

/* NULL: so many bytes are not there. */
static const uint8_t *bytes_of(const struct found *found, size_t size)
{
        if (found->start > SIZE_MOST * 2ULL || size > SIZE_MOST)
                return NULL;
        const uint8_t *const bytes =
                store_image_bytes(found->image, found->extent, (size_t)found->start + size);
        return bytes == NULL ? NULL : bytes + found->start;
}

static bool measure_stream(struct found *found)
{
        found->used = (size_t)(found->next - found->base);
        found->unread = (size_t)(found->next - found->cursor);
        return bytes_of(found, found->used) != NULL;
}

/* Descriptors are never kept; numbers that look like some must not be taken for ours. */
static bool has_descriptors(const uint8_t *control, size_t size)
{
        /* CMSG_NXTHDR() only reads it. */
        const struct msghdr header = { .msg_control = (void *)(uintptr_t)control, .msg_controllen = size };
        for (struct cmsghdr *at = CMSG_FIRSTHDR(&header); at != NULL;
                at = CMSG_NXTHDR((struct msghdr *)(uintptr_t)&header, at))
                if (at->cmsg_level == SOL_SOCKET &&
                        (at->cmsg_type == SCM_RIGHTS || at->cmsg_type == SCM_PIDFD))
                        return true;
        return false;
}

/* The header alone; so that it can be said where its bytes are. */
static bool is_sound(const struct kept *kept)
{
        return kept->name_room % KEPT_ALIGNMENT == 0 && kept->name_room <= sizeof(struct sockaddr_storage) &&
               kept->control_room % KEPT_ALIGNMENT == 0 && kept->control_room <= SIZE_MOST / 4 &&
               kept->size <= SIZE_MOST / 2 && kept->name_size <= kept->name_room &&
               kept->control_size <= kept->control_room && kept->error >= 0 && kept->error <= ERRNO_MOST;
}

/* One message behind the others; `header` is what the kernel said of it, or NULL. */
static bool measure_message(struct found *found, const struct mmsghdr *header, size_t *size)
{
        struct kept kept;
        const uint8_t *bytes = bytes_of(found, found->used + sizeof kept);
        if (bytes == NULL)
                return false;
        memcpy(&kept, bytes + found->used, sizeof kept);
        if (header != NULL)
                kept_finish(&kept, header);
        if (!is_sound(&kept))
                return false;
        bytes = bytes_of(found, found->used + kept_space(&kept));
        if (bytes == NULL ||
                has_descriptors(bytes + found->used + sizeof kept + kept.name_room, kept.control_size))
                return false;
        found->used += kept_space(&kept);
        *size = kept.size;
        return true;
}

/* *last is where the message is that was being received when the process ended, if there is one. */
static bool measure_messages(struct found *found, const struct mmsghdr *unsettled, size_t *last)
{
        if (found->start % KEPT_ALIGNMENT != 0)
                return false;
        for (uint64_t number = found->base; number < found->next; number++) {
                size_t size = 0;
                *last = found->used;
                if (!measure_message(found, number + 1 == found->next ? unsettled : NULL, &size))
                        return false;
                found->unread += number >= found->cursor ? size : 0;
        }
        return true;
}

/* False without memory. */
static bool copy(struct socket *socket, const struct found *found, size_t room)
{
        const uint64_t extent = store_allocate(room);
        if (extent == 0)
                return false;
        account_add(socket->owner, RESOURCE_BYTES, store_size(extent));
        memcpy(store_bytes(extent), bytes_of(found, found->used), found->used);
        inbox_move(socket, extent, 0, found->base);
        socket->stored->inbox.cursor = found->cursor;
        socket->unread = found->unread;
        if (socket_has_boundaries(socket))
                socket->kept.size = found->used;
        return true;
}

/* Whether all of it is there; *last as above. */
static bool measure(
        const struct socket *socket, struct found *found, const struct mmsghdr *unsettled, size_t *last)
{
        const uint64_t retain = socket->stored->inbox.retain;
        const bool messages = socket_has_boundaries(socket);
        if (found->base > found->next || found->cursor > found->next || (messages && retain == 0))
                return false;
        return (messages ? measure_messages(found, unsettled, last) : measure_stream(found)) &&
               (retain == 0 || found->used <= retain);
}

bool inbox_restore(struct socket *socket, const struct store_image *image, const struct stored_socket *old)
{
        struct inbox *const inbox = &socket->stored->inbox;
        struct tally *const tally = &socket->stored->received;
        size_t last = 0;
        *tally = old->received;
        const struct mmsghdr header = tally->header;
        const struct mmsghdr *const unsettled = tally_is_unsettled(tally) ? &header : NULL;
        const bool unsure = tally_is_unsure(tally);
        tally_settle(tally);
        if (old->inbox.retain > SIZE_MOST || old->inbox.error < 0 || old->inbox.error > ERRNO_MOST)
                return false;
        inbox->retain = old->inbox.retain;
        inbox->error = old->inbox.error;
        struct found found = find(image, old, socket_position(socket, DIRECTION_RECEIVE));
        if (found.extent == 0 || found.base == found.next)
                return true;
        /* Something is missing right behind it: what came before goes too, so that the jump shows. */
        if (unsure)
                return found.base + 1 == found.next;
        if (!measure(socket, &found, unsettled, &last) ||
                !copy(socket, &found, inbox->retain > 0 ? 2 * (size_t)inbox->retain : found.used))
                return false;
        if (unsettled != NULL && socket_has_boundaries(socket))
                kept_finish((void *)(store_bytes(inbox->places[inbox->current].extent) + last), unsettled);
        return true;
}
