/* call.h: one request to run one operation, from decoding to its reply. Knows nothing of HTTP's wire. */
#pragma once

#include "api/caller.h"
#include "api/operation.h"
#include "daemon/sockets/guard.h"
#include "daemon/sockets/outcome.h"
#include "daemon/sockets/session.h"
#include "daemon/sockets/waiter.h"

struct batch;
struct call;
struct draft;
struct far_end;
struct goal;
struct keyed;
struct lookup;
struct observer;
struct reactors;

/* What all calls work on. Constant once the daemon serves, but for the policy that the guard has. */
struct service {
        struct registry *registry;
        struct sessions *sessions;
        struct waiter *waiter;
        struct reactors *reactors;
        const _Atomic unsigned *connections; /* the HTTP server's count; NULL: there is none */
        struct observer *observer;
        struct outcomes *outcomes; /* NULL: no call has a key */
        int64_t default_timeout_ms, max_timeout_ms;
        size_t max_body_size;
        _Atomic bool shutting_down;
        struct guard guard;
        /* Told, in a line of text, what the policy denies without a reply that says so, or would deny if it
         * were enforced; NULL: nobody. Any thread may call it. */
        void (*note)(const char *text);
        /* Told of each call that was made inside of another, once it is done; NULL: nobody. */
        void (*note_call)(const struct call *call, int status);
};

/* Puts a policy in force, whose reference it takes over (NULL: only what is built in): all of it at once, for
 * whatever is judged from then on. */
static inline void service_set_policy(struct service *service, struct policy *policy)
{
        guard_set_policy(&service->guard, policy);
}

/* The parameters that many operations share. */
struct common {
        int64_t timeout_ms; /* -1: not given */
        struct value expect;
};

/* One thread works on a call at a time: its owner's, or, while it is parked, the waiter's. */
struct call {
        struct service *service;
        const struct operation *operation;
        struct arena arena;
        json_t *parameters; /* requests point into it */
        void *request;      /* operation->request's struct, in the arena */
        void *reply;        /* operation->reply's struct, in the arena */
        struct common common;
        struct socket *socket;   /* of a path with {id}, or the one being made; a reference */
        struct session *session; /* of a path with {id}, or of the sockets being made; a reference */
        struct binary payload;   /* what stood outside the JSON: a raw body, or the text that was cut out */
        bool raw_reply;          /* the caller asked for application/octet-stream */
        const char *accept;      /* what the caller would have, as HTTP's Accept says it; NULL: anything */
        unsigned media;          /* which of its record's types a reply is of that is no record */
        bool streamed;           /* the payload is handed over, or taken, piece by piece */

        struct result result;
        struct problem *problem; /* in the arena; NULL: the result says it all */
        struct wait wait;
        bool parked;
        bool made_recorder;    /* a socket that it made records */
        bool ended;            /* it was counted; see ending.h */
        bool over_quota;       /* it was not parked, since its caller has as many calls parked as may be */
        uint8_t *received;     /* what the reply's payload is in, from malloc(), or NULL */
        size_t held;           /* bytes that its account is charged with until it is released */
        struct lookup *lookup; /* a name resolution, or NULL */
        int64_t started_ns;
        int64_t latest_ns; /* no wait goes on for longer; 0: whatever the timeout is */
        bool begun;        /* a connect(2) is under way */
        size_t reserved;   /* sockets that the registry keeps room for, until they are published */
        uint64_t created;  /* for Location: 0, or the new socket's number */
        struct {
                uint8_t *bytes;
                size_t size, used;
        } piece;
        struct batch *batch; /* that was started; the call's once the wait for it has finished */
        struct goal *goal;   /* of a recv with `until`, in the arena */
        struct draft *draft; /* of a sendmsg: its messages as the kernel takes them, in the arena */
        uint64_t listening;  /* by which number it listens for events, or 0 */
        int *expect;         /* errnos that the caller expects, in the arena */
        size_t expect_count;

        struct far_end *far_end; /* the owner's, of a stream; else NULL */

        /* Set by the owner before call_begin(). suspend() is called each time that the call parks, on the
         * owner's thread; the call must not be touched from then until resume(), which comes once, on any
         * thread. */
        void (*suspend)(struct call *call);
        void (*resume)(struct call *call);
        int client_fd; /* -1: none to watch */
        bool client_is_local;
        struct caller caller;
        struct keyed *keyed; /* of a call with a key: the owner's, in the arena; NULL: it has none */
};

/* What only calls with a key have; see keyed.h. */
struct keyed {
        char key[KEY_SIZE];                    /* the caller's name for this call */
        uint8_t fingerprint[FINGERPRINT_SIZE]; /* of all that was asked; set before call_run() */
        struct outcome *outcome;               /* NULL: the key is not this call's, or no more */
        struct joiner joiner;
        struct outcome_reply replay;
        bool replays; /* an earlier call's reply is this one's */
        bool again;   /* an earlier call was interrupted, and may have done it */
        bool sent;    /* some of it was sent */
};

enum call_state { CALL_DONE, CALL_PARKED };

/* Where a request is unsound, these return false, and the call may only be replied to. The struct comes
 * zeroed but for what its owner sets. With a key, a socket that is not there is only found out when it runs:
 * the call may have been what ended it. */
bool call_begin(
        struct call *call, struct service *service, const struct operation *operation, const char *id);

/* Whether the socket, or session, of the path is not there; the call has then failed. */
bool call_is_lost(struct call *call);

