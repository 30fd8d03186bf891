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

/* Takes the next connection that may come in, into link->accepted. seccomp: accept4 */
static enum step accept_one(struct link *link)
{
        const struct socket *const listener = link->socket;
        struct address peer = { .size = sizeof peer.storage };
        struct socket *socket socket_auto = socket_expect(listener);
        if (socket == NULL)
                return STEP_LATER;
        socket_unblock(listener);
        socket->fd = accept4(
                link->in.fd, (struct sockaddr *)&peer.storage, &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket->fd < 0 && accept_falls_short(errno))
                return STEP_LATER;
        if (socket->fd < 0 && (errno == EAGAIN || accept_passes_over(errno)))
                return STEP_READABLE;
        link->error = socket->fd < 0 ? errno : 0;
        if (socket->fd < 0)
                return STEP_ENDED;
        if (!is_welcome(link, &peer)) {
                connection_reset(take_fd(&socket->fd));
                link->reactor->counts.denied++;
                return STEP_MORE;
        }
        socket->owner = link->reactor->plan.account;
        link->accepted = TAKE(socket);
        return STEP_MORE;
}

/* Makes a link for it, whose the reservation is then. Where one cannot be made now, the connection waits. */
static enum step serve_accepted(struct link *link, size_t reserved)
{
        struct link *connection;
        if (link_new(link->reactor, link->accepted, reserved, &connection).kind != RESULT_DONE)
                return STEP_LATER;
        socket_release(TAKE(link->accepted));
        return STEP_MORE;
}

enum step link_accept(struct link *link)
{
        struct reactor *const reactor = link->reactor;
        struct registry *const registry = reactor->reactors->registry;
        const size_t reserved = 1 + link_places(reactor);
        link->due_ns = now_ns() + ACCEPT_PAUSE_NS;
        if (reactor->connections >= reactor->plan.connections ||
                registry_reserve(registry, reactor->plan.account, reserved).kind != RESULT_DONE)
                return STEP_LATER;
        const unsigned before = reactor->connections;
        enum step step = link->accepted == NULL ? accept_one(link) : STEP_MORE;
        if (link->accepted != NULL)
                step = serve_accepted(link, reserved);
        if (reactor->connections == before)
                registry_unreserve(registry, reactor->plan.account, reserved);
        return step;
}
