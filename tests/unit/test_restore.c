/* test_restore.c: what is live in the stored memory comes back as it was, and what a kill has left half done
 * is settled. */
#include "daemon/sockets/restore.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/policy.h"
#include "daemon/sockets/waiter.h"
#include "tests/unit/judge.h"

enum { LIMIT = 100, LONG_MS = 60000, NS_PER_MS = 1000000 };

/* An earlier daemon and a later one, which share one stored memory here, as a daemon and its image do not. */
struct scene {
        struct accounts *accounts;
        struct waiter *waiter;
        struct registry *earlier, *later;
        struct sessions *earlier_sessions, *later_sessions;
        struct guard guard;
        struct parcel_items list;
        struct restore restored;
};

static void open_scene(struct scene *scene)
{
        const struct limits none = { .requests_per_s = 0 };
        *scene = (struct scene){ .guard = { .lock = PTHREAD_MUTEX_INITIALIZER } };
        scene->accounts = accounts_new(&none, &none);
        scene->waiter = waiter_new(64);
        scene->earlier = registry_new(LIMIT);
        scene->later = registry_new(LIMIT);
        scene->earlier_sessions = sessions_new(scene->earlier, scene->waiter, NULL);
        scene->later_sessions = sessions_new(scene->later, scene->waiter, NULL);
        assert_non_null(scene->accounts);
        assert_non_null(scene->later_sessions);
}

static void close_scene(struct scene *scene)
{
        sessions_free(scene->earlier_sessions);
        sessions_free(scene->later_sessions);
        registry_free(scene->earlier);
        registry_free(scene->later);
        waiter_free(scene->waiter);
        guard_clear(&scene->guard);
        accounts_free(scene->accounts);
        free(scene->list.items);
}
#define scene_auto __attribute__((cleanup(close_scene)))

/* As the holder and the next daemon do it: by way of parcels. */
static void take_over(struct scene *scene)
{
        const char *reason;
        struct parcel_items packed = { .count = 0 };
        struct store_image *const image = store_image_open(store_fd(), &reason);
        assert_non_null(image);
        assert_true(restore_gather(image, &packed));
        for (size_t next = 0; next < packed.count;) {
                fd_auto const int parcel = parcel_pack(&packed, &next);
                assert_true(parcel_look(parcel, &scene->list));
        }
        assert_int_equal(scene->list.count, packed.count);
        free(packed.items);
        scene->restored = (struct restore){ .registry = scene->later,
                .sessions = scene->later_sessions,
                .accounts = scene->accounts,
                .guard = &scene->guard };
        assert_true(restore_run(&scene->restored, image, &scene->list));
        store_image_close(image);
}

static struct socket *publish(
        struct scene *scene, int fd, int family, struct account *owner, struct session *session)
{
        struct socket *const socket = socket_new(fd, family, SOCK_STREAM, 0);
        assert_non_null(socket);
        socket->owner = owner;
        socket->session = session == NULL ? NULL : session_reference(session);
        assert_int_equal(registry_reserve(scene->earlier, owner, 1).kind, RESULT_DONE);
        assert_true(registry_publish(scene->earlier, socket));
        return socket;
}

static struct session *add_session(struct scene *scene, struct account *owner)
{
        struct session *session = NULL;
        assert_int_equal(
                sessions_add(scene->earlier_sessions, owner, LONG_MS, "job", 0, &session).kind, RESULT_DONE);
        return session;
}

