/* test_options.c: socket options by name, typed, set and read through HTTP. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/steps.h"

#define TCP "'family':'AF_INET','type':'SOCK_STREAM'"
#define TCP6 "'family':'AF_INET6','type':'SOCK_STREAM'"
#define UDP "'family':'AF_INET','type':'SOCK_DGRAM'"
#define UDP6 "'family':'AF_INET6','type':'SOCK_DGRAM'"

/* Set to a value, each then reads back as `read` (NULL: the same). */
static const struct change {
        const char *name, *socket, *level, *value, *read;
} changes[] = {
        { "SO_BROADCAST", UDP, "SOL_SOCKET", "true", NULL },
        { "SO_REUSEADDR", TCP, "SOL_SOCKET", "true", NULL },
        { "SO_REUSEPORT", TCP, "SOL_SOCKET", "true", NULL },
        { "SO_DONTROUTE", TCP, "SOL_SOCKET", "true", NULL },
        { "SO_KEEPALIVE", TCP, "SOL_SOCKET", "true", NULL },
        { "SO_LINGER", TCP, "SOL_SOCKET", "{'onoff':true,'linger':3}", NULL },
        { "SO_OOBINLINE", TCP, "SOL_SOCKET", "true", NULL },
        { "SO_RCVBUF", TCP, "SOL_SOCKET", "8192", "16384" }, /* the kernel doubles it */
        { "SO_SNDBUF", TCP, "SOL_SOCKET", "8192", "16384" },
        { "SO_RCVLOWAT", TCP, "SOL_SOCKET", "5", NULL },
        { "SO_RCVTIMEO", TCP, "SOL_SOCKET", "{'seconds':2,'microseconds':500000}", NULL },
        { "SO_SNDTIMEO", TCP, "SOL_SOCKET", "{'seconds':1,'microseconds':0}", NULL },
        { "SO_PRIORITY", TCP, "SOL_SOCKET", "4", NULL },
        { "TCP_NODELAY", TCP, "IPPROTO_TCP", "true", NULL },
        { "TCP_CORK", TCP, "IPPROTO_TCP", "true", NULL },
        { "TCP_KEEPIDLE", TCP, "IPPROTO_TCP", "60", NULL },
        { "TCP_KEEPINTVL", TCP, "IPPROTO_TCP", "7", NULL },
        { "TCP_KEEPCNT", TCP, "IPPROTO_TCP", "3", NULL },
        { "TCP_USER_TIMEOUT", TCP, "IPPROTO_TCP", "1500", NULL },
        { "TCP_SYNCNT", TCP, "IPPROTO_TCP", "2", NULL },
        { "TCP_LINGER2", TCP, "IPPROTO_TCP", "30", NULL },
        { "TCP_CONGESTION", TCP, "IPPROTO_TCP", "'reno'", NULL },
        { "TCP_NOTSENT_LOWAT", TCP, "IPPROTO_TCP", "16384", NULL },
        { "IP_TTL", TCP, "IPPROTO_IP", "33", NULL },
        { "IP_TOS", TCP, "IPPROTO_IP", "16", NULL },
        { "IP_RECVERR", UDP, "IPPROTO_IP", "true", NULL },
        { "IP_PKTINFO", UDP, "IPPROTO_IP", "true", NULL },
        { "IP_FREEBIND", TCP, "IPPROTO_IP", "true", NULL },
        { "IP_BIND_ADDRESS_NO_PORT", TCP, "IPPROTO_IP", "true", NULL },
        { "IP_MULTICAST_TTL", UDP, "IPPROTO_IP", "9", NULL },
        { "IP_MULTICAST_LOOP", UDP, "IPPROTO_IP", "false", NULL },
        { "IPV6_V6ONLY", TCP6, "IPPROTO_IPV6", "true", NULL },
        { "IPV6_UNICAST_HOPS", TCP6, "IPPROTO_IPV6", "44", NULL },
        { "IPV6_MULTICAST_HOPS", UDP6, "IPPROTO_IPV6", "5", NULL },
        { "IPV6_MULTICAST_LOOP", UDP6, "IPPROTO_IPV6", "false", NULL },
        { "IPV6_RECVPKTINFO", UDP6, "IPPROTO_IPV6", "true", NULL },
        { "IPV6_TCLASS", TCP6, "IPPROTO_IPV6", "32", NULL },
        { "UDP_SEGMENT", UDP, "IPPROTO_UDP", "512", NULL },
        { "UDP_GRO", UDP, "IPPROTO_UDP", "true", NULL },
};

static void play_change(struct stage *stage, const void *row)
{
        const struct change *const change = row;
        const char *const id = make(stage, "{%s}", change->socket);
        act(stage, id, "setsockopt", 200, "{'level':'%s','option':'%s','value':%s}", change->level,
                change->name, change->value);
        const struct reply *const reply = act(
                stage, id, "getsockopt", 200, "{'level':'%s','option':'%s'}", change->level, change->name);
        expect_json(json_at(reply->json, "value"), change->read ? change->read : change->value);
        assert_true(*text_at(reply, "raw"));
}

