/* call_run.c: a call's running: name resolution, attempts, waiting and streams. */
#include "api/call.h"

#include <netdb.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "api/batch.h"
#include "api/ending.h"
#include "api/far_end.h"
#include "api/keyed.h"
#include "api/measure.h"
#include "api/place.h"
#include "api/record.h"
#include "api/recording.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/interface.h"
#include "daemon/sockets/lookup.h"
#include "daemon/sockets/observer.h"
#include "daemon/sockets/receive.h"

static const int64_t NS_PER_MS = 1000000;

static struct call *call_of(struct wait *wait)
{
        return (struct call *)((char *)wait - offsetof(struct call, wait));
}

/* seccomp: getsockopt */
static int64_t socket_timeout_ms(const struct call *call)
{
        struct timeval time = { 0 };
        socklen_t size = sizeof time;
        const int option = call->wait.direction == DIRECTION_RECEIVE ? SO_RCVTIMEO : SO_SNDTIMEO;
        if (call->wait.socket != NULL &&
                getsockopt(call->wait.socket->fd, SOL_SOCKET, option, &time, &size) == 0 &&
                (time.tv_sec != 0 || time.tv_usec != 0))
                return time.tv_sec < INT32_MAX ? time.tv_sec * 1000 + (time.tv_usec + 999) / 1000 : INT64_MAX;
        return call->service->default_timeout_ms;
}

/* MSG_DONTWAIT: not for its turn either. */
static bool must_not_wait(const struct call *call)
{
        const struct field *const field = fields_find(call->operation->request, "flags");
        if (field == NULL || field->names != &message_flag_names || call->wait.socket == NULL)
                return false;
        return (*(const int *)((const char *)call->request + field->offset) & MSG_DONTWAIT) != 0;
}

/* Of calls on a socket. */
static void tell(const struct call *call, enum event_kind kind)
{
        if (call->socket != NULL && event_is_wanted(kind))
                event_publish(call->socket,
                        &(struct event_facts){ .kind = kind, .call = call->operation->system_call });
}

static bool suspend(struct call *call)
{
        call->over_quota = !account_take(call->caller.account, RESOURCE_PARKED, 1);
        if (call->over_quota)
                return false;
        call->parked = true;
        measure_parked(1);
        tell(call, EVENT_PARKED);
        call->suspend(call);
        return true;
}

/* A stream's deadline is for each wait; any other call has one for all of its waits. */
static bool park(struct wait *wait)
{
        struct call *const call = call_of(wait);
        int64_t timeout_ms = call->common.timeout_ms >= 0 ? call->common.timeout_ms : socket_timeout_ms(call);
        if (timeout_ms > call->service->max_timeout_ms)
                timeout_ms = call->service->max_timeout_ms;
        const int64_t now = now_ns();
        wait->deadline_ns = (call->streamed ? now : call->started_ns) + timeout_ms * NS_PER_MS;
        if (call->latest_ns != 0 && wait->deadline_ns > call->latest_ns)
                wait->deadline_ns = call->latest_ns;
        return timeout_ms != 0 && wait->deadline_ns > now && !must_not_wait(call) && suspend(call);
}

static bool park_for_good(struct wait *wait)
{
        wait->deadline_ns = INT64_MAX;
        return suspend(call_of(wait));
}

static void wake(struct wait *wait)
{
        struct call *const call = call_of(wait);
        account_give_back(call->caller.account, RESOURCE_PARKED, 1);
        measure_parked(-1);
        tell(call, EVENT_WOKEN);
        call->resume(call);
}

/* What the kernel has refused is an event of the socket. */
static void tell_of_refusal(const struct call *call, const struct result *result)
{
        const bool told = result->kind == RESULT_REFUSED && result->error > 0 && !result->timed_out &&
                          result->error != EAGAIN && result->error != ECANCELED;
        if (!told || call->socket == NULL)
                return;
        const struct event_facts facts = { .kind = result->error == ECONNRESET ? EVENT_RESET : EVENT_ERROR,
                .error = result->error,
                .call = call->operation->system_call };
        if (facts.kind == EVENT_RESET)
                event_publish_once(call->socket, &facts);
        else
                event_publish(call->socket, &facts);
}

