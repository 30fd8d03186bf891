/* parcel.c: many descriptors in one: a unix socket in whose queue they stand as SCM_RIGHTS.
 *
 * A message has at most FDS_MAX descriptors, and their numbers as its bytes. The queue is of messages, and
 * the kernel's SO_PEEK_OFF lets one look through it without taking anything out. */
#include "daemon/sockets/parcel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/sockets/cleanup.h"

/* SCM_MAX_FD, which the kernel tells nobody. */
enum { FDS_MAX = 253, QUEUE_SIZE = 1 << 20 };

/* One message as it travels. */
struct sheet {
        uint64_t numbers[FDS_MAX];
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

bool parcel_items_add(struct parcel_items *list, uint64_t number, int fd)
{
        if (list->count == list->capacity) {
                const size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
                struct parcel_item *const items = realloc(list->items, capacity * sizeof *items);
                if (items == NULL)
                        return false;
                list->items = items;
                list->capacity = capacity;
        }
        list->items[list->count++] = (struct parcel_item){ .number = number, .fd = fd };
        return true;
}

/* seccomp: sendmsg */
static bool send_sheet(int fd, const struct parcel_item *items, size_t count)
{
        struct sheet sheet;
        struct iovec bytes = { .iov_base = sheet.numbers, .iov_len = count * sizeof *sheet.numbers };
        const struct msghdr message = { .msg_iov = &bytes,
                .msg_iovlen = 1,
                .msg_control = sheet.control,
                .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
        struct cmsghdr *const header = (struct cmsghdr *)(void *)sheet.control;
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        for (size_t i = 0; i < count; i++) {
                sheet.numbers[i] = items[i].number;
                memcpy(CMSG_DATA(header) + i * sizeof(int), &items[i].fd, sizeof(int));
        }
        return sendmsg(fd, &message, MSG_NOSIGNAL) >= 0;
}

/* seccomp: socketpair setsockopt close */
int parcel_pack(const struct parcel_items *list, size_t *next)
{
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
                return -1;
        fd_auto int parcel = ends[0];
        fd_auto const int entry = ends[1];
        const size_t first = *next;
        /* As large as the kernel lets it be. */
        setsockopt(entry, SOL_SOCKET, SO_SNDBUF, &(int){ QUEUE_SIZE }, sizeof(int));
        while (*next < list->count) {
                const size_t left = list->count - *next, count = left < FDS_MAX ? left : FDS_MAX;
                if (!send_sheet(entry, &list->items[*next], count))
                        break;
                *next += count;
        }
        return *next > first ? take_fd(&parcel) : -1;
}

/* The next message's. 0: there is none; -1 with errno set. seccomp: recvmsg */
static ssize_t read_sheet(int parcel, struct parcel_items *list)
{
        struct sheet sheet = { .numbers = { 0 } };
        struct iovec bytes = { .iov_base = sheet.numbers, .iov_len = sizeof sheet.numbers };
        struct msghdr message = { .msg_iov = &bytes,
                .msg_iovlen = 1,
                .msg_control = sheet.control,
                .msg_controllen = sizeof sheet.control };
        const ssize_t size = recvmsg(parcel, &message, MSG_PEEK | MSG_CMSG_CLOEXEC);
        const struct cmsghdr *const header = size <= 0 ? NULL : CMSG_FIRSTHDR(&message);
        if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
                return size <= 0 ? size : 0;
        const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        bool has_all = count * sizeof *sheet.numbers == (size_t)size && (message.msg_flags & MSG_CTRUNC) == 0;
        for (size_t i = 0; i < count; i++) {
                int fd;
                memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
                if (!parcel_items_add(list, sheet.numbers[i], fd)) {
                        close(fd);
                        has_all = false;
                }
        }
        /* No descriptor is left, most likely. */
        errno = EMFILE;
        return has_all ? size : -1;
}

bool parcel_look(int parcel, struct parcel_items *list)
{
        ssize_t size;
        if (setsockopt(parcel, SOL_SOCKET, SO_PEEK_OFF, &(int){ 0 }, sizeof(int)) != 0)
                return false;
        do
                size = read_sheet(parcel, list);
        while (size > 0);
        return size == 0;
}
