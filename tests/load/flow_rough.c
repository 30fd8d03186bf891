/* flow_rough.c: clients as one would not wish them: they vanish while their calls wait, and ask for what is
 * unsound. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/check.h"
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

/* Of each two, one closes its connection, and one resets it. */
static void leave(int fd, unsigned number)
{
        const struct linger reset = { .l_onoff = 1 };
        if (number % 2 == 0)
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
}

/* One waits, and goes; with a key, its call goes on for a while. */
static void give_vanishing(struct worker *giver)
{
        struct flow *const flow = giver->flow;
        const struct daemon *const daemon = flow->load->daemon;
        const unsigned number = flow->rounds++;
        const bool keyed = number % 3 == 0;
        char request[1024];
        flow->port = daemon->port;
        const int fd = connect_own(giver);
        const int size = snprintf(request, sizeof request,
                "POST /v1/sockets/%s/recv?size=9&timeout_ms=%d HTTP/1.1\r\nHost: localhost\r\n"
                "Authorization: Bearer %s\r\n%s%u\r\nContent-Length: 0\r\n\r\n",
                flow->ids[0], keyed ? 300 : 60000, daemon->token,
                keyed ? "Idempotency-Key: vanishing-" : "X-Number: ", number);
        if (fd < 0)
                return;
        if (send(fd, request, (size_t)size, MSG_NOSIGNAL) != size)
                complain(giver, "send: %s", strerror(errno));
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
