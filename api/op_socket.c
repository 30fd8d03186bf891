/* op_socket.c: the life of sockets: making, binding, listening, accepting, connecting, closing, showing. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/call.h"
#include "api/guarded.h"
#include "api/keyed.h"
#include "api/netns_json.h"
#include "api/option_json.h"
#include "api/record.h"
#include "api/socket_object.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/event.h"
#include "daemon/sockets/interface.h"
#include "daemon/sockets/reactor.h"
#include "daemon/sockets/transcript.h"

/* No constant has this number. */
enum { ABSENT = INT32_MIN };

enum { LABEL_MAX = LABEL_SIZE - 1, PAGE_DEFAULT = 100, PAGE_MAX = 1000, BACKLOG_DEFAULT = 128 };

/* Makes the kernel's non-blocking, close-on-exec sockets of what the caller asks for. */
static const int TYPE_FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC;

#define LABEL_FIELD(type)                                                                                    \
        FIELD(type, label, "A name of your own for it, to find it again.", .max = LABEL_MAX,                 \
                .example = "\"server\"")
#define SESSION_FIELD(type)                                                                                  \
        FIELD(type, session, "The session that it is made in, by id: it is closed when that ends.")
#define RETAIN_FIELD(type, ...)                                                                              \
        FIELD(type, retain,                                                                                  \
                "Keep up to so many bytes of what is received until `ack` of a recv says that they need "    \
                "not "                                                                                       \
                "be; less than 4096 is taken as that. 0: none. " __VA_ARGS__)
#define RECORD_FIELDS(type, absent)                                                                          \
        FIELD(type, record,                                                                                  \
                "Record what is called on it, for GET …/transcript; with room for 262144 bytes."),           \
                FIELD(type, record_bytes,                                                                    \
                        "Record, with room for so many bytes; less than 4096 is taken as that. 0: do not. "  \
                        "Absent: " absent,                                                                   \
                        .max = RECORD_MOST, .fallback = -1, .example = "65536")
#define FAMILY_HELP "AF_INET, AF_INET6, AF_UNIX, AF_PACKET, AF_VSOCK, AF_NETLINK, or any other by number."
#define TYPE_HELP "SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET."

static const struct field socket_create_request_rows[] = {
        FIELD(struct socket_create_request, family,
                FAMILY_HELP " Absent: that of the address to bind or connect to, else AF_INET.",
                .names = &family_names, .fallback = ABSENT, .example = "\"AF_INET\""),
        FIELD(struct socket_create_request, type, TYPE_HELP, .names = &type_names, .fallback = SOCK_STREAM,
                .example = "\"SOCK_STREAM\""),
        FIELD(struct socket_create_request, protocol, "IPPROTO_TCP … or a number; 0: the type's usual one.",
                .names = &protocol_names),
        FIELD(struct socket_create_request, options, "Options to set first, in this order."),
        FIELD(struct socket_create_request, bind, "Its local address.", .example = "\"127.0.0.1:0\""),
        FIELD(struct socket_create_request, listen, "Accept connections, with this backlog.",
                .example = "{\"backlog\":16}"),
        FIELD(struct socket_create_request, connect, "The peer to connect to."),
        LABEL_FIELD(struct socket_create_request),
        SESSION_FIELD(struct socket_create_request),
        FIELD(struct socket_create_request, netns,
                "The network namespace to open it in: a name in /run/netns, or the number of a process. "
                "Needs "
                "CAP_SYS_ADMIN. Absent: the daemon's own.",
                .schema = "{\"type\":[\"string\",\"integer\"]}", .example = "\"client\""),
        RETAIN_FIELD(struct socket_create_request, "A listener's goes to the sockets that it accepts.",
                .max = RETAIN_MOST, .example = "65536"),
        RECORD_FIELDS(struct socket_create_request,
                "what `record` says. A listener's goes to the sockets that it accepts."),
};
const struct fields socket_create_request_fields =
        FIELDS(struct socket_create_request, socket_create_request_rows);

