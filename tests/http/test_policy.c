/* test_policy.c: a policy is in force, whatever way is tried.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/message.h"
#include "tests/http/policy.h"

#define TCP "{}"
#define TCP6 "{'family':'AF_INET6'}"
#define UDP "{'type':'SOCK_DGRAM'}"
#define UNIX "{'family':'AF_UNIX'}"
#define TO(address) "{'address':'" address "'}"
#define OPTION(level, option, value) "{'level':" level ",'option':" option "," value "}"

static const struct trial {
        const char *name;
        const char *socket; /* NULL: the socket is made with the request itself */
        const char *action, *json;
        int status;
        const char *rule; /* who denies */
} trials[] = {
        { "a socket", NULL, "", "{}", 201, NULL },
        { "a socket of another type", NULL, "", "{'family':'AF_UNIX','type':'SOCK_SEQPACKET'}", 403,
                "no pairs" },
        { "a raw socket", NULL, "", "{'type':'SOCK_RAW','protocol':'IPPROTO_ICMP'}", 403, "default" },
        { "a raw socket with a flag", NULL, "", "{'type':524291,'protocol':255}", 403, "default" },
        { "a packet socket", NULL, "", "{'family':'AF_PACKET','type':'SOCK_DGRAM'}", 403, "default" },
        { "a packet socket of old", NULL, "", "{'type':'SOCK_PACKET'}", 403, "default" },
        { "a netlink socket", NULL, "", "{'family':'AF_NETLINK','type':'SOCK_RAW'}", 403, "default" },
        { "a port of its own", TCP, "bind", TO("127.0.0.1:0"), 200, NULL },
        { "a port below", TCP, "bind", TO("127.0.0.1:19999"), 403, "default" },
        { "all addresses", TCP, "bind", TO("0.0.0.0:0"), 403, "default" },
        { "all addresses of IPv6", TCP6, "bind", TO("[::]:0"), 403, "default" },
        { "a port, mapped", TCP6, "bind", TO("[::ffff:127.0.0.1]:0"), 200, NULL },
        { "all addresses, mapped", TCP6, "bind", TO("[::ffff:0.0.0.0]:0"), 403, "default" },
        { "all addresses, in the making", NULL, "", "{'bind':':0'}", 403, "default" },
        { "a port by listening", TCP, "listen", "", 403, "default" },
        { "a port by listening, in the making", NULL, "", "{'listen':true}", 403, "default" },
        { "a connection", TCP, "connect", TO("127.0.0.1:1"), 422, NULL },
        { "a connection elsewhere", TCP, "connect", TO("127.0.0.9:1"), 403, "default" },
        { "a connection elsewhere, mapped", TCP6, "connect", TO("[::ffff:127.0.0.9]:1"), 403, "default" },
        { "0.0.0.0 is loopback", TCP, "connect", TO("0.0.0.0:1"), 422, NULL },
        { "0.0.0.0 of another address", "{'bind':'127.0.0.9:0'}", "connect", TO("0.0.0.0:1"), 403,
                "default" },
        { "a name", TCP, "connect", TO("localhost:1"), 422, NULL },
        { "a datagram", UDP, "sendto", "{'address':'127.0.0.1:9','text':'x'}", 200, NULL },
        { "a datagram elsewhere", UDP, "sendto", "{'address':'127.0.0.9:9','text':'x'}", 403, "default" },
        { "a datagram where no connection may go", UDP, "sendto", "{'address':'127.0.0.8:9','text':'x'}", 200,
                NULL },
        { "a fast open", TCP, "sendto", "{'address':'127.0.0.1:1','text':'x','flags':['MSG_FASTOPEN']}", 422,
                NULL },
        { "a fast open where only datagrams may go", TCP, "sendto",
                "{'address':'127.0.0.8:9','text':'x','flags':['MSG_FASTOPEN']}", 403, "default" },
        { "a message", UDP, "sendmsg", "{'address':'127.0.0.1:9','buffers':[]}", 200, NULL },
        { "a message elsewhere", UDP, "sendmsg", "{'address':'127.0.0.9:9','buffers':[]}", 403, "default" },
        { "the first of many messages elsewhere", UDP, "sendmsg",
                "{'messages':[{'address':'127.0.0.9:9','buffers':[]}]}", 403, "default" },
        { "a fast open of a message", TCP, "sendmsg",
                "{'address':'127.0.0.1:1','buffers':[{'text':'x'}],'flags':['MSG_FASTOPEN']}", 422, NULL },
        { "a fast open of a message where only datagrams may go", TCP, "sendmsg",
                "{'address':'127.0.0.8:9','buffers':[{'text':'x'}],'flags':['MSG_FASTOPEN']}", 403,
                "default" },
        { "a message by a detour", UDP, "sendmsg",
                "{'address':'127.0.0.1:9','buffers':[],'ancillary':[{'level':'IPPROTO_IP','type':'IP_RETOPTS'"
                ","
                "'raw':'gwcEfwAACQA='}]}",
                403, "option" },
        { "a message by a detour of IPv6", "{'family':'AF_INET6','type':'SOCK_DGRAM'}", "sendmsg",
                "{'address':'[::1]:9','buffers':[],'ancillary':[{'level':'IPPROTO_IPV6','type':'IPV6_RTHDR',"
                "'raw':'AAIAAQAAAAA='}]}",
                403, "option" },
        { "a message with a mark", UDP, "sendmsg",
                "{'address':'127.0.0.1:9','buffers':[],'ancillary':[{'level':'SOL_SOCKET','type':'SO_MARK',"
                "'value':1}]}",
                403, "default" },
        { "a message by another interface", UDP, "sendmsg",
                "{'address':'127.0.0.1:9','buffers':[],'ancillary':[{'level':'IPPROTO_IP','type':'IP_PKTINFO'"
                ","
                "'value':{'interface':'lo'}}]}",
                403, "default" },
        { "a fast open by sendmsg", TCP, "sendmsg",
                "{'address':'127.0.0.8:9','buffers':[{'text':'x'}],'flags':['MSG_FASTOPEN']}", 403,
                "default" },
        { "a multicast", UDP, "sendto", "{'address':'239.1.2.3:9','text':'x'}", 403, "default" },
        { "an address that is cut", UDP, "sendto", "{'address':{'family':'AF_INET','raw':'AAkA'},'text':'x'}",
                403, "default" },
        { "no address", UDP, "connect", "{'address':{'family':'AF_UNSPEC','raw':'AAA='}}", 403, "default" },
        { "another's rule", TCP, "connect", TO("127.0.0.2:1"), 403, "default" },
        { "another's policy", TCP, "connect", TO("127.0.0.3:1"), 403, "default" },
        { "a file", UNIX, "connect", TO("unix:{}/lab/none"), 422, NULL },
        { "a file beside", UNIX, "connect", TO("unix:{}/lab2"), 403, "default" },
        { "a file through dots", UNIX, "connect", TO("unix:{}/lab/../none"), 403, "default" },
        { "a file through a link", UNIX, "bind", TO("unix:{}/lab/out/file"), 403, "default" },
        { "a file, linked to", UNIX, "connect", TO("unix:{}/lab/passwd"), 403, "default" },
        { "an abstract name", UNIX, "bind", TO("unix:@lab-policy"), 200, NULL },
        { "another abstract name", UNIX, "bind", TO("unix:@x"), 403, "default" },
        { "a name from the kernel", UNIX, "bind", TO("unix:"), 403, "default" },
        { "an option", TCP, "setsockopt", OPTION("'IPPROTO_TCP'", "'TCP_NODELAY'", "'value':true"), 200,
                NULL },
        { "an option denied", TCP, "setsockopt", OPTION("'SOL_SOCKET'", "'SO_KEEPALIVE'", "'value':true"),
                403, "no keepalive" },
        { "an option denied, by number", TCP, "setsockopt", OPTION("1", "9", "'raw':'AQAAAA=='"), 403,
                "no keepalive" },
        { "an option denied, in the making", NULL, "", "{'options':[" OPTION("1", "9", "'value':true") "]}",
                403, "no keepalive" },
        { "a mark", TCP, "setsockopt", OPTION("'SOL_SOCKET'", "'SO_MARK'", "'value':1"), 403, "default" },
        { "a mark, raw", TCP, "setsockopt", OPTION("1", "36", "'raw':'AQAAAA=='"), 403, "default" },
        { "any address", TCP, "setsockopt", OPTION("'IPPROTO_IP'", "'IP_TRANSPARENT'", "'value':true"), 403,
                "default" },
        { "a risky option allowed", UDP, "setsockopt",
                OPTION("'IPPROTO_IP'", "'IP_MULTICAST_IF'", "'value':'127.0.0.1'"), 200, NULL },
        { "a device", UDP, "setsockopt", OPTION("'SOL_SOCKET'", "'SO_BINDTODEVICE'", "'value':'lo'"), 200,
                NULL },
        { "a device, by index", UDP, "setsockopt",
                OPTION("'SOL_SOCKET'", "'SO_BINDTOIFINDEX'", "'value':'lo'"), 200, NULL },
        { "another device", UDP, "setsockopt",
                OPTION("'SOL_SOCKET'", "'SO_BINDTODEVICE'", "'value':'nosuch0'"), 403, "default" },
        { "another device, raw", UDP, "setsockopt", OPTION("1", "25", "'raw':'bm9zdWNoMA=='"), 403,
                "default" },
        { "another device, by index", UDP, "setsockopt", OPTION("1", "62", "'raw':'/wAAAA=='"), 403,
                "default" },
        { "a group", UDP, "setsockopt",
                OPTION("0", "'IP_ADD_MEMBERSHIP'", "'value':{'group':'239.1.2.3','interface':'lo'}"), 200,
                NULL },
        { "another group", UDP, "setsockopt",
                OPTION("0", "'IP_ADD_MEMBERSHIP'", "'value':{'group':'239.2.2.3','interface':'lo'}"), 403,
                "default" },
        { "another group, raw", UDP, "setsockopt", OPTION("0", "35", "'raw':'7wICAwAAAAA='"), 403,
                "default" },
        { "another group, of any family", UDP, "setsockopt",
                OPTION("0", "'MCAST_JOIN_GROUP'", "'value':{'group':'239.2.2.3','interface':'lo'}"), 403,
                "default" },
        { "another group, for a source", UDP, "setsockopt",
                OPTION("0", "'IP_ADD_SOURCE_MEMBERSHIP'",
                        "'value':{'group':'232.1.2.3','source':'127.0.0.1'}"),
                403, "default" },
};

