/* reactor_accept.c: a listener's connections, each judged by the policy and with a place in the registry. */
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/guard.h"
#include "daemon/sockets/policy.h"
#include "daemon/sockets/reactor_link.h"
#include "daemon/sockets/registry.h"
#include "daemon/sockets/waiter.h"

/* Without room for another connection, those that wait stay in the listener's queue for so long. */
static const int64_t ACCEPT_PAUSE_NS = 20000000;

bool link_may(struct link *link, enum deed_kind kind, const struct target *target)
{
        const struct reactor_plan *const plan = &link->reactor->plan;
        struct verdict verdict;
        const struct deed deed = { .kind = kind,
                .risk = RISK_SOME,
                .family = link->socket->family,
                .type = link->socket->type,
                .target = target,
                .token = plan->account == NULL ? "" : plan->account->name,
                .policy = plan->policy };
        guard_judge(link->reactor->reactors->guard, &deed, &verdict);
        /* Whoever sends datagrams is not to fill the log with them. */
        const bool is_told = kind == DEED_SEND && link->reactor->send_noted;
        if (!is_told && (!verdict.allowed || verdict.reported)) {
                guard_note(&deed, &verdict, "a reactor's ", link->reactor->reactors->note);
                link->reactor->send_noted = kind == DEED_SEND;
        }
        return verdict.allowed;
}

static bool is_welcome(struct link *link, const struct address *peer)
{
        struct target target;
        target_read(&target, WAY_OTHER, &peer->storage, peer->size);
        return link_may(link, DEED_ACCEPT, &target);
}

/* Takes the next connection, under a reservation that is the new link's once it is made. seccomp: accept4 */
static enum step accept_one(struct link *link, size_t reserved, bool *made)
{
        const struct socket *const listener = link->socket;
        struct address peer = { .size = sizeof peer.storage };
        socket_unblock(listener);
        fd_auto int fd = accept4(
                link->in.fd, (struct sockaddr *)&peer.storage, &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
                return STEP_LATER;
        if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
                return STEP_READABLE;
        link->error = fd < 0 ? errno : 0;
        if (fd < 0)
                return STEP_ENDED;
        if (!is_welcome(link, &peer)) {
                connection_reset(take_fd(&fd));
                link->reactor->counts.denied++;
                return STEP_MORE;
        }
        struct socket *socket socket_auto =
                socket_new(fd, listener->family, listener->type, listener->protocol);
        if (socket == NULL)
                return STEP_LATER;
        take_fd(&fd);
        socket->owner = link->reactor->plan.account;
        socket->parent = listener->number;
        struct link *connection;
        *made = link_new(link->reactor, socket, reserved, &connection).kind == RESULT_DONE;
        return STEP_MORE;
}

enum step link_accept(struct link *link)
{
        struct reactor *const reactor = link->reactor;
        struct registry *const registry = reactor->reactors->registry;
        const size_t reserved = 1 + link_places(reactor);
        bool made = false;
        link->due_ns = now_ns() + ACCEPT_PAUSE_NS;
        if (reactor->connections >= reactor->plan.connections ||
                registry_reserve(registry, reactor->plan.account, reserved).kind != RESULT_DONE)
                return STEP_LATER;
        const enum step step = accept_one(link, reserved, &made);
        if (!made)
                registry_unreserve(registry, reactor->plan.account, reserved);
        return step;
}