static const struct field socketpair_create_request_rows[] = {
        FIELD(struct socketpair_create_request, family, FAMILY_HELP, .names = &family_names,
                .fallback = AF_UNIX, .example = "\"AF_UNIX\""),
        FIELD(struct socketpair_create_request, type, TYPE_HELP, .names = &type_names,
                .fallback = SOCK_STREAM, .example = "\"SOCK_STREAM\""),
        FIELD(struct socketpair_create_request, protocol, "IPPROTO_TCP … or a number.",
                .names = &protocol_names),
        LABEL_FIELD(struct socketpair_create_request),
        SESSION_FIELD(struct socketpair_create_request),
        RETAIN_FIELD(
                struct socketpair_create_request, "Each of the two.", .max = RETAIN_MOST, .example = "65536"),
        RECORD_FIELDS(struct socketpair_create_request, "what `record` says."),
};
const struct fields socketpair_create_request_fields =
        FIELDS(struct socketpair_create_request, socketpair_create_request_rows);

static const struct field socket_list_request_rows[] = {
        FIELD(struct socket_list_request, state, "Only those in this state.", .example = "\"listening\""),
        FIELD(struct socket_list_request, family, "Only those of this family.", .names = &family_names,
                .fallback = ABSENT),
        FIELD(struct socket_list_request, type, "Only those of this type.", .names = &type_names,
                .fallback = ABSENT),
        FIELD(struct socket_list_request, label, "Only those with this label.", .max = LABEL_MAX),
        FIELD(struct socket_list_request, session, "Only those of this session."),
        FIELD(struct socket_list_request, limit, "The most to list.", .min = 1, .max = PAGE_MAX,
                .fallback = PAGE_DEFAULT),
        FIELD(struct socket_list_request, cursor, "The `next` of the page before.", .max = SOCKET_ID_SIZE),
};
const struct fields socket_list_request_fields = FIELDS(struct socket_list_request, socket_list_request_rows);

const struct fields socket_show_request_fields = { .size = sizeof(struct socket_show_request) };

static const struct field socket_delete_request_rows[] = {
        FIELD(struct socket_delete_request, reset,
                "Close a TCP connection with RST, through a zero SO_LINGER."),
};
const struct fields socket_delete_request_fields =
        FIELDS(struct socket_delete_request, socket_delete_request_rows);

static const struct field socket_bind_request_rows[] = {
        FIELD(struct socket_bind_request, address, "The local address; port 0 lets the kernel choose.",
                .required = true, .example = "\"127.0.0.1:0\""),
};
const struct fields socket_bind_request_fields = FIELDS(struct socket_bind_request, socket_bind_request_rows);

static const struct field socket_listen_request_rows[] = {
        FIELD(struct socket_listen_request, backlog, "Queue length given to listen(2).", .min = 0,
                .max = INT32_MAX, .fallback = BACKLOG_DEFAULT, .example = "16"),
};
const struct fields socket_listen_request_fields =
        FIELDS(struct socket_listen_request, socket_listen_request_rows);

static const struct field socket_accept_request_rows[] = {
        LABEL_FIELD(struct socket_accept_request),
        RETAIN_FIELD(struct socket_accept_request, "Absent: what the listener was made with.",
                .max = RETAIN_MOST, .fallback = -1, .example = "65536"),
        RECORD_FIELDS(
                struct socket_accept_request, "what `record` says, else what the listener was made with."),
};
const struct fields socket_accept_request_fields =
        FIELDS(struct socket_accept_request, socket_accept_request_rows);

static const struct field socket_connect_request_rows[] = {
        FIELD(struct socket_connect_request, address, "The peer.", .required = true,
                .example = "\"127.0.0.1:8080\""),
};
const struct fields socket_connect_request_fields =
        FIELDS(struct socket_connect_request, socket_connect_request_rows);

static const struct field socket_shutdown_request_rows[] = {
        FIELD(struct socket_shutdown_request, how, "SHUT_RD, SHUT_WR or SHUT_RDWR.", .names = &shutdown_names,
                .required = true, .example = "\"SHUT_WR\""),
};
const struct fields socket_shutdown_request_fields =
        FIELDS(struct socket_shutdown_request, socket_shutdown_request_rows);

/* Lists of records whose schema has a name. */
#define SOCKET_LIST "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Socket\"}}"

static const struct field socket_page_rows[] = {
        FIELD(struct socket_page, sockets, "The sockets.", .schema = SOCKET_LIST),
        FIELD(struct socket_page, next, "The `cursor` of the next page, or null.", .nullable = true,
                .example = "null"),
};
const struct fields socket_page_fields = FIELDS(struct socket_page, socket_page_rows, .title = "SocketPage");

static const struct field socket_pair_rows[] = {
        FIELD(struct socket_pair, sockets, "The two sockets.", .schema = SOCKET_LIST),
};
const struct fields socket_pair_fields = FIELDS(struct socket_pair, socket_pair_rows, .title = "SocketPair");

