/* reactor_step.c: what each kind of reactor does, one non-blocking step at a time. */
#include <fcntl.h>
#include <string.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/reactor_link.h"
#include "daemon/sockets/receive.h"
#include "daemon/sockets/waiter.h"

static const uint64_t NS_PER_S = 1000000000;

static const int64_t SHORT_PAUSE_NS = 10000000;

static enum step fail(struct link *link, int error)
{
        link->error = error;
        return STEP_ENDED;
}

static bool is_blocked(int error)
{
        return error == EAGAIN || error == EINTR;
}

/* What the kernel lacks now, it may have later: nothing is lost meanwhile. */
static bool is_short(int error)
{
        return error == ENOBUFS || error == ENOMEM;
}

static enum step try_later(struct link *link)
{
        link->due_ns = now_ns() + SHORT_PAUSE_NS;
        return STEP_LATER;
}

/* seccomp: recvfrom */
static struct result read_datagram(struct link *link, uint8_t *bytes, size_t size, size_t *used)
{
        link->peer.size = sizeof link->peer.storage;
        const ssize_t length = recvfrom(link->in.fd, bytes, size, MSG_DONTWAIT,
                (struct sockaddr *)&link->peer.storage, &link->peer.size);
        if (length < 0)
                return is_blocked(errno) ? would_block("recv") : refused("recv", errno);
        link->peer.given = link->peer.size > 0;
        *used = (size_t)length;
        tally_add(&link->socket->stored->received, (uint64_t)length);
        return DONE;
}

/* Of a stream, what a recv has left over comes first. */
static struct result read_any(struct link *link, uint8_t *bytes, size_t size, size_t *used)
{
        if (link->datagrams)
                return read_datagram(link, bytes, size, used);
        LOCK_SCOPE(&link->socket->lanes[DIRECTION_RECEIVE].lock);
        return receive_piece(link->socket, bytes, size, 0, used);
}

static void count_read(struct link *link, size_t size)
{
        link->received += size;
        link->reactor->counts.received_bytes += size;
        link->reactor->counts.reads++;
}

/* At most what the plan's total leaves. STEP_MORE: *used bytes were read, or an empty datagram. */
static enum step read_some(struct link *link, uint8_t *bytes, size_t size, size_t *used)
{
        const uint64_t total = link->reactor->plan.total;
        if (total > 0 && total - link->received < size)
                size = (size_t)(total - link->received);
        if (size == 0)
                return STEP_ENDED;
        const struct result result = read_any(link, bytes, size, used);
        if (result.kind == RESULT_REFUSED && is_short(result.error))
                return try_later(link);
        if (result.kind == RESULT_WAIT || (link->datagrams && socket_error_passes(result.error)))
                return STEP_READABLE;
        if (result.kind != RESULT_DONE)
                return fail(link, result.error);
        link->eof = *used == 0 && !link->datagrams;
        if (link->eof)
                return STEP_ENDED;
        count_read(link, *used);
        return STEP_MORE;
}

static void count_sent(struct link *link, size_t size)
{
        link->sent += size;
        link->reactor->counts.sent_bytes += size;
        link->reactor->counts.writes++;
        tally_add(&link->to->stored->sent, (uint64_t)size);
}

/* To the sender of the datagram, if the policy lets it: errno is EACCES when not. seccomp: sendto */
static ssize_t send_answer(struct link *link, const uint8_t *bytes, size_t size)
{
        struct passage passage passage_auto;
        passage_open(&passage, WAY_SEND, link->in.fd, link->socket->family, link->socket->type, &link->peer);
        const bool may = link_may(link, DEED_SEND, &passage.target);
        link->reactor->counts.denied += !may;
        errno = may ? passage.error : EACCES;
        if (errno != 0)
                return -1;
        return sendto(link->in.fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT,
                (const struct sockaddr *)&passage.storage, passage.size);
}

