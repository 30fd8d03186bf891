/* test_message.c: sendmsg and recvmsg: pieces, many at once, flags, and wrong parameters. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/message.h"

static void pieces(struct stage *stage)
{
        const struct post one = make_udp(stage, "127.0.0.1:0", ""),
                          other = make_udp(stage, "127.0.0.1:0", "");
        const struct reply *reply = act(stage, one.id, "sendmsg", 200,
                "{'buffers':[{'text':'head'},{'data':''},{'data':'Ym9keQ=='}],'address':'127.0.0.1:%d'}",
                other.port);
        assert_int_equal(number_at(reply, "sent"), 8);
        assert_int_equal(number_at(reply, "messages"), 1);
        reply = act(stage, other.id, "recvmsg", 200, "{'sizes':[3,0,4,9]}");
        expect_json(json_at(reply->json, "buffers"), "['aGVh','','ZGJvZA==','eQ==']");
        assert_int_equal(number_at(reply, "size"), 8);
        assert_int_equal(number_at(reply, "length"), 8);
        assert_int_equal(number_at(reply, "address.port"), one.port);
        expect_json(json_at(reply->json, "flags"), "[]");
        expect_json(json_at(reply->json, "ancillary"), "[]");
        assert_null(json_at(reply->json, "data"));
}

static void empty_message(struct stage *stage)
{
        const struct post one = make_udp(stage, "127.0.0.1:0", ""),
                          other = make_udp(stage, "127.0.0.1:0", "");
        act(stage, one.id, "sendmsg", 200, "{'buffers':[],'address':'127.0.0.1:%d'}", other.port);
        const struct reply *const reply = act(stage, other.id, "recvmsg", 200, "");
        expect_text(reply, "");
        assert_int_equal(number_at(reply, "size"), 0);
        assert_null(json_at(reply->json, "eof"));
}

static void cut_short(struct stage *stage)
{
        const struct post one = make_udp(stage, "127.0.0.1:0", ""),
                          other = make_udp(stage, "127.0.0.1:0", "");
        const struct ends pair = make_pair(stage, "SOCK_DGRAM");
        act(stage, one.id, "sendto", 200, "{'text':'0123456789','address':'127.0.0.1:%d'}", other.port);
        act(stage, pair.near, "send", 200, "{'text':'0123456789'}");
        const char *const receivers[] = { other.id, pair.far };
        for (size_t i = 0; i < COUNT(receivers); i++) {
                const struct reply *const reply = act(stage, receivers[i], "recvmsg?size=4", 200, "");
                expect_text(reply, "0123");
                assert_int_equal(number_at(reply, "size"), 4);
                assert_int_equal(number_at(reply, "length"), 10);
                assert_true(has_flag(reply->json, "MSG_TRUNC"));
        }
}

static void many(struct stage *stage)
{
        const struct post one = make_udp(stage, "127.0.0.1:0", ""),
                          other = make_udp(stage, "127.0.0.1:0", "");
        struct pending *const waiting = later(stage, other.id, "recvmsg", "{'count':10,'size':3}");
        await_parked(stage, other.id, 1);
        act(stage, one.id, "sendto", 200, "{'text':'first','address':'127.0.0.1:%d'}", other.port);
        const struct reply *reply = finish(stage, waiting, 200);
        assert_int_equal(json_array_size(json_at(reply->json, "messages")), 1);
        assert_int_equal(number_at(reply, "messages.0.length"), 5);
        assert_true(has_flag(json_at(reply->json, "messages.0"), "MSG_TRUNC"));
        reply = act(stage, one.id, "sendmsg", 200,
                "{'messages':[{'buffers':[{'text':'a'},{'text':'b'}],'address':'127.0.0.1:%d'},"
                "{'buffers':[{'text':''}],'address':'127.0.0.1:%d'},"
                "{'buffers':[{'text':'c'}],'address':'127.0.0.1:%d'}]}",
                other.port, other.port, other.port);
        assert_int_equal(number_at(reply, "messages"), 3);
        assert_int_equal(number_at(reply, "sent"), 3);
        assert_null(json_at(reply->json, "error"));
        reply = act(stage, other.id, "recvmsg", 200, "{'count':2}");
        assert_int_equal(json_array_size(json_at(reply->json, "messages")), 2);
        assert_string_equal(text_at(reply, "messages.0.data"), "YWI=");
        assert_int_equal(number_at(reply, "messages.0.address.port"), one.port);
        assert_int_equal(number_at(reply, "messages.1.size"), 0);
        reply = act(stage, other.id, "recvmsg", 200, "{'count':1024}");
        assert_string_equal(text_at(reply, "messages.0.data"), "Yw==");
        act_refused(stage, other.id, "recvmsg", "EAGAIN", "{'count':2,'timeout_ms':0}");
}

static void many_until_one_fails(struct stage *stage)
{
        const struct post one = make_udp(stage, "127.0.0.1:0", ""),
                          other = make_udp(stage, "127.0.0.1:0", "");
        const struct reply *const reply = act(stage, one.id, "sendmsg", 200,
                "{'messages':[{'buffers':[{'text':'a'}],'address':'127.0.0.1:%d'},"
                "{'buffers':[{'text':'b'}],'address':'255.255.255.255:9'},"
                "{'buffers':[{'text':'c'}],'address':'127.0.0.1:%d'}]}",
                other.port, other.port);
        assert_int_equal(number_at(reply, "messages"), 1);
        assert_string_equal(text_at(reply, "error.errno"), "EACCES");
        expect_text(act(stage, other.id, "recvmsg", 200, ""), "a");
        act_refused(stage, other.id, "recvmsg", "EAGAIN", "{'flags':['MSG_DONTWAIT']}");
}

/* The refusal of an earlier message has a class. */
static void refused_by_peer(struct stage *stage)
{
        const struct post one = make_udp(stage, "127.0.0.1:0", ""),
                          other = make_udp(stage, "127.0.0.1:0", "");
        act(stage, one.id, "connect", 200, "{'address':'127.0.0.1:%d'}", other.port);
        drop(stage, 204, "/v1/sockets/%s", other.id);
        act(stage, one.id, "sendmsg", 200, "{'buffers':[{'text':'lost'}]}");
        const struct reply *const reply =
                act_refused(stage, one.id, "recvmsg", "ECONNREFUSED", "{'count':3}");
        assert_string_equal(text_at(reply, "class"), "refused");
}