static void comes_back_as_it_was(void **state)
{
        (void)state;
        struct scene scene scene_auto;
        open_scene(&scene);
        struct account *const owner = accounts_find(scene.accounts, "ci");
        struct session *session session_auto = add_session(&scene, owner);
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        struct socket *one socket_auto = publish(&scene, ends[0], AF_UNIX, owner, session);
        struct socket *other socket_auto = publish(&scene, ends[1], AF_UNIX, NULL, NULL);
        strcpy(one->stored->label, "left");
        one->stored->shared = true;
        one->stored->claimed = true;
        tally_add(&one->stored->received, 100);
        tally_add(&one->stored->sent, 7);
        assert_int_equal(send(ends[1], "bytes", 5, 0), 5);

        const int64_t before = now_ns();
        take_over(&scene);
        assert_int_equal(scene.restored.socket_count, 2);
        assert_int_equal(scene.restored.session_count, 1);
        assert_int_equal(scene.restored.ended + scene.restored.missing + scene.restored.unknown, 0);
        struct socket *back socket_auto = registry_find_number(scene.later, one->number);
        struct session *again session_auto = sessions_find(scene.later_sessions, session->number);
        assert_non_null(back);
        assert_non_null(again);
        assert_int_equal(back->family, AF_UNIX);
        assert_int_equal(back->type, SOCK_STREAM);
        assert_ptr_equal(back->owner, owner);
        assert_ptr_equal(back->session, again);
        assert_int_equal(again->sockets, 1);
        assert_string_equal(again->label, "job");
        const struct lease lease = session_lease(scene.later_sessions, again);
        assert_int_equal(lease.ttl_ms, LONG_MS);
        /* Nobody could renew it meanwhile. */
        assert_true(lease.deadline_ns >= before + (int64_t)LONG_MS * NS_PER_MS);
        assert_string_equal(back->stored->label, "left");
        assert_true(back->stored->shared && back->stored->claimed);
        assert_memory_equal(&back->stored->created, &one->stored->created, sizeof back->stored->created);
        assert_int_equal(back->stored->received.bytes, 100);
        assert_int_equal(registry_traffic(scene.later).received_bytes, 0);
        tally_add(&back->stored->received, 3);
        assert_int_equal(registry_traffic(scene.later).received_bytes, 3);
        assert_int_equal(back->stored->sent.bytes, 7);
        assert_int_equal(back->stored->sent.messages, 1);
        assert_int_equal(owner->used[RESOURCE_SOCKETS], 2); /* the earlier one's too */
        char bytes[8];
        assert_int_equal(recv(back->fd, bytes, sizeof bytes, 0), 5);
        struct socket *listed[2];
        assert_int_equal(registry_list(scene.later, 0, listed, 2), 2);
        assert_ptr_equal(listed[0], back);
        assert_int_equal(listed[1]->number, other->number);
        assert_null(listed[1]->owner);
        socket_release(listed[0]);
        socket_release(listed[1]);
}

/* A session whose end has begun takes its sockets along. */
static void ends_what_was_about_to_end(void **state)
{
        (void)state;
        struct scene scene scene_auto;
        open_scene(&scene);
        struct session *session session_auto = add_session(&scene, NULL);
        struct socket *one socket_auto =
                publish(&scene, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), AF_UNIX, NULL, session);
        session->stored->number = 0;
        take_over(&scene);
        assert_int_equal(scene.restored.ended, 1);
        assert_int_equal(registry_count(scene.later), 0);
}

/* A record whose descriptor is gone, or is another socket by now, and a descriptor that has no record. */
static void drops_what_does_not_match(void **state)
{
        (void)state;
        struct scene scene scene_auto;
        open_scene(&scene);
        struct socket *gone socket_auto =
                publish(&scene, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), AF_UNIX, NULL, NULL);
        gone->stored->cookie++;
        fd_auto const int stranger = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(parcel_items_add(&scene.list, 999, fcntl(stranger, F_DUPFD_CLOEXEC, 0)));
        const char *reason;
        struct store_image *const image = store_image_open(store_fd(), &reason);
        struct parcel_items found = { .count = 0 };
        assert_true(restore_gather(image, &found));
        assert_int_equal(found.count, 0);
        scene.restored = (struct restore){ .registry = scene.later,
                .sessions = scene.later_sessions,
                .accounts = scene.accounts,
                .guard = &scene.guard };
        assert_true(restore_run(&scene.restored, image, &scene.list));
        store_image_close(image);
        assert_int_equal(scene.restored.missing, 1);
        assert_int_equal(scene.restored.unknown, 1);
        assert_int_equal(registry_count(scene.later), 0);
}

