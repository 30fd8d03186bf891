/* test_ancillary.c: what goes with messages: ways, times, errors, descriptors, credentials. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/message.h"

static void ancillary_cut_short(struct stage *stage)
{
        const struct post other = make_udp(
                stage, "127.0.0.1:0", FLAG("IPPROTO_IP", "IP_PKTINFO") "," FLAG("IPPROTO_IP", "IP_RECVTTL"));
        act(stage, other.id, "sendto", 200, "{'text':'x','address':'127.0.0.1:%d'}", other.port);
        act(stage, other.id, "sendto", 200, "{'text':'y','address':'127.0.0.1:%d'}", other.port);
        const struct reply *reply = act(stage, other.id, "recvmsg?ancillary_size=32", 200, "");
        assert_true(has_flag(reply->json, "MSG_CTRUNC"));
        ancillary_at(reply, "IP_PKTINFO");
        assert_null(ancillary_of(reply->json, "IP_TTL"));
        reply = act(stage, other.id, "recvmsg?ancillary_size=0", 200, "");
        assert_true(has_flag(reply->json, "MSG_CTRUNC"));
        expect_json(json_at(reply->json, "ancillary"), "[]");
}

static void told_of_ipv4(struct stage *stage)
{
        const struct post one = make_udp(stage, "0.0.0.0:0", "");
        const struct post other = make_udp(stage, "0.0.0.0:0",
                FLAG("IPPROTO_IP", "IP_PKTINFO") "," FLAG("IPPROTO_IP", "IP_RECVTTL") "," FLAG(
                        "IPPROTO_IP", "IP_RECVTOS") "," FLAG("SOL_SOCKET",
                        "SO_TIMESTAMPNS") "," FLAG("SOL_SOCKET", "SO_RXQ_OVFL"));
        act(stage, one.id, "sendmsg", 200,
                "{'buffers':[{'text':'x'}],'address':'127.0.0.2:%d','ancillary':["
                "{'level':'IPPROTO_IP','type':'IP_PKTINFO','value':{'local':'127.0.0.3'}},"
                "{'level':'IPPROTO_IP','type':'IP_TTL','value':9},"
                "{'level':0,'type':1,'value':16}]}",
                other.port);
        const struct reply *const reply = act(stage, other.id, "recvmsg", 200, "");
        assert_string_equal(text_at(reply, "address.host"), "127.0.0.3");
        expect_json(ancillary_at(reply, "IP_TTL"), "9");
        expect_json(ancillary_at(reply, "IP_TOS"), "16");
        const json_t *const info = ancillary_at(reply, "IP_PKTINFO");
        assert_string_equal(json_string_value(json_object_get(info, "interface")), "lo");
        assert_string_equal(json_string_value(json_object_get(info, "destination")), "127.0.0.2");
        const char *const time = json_string_value(ancillary_at(reply, "SCM_TIMESTAMPNS"));
        assert_int_equal(strlen(time), strlen("2026-01-01T00:00:00.000000000Z"));
}

static void told_of_ipv6(struct stage *stage)
{
        const struct post one = make_udp(stage, "[::1]:0", "");
        const struct post other = make_udp(stage, "[::1]:0",
                FLAG("IPPROTO_IPV6", "IPV6_RECVPKTINFO") "," FLAG(
                        "IPPROTO_IPV6", "IPV6_RECVHOPLIMIT") "," FLAG("IPPROTO_IPV6", "IPV6_RECVTCLASS"));
        act(stage, one.id, "sendmsg", 200,
                "{'buffers':[{'text':'x'}],'address':'[::1]:%d','ancillary':["
                "{'level':'IPPROTO_IPV6','type':'IPV6_PKTINFO','value':{'address':'::1','interface':'lo'}},"
                "{'level':'IPPROTO_IPV6','type':'IPV6_HOPLIMIT','value':7},"
                "{'level':'IPPROTO_IPV6','type':'IPV6_TCLASS','value':32}]}",
                other.port);
        const struct reply *const reply = act(stage, other.id, "recvmsg", 200, "");
        expect_json(ancillary_at(reply, "IPV6_HOPLIMIT"), "7");
        expect_json(ancillary_at(reply, "IPV6_TCLASS"), "32");
        expect_json(ancillary_at(reply, "IPV6_PKTINFO"), "{'interface':'lo','address':'::1'}");
}

/* By number and raw, both ways: the bytes that IP_TTL has. */
static void raw_ancillary(struct stage *stage)
{
        const struct post one = make_udp(stage, "127.0.0.1:0", "");
        const struct post other = make_udp(stage, "127.0.0.1:0", FLAG("IPPROTO_IP", "IP_RECVTTL"));
        act(stage, one.id, "sendmsg", 200,
                "{'buffers':[{'text':'x'}],'address':'127.0.0.1:%d','ancillary':"
                "[{'level':0,'type':2,'raw':'BQAAAA=='}]}",
                other.port);
        expect_json(ancillary_at(act(stage, other.id, "recvmsg", 200, ""), "IP_TTL"), "5");
        act_refused(stage, one.id, "sendmsg", "EINVAL",
                "{'buffers':[{'text':'x'}],'address':'127.0.0.1:%d','ancillary':"
                "[{'level':0,'type':250,'raw':'BQAAAA=='}]}",
                other.port);
}

