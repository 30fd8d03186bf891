/* send.c: sending bytes or one message, also such as may have been sent before. */
#include "daemon/sockets/send.h"

#include "daemon/sockets/message.h"

/* How many of its bytes the kernel has, and whether that is all of it. */
static struct result find_taken(
        const struct socket *socket, const struct parcel *parcel, size_t *taken, bool *repeated)
{
        const uint64_t position = socket_position(socket, DIRECTION_SEND);
        *taken = 0;
        *repeated = false;
        if (parcel->offset == SEND_ANYWHERE || parcel->offset == position)
                return DONE;
        if (parcel->offset > position)
                return (struct result){ .kind = RESULT_AHEAD, .parameter = "offset" };
        const uint64_t before = position - parcel->offset;
        *repeated = socket_has_boundaries(socket) || before >= parcel->size;
        *taken = *repeated ? parcel->size : (size_t)before;
        return DONE;
}

static ssize_t transmit(struct socket *socket, const struct parcel *parcel, size_t start)
{
        const struct passage *const to = parcel->to;
        /* The kernel only reads them. */
        struct iovec piece = { .iov_base = (void *)(uintptr_t)(parcel->bytes + start),
                .iov_len = parcel->size - start };
        const struct msghdr message = { .msg_iov = &piece,
                .msg_iovlen = 1,
                .msg_name = to == NULL ? NULL : (void *)(uintptr_t)&to->storage,
                .msg_namelen = to == NULL ? 0 : to->size };
        return tally_send(&socket->stored->sent, socket->fd, &message, send_flags(parcel->flags));
}

struct result send_parcel(struct socket *socket, const struct parcel *parcel, size_t *taken, bool *repeated)
{
        const char *const name = parcel->to == NULL ? "send" : "sendto";
        TRY(find_taken(socket, parcel, taken, repeated));
        if (*repeated)
                return DONE;
        const ssize_t sent = transmit(socket, parcel, *taken);
        if (sent < 0 && send_may_wait(errno, parcel->flags))
                return would_block(name);
        TRY(check(name, sent));
        *taken += (size_t)sent;
        return DONE;
}
