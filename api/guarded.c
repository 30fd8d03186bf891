/* guarded.c: the system calls that reach beyond the daemon, each judged by the policy right before it. */
#include "api/guarded.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/sockets/capability.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/netns.h"
#include "daemon/sockets/option.h"
#include "daemon/sockets/policy.h"

static const int64_t UNIX_CONNECT_RETRY_NS = 5000000, ACCEPT_PAUSE_NS = 1000000;

/* So many connections are passed over before others get the thread. */
enum { PASSED_AT_ONCE = 64 };

/* A denial is told whole. */
_Static_assert(
        DEED_TEXT_SIZE + RULE_NAME_SIZE + 32 <= PROBLEM_DETAIL_SIZE, "a deed and its rule fit a detail");

struct result call_forbidden(
        struct call *call, enum problem_kind kind, const char *parameter, const char *format, ...)
{
        char detail[PROBLEM_DETAIL_SIZE];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(detail, sizeof detail, format, arguments);
        va_end(arguments);
        call->result = (struct result){ .kind = RESULT_DENIED };
        call->problem = arena_allocate(&call->arena, sizeof *call->problem);
        if (call->problem != NULL)
                problem_set(call->problem, kind, parameter, "%s", detail);
        return call->result;
}

void deed_sign(struct deed *deed, const struct call *call)
{
        deed->token = call->caller.account == NULL ? "" : call->caller.account->name;
        deed->policy = call->caller.policy;
}

/* For what no reply tells of. */
static void note(const struct call *call, const struct deed *deed, const struct verdict *verdict)
{
        guard_note(deed, verdict, "", call->service->note);
}

static struct verdict judge(struct call *call, struct deed *deed)
{
        struct verdict verdict;
        deed_sign(deed, call);
        guard_judge(&call->service->guard, deed, &verdict);
        if (verdict.reported)
                note(call, deed, &verdict);
        return verdict;
}

static struct result permit(struct call *call, struct deed *deed)
{
        char text[DEED_TEXT_SIZE];
        const struct verdict verdict = judge(call, deed);
        if (verdict.allowed)
                return DONE;
        const struct result denied = call_forbidden(call, PROBLEM_DENIED, NULL, "%s: denied by \"%s\"",
                deed_format(deed, text, sizeof text), verdict.rule);
        if (call->problem != NULL)
                call->problem->extra = json_pack("{ss}", "rule", verdict.rule);
        return denied;
}

/* What is done with a descriptor that is no known socket's yet. */
static struct deed deed_on(int fd, enum deed_kind kind)
{
        return (struct deed){ .kind = kind,
                .risk = RISK_SOME,
                .family = socket_option(fd, SO_DOMAIN, 0),
                .type = socket_option(fd, SO_TYPE, 0) };
}

struct result guarded_socket(struct call *call, int family, int type, int protocol)
{
        struct deed deed = deed_of_socket(family, type, protocol);
        return permit(call, &deed);
}

/* AF_PACKET's protocols are in network order for the kernel, and in the host's for everybody else.
 * seccomp: socket */
struct result guarded_open(struct call *call, const char *netns, int family, int type, int protocol, int *fd)
{
        const int number = family == AF_PACKET ? htons((uint16_t)protocol) : protocol;
        struct deed deed = deed_of_socket(family, type, protocol);
        TRY(permit(call, &deed));
        if (netns[0] == '\0')
                return capability_explain(
                        check("socket", *fd = socket(family, type, number)), 0, 0, family, deed.type);
        deed.kind = DEED_NETNS;
        deed.risk = RISK_SOME;
        deed.netns = netns;
        TRY(permit(call, &deed));
        return capability_explain(netns_socket(netns, family, type, number, fd), 0, 0, family, deed.type);
}

/* seccomp: bind */
struct result guarded_bind(struct call *call, int fd, const struct address *address)
{
        struct passage passage passage_auto;
        struct deed deed = deed_on(fd, DEED_BIND);
        passage_open(&passage, WAY_BIND, fd, deed.family, deed.type, address);
        deed.target = &passage.target;
        TRY(permit(call, &deed));
        if (passage.error != 0)
                return refused("bind", passage.error);
        return capability_explain(
                check("bind", bind(fd, (const struct sockaddr *)&passage.storage, passage.size)), 0, 0,
                deed.family, deed.type);
}

/* seccomp: listen getsockname */
struct result guarded_listen(struct call *call, int fd, int backlog)
{
        struct target target;
        struct address local = { .size = sizeof local.storage };
        if (getsockname(fd, (struct sockaddr *)&local.storage, &local.size) == 0) {
                target_read(&target, WAY_BIND, &local.storage, local.size);
                struct deed deed = deed_on(fd, DEED_BIND);
                deed.target = &target;
                if (target.kind == TARGET_IP && target.port == 0)
                        TRY(permit(call, &deed));
        }
        return check("listen", listen(fd, backlog));
}