const struct fields nothing_fields = { .size = sizeof(struct nothing) };

/* The caller expects the making to fail; it did not, and what was made is closed again. */
static const struct result NOT_KEPT = { .kind = RESULT_UNEXPECTED,
        .detail = "The call succeeded; nothing was kept." };

static struct result session_ended(const struct call *call)
{
        return (struct result){ .kind = RESULT_REFUSED,
                .error = ECANCELED,
                .call = call->operation->system_call,
                .detail = "the session ended meanwhile" };
}

/* Adds it to a list, and releases it. */
static void append_object(json_t *list, struct socket_object *object, const struct socket *socket)
{
        INTERFACES_OF(socket->netns == NULL ? -1 : socket->fd);
        json_array_append_new(list, fields_encode(&socket_object_fields, object));
        fields_release(&socket_object_fields, object);
}

/* What a new socket has besides its descriptor. */
struct traits {
        const struct text *label;
        uint64_t retain, record; /* bytes; 0: it does not */
};

/* How many bytes a socket is to record: `otherwise`, if its maker says nothing. */
static uint64_t record_size(bool record, uint64_t record_bytes, uint64_t otherwise)
{
        if (record_bytes != UINT64_MAX)
                return record_bytes;
        return record ? RECORD_DEFAULT : otherwise;
}

/* Whose it is, and what it is called. What a listener gives belongs to its session. False without memory. */
static bool describe(struct call *call, struct socket *socket, const struct traits *traits)
{
        const struct text *const label = traits->label;
        struct session *const session = call->socket == NULL ? call->session : call->socket->session;
        socket->owner = call->caller.account;
        socket->session = session == NULL ? NULL : session_reference(session);
        socket->stored->made_by = keyed_number(call);
        if (label->bytes != NULL)
                snprintf(socket->stored->label, sizeof socket->stored->label, "%s", label->bytes);
        /* It has kept nothing yet, so there is nothing that could fail. */
        inbox_retain(socket, traits->retain);
        if (traits->record == 0)
                return true;
        socket->transcript = transcript_new(traits->record, socket->owner);
        call->made_recorder = socket->transcript != NULL;
        return call->made_recorder;
}

/* A socket of a fresh descriptor, which it takes over; the reservation stays the caller's. */
static struct socket *adopt(struct call *call, int *fd, const char *netns, const struct traits *traits)
{
        struct socket *const socket = socket_new(*fd, socket_option(*fd, SO_DOMAIN, AF_UNSPEC),
                socket_option(*fd, SO_TYPE, 0), socket_option(*fd, SO_PROTOCOL, 0));
        if (socket == NULL)
                return NULL;
        take_fd(fd);
        const bool has_netns = netns != NULL && netns[0] != '\0';
        socket->netns = has_netns ? strdup(netns) : NULL;
        if (describe(call, socket, traits) && (!has_netns || socket->netns != NULL))
                return socket;
        socket_release(socket);
        return NULL;
}

/* All that can be said before the connecting, on a socket that nobody else knows yet. */
static struct result prepare(struct call *call, const struct socket_create_request *request, int fd)
{
        for (size_t i = 0; i < request->options.count; i++) {
                char path[PROBLEM_PARAMETER_SIZE];
                snprintf(path, sizeof path, "options[%zu].", i);
                TRY(setting_apply(call, fd, &request->options.items[i], path));
        }
        if (request->bind.given)
                TRY(guarded_bind(call, fd, &request->bind));
        if (request->listen.given)
                TRY(guarded_listen(call, fd, request->listen.backlog));
        return DONE;
}

/* Absent, it is that of the address to bind or to connect to. */
static int family_to_make(const struct socket_create_request *request)
{
        const struct address *const address = request->bind.given ? &request->bind : &request->connect;
        if (request->family != ABSENT)
                return request->family;
        return address->given && !address->any && address->storage.ss_family != AF_UNSPEC
                       ? address->storage.ss_family
                       : AF_INET;
}

