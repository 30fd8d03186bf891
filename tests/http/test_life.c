/* test_life.c: sockets are made, listed, paired and closed. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/steps.h"

/* The daemon must answer each as this kernel answers this process. */
static const struct creation {
        const char *name, *json;
        int family, type, protocol;
        const char *family_name, *type_name;
} creations[] = {
        { "tcp", "{'family':'AF_INET','type':'SOCK_STREAM'}", AF_INET, SOCK_STREAM, 0, "AF_INET",
                "SOCK_STREAM" },
        { "udp", "{'family':'AF_INET','type':'SOCK_DGRAM'}", AF_INET, SOCK_DGRAM, 0, "AF_INET",
                "SOCK_DGRAM" },
        { "tcp over IPv6", "{'family':'AF_INET6','type':'SOCK_STREAM','protocol':'IPPROTO_TCP'}", AF_INET6,
                SOCK_STREAM, IPPROTO_TCP, "AF_INET6", "SOCK_STREAM" },
        { "udp over IPv6", "{'family':'AF_INET6','type':'SOCK_DGRAM','protocol':17}", AF_INET6, SOCK_DGRAM,
                17, "AF_INET6", "SOCK_DGRAM" },
        { "by numbers", "{'family':2,'type':1,'protocol':6}", AF_INET, SOCK_STREAM, 6, "AF_INET",
                "SOCK_STREAM" },
        { "mptcp", "{'family':'AF_INET','type':'SOCK_STREAM','protocol':262}", AF_INET, SOCK_STREAM, 262,
                "AF_INET", "SOCK_STREAM" },
        { "udp-lite", "{'family':'AF_INET','type':'SOCK_DGRAM','protocol':136}", AF_INET, SOCK_DGRAM, 136,
                "AF_INET", "SOCK_DGRAM" },
        { "unix stream", "{'family':'AF_UNIX','type':'SOCK_STREAM'}", AF_UNIX, SOCK_STREAM, 0, "AF_UNIX",
                "SOCK_STREAM" },
        { "unix datagram", "{'family':'AF_UNIX','type':'SOCK_DGRAM'}", AF_UNIX, SOCK_DGRAM, 0, "AF_UNIX",
                "SOCK_DGRAM" },
        { "unix seqpacket", "{'family':'AF_UNIX','type':'SOCK_SEQPACKET'}", AF_UNIX, SOCK_SEQPACKET, 0,
                "AF_UNIX", "SOCK_SEQPACKET" },
        { "netlink", "{'family':'AF_NETLINK','type':'SOCK_RAW'}", AF_NETLINK, SOCK_RAW, 0, "AF_NETLINK",
                "SOCK_RAW" },
        { "packet", "{'family':'AF_PACKET','type':'SOCK_DGRAM'}", AF_PACKET, SOCK_DGRAM, 0, "AF_PACKET",
                "SOCK_DGRAM" },
        { "vsock", "{'family':'AF_VSOCK','type':'SOCK_STREAM'}", AF_VSOCK, SOCK_STREAM, 0, "AF_VSOCK",
                "SOCK_STREAM" },
        { "raw icmp", "{'family':'AF_INET','type':'SOCK_RAW','protocol':'IPPROTO_ICMP'}", AF_INET, SOCK_RAW,
                IPPROTO_ICMP, "AF_INET", "SOCK_RAW" },
        { "rdm has no protocol", "{'family':'AF_INET','type':'SOCK_RDM'}", AF_INET, SOCK_RDM, 0, NULL, NULL },
        { "seqpacket without sctp", "{'family':'AF_INET','type':'SOCK_SEQPACKET'}", AF_INET, SOCK_SEQPACKET,
                0, "AF_INET", "SOCK_SEQPACKET" },
        { "a family of no kernel", "{'family':45,'type':1}", 45, 1, 0, NULL, NULL },
        { "a family below 0", "{'family':-1}", -1, SOCK_STREAM, 0, NULL, NULL },
        { "a protocol of another type", "{'family':'AF_INET','type':'SOCK_STREAM','protocol':17}", AF_INET,
                SOCK_STREAM, 17, NULL, NULL },
};