/* These only read. */
static const struct reading {
        const char *name, *socket, *level, *value;
} readings[] = {
        { "SO_TYPE", UDP, "SOL_SOCKET", "'SOCK_DGRAM'" },
        { "SO_DOMAIN", UDP6, "SOL_SOCKET", "'AF_INET6'" },
        { "SO_PROTOCOL", TCP, "SOL_SOCKET", "'IPPROTO_TCP'" },
        { "SO_ACCEPTCONN", TCP, "SOL_SOCKET", "false" },
};

/* A constant may be said by its name or its number. */
static void play_reading(struct stage *stage, const void *row)
{
        const struct reading *const reading = row;
        const char *const id = make(stage, "{%s}", reading->socket);
        const struct reply *const reply = act(
                stage, id, "getsockopt", 200, "{'level':'%s','option':'%s'}", reading->level, reading->name);
        const json_t *const value = json_at(reply->json, "value");
        if (!json_is_integer(value))
                expect_json(value, reading->value);
        act_refused(stage, id, "setsockopt", "ENOPROTOOPT", "{'level':'%s','option':'%s','raw':'AQAAAA=='}",
                reading->level, reading->name);
}

/* What is wrong with a request, and what the kernel refuses. */
static const struct mistake {
        const char *name, *action, *json;
        int status;
        const char *says; /* the errno's name or the parameter's */
} mistakes[] = {
        { "a boolean is asked for", "setsockopt",
                "{'level':'SOL_SOCKET','option':'SO_KEEPALIVE','value':'yes'}", 400, "value" },
        { "an integer is asked for", "setsockopt", "{'level':'SOL_SOCKET','option':'SO_RCVBUF','value':1.5}",
                400, "value" },
        { "linger's members", "setsockopt", "{'level':'SOL_SOCKET','option':'SO_LINGER','value':{'on':true}}",
                400, "value" },
        { "an unknown option", "getsockopt", "{'level':'SOL_SOCKET','option':'SO_KEEPALIV'}", 400, "option" },
        { "an unknown level", "getsockopt", "{'level':'SOL_SOCKETS','option':'SO_KEEPALIVE'}", 400, "level" },
        { "no value", "setsockopt", "{'level':'SOL_SOCKET','option':'SO_KEEPALIVE'}", 400, "value" },
        { "no option", "getsockopt", "{'level':'SOL_SOCKET'}", 400, "option" },
        { "a number that no kernel has", "getsockopt", "{'level':'SOL_SOCKET','option':9999}", 422,
                "ENOPROTOOPT" },
        { "too short", "setsockopt", "{'level':'SOL_SOCKET','option':'SO_KEEPALIVE','raw':'AQ=='}", 422,
                "EINVAL" },
        { "a congestion control of no kernel", "setsockopt",
                "{'level':'IPPROTO_TCP','option':'TCP_CONGESTION','value':'nonesuch'}", 422, "ENOENT" },
        { "out of the kernel's range", "setsockopt", "{'level':'IPPROTO_IP','option':'IP_TTL','value':256}",
                422, "EINVAL" },
};

static void play_mistake(struct stage *stage, const void *row)
{
        const struct mistake *const mistake = row;
        const char *const id = make(stage, "{" TCP "}");
        const struct reply *const reply =
                act(stage, id, mistake->action, mistake->status, "%s", mistake->json);
        if (mistake->status == 422)
                expect_errno(reply, mistake->says);
        else
                expect_problem(reply, mistake->status, mistake->says);
}

/* Winsock's twin of SO_LINGER. */
static void dont_linger(struct stage *stage)
{
        const char *const id = make(stage, "{" TCP "}");
        act(stage, id, "setsockopt", 200,
                "{'level':'SOL_SOCKET','option':'SO_LINGER','value':{'onoff':true,'linger':9}}");
        act(stage, id, "setsockopt", 200, "{'level':'SOL_SOCKET','option':'SO_DONTLINGER','value':true}");
        const struct reply *const reply =
                act(stage, id, "getsockopt", 200, "{'level':'SOL_SOCKET','option':'SO_LINGER'}");
        assert_false(flag_at(reply, "value.onoff"));
}

static void by_number_and_raw(struct stage *stage)
{
        const char *const id = make(stage, "{" TCP "}");
        act(stage, id, "setsockopt", 200, "{'level':1,'option':9,'raw':'AQAAAA=='}"); /* SO_KEEPALIVE */
        const struct reply *const reply =
                act(stage, id, "getsockopt", 200, "{'level':'SOL_SOCKET','option':'SO_KEEPALIVE'}");
        assert_true(flag_at(reply, "value"));
        assert_string_equal(text_at(reply, "raw"), "AQAAAA==");
}

