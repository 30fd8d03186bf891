/* flow_accept.c: connections of the test's own to the daemon's listeners: accepted, and served by an echo. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/steps.h"
#include "tests/load/load.h"

enum { LISTENER, NEAR, FAR };

enum { NUMBER_SIZE = 8, PATIENCE_MS = 200, ECHO_SIZE = 5000 };

static bool open_listener(struct flow *flow)
{
        say(&flow->giver, "{'bind':'127.0.0.1:0','listen':{'backlog':16}}");
        return make_socket(&flow->giver, flow->ids[LISTENER], &flow->port);
}

/* One connection, which says its number, and waits to be closed in order. */
static void give_connection(struct worker *giver)
{
        struct flow *const flow = giver->flow;
        const uint64_t number = flow->given;
        char end;
        const int fd = connect_own(giver);
        if (fd < 0)
                return;
        flow->given++;
        if (send(fd, &number, sizeof number, MSG_NOSIGNAL) != sizeof number)
                complain(giver, "connection %llu: send: %s", (unsigned long long)number, strerror(errno));
        else if (recv(fd, &end, 1, 0) != 0)
                complain(giver, "connection %llu was not taken, or reset: %s", (unsigned long long)number,
                        strerror(errno));
        close(fd);
}

static void take_connection(struct worker *taker)
{
        struct flow *const flow = taker->flow;
        char id[LOAD_ID_SIZE];
        struct reply *const accepted =
                ask(taker, "POST", "/v1/sockets/%s/accept?timeout_ms=%d", flow->ids[LISTENER], PATIENCE_MS);
        copy_id(accepted, "id", id);
        reply_free(accepted);
        if (id[0] == '\0')
                return;
        struct reply *const number = ask_raw(taker, "POST", NULL, 0, "/v1/sockets/%s/recv?until=8%s", id,
                flow->job->careful ? "&offset=0" : "");
        uint64_t value;
        if (succeeded(number) && number->size == NUMBER_SIZE) {
                memcpy(&value, number->body, sizeof value);
                take_number(flow, value);
        }
        reply_free(number);
        tell(taker, "DELETE", "/v1/sockets/%s", id);
}

const struct job job_accepts = {
        .name = "accepts", .open = open_listener, .give = give_connection, .take = take_connection
};
const struct job job_careful_accepts = { .name = "careful accepts",
        .open = open_listener,
        .give = give_connection,
        .take = take_connection,
        .careful = true };

static bool open_echo(struct flow *flow)
{
        if (!open_listener(flow))
                return false;
        say(&flow->giver, "{'kind':'echo'}");
        return tell(&flow->giver, "PUT", "/v1/sockets/%s/reactor", flow->ids[LISTENER]);
}

/* Counted bytes to the echo and back, on a connection for each round. */
static void give_to_echo(struct worker *giver)
{
        struct flow *const flow = giver->flow;
        uint8_t bytes[ECHO_SIZE];
        const int fd = connect_own(giver);
        if (fd < 0)
                return;
        fill_counted(bytes, sizeof bytes, flow->given);
        if (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) == sizeof bytes && shutdown(fd, SHUT_WR) == 0)
                flow->given += sizeof bytes;
        for (ssize_t got; (got = recv(fd, bytes, sizeof bytes, 0)) != 0;) {
                if (got < 0) {
                        complain(giver, "echo: recv: %s", strerror(errno));
                        break;
                }
                take_counted(flow, bytes, (size_t)got);
        }
        close(fd);
}

const struct job job_echo = { .name = "echo", .open = open_echo, .give = give_to_echo };
const struct job job_careful_echo = {
        .name = "careful echo", .open = open_echo, .give = give_to_echo, .careful = true
};

/* All that comes on the listener's connections goes into NEAR. */
static bool open_relay(struct flow *flow)
{
        if (!open_listener(flow) || !link_up(&flow->giver, flow->ids[NEAR], flow->ids[FAR]))
                return false;
        say(&flow->giver, "{'kind':'forward','to':'%s'}", flow->ids[NEAR]);
        return tell(&flow->giver, "PUT", "/v1/sockets/%s/reactor", flow->ids[LISTENER]);
}

/* Counted bytes on a connection for each round, which is closed in order once they are passed on. */
static void give_to_relay(struct worker *giver)
{
        struct flow *const flow = giver->flow;
        uint8_t bytes[ECHO_SIZE];
        const int fd = connect_own(giver);
        if (fd < 0)
                return;
        fill_counted(bytes, sizeof bytes, flow->given);
        if (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) == sizeof bytes && shutdown(fd, SHUT_WR) == 0)
                flow->given += sizeof bytes;
        if (recv(fd, bytes, 1, 0) != 0)
                complain(giver, "relay: no end: %s", strerror(errno));
        close(fd);
}

static void take_from_relay(struct worker *taker)
{
        take_stream_from(taker, taker->flow->ids[FAR]);
}

const struct job job_relay = {
        .name = "relay", .open = open_relay, .give = give_to_relay, .take = take_from_relay
};
const struct job job_careful_relay = { .name = "careful relay",
        .open = open_relay,
        .give = give_to_relay,
        .take = take_from_relay,
        .careful = true };