/* The kernel cuts one message up, and puts the parts together again for who asks. */
static void segments(struct stage *stage)
{
        const struct post one = make_udp(stage, "127.0.0.1:0", "");
        const struct post other = make_udp(stage, "127.0.0.1:0", "");
        act(stage, one.id, "sendmsg", 200,
                "{'buffers':[{'text':'aaabbbc'}],'address':'127.0.0.1:%d','ancillary':"
                "[{'level':'IPPROTO_UDP','type':'UDP_SEGMENT','value':3}]}",
                other.port);
        const struct reply *const reply = act(stage, other.id, "recvmsg?count=9", 200, "");
        assert_int_equal(json_array_size(json_at(reply->json, "messages")), 3);
        assert_string_equal(text_at(reply, "messages.0.data"), "YWFh");
        assert_string_equal(text_at(reply, "messages.2.data"), "Yw==");
}

static void segments_together(struct stage *stage)
{
        const struct post one = make_udp(stage, "127.0.0.1:0", "");
        const struct post other =
                make_udp(stage, "127.0.0.1:0", "{'level':'IPPROTO_UDP','option':'UDP_GRO','value':true}");
        act(stage, one.id, "sendmsg", 200,
                "{'buffers':[{'text':'aaabbbc'}],'address':'127.0.0.1:%d','ancillary':"
                "[{'level':'IPPROTO_UDP','type':'UDP_SEGMENT','value':3}]}",
                other.port);
        const struct reply *const reply = act(stage, other.id, "recvmsg", 200, "");
        expect_text(reply, "aaabbbc");
        expect_json(ancillary_at(reply, "UDP_GRO"), "3");
}

/* What comes of one datagram to a port where nobody is. */
static void error_queue(
        struct stage *stage, const char *host, const char *option, const char *type, const char *expected)
{
        char local[32];
        snprintf(local, sizeof local, "%s:0", host);
        const struct post one = make_udp(stage, local, option);
        struct pending *const waiting = later(stage, one.id, "recvmsg?flags=MSG_ERRQUEUE", "");
        await_parked(stage, one.id, 1);
        const struct post other = make_udp(stage, local, "");
        drop(stage, 204, "/v1/sockets/%s", other.id);
        act(stage, one.id, "sendmsg", 200, "{'buffers':[{'text':'lost'}],'address':'%s:%d'}", host,
                other.port);
        const struct reply *const reply = finish(stage, waiting, 200);
        assert_true(has_flag(reply->json, "MSG_ERRQUEUE"));
        expect_text(reply, "lost");
        assert_int_equal(number_at(reply, "address.port"), other.port);
        json_t *const value = ancillary_at(reply, type);
        json_object_del(json_object_get(value, "offender"), "port");
        expect_json(value, expected);
}

