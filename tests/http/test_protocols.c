/* test_protocols.c: what sockets do besides streams and datagrams: flags, groups, raw and packet sockets,
 * other protocols. What this host has not, or does not allow, says so by its errno. */
#include <arpa/inet.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/http/steps.h"

enum { TCPI_OPTION_SYN_DATA = 32, GROUP_CALLS = 32, PACKETS_LIMIT = 200, DEADLINE_S = 10 };

/* An attempt that the host may refuse. NULL, after a word of why, when it does with one of the two errnos. */
static const struct reply *attempt(
        struct stage *stage, const char *first, const char *second, const char *path, const char *json)
{
        char *const body = requote(json);
        const struct request request = { .method = "POST", .path = path, .json = body };
        const struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
        free(body);
        if (reply->status != 422)
                return reply;
        const char *const name = text_at(reply, "errno");
        if (strcmp(name, first) != 0)
                expect_errno(reply, second);
        print_message("not here: %s: %s\n", json, text_at(reply, "detail"));
        return NULL;
}

static const char *attempt_to_make(
        struct stage *stage, const char *first, const char *second, const char *json)
{
        const struct reply *const reply = attempt(stage, first, second, "/v1/sockets", json);
        return reply == NULL ? NULL : text_at(reply, "id");
}

static int port_of(struct stage *stage, const char *id)
{
        return (int)number_at(get(stage, 200, "/v1/sockets/%s", id), "local.port");
}

/* Returns when so many bytes are there to receive. */
static void await_queue(struct stage *stage, const char *id, int64_t size)
{
        const time_t deadline = time(NULL) + DEADLINE_S;
        while (number_at(get(stage, 200, "/v1/sockets/%s", id), "receive_queue") != size)
                assert_true(time(NULL) < deadline);
}

static void set_option(struct stage *stage, const char *id, const char *option)
{
        act(stage, id, "setsockopt", 200, "{%s}", option);
}

static void peek(struct stage *stage)
{
        const struct link link = make_link(stage);
        act(stage, link.near, "send", 200, "{'text':'hello'}");
        for (int i = 0; i < 2; i++)
                expect_text(act(stage, link.far, "recv", 200, "{'size':4,'flags':['MSG_PEEK']}"), "hell");
        expect_text(act(stage, link.far, "recv", 200, "{'size':100}"), "hello");
}

static void wait_for_all(struct stage *stage)
{
        const struct link link = make_link(stage);
        struct pending *const pending = later(stage, link.far, "recv", "{'size':6,'flags':['MSG_WAITALL']}");
        await_parked(stage, link.far, 1);
        act(stage, link.near, "send", 200, "{'text':'abc'}");
        await_parked(stage, link.far, 1);
        act(stage, link.near, "send", 200, "{'text':'defgh'}");
        expect_text(finish(stage, pending, 200), "abcdef");
        expect_text(act(stage, link.far, "recv", 200, ""), "gh");
}