static void play_trial(struct stage *stage, const void *row)
{
        const struct trial *const trial = row;
        char json[TEXT_SIZE];
        folder_name(trial->json, json);
        const struct reply *const reply = trial->socket
                                                  ? act(stage, make(stage, "%s", trial->socket),
                                                            trial->action, trial->status, "%s", json)
                                                  : post(stage, trial->status, "/v1/sockets", "%s", json);
        if (trial->rule)
                expect_denied(reply, trial->rule);
}

static void pairs_are_judged(struct stage *stage)
{
        const char *const type = "{'family':'AF_UNIX','type':'%s'}";
        char json[128];
        snprintf(json, sizeof json, type, "SOCK_SEQPACKET");
        expect_denied(post(stage, 403, "/v1/socketpairs", "%s", json), "no pairs");
        snprintf(json, sizeof json, type, "SOCK_STREAM");
        post(stage, 201, "/v1/socketpairs", "%s", json);
}

/* A client of the test's own, from that address. */
static int connect_from(const char *host, int port)
{
        struct sockaddr_in from = { .sin_family = AF_INET };
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(inet_pton(AF_INET, host, &from.sin_addr), 1);
        assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr), 1);
        assert_return_code(bind(fd, (const struct sockaddr *)&from, sizeof from), errno);
        assert_return_code(connect(fd, (const struct sockaddr *)&to, sizeof to), errno);
        return fd;
}