/* An attempt's result; a call may have met the descriptor of a socket that was deleted meanwhile. */
static struct result conclude(const struct call *call, struct result result)
{
        if (result.kind == RESULT_REFUSED && call->socket != NULL && call->socket->closed) {
                result.error = ECANCELED;
                result.detail = "the socket was closed while the call was under way";
        }
        tell_of_refusal(call, &result);
        return result;
}

static enum attempt attempt_run(struct wait *wait)
{
        struct call *const call = call_of(wait);
        INTERFACES_OF(call_interfaces(call));
        const struct result result = conclude(call, call->operation->run(call));
        if (result.kind == RESULT_WAIT)
                return ATTEMPT_AGAIN;
        call->result = result;
        return ATTEMPT_FINISHED;
}

/* How a wait that did not come to an attempt's end is answered. */
static void end_early(struct call *call)
{
        const char *const name = call->operation->system_call;
        const bool connecting = strcmp(name, "connect") == 0;
        const struct result results[] = {
                [WAIT_TIMED_OUT] = { .kind = RESULT_REFUSED,
                        .call = name,
                        .timed_out = true,
                        .error = connecting ? ETIMEDOUT : EAGAIN,
                        .detail = "the deadline passed before the call could be done" },
                [WAIT_CANCELED] = { .kind = RESULT_REFUSED,
                        .call = name,
                        .error = ECANCELED,
                        .detail = "the socket was closed while the call waited" },
                [WAIT_ABANDONED] = { .kind = RESULT_REFUSED,
                        .call = name,
                        .error = ECANCELED,
                        .detail = "the client ended its connection while the call waited" },
                [WAIT_SHUTDOWN] = { .kind = RESULT_SHUTDOWN },
        };
        if (call->over_quota)
                call->result = account_over(RESOURCE_PARKED);
        else if (call->wait.end != WAIT_FINISHED)
                call->result = results[call->wait.end];
}

static void prepare_wait(struct call *call, enum attempt (*attempt)(struct wait *))
{
        call->wait.client_fd = call->client_fd;
        call->wait.client_is_local = call->client_is_local;
        call->wait.attempt = attempt;
        call->wait.park = park;
        call->wait.wake = wake;
}

/* A direction that a reactor or a stream has for itself is nobody else's. */
static bool is_reacting(struct call *call, enum direction direction)
{
        if ((call->socket->reacting & 1u << direction) == 0)
                return false;
        call->result = refused(call->operation->system_call, EBUSY);
        call->result.detail =
                "a reactor serves the socket, or a stream has it: DELETE the one, or close the other, first";
        return true;
}

static enum call_state enter(struct call *call, struct socket *socket, enum direction direction)
{
        prepare_wait(call, attempt_run);
        call->wait.socket = socket;
        call->wait.direction = direction;
        if (waiter_enter(call->service->waiter, &call->wait) == ENTRY_PARKED)
                return CALL_PARKED;
        end_early(call);
        return CALL_DONE;
}

/* Waits for nobody's turn: another call may wait for the kernel, and this one does not. */
static bool repeat(struct call *call)
{
        if (call->operation->turn != TURN_RECEIVE || !inbox_retains(call->socket))
                return false;
        LOCK_SCOPE(&call->socket->lanes[DIRECTION_RECEIVE].lock);
        INTERFACES_OF(call_interfaces(call));
        if (!call_repeats(call) || call->socket->closed)
                return false;
        call->result = call->operation->run(call);
        return true;
}

static enum call_state enter_lane(struct call *call, enum direction direction)
{
        if (is_reacting(call, direction) || repeat(call))
                return CALL_DONE;
        return enter(call, call->socket, direction);
}

static struct result await(struct call *call, int client_fd, uint64_t *ticket)
{
        prepare_wait(call, NULL);
        call->wait.client_fd = client_fd;
        call->wait.socket = NULL;
        call->wait.park = park_for_good;
        if (waiter_enter_detached(call->service->waiter, &call->wait, ticket))
                return WAIT;
        end_early(call);
        return call->result;
}

struct result call_await(struct call *call, uint64_t *ticket)
{
        return await(call, -1, ticket);
}

struct result call_join(struct call *call, uint64_t *ticket)
{
        return await(call, call->client_fd, ticket);
}