static void error_queue_ipv4(struct stage *stage)
{
        error_queue(stage, "127.0.0.1", FLAG("IPPROTO_IP", "IP_RECVERR"), "IP_RECVERR",
                "{'errno':'ECONNREFUSED','class':'refused','origin':'SO_EE_ORIGIN_ICMP',"
                "'type':'ICMP_DEST_UNREACH','code':'ICMP_PORT_UNREACH','info':0,'data':0,"
                "'offender':{'family':'AF_INET','host':'127.0.0.1'}}");
}

static void error_queue_ipv6(struct stage *stage)
{
        error_queue(stage, "[::1]", FLAG("IPPROTO_IPV6", "IPV6_RECVERR"), "IPV6_RECVERR",
                "{'errno':'ECONNREFUSED','class':'refused','origin':'SO_EE_ORIGIN_ICMP6',"
                "'type':'ICMP6_DST_UNREACH','code':'ICMP6_DST_UNREACH_NOPORT','info':0,'data':0,"
                "'offender':{'family':'AF_INET6','host':'::1','scope_id':0,'flowinfo':0}}");
}

/* Times of what was sent come back with the number of the message. */
static void sent_times(struct stage *stage)
{
        const struct post one = make_udp(stage, "127.0.0.1:0",
                "{'level':'SOL_SOCKET','option':'SO_TIMESTAMPING','value':['SOF_TIMESTAMPING_SOFTWARE',"
                "'SOF_TIMESTAMPING_OPT_ID','SOF_TIMESTAMPING_OPT_TSONLY']}");
        const struct post other = make_udp(stage, "127.0.0.1:0",
                "{'level':'SOL_SOCKET','option':'SO_TIMESTAMPING','value':['SOF_TIMESTAMPING_SOFTWARE',"
                "'SOF_TIMESTAMPING_RX_SOFTWARE']}");
        for (int i = 0; i < 2; i++)
                act(stage, one.id, "sendmsg", 200,
                        "{'buffers':[{'text':'x'}],'address':'127.0.0.1:%d','ancillary':[{'level':"
                        "'SOL_SOCKET','type':'SCM_TIMESTAMPING','value':['SOF_TIMESTAMPING_TX_SOFTWARE']}]}",
                        other.port);
        const struct reply *const reply = act(stage, one.id, "recvmsg?flags=MSG_ERRQUEUE&count=2", 200, "");
        const json_t *const second = json_at(reply->json, "messages.1");
        const json_t *const error = ancillary_of(second, "IP_RECVERR");
        assert_string_equal(json_string_value(json_object_get(error, "origin")), "SO_EE_ORIGIN_TIMESTAMPING");
        assert_int_equal(json_integer_value(json_object_get(error, "data")), 1);
        assert_true(json_is_string(json_object_get(ancillary_of(second, "SCM_TIMESTAMPING"), "software")));
        /* The kernel begins to note when packets come a moment after the first socket has asked for it. */
        const int64_t deadline = milliseconds() + 5000;
        json_t *came = NULL;
        while (came == NULL && milliseconds() < deadline) {
                act(stage, one.id, "sendto", 200, "{'text':'x','address':'127.0.0.1:%d'}", other.port);
                came = ancillary_of(act(stage, other.id, "recvmsg", 200, "")->json, "SCM_TIMESTAMPING");
        }
        assert_true(json_is_string(json_object_get(came, "software")));
}

/* Descriptors. */