static void play_creation(struct stage *stage, const void *row)
{
        const struct creation *const creation = row;
        const int fd = socket(creation->family, creation->type, creation->protocol);
        const int error = errno;
        if (fd < 0) {
                const struct reply *const reply = post(stage, 422, "/v1/sockets", "%s", creation->json);
                expect_errno(reply, text_at(reply, "errno"));
                assert_int_equal(number_at(reply, "errno_number"), error);
                assert_string_equal(text_at(reply, "call"), "socket");
                return;
        }
        close(fd);
        const struct reply *const reply = post(stage, 201, "/v1/sockets", "%s", creation->json);
        assert_string_equal(text_at(reply, "family"), creation->family_name);
        assert_string_equal(text_at(reply, "type"), creation->type_name);
        const bool starts_bound = creation->family >= AF_NETLINK || creation->type == SOCK_RAW;
        if (creation->family == AF_INET6 || !starts_bound)
                assert_string_equal(text_at(reply, "state"), "created");
        char location[128];
        snprintf(location, sizeof location, "/v1/sockets/%s", text_at(reply, "id"));
        assert_string_equal(reply_header(reply, "location"), location);
        const struct reply *const shown = get(stage, 200, "%s", location);
        assert_string_equal(text_at(shown, "id"), text_at(reply, "id"));
}

static void defaults(struct stage *stage)
{
        const struct reply *const reply = post(stage, 201, "/v1/sockets", "");
        assert_string_equal(text_at(reply, "family"), "AF_INET");
        assert_string_equal(text_at(reply, "type"), "SOCK_STREAM");
        assert_string_equal(text_at(reply, "protocol"), "IPPROTO_TCP");
}

static void all_in_one_step(struct stage *stage)
{
        const struct reply *const reply = post(stage, 201, "/v1/sockets",
                "{'family':'AF_INET','type':'SOCK_STREAM','bind':'127.0.0.1:0','listen':{'backlog':7},'label'"
                ":'server',"
                "'options':[{'level':'SOL_SOCKET','option':'SO_REUSEADDR','value':true}]}");
        assert_string_equal(text_at(reply, "state"), "listening");
        assert_string_equal(text_at(reply, "label"), "server");
        assert_string_equal(text_at(reply, "local.host"), "127.0.0.1");
        assert_string_equal(text_at(reply, "local.family"), "AF_INET");
        assert_true(number_at(reply, "local.port") > 0);
        assert_true(json_is_null(json_at(reply->json, "peer")));
        assert_true(json_is_null(json_at(reply->json, "parent")));
        assert_int_equal(strlen(text_at(reply, "created")), strlen("2026-01-01T00:00:00.000000000Z"));
        const struct reply *const option = act(stage, text_at(reply, "id"), "getsockopt", 200,
                "{'level':'SOL_SOCKET','option':'SO_REUSEADDR'}");
        assert_true(flag_at(option, "value"));
}

static void states(struct stage *stage)
{
        const char *const id = make(stage, "{'family':'AF_INET','type':'SOCK_STREAM'}");
        const struct reply *reply = act(stage, id, "bind", 200, "{'address':'127.0.0.1:0'}");
        assert_string_equal(text_at(reply, "state"), "bound");
        const int port = (int)number_at(reply, "local.port");
        reply = act(stage, id, "listen", 200, "{'backlog':4}");
        assert_string_equal(text_at(reply, "state"), "listening");
        const char *const caller = make(stage, "{'family':'AF_INET','type':'SOCK_STREAM'}");
        reply = act(stage, caller, "connect", 200,
                "{'address':{'family':'AF_INET','host':'127.0.0.1','port':%d}}", port);
        assert_string_equal(text_at(reply, "state"), "connected");
        assert_int_equal(number_at(reply, "peer.port"), port);
        const struct reply *const accepted = act(stage, id, "accept", 201, "{'label':'served'}");
        assert_string_equal(text_at(accepted, "parent"), id);
        assert_string_equal(text_at(accepted, "label"), "served");
        assert_string_equal(text_at(accepted, "state"), "connected");
        assert_int_equal(number_at(accepted, "peer.port"), number_at(reply, "local.port"));
}