/* Takes over the lookup, and parks the call until it is complete. The owner's thread is the only one to touch
 * the call until it returns, so the lookup may be started last. */
static struct result await_lookup(struct call *call, struct lookup *lookup, const char *name)
{
        uint64_t ticket;
        if (lookup == NULL)
                return refused(name, ENOMEM);
        call->lookup = lookup;
        prepare_wait(call, NULL);
        call->wait.socket = NULL;
        if (!waiter_enter_detached(call->service->waiter, &call->wait, &ticket)) {
                end_early(call);
                return call->result;
        }
        lookup_start(lookup, call->service->waiter, ticket);
        return WAIT;
}

struct result call_lookup_names(
        struct call *call, const char *host, const char *service, const struct addrinfo *hints)
{
        return await_lookup(call, lookup_new_names(host, service, hints), "getaddrinfo");
}

struct result call_lookup_address(struct call *call, const struct address *address, int flags)
{
        return await_lookup(call, lookup_new_address(address, flags), "getnameinfo");
}

/* The family that a name is to be resolved in: the socket's, or of one that is to be made, or spoken of. */
static int family_of(const struct call *call)
{
        if (call->socket != NULL)
                return call->socket->family;
        const struct fields *const request = call->operation->request;
        const struct field *const field = fields_find(request, "family");
        const int family =
                field == NULL ? AF_UNSPEC : *(const int *)((const char *)call->request + field->offset);
        if (family >= 0)
                return family;
        return request == &socket_create_request_fields ? AF_INET : AF_UNSPEC;
}

/* An address of the request that still is a host's name, or NULL. Those before it now have a family, ":80"
 * too. */
static struct address *unresolved_address(const struct call *call)
{
        const struct fields *const fields = call->operation->request;
        for (size_t i = 0; i < fields->count; i++) {
                if (fields->rows[i].kind != FIELD_ADDRESS)
                        continue;
                struct address *const address =
                        (struct address *)((char *)call->request + fields->rows[i].offset);
                address_fit(address, family_of(call));
                if (address->given && address->name[0] != '\0')
                        return address;
        }
        return NULL;
}

/* Resolves every host name in the request, one after the other. */
static struct result resolve(struct call *call)
{
        for (struct address *address; (address = unresolved_address(call)) != NULL;) {
                if (call->lookup == NULL) {
                        const int asked = address->storage.ss_family;
                        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                .ai_family = asked == AF_UNSPEC ? family_of(call) : asked };
                        return call_lookup_names(call, address->name, NULL, &hints);
                }
                const struct result result = lookup_first_address(call->lookup, address->port, address);
                lookup_release(call->lookup);
                call->lookup = NULL;
                TRY(result);
        }
        return DONE;
}

/* Runs an operation without a turn. socket_create takes one when it goes on to connect; one that has a
 * lookout waits beside all turns. */
static enum call_state run_unordered(struct call *call)
{
        INTERFACES_OF(call_interfaces(call));
        const struct result result = call->operation->run(call);
        if (result.kind != RESULT_WAIT) {
                call->result = conclude(call, result);
                return CALL_DONE;
        }
        if (call->wait.lookout != NULL)
                return enter(call, NULL, DIRECTION_RECEIVE);
        return result.call == NULL ? CALL_PARKED : enter_lane(call, DIRECTION_SEND);
}

bool call_go_on(struct call *call)
{
        if (!call->parked)
                return true;
        call->parked = false;
        end_early(call);
        return call->wait.end == WAIT_FINISHED && call->wait.socket == NULL && call->wait.lookout == NULL;
}

enum call_state call_run(struct call *call)
{
        const bool claims = call->keyed != NULL && !keyed_holds(call);
        const enum keyed_step step = claims ? keyed_enter(call) : KEYED_RUN;
        if (step != KEYED_RUN)
                return step == KEYED_PARKED ? CALL_PARKED : CALL_DONE;
        if (!call_go_on(call))
                return CALL_DONE;
        const struct result resolved = resolve(call);
        if (resolved.kind == RESULT_WAIT)
                return CALL_PARKED;
        if (resolved.kind != RESULT_DONE) {
                call->result = resolved;
                return CALL_DONE;
        }
        if (call->operation->turn < TURN_RECEIVE)
                return run_unordered(call);
        return enter_lane(call, call->operation->turn == TURN_SEND ? DIRECTION_SEND : DIRECTION_RECEIVE);
}

