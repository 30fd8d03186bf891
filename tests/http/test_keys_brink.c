/* test_keys_brink.c: the daemon is killed right after a system call of a call that has an Idempotency-Key:
 * made again with the key, it is done once, or it is said that nobody can know. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/http/brink.h"
#include "tests/http/kept.h"
#include "tests/http/keyed.h"

/* A call that is killed with that system call done. False: that cannot be had here. */
static bool die_in(struct stage *stage, long call, const char *key, const char *method, const char *path,
        const char *json)
{
        const pid_t daemon = kept_daemon(stage->daemon);
        struct brink *const brink = brink_begin(daemon, call);
        if (!brink)
                return false;
        /* A client of its own, which does not try again by itself. */
        struct client *const client = client_new(stage->daemon, OVER_UNIX);
        client_set_quiet(client, true);
        const int status = keyed(stage, client, key, method, path, json)->status;
        assert_true(status == 0 || (call == SYS_sendmsg && status == 201));
        client_free(client);
        brink_end(brink);
        kept_await(stage->daemon, daemon);
        kept_await_ready(stage);
        return true;
}

/* What is there before, and is called: by its id. */
struct subject {
        const char *id, *peer;
        int port;
        char json[320]; /* what is asked for; "": what the row says */
};

static void nothing(struct stage *stage, struct subject *out)
{
        (void)stage;
        out->id = "";
}

/* A path in the file system, which the first attempt takes. */
static void path_to_bind(struct stage *stage, struct subject *out)
{
        nothing(stage, out);
        snprintf(out->json, sizeof out->json, "{'bind':'unix:%s/bound'}", stage->daemon->directory);
}

static void new_socket(struct stage *stage, struct subject *out)
{
        out->id = make(stage, "");
}

static void bound_socket(struct stage *stage, struct subject *out)
{
        out->id = make(stage, "{'bind':'127.0.0.1:0'}");
}

/* Two connections wait. */
static void listener(struct stage *stage, struct subject *out)
{
        const struct reply *const reply =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':{'backlog':9}}");
        out->id = text_at(reply, "id");
        out->port = (int)number_at(reply, "local.port");
        make(stage, "{'connect':'127.0.0.1:%d'}", out->port);
        make(stage, "{'connect':'127.0.0.1:%d'}", out->port);
}

/* An address to connect to, where that is done at once. */
static void to_connect(struct stage *stage, struct subject *out)
{
        make(stage, "{'family':'AF_UNIX','bind':'unix:@keys-brink','listen':{'backlog':9}}");
        out->id = make(stage, "{'family':'AF_UNIX'}");
}

static void pair_of(struct stage *stage, const char *type, struct subject *out)
{
        const struct ends ends = make_pair(stage, type);
        out->id = ends.near;
        out->peer = ends.far;
}

static void stream(struct stage *stage, struct subject *out)
{
        pair_of(stage, "SOCK_STREAM", out);
}

/* Its peer sends no more: once it is shut down, the kernel takes it for one that is not connected. */
static void ended(struct stage *stage, struct subject *out)
{
        const struct link link = make_link(stage);
        act(stage, link.far, "shutdown", 200, "{'how':'SHUT_WR'}");
        out->id = link.near;
}