/* Whatever step of a creation fails, nothing is left. */
static const struct failure {
        const char *name, *json;
        int status;
        const char *errno_name, *call;
} failures[] = {
        { "an option fails",
                "{'family':'AF_INET','type':'SOCK_STREAM','options':[{'level':'SOL_SOCKET','option':'SO_"
                "REUSEADDR',"
                "'value':true},{'level':'SOL_SOCKET','option':'SO_TYPE','raw':'AQAAAA=='}]}",
                422, "ENOPROTOOPT", "setsockopt" },
        { "bind fails", "{'family':'AF_INET','type':'SOCK_STREAM','bind':'203.0.113.1:0'}", 422,
                "EADDRNOTAVAIL", "bind" },
        { "listen fails",
                "{'family':'AF_INET','type':'SOCK_DGRAM','bind':'127.0.0.1:0','listen':{'backlog':1}}", 422,
                "EOPNOTSUPP", "listen" },
        { "connect fails", "{'family':'AF_INET','type':'SOCK_STREAM','connect':'127.0.0.1:1'}", 422,
                "ECONNREFUSED", "connect" },
        { "an unknown option", "{'options':[{'level':'SOL_SOCKET','option':'SO_NONESUCH','value':1}]}", 400,
                NULL, NULL },
        { "an unknown member", "{'famly':'AF_INET'}", 400, NULL, NULL },
};

static void play_failure(struct stage *stage, const void *row)
{
        const struct failure *const failure = row;
        const size_t before = count_sockets(stage);
        const long descriptors = daemon_descriptors(stage->daemon);
        const struct reply *const reply = post(stage, failure->status, "/v1/sockets", "%s", failure->json);
        if (failure->errno_name) {
                expect_errno(reply, failure->errno_name);
                assert_string_equal(text_at(reply, "call"), failure->call);
        }
        assert_int_equal(count_sockets(stage), before);
        assert_int_equal(daemon_descriptors(stage->daemon), descriptors);
}

static void address_in_use(struct stage *stage)
{
        const struct reply *const first =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':true}");
        expect_errno(post(stage, 422, "/v1/sockets", "{'bind':'127.0.0.1:%d'}",
                             (int)number_at(first, "local.port")),
                "EADDRINUSE");
        assert_int_equal(count_sockets(stage), 1);
}

static const struct filter {
        const char *name, *query;
        size_t count;
} filters[] = {
        { "all", "", 5 },
        { "by family", "?family=AF_UNIX", 1 },
        { "by family's number", "?family=2", 4 },
        { "by type", "?type=SOCK_DGRAM", 2 },
        { "by state", "?state=listening", 1 },
        { "by label", "?label=b", 2 },
        { "by two", "?label=b&type=SOCK_STREAM", 1 },
        { "none", "?label=nobody", 0 },
};

static void play_filter(struct stage *stage, const void *row)
{
        const struct filter *const filter = row;
        make(stage, "{'family':'AF_INET','type':'SOCK_STREAM','label':'a'}");
        make(stage, "{'family':'AF_INET','type':'SOCK_STREAM','label':'b'}");
        make(stage, "{'family':'AF_INET','type':'SOCK_DGRAM','label':'b'}");
        make(stage, "{'family':'AF_UNIX','type':'SOCK_DGRAM'}");
        make(stage, "{'family':'AF_INET','type':'SOCK_STREAM','bind':'127.0.0.1:0','listen':{'backlog':1}}");
        const struct reply *const reply = get(stage, 200, "/v1/sockets%s", filter->query);
        assert_int_equal(json_array_size(json_at(reply->json, "sockets")), filter->count);
        assert_true(json_is_null(json_at(reply->json, "next")));
}

/* Pages stay in order, and show none twice, while sockets come and go. */
static void paging(struct stage *stage)
{
        const char *ids[7];
        for (size_t i = 0; i < COUNT(ids); i++)
                ids[i] = make(stage, "{'label':'paged'}");
        const struct reply *page = get(stage, 200, "/v1/sockets?label=paged&limit=3");
        assert_int_equal(json_array_size(json_at(page->json, "sockets")), 3);
        assert_string_equal(text_at(page, "sockets.2.id"), ids[2]);
        drop(stage, 204, "/v1/sockets/%s", ids[2]);
        drop(stage, 204, "/v1/sockets/%s", ids[4]);
        page = get(stage, 200, "/v1/sockets?label=paged&limit=3&cursor=%s", text_at(page, "next"));
        assert_int_equal(json_array_size(json_at(page->json, "sockets")), 3);
        assert_string_equal(text_at(page, "sockets.0.id"), ids[3]);
        assert_string_equal(text_at(page, "sockets.1.id"), ids[5]);
        assert_string_equal(text_at(page, "sockets.2.id"), ids[6]);
}