/* Streams. The owner's buffers are only touched on its own thread: a parked attempt just gets the turn back.
 */

static enum attempt attempt_send_piece(struct wait *wait)
{
        struct call *const call = call_of(wait);
        if (wait->waiting)
                return ATTEMPT_HOLD;
        call->result = call_send_once(call, call->piece.bytes, call->piece.size, &call->piece.used);
        if (call->result.kind == RESULT_WAIT)
                return ATTEMPT_AGAIN;
        return call->result.kind == RESULT_DONE ? ATTEMPT_HOLD : ATTEMPT_FINISHED;
}

static enum attempt attempt_receive_piece(struct wait *wait)
{
        struct call *const call = call_of(wait);
        if (wait->waiting)
                return ATTEMPT_HOLD;
        call->result = receive_piece(call->socket, call->piece.bytes, call->piece.size,
                call_stream_flags(call), &call->piece.used);
        if (call->result.kind == RESULT_WAIT)
                return ATTEMPT_AGAIN;
        return call->result.kind == RESULT_DONE && call->piece.used > 0 ? ATTEMPT_HOLD : ATTEMPT_FINISHED;
}

static enum call_state run_piece(struct call *call, size_t *used)
{
        *used = 0;
        call->piece.used = 0;
        if (call->parked) {
                call->parked = false;
                end_early(call);
                if (call->wait.end != WAIT_FINISHED) {
                        waiter_leave(call->service->waiter, &call->wait);
                        return CALL_DONE;
                }
        }
        if (is_reacting(call, call->wait.direction))
                return CALL_DONE;
        if (waiter_enter(call->service->waiter, &call->wait) == ENTRY_PARKED)
                return CALL_PARKED;
        end_early(call);
        call->result = conclude(call, call->result);
        *used = call->piece.used;
        if (*used > 0 && call->piece.size > 0 && call->socket->transcript != NULL)
                recording_add_piece(call, call->piece.bytes, *used);
        return CALL_DONE;
}

enum call_state call_send_piece(struct call *call, const uint8_t *bytes, size_t size, size_t *used)
{
        prepare_wait(call, attempt_send_piece);
        call->wait.socket = call->socket;
        call->wait.direction = DIRECTION_SEND;
        /* send() only reads them. */
        call->piece.bytes = (uint8_t *)(uintptr_t)bytes;
        call->piece.size = size;
        return run_piece(call, used);
}

enum call_state call_receive_piece(struct call *call, uint8_t *bytes, size_t size, size_t *used)
{
        prepare_wait(call, attempt_receive_piece);
        call->wait.socket = call->socket;
        call->wait.direction = DIRECTION_RECEIVE;
        call->piece.bytes = bytes;
        call->piece.size = size;
        return run_piece(call, used);
}

void call_release(struct call *call)
{
        if (call->streamed)
                ending_note(call, NULL);
        if (call->wait.in_lane)
                waiter_leave(call->service->waiter, &call->wait);
        if (call->far_end != NULL)
                far_end_leave(call);
        if (call->listening != 0)
                observer_leave(call->service->observer, call->listening);
        keyed_release(call);
        /* One that has not ended releases itself. */
        if (call->wait.end == WAIT_FINISHED)
                batch_free(call->batch);
        lookup_release(call->lookup);
        lookout_release(call->wait.lookout);
        if (call->reserved > 0) {
                /* What was to be made is not, and nobody knows of it. */
                if (call->socket != NULL)
                        waiter_cancel(call->service->waiter, call->socket);
                registry_unreserve(call->service->registry, call->caller.account, call->reserved);
        }
        if (call->operation != NULL && call->reply != NULL)
                fields_release(call->operation->reply, call->reply);
        if (call->problem != NULL)
                json_decref(call->problem->extra);
        json_decref(call->parameters);
        account_give_back(call->caller.account, RESOURCE_BYTES, call->held);
        socket_release(call->socket);
        session_release(call->session);
        free(call->received);
        arena_free(&call->arena);
}
