/* test_inbox_restore.c: what a later process makes of what was kept: after a kill anywhere, and of damage. */
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "daemon/sockets/store.h"
#include "tests/unit/inbox.h"

/* The victim: it receives, and acknowledges what is more than a few. No end of its own. */
static _Noreturn void go_on(struct socket *socket, unsigned turn)
{
        uint8_t bytes[LONGEST];
        for (;;) {
                const uint64_t next = socket_position(socket, DIRECTION_RECEIVE);
                const uint64_t kept = socket_has_boundaries(socket) ? turn % 5 : turn * 97 % 3000;
                struct retained retained;
                size_t used;
                if (next > kept)
                        inbox_forget(socket, next - kept);
                if (socket_has_boundaries(socket))
                        retained_message(socket, POSITION_NONE, LONGEST, 0, &retained);
                else
                        retained_bytes(
                                socket, POSITION_NONE, bytes, 1 + (size_t)turn * 61 % sizeof bytes, 0, &used);
        }
}

/* What the later process makes of it. */
static struct socket *restore(const struct scene *scene)
{
        static struct store_image *image; /* opened once: that takes longer than all else */
        const char *reason;
        if (image == NULL)
                image = store_image_open(store_fd(), &reason);
        assert_non_null(image);
        struct socket *const socket = socket_new(dup(scene->socket->fd), AF_UNIX, scene->socket->type, 0);
        assert_non_null(socket);
        assert_true(inbox_restore(socket, image, scene->socket->stored));
        return socket;
}

/* What was kept is there, and the kernel goes on right behind it. */
static void check_restored(struct scene *scene)
{
        struct socket *const socket = restore(scene);
        const uint64_t base = inbox_base(socket);
        check_kept(socket, EACH);
        assert_true(base <= inbox_cursor(socket));
        inbox_forget(socket, socket_position(socket, DIRECTION_RECEIVE));
        uint64_t next = socket_position(socket, DIRECTION_RECEIVE);
        for (struct result result = { 0 }; result.kind == RESULT_DONE;) {
                uint8_t bytes[LONGEST];
                struct retained retained;
                size_t used = 0;
                result = socket_has_boundaries(socket)
                                 ? retained_message(socket, POSITION_NONE, LONGEST, 0, &retained)
                                 : retained_bytes(socket, POSITION_NONE, bytes, sizeof bytes, 0, &used);
                check_kept(socket, EACH);
                next = socket_position(socket, DIRECTION_RECEIVE);
                inbox_forget(socket, next);
        }
        assert_int_equal(next, scene->sent);
        socket_release(socket);
}

static const struct kind {
        const char *name;
        int type;
} kinds[] = {
        { "a stream", SOCK_STREAM },
        { "datagrams", SOCK_DGRAM },
        { "packets", SOCK_SEQPACKET },
};

enum { KILLS = 50 };

static void kill_one(const struct kind *kind, unsigned turn)
{
        struct scene scene;
        uint8_t *tail;
        scene_set(&scene, kind->type, RETAIN);
        /* What is allocated is only known to the process that does it. */
        assert_int_equal(inbox_make_room(scene.socket, 1, &tail).kind, RESULT_DONE);
        const pid_t victim = fork();
        assert_true(victim >= 0);
        if (victim == 0)
                go_on(scene.socket, turn);
        const struct tally *const received = &scene.socket->stored->received;
        for (unsigned i = 0; received->messages == 0 || i < turn * 3; i++)
                if (!feed(&scene, length_of(scene.sent) + !socket_has_boundaries(scene.socket)))
                        sched_yield();
        assert_int_equal(kill(victim, SIGKILL), 0);
        assert_int_equal(waitpid(victim, NULL, 0), victim);
        check_restored(&scene);
        scene_clean(&scene);
}

static void loses_nothing_to_a_kill(void **state)
{
        for (unsigned turn = 0; turn < KILLS; turn++)
                kill_one(*state, turn);
}