/* UDP makes one datagram of what MSG_MORE holds back; TCP as few segments as it can. */
static void more(struct stage *stage)
{
        const char *const near = make(stage, "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        const char *const far =
                make(stage, "{'type':'SOCK_DGRAM','connect':'127.0.0.1:%d'}", port_of(stage, near));
        act(stage, far, "send", 200, "{'text':'ab','flags':['MSG_MORE']}");
        act_refused(stage, near, "recv", "EAGAIN", "{'timeout_ms':0}");
        act(stage, far, "send", 200, "{'text':'cd'}");
        expect_text(act(stage, near, "recv", 200, ""), "abcd");
        const struct link link = make_link(stage);
        act(stage, link.near, "send", 200, "{'text':'ab','flags':['MSG_MORE']}");
        act(stage, link.near, "send", 200, "{'text':'cd'}");
        expect_text(act(stage, link.far, "recv", 200, "{'until':4}"), "abcd");
}

static bool is_at_mark(struct stage *stage, const char *id)
{
        const struct reply *const reply = get(stage, 200, "/v1/sockets/%s", id);
        return json_is_true(json_at(reply->json, "at_mark"));
}

static void send_around_mark(struct stage *stage, const char *id)
{
        act(stage, id, "send", 200, "{'text':'ab'}");
        act(stage, id, "send", 200, "{'text':'!','flags':['MSG_OOB']}");
        act(stage, id, "send", 200, "{'text':'cd'}");
}

/* A recv ends at the mark; the byte behind it is read apart. */
static void mark(struct stage *stage)
{
        const struct link link = make_link(stage);
        send_around_mark(stage, link.near);
        assert_false(is_at_mark(stage, link.far));
        expect_text(act(stage, link.far, "recv", 200, ""), "ab");
        assert_true(is_at_mark(stage, link.far));
        expect_text(act(stage, link.far, "recv", 200, "{'size':1,'flags':['MSG_OOB']}"), "!");
        expect_text(act(stage, link.far, "recv", 200, ""), "cd");
        assert_false(is_at_mark(stage, link.far));
        act_refused(stage, link.far, "recv", "EINVAL", "{'size':1,'flags':['MSG_OOB']}");
}

/* SO_OOBINLINE leaves it among the others, and there is nothing to read apart. */
static void mark_inline(struct stage *stage)
{
        const struct link link = make_link(stage);
        set_option(stage, link.far, "'level':'SOL_SOCKET','option':'SO_OOBINLINE','value':true");
        send_around_mark(stage, link.near);
        await_queue(stage, link.far, 5);
        act_refused(stage, link.far, "recv", "EINVAL", "{'size':1,'flags':['MSG_OOB']}");
        expect_text(act(stage, link.far, "recv", 200, ""), "ab");
        assert_true(is_at_mark(stage, link.far));
        expect_text(act(stage, link.far, "recv", 200, ""), "!cd");
        assert_false(is_at_mark(stage, link.far));
}

/* What is gathered and not taken is before the mark. */
static void mark_behind_gathered(struct stage *stage)
{
        const struct link link = make_link(stage);
        act(stage, link.near, "send", 200, "{'text':'ab'}");
        act_refused(stage, link.far, "recv", "EAGAIN", "{'until':3,'timeout_ms':20}");
        act(stage, link.near, "send", 200, "{'text':'!','flags':['MSG_OOB']}");
        assert_false(is_at_mark(stage, link.far));
        expect_text(act(stage, link.far, "recv", 200, ""), "ab");
        assert_true(is_at_mark(stage, link.far));
}

static void mark_in_unix(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/send", pair.near);
        if (attempt(stage, "EOPNOTSUPP", "EINVAL", path, "{'text':'a!','flags':['MSG_OOB']}") == NULL)
                return;
        expect_text(act(stage, pair.far, "recv", 200, ""), "a");
        assert_true(is_at_mark(stage, pair.far));
        expect_text(act(stage, pair.far, "recv", 200, "{'size':1,'flags':['MSG_OOB']}"), "!");
}

#define REUSEPORT "'options':[{'level':'SOL_SOCKET','option':'SO_REUSEPORT','value':true}]"

/* Accepts what waits: TCP_INFO of a listener has the queue's length. Returns how many those were. */
static int64_t accept_waiting(struct stage *stage, const char *listener)
{
        const struct reply *const info =
                act(stage, listener, "getsockopt", 200, "{'level':'IPPROTO_TCP','option':'TCP_INFO'}");
        const int64_t count = number_at(info, "value.unacked");
        for (int64_t i = 0; i < count; i++)
                act(stage, listener, "accept", 201, "");
        return count;
}

/* The kernel spreads connections over the listeners of one port, which all must have asked for it. */
static void port_group(struct stage *stage)
{
        const char *const one =
                make(stage, "{'type':'SOCK_STREAM'," REUSEPORT ",'bind':'127.0.0.1:0','listen':{}}");
        const int port = port_of(stage, one);
        const char *const other =
                make(stage, "{'type':'SOCK_STREAM'," REUSEPORT ",'bind':'127.0.0.1:%d','listen':{}}", port);
        expect_errno(post(stage, 422, "/v1/sockets", "{'type':'SOCK_STREAM','bind':'127.0.0.1:%d'}", port),
                "EADDRINUSE");
        for (int i = 0; i < GROUP_CALLS; i++)
                make(stage, "{'type':'SOCK_STREAM','connect':'127.0.0.1:%d'}", port);
        int64_t ones = 0, others = 0;
        for (const time_t deadline = time(NULL) + DEADLINE_S; ones + others < GROUP_CALLS;) {
                ones += accept_waiting(stage, one);
                others += accept_waiting(stage, other);
                assert_true(time(NULL) < deadline);
        }
        assert_true(ones > 0 && others > 0);
}

static void tell_of_fast_open(struct stage *stage, const char *id)
{
        const struct reply *const info =
                act(stage, id, "getsockopt", 200, "{'level':'IPPROTO_TCP','option':'TCP_INFO'}");
        if ((number_at(info, "value.options") & TCPI_OPTION_SYN_DATA) == 0)
                print_message("not here: no data in the SYN: net.ipv4.tcp_fastopen lacks 2 for servers\n");
}

#define NO_COOKIE "'level':'IPPROTO_TCP','option':'TCP_FASTOPEN_NO_COOKIE','value':true"

/* The first bytes are sent as the connection is made; where they may not go along, they follow. */
static void fast_open(struct stage *stage)
{
        static const struct {
                const char *action, *what;
                bool at_once; /* even without a cookie */
        } ways[] = { { "sendto", "'text':'early'", false }, { "sendto", "'text':'early'", true },
                { "sendmsg", "'buffers':[{'text':'ear'},{'text':'ly'}]", false } };
        const char *const listener = make(stage,
                "{'type':'SOCK_STREAM','bind':'127.0.0.1:0','options':[{'level':'IPPROTO_TCP','option':"
                "'TCP_FASTOPEN','value':8},{" NO_COOKIE "}],'listen':{}}");
        for (size_t i = 0; i < COUNT(ways); i++) {
                const char *const near = make(stage, "{'type':'SOCK_STREAM'}");
                if (ways[i].at_once)
                        set_option(stage, near, NO_COOKIE);
                const struct reply *const reply = act(stage, near, ways[i].action, 200,
                        "{%s,'flags':['MSG_FASTOPEN'],'address':'127.0.0.1:%d'}", ways[i].what,
                        port_of(stage, listener));
                assert_int_equal(number_at(reply, "sent"), 5);
                const char *const far = text_at(act(stage, listener, "accept", 201, ""), "id");
                expect_text(act(stage, far, "recv", 200, "{'until':5}"), "early");
                if (ways[i].at_once)
                        tell_of_fast_open(stage, near);
        }
}

/* Who has no cookie hears of the refusal at once; who has one has sent, and hears of it next. */
static void fast_open_refused(struct stage *stage)
{
        const char *const nobody = make(stage, "{'type':'SOCK_STREAM','bind':'127.0.0.1:0'}");
        const char *const near = make(stage, "{'type':'SOCK_STREAM'}");
        char path[192];
        snprintf(path, sizeof path,
                "/v1/sockets/%s/sendto?text=early&flags=MSG_FASTOPEN&address=127.0.0.1:%d", near,
                port_of(stage, nobody));
        const struct request request = { .method = "POST", .path = path };
        const struct reply *reply = stage_keep(stage, exchange(stage->client, &request));
        if (reply->status == 200)
                reply = act(stage, near, "recv", 422, "");
        expect_errno(reply, "ECONNREFUSED");
}

static void broadcast(struct stage *stage)
{
        const char *const near = make(stage, "{'type':'SOCK_DGRAM','bind':'0.0.0.0:0'}");
        const char *const far = make(stage, "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        const int port = port_of(stage, near);
        act_refused(stage, far, "sendto", "EACCES", "{'text':'all','address':'127.255.255.255:%d'}", port);
        set_option(stage, far, "'level':'SOL_SOCKET','option':'SO_BROADCAST','value':true");
        act(stage, far, "sendto", 200, "{'text':'all','address':'127.255.255.255:%d'}", port);
        const struct reply *const reply = act(stage, near, "recvfrom", 200, "");
        expect_text(reply, "all");
        assert_int_equal(number_at(reply, "address.port"), port_of(stage, far));
}

#define SOURCE                                                                                               \
        "'level':'IPPROTO_IP','option':'IP_%s_SOURCE_MEMBERSHIP',"                                           \
        "'value':{'group':'232.1.2.3','interface_address':'127.0.0.1','source':'127.0.0.%d'}"

static const char *make_source(struct stage *stage, int host)
{
        return make(stage,
                "{'type':'SOCK_DGRAM','bind':'127.0.0.%d:0','options':[{'level':'IPPROTO_IP','option':"
                "'IP_MULTICAST_IF','value':'127.0.0.1'}]}",
                host);
}

/* Each sends; what came first is what the filter lets through. */
static void expect_from(struct stage *stage, const char *receiver, const char *const senders[2], int wanted)
{
        const int port = port_of(stage, receiver);
        char host[16];
        snprintf(host, sizeof host, "127.0.0.%d", wanted);
        act(stage, senders[2 - wanted], "sendto", 200, "{'text':'no','address':'232.1.2.3:%d'}", port);
        act(stage, senders[wanted - 1], "sendto", 200, "{'text':'yes','address':'232.1.2.3:%d'}", port);
        const struct reply *const reply = act(stage, receiver, "recvfrom", 200, "");
        assert_string_equal(text_at(reply, "address.host"), host);
        expect_text(reply, "yes");
        act_refused(stage, receiver, "recv", "EAGAIN", "{'timeout_ms':0}");
}

static void multicast_by_source(struct stage *stage)
{
        const char *const receiver = make(stage, "{'type':'SOCK_DGRAM','bind':'0.0.0.0:0'}");
        const char *const senders[2] = { make_source(stage, 1), make_source(stage, 2) };
        act(stage, receiver, "setsockopt", 200, "{" SOURCE "}", "ADD", 1);
        expect_from(stage, receiver, senders, 1);
        act(stage, receiver, "setsockopt", 200, "{" SOURCE "}", "ADD", 2);
        act(stage, receiver, "setsockopt", 200, "{" SOURCE "}", "DROP", 1);
        act_refused(stage, receiver, "setsockopt", "EADDRNOTAVAIL", "{" SOURCE "}", "DROP", 1);
        expect_from(stage, receiver, senders, 2);
        act(stage, receiver, "setsockopt", 200, "{" SOURCE "}", "DROP", 2);
}

/* RFC 1071. */
static uint16_t internet_checksum(const uint8_t *bytes, size_t size)
{
        uint32_t sum = 0;
        for (size_t i = 0; i + 1 < size; i += 2)
                sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
        while (sum >> 16 != 0)
                sum = (sum & 0xffff) + (sum >> 16);
        return (uint16_t)~sum;
}

/* Receives packets until one has the bytes at that offset, behind an IP header if there is one. Returns its
 * reply; NULL: none of so many is the one. */
static const struct reply *find_packet(
        struct stage *stage, const char *id, size_t offset, const void *bytes, size_t size)
{
        for (int i = 0; i < PACKETS_LIMIT; i++) {
                const struct reply *const reply = act(stage, id, "recvfrom", 200, "");
                size_t got_size;
                uint8_t *const got = base64_decode(text_at(reply, "data"), &got_size);
                const bool same = got_size >= offset + size && memcmp(got + offset, bytes, size) == 0;
                free(got);
                if (same)
                        return reply;
        }
        return NULL;
}

static const struct reply *await_packet(
        struct stage *stage, const char *id, size_t offset, const void *bytes, size_t size)
{
        const struct reply *const reply = find_packet(stage, id, offset, bytes, size);
        if (reply == NULL)
                fail_msg("none of %d packets is the one", PACKETS_LIMIT);
        return reply;
}

/* An echo by hand, checksum and all; the kernel answers. */
static void raw_icmp(struct stage *stage)
{
        enum { IP_HEADER = 20, SIZE = 16, SUM = 2 };
        const char *const id = attempt_to_make(
                stage, "EPERM", "EACCES", "{'family':'AF_INET','type':'SOCK_RAW','protocol':'IPPROTO_ICMP'}");
        if (id == NULL)
                return;
        uint8_t echo[SIZE] = { ICMP_ECHO, 0, 0, 0, 0x50, 0x57, 0, 1, 's', 'o', 'c', 'k', 'e', 't', 's', '!' };
        const uint16_t sum = internet_checksum(echo, SIZE);
        echo[SUM] = (uint8_t)(sum >> 8), echo[SUM + 1] = (uint8_t)sum;
        char *const data = base64_encode(echo, SIZE);
        act(stage, id, "sendto", 200,
                "{'data':'%s','address':{'family':'AF_INET','host':'127.0.0.1','port':0}}", data);
        free(data);
        /* The answer differs in its type, and so in its sum. */
        echo[0] = ICMP_ECHOREPLY, echo[SUM] = echo[SUM + 1] = 0;
        const uint16_t answer_sum = internet_checksum(echo, SIZE);
        echo[SUM] = (uint8_t)(answer_sum >> 8), echo[SUM + 1] = (uint8_t)answer_sum;
        const struct reply *const reply = await_packet(stage, id, IP_HEADER, echo, SIZE);
        assert_string_equal(text_at(reply, "address.host"), "127.0.0.1");
}

/* A frame of a protocol of our own goes out on lo as it is, and comes back in. */
static void packets(struct stage *stage)
{
        enum { HEADER = 14, PROTOCOL = 0x88b5 }; /* IEEE 802's local experimental ethertype 1 */
        const char *const near = attempt_to_make(stage, "EPERM", "EACCES",
                "{'family':'AF_PACKET','type':'SOCK_RAW','bind':{'family':'AF_PACKET','interface':'lo',"
                "'protocol':34997}}");
        if (near == NULL)
                return;
        const char *const far = make(stage, "{'family':'AF_PACKET','type':'SOCK_RAW'}");
        const uint8_t frame[HEADER + 4] = { [12] = PROTOCOL >> 8, PROTOCOL & 0xff, 'p', 'a', 'c', 'k' };
        char *const data = base64_encode(frame, sizeof frame);
        act(stage, far, "sendto", 200,
                "{'data':'%s','address':{'family':'AF_PACKET','interface':'lo','protocol':34997}}", data);
        free(data);
        const struct reply *const reply = await_packet(stage, near, 0, frame, sizeof frame);
        assert_string_equal(text_at(reply, "address.interface"), "lo");
        assert_int_equal(number_at(reply, "address.protocol"), PROTOCOL);
}

/* Protocol 3 is all: ETH_P_ALL. A datagram is seen within its headers. */
static void capture(struct stage *stage)
{
        enum { HEADERS = 20 + 8 };
        const char *const id = attempt_to_make(stage, "EPERM", "EACCES",
                "{'family':'AF_PACKET','type':'SOCK_DGRAM','bind':{'family':'AF_PACKET','interface':'lo',"
                "'protocol':3}}");
        if (id == NULL)
                return;
        const char *const near = make(stage, "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        /* What else passes there may leave no room for it. */
        const struct reply *reply = NULL;
        for (int attempt = 0; attempt < 20 && reply == NULL; attempt++) {
                act(stage, near, "sendto", 200, "{'text':'caught in passing','address':'127.0.0.1:%d'}",
                        port_of(stage, near));
                reply = find_packet(stage, id, HEADERS, "caught in passing", 17);
        }
        assert_non_null(reply);
        assert_int_equal(number_at(reply, "address.protocol"), 0x0800);
}

static void seqpacket(struct stage *stage)
{
        char path[128];
        snprintf(path, sizeof path, "%s/sequence", stage->daemon->directory);
        const char *const listener = make(
                stage, "{'family':'AF_UNIX','type':'SOCK_SEQPACKET','bind':'unix:%s','listen':{}}", path);
        const char *const near =
                make(stage, "{'family':'AF_UNIX','type':'SOCK_SEQPACKET','connect':'unix:%s'}", path);
        const char *const far = text_at(act(stage, listener, "accept", 201, ""), "id");
        act(stage, near, "send", 200, "{'text':'a long one'}");
        act(stage, near, "send", 200, "{'text':''}");
        act(stage, near, "send", 200, "{'text':'two'}");
        const struct reply *reply = act(stage, far, "recv", 200, "{'size':6}");
        expect_text(reply, "a long");
        assert_true(flag_at(reply, "truncated"));
        reply = act(stage, far, "recv", 200, "");
        expect_text(reply, "");
        assert_false(flag_at(reply, "eof"));
        expect_text(act(stage, far, "recv", 200, ""), "two");
        drop(stage, 204, "/v1/sockets/%s", near);
        assert_true(flag_at(act(stage, far, "recv", 200, ""), "eof"));
}

/* Checksums of the first eight bytes only, of both sides' own choice. */
static void udp_lite(struct stage *stage)
{
        static const int coverage = 8;
        const char *const near = attempt_to_make(stage, "EPROTONOSUPPORT", "ESOCKTNOSUPPORT",
                "{'type':'SOCK_DGRAM','protocol':'IPPROTO_UDPLITE','bind':'127.0.0.1:0'}");
        if (near == NULL)
                return;
        const char *const far =
                make(stage, "{'type':'SOCK_DGRAM','protocol':'IPPROTO_UDPLITE','bind':'127.0.0.1:0'}");
        char *const raw = base64_encode(&coverage, sizeof coverage);
        /* UDPLITE_SEND_CSCOV */
        act(stage, far, "setsockopt", 200, "{'level':'IPPROTO_UDPLITE','option':10,'raw':'%s'}", raw);
        const struct reply *reply =
                act(stage, far, "getsockopt", 200, "{'level':'IPPROTO_UDPLITE','option':10}");
        assert_string_equal(text_at(reply, "raw"), raw);
        free(raw);
        act(stage, far, "sendto", 200, "{'text':'light','address':'127.0.0.1:%d'}", port_of(stage, near));
        reply = act(stage, near, "recvfrom", 200, "");
        expect_text(reply, "light");
        assert_int_equal(number_at(reply, "address.port"), port_of(stage, far));
}

/* A conversation over a protocol that the host may lack. */
static const struct connected {
        const char *name, *protocol, *type;
} connecteds[] = {
        { "SCTP, one to one", "IPPROTO_SCTP", "SOCK_STREAM" },
        { "MPTCP", "IPPROTO_MPTCP", "SOCK_STREAM" },
};

static void play_connected(struct stage *stage, const void *row)
{
        const struct connected *const connected = row;
        char json[256];
        snprintf(json, sizeof json, "{'type':'%s','protocol':'%s','bind':'127.0.0.1:0','listen':{}}",
                connected->type, connected->protocol);
        const char *const listener = attempt_to_make(stage, "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", json);
        if (listener == NULL)
                return;
        const char *const near = make(stage, "{'type':'%s','protocol':'%s','connect':'127.0.0.1:%d'}",
                connected->type, connected->protocol, port_of(stage, listener));
        const char *const far = text_at(act(stage, listener, "accept", 201, ""), "id");
        assert_string_equal(
                text_at(get(stage, 200, "/v1/sockets/%s", near), "protocol"), connected->protocol);
        act(stage, near, "send", 200, "{'text':'there'}");
        expect_text(act(stage, far, "recv", 200, "{'until':5}"), "there");
        act(stage, far, "send", 200, "{'text':'back;and more'}");
        const struct reply *const reply = act(stage, near, "recv", 200, "{'frame':{'delimiter_text':';'}}");
        assert_string_equal(text_at(reply, "messages.0.data"), "YmFjazs=");
        expect_text(act(stage, near, "recv", 200, "{'until':8}"), "and more");
        drop(stage, 204, "/v1/sockets/%s", near);
        assert_true(flag_at(act(stage, far, "recv", 200, ""), "eof"));
}

static const struct scenario scenarios[] = {
        { "MSG_PEEK", peek },
        { "MSG_WAITALL", wait_for_all },
        { "MSG_MORE", more },
        { "the out-of-band mark", mark },
        { "the mark with SO_OOBINLINE", mark_inline },
        { "the mark behind what is gathered", mark_behind_gathered },
        { "the mark of a unix stream", mark_in_unix },
        { "a group of listeners on one port", port_group },
        { "TCP fast open", fast_open },
        { "TCP fast open, refused", fast_open_refused },
        { "broadcast", broadcast },
        { "multicast by source", multicast_by_source },
        { "a raw ICMP echo", raw_icmp },
        { "AF_PACKET, sent and received", packets },
        { "AF_PACKET, capturing", capture },
        { "unix SOCK_SEQPACKET", seqpacket },
        { "UDP-Lite", udp_lite },
};

int main(void)
{
        SUITE_ADD_SCENARIOS(scenarios);
        SUITE_ADD_ROWS(play_connected, connecteds);
        return suite_run("protocols", NULL);
}