/* What an ICMP error said while the kernel goes on trying, or 0. seccomp: getsockopt */
static int pending_error(int fd)
{
        int error = 0;
        socklen_t size = sizeof error;
        return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : 0;
}

/* Asking again tells how it went; unlike SO_ERROR, that also makes a TCP socket ready for another try, as a
 * blocking connect(2) that fails does. seccomp: connect */
static struct result connect_step(struct call *call, const struct socket *socket, const struct passage *to)
{
        socket_unblock(socket);
        if (connect(socket->fd, (const struct sockaddr *)&to->storage, to->size) == 0)
                return DONE;
        const int error = errno;
        const bool begun = call->begun || (call->keyed != NULL && call->keyed->again);
        if (begun && error == EISCONN)
                return DONE;
        if (error == EINPROGRESS || error == EINTR || (begun && error == EALREADY)) {
                const int pending = call->begun ? pending_error(socket->fd) : 0;
                call->begun = true;
                return pending == 0 ? would_block("connect") : refused("connect", pending);
        }
        /* AF_UNIX: the listener's queue is full, and no readiness will tell when it isn't. */
        const bool is_full = error == EAGAIN && socket->family == AF_UNIX;
        if (is_full)
                call->wait.retry_ns = UNIX_CONNECT_RETRY_NS;
        return is_full ? would_block("connect") : refused("connect", error);
}

/* An address that is judged. */
static struct result pass(
        struct call *call, enum deed_kind kind, const struct socket *socket, const struct passage *passage)
{
        struct deed deed = { .kind = kind,
                .risk = RISK_SOME,
                .family = socket->family,
                .type = socket->type,
                .target = &passage->target };
        return permit(call, &deed);
}

struct result guarded_connect(struct call *call, struct socket *socket, const struct address *address)
{
        struct passage passage passage_auto;
        passage_open(&passage, WAY_CONNECT, socket->fd, socket->family, socket->type, address);
        if (!call->begun)
                TRY(pass(call, DEED_CONNECT, socket, &passage));
        if (passage.error != 0)
                return refused("connect", passage.error);
        return connect_step(call, socket, &passage);
}

struct result guarded_destination(struct call *call, const struct socket *socket,
        const struct address *address, int flags, struct passage *out)
{
        passage_open(out, WAY_SEND, socket->fd, socket->family, socket->type, address);
        TRY(pass(call, DEED_SEND, socket, out));
        if ((flags & MSG_FASTOPEN) != 0)
                TRY(pass(call, DEED_CONNECT, socket, out));
        return out->error == 0 ? DONE : refused("sendto", out->error);
}

static bool peer_is_welcome(struct call *call, const struct socket *listener, const struct address *peer)
{
        struct target target;
        target_read(&target, WAY_OTHER, &peer->storage, peer->size);
        struct deed deed = { .kind = DEED_ACCEPT,
                .risk = RISK_SOME,
                .family = listener->family,
                .type = listener->type,
                .target = &target };
        const struct verdict verdict = judge(call, &deed);
        if (!verdict.allowed)
                note(call, &deed, &verdict);
        return verdict.allowed;
}

struct result guarded_accept(struct call *call, const struct socket *listener, struct socket *coming)
{
        for (int passed = 0; passed < PASSED_AT_ONCE; passed++) {
                struct address peer;
                if (!socket_accept(coming, listener, call->caller.policy, &peer)) {
                        if (accept_passes_over(errno))
                                continue;
                        return errno == EAGAIN ? would_block("accept") : refused("accept", errno);
                }
                if (peer_is_welcome(call, listener, &peer))
                        return DONE;
                socket_turn_away(coming);
        }
        /* More of them may wait there, and no readiness will tell. */
        call->wait.retry_ns = ACCEPT_PAUSE_NS;
        return would_block("accept");
}

struct result guarded_option(struct call *call, int fd, int level, int option, const void *bytes, size_t size)
{
        struct target target;
        struct deed deed = deed_on(fd, DEED_OPTION);
        deed_of_option(&deed, &target, level, option, bytes, size);
        TRY(permit(call, &deed));
        return option_set(fd, level, option, bytes, size);
}

struct result guarded_ancillary(
        struct call *call, const struct socket *socket, int level, int type, const void *bytes, size_t size)
{
        struct target target;
        struct deed deed = { .risk = RISK_SOME, .family = socket->family, .type = socket->type };
        return deed_of_ancillary(&deed, &target, level, type, bytes, size) ? permit(call, &deed) : DONE;
}

bool guarded_adoption(struct call *call, int family, int type, int protocol)
{
        struct deed deed = deed_of_socket(family, type, protocol);
        const struct verdict verdict = judge(call, &deed);
        if (!verdict.allowed)
                note(call, &deed, &verdict);
        return verdict.allowed;
}