/* One more of these would be beyond the extent's end: what is kept is moved for it. */
static void fill_to_the_end(struct scene *scene, size_t size)
{
        const struct inbox *const inbox = &scene->socket->stored->inbox;
        for (size_t end = 0; end + size + sizeof(struct kept) <= 2 * RETAIN;) {
                struct receipt receipt;
                const uint64_t next = socket_position(scene->socket, DIRECTION_RECEIVE);
                const uint64_t kept = socket_has_boundaries(scene->socket) ? 2 : 2 * size;
                assert_true(feed(scene, size));
                assert_int_equal(
                        receive_at(scene->socket, POSITION_NONE, size, 0, &receipt).kind, RESULT_DONE);
                free(receipt.bytes);
                if (next > kept)
                        inbox_forget(scene->socket, next - kept);
                const struct inbox_place *const place = &inbox->places[inbox->current & 1];
                end = place->start + (scene->socket->kept.size > 0 ? scene->socket->kept.size
                                                                   : (size_t)(next + size - place->base));
        }
}

/* The exit status where the host allows no tracing. */
enum { UNTRACEABLE = 77 };

/* Receives, and acknowledges. */
static _Noreturn void be_traced(struct socket *socket, size_t size)
{
        uint8_t bytes[LONGEST];
        struct retained retained;
        size_t used;
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
                _exit(UNTRACEABLE);
        raise(SIGSTOP);
        if (socket_has_boundaries(socket))
                retained_message(socket, POSITION_NONE, size, 0, &retained);
        else
                retained_bytes(socket, POSITION_NONE, bytes, size, 0, &used);
        inbox_forget(socket, socket_position(socket, DIRECTION_RECEIVE) - 1);
        _exit(0);
}

/* Were it killed now, nothing would be missing. Returns the position that a later process finds. */
static uint64_t check_now(const struct scene *scene, size_t size)
{
        int queued = 0;
        struct socket *const socket = restore(scene);
        const uint64_t next = socket_position(socket, DIRECTION_RECEIVE);
        check_kept(socket, size);
        if (!socket_has_boundaries(socket)) {
                assert_int_equal(ioctl(socket->fd, SIOCINQ, &queued), 0);
                assert_int_equal(next + (uint64_t)queued, scene->sent);
        }
        socket_release(socket);
        return next;
}

/* Instruction by instruction: a kill leaves what stands in the memory between two of them. */
static void is_whole_at_every_step(void **state)
{
        enum { SIZE = 24 };
        const struct kind *const kind = *state;
        struct scene scene;
        int status;
        scene_set(&scene, kind->type, RETAIN);
        fill_to_the_end(&scene, SIZE);
        assert_true(feed(&scene, SIZE));
        const uint64_t before = socket_position(scene.socket, DIRECTION_RECEIVE);
        const pid_t victim = fork();
        assert_true(victim >= 0);
        if (victim == 0)
                be_traced(scene.socket, SIZE);
        uint64_t next = before;
        while (waitpid(victim, &status, 0) == victim && WIFSTOPPED(status)) {
                const uint64_t now = check_now(&scene, SIZE);
                assert_true(now >= next);
                next = now;
                assert_int_equal(ptrace(PTRACE_SINGLESTEP, victim, NULL, NULL), 0);
        }
        assert_true(WIFEXITED(status));
        const bool traced = WEXITSTATUS(status) != UNTRACEABLE;
        if (traced)
                assert_int_equal(next, scene.sent);
        scene_clean(&scene);
        if (!traced)
                skip();
}

/* What the kernel has written, and nobody noted: as a kill right behind the call leaves it. */
static void finishes_what_the_kernel_wrote(void **state)
{
        const struct kind *const kind = *state;
        struct scene scene;
        uint8_t *tail, scratch[16];
        scene_set(&scene, kind->type, RETAIN);
        assert_int_equal(inbox_make_room(scene.socket, 64, &tail).kind, RESULT_DONE);
        struct kept *const kept = (void *)tail;
        *kept = (struct kept){ .size = 16 };
        uint8_t *const to = socket_has_boundaries(scene.socket) ? tail + sizeof *kept : tail;
        struct iovec piece = { .iov_base = to, .iov_len = sizeof scratch };
        const struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
        assert_true(feed(&scene, 5));
        assert_int_equal(
                tally_receive_first(&scene.socket->stored->received, scene.socket->fd, &message, 0), 5);
        assert_int_equal(socket_position(scene.socket, DIRECTION_RECEIVE), 0);
        struct socket *const restored = restore(&scene);
        assert_int_equal(socket_position(restored, DIRECTION_RECEIVE), scene.sent);
        assert_int_equal(restored->unread, 5);
        assert_int_equal(inbox_cursor(restored), 0);
        check_kept(restored, 5);
        socket_release(restored);
        scene_clean(&scene);
}