/* A connection that accept(2) has given, and nobody has noted. */
static const struct accepting {
        const char *name, *address; /* of address_parse() */
        const char *policy;         /* NULL: none */
        bool accepted;              /* the kill came after the call */
        bool welcome;
} acceptings[] = {
        { "IPv4", "127.0.0.1:0", NULL, true, true },
        { "IPv4, any address", "0.0.0.0:0", NULL, true, true },
        { "IPv6", "[::1]:0", NULL, true, true },
        { "IPv4 on IPv6", "[::]:0", NULL, true, true },
        { "unix", "unix:", NULL, true, true },
        { "killed before the call", "127.0.0.1:0", NULL, false, false },
        { "unix, killed before the call", "unix:", NULL, false, false },
        { "denied by the policy", "127.0.0.1:0", "{'rules':[{'name':'no','deny':['accept']}]}", true, false },
};

static int connect_to(const struct address *address)
{
        struct address to = *address;
        struct sockaddr_in6 *const six = (struct sockaddr_in6 *)&to.storage;
        if (to.storage.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr)) {
                struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = six->sin6_port };
                four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                memcpy(&to.storage, &four, sizeof four);
                to.size = sizeof four;
        }
        const int fd = socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (const struct sockaddr *)&to.storage, to.size), 0);
        return fd;
}

static int listen_on(const char *text, struct address *local)
{
        struct address address;
        assert_int_equal(address_parse(text, &address).kind, RESULT_DONE);
        const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (const struct sockaddr *)&address.storage, address.size), 0);
        assert_int_equal(listen(fd, 8), 0);
        *local = (struct address){ .size = sizeof local->storage };
        assert_int_equal(getsockname(fd, (struct sockaddr *)&local->storage, &local->size), 0);
        return fd;
}

static void finds_what_was_accepted(void **state)
{
        const struct accepting *const row = *state;
        struct scene scene scene_auto;
        struct address local, peer;
        open_scene(&scene);
        if (row->policy != NULL) {
                struct problem problem;
                struct policy *const policy = policy_written(row->policy, &problem);
                if (policy == NULL)
                        fail_msg("%s", problem.detail);
                guard_set_policy(&scene.guard, policy);
        }
        struct account *const owner = accounts_find(scene.accounts, "ci");
        struct socket *listener socket_auto =
                publish(&scene, listen_on(row->address, &local), local.storage.ss_family, owner, NULL);
        fd_auto const int client = connect_to(&local);
        fd_auto const int neighbour = connect_to(&local);
        struct socket *before socket_auto = socket_expect(listener);
        before->owner = owner;
        assert_true(socket_accept(before, listener, "", &peer));
        assert_int_equal(registry_reserve(scene.earlier, owner, 1).kind, RESULT_DONE);
        assert_true(registry_publish(scene.earlier, before));

        struct socket *coming socket_auto = socket_expect(listener);
        coming->owner = owner;
        strcpy(coming->stored->label, "new");
        if (row->accepted)
                assert_true(socket_accept(coming, listener, "", &peer));
        else {
                /* What stands there right before the call. */
                coming->stored->parent = listener->number;
                coming->stored->peer_size = sizeof coming->stored->peer;
                coming->stored->number = STORED_COMING;
        }
        const uint64_t number = *store_last_number() + 1;
        take_over(&scene);
        assert_int_equal(scene.restored.socket_count, row->welcome ? 3 : 2);
        assert_int_equal(scene.restored.ended, row->accepted && !row->welcome);
        assert_int_equal(scene.restored.missing + scene.restored.unknown, 0);
        struct socket *found socket_auto = registry_find_number(scene.later, number);
        assert_int_equal(found != NULL, row->welcome);
        if (found != NULL) {
                assert_int_equal(found->parent, listener->number);
                assert_string_equal(found->stored->label, "new");
                assert_false(found->stored->claimed);
                assert_int_equal(socket_cookie(found->fd), socket_cookie(coming->fd));
                assert_int_not_equal(socket_cookie(found->fd), socket_cookie(before->fd));
        }
        coming->stored->number = 0;
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        rows_add_one(&all, "comes back as it was", comes_back_as_it_was);
        rows_add_one(&all, "a session's end goes on", ends_what_was_about_to_end);
        rows_add_one(&all, "what does not match is dropped", drops_what_does_not_match);
        ROWS_ADD(&all, finds_what_was_accepted, acceptings);
        return rows_run("restore", &all);
}