static void deletion(struct stage *stage)
{
        const char *const id = make(stage, "");
        const struct reply *const reply = drop(stage, 204, "/v1/sockets/%s", id);
        assert_int_equal(reply->size, 0);
        expect_problem(get(stage, 404, "/v1/sockets/%s", id), 404, NULL);
        drop(stage, 404, "/v1/sockets/%s", id);
        act(stage, id, "listen", 404, "");
}

static void deletion_says_eof(struct stage *stage)
{
        const struct link link = make_link(stage);
        drop(stage, 204, "/v1/sockets/%s", link.near);
        assert_true(flag_at(act(stage, link.far, "recv", 200, "{'size':10}"), "eof"));
}

static void deletion_with_reset(struct stage *stage)
{
        const struct link link = make_link(stage);
        drop(stage, 204, "/v1/sockets/%s?reset=true", link.near);
        act_refused(stage, link.far, "recv", "ECONNRESET", "{'size':10}");
}

static const struct pairing {
        const char *name, *type;
} pairings[] = {
        { "stream pair", "SOCK_STREAM" },
        { "datagram pair", "SOCK_DGRAM" },
        { "seqpacket pair", "SOCK_SEQPACKET" },
};

static void play_pairing(struct stage *stage, const void *row)
{
        const struct pairing *const pairing = row;
        const struct ends pair = make_pair(stage, pairing->type);
        assert_string_not_equal(pair.near, pair.far);
        act(stage, pair.near, "send", 200, "{'text':'over'}");
        expect_text(act(stage, pair.far, "recv", 200, "{'size':100}"), "over");
        act(stage, pair.far, "send", 200, "{'text':'back'}");
        expect_text(act(stage, pair.near, "recv", 200, "{'size':100}"), "back");
        assert_string_equal(text_at(get(stage, 200, "/v1/sockets/%s", pair.near), "state"), "connected");
}

static void pair_of_a_family_without(struct stage *stage)
{
        expect_errno(post(stage, 422, "/v1/socketpairs", "{'family':'AF_INET','type':'SOCK_STREAM'}"),
                "EOPNOTSUPP");
        assert_int_equal(count_sockets(stage), 0);
}

static void ids_are_never_reused(struct stage *stage)
{
        json_t *const seen = json_object();
        for (int i = 0; i < 100; i++) {
                const char *const id = make(stage, "");
                assert_null(json_object_get(seen, id));
                json_object_set_new(seen, id, json_true());
                drop(stage, 204, "/v1/sockets/%s", id);
        }
        json_decref(seen);
        const char *const old = make(stage, "");
        struct daemon *const other = daemon_start(NULL);
        struct client *const client = client_new(other, OVER_UNIX);
        const struct reply *const made = stage_keep(
                stage, exchange(client, &(struct request){ .method = "POST", .path = "/v1/sockets" }));
        assert_string_not_equal(text_at(made, "id"), old);
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s", old);
        expect_status(
                stage_keep(stage, exchange(client, &(struct request){ .method = "GET", .path = path })), 404);
        client_free(client);
        daemon_stop(other);
}

/* As when the reply of the accept, or of the making, reached nobody. */
static void is_unclaimed_until_it_is_named(struct stage *stage)
{
        const struct link link = make_link(stage);
        const struct reply *const list = get(stage, 200, "/v1/sockets?limit=10");
        assert_true(flag_at(list, "sockets.2.unclaimed"));
        assert_string_equal(text_at(list, "sockets.2.parent"), link.listener);
        assert_null(json_at(list->json, "sockets.0.unclaimed"));
        assert_null(json_at(get(stage, 200, "/v1/sockets/%s", link.far)->json, "unclaimed"));
        assert_null(json_at(get(stage, 200, "/v1/sockets")->json, "sockets.2.unclaimed"));
}

static const struct scenario scenarios[] = {
        { "defaults are Python's", defaults },
        { "all in one step", all_in_one_step },
        { "states", states },
        { "address in use", address_in_use },
        { "pages are stable", paging },
        { "deletion", deletion },
        { "deletion says end of stream", deletion_says_eof },
        { "deletion with a reset", deletion_with_reset },
        { "no pairs of AF_INET", pair_of_a_family_without },
        { "ids are never reused", ids_are_never_reused },
        { "unclaimed until a call names it", is_unclaimed_until_it_is_named },
};

int main(void)
{
        SUITE_ADD_ROWS(play_creation, creations);
        SUITE_ADD_ROWS(play_failure, failures);
        SUITE_ADD_ROWS(play_filter, filters);
        SUITE_ADD_ROWS(play_pairing, pairings);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("life", NULL);
}