static void keeps_errors(void **state)
{
        (void)state;
        struct ends ends;
        assert_true(ends_open(&ends, AF_INET, SOCK_DGRAM));
        struct socket *const socket = socket_new(ends.one, AF_INET, SOCK_DGRAM, 0);
        struct scene scene = { .socket = socket, .peer = -1 };
        struct retained retained;
        assert_int_equal(inbox_retain(socket, RETAIN).kind, RESULT_DONE);
        end_close(&ends.other);
        assert_int_equal(send(ends.one, "x", 1, 0), 1);
        assert_true(end_await(ends.one, POLLERR));
        for (int i = 0; i < 2; i++)
                assert_int_equal(retained_message(socket, 0, 10, 0, &retained).error, ECONNREFUSED);
        struct socket *const restored = restore(&scene);
        assert_int_equal(retained_message(restored, 0, 10, 0, &retained).error, ECONNREFUSED);
        assert_int_equal(retained.next, 1);
        socket_release(restored);
        socket_release(socket);
}

/* Gathered bytes of a socket that does not retain outlive the process too, and begin what is retained. */
static void what_was_gathered_is_kept(void **state)
{
        (void)state;
        struct scene scene;
        struct receipt receipt;
        struct goal goal = { .bytes = 9000, .limit = 9000 };
        scene_set(&scene, SOCK_STREAM, 0);
        assert_true(feed(&scene, 6000));
        assert_int_equal(receive_until(scene.socket, &goal, 0, &receipt).kind, RESULT_WAIT);
        struct socket *const restored = restore(&scene);
        assert_int_equal(restored->unread, 6000);
        assert_false(inbox_retains(restored));
        check_kept(restored, EACH);
        assert_int_equal(receive_once(restored, 100, 0, &receipt).kind, RESULT_DONE);
        free(receipt.bytes);
        assert_int_equal(inbox_base(restored), 100);
        assert_int_equal(inbox_retain(restored, RETAIN).kind, RESULT_DONE);
        assert_int_equal(restored->stored->inbox.retain, 5900); /* what is there is not lost */
        assert_int_equal(inbox_free(restored), 0);
        check_kept(restored, EACH);
        inbox_forget(restored, 6000);
        assert_int_equal(inbox_free(restored), 5900);
        socket_release(restored);
        scene_clean(&scene);
}

/* Each makes something of the stored memory that never was there. */
static struct inbox_place *place_of(struct stored_socket *stored)
{
        return &stored->inbox.places[stored->inbox.current & 1];
}

static struct kept *first_of(struct stored_socket *stored)
{
        return (void *)(store_bytes(place_of(stored)->extent) + place_of(stored)->start);
}

static void break_extent(struct stored_socket *stored)
{
        place_of(stored)->extent = 12345;
}
static void break_extent_far(struct stored_socket *stored)
{
        place_of(stored)->extent = UINT64_MAX - 4095;
}
static void break_start(struct stored_socket *stored)
{
        place_of(stored)->start = 2 * RETAIN - 1;
}
static void break_start_far(struct stored_socket *stored)
{
        place_of(stored)->start = UINT64_MAX - 3;
}
static void break_base(struct stored_socket *stored)
{
        place_of(stored)->base = UINT64_MAX;
}
static void break_next(struct stored_socket *stored)
{
        stored->received.bytes = stored->received.messages = UINT64_MAX;
}
static void break_cursor(struct stored_socket *stored)
{
        stored->inbox.cursor = 1 << 20;
}
static void break_retain(struct stored_socket *stored)
{
        stored->inbox.retain = 1;
}
static void break_retain_far(struct stored_socket *stored)
{
        stored->inbox.retain = UINT64_MAX / 2;
}
static void break_error(struct stored_socket *stored)
{
        stored->inbox.error = -1;
}
static void break_size(struct stored_socket *stored)
{
        first_of(stored)->size = UINT32_MAX;
}
static void break_size_a_little(struct stored_socket *stored)
{
        first_of(stored)->size = 2 * RETAIN;
}
static void break_name(struct stored_socket *stored)
{
        first_of(stored)->name_size = 8;
}
static void break_name_room(struct stored_socket *stored)
{
        first_of(stored)->name_room = 136;
}
static void break_control(struct stored_socket *stored)
{
        first_of(stored)->control_size = 1;
}
static void break_control_room(struct stored_socket *stored)
{
        first_of(stored)->control_room = 4;
}
static void break_alignment(struct stored_socket *stored)
{
        place_of(stored)->start += 4;
}
static void forge_descriptors(struct stored_socket *stored)
{
        struct kept *const kept = first_of(stored);
        const struct cmsghdr header = {
                .cmsg_len = CMSG_LEN(4), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS
        };
        kept->control_room = kept->control_size = (uint32_t)CMSG_SPACE(4);
        kept->size -= kept->control_room;
        memcpy(kept + 1, &header, sizeof header);
}