/* The writer waits in the middle of its list, and goes on. */
static void parked_sender(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_DGRAM");
        char list[4096] = "{'buffers':[{'text':'x'}]}";
        for (int i = 1; i < 40; i++)
                strcat(list, ",{'buffers':[{'text':'x'}]}");
        int left = 0;
        while (left < 4000) {
                char path[128];
                snprintf(path, sizeof path, "/v1/sockets/%s/send?text=x&timeout_ms=0", pair.near);
                const struct request request = { .method = "POST", .path = path };
                if (stage_keep(stage, exchange(stage->client, &request))->status != 200)
                        break;
                left++;
        }
        expect_text(act(stage, pair.far, "recvmsg", 200, ""), "x");
        struct pending *const pending = later(stage, pair.near, "sendmsg", "{'messages':[%s]}", list);
        await_parked(stage, pair.near, 1);
        for (int got = 1; got < left + 40;)
                got += (int)json_array_size(
                        json_at(act(stage, pair.far, "recvmsg", 200, "{'count':1024}")->json, "messages"));
        const struct reply *const reply = finish(stage, pending, 200);
        assert_int_equal(number_at(reply, "messages"), 40);
        assert_int_equal(number_at(reply, "sent"), 40);
}

static void late_sender(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_DGRAM");
        char *const list = malloc(40000);
        strcpy(list, "{'buffers':[{'text':'x'}]}");
        for (int i = 1; i < 1000; i++)
                strcat(list, ",{'buffers':[{'text':'x'}]}");
        const struct reply *const reply =
                act_refused(stage, pair.near, "sendmsg", "EAGAIN", "{'timeout_ms':50,'messages':[%s]}", list);
        assert_true(flag_at(reply, "timed_out"));
        assert_string_equal(text_at(reply, "class"), "timed_out");
        assert_in_range(number_at(reply, "messages"), 1, 999);
        assert_int_equal(number_at(reply, "sent"), number_at(reply, "messages"));
        free(list);
}