/* seccomp: sendto */
static enum step send_some(struct link *link, const uint8_t *bytes, size_t size, size_t *used)
{
        const bool answers = link->answers && link->peer.given;
        const ssize_t sent = answers ? send_answer(link, bytes, size)
                                     : send(link->out.fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        *used = sent < 0 ? 0 : (size_t)sent;
        if (sent < 0 && is_short(errno))
                return try_later(link);
        if (sent < 0)
                return is_blocked(errno) ? STEP_WRITABLE : fail(link, errno);
        count_sent(link, *used);
        return STEP_MORE;
}

/* Sends more of the output. A datagram that cannot be sent is dropped. */
static enum step send_output(struct link *link)
{
        size_t used;
        enum step step = send_some(link, link->output, link->output_size, &used);
        link->output += used;
        link->output_size -= used;
        if (step == STEP_ENDED && (link->answers || (link->datagrams && socket_error_passes(link->error)))) {
                link->reactor->counts.dropped++;
                link->error = 0;
                link->sending = false;
                return STEP_MORE;
        }
        link->sending = step != STEP_MORE || link->output_size > 0;
        return step;
}

static void set_output(struct link *link, const uint8_t *bytes, size_t size)
{
        link->output = bytes;
        link->output_size = size;
        link->sending = size > 0 || link->datagrams;
}

/* All that comes goes out, to the sender or to where the link leads. */
static enum step step_echo(struct link *link)
{
        size_t used;
        if (link->sending)
                return send_output(link);
        const enum step step = read_some(link, link->buffer, REACTOR_BLOCK, &used);
        if (step == STEP_MORE)
                set_output(link, link->buffer, used);
        return step;
}

/* Not every kind of stream can be spliced from: those are read and sent. */
static enum step leave_pipe(struct link *link)
{
        for (int end = 0; end < 2; end++) {
                close(link->pipe[end]);
                link->pipe[end] = -1;
        }
        return STEP_MORE;
}

/* seccomp: splice */
static enum step splice_in(struct link *link)
{
        LOCK_SCOPE(&link->socket->lanes[DIRECTION_RECEIVE].lock);
        socket_unblock(link->socket);
        const ssize_t taken =
                splice(link->in.fd, NULL, link->pipe[1], NULL, REACTOR_BLOCK, SPLICE_F_NONBLOCK);
        if (taken < 0 && errno == EINVAL)
                return leave_pipe(link);
        if (taken < 0 && is_short(errno))
                return try_later(link);
        if (taken < 0)
                return is_blocked(errno) ? STEP_READABLE : fail(link, errno);
        link->eof = taken == 0;
        if (link->eof)
                return STEP_ENDED;
        link->piped = (size_t)taken;
        count_read(link, (size_t)taken);
        tally_add(&link->socket->stored->received, (uint64_t)taken);
        return STEP_MORE;
}

static enum step splice_out(struct link *link)
{
        socket_unblock(link->to);
        const ssize_t sent = splice(link->pipe[0], NULL, link->out.fd, NULL, link->piped, SPLICE_F_NONBLOCK);
        if (sent < 0 && is_short(errno))
                return try_later(link);
        if (sent < 0)
                return is_blocked(errno) ? STEP_WRITABLE : fail(link, errno);
        link->piped -= (size_t)sent;
        count_sent(link, (size_t)sent);
        return STEP_MORE;
}

/* What a recv has left over is no longer with the kernel, and takes the way of an echo. */
static enum step step_forward(struct link *link)
{
        if (link->piped > 0)
                return splice_out(link);
        if (link->pipe[0] < 0 || link->sending || link->socket->unread > 0)
                return step_echo(link);
        return splice_in(link);
}

static enum step step_sink(struct link *link)
{
        uint8_t *const scratch = link->reactor->reactors->scratch;
        size_t used;
        const enum step step = read_some(link, scratch, SCRATCH_SIZE, &used);
        if (step == STEP_MORE && link->hash != NULL)
                EVP_DigestUpdate(link->hash, scratch, used);
        return step;
}

static enum step step_verify(struct link *link)
{
        struct reactor *const reactor = link->reactor;
        uint8_t *const scratch = reactor->reactors->scratch;
        const uint64_t offset = link->received;
        size_t used;
        const enum step step = read_some(link, scratch, SCRATCH_SIZE, &used);
        if (step != STEP_MORE || reactor->mismatched)
                return step;
        const size_t same = pattern_agree(&reactor->plan.pattern, offset, scratch, used);
        if (same < used) {
                reactor->mismatched = true;
                reactor->mismatch = offset + same;
        }
        return STEP_MORE;
}

/* When a source may send its next byte: after the time that those before it take. */
static int64_t source_due_ns(const struct link *link)
{
        const uint64_t rate = link->reactor->plan.rate;
        return link->started_ns +
               (int64_t)(link->sent / rate * NS_PER_S + link->sent % rate * NS_PER_S / rate);
}

static enum step step_source(struct link *link)
{
        const struct reactor_plan *const plan = &link->reactor->plan;
        uint8_t *const scratch = link->reactor->reactors->scratch;
        size_t size = plan->size, used;
        if (plan->total > 0 && plan->total - link->sent < size)
                size = (size_t)(plan->total - link->sent);
        if (size == 0)
                return STEP_ENDED;
        if (plan->rate > 0) {
                link->due_ns = source_due_ns(link);
                if (link->due_ns > now_ns())
                        return STEP_LATER;
        }
        pattern_fill(&plan->pattern, link->sent, scratch, size);
        const enum step step = send_some(link, scratch, size, &used);
        if (step != STEP_ENDED || !link->datagrams || link->error != ECONNREFUSED)
                return step;
        /* It says so of the one before; this one was not tried. */
        link->error = 0;
        link->reactor->counts.dropped++;
        return STEP_WRITABLE;
}

/* Each datagram stands alone; a stream's matches begin wherever its reads do. */
static enum step step_reply(struct link *link)
{
        const struct reply_rule *match;
        size_t used;
        if (link->sending)
                return send_output(link);
        if (link->start == link->end) {
                const enum step step = read_some(link, link->buffer, REACTOR_BLOCK, &used);
                if (step != STEP_MORE)
                        return step;
                link->start = 0;
                link->end = used;
                if (link->datagrams)
                        link->matcher->kept_size = 0;
        }
        link->start += matcher_take(link->matcher, &link->reactor->plan.replies, link->buffer + link->start,
                link->end - link->start, &match);
        if (match != NULL) {
                link->reactor->counts.matches++;
                set_output(link, match->then, match->then_size);
        }
        return STEP_MORE;
}

enum step link_drain(struct link *link)
{
        size_t used = 0;
        const struct result result = read_any(link, link->reactor->reactors->scratch, SCRATCH_SIZE, &used);
        if (result.kind == RESULT_WAIT)
                return STEP_READABLE;
        return result.kind == RESULT_DONE && used > 0 ? STEP_MORE : STEP_ENDED;
}

bool link_has_work(const struct link *link)
{
        return link->sending || link->start < link->end || link->piped > 0 || link->step == step_source;
}

void link_begin(struct link *link)
{
        static enum step (*const steps[REACTOR_KIND_COUNT])(struct link *) = {
                [REACTOR_ECHO] = step_echo,
                [REACTOR_SINK] = step_sink,
                [REACTOR_SOURCE] = step_source,
                [REACTOR_VERIFY] = step_verify,
                [REACTOR_REPLY] = step_reply,
                [REACTOR_FORWARD] = step_forward,
        };
        const enum reactor_kind kind = link->reactor->plan.kind;
        link->step = steps[kind];
        link->datagrams = link->socket->type != SOCK_STREAM && link->socket->type != SOCK_SEQPACKET;
        link->answers = link->datagrams && (kind == REACTOR_ECHO || kind == REACTOR_REPLY);
        link->started_ns = now_ns();
}