static void datagrams(struct stage *stage, struct subject *out)
{
        out->id = make(stage, "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
}

#define GROUP(option)                                                                                        \
        "{'level':'IPPROTO_IP','option':'" option "','value':{'group':'239.1.2.3','interface':'lo'}}"

static void member(struct stage *stage, struct subject *out)
{
        datagrams(stage, out);
        act(stage, out->id, "setsockopt", 200, GROUP("IP_ADD_MEMBERSHIP"));
}

static void messages(struct stage *stage, struct subject *out)
{
        pair_of(stage, "SOCK_SEQPACKET", out);
}

static void two_to_receive(struct stage *stage, struct subject *out)
{
        messages(stage, out);
        for (int i = 0; i < 2; i++)
                act(stage, out->peer, "send", 200, "{'text':'once'}");
}

static void session(struct stage *stage, struct subject *out)
{
        out->id = text_at(post(stage, 201, "/v1/sessions", ""), "id");
        make(stage, "{'session':'%s'}", out->id);
}

/* The threads that batches run on are there. */
static void batched(struct stage *stage, struct subject *out)
{
        out->id = "";
        post(stage, 200, "/v1/batch", "{'steps':[{'method':'GET','path':'/v1/sockets'}]}");
}

/* What must be then, beside the reply. */
static void expect_sockets(struct stage *stage, size_t count)
{
        assert_int_equal(count_sockets(stage), count);
}

static void one_there(struct stage *stage, const struct subject *subject)
{
        (void)subject;
        expect_sockets(stage, 1);
}

static void two_there(struct stage *stage, const struct subject *subject)
{
        (void)subject;
        expect_sockets(stage, 2);
}

static void none_there(struct stage *stage, const struct subject *subject)
{
        (void)subject;
        expect_sockets(stage, 0);
}

static void none_there_but_a_path(struct stage *stage, const struct subject *subject)
{
        char path[256];
        none_there(stage, subject);
        snprintf(path, sizeof path, "%s/bound", stage->daemon->directory);
        assert_int_equal(unlink(path), 0);
}

static void one_more_to_accept(struct stage *stage, const struct subject *subject)
{
        expect_sockets(stage, 4);
        act(stage, subject->id, "accept", 201, "{'timeout_ms':5000}");
        act_refused(stage, subject->id, "accept", "EAGAIN", "{'timeout_ms':0}");
}

static void both_count(struct stage *stage, const struct subject *subject)
{
        assert_int_equal(number_at(get(stage, 200, "/v1/sockets/%s", subject->id), "received_messages"), 2);
}

static void has_come(struct stage *stage, const struct subject *subject)
{
        expect_text(act(stage, subject->peer, "recv", 200, "{'timeout_ms':5000}"), "once");
        act_refused(stage, subject->peer, "recv", "EAGAIN", "{'timeout_ms':0}");
}

static void three_have_come(struct stage *stage, const struct subject *subject)
{
        static const char *const texts[] = { "one", "two", "three" };
        for (size_t i = 0; i < COUNT(texts); i++)
                expect_text(act(stage, subject->peer, "recv", 200, "{'timeout_ms':5000}"), texts[i]);
        act_refused(stage, subject->peer, "recv", "EAGAIN", "{'timeout_ms':0}");
}

#define THREE                                                                                                \
        "{'messages':[{'buffers':[{'text':'one'}]},{'buffers':[{'text':'two'}]},{'buffers':[{'text':'three'" \
        "}]}]}"

/* "{id}" is the subject's. The second attempt's reply is its own, or, where the first one's was kept, that.
 */
static const struct brink_row {
        const char *name;
        long call;
        void (*begin)(struct stage *stage, struct subject *out);
        const char *method, *path, *json;
        int status;
        bool replayed;
        void (*check)(struct stage *stage, const struct subject *subject);
} rows[] = {
        { "socket: nobody's yet", SYS_socket, nothing, "POST", "/v1/sockets", "{}", 201, false, one_there },
        { "socket: bound", SYS_bind, nothing, "POST", "/v1/sockets", "{'bind':'127.0.0.1:0'}", 201, false,
                one_there },
        { "socket: bound to a path", SYS_bind, path_to_bind, "POST", "/v1/sockets", "", 409, false,
                none_there_but_a_path },
        { "socket: made, and no reply", SYS_getsockname, nothing, "POST", "/v1/sockets", "{}", 201, false,
                one_there },
        { "socket: made, and the reply sent", SYS_sendmsg, nothing, "POST", "/v1/sockets", "{}", 201, true,
                one_there },
        { "socketpair: nobody's yet", SYS_socketpair, nothing, "POST", "/v1/socketpairs", "", 201, false,
                two_there },
        { "socketpair: one of them", SYS_getsockname, nothing, "POST", "/v1/socketpairs", "", 201, false,
                two_there },
        { "accept", SYS_accept4, listener, "POST", "/v1/sockets/{id}/accept", "", 201, false,
                one_more_to_accept },
        { "accept: made, and no reply", SYS_getpeername, listener, "POST", "/v1/sockets/{id}/accept", "", 201,
                false, one_more_to_accept },
        { "bind", SYS_bind, new_socket, "POST", "/v1/sockets/{id}/bind", "{'address':'127.0.0.1:0'}", 200,
                false, NULL },
        { "listen", SYS_listen, bound_socket, "POST", "/v1/sockets/{id}/listen", "", 200, false, NULL },
        { "connect", SYS_connect, to_connect, "POST", "/v1/sockets/{id}/connect",
                "{'address':'unix:@keys-brink'}", 200, false, NULL },
        { "shutdown", SYS_shutdown, stream, "POST", "/v1/sockets/{id}/shutdown", "{'how':'SHUT_WR'}", 200,
                false, NULL },
        { "setsockopt", SYS_setsockopt, new_socket, "POST", "/v1/sockets/{id}/setsockopt",
                "{'level':'SOL_SOCKET','option':'SO_KEEPALIVE','value':true}", 200, false, NULL },
        { "shutdown, which is said once only", SYS_shutdown, ended, "POST", "/v1/sockets/{id}/shutdown",
                "{'how':'SHUT_WR'}", 409, false, NULL },
        { "setsockopt: a group joined", SYS_setsockopt, datagrams, "POST", "/v1/sockets/{id}/setsockopt",
                GROUP("IP_ADD_MEMBERSHIP"), 409, false, NULL },
        { "setsockopt: a group left", SYS_setsockopt, member, "POST", "/v1/sockets/{id}/setsockopt",
                GROUP("IP_DROP_MEMBERSHIP"), 409, false, NULL },
        { "recv: what comes next", SYS_recvmsg, two_to_receive, "POST", "/v1/sockets/{id}/recv",
                "{'timeout_ms':5000}", 200, false, both_count },
        { "send, a stream", SYS_sendmmsg, stream, "POST", "/v1/sockets/{id}/send", "{'text':'once'}", 200,
                false, has_come },
        { "send, a stream, all", SYS_sendmmsg, stream, "POST", "/v1/sockets/{id}/send",
                "{'text':'once','all':true}", 200, false, has_come },
        { "send, a message", SYS_sendmmsg, messages, "POST", "/v1/sockets/{id}/send", "{'text':'once'}", 200,
                false, has_come },
        { "sendmsg, a stream", SYS_sendmmsg, stream, "POST", "/v1/sockets/{id}/sendmsg",
                "{'buffers':[{'text':'on'},{'text':'ce'}]}", 200, false, has_come },
        { "sendmsg, the first of three", SYS_sendmmsg, messages, "POST", "/v1/sockets/{id}/sendmsg", THREE,
                200, false, three_have_come },
        { "close", SYS_dup3, new_socket, "DELETE", "/v1/sockets/{id}", "", 204, false, none_there },
        { "close, of a session's", SYS_dup3, session, "DELETE", "/v1/sessions/{id}", "", 204, false,
                none_there },
        { "a batch", SYS_socket, batched, "POST", "/v1/batch", "{'steps':[{'path':'/v1/sockets'}]}", 409,
                false, none_there },
};

static void play(struct stage *stage, const void *context)
{
        const struct brink_row *const row = context;
        struct subject subject = { .id = "", .json = "" };
        char path[256], key[32];
        row->begin(stage, &subject);
        const char *const mark = strstr(row->path, "{id}");
        snprintf(path, sizeof path, "%.*s%s%s", mark ? (int)(mark - row->path) : 255, row->path,
                mark ? subject.id : "", mark ? mark + 4 : "");
        snprintf(key, sizeof key, "%s", new_key());
        const char *const json = subject.json[0] == '\0' ? row->json : subject.json;
        if (!die_in(stage, row->call, key, row->method, path, json))
                skip();
        const struct reply *const again = keyed(stage, stage->client, key, row->method, path, json);
        expect_status(again, row->status);
        assert_int_equal(is_replayed(again), row->replayed);
        if (row->status == 409)
                assert_string_equal(text_at(again, "title"), "Interrupted");
        const struct reply *const third = keyed(stage, stage->client, key, row->method, path, json);
        expect_status(third, row->status);
        assert_int_equal(is_replayed(third), row->status != 409);
        if (row->check)
                row->check(stage, &subject);
}

int main(void)
{
        static const char *const arguments[] = { "--keeper", NULL };
        SUITE_ADD_ROWS(play, rows);
        return suite_run("keys on the brink", arguments);
}