static struct result make(struct call *call, const struct socket_create_request *request)
{
        if (request->listen.given && request->connect.given)
                return call_unsound(call, "connect", "connect: does not go with listen");
        TRY(call_join_session(call, &request->session));
        TRY(registry_reserve(call->service->registry, call->caller.account, 1));
        call->reserved = 1;
        const int family = family_to_make(request);
        char netns[NETNS_NAME_SIZE];
        fd_auto int fd = -1;
        TRY(netns_read(call, &request->netns, netns));
        TRY(guarded_open(call, netns, family, request->type | TYPE_FLAGS, request->protocol, &fd));
        INTERFACES_OF(netns[0] == '\0' ? -1 : fd);
        TRY(prepare(call, request, fd));
        const struct traits traits = { .label = &request->label,
                .retain = request->retain,
                .record = record_size(request->record, request->record_bytes, 0) };
        call->socket = adopt(call, &fd, netns, &traits);
        /* It is the call's own. */
        call->made_recorder = false;
        return call->socket == NULL ? refused("malloc", ENOMEM) : DONE;
}

/* What was done with it before anybody knew it. */
static void tell_of_making(const struct socket *socket, const struct socket_create_request *request)
{
        if (request->bind.given)
                event_publish(socket, &(struct event_facts){ .kind = EVENT_BOUND });
        if (request->listen.given)
                event_publish(socket, &(struct event_facts){ .kind = EVENT_LISTENING });
        if (request->connect.given)
                event_publish(
                        socket, &(struct event_facts){ .kind = EVENT_CONNECTED, .peer = &request->connect });
}

struct result run_socket_create(
        struct call *call, const struct socket_create_request *request, struct socket_object *reply)
{
        if (call->socket == NULL)
                TRY(make(call, request));
        if (request->connect.given)
                TRY(guarded_connect(call, call->socket, &request->connect));
        if (call->expect != NULL)
                return NOT_KEPT;
        if (!registry_publish(call->service->registry, call->socket))
                return session_ended(call);
        call->reserved = 0;
        call->created = call->socket->number;
        tell_of_making(call->socket, request);
        socket_describe(call, call->socket, reply);
        return DONE;
}

/* seccomp: socketpair */
struct result run_socketpair_create(
        struct call *call, const struct socketpair_create_request *request, struct socket_pair *reply)
{
        int fds[2];
        TRY(call_join_session(call, &request->session));
        TRY(registry_reserve(call->service->registry, call->caller.account, 2));
        call->reserved = 2;
        TRY(guarded_socket(call, request->family, request->type, request->protocol));
        TRY(check("socketpair",
                socketpair(request->family, request->type | TYPE_FLAGS, request->protocol, fds)));
        fd_auto int one_fd = fds[0];
        fd_auto int other_fd = fds[1];
        const struct traits traits = { .label = &request->label,
                .retain = request->retain,
                .record = record_size(request->record, request->record_bytes, 0) };
        struct socket *one socket_auto = adopt(call, &one_fd, NULL, &traits);
        struct socket *other socket_auto = adopt(call, &other_fd, NULL, &traits);
        if (one == NULL || other == NULL)
                return refused("malloc", ENOMEM);
        if (call->expect != NULL)
                return NOT_KEPT;
        struct socket *const both[] = { one, other };
        reply->sockets.json = json_array();
        for (int i = 0; i < 2; i++) {
                struct socket_object object;
                if (!registry_publish(call->service->registry, both[i]))
                        return session_ended(call);
                call->reserved--;
                socket_describe(call, both[i], &object);
                append_object(reply->sockets.json, &object, both[i]);
        }
        call->created = one->number;
        return DONE;
}

static bool matches(const struct socket_list_request *request, const struct socket_object *object)
{
        return (request->state.bytes == NULL || strcmp(request->state.bytes, object->state.bytes) == 0) &&
               (request->family == ABSENT || request->family == object->family) &&
               (request->type == ABSENT || request->type == object->type) &&
               (request->session.bytes == NULL ||
                       (object->session.bytes != NULL &&
                               strcmp(request->session.bytes, object->session.bytes) == 0)) &&
               (request->label.bytes == NULL ||
                       strcmp(request->label.bytes, object->label.bytes == NULL ? "" : object->label.bytes) ==
                               0);
}

struct listing {
        struct call *call;
        const struct socket_list_request *request;
        json_t *page;
        uint64_t last;
        bool full; /* `last` is then the page's last */
};

static bool list_socket(void *context, struct socket *socket)
{
        struct listing *const listing = context;
        struct socket_object object;
        if (!call_reaches(listing->call, socket))
                return true;
        socket_describe(listing->call, socket, &object);
        listing->last = socket->number;
        if (matches(listing->request, &object))
                append_object(listing->page, &object, socket);
        else
                fields_release(&socket_object_fields, &object);
        listing->full = json_array_size(listing->page) == (size_t)listing->request->limit;
        return !listing->full;
}

