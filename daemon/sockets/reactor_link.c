/* reactor_link.c: the links: how they come to be, wait for events or a time, take their turns, and end. */
#include "daemon/sockets/reactor_link.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/registry.h"
#include "daemon/sockets/waiter.h"

enum { STEPS_PER_TURN = 8 };

static const int64_t UNWATCHED_PAUSE_NS = 10000000;

/* seccomp: epoll_ctl */
static bool watch_entry(const struct link *link, struct epoll_entry *entry, uint32_t events)
{
        struct epoll_event event = { .events = events, .data.u64 = link->ticket };
        if (entry->events == events)
                return true;
        const int change = events == 0 ? EPOLL_CTL_DEL : entry->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
        if (epoll_ctl(link->reactor->reactors->epoll, change, entry->fd, &event) != 0)
                return false;
        entry->events = events;
        return true;
}

/* False: the kernel has no memory to watch it. */
static bool watch(struct link *link, uint32_t in, uint32_t out)
{
        if (link->out.fd == link->in.fd)
                return watch_entry(link, &link->in, in | out);
        const bool watched = watch_entry(link, &link->in, in);
        return watch_entry(link, &link->out, out) && watched;
}

static void set_later(struct link *link, bool later)
{
        struct reactors *const reactors = link->reactor->reactors;
        if (later == (link->later_at != NULL))
                return;
        if (later) {
                link->later = reactors->later;
                link->later_at = &reactors->later;
                if (link->later != NULL)
                        link->later->later_at = &link->later;
                reactors->later = link;
        } else {
                *link->later_at = link->later;
                if (link->later != NULL)
                        link->later->later_at = link->later_at;
                link->later_at = NULL;
        }
}

static void close_fd(int *fd)
{
        if (*fd >= 0)
                close(take_fd(fd));
}

/* Frees what a link has that is in no list. */
static void link_free(struct link *link)
{
        struct reactor *const reactor = link->reactor;
        if (link->out.fd != link->in.fd)
                close_fd(&link->out.fd);
        close_fd(&link->pipe[0]);
        close_fd(&link->pipe[1]);
        socket_release(link->accepted);
        EVP_MD_CTX_free(link->hash);
        account_give_back(reactor->plan.account, RESOURCE_BYTES, link->held);
        free(link->matcher);
        free(link->buffer);
        free(link);
}

void link_read_hash(const struct link *link, uint8_t out[static 32])
{
        EVP_MD_CTX *const copy = EVP_MD_CTX_new();
        if (copy != NULL && EVP_MD_CTX_copy_ex(copy, link->hash) == 1)
                EVP_DigestFinal_ex(copy, out, NULL);
        EVP_MD_CTX_free(copy);
}

bool link_is_newest(const struct link *link)
{
        return link->number == link->reactor->counts.accepted;
}

static void keep_hash(const struct link *link)
{
        struct reactor *const reactor = link->reactor;
        if (link->hash == NULL || !link_is_newest(link))
                return;
        link_read_hash(link, reactor->hash);
        reactor->hashed = true;
}

static void link_end(struct link *link)
{
        struct reactor *const reactor = link->reactor;
        struct reactors *const reactors = reactor->reactors;
        keep_hash(link);
        watch(link, 0, 0);
        set_later(link, false);
        table_remove(&reactors->links, link->ticket);
        reactors->room++;
        *link->at = link->next;
        if (link->next != NULL)
                link->next->at = link->at;
        registry_unreserve(reactors->registry, reactor->plan.account, link->reserved);
        reactor->connections -= link->number > 0;
        socket_release(link->socket);
        link_free(link);
}

/* Ends what runs of it; the socket is others' again. */
void reactor_end(struct reactor *reactor, int error)
{
        for (struct link *link = reactor->links, *next; link != NULL; link = next) {
                next = link->next;
                link_end(link);
        }
        /* What has ended before does not have the socket any more: somebody else may. */
        if (!reactor->ended) {
                reactor->error = error;
                reactor->socket->reacting = 0;
        }
        reactor->ended = true;
}

/* An echo and a forward pass a stream's end on; an accepted connection has no more to send in any case. A
 * forward's target is only ended by a socket that has it for itself. seccomp: shutdown */
static void pass_end(const struct link *link)
{
        const enum reactor_kind kind = link->reactor->plan.kind;
        const bool passes = link->eof && (kind == REACTOR_ECHO || kind == REACTOR_FORWARD);
        const bool accepted = link->number > 0;
        if (link->error != 0 || link->datagrams || !(accepted ? link->to == link->socket : passes))
                return;
        shutdown(link->out.fd, SHUT_WR);
}

/* Where the kernel does not watch, the link looks again itself after a while. seccomp: epoll_ctl */
static void await(struct link *link, enum step step)
{
        const bool watched =
                watch(link, step == STEP_READABLE ? EPOLLIN : 0, step == STEP_WRITABLE ? EPOLLOUT : 0);
        if (!watched)
                link->due_ns = now_ns() + UNWATCHED_PAUSE_NS;
        set_later(link, step == STEP_LATER || !watched);
}

/* The end, or an error, of one link. Closing an accepted connection while the peer still sends would reset
 * it, and lose what it has not read yet. */