static void tcp_info(struct stage *stage)
{
        const struct link link = make_link(stage);
        const struct reply *const reply =
                act(stage, link.near, "getsockopt", 200, "{'level':'IPPROTO_TCP','option':'TCP_INFO'}");
        assert_true(json_is_object(json_at(reply->json, "value")));
        assert_non_null(json_at(reply->json, "value.state"));
        assert_true(json_object_size(json_at(reply->json, "value")) > 20);
}

static void peer_credentials(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        const struct reply *const reply =
                act(stage, pair.near, "getsockopt", 200, "{'level':'SOL_SOCKET','option':'SO_PEERCRED'}");
        assert_int_equal(number_at(reply, "value.pid"), stage->daemon->pid);
        assert_int_equal(number_at(reply, "value.uid"), getuid());
        assert_int_equal(number_at(reply, "value.gid"), getgid());
}

static void pending_error(struct stage *stage)
{
        const char *const id = make(stage, "{" TCP "}");
        const struct reply *const reply =
                act(stage, id, "getsockopt", 200, "{'level':'SOL_SOCKET','option':'SO_ERROR'}");
        const json_t *const value = json_at(reply->json, "value");
        assert_true(json_is_null(value) || json_integer_value(value) == 0);
}

static void membership(struct stage *stage)
{
        const char *const id = make(stage, "{" UDP ",'bind':'0.0.0.0:0'}");
        act(stage, id, "setsockopt", 200,
                "{'level':'IPPROTO_IP','option':'IP_ADD_MEMBERSHIP','value':{'group':'239.1.2.3','interface':"
                "'lo'}}");
        act_refused(stage, id, "setsockopt", "EADDRINUSE",
                "{'level':'IPPROTO_IP','option':'IP_ADD_MEMBERSHIP','value':{'group':'239.1.2.3','interface':"
                "'lo'}}");
        act(stage, id, "setsockopt", 200,
                "{'level':'IPPROTO_IP','option':'IP_DROP_MEMBERSHIP','value':{'group':'239.1.2.3','interface'"
                ":'lo'}}");
        act_refused(stage, id, "setsockopt", "EADDRNOTAVAIL",
                "{'level':'IPPROTO_IP','option':'IP_DROP_MEMBERSHIP','value':{'group':'239.1.2.3','interface'"
                ":'lo'}}");
}

static const json_t *option_in_list(const struct reply *reply, const char *name)
{
        size_t index;
        const json_t *option;
        json_array_foreach(json_at(reply->json, "options"), index, option)
        {
                if (strcmp(json_string_value(json_object_get(option, "option")), name) == 0)
                        return option;
        }
        fail_msg("%s is not in %s", name, reply->body);
        return NULL;
}

static void listed(struct stage *stage)
{
        const char *const id = make(stage, "{" TCP "}");
        act(stage, id, "setsockopt", 200, "{'level':'IPPROTO_TCP','option':'TCP_NODELAY','value':true}");
        const struct reply *const reply = get(stage, 200, "/v1/sockets/%s/options", id);
        assert_true(json_array_size(json_at(reply->json, "options")) > 30);
        const json_t *const option = option_in_list(reply, "TCP_NODELAY");
        assert_string_equal(json_string_value(json_object_get(option, "level")), "IPPROTO_TCP");
        assert_true(json_is_true(json_object_get(option, "value")));
        option_in_list(reply, "SO_RCVBUF");
        option_in_list(reply, "IP_TTL");
}

/* A socket's own time-out is how long its calls wait when they do not say. */
static void receive_timeout(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        act(stage, pair.near, "setsockopt", 200,
                "{'level':'SOL_SOCKET','option':'SO_RCVTIMEO','value':{'seconds':0,'microseconds':150000}}");
        const int64_t started = milliseconds();
        const struct reply *const reply = act_refused(stage, pair.near, "recv", "EAGAIN", "{'size':1}");
        assert_true(flag_at(reply, "timed_out"));
        assert_in_range(milliseconds() - started, 140, 10000);
}

static const struct scenario scenarios[] = {
        { "SO_DONTLINGER", dont_linger },
        { "by number and raw", by_number_and_raw },
        { "TCP_INFO", tcp_info },
        { "SO_PEERCRED", peer_credentials },
        { "SO_ERROR", pending_error },
        { "memberships", membership },
        { "all of a socket", listed },
        { "SO_RCVTIMEO is obeyed", receive_timeout },
};

int main(void)
{
        SUITE_ADD_ROWS(play_change, changes);
        SUITE_ADD_ROWS(play_reading, readings);
        SUITE_ADD_ROWS(play_mistake, mistakes);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("options", NULL);
}