/* Flags. */

static void peeking(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_DGRAM");
        act(stage, pair.near, "sendmsg", 200, "{'buffers':[{'text':'once'}]}");
        expect_text(act(stage, pair.far, "recvmsg", 200, "{'flags':['MSG_PEEK']}"), "once");
        expect_text(act(stage, pair.far, "recvmsg", 200, ""), "once");
        act_refused(stage, pair.far, "recvmsg", "EAGAIN", "{'flags':['MSG_PEEK','MSG_DONTWAIT']}");
}

static void out_of_band(struct stage *stage)
{
        const struct link link = make_link(stage);
        act(stage, link.near, "sendmsg", 200, "{'buffers':[{'text':'ab!'}],'flags':['MSG_OOB']}");
        expect_text(act(stage, link.far, "recvmsg", 200, "{'size':9}"), "ab");
        const struct reply *const reply =
                act(stage, link.far, "recvmsg", 200, "{'size':9,'flags':['MSG_OOB']}");
        expect_text(reply, "!");
        assert_true(has_flag(reply->json, "MSG_OOB"));
}

/* Nothing goes out before there is no more to come. */
static void more_to_come(struct stage *stage)
{
        const struct post one = make_udp(stage, "127.0.0.1:0", ""),
                          other = make_udp(stage, "127.0.0.1:0", "");
        act(stage, one.id, "connect", 200, "{'address':'127.0.0.1:%d'}", other.port);
        act(stage, one.id, "sendmsg", 200, "{'buffers':[{'text':'to'}],'flags':['MSG_MORE']}");
        act_refused(stage, other.id, "recvmsg", "EAGAIN", "{'flags':['MSG_DONTWAIT']}");
        act(stage, one.id, "sendmsg", 200, "{'buffers':[{'text':'gether'}]}");
        expect_text(act(stage, other.id, "recvmsg", 200, ""), "together");
}

/* It connects, waits for that, and sends. */
static void fast_open(struct stage *stage)
{
        const struct reply *const listener =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':true}");
        const char *const caller = make(stage, "{}");
        act(stage, caller, "sendmsg", 200,
                "{'buffers':[{'text':'fast'}],'address':'127.0.0.1:%d','flags':['MSG_FASTOPEN']}",
                (int)number_at(listener, "local.port"));
        const struct reply *const accepted = act(stage, text_at(listener, "id"), "accept", 201, "");
        expect_text(act(stage, text_at(accepted, "id"), "recvmsg", 200, ""), "fast");
}

static void seqpacket_edges(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_SEQPACKET");
        act(stage, pair.near, "sendmsg", 200,
                "{'messages':[{'buffers':[{'text':'one'}]},{'buffers':[{'text':'two'}]}],"
                "'flags':['MSG_EOR']}");
        drop(stage, 204, "/v1/sockets/%s", pair.near);
        const struct reply *const reply = act(stage, pair.far, "recvmsg?count=9", 200, "");
        assert_int_equal(json_array_size(json_at(reply->json, "messages")), 3);
        assert_string_equal(text_at(reply, "messages.1.data"), "dHdv");
        assert_true(flag_at(reply, "messages.2.eof"));
}