static void link_finish(struct link *link)
{
        struct reactor *const reactor = link->reactor;
        const bool accepted = link->number > 0;
        const bool drains = accepted && link->error == 0 && !link->eof && link->step != link_drain;
        pass_end(link);
        if (!accepted) {
                reactor->error = link->error;
                reactor->ended = true;
                reactor->socket->reacting = 0;
        } else if (link->error != 0) {
                reactor->error = link->error;
        }
        if (drains) {
                link->step = link_drain;
                await(link, STEP_READABLE);
        } else {
                link_end(link);
        }
}

/* What it is to wait for before it goes on. No event will tell of what a recv has left over. */
static enum step next_step(struct link *link)
{
        if (link_has_work(link))
                return STEP_WRITABLE;
        if (link->socket->unread == 0)
                return STEP_READABLE;
        link->due_ns = 0;
        return STEP_LATER;
}

/* Some steps, and then others have their turn. */
void link_turn(struct link *link)
{
        enum step step = STEP_MORE;
        set_later(link, false);
        for (int i = 0; i < STEPS_PER_TURN && step == STEP_MORE; i++)
                step = link->step(link);
        if (step == STEP_MORE)
                step = next_step(link);
        if (step == STEP_ENDED) {
                link_finish(link);
                return;
        }
        await(link, step);
}

/* A forward between streams has a pipe; and its way out is watched by itself, as others may lead there too.
 * seccomp: pipe2 */
static struct result open_forward(struct link *link)
{
        struct socket *const to = link->reactor->plan.to;
        link->to = to;
        link->out.fd = fcntl(to->fd, F_DUPFD_CLOEXEC, 0);
        TRY(check("fcntl", link->out.fd));
        if (link->socket->type != SOCK_STREAM || to->type != SOCK_STREAM)
                return DONE;
        return check("pipe", pipe2(link->pipe, O_NONBLOCK | O_CLOEXEC));
}

/* What a link of that kind works with, all of which its owner is charged with. */
static struct result link_equip(struct link *link)
{
        const struct reactor_plan *const plan = &link->reactor->plan;
        const bool buffered =
                plan->kind == REACTOR_ECHO || plan->kind == REACTOR_REPLY || plan->kind == REACTOR_FORWARD;
        const bool matches = plan->kind == REACTOR_REPLY;
        const bool hashes = plan->kind == REACTOR_SINK && plan->hash;
        const size_t size =
                sizeof *link + (buffered ? REACTOR_BLOCK : 0) + (matches ? sizeof *link->matcher : 0);
        if (!account_take(plan->account, RESOURCE_BYTES, size))
                return account_over(RESOURCE_BYTES);
        link->held = size;
        link->buffer = buffered ? malloc(REACTOR_BLOCK) : NULL;
        link->matcher = matches ? calloc(1, sizeof *link->matcher) : NULL;
        link->hash = hashes ? EVP_MD_CTX_new() : NULL;
        if ((buffered && link->buffer == NULL) || (matches && link->matcher == NULL) ||
                (hashes && (link->hash == NULL || EVP_DigestInit_ex(link->hash, EVP_sha256(), NULL) != 1)))
                return refused("malloc", ENOMEM);
        return plan->kind == REACTOR_FORWARD ? open_forward(link) : DONE;
}

/* seccomp: write */
static void link_add(struct link *link, size_t reserved)
{
        struct reactor *const reactor = link->reactor;
        link->reserved = reserved;
        link->ticket = table_add(&reactor->reactors->links, link);
        reactor->reactors->room--;
        link->next = reactor->links;
        link->at = &reactor->links;
        if (link->next != NULL)
                link->next->at = &link->next;
        reactor->links = link;
        await(link, link->step == link_accept ? STEP_READABLE : next_step(link));
        /* The thread may wait longer than this link does. */
        if (link->later_at != NULL)
                eventfd_write(reactor->reactors->wake, 1);
}

bool socket_is_listening(const struct socket *socket)
{
        return socket_option(socket->fd, SO_ACCEPTCONN, 0) != 0;
}

struct result link_new(struct reactor *reactor, struct socket *socket, size_t reserved, struct link **out)
{
        struct link *const link = calloc(1, sizeof *link);
        if (link == NULL || reactor->reactors->room == 0) {
                free(link);
                return refused("malloc", ENOMEM);
        }
        const bool accepted = socket != reactor->socket;
        link->reactor = reactor;
        link->socket = link->to = socket;
        link->in.fd = link->out.fd = socket->fd;
        link->pipe[0] = link->pipe[1] = -1;
        link_begin(link);
        struct result result = DONE;
        if (!accepted && socket_is_listening(socket))
                link->step = link_accept;
        else
                result = link_equip(link);
        if (result.kind != RESULT_DONE) {
                link_free(link);
                return result;
        }
        socket_reference(socket);
        if (accepted) {
                link->number = ++reactor->counts.accepted;
                reactor->connections++;
        }
        link_add(link, reserved);
        *out = link;
        return DONE;
}

size_t link_places(const struct reactor *reactor)
{
        enum { PIPE_AND_COPY = 3 };
        return reactor->plan.kind == REACTOR_FORWARD ? PIPE_AND_COPY : 0;
}
