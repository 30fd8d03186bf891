/* test_datagram.c: datagrams keep their edges: UDP, unix, connected or not, cut short, empty. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/steps.h"

struct post {
        const char *id;
        int port;
};

static struct post make_udp(struct stage *stage)
{
        const struct reply *const reply = post(
                stage, 201, "/v1/sockets", "{'family':'AF_INET','type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        return (struct post){ .id = text_at(reply, "id"), .port = (int)number_at(reply, "local.port") };
}

static void there_and_back(struct stage *stage)
{
        const struct post one = make_udp(stage), other = make_udp(stage);
        const struct reply *reply =
                act(stage, one.id, "sendto", 200, "{'text':'ping','address':'127.0.0.1:%d'}", other.port);
        assert_int_equal(number_at(reply, "sent"), 4);
        reply = act(stage, other.id, "recvfrom", 200, "{'size':100}");
        expect_text(reply, "ping");
        assert_false(flag_at(reply, "truncated"));
        assert_string_equal(text_at(reply, "address.host"), "127.0.0.1");
        assert_int_equal(number_at(reply, "address.port"), one.port);
        act(stage, other.id, "sendto", 200,
                "{'data':'cG9uZw==','address':{'family':'AF_INET','host':'127.0.0.1','port':%d}}", one.port);
        expect_text(act(stage, one.id, "recvfrom?size=100", 200, ""), "pong");
}

/* One datagram of ten bytes, received in many ways. */
static const struct cut {
        const char *name, *action, *text;
        bool truncated;
} cuts[] = {
        { "whole", "recvfrom?size=100", "0123456789", .truncated = false },
        { "exactly", "recvfrom?size=10", "0123456789", .truncated = false },
        { "cut short", "recvfrom?size=4", "0123", .truncated = true },
        { "recv, cut short", "recv?size=4", "0123", .truncated = true },
        { "peeking", "recvfrom?size=100&flags=MSG_PEEK", "0123456789", .truncated = false },
};

static void play_cut(struct stage *stage, const void *row)
{
        const struct cut *const cut = row;
        const struct post one = make_udp(stage), other = make_udp(stage);
        act(stage, one.id, "sendto", 200, "{'text':'0123456789','address':'127.0.0.1:%d'}", other.port);
        act(stage, one.id, "sendto", 200, "{'text':'next','address':'127.0.0.1:%d'}", other.port);
        const struct reply *const reply = act(stage, other.id, cut->action, 200, "");
        expect_text(reply, cut->text);
        assert_int_equal(flag_at(reply, "truncated"), cut->truncated);
        const bool peeked = strstr(cut->action, "MSG_PEEK") != NULL;
        expect_text(act(stage, other.id, "recvfrom?size=100", 200, ""), peeked ? "0123456789" : "next");
}

/* With MSG_TRUNC recv(2) says how long the datagram was. */
static void real_length(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_DGRAM");
        act(stage, pair.near, "send", 200, "{'text':'0123456789'}");
        const struct reply *const reply =
                act(stage, pair.far, "recv", 200, "{'size':4,'flags':['MSG_TRUNC']}");
        assert_string_equal(text_at(reply, "data"), "MDEyMw==");
        assert_int_equal(number_at(reply, "size"), 10);
        assert_true(flag_at(reply, "truncated"));
}

static void empty(struct stage *stage)
{
        const struct post one = make_udp(stage), other = make_udp(stage);
        act(stage, one.id, "sendto", 200, "{'text':'','address':'127.0.0.1:%d'}", other.port);
        const struct reply *const reply = act(stage, other.id, "recvfrom", 200, "{'size':100}");
        expect_text(reply, "");
        assert_int_equal(number_at(reply, "address.port"), one.port);
        act(stage, one.id, "sendto", 200, "{'data':'','address':'127.0.0.1:%d'}", other.port);
        const struct reply *const plain = act(stage, other.id, "recv", 200, "{'size':100}");
        expect_text(plain, "");
        assert_false(flag_at(plain, "eof"));
}

static void too_long(struct stage *stage)
{
        const struct post one = make_udp(stage);
        uint8_t *const bytes = noise(70000);
        char *const data = base64_encode(bytes, 70000);
        act_refused(stage, one.id, "sendto", "EMSGSIZE", "{'data':'%s','address':'127.0.0.1:%d'}", data,
                one.port);
        free(data);
        free(bytes);
}

static void largest(struct stage *stage)
{
        const struct post one = make_udp(stage), other = make_udp(stage);
        uint8_t *const bytes = noise(65507);
        char *const data = base64_encode(bytes, 65507);
        act(stage, one.id, "sendto", 200, "{'data':'%s','address':'127.0.0.1:%d'}", data, other.port);
        expect_data(act(stage, other.id, "recvfrom", 200, "{'size':65536}"), bytes, 65507);
        free(data);
        free(bytes);
}