static void streams(struct stage *stage)
{
        const struct link link = make_link(stage);
        act(stage, link.near, "sendmsg", 200, "{'buffers':[{'text':'line\\nre'},{'text':'st'}]}");
        /* What a recv(until) gathers and leaves comes first. */
        act_refused(stage, link.far, "recv", "EAGAIN", "{'until':{'bytes':100},'timeout_ms':0}");
        const struct reply *const reply = act(stage, link.far, "recvmsg", 200, "{'sizes':[4,100]}");
        expect_json(json_at(reply->json, "buffers"), "['bGluZQ==','CnJlc3Q=']");
        act(stage, link.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        assert_true(flag_at(act(stage, link.far, "recvmsg", 200, ""), "eof"));
}

/* A TCP socket waits for all of it, or takes what is there. */
static void waiting_for_all(struct stage *stage)
{
        const struct link link = make_link(stage);
        struct pending *const waiting =
                later(stage, link.far, "recvmsg", "{'sizes':[2,4],'flags':['MSG_WAITALL']}");
        await_parked(stage, link.far, 1);
        act(stage, link.near, "sendmsg", 200, "{'buffers':[{'text':'abc'}]}");
        await_parked(stage, link.far, 1);
        act(stage, link.near, "sendmsg", 200, "{'buffers':[{'text':'defg'}]}");
        const struct reply *const reply = finish(stage, waiting, 200);
        expect_json(json_at(reply->json, "buffers"), "['YWI=','Y2RlZg==']");
        expect_text(act(stage, link.far, "recvmsg", 200, ""), "g");
}

/* Each wrong parameter names itself. */
static const struct wrong {
        const char *name, *action, *json, *parameter;
} wrongs[] = {
        { "nothing to send", "sendmsg", "{}", "buffers" },
        { "buffers that are no list", "sendmsg", "{'buffers':{}}", "buffers" },
        { "a buffer that is text", "sendmsg", "{'buffers':['x']}", "buffers[0]" },
        { "a buffer without data", "sendmsg", "{'buffers':[{'text':'x'},{}]}", "buffers[1].data" },
        { "a buffer with both", "sendmsg", "{'buffers':[{'text':'x','data':''}]}", "buffers[0].data" },
        { "a buffer that is no base64", "sendmsg", "{'buffers':[{'data':'%%'}]}", "buffers[0].data" },
        { "a buffer with more", "sendmsg", "{'buffers':[{'text':'','size':1}]}", "buffers[0].size" },
        { "messages beside buffers", "sendmsg", "{'buffers':[],'messages':[]}", "messages" },
        { "no messages", "sendmsg", "{'messages':[]}", "messages" },
        { "messages that are no list", "sendmsg", "{'messages':1}", "messages" },
        { "a message that is no object", "sendmsg", "{'messages':[1]}", "messages[0]" },
        { "a message without buffers", "sendmsg", "{'messages':[{}]}", "messages[0].buffers" },
        { "a message's buffer", "sendmsg", "{'messages':[{'buffers':[1]}]}", "messages[0].buffers[0]" },
        { "a message's name", "sendmsg", "{'messages':[{'buffers':[],'address':'example.test:1'}]}",
                "messages[0].address" },
        { "a message's ancillary", "sendmsg", "{'messages':[{'buffers':[],'ancillary':[{'level':0}]}]}",
                "messages[0].ancillary[0].type" },
        { "ancillary that is no list", "sendmsg", "{'buffers':[],'ancillary':{}}", "ancillary" },
        { "an unknown level", "sendmsg",
                "{'buffers':[],'ancillary':[{'level':'SOL_SOCKETS','type':1,'value':1}]}",
                "ancillary[0].level" },
        { "an unknown type", "sendmsg",
                "{'buffers':[],'ancillary':[{'level':'IPPROTO_IP','type':'IP_TTTL','value':1}]}",
                "ancillary[0].type" },
        { "a type of another level", "sendmsg",
                "{'buffers':[],'ancillary':[{'level':'IPPROTO_IPV6','type':'IP_TTL','value':1}]}",
                "ancillary[0].type" },
        { "no value", "sendmsg", "{'buffers':[],'ancillary':[{'level':0,'type':2}]}", "ancillary[0].value" },
        { "a value and raw", "sendmsg",
                "{'buffers':[],'ancillary':[{'level':0,'type':2,'value':1,'raw':''}]}", "ancillary[0].raw" },
        { "a value of the wrong kind", "sendmsg",
                "{'buffers':[],'ancillary':[{'level':0,'type':2,'value':'x'}]}", "ancillary[0].value" },
        { "a value without a shape", "sendmsg",
                "{'buffers':[],'ancillary':[{'level':9999,'type':2,'value':1}]}", "ancillary[0].raw" },
        { "a type that only comes", "sendmsg",
                "{'buffers':[],'ancillary':[{'level':0,'type':'IP_RECVERR','value':1}]}",
                "ancillary[0].type" },
        { "descriptors of the daemon", "sendmsg",
                "{'buffers':[],'ancillary':[{'level':'SOL_SOCKET','type':1,'raw':'AAAAAA=='}]}",
                "ancillary[0].raw" },
        { "rights without ids", "sendmsg",
                "{'buffers':[],'ancillary':[{'level':1,'type':1,'value':{'sockets':[]}}]}",
                "ancillary[0].value.sockets" },
        { "rights to what is not there", "sendmsg",
                "{'buffers':[],'ancillary':[{'level':1,'type':1,'value':{'sockets':['none-1']}}]}",
                "ancillary" },
        { "memory of the daemon", "sendmsg",
                "{'buffers':[],'ancillary':[{'level':'SOL_RDS','type':1,'raw':''}]}", "ancillary[0].level" },
        { "an unknown flag", "sendmsg", "{'buffers':[],'flags':['MSG_PEAK']}", "flags" },
        { "a negative size", "recvmsg", "{'size':-1}", "size" },
        { "a size and sizes", "recvmsg", "{'size':1,'sizes':[1]}", "sizes" },
        { "no sizes", "recvmsg", "{'sizes':[]}", "sizes" },
        { "a size that is none", "recvmsg", "{'sizes':[1,'x']}", "sizes[1]" },
        { "sizes that are too much", "recvmsg", "{'sizes':[1073741824,1]}", "sizes[1]" },
        { "a count of none", "recvmsg", "{'count':0}", "count" },
        { "too many", "recvmsg", "{'count':1025}", "count" },
        { "peeking at many", "recvmsg", "{'count':2,'flags':['MSG_PEEK']}", "flags" },
        { "too much ancillary", "recvmsg", "{'ancillary_size':65537}", "ancillary_size" },
        { "an unknown parameter", "recvmsg", "{'sise':1}", "sise" },
};

static void play_wrong(struct stage *stage, const void *row)
{
        const struct wrong *const wrong = row;
        const struct post one = make_udp(stage, "127.0.0.1:0", "");
        expect_problem(act(stage, one.id, wrong->action, 400, "%s", wrong->json), 400, wrong->parameter);
}

static const struct scenario scenarios[] = {
        { "in pieces", pieces },
        { "an empty message", empty_message },
        { "cut short", cut_short },
        { "many at once", many },
        { "many until one fails", many_until_one_fails },
        { "refused by the peer", refused_by_peer },
        { "a sender parked in its list", parked_sender },
        { "a sender out of time in its list", late_sender },
        { "peeking", peeking },
        { "out of band", out_of_band },
        { "more to come", more_to_come },
        { "a fast open", fast_open },
        { "seqpacket keeps edges", seqpacket_edges },
        { "streams", streams },
        { "waiting for all", waiting_for_all },
};

int main(void)
{
        SUITE_ADD_SCENARIOS(scenarios);
        SUITE_ADD_ROWS(play_wrong, wrongs);
        return suite_run("message", NULL);
}
