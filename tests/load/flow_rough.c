/* flow_rough.c: clients as one would not wish them: they vanish while their calls wait, and ask for what is
 * unsound. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/check.h"
#include "tests/http/wire.h"
#include "tests/load/load.h"

static bool open_pair(struct flow *flow)
{
        say(&flow->giver, "{'type':'SOCK_DGRAM'}");
        struct reply *const reply = ask(&flow->giver, "POST", "/v1/socketpairs");
        copy_id(reply, "sockets.0.id", flow->ids[0]);
        copy_id(reply, "sockets.1.id", flow->ids[1]);
        reply_free(reply);
        return flow->ids[1][0] != '\0';
}

static void leave(int fd, unsigned number)
{
        if (number % 2 == 0)
                wire_reset(fd);
        else
                close(fd);
}

/* One waits, and goes; with a key, its call goes on for a while. */
static void give_vanishing(struct worker *giver)
{
        struct flow *const flow = giver->flow;
        const struct daemon *const daemon = flow->load->daemon;
        const unsigned number = flow->rounds++;
        const int fd = wire_open(daemon, number % 4 < 2 ? OVER_TCP : OVER_UNIX);
        pause_us(flow->load->pause_us);
        wire_write(fd,
                "POST /v1/sockets/%s/recv?size=9&timeout_ms=%d HTTP/1.1\r\nHost: localhost\r\n"
                "Authorization: Bearer %s\r\n%sContent-Length: 0\r\n\r\n",
                flow->ids[0], number % 3 == 0 ? 300 : 60000, daemon->token,
                number % 3 == 0 ? "Idempotency-Key: vanishing\r\n" : "");
        if (number % 5 != 0)
                tell(giver, "GET", "/v1/sockets/%s", flow->ids[0]);
        leave(fd, number);
        flow->load->requests++;
}

const struct job job_vanishing = { .name = "vanishing", .open = open_pair, .give = give_vanishing };

static const struct {
        const char *method, *path, *json;
        int status;
} unsound[] = {
        { "GET", "/v1/sockets/none", NULL, 404 },
        { "GET", "/v1/nothing", NULL, 404 },
        { "PATCH", "/v1/sockets", "{}", 405 },
        { "POST", "/v1/sockets", "{\"family\":\"AF_NONE\"}", 400 },
        { "POST", "/v1/sockets", "{\"family\":", 400 },
        { "POST", "/v1/sockets", "{\"bind\":\"192.0.2.1:1\"}", 422 },
        { "POST", "/v1/batch", "{\"steps\":[{\"path\":\"/v1/batch\"}]}", 200 },
};

static bool open_nothing(struct flow *flow)
{
        (void)flow;
        return true;
}

static void give_unsound(struct worker *giver)
{
        const size_t row = giver->flow->rounds++ % COUNT(unsound);
        pause_us(giver->flow->load->pause_us);
        struct reply *const reply = exchange(giver->client, &(struct request){ .method = unsound[row].method,
                                                                    .path = unsound[row].path,
                                                                    .json = unsound[row].json });
        giver->flow->load->requests++;
        if (reply->status != unsound[row].status)
                complain(giver, "%s: %d %.200s", reply->name, reply->status, reply->body);
        reply_free(reply);
}

const struct job job_unsound = { .name = "unsound", .open = open_nothing, .give = give_unsound };

static void give_lookups(struct worker *giver)
{
        tell(giver, "GET", "/v1/getaddrinfo?host=localhost&service=80");
        tell(giver, "GET", "/v1/if_nameindex");
        tell(giver, "GET", "/openapi.json");
}

const struct job job_lookups = { .name = "lookups", .open = open_nothing, .give = give_lookups };