static const struct damage {
        const char *name;
        int type;
        void (*make)(struct stored_socket *stored);
} damages[] = {
        { "an extent that is none", SOCK_STREAM, break_extent },
        { "an extent beyond the memory", SOCK_STREAM, break_extent_far },
        { "a start near the end", SOCK_STREAM, break_start },
        { "a start beyond all", SOCK_STREAM, break_start_far },
        { "a base beyond all", SOCK_STREAM, break_base },
        { "a position beyond all", SOCK_STREAM, break_next },
        { "a cursor that was never reached", SOCK_STREAM, break_cursor },
        { "more than is retained", SOCK_STREAM, break_retain },
        { "more to retain than there can be", SOCK_STREAM, break_retain_far },
        { "an errno that is none", SOCK_STREAM, break_error },
        { "messages, an extent that is none", SOCK_DGRAM, break_extent },
        { "messages, a position beyond all", SOCK_DGRAM, break_next },
        { "messages, a base beyond all", SOCK_DGRAM, break_base },
        { "messages, a start in the middle", SOCK_DGRAM, break_alignment },
        { "a message of 4 GiB", SOCK_DGRAM, break_size },
        { "a message that is longer than all", SOCK_DGRAM, break_size_a_little },
        { "a name without room", SOCK_DGRAM, break_name },
        { "a name with too much room", SOCK_DGRAM, break_name_room },
        { "ancillary data without room", SOCK_DGRAM, break_control },
        { "ancillary data in odd room", SOCK_DGRAM, break_control_room },
        { "descriptors", SOCK_DGRAM, forge_descriptors },
};

static void refuses_what_is_damaged(void **state)
{
        const struct damage *const damage = *state;
        struct scene scene;
        struct receipt receipt;
        const char *reason;
        scene_set(&scene, damage->type, RETAIN);
        for (int i = 0; i < 3; i++) {
                assert_true(feed(&scene, 500));
                assert_int_equal(
                        receive_at(scene.socket, POSITION_NONE, 1000, 0, &receipt).kind, RESULT_DONE);
                free(receipt.bytes);
        }
        struct store_image *const image = store_image_open(store_fd(), &reason);
        const struct stored_socket sound = *scene.socket->stored;
        damage->make(scene.socket->stored);
        struct socket *const restored = socket_new(dup(scene.socket->fd), AF_UNIX, damage->type, 0);
        assert_false(inbox_restore(restored, image, scene.socket->stored));
        assert_int_equal(restored->unread, 0);
        assert_int_equal(inbox_base(restored), socket_position(restored, DIRECTION_RECEIVE));
        socket_release(restored);
        store_image_close(image);
        *scene.socket->stored = sound;
        scene_clean(&scene);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, loses_nothing_to_a_kill, kinds);
        ROWS_ADD(&all, is_whole_at_every_step, kinds);
        ROWS_ADD(&all, finishes_what_the_kernel_wrote, kinds);
        rows_add_one(&all, "keeps errors", keeps_errors);
        rows_add_one(&all, "what was gathered is kept", what_was_gathered_is_kept);
        ROWS_ADD(&all, refuses_what_is_damaged, damages);
        return rows_run("inbox restore", &all);
}
