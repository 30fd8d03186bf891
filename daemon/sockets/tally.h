/* tally.h: how much of one direction the kernel gave or took, counted by the kernel itself. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Stands in stored memory. A daemon that is killed between a system call and its noting must not lose count,
 * so the kernel notes: recvmmsg(2) and sendmmsg(2) write msg_len into `header` as the last part of the same
 * call, and a call that has begun is finished by the kernel even when the process is killed in it.
 *
 * Order of the writes: `header.msg_len` says "not yet"; `bytes_before` and `messages_before` are what was
 * counted so far; the call; `bytes` and `messages`; "not yet" again. Killed anywhere, what tally_settle()
 * makes of it is what the kernel did.
 *
 * One call at a time: under the lane's turn. The two counts are read by any thread, and any may add to them;
 * a kill may lose what a reactor added during a call. */
struct tally {
        _Atomic uint64_t bytes, messages;
        uint64_t bytes_before, messages_before;
        struct mmsghdr header;
};

/* Both once for each tally, before anything is counted: the second one of what an earlier process left. */
void tally_begin(struct tally *tally);
void tally_settle(struct tally *tally);

/* Whether the kernel has written what was not counted yet; or only that there is something, as of a plain
 * receive. */
bool tally_is_unsettled(const struct tally *tally);
bool tally_is_unsure(const struct tally *tally);

/* Counts what another call gave or took, which a kill in between leaves out. */
void tally_add(struct tally *tally, uint64_t bytes);

/* recvmsg(2) and sendmsg(2) of one message, counted so; `message` is filled in as by them. Only for flags
 * that take, or send, what is to be counted. recvmmsg(2) differs in one thing: an error that waits on the
 * socket comes before the bytes that came ahead of it. */
ssize_t tally_receive(struct tally *tally, int fd, struct msghdr *message, int flags);

/* The same, but for the last step: once the caller has noted what `header` says, tally_settle() counts it. */
ssize_t tally_receive_first(struct tally *tally, int fd, const struct msghdr *message, int flags);

/* recvmsg(2) itself, for what is not kept: no error comes before its time. The kernel writes msg_flags, so
 * that it took something but not how much outlives a kill: one message then counts, and one byte. What is
 * empty is not counted: the end of a stream, or a message that the caller is to add. */
ssize_t tally_receive_plain(struct tally *tally, int fd, struct msghdr *message, int flags);

ssize_t tally_send(struct tally *tally, int fd, const struct msghdr *message, int flags);