static void connected(struct stage *stage)
{
        const struct post one = make_udp(stage), other = make_udp(stage), stranger = make_udp(stage);
        const struct reply *reply =
                act(stage, one.id, "connect", 200, "{'address':'127.0.0.1:%d'}", other.port);
        assert_string_equal(text_at(reply, "state"), "connected");
        act(stage, one.id, "send", 200, "{'text':'to my peer'}");
        expect_text(act(stage, other.id, "recv", 200, "{'size':100}"), "to my peer");
        act(stage, stranger.id, "sendto", 200, "{'text':'ignored','address':'127.0.0.1:%d'}", one.port);
        act(stage, other.id, "sendto", 200, "{'text':'to you','address':'127.0.0.1:%d'}", one.port);
        expect_text(act(stage, one.id, "recv", 200, "{'size':100}"), "to you");
        act(stage, one.id, "connect", 200, "{'address':{'family':'AF_UNSPEC'}}");
        act_refused(stage, one.id, "send", "EDESTADDRREQ", "{'text':'nobody'}");
}

/* The refusal of an earlier datagram is what the next call says. */
static void refused_by_peer(struct stage *stage)
{
        const struct post one = make_udp(stage), other = make_udp(stage);
        act(stage, one.id, "connect", 200, "{'address':'127.0.0.1:%d'}", other.port);
        drop(stage, 204, "/v1/sockets/%s", other.id);
        act(stage, one.id, "send", 200, "{'text':'lost'}");
        act_refused(stage, one.id, "recv", "ECONNREFUSED", "{'size':100}");
}

static void unix_datagrams(struct stage *stage)
{
        char path[128];
        snprintf(path, sizeof path, "%s/mail", stage->daemon->directory);
        const char *const server =
                make(stage, "{'family':'AF_UNIX','type':'SOCK_DGRAM','bind':'unix:%s'}", path);
        const char *const caller = make(stage, "{'family':'AF_UNIX','type':'SOCK_DGRAM','bind':'unix:'}");
        act(stage, caller, "sendto", 200, "{'text':'knock','address':{'family':'AF_UNIX','path':'%s'}}",
                path);
        const struct reply *const reply = act(stage, server, "recvfrom", 200, "{'size':100}");
        expect_text(reply, "knock");
        char *const address = json_dumps(json_at(reply->json, "address"), JSON_COMPACT);
        assert_non_null(strstr(address, "abstract"));
        act(stage, server, "sendto", 200, "{'text':'come in','address':%s}", address);
        expect_text(act(stage, caller, "recv", 200, "{'size':100}"), "come in");
        free(address);
}

static void unix_reader_is_full(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_DGRAM");
        int count = 0;
        for (int status = 200; status == 200; count++) {
                char path[128];
                snprintf(path, sizeof path, "/v1/sockets/%s/send?text=x&timeout_ms=0", pair.near);
                const struct request request = { .method = "POST", .path = path };
                const struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
                status = reply->status;
                if (status != 200)
                        expect_errno(reply, "EAGAIN");
        }
        assert_in_range(count, 2, 10000);
        struct pending *const pending = later(stage, pair.near, "send", "{'text':'y'}");
        await_parked(stage, pair.near, 1);
        for (int i = 1; i < count; i++)
                expect_text(act(stage, pair.far, "recv", 200, "{'size':9}"), "x");
        finish(stage, pending, 200);
        expect_text(act(stage, pair.far, "recv", 200, "{'size':9}"), "y");
}

static void seqpacket_keeps_edges(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_SEQPACKET");
        act(stage, pair.near, "send", 200, "{'text':'one'}");
        act(stage, pair.near, "send", 200, "{'text':'two'}");
        expect_text(act(stage, pair.far, "recv", 200, "{'size':100}"), "one");
        expect_text(act(stage, pair.far, "recv", 200, "{'size':100}"), "two");
        drop(stage, 204, "/v1/sockets/%s", pair.near);
        assert_true(flag_at(act(stage, pair.far, "recv", 200, "{'size':100}"), "eof"));
}

static void raw_bodies(struct stage *stage)
{
        const struct post one = make_udp(stage), other = make_udp(stage);
        char action[64];
        snprintf(action, sizeof action, "sendto?address=127.0.0.1:%d", other.port);
        act_raw(stage, one.id, action, 200, "raw\0bytes", 9);
        const struct reply *const reply = act_for_raw(stage, other.id, "recvfrom?size=100", 200);
        assert_int_equal(reply->size, 9);
        assert_memory_equal(reply->body, "raw\0bytes", 9);
}

static const struct scenario scenarios[] = {
        { "there and back", there_and_back },
        { "the real length", real_length },
        { "empty", empty },
        { "too long", too_long },
        { "largest", largest },
        { "connected", connected },
        { "refused by the peer", refused_by_peer },
        { "unix datagrams", unix_datagrams },
        { "unix reader is full", unix_reader_is_full },
        { "seqpacket keeps edges", seqpacket_keeps_edges },
        { "raw bodies", raw_bodies },
};

int main(void)
{
        SUITE_ADD_ROWS(play_cut, cuts);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("datagram", NULL);
}
