/* flow_message.c: numbered datagrams, one by one and several at a time. */
#include <stdlib.h>
#include <string.h>

#include "tests/http/steps.h"
#include "tests/load/load.h"

enum { NEAR, FAR };

enum { NUMBER_SIZE = 8, WINDOW = 8, PATIENCE_MS = 200, WAIT_US = 1000, TOGETHER = 3 };

static bool open_datagrams(struct flow *flow)
{
        say(&flow->giver, "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        if (!make_socket(&flow->giver, flow->ids[FAR], &flow->port))
                return false;
        say(&flow->giver, "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        return make_socket(&flow->giver, flow->ids[NEAR], NULL);
}

/* The kernel throws away what finds its receiver full. */
static bool has_room(struct flow *flow)
{
        if (flow->given < flow->taken + WINDOW)
                return true;
        pause_us(WAIT_US);
        return false;
}

static char *number_data(uint64_t number)
{
        uint8_t bytes[NUMBER_SIZE];
        memcpy(bytes, &number, sizeof bytes);
        return base64_encode(bytes, sizeof bytes);
}

static void take_data(struct flow *flow, const json_t *message)
{
        const char *const data = json_string_value(json_object_get(message, "data"));
        size_t size = 0;
        uint8_t *const bytes = data == NULL ? NULL : base64_decode(data, &size);
        uint64_t number = 0;
        if (size == NUMBER_SIZE)
                memcpy(&number, bytes, sizeof number);
        free(bytes);
        if (size == NUMBER_SIZE)
                take_number(flow, number);
        else if (data != NULL)
                complain(&flow->taker, "a datagram of %zu bytes", size);
}

static void give_datagram(struct worker *giver)
{
        struct flow *const flow = giver->flow;
        if (!has_room(flow))
                return;
        char *const data = number_data(flow->given);
        if (flow->job->careful)
                say(giver, "{'data':'%s','address':'127.0.0.1:%d','offset':%llu}", data, flow->port,
                        (unsigned long long)flow->given);
        else
                say(giver, "{'data':'%s','address':'127.0.0.1:%d'}", data, flow->port);
        free(data);
        if (tell(giver, "POST", "/v1/sockets/%s/sendto", flow->ids[NEAR]))
                flow->given++;
}

static void take_datagram(struct worker *taker)
{
        struct flow *const flow = taker->flow;
        if (flow->job->careful)
                say(taker, "{'size':100,'timeout_ms':%d,'offset':%llu,'ack':%llu}", PATIENCE_MS,
                        (unsigned long long)flow->position, (unsigned long long)flow->position);
        else
                say(taker, "{'size':100,'timeout_ms':%d}", PATIENCE_MS);
        struct reply *const reply = ask(taker, "POST", "/v1/sockets/%s/recvfrom", flow->ids[FAR]);
        if (succeeded(reply)) {
                take_data(flow, reply->json);
                flow->position++;
        }
        reply_free(reply);
}

const struct job job_datagrams = {
        .name = "datagrams", .open = open_datagrams, .give = give_datagram, .take = take_datagram
};

const struct job job_careful_datagrams = { .name = "careful datagrams",
        .open = open_datagrams,
        .give = give_datagram,
        .take = take_datagram,
        .careful = true };

static bool open_pair(struct flow *flow)
{
        say(&flow->giver, "{'type':'SOCK_DGRAM'}");
        struct reply *const reply = ask(&flow->giver, "POST", "/v1/socketpairs");
        copy_id(reply, "sockets.0.id", flow->ids[NEAR]);
        copy_id(reply, "sockets.1.id", flow->ids[FAR]);
        reply_free(reply);
        return flow->ids[FAR][0] != '\0';
}

/* As many as the reply says were sent. */
static void give_messages(struct worker *giver)
{
        struct flow *const flow = giver->flow;
        char *data[TOGETHER];
        if (!has_room(flow))
                return;
        for (unsigned i = 0; i < TOGETHER; i++)
                data[i] = number_data(flow->given + i);
        say(giver,
                "{'messages':[{'buffers':[{'data':'%s'}]},{'buffers':[{'data':'%s'}]},"
                "{'buffers':[{'data':'%s'}]}],'timeout_ms':%d}",
                data[0], data[1], data[2], PATIENCE_MS);
        for (unsigned i = 0; i < TOGETHER; i++)
                free(data[i]);
        struct reply *const reply = ask(giver, "POST", "/v1/sockets/%s/sendmsg", flow->ids[NEAR]);
        flow->given += (uint64_t)number_of(reply, "messages");
        reply_free(reply);
}

static void take_messages(struct worker *taker)
{
        struct flow *const flow = taker->flow;
        if (flow->job->careful)
                say(taker, "{'size':100,'count':%d,'timeout_ms':%d,'offset':%llu,'ack':%llu}", TOGETHER,
                        PATIENCE_MS, (unsigned long long)flow->position, (unsigned long long)flow->position);
        else
                say(taker, "{'size':100,'count':%d,'timeout_ms':%d}", TOGETHER, PATIENCE_MS);
        struct reply *const reply = ask(taker, "POST", "/v1/sockets/%s/recvmsg", flow->ids[FAR]);
        const json_t *const messages = reply == NULL ? NULL : json_object_get(reply->json, "messages");
        for (size_t i = 0; i < json_array_size(messages); i++)
                take_data(flow, json_array_get(messages, i));
        flow->position += json_array_size(messages);
        reply_free(reply);
}

const struct job job_messages = {
        .name = "messages", .open = open_pair, .give = give_messages, .take = take_messages
};

const struct job job_careful_messages = { .name = "careful messages",
        .open = open_pair,
        .give = give_messages,
        .take = take_messages,
        .careful = true };

static void give_to_watched(struct worker *giver)
{
        struct flow *const flow = giver->flow;
        if (!has_room(flow))
                return;
        char *const data = number_data(flow->given);
        say(giver, "{'data':'%s','timeout_ms':%d}", data, PATIENCE_MS);
        free(data);
        if (tell(giver, "POST", "/v1/sockets/%s/send", flow->ids[NEAR]))
                flow->given++;
}

/* Looks first whether something has come, and takes it then. */
static void take_watched(struct worker *taker)
{
        struct flow *const flow = taker->flow;
        say(taker, "{'sockets':[{'id':'%s','events':['POLLIN']}],'timeout_ms':%d}", flow->ids[FAR],
                PATIENCE_MS);
        if (!tell(taker, "POST", "/v1/poll"))
                return;
        say(taker, "{'size':100,'flags':['MSG_DONTWAIT']}");
        struct reply *const reply = ask(taker, "POST", "/v1/sockets/%s/recv", flow->ids[FAR]);
        if (succeeded(reply))
                take_data(flow, reply->json);
        else if (reply != NULL)
                complain(taker, "what was seen is not there");
        reply_free(reply);
}

const struct job job_watched = {
        .name = "watched", .open = open_pair, .give = give_to_watched, .take = take_watched
};