struct result run_socket_list(
        struct call *call, const struct socket_list_request *request, struct socket_page *reply)
{
        static const char *const states[] = { "created", "bound", "listening", "connecting", "connected",
                "disconnected" };
        uint64_t last = 0;
        bool known = request->state.bytes == NULL;
        for (size_t i = 0; i < sizeof states / sizeof *states && !known; i++)
                known = strcmp(states[i], request->state.bytes) == 0;
        if (!known)
                return call_unsound(call, "state",
                        "state: must be created, bound, listening, connecting, connected or disconnected");
        if (request->cursor.bytes != NULL &&
                !registry_parse_id(call->service->registry, request->cursor.bytes, &last))
                return call_unsound(call, "cursor", "cursor: is not the `next` of a page of this daemon");
        reply->sockets.json = json_array();
        struct listing listing = { .call = call, .request = request, .page = reply->sockets.json };
        registry_each(call->service->registry, last, list_socket, &listing);
        if (listing.full)
                reply->next = id_text(call, listing.last);
        return DONE;
}

struct result run_socket_show(
        struct call *call, const struct socket_show_request *request, struct socket_object *reply)
{
        (void)request;
        socket_describe(call, call->socket, reply);
        return DONE;
}

struct result run_socket_delete(
        struct call *call, const struct socket_delete_request *request, struct nothing *reply)
{
        (void)reply;
        struct service *const service = call->service;
        return registry_close(
                       service->registry, service->waiter, service->reactors, call->socket, request->reset)
                       ? DONE
                       : (struct result){ .kind = RESULT_UNKNOWN };
}

struct result run_socket_bind(
        struct call *call, const struct socket_bind_request *request, struct socket_object *reply)
{
        TRY(guarded_bind(call, call->socket->fd, &request->address));
        event_publish(call->socket, &(struct event_facts){ .kind = EVENT_BOUND });
        socket_describe(call, call->socket, reply);
        return DONE;
}

struct result run_socket_listen(
        struct call *call, const struct socket_listen_request *request, struct socket_object *reply)
{
        TRY(guarded_listen(call, call->socket->fd, request->backlog));
        event_publish(call->socket, &(struct event_facts){ .kind = EVENT_LISTENING });
        socket_describe(call, call->socket, reply);
        return DONE;
}

struct result run_socket_accept(
        struct call *call, const struct socket_accept_request *request, struct socket_object *reply)
{
        TRY(registry_reserve(call->service->registry, call->caller.account, 1));
        const struct socket *const listener = call->socket;
        const uint64_t record = listener->transcript == NULL ? 0 : transcript_limit(listener->transcript);
        const struct traits traits = { .label = &request->label,
                .retain = request->retain == UINT64_MAX ? listener->stored->inbox.retain : request->retain,
                .record = record_size(request->record, request->record_bytes, record) };
        struct socket *socket socket_auto = socket_expect(listener);
        const bool made = socket != NULL && describe(call, socket, &traits);
        const struct result accepted =
                made ? guarded_accept(call, call->socket, socket) : refused("accept", ENOMEM);
        if (accepted.kind != RESULT_DONE) {
                registry_unreserve(call->service->registry, call->caller.account, 1);
                return accepted;
        }
        if (!registry_publish(call->service->registry, socket)) {
                registry_unreserve(call->service->registry, call->caller.account, 1);
                return session_ended(call);
        }
        call->created = socket->number;
        socket_describe(call, socket, reply);
        return DONE;
}

struct result run_socket_connect(
        struct call *call, const struct socket_connect_request *request, struct socket_object *reply)
{
        TRY(guarded_connect(call, call->socket, &request->address));
        event_publish(
                call->socket, &(struct event_facts){ .kind = EVENT_CONNECTED, .peer = &request->address });
        socket_describe(call, call->socket, reply);
        return DONE;
}

/* seccomp: shutdown */
struct result run_socket_shutdown(
        struct call *call, const struct socket_shutdown_request *request, struct socket_object *reply)
{
        TRY(check("shutdown", shutdown(call->socket->fd, request->how)));
        /* From here on it looks to the kernel as if the peer had ended the stream. */
        if (request->how != SHUT_WR)
                atomic_fetch_or(&call->socket->told_kinds, (unsigned)EVENT_PEER_CLOSED);
        socket_describe(call, call->socket, reply);
        return DONE;
}
