/* keyed.c: calls with a key: each is run once, and whoever comes again with the key gets its reply.
 *
 * A call that the daemon was killed in, or that broke off at its shutdown, may have done something or not.
 * What there is to see of it is told by a table: most calls may simply be run again. */
#include "api/keyed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/record.h"
#include "api/session_object.h"
#include "api/socket_object.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/send.h"

bool keyed_holds(const struct call *call)
{
        return call->keyed != NULL && call->keyed->outcome != NULL;
}

/* RESULT_DONE: it was done, and call->reply is filled in. RESULT_WAIT: it is to be run. */
static const struct result RUN = { .kind = RESULT_WAIT };

static struct result fail(
        struct call *call, enum problem_kind kind, const char *parameter, const char *detail)
{
        struct problem problem = { .extra = NULL };
        problem_set(&problem, kind, parameter, "%s", detail);
        return call_fail(call, &problem);
}

struct search {
        uint64_t made_by;
        struct socket **out;
        size_t most, found;
};

static bool collect(void *context, struct socket *socket)
{
        struct search *const search = context;
        if (socket->stored->made_by == search->made_by)
                search->out[search->found++] = socket_reference(socket);
        return search->found < search->most;
}

/* The sockets that the call has made; references, at most `most` of them. Returns how many. */
static size_t find_made(const struct call *call, struct socket **out, size_t most)
{
        struct search search = { .made_by = keyed_number(call), .out = out, .most = most };
        registry_each(call->service->registry, search.made_by, collect, &search);
        return search.found;
}

static struct result again_made(struct call *call)
{
        struct socket *socket socket_auto = NULL;
        if (find_made(call, &socket, 1) == 0)
                return RUN;
        call->created = socket->number;
        socket_describe(call, socket, call->reply);
        return DONE;
}

/* One without the other is of no use to anybody. */
static struct result again_pair(struct call *call)
{
        struct service *const service = call->service;
        struct socket_pair *const reply = call->reply;
        struct socket *both[2] = { NULL };
        const size_t count = find_made(call, both, 2);
        if (count == 2) {
                call->created = both[0]->number;
                reply->sockets.json = json_array();
        }
        for (size_t i = 0; i < count; i++) {
                struct socket *socket socket_auto = both[i];
                struct socket_object object;
                if (count < 2) {
                        registry_close(service->registry, service->waiter, service->reactors, socket, false);
                        return RUN;
                }
                socket_describe(call, socket, &object);
                json_array_append_new(reply->sockets.json, fields_encode(&socket_object_fields, &object));
                fields_release(&socket_object_fields, &object);
        }
        return count == 0 ? RUN : DONE;
}

static struct result again_session(struct call *call)
{
        call->session = sessions_find_made(call->service->sessions, keyed_number(call));
        if (call->session == NULL)
                return RUN;
        call->created = call->session->number;
        session_describe(call, call->session, call->reply);
        return DONE;
}

/* What is not there any more was ended, if by another call. */
static struct result again_gone(struct call *call)
{
        return call->socket == NULL && call->session == NULL ? DONE : RUN;
}

static struct result again_bound(struct call *call)
{
        struct socket_status status;
        if (call->socket == NULL)
                return RUN;
        socket_status_read(call->socket, &status);
        if (strcmp(status.state, "created") == 0)
                return RUN;
        socket_describe(call, call->socket, call->reply);
        return DONE;
}

static struct result again_unknown(struct call *call)
{
        return fail(call, PROBLEM_INTERRUPTED, NULL,
                "The daemon ended in the middle of this call, and what the call had done by then cannot be "
                "known: look, and go on with another key.");
}

enum { DOUBTS_MOST = 6 };

/* All others are run again: they change nothing, set the same once more, go on where tally.h says that they
 * were, or, like connect(2), are told by the kernel that it is done. */
static const struct interrupted {
        const char *name;
        struct result (*again)(struct call *call); /* NULL: it is run again */
        /* Where the kernel says such an errno the second time, it may have done it the first time. */
        int doubts[DOUBTS_MOST];
} interrupted[] = {
        /* The path of a socket in the file system outlives it, and so do connections that were closed. */
        { "socket_create", .again = again_made, .doubts = { EADDRINUSE, EADDRNOTAVAIL } },
        { "socketpair_create", .again = again_pair },
        { "socket_accept", .again = again_made },
        { "session_create", .again = again_session },
        { "socket_delete", .again = again_gone },
        { "session_delete", .again = again_gone },
        { "socket_bind", .again = again_bound },
        { "socket_shutdown", .doubts = { ENOTCONN } },
        /* Groups joined and left, filters detached, TCP_ULP, PACKET_FANOUT, PACKET_RX_RING … */
        { "socket_setsockopt", .doubts = { EADDRINUSE, EADDRNOTAVAIL, ENOENT, EEXIST, EALREADY, EBUSY } },
        { "batch", .again = again_unknown },
        { "reactor_start", .again = again_unknown },
        { "reactor_stop", .again = again_unknown },
};

static const struct interrupted *row_of(const struct call *call)
{
        for (size_t i = 0; i < sizeof interrupted / sizeof *interrupted; i++)
                if (strcmp(interrupted[i].name, call->operation->name) == 0)
                        return &interrupted[i];
        return NULL;
}

static struct result look_again(struct call *call)
{
        const struct interrupted *const row = row_of(call);
        return row == NULL || row->again == NULL ? RUN : row->again(call);
}

void keyed_doubt(struct call *call)
{
        const bool again = keyed_holds(call) && call->keyed->again;
        const struct interrupted *const row = again ? row_of(call) : NULL;
        if (row == NULL || call->result.kind != RESULT_REFUSED)
                return;
        for (size_t i = 0; i < DOUBTS_MOST; i++)
                if (row->doubts[i] != 0 && row->doubts[i] == call->result.error) {
                        call->result = again_unknown(call);
                        return;
                }
}