/* Who is denied sees a reset, and the call goes on waiting. */
static void peers_are_turned_away(struct stage *stage)
{
        char byte;
        const char *const listener = make(stage, "{'bind':'127.0.0.1:0','listen':true}");
        const int port = (int)number_at(get(stage, 200, "/v1/sockets/%s", listener), "local.port");
        const int early = connect_from("127.0.0.5", port);
        struct pending *const accept = later(stage, listener, "accept", "");
        assert_int_equal(recv(early, &byte, 1, 0), -1);
        assert_int_equal(errno, ECONNRESET);
        await_parked(stage, listener, 1);
        const int denied = connect_from("127.0.0.2", port);
        assert_int_equal(recv(denied, &byte, 1, 0), -1);
        assert_int_equal(errno, ECONNRESET);
        const int welcome = connect_from("127.0.0.1", port);
        const struct reply *const accepted = finish(stage, accept, 201);
        assert_string_equal(text_at(accepted, "peer.host"), "127.0.0.1");
        assert_int_equal(count_sockets(stage), 2);
        char *const log = daemon_log(stage->daemon);
        assert_non_null(strstr(log, "policy: owner: accept from 127.0.0.2:"));
        free(log);
        close(early);
        close(denied);
        close(welcome);
}

/* More than are turned away at once; the call finds the last one all the same. */
static void many_peers_are_turned_away(struct stage *stage)
{
        enum { MANY = 200 };
        int denied[MANY];
        const char *const listener = make(stage, "{'bind':'127.0.0.1:0','listen':{'backlog':4000}}");
        const int port = (int)number_at(get(stage, 200, "/v1/sockets/%s", listener), "local.port");
        for (int i = 0; i < MANY; i++)
                denied[i] = connect_from("127.0.0.5", port);
        const int welcome = connect_from("127.0.0.1", port);
        act(stage, listener, "accept", 201, "");
        for (int i = 0; i < MANY; i++)
                close(denied[i]);
        close(welcome);
}

