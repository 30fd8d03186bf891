/* test_tally.c: what the kernel counts, also for a process that is killed in the middle of it. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/sockets/tally.h"
#include "tests/unit/rows.h"

enum { KILLS = 200, PIECE = 700, MESSAGES_MOST = 5000, ADDED = 100000 };

/* What the victim shares with the test. */
struct shared {
        struct tally tally;
        uint8_t bytes[PIECE];
};

static const struct kind {
        const char *name;
        int type;
        bool receives, plain; /* plain: how much the last one took may not be known */
} kinds[] = {
        { "a stream received", SOCK_STREAM, .receives = true },
        { "datagrams received", SOCK_DGRAM, .receives = true },
        { "packets received", SOCK_SEQPACKET, .receives = true },
        { "a stream received, plain", SOCK_STREAM, .receives = true, .plain = true },
        { "datagrams received, plain", SOCK_DGRAM, .receives = true, .plain = true },
        { "packets received, plain", SOCK_SEQPACKET, .receives = true, .plain = true },
        { "a stream sent", .type = SOCK_STREAM },
        { "datagrams sent", .type = SOCK_DGRAM },
};

static struct shared *share(void)
{
        struct shared *const shared =
                mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(shared, MAP_FAILED);
        tally_begin(&shared->tally);
        return shared;
}

/* The victim: no end of its own. */
static _Noreturn void go_on(struct shared *shared, const struct kind *kind, int fd)
{
        for (;;) {
                struct iovec piece = { .iov_base = shared->bytes, .iov_len = PIECE };
                struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
                if (kind->plain)
                        tally_receive_plain(&shared->tally, fd, &message, 0);
                else if (kind->receives)
                        tally_receive(&shared->tally, fd, &message, 0);
                else
                        tally_send(&shared->tally, fd, &message, MSG_NOSIGNAL);
        }
}

/* Takes what is left at the other end, or gives more of it; in sizes that differ. */
static uint64_t exchange(const struct kind *kind, int fd, uint64_t *messages)
{
        static const uint8_t bytes[PIECE];
        uint8_t taken[PIECE];
        static size_t turn;
        const ssize_t done = kind->receives
                                     ? send(fd, bytes, 1 + ++turn * 37 % PIECE, MSG_DONTWAIT | MSG_NOSIGNAL)
                                     : recv(fd, taken, sizeof taken, MSG_DONTWAIT);
        *messages += done > 0;
        return done > 0 ? (uint64_t)done : 0;
}

/* One victim, killed a moment after it has begun to move something. Both ends must agree on how much it was.
 */
static void kill_one(const struct kind *kind, unsigned turn)
{
        int ends[2];
        struct shared *const shared = share();
        uint64_t bytes = 0, messages = 0;
        assert_int_equal(socketpair(AF_UNIX, kind->type, 0, ends), 0);
        const pid_t victim = fork();
        assert_true(victim >= 0);
        if (victim == 0)
                go_on(shared, kind, ends[0]);
        while (shared->tally.messages == 0 || messages < turn % 50)
                bytes += exchange(kind, ends[1], &messages);
        assert_int_equal(kill(victim, SIGKILL), 0);
        assert_int_equal(waitpid(victim, NULL, 0), victim);
        const bool unsure = tally_is_unsure(&shared->tally);
        tally_settle(&shared->tally);
        tally_settle(&shared->tally);
        if (kind->receives) {
                uint8_t left[PIECE];
                for (ssize_t size; (size = recv(ends[0], left, sizeof left, MSG_DONTWAIT)) > 0;) {
                        bytes -= (uint64_t)size;
                        messages--;
                }
        } else {
                for (uint64_t more = 1; more > 0; bytes += more)
                        more = exchange(kind, ends[1], &messages);
        }
        if (unsure)
                assert_true(shared->tally.bytes <= bytes && bytes - shared->tally.bytes < PIECE);
        else
                assert_int_equal(shared->tally.bytes, bytes);
        if (kind->type != SOCK_STREAM)
                assert_int_equal(shared->tally.messages, messages);
        close(ends[0]);
        close(ends[1]);
        munmap(shared, sizeof *shared);
}

static void loses_nothing_to_a_kill(void **state)
{
        const struct kind *const kind = *state;
        for (unsigned i = 0; i < KILLS; i++)
                kill_one(kind, i);
}

static void fills_the_message_in(void **state)
{
        struct tally tally = { 0 };
        uint8_t bytes[8], control[CMSG_SPACE(sizeof(struct ucred))];
        struct iovec piece = { .iov_base = bytes, .iov_len = sizeof bytes };
        struct msghdr message = {
                .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
        };
        int ends[2];
        const int yes = 1;
        (void)state;
        tally_begin(&tally);
        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
        assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes), 0);
        assert_int_equal(send(ends[1], "more than 8", 11, 0), 11);
        assert_int_equal(tally_receive(&tally, ends[0], &message, MSG_DONTWAIT | MSG_TRUNC), 11);
        assert_int_equal(message.msg_flags & MSG_TRUNC, MSG_TRUNC);
        const struct cmsghdr *const item = CMSG_FIRSTHDR(&message);
        assert_true(item != NULL && item->cmsg_type == SCM_CREDENTIALS);
        assert_memory_equal(bytes, "more tha", 8);
        assert_int_equal(tally_receive(&tally, ends[0], &message, MSG_DONTWAIT), -1);
        assert_int_equal(errno, EAGAIN);
        tally_settle(&tally);
        assert_int_equal(tally.bytes, 11);
        assert_int_equal(tally.messages, 1);
        close(ends[0]);
        close(ends[1]);
}

/* Others may add to the count while the kernel does. */
static void *add_often(void *context)
{
        for (int i = 0; i < ADDED; i++)
                tally_add(context, 1);
        return NULL;
}

static void counts_what_others_add(void **state)
{
        struct tally tally = { 0 };
        struct iovec piece = { .iov_base = "x", .iov_len = 1 };
        const struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
        uint8_t taken[64];
        pthread_t other;
        int ends[2];
        (void)state;
        tally_begin(&tally);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        assert_int_equal(pthread_create(&other, NULL, add_often, &tally), 0);
        uint64_t sent = 0;
        while (tally.bytes < ADDED || sent < ADDED / 10) {
                sent += tally_send(&tally, ends[0], &message, MSG_DONTWAIT) == 1;
                recv(ends[1], taken, sizeof taken, MSG_DONTWAIT);
        }
        assert_int_equal(pthread_join(other, NULL), 0);
        assert_int_equal(tally.bytes, ADDED + sent);
        assert_int_equal(tally.messages, ADDED + sent);
        close(ends[0]);
        close(ends[1]);
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        ROWS_ADD(&all, loses_nothing_to_a_kill, kinds);
        rows_add_one(&all, "the message is filled in", fills_the_message_in);
        rows_add_one(&all, "others add meanwhile", counts_what_others_add);
        return rows_run("tally", &all);
}
