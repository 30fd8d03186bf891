/* scene.c: a network and sockets for calls that a fuzzer makes up, and the check that nothing is left of
 * them. */
#include "tests/fuzz/scene.h"

#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "daemon/sockets/observer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/ends.h"

enum { PEERS_MOST = 4, SOCKETS_MOST = 16 };

bool scene_is_apart;
struct service scene_service;
struct account *scene_account;

static int peers[PEERS_MOST];
static size_t peer_count;
static int lowest_fd; /* that is free before an input */

/* Having made the network, it may no longer change it: no input shall break it for those that follow. */
static void drop_capabilities(void)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        const struct __user_cap_data_struct raw_only[2] = {
                { .effective = 1U << CAP_NET_RAW, .permitted = 1U << CAP_NET_RAW }, { 0 }
        };
        HOLDS(syscall(SYS_capset, &header, raw_only) == 0);
}

/* Before main(), as only a process of one thread may: a user and network namespace of its own. */
__attribute__((constructor)) static void move_apart(void)
{
        struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
                perror("no network of its own, so that calls are only decoded");
                return;
        }
        fd_auto const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        scene_is_apart = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &loopback) == 0;
        drop_capabilities();
}

static int next_fd(void)
{
        fd_auto const int fd = dup(STDERR_FILENO);
        return fd;
}

static void set_up(void)
{
        static const struct limits none;
        struct accounts *const accounts = accounts_new(&none, &none);
        scene_service.registry = registry_new(SOCKETS_MOST);
        scene_service.waiter = waiter_new(256);
        scene_service.sessions = sessions_new(scene_service.registry, scene_service.waiter, NULL);
        scene_service.observer = observer_new(scene_service.registry, scene_service.waiter);
        scene_service.default_timeout_ms = scene_service.max_timeout_ms = 60000;
        scene_service.max_body_size = 1 << 20;
        HOLDS(accounts != NULL && scene_service.registry != NULL && scene_service.waiter != NULL);
        scene_account = accounts_find(accounts, "fuzz");
        HOLDS(scene_account != NULL);
}

void scene_open(void)
{
        if (scene_service.registry == NULL)
                set_up();
        lowest_fd = next_fd();
}

static int listener_with_caller(int *caller)
{
        struct sockaddr_in address;
        const int listener = end_bound(SOCK_STREAM, &address);
        *caller = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        HOLDS(listen(listener, 4) == 0);
        HOLDS(connect(*caller, (const struct sockaddr *)&address, sizeof address) == 0);
        return listener;
}

static struct ends make_ends(int family, int type)
{
        static const char greeting[] = "hello\r\n";
        struct ends ends;
        if (type == 0) {
                ends.one = listener_with_caller(&ends.other);
                return ends;
        }
        HOLDS(ends_open(&ends, family, type));
        (void)!send(ends.other, greeting, sizeof greeting - 1, MSG_NOSIGNAL);
        return ends;
}

/* What each letter stands for. */
static const struct {
        char letter;
        int family, type; /* type 0: a listener to which somebody has connected */
} kinds[] = {
        { 's', AF_INET, SOCK_STREAM },
        { 'd', AF_INET, SOCK_DGRAM },
        { 'l', AF_INET, 0 },
        { 'u', AF_UNIX, SOCK_STREAM },
        { 'q', AF_UNIX, SOCK_SEQPACKET },
};

static void publish(struct ends *ends, int family, int type, char id[SOCKET_ID_SIZE])
{
        struct socket *const socket = socket_new(ends->one, family, type, 0);
        HOLDS(socket != NULL && peer_count < PEERS_MOST);
        HOLDS(registry_reserve(scene_service.registry, scene_account, 1).kind == RESULT_DONE);
        socket->owner = scene_account;
        registry_publish(scene_service.registry, socket);
        registry_format_id(scene_service.registry, socket->number, id);
        socket_release(socket);
        peers[peer_count++] = ends->other;
}

bool scene_make(char letter, char id[SOCKET_ID_SIZE])
{
        for (size_t i = 0; scene_is_apart && i < sizeof kinds / sizeof *kinds; i++)
                if (kinds[i].letter == letter) {
                        struct ends ends = make_ends(kinds[i].family, kinds[i].type);
                        publish(&ends, kinds[i].family, kinds[i].type ? kinds[i].type : SOCK_STREAM, id);
                        return true;
                }
        return false;
}

static void close_socket(struct socket *socket)
{
        /* Connections end with RST, or a machine full of them in TIME_WAIT would soon have no ports left. */
        end_reset(&(int){ dup(socket->fd) });
        HOLDS(registry_unpublish(scene_service.registry, socket));
        socket->closed = true;
        waiter_cancel(scene_service.waiter, socket);
        socket_release(socket); /* the registry's reference */
        socket_release(socket);
}

static void end_sessions(void)
{
        struct session *session;
        while (sessions_list(scene_service.sessions, 0, &session, 1) > 0) {
                session_end(scene_service.sessions, session);
                session_release(session);
        }
}

void scene_clean(void)
{
        struct socket *left[SOCKETS_MOST];
        while (peer_count > 0)
                end_reset(&peers[--peer_count]);
        end_sessions();
        const size_t count = registry_list(scene_service.registry, 0, left, SOCKETS_MOST);
        for (size_t i = 0; i < count; i++)
                close_socket(left[i]);
        HOLDS(registry_count(scene_service.registry) == 0);
        for (int resource = 0; resource < RESOURCE_COUNT; resource++)
                HOLDS(scene_account->used[resource] == 0);
        HOLDS(next_fd() == lowest_fd);
}
