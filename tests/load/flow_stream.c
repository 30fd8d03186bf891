/* flow_stream.c: streams of counted bytes: by send and recv, through a forward, and as long raw bodies. */
#include <stdlib.h>

#include "tests/http/steps.h"
#include "tests/load/load.h"

enum { NEAR, FAR, NEARER, FARTHER };

enum {
        SEND_BUFFER = 4608,
        CHUNK_STEP = 977,
        CHUNK_MAX = 6000,
        PATIENCE_MS = 200,
        BULK_SIZE = 300000,
        BULK_PATIENCE_MS = 20000
};

/* The kernel takes only a part of most of what is to be sent. */
static bool open_stream(struct flow *flow)
{
        if (!link_up(&flow->giver, flow->ids[NEAR], flow->ids[FAR]))
                return false;
        say(&flow->giver, "{'level':'SOL_SOCKET','option':'SO_SNDBUF','value':%d}", SEND_BUFFER);
        return tell(&flow->giver, "POST", "/v1/sockets/%s/setsockopt", flow->ids[NEAR]);
}

/* From FAR on to NEARER, whose other end is FARTHER. */
static bool open_forward(struct flow *flow)
{
        struct worker *const worker = &flow->giver;
        if (!link_up(worker, flow->ids[NEAR], flow->ids[FAR]) ||
                !link_up(worker, flow->ids[NEARER], flow->ids[FARTHER]))
                return false;
        say(worker, "{'kind':'forward','to':'%s'}", flow->ids[NEARER]);
        return tell(worker, "PUT", "/v1/sockets/%s/reactor", flow->ids[FAR]);
}

static void give_stream(struct worker *giver)
{
        struct flow *const flow = giver->flow;
        uint8_t bytes[CHUNK_MAX];
        const size_t size = 1 + ++flow->rounds * CHUNK_STEP % CHUNK_MAX;
        fill_counted(bytes, size, flow->given);
        char *const data = base64_encode(bytes, size);
        if (flow->job->careful)
                say(giver, "{'data':'%s','timeout_ms':%d,'offset':%llu}", data, PATIENCE_MS,
                        (unsigned long long)flow->given);
        else
                say(giver, "{'data':'%s','timeout_ms':%d}", data, PATIENCE_MS);
        free(data);
        struct reply *const reply = ask(giver, "POST", "/v1/sockets/%s/send", flow->ids[NEAR]);
        flow->given += (uint64_t)number_of(reply, "sent");
        reply_free(reply);
}

void take_stream_from(struct worker *taker, const char *id)
{
        const unsigned long long position = taker->flow->position;
        if (taker->flow->job->careful)
                say(taker, "{'size':%d,'timeout_ms':%d,'offset':%llu,'ack':%llu}", CHUNK_MAX, PATIENCE_MS,
                        position, position);
        else
                say(taker, "{'size':%d,'timeout_ms':%d}", CHUNK_MAX, PATIENCE_MS);
        struct reply *const reply = ask(taker, "POST", "/v1/sockets/%s/recv", id);
        const char *const data =
                reply == NULL ? NULL : json_string_value(json_object_get(reply->json, "data"));
        size_t size = 0;
        uint8_t *const bytes = data == NULL ? NULL : base64_decode(data, &size);
        take_counted(taker->flow, bytes, size);
        free(bytes);
        reply_free(reply);
}

static void take_stream(struct worker *taker)
{
        take_stream_from(taker, taker->flow->ids[FAR]);
}

static void take_forwarded(struct worker *taker)
{
        take_stream_from(taker, taker->flow->ids[FARTHER]);
}

const struct job job_stream = {
        .name = "stream", .open = open_stream, .give = give_stream, .take = take_stream
};
const struct job job_careful_stream = { .name = "careful stream",
        .open = open_stream,
        .give = give_stream,
        .take = take_stream,
        .careful = true };
const struct job job_forward = {
        .name = "forward", .open = open_forward, .give = give_stream, .take = take_forwarded
};

static bool open_nothing(struct flow *flow)
{
        (void)flow;
        return true;
}

static bool wait_for(sem_t *semaphore, int timeout_ms)
{
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += timeout_ms / 1000;
        until.tv_nsec += timeout_ms % 1000 * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        return sem_clockwait(semaphore, CLOCK_MONOTONIC, &until) == 0;
}

/* Sends a long body, which is streamed; the rest again where it was cut short. */
static void upload(struct worker *giver)
{
        struct flow *const flow = giver->flow;
        uint8_t *const bytes = malloc(BULK_SIZE);
        if (bytes == NULL)
                abort();
        fill_counted(bytes, BULK_SIZE, flow->given);
        for (size_t sent = 0; sent < BULK_SIZE && !giver->failed;) {
                struct reply *const reply = ask_raw(
                        giver, "PUT", bytes + sent, BULK_SIZE - sent, "/v1/sockets/%s/send", flow->ids[NEAR]);
                const size_t more = (size_t)number_of(reply, "sent");
                flow->given += more;
                sent += more;
                reply_free(reply);
        }
        free(bytes);
}

/* A connection of its own each time, which the taker reads to its end. */
static void give_bulk(struct worker *giver)
{
        struct flow *const flow = giver->flow;
        if (!link_up(giver, flow->ids[NEAR], flow->ids[FAR]))
                return;
        sem_post(&flow->ready);
        upload(giver);
        tell(giver, "POST", "/v1/sockets/%s/shutdown?how=SHUT_WR", flow->ids[NEAR]);
        if (!giver->failed && !wait_for(&flow->done, BULK_PATIENCE_MS))
                complain(giver, "the other end was not read to its end");
        for (int end = NEAR; end <= FAR; end++)
                if (tell(giver, "DELETE", "/v1/sockets/%s", flow->ids[end]))
                        flow->ids[end][0] = '\0';
}

static void take_bulk(struct worker *taker)
{
        struct flow *const flow = taker->flow;
        if (!wait_for(&flow->ready, PATIENCE_MS))
                return;
        for (bool whole = false; !whole && !taker->failed;) {
                struct reply *const reply =
                        ask_raw(taker, "POST", NULL, 0, "/v1/sockets/%s/recv?until=eof", flow->ids[FAR]);
                whole = succeeded(reply);
                if (reply != NULL)
                        take_counted(flow, (const uint8_t *)reply->body, reply->size);
                reply_free(reply);
        }
        sem_post(&flow->done);
}

const struct job job_bulk = { .name = "bulk", .open = open_nothing, .give = give_bulk, .take = take_bulk };
