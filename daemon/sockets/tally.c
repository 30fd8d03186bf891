/* tally.c: how much of one direction the kernel gave or took, counted by the kernel itself. */
#include "daemon/sockets/tally.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

/* No message is as long: the kernel has not said how long one is, or is not asked to. */
static const unsigned NOT_YET = UINT32_MAX, NOT_ASKED = UINT32_MAX - 1;

/* No message has all flags. */
static const int UNTOUCHED = -1;

/* The compiler must not move what stands before or behind it past it: another process may read what a kill
 * left. The processor may: what a thread has done by then is seen by whoever comes after it. */
static void set_length(struct tally *tally, unsigned length)
{
        atomic_signal_fence(memory_order_seq_cst);
        __atomic_store_n(&tally->header.msg_len, length, __ATOMIC_RELAXED);
        atomic_signal_fence(memory_order_seq_cst);
}

void tally_begin(struct tally *tally)
{
        set_length(tally, NOT_YET);
}

bool tally_is_unsettled(const struct tally *tally)
{
        return tally->header.msg_len < NOT_ASKED;
}

bool tally_is_unsure(const struct tally *tally)
{
        return tally->header.msg_len == NOT_ASKED && tally->header.msg_hdr.msg_flags != UNTOUCHED;
}

void tally_settle(struct tally *tally)
{
        if (tally_is_unsure(tally))
                set_length(tally, 1);
        if (!tally_is_unsettled(tally))
                return;
        tally->bytes = tally->bytes_before + tally->header.msg_len;
        tally->messages = tally->messages_before + 1;
        set_length(tally, NOT_YET);
}

void tally_add(struct tally *tally, uint64_t bytes)
{
        atomic_fetch_add_explicit(&tally->bytes, bytes, memory_order_relaxed);
        atomic_fetch_add_explicit(&tally->messages, 1, memory_order_relaxed);
}

/* Others may have added meanwhile. */
static void note(struct tally *tally)
{
        tally_add(tally, tally->header.msg_len);
        set_length(tally, NOT_YET);
}

static void prepare(struct tally *tally, const struct msghdr *message)
{
        set_length(tally, NOT_YET);
        tally->header.msg_hdr = *message;
        tally->bytes_before = tally->bytes;
        tally->messages_before = tally->messages;
}

/* seccomp: recvmmsg */
ssize_t tally_receive_first(struct tally *tally, int fd, const struct msghdr *message, int flags)
{
        prepare(tally, message);
        const long received = TEMP_FAILURE_RETRY(recvmmsg(fd, &tally->header, 1, flags, NULL));
        return received < 0 ? -1 : (ssize_t)tally->header.msg_len;
}

ssize_t tally_receive(struct tally *tally, int fd, struct msghdr *message, int flags)
{
        const ssize_t length = tally_receive_first(tally, fd, message, flags);
        if (length < 0)
                return -1;
        *message = tally->header.msg_hdr;
        note(tally);
        return length;
}

/* seccomp: recvmsg */
ssize_t tally_receive_plain(struct tally *tally, int fd, struct msghdr *message, int flags)
{
        prepare(tally, message);
        tally->header.msg_hdr.msg_flags = UNTOUCHED;
        set_length(tally, NOT_ASKED);
        const ssize_t length = TEMP_FAILURE_RETRY(recvmsg(fd, &tally->header.msg_hdr, flags));
        set_length(tally, length > 0 ? (unsigned)length : NOT_YET);
        if (length >= 0)
                *message = tally->header.msg_hdr;
        if (length > 0)
                note(tally);
        return length;
}

/* seccomp: sendmmsg */
ssize_t tally_send(struct tally *tally, int fd, const struct msghdr *message, int flags)
{
        prepare(tally, message);
        if (TEMP_FAILURE_RETRY(sendmmsg(fd, &tally->header, 1, flags)) < 0)
                return -1;
        const ssize_t length = (ssize_t)tally->header.msg_len;
        note(tally);
        return length;
}