static void rights(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        const struct ends gift = make_pair(stage, "SOCK_DGRAM");
        const size_t before = count_sockets(stage);
        act(stage, pair.near, "sendmsg", 200,
                "{'buffers':[{'text':'x'}],'ancillary':[{'level':'SOL_SOCKET','type':'SCM_RIGHTS',"
                "'value':{'sockets':['%s','%s']}}]}",
                gift.near, gift.far);
        drop(stage, 204, "/v1/sockets/%s", gift.near);
        const struct reply *const reply = act(stage, pair.far, "recvmsg", 200, "");
        const json_t *const value = ancillary_at(reply, "SCM_RIGHTS");
        expect_json(json_object_get(value, "closed"), "[]");
        const json_t *const ids = json_object_get(value, "sockets");
        assert_int_equal(json_array_size(ids), 2);
        assert_int_equal(count_sockets(stage), before + 1);
        const char *const taken = json_string_value(json_array_get(ids, 0));
        assert_string_equal(text_at(get(stage, 200, "/v1/sockets/%s", taken), "type"), "SOCK_DGRAM");
        act(stage, taken, "send", 200, "{'text':'from beyond'}");
        expect_text(act(stage, gift.far, "recv", 200, "{'size':100}"), "from beyond");
}

/* From another process: a socket is kept, a pipe and a file are not. */
static void rights_from_outside(struct stage *stage)
{
        char name[GIFT_NAME_SIZE], bytes[8];
        gift_name(name);
        const char *const server =
                make(stage, "{'family':'AF_UNIX','type':'SOCK_DGRAM','bind':'unix:@%s'}", name);
        int ends[2], pipes[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        assert_int_equal(pipe(pipes), 0);
        const int file = open("/etc/hostname", O_RDONLY);
        give(name, (const int[]){ pipes[0], ends[0], file }, 3);
        const struct reply *const reply = act(stage, server, "recvmsg", 200, "");
        const json_t *const value = ancillary_at(reply, "SCM_RIGHTS");
        expect_json(json_object_get(value, "closed"), "['pipe','file']");
        const char *const id = json_string_value(json_array_get(json_object_get(value, "sockets"), 0));
        const struct reply *const shown = get(stage, 200, "/v1/sockets/%s", id);
        assert_string_equal(text_at(shown, "parent"), server);
        act(stage, id, "send", 200, "{'text':'hello'}");
        assert_int_equal(read(ends[1], bytes, sizeof bytes), 5);
        const int opened[] = { ends[0], ends[1], pipes[0], pipes[1], file };
        for (size_t i = 0; i < COUNT(opened); i++)
                close(opened[i]);
}

/* Whoever gave a socket away still has it, and may make it blocking: no call waits in the kernel for that. */
static void rights_made_blocking(struct stage *stage)
{
        char name[GIFT_NAME_SIZE];
        gift_name(name);
        const char *const server =
                make(stage, "{'family':'AF_UNIX','type':'SOCK_DGRAM','bind':'unix:@%s'}", name);
        const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(listen(listener, 1), 0);
        give(name, (const int[]){ listener }, 1);
        const struct reply *const reply = act(stage, server, "recvmsg", 200, "");
        const json_t *const value = ancillary_at(reply, "SCM_RIGHTS");
        const char *const id = json_string_value(json_array_get(json_object_get(value, "sockets"), 0));
        assert_int_equal(fcntl(listener, F_SETFL, 0), 0);
        act_refused(stage, id, "accept", "EAGAIN", "{'timeout_ms':0}");
        assert_int_equal(fcntl(listener, F_SETFL, 0), 0);
        act_refused(stage, id, "accept", "EAGAIN", "{'timeout_ms':50}");
        close(listener);
}

/* Where the caller may have no more, what comes is closed; without room it never gets in. */
static void rights_over_a_limit(struct stage *stage)
{
        struct stage own;
        stage_open(&own, (const char *const[]){ "--max-sockets", "3", NULL });
        const struct ends pair = make_pair(&own, "SOCK_DGRAM");
        const char *const gift = make(&own, "{}");
        for (int i = 0; i < 3; i++)
                act(&own, pair.near, "sendmsg", 200,
                        "{'buffers':[{'text':'x'}],'ancillary':[{'level':'SOL_SOCKET','type':'SCM_RIGHTS',"
                        "'value':{'sockets':['%s']}}]}",
                        gift);
        const struct reply *reply = act(&own, pair.far, "recvmsg", 200, "");
        expect_json(ancillary_at(reply, "SCM_RIGHTS"), "{'sockets':[],'closed':['socket, over a limit']}");
        reply = act(&own, pair.far, "recvmsg?ancillary_size=0", 200, "");
        assert_true(has_flag(reply->json, "MSG_CTRUNC"));
        drop(&own, 204, "/v1/sockets/%s", gift);
        reply = act(&own, pair.far, "recvmsg", 200, "");
        assert_int_equal(json_array_size(json_at(ancillary_at(reply, "SCM_RIGHTS"), "sockets")), 1);
        assert_int_equal(count_sockets(&own), 3);
        daemon_stop(own.daemon);
        stage_close(&own, stage);
}

/* What comes through a socket of a session goes with it. */
static void rights_in_a_session(struct stage *stage)
{
        const struct reply *const session = post(stage, 201, "/v1/sessions", "{'ttl_ms':60000}");
        const struct reply *const pair = post(stage, 201, "/v1/socketpairs",
                "{'type':'SOCK_DGRAM','session':'%s'}", text_at(session, "id"));
        const char *const gift = make(stage, "{}");
        act(stage, text_at(pair, "sockets.0.id"), "sendmsg", 200,
                "{'buffers':[{'text':'x'}],'ancillary':[{'level':'SOL_SOCKET','type':'SCM_RIGHTS',"
                "'value':{'sockets':['%s']}}]}",
                gift);
        const struct reply *const reply = act(stage, text_at(pair, "sockets.1.id"), "recvmsg", 200, "");
        ancillary_at(reply, "SCM_RIGHTS");
        assert_int_equal(count_sockets(stage), 4);
        drop(stage, 204, "/v1/sessions/%s", text_at(session, "id"));
        assert_int_equal(count_sockets(stage), 1);
}

static void credentials(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_DGRAM");
        act(stage, pair.far, "setsockopt", 200, "{'level':'SOL_SOCKET','option':'SO_PASSCRED','value':true}");
        act(stage, pair.near, "sendmsg", 200, "{'buffers':[{'text':'x'}]}");
        const struct reply *reply = act(stage, pair.far, "recvmsg", 200, "");
        char *const value = json_dumps(ancillary_at(reply, "SCM_CREDENTIALS"), 0);
        assert_int_equal(
                json_integer_value(json_object_get(ancillary_at(reply, "SCM_CREDENTIALS"), "uid")), getuid());
        act(stage, pair.near, "sendmsg", 200,
                "{'buffers':[{'text':'x'}],'ancillary':[{'level':'SOL_SOCKET','type':'SCM_CREDENTIALS',"
                "'value':%s}]}",
                value);
        free(value);
        reply = act(stage, pair.far, "recvmsg", 200, "");
        assert_true(json_integer_value(json_object_get(ancillary_at(reply, "SCM_CREDENTIALS"), "pid")) > 0);
}

static const struct scenario scenarios[] = {
        { "ancillary data cut short", ancillary_cut_short },
        { "what IPv4 tells", told_of_ipv4 },
        { "what IPv6 tells", told_of_ipv6 },
        { "raw ancillary data", raw_ancillary },
        { "segments", segments },
        { "segments put together", segments_together },
        { "the error queue of IPv4", error_queue_ipv4 },
        { "the error queue of IPv6", error_queue_ipv6 },
        { "times of what was sent", sent_times },
        { "descriptors", rights },
        { "descriptors from outside", rights_from_outside },
        { "descriptors made blocking", rights_made_blocking },
        { "descriptors over a limit", rights_over_a_limit },
        { "descriptors in a session", rights_in_a_session },
        { "credentials", credentials },
};

int main(void)
{
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("ancillary", NULL);
}