static void rules_ask_who(struct stage *stage)
{
        expect_errno(as_ci(stage, "/v1/sockets", "{'connect':'127.0.0.2:1'}"), "ECONNREFUSED");
        expect_errno(as_ci(stage, "/v1/sockets", "{'connect':'127.0.0.3:1'}"), "ECONNREFUSED");
        expect_denied(as_ci(stage, "/v1/sockets", "{'connect':'127.0.0.4:1'}"), "default");
}

/* Of two that come from elsewhere, the one that may not be made is not had either. */
static void gifts_are_judged(struct stage *stage)
{
        char name[GIFT_NAME_SIZE];
        gift_name(name);
        const char *const server =
                make(stage, "{'family':'AF_UNIX','type':'SOCK_DGRAM','bind':'unix:@%s'}", name);
        const int denied = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        const int welcome = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        give(name, (const int[]){ denied, welcome }, 2);
        const json_t *const value = ancillary_at(act(stage, server, "recvmsg", 200, ""), "SCM_RIGHTS");
        expect_json(json_object_get(value, "closed"), "['socket, denied by the policy']");
        assert_int_equal(json_array_size(json_object_get(value, "sockets")), 1);
        char *const log = daemon_log(stage->daemon);
        assert_non_null(strstr(log, "policy: owner: socket AF_UNIX SOCK_SEQPACKET is denied"));
        free(log);
        close(denied);
        close(welcome);
}

/* What went before the one that is denied is said. */
static void many_messages_are_judged(struct stage *stage)
{
        const struct post one = make_udp(stage, "127.0.0.1:0", "");
        const struct reply *const reply = act(stage, one.id, "sendmsg", 403,
                "{'messages':[{'address':'127.0.0.1:%d','buffers':[{'text':'x'}]},"
                "{'address':'127.0.0.9:9','buffers':[]}]}",
                one.port);
        expect_denied(reply, "default");
        assert_int_equal(number_at(reply, "messages"), 1);
}

/* Another's socket cannot be sent, no more than one that is not there. */
static void others_are_not_sent(struct stage *stage)
{
        char path[64], json[256];
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        const struct reply *const own = as_ci(stage, "/v1/socketpairs", "{'type':'SOCK_DGRAM'}");
        snprintf(path, sizeof path, "/v1/sockets/%s/sendmsg", text_at(own, "sockets.0.id"));
        snprintf(json, sizeof json,
                "{'buffers':[],'ancillary':[{'level':1,'type':1,'value':{'sockets':['%s']}}]}", pair.near);
        expect_problem(as_ci(stage, path, json), 400, "ancillary");
}

static const struct scenario scenarios[] = {
        { "pairs are judged", pairs_are_judged },
        { "peers are turned away", peers_are_turned_away },
        { "many peers are turned away", many_peers_are_turned_away },
        { "rules ask who", rules_ask_who },
        { "gifts are judged", gifts_are_judged },
        { "many messages are judged", many_messages_are_judged },
        { "others' sockets are not sent", others_are_not_sent },
};

int main(void)
{
        const char *const arguments[] = { "--policy", policy_path, "--tokens", tokens_path, NULL };
        folder_fill();
        SUITE_ADD_ROWS(play_trial, trials);
        SUITE_ADD_SCENARIOS(scenarios);
        const int failed = suite_run("policy", arguments);
        folder_remove();
        return failed;
}