/* How long it may wait: as it asks, or as the daemon has it, and not longer than that allows. */
int64_t call_timeout_ms(const struct call *call);

/* Whether a socket, or a session, is the caller's to see and use. */
bool call_reaches(const struct call *call, const struct socket *socket);
bool call_reaches_session(const struct call *call, const struct session *session);

/* For run functions: finds the session that the sockets being made are to belong to (none without bytes), and
 * keeps it in the call. RESULT_UNKNOWN with a problem when it is not the caller's. */
struct result call_join_session(struct call *call, const struct text *id);

/* Whose network interfaces the call means, for INTERFACES_OF(): those that its socket sees, or -1. */
int call_interfaces(const struct call *call);

/* For run functions: the session of the path has ended meanwhile. */
struct result call_session_gone(struct call *call);

/* The id of a socket or session, in the call's arena. */
struct text id_text(struct call *call, uint64_t number);

/* Adds a parameter of the query string. `text` may be NULL (a bare name). */
bool call_add_query(struct call *call, const char *name, const char *text, size_t size);

/* Adds a JSON body's parameters. The body is changed; it must live as long as the call. */
bool call_add_json(struct call *call, char *body, size_t size);

/* Adds an object's members as parameters. */
bool call_add_members(struct call *call, json_t *members);

/* Adds a raw body, which must live as long as the call. */
bool call_add_raw(struct call *call, const uint8_t *bytes, size_t size);

/* Decodes what was added. */
bool call_decode(struct call *call);

/* Whether a raw body goes to the socket as it comes, and whether a raw reply is taken from it as it comes. */
bool call_streams_in(const struct call *call);
bool call_streams_out(const struct call *call);

/* The flags of a raw reply's system calls, and how many bytes it will have (UINT64_MAX: till the end). */
int call_stream_flags(const struct call *call);
uint64_t call_stream_size(const struct call *call);

/* Streams: sends the next of the bytes once; *used is how many of them the kernel has then. RESULT_WAIT. */
struct result call_send_once(struct call *call, const uint8_t *bytes, size_t size, size_t *used);

/* Runs it, or goes on after resume(). */
enum call_state call_run(struct call *call);

/* Streams: sends some of the bytes; goes on after resume() when called again. CALL_DONE: *used bytes are
 * sent, or call->result failed. */
enum call_state call_send_piece(struct call *call, const uint8_t *bytes, size_t size, size_t *used);

/* Streams: receives some bytes, or with no room only waits for them. CALL_DONE: *used bytes are received, 0
 * at the end of the stream, or call->result failed. */
enum call_state call_receive_piece(struct call *call, uint8_t *bytes, size_t size, size_t *used);

struct call_reply {
        int status;
        bool replayed;     /* it is an earlier call's; the call has its content type */
        const char *media; /* content type; NULL: no body */
        uint8_t *body;     /* from malloc(), the caller's now */
        size_t size;
        char location[64]; /* "" or a path */
        char *members;     /* beside a raw body: the other members as JSON; the caller's now; or NULL */
};

/* The reply to a call that is done. False without memory. */
bool call_reply(struct call *call, struct call_reply *out);

/* The payload of a reply's record, or NULL; whether its JSON is the first member of the reply, and where the
 * next begins.
 */
const struct payload *reply_payload(const struct call *call);
bool reply_begins_with_payload(const struct call_reply *reply, const struct payload *payload, size_t *rest);

/* The reply to a request that is no call's. False without memory. */
bool problem_reply(const struct problem *problem, int64_t started_ns, struct call_reply *out);

/* The errno's name of a call that the kernel refused, for logs; or NULL. */
const char *call_errno_name(const struct call *call);

/* Releases all that the call holds; the struct itself is its owner's. */
void call_release(struct call *call);

/* Charges the caller with memory that the call holds, until it is released. call_hold: false when that passes
 * a limit; the call has then failed. call_keep: for bytes that are already there. */
bool call_hold(struct call *call, size_t size);
void call_keep(struct call *call, size_t size);

/* For run functions that take bytes from the kernel, before they do: whether the caller may hold more. */
struct result call_room(const struct call *call);

/* For run functions: the bytes that were received, from malloc(), become the call's. Cannot fail: what is
 * taken from the kernel must not be lost for want of memory. */
void call_own(struct call *call, uint8_t *bytes);

/* For run functions: notes a problem, whose kind it keeps. */
struct result call_fail(struct call *call, const struct problem *problem);

/* For run functions: notes what is wrong with a parameter. */
struct result call_unsound(struct call *call, const char *parameter, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* The parameters that many operations share; common_applies says whether a row has one of them. */
extern const struct fields common_fields;
bool common_applies(const struct operation *operation, const struct field *field);

/* For run functions: parks the call until waiter_complete() with that ticket, however long that takes; then
 * the run function is called again (WAIT). The call must not be touched after that. */
struct result call_await(struct call *call, uint64_t *ticket);

/* The same, but the client's going ends it too. */
struct result call_join(struct call *call, uint64_t *ticket);

/* After a wait, if there was one: whether the call goes on; else call->result says how it ended. */
bool call_go_on(struct call *call);

/* For run functions: start a name resolution and park the call (WAIT), or say why that cannot be. The run
 * function is called again with call->lookup complete. */
struct addrinfo;
struct result call_lookup_names(
        struct call *call, const char *host, const char *service, const struct addrinfo *hints);
struct result call_lookup_address(struct call *call, const struct address *address, int flags);