/* The key is the call's, which goes on when its client goes. */
static enum keyed_step take(struct call *call, bool again)
{
        call->client_fd = -1;
        call->keyed->again = again;
        call->started_ns = now_ns();
        struct result result = again ? look_again(call) : RUN;
        if (result.kind == RESULT_WAIT && call_is_lost(call))
                return KEYED_DONE;
        if (result.kind == RESULT_WAIT)
                return KEYED_RUN;
        call->result = result;
        return KEYED_DONE;
}

/* Waits for the call that has the key. The wait may end on another thread at once, but this call goes on on
 * its owner's, after this. */
static enum keyed_step join(struct call *call)
{
        uint64_t ticket;
        const struct result result = call_join(call, &ticket);
        if (result.kind == RESULT_WAIT) {
                outcomes_await(call->service->outcomes, &call->keyed->joiner, ticket);
                return KEYED_PARKED;
        }
        call->result = result;
        return KEYED_DONE;
}

static enum keyed_step claim(struct call *call)
{
        struct keyed *const keyed = call->keyed;
        const struct account *const account = call->caller.account;
        const struct outcome_key key = { .owner = account == NULL ? "" : account->name,
                .text = keyed->key,
                .fingerprint = keyed->fingerprint };
        switch (outcomes_claim(
                call->service->outcomes, &key, &keyed->outcome, &keyed->replay, &keyed->joiner)) {
        case CLAIM_NEW:
                return take(call, false);
        case CLAIM_INTERRUPTED:
                return take(call, true);
        case CLAIM_RUNNING:
                return join(call);
        case CLAIM_DONE:
                keyed->replays = true;
                return KEYED_DONE;
        case CLAIM_LOST:
                call->result = fail(call, PROBLEM_INTERRUPTED, NULL,
                        "The call was done, but its reply was longer than --kept-outcome-bytes and is lost.");
                return KEYED_DONE;
        case CLAIM_OTHER:
                call->result = fail(call, PROBLEM_KEY_REUSED, "Idempotency-Key",
                        "Another request was made with this key: a key is for one, and for its retries.");
                return KEYED_DONE;
        case CLAIM_FULL:
                call->result = (struct result){ .kind = RESULT_QUOTA,
                        .detail = "as many calls with keys are under way as may be" };
                return KEYED_DONE;
        case CLAIM_NO_MEMORY:
                break;
        }
        call->result = lack_memory();
        return KEYED_DONE;
}

enum keyed_step keyed_enter(struct call *call)
{
        outcomes_part(call->service->outcomes, &call->keyed->joiner);
        return call_go_on(call) ? claim(call) : KEYED_DONE;
}

bool keyed_replays(const struct call *call)
{
        return call->keyed != NULL && call->keyed->replays;
}

bool keyed_replay(struct call *call, struct call_reply *out)
{
        if (!keyed_replays(call))
                return false;
        struct outcome_reply *const replay = &call->keyed->replay;
        *out = (struct call_reply){ .status = replay->status,
                .media = replay->media[0] == '\0' ? NULL : replay->media,
                .body = TAKE(replay->body),
                .size = replay->size,
                .members = TAKE(replay->members),
                .replayed = true };
        snprintf(out->location, sizeof out->location, "%s", replay->location);
        return true;
}

/* Answers of the kernel and of the policy are outcomes. */
static bool is_outcome(const struct call *call)
{
        const enum result_kind kind = call->result.kind;
        return kind == RESULT_DONE || kind == RESULT_REFUSED || kind == RESULT_DENIED ||
               kind == RESULT_UNEXPECTED;
}

/* Whether a call without an outcome may have done something all the same. */
static bool may_have_acted(const struct call *call)
{
        return call->keyed->again || call->keyed->sent || call->result.kind == RESULT_SHUTDOWN;
}

void keyed_keep(struct call *call, const struct call_reply *reply)
{
        struct outcomes *const outcomes = call->service->outcomes;
        if (!keyed_holds(call))
                return;
        struct outcome *const outcome = TAKE(call->keyed->outcome);
        if (reply != NULL && is_outcome(call)) {
                struct outcome_reply kept = { .status = reply->status,
                        .body = reply->body,
                        .size = reply->size,
                        .members = reply->members };
                snprintf(kept.media, sizeof kept.media, "%s", reply->media == NULL ? "" : reply->media);
                snprintf(kept.location, sizeof kept.location, "%s", reply->location);
                outcome_keep(outcomes, outcome, &kept);
        } else if (reply == NULL || may_have_acted(call)) {
                outcome_leave(outcomes, outcome);
        } else {
                outcome_drop(outcomes, outcome);
        }
}

void keyed_release(struct call *call)
{
        struct keyed *const keyed = call->keyed;
        if (keyed == NULL)
                return;
        outcomes_part(call->service->outcomes, &keyed->joiner);
        keyed_keep(call, NULL);
        free(keyed->replay.body);
        free(keyed->replay.members);
}

uint64_t keyed_number(const struct call *call)
{
        return keyed_holds(call) ? outcome_number(call->keyed->outcome) : 0;
}

uint64_t keyed_start(struct call *call, uint64_t asked)
{
        return keyed_holds(call) && asked == SEND_ANYWHERE ? outcome_start(call->keyed->outcome, call->socket)
                                                           : asked;
}

void keyed_note_sent(struct call *call)
{
        if (keyed_holds(call))
                call->keyed->sent = outcome_note_sent(call->keyed->outcome, call->socket);
}
