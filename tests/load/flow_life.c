/* flow_life.c: sockets that come and go: one by one, in batches, in sessions; and calls that stay parked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/steps.h"
#include "tests/http/wire.h"
#include "tests/load/load.h"

enum { SHORT_TTL_MS = 200, LONG_TTL_MS = 60000 };

static bool open_nothing(struct flow *flow)
{
        (void)flow;
        return true;
}

static void give_life(struct worker *giver)
{
        char id[LOAD_ID_SIZE];
        say(giver, "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0','label':'short-lived'}");
        if (!make_socket(giver, id, NULL))
                return;
        say(giver, "{'level':'SOL_SOCKET','option':'SO_RCVBUF','value':65536}");
        tell(giver, "POST", "/v1/sockets/%s/setsockopt", id);
        say(giver, "{'level':'SOL_SOCKET','option':'SO_RCVBUF'}");
        tell(giver, "POST", "/v1/sockets/%s/getsockopt", id);
        tell(giver, "POST", "/v1/sockets/%s/recv?size=1&timeout_ms=1", id);
        tell(giver, "GET", "/v1/sockets/%s/options", id);
        tell(giver, "DELETE", "/v1/sockets/%s", id);
}

const struct job job_life = { .name = "life", .open = open_nothing, .give = give_life };
const struct job job_careful_life = {
        .name = "careful life", .open = open_nothing, .give = give_life, .careful = true
};

static const char batch_steps[] =
        "{'rollback':true,'steps':["
        "{'name':'pair','path':'/v1/socketpairs'},"
        "{'path':'/v1/sockets/{pair/sockets/0/id}/send','body':{'text':'batch'}},"
        "{'path':'/v1/sockets/{pair/sockets/1/id}/recv','body':{'size':5},'parallel':true},"
        "{'path':'/v1/sockets/{pair/sockets/0/id}/recv','body':{'size':5,'timeout_ms':5},"
        "'parallel':true,'on_error':'continue'},"
        "{'method':'DELETE','path':'/v1/sockets/{pair/sockets/0/id}'},"
        "{'method':'DELETE','path':'/v1/sockets/{pair/sockets/1/id}'}]}";

/* One that fails by a fault is rolled back, and made again in the next round. */
static void give_batch(struct worker *giver)
{
        char failed[32];
        say(giver, "%s", batch_steps);
        struct reply *const reply = ask(giver, "POST", "/v1/batch");
        const json_t *const number = reply == NULL ? NULL : json_object_get(reply->json, "failed");
        snprintf(failed, sizeof failed, "results.%d.body", (int)json_integer_value(number));
        if (json_is_integer(number) && !is_allowed_failure(giver, member_of(reply, failed)))
                complain(giver, "a step failed: %.300s", reply->body);
        reply_free(reply);
}

const struct job job_batch = { .name = "batch", .open = open_nothing, .give = give_batch };
const struct job job_careful_batch = {
        .name = "careful batch", .open = open_nothing, .give = give_batch, .careful = true
};

/* A socket in a session that is ended, and one in a session whose time runs out. */
static void give_session(struct worker *giver)
{
        char session[LOAD_ID_SIZE], id[LOAD_ID_SIZE];
        const bool runs_out = ++giver->flow->rounds % 2 == 0;
        say(giver, "{'ttl_ms':%d,'label':'load'}", LONG_TTL_MS);
        struct reply *const reply = ask(giver, "POST", "/v1/sessions");
        copy_id(reply, "id", session);
        reply_free(reply);
        say(giver, "{'session':'%s','bind':'127.0.0.1:0','listen':true}", session);
        if (session[0] == '\0' || !make_socket(giver, id, NULL))
                return;
        if (runs_out)
                tell(giver, "POST", "/v1/sessions/%s/renew?ttl_ms=%d", session, SHORT_TTL_MS);
        else
                tell(giver, "DELETE", "/v1/sessions/%s", session);
        for (size_t left = 1; left > 0 && !giver->failed; pause_us(SHORT_TTL_MS * 100)) {
                struct reply *const list = ask(giver, "GET", "/v1/sockets?session=%s", session);
                left = json_array_size(member_of(list, "sockets"));
                reply_free(list);
        }
}

const struct job job_sessions = { .name = "sessions", .open = open_nothing, .give = give_session };
const struct job job_careful_sessions = {
        .name = "careful sessions", .open = open_nothing, .give = give_session, .careful = true
};

/* A recv that is parked while all the rest goes on, on a connection of its own, and a reader for it at the
 * end. */
static bool open_park(struct flow *flow)
{
        char path[128];
        struct worker *const worker = &flow->giver;
        say(worker, "{'type':'SOCK_DGRAM'}");
        struct reply *const reply = ask(worker, "POST", "/v1/socketpairs");
        copy_id(reply, "sockets.0.id", flow->ids[0]);
        copy_id(reply, "sockets.1.id", flow->ids[1]);
        reply_free(reply);
        snprintf(path, sizeof path, "/v1/sockets/%s/recv?size=9&timeout_ms=3000000", flow->ids[0]);
        flow->fd = wire_open(flow->load->daemon, OVER_UNIX);
        wire_post(flow->fd, flow->load->daemon, path);
        flow->given = 1;
        return flow->ids[1][0] != '\0';
}

static void give_park(struct worker *giver)
{
        enum { PAUSE_US = 10000 };
        (void)giver;
        pause_us(PAUSE_US);
}

static void close_park(struct flow *flow)
{
        struct wire_reply reply;
        if (!tell(&flow->giver, "POST", "/v1/sockets/%s/send?text=parked", flow->ids[1]))
                return;
        wire_read(flow->fd, &reply);
        if (reply.status == 200 && strstr(reply.body, "cGFya2Vk") != NULL)
                flow->taken = 1;
        else
                complain(&flow->giver, "%d %s", reply.status, reply.body);
}

const struct job job_park = { .name = "park", .open = open_park, .give = give_park, .close = close_park };

/* Asks for far more room than a datagram needs. */
static bool open_hungry(struct flow *flow)
{
        say(&flow->giver, "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        return make_socket(&flow->giver, flow->ids[0], NULL);
}

static void give_hungry(struct worker *giver)
{
        enum { ROOM = 128 << 20 };
        say(giver, "{'size':%d,'timeout_ms':1}", ROOM);
        reply_free(ask(giver, "POST", "/v1/sockets/%s/recv", giver->flow->ids[0]));
}

const struct job job_hungry = { .name = "hungry", .open = open_hungry, .give = give_hungry, .careful = true };
