/* test_brink.c: the daemon is killed right between a system call and what it notes of it, and nothing is
 * lost. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/http/brink.h"
#include "tests/http/kept.h"

/* Makes a request whose reply never comes, since the daemon is killed with the given call done. False: that
 * cannot be had here. */
static bool die_in(struct stage *stage, long call, const char *method, const char *path, const char *json,
        const char *key)
{
        const pid_t daemon = kept_daemon(stage->daemon);
        struct brink *const brink = brink_begin(daemon, call);
        if (brink == NULL)
                return false;
        /* A client of its own, which does not try again by itself. */
        struct client *const client = client_new(stage->daemon, OVER_UNIX);
        client_set_quiet(client, true);
        struct reply *const reply = exchange(client,
                &(struct request){ .method = method, .path = path, .json = json, .headers = { key } });
        const int status = reply->status;
        reply_free(reply);
        client_free(client);
        brink_end(brink);
        assert_int_equal(status, 0);
        kept_await(stage->daemon, daemon);
        kept_await_ready(stage);
        return true;
}

static const struct arrival {
        const char *name, *bind; /* %s: the daemon's directory */
        int family;
} arrivals[] = {
        { "accept4, IPv4", "127.0.0.1:0", AF_INET },
        { "accept4, any address", "0.0.0.0:0", AF_INET },
        { "accept4, IPv6", "[::1]:0", AF_INET6 },
        { "accept4, unix", "unix:%s/owned", AF_UNIX },
};

static int connect_to(struct stage *stage, int family, int port)
{
        union {
                struct sockaddr any;
                struct sockaddr_in four;
                struct sockaddr_in6 six;
                struct sockaddr_un local;
        } to = { .any.sa_family = (sa_family_t)family };
        socklen_t size = sizeof to.four;
        if (family == AF_UNIX) {
                size = sizeof to.local;
                snprintf(to.local.sun_path, sizeof to.local.sun_path, "%s/owned", stage->daemon->directory);
        } else if (family == AF_INET6) {
                size = sizeof to.six;
                to.six.sin6_port = htons((uint16_t)port);
                to.six.sin6_addr = in6addr_loopback;
        } else {
                to.four.sin_port = htons((uint16_t)port);
                to.four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        }
        const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(connect(fd, &to.any, size), errno);
        return fd;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static const struct reply *listen_on(struct stage *stage, const struct arrival *row)
{
        char bind[256];
        snprintf(bind, sizeof bind, row->bind, stage->daemon->directory);
        return post(stage, 201, "/v1/sockets", "{'bind':'%s','listen':{'backlog':8}}", bind);
}
#pragma GCC diagnostic pop

/* The connection is there, and is the listener's. */
static void play_arrival(struct stage *stage, const void *row)
{
        const struct arrival *const arrival = row;
        char path[128];
        const struct reply *const listener = listen_on(stage, arrival);
        const char *const id = text_at(listener, "id");
        const int port = arrival->family == AF_UNIX ? 0 : (int)number_at(listener, "local.port");
        const int before = connect_to(stage, arrival->family, port);
        act(stage, id, "accept", 201, "{'timeout_ms':5000}");
        const int caller = connect_to(stage, arrival->family, port);
        assert_int_equal(send(caller, "hello", 5, 0), 5);
        snprintf(path, sizeof path, "/v1/sockets/%s/accept?timeout_ms=5000", id);
        if (!die_in(stage, SYS_accept4, "POST", path, NULL, NULL))
                skip();
        act_refused(stage, id, "accept", "EAGAIN", "{'timeout_ms':0}");
        const struct reply *const list = get(stage, 200, "/v1/sockets");
        assert_int_equal(json_array_size(json_at(list->json, "sockets")), 3);
        assert_string_equal(text_at(list, "sockets.2.parent"), id);
        assert_true(flag_at(list, "sockets.2.unclaimed"));
        expect_text(act(stage, text_at(list, "sockets.2.id"), "recv", 200, "{'timeout_ms':5000}"), "hello");
        close(before);
        close(caller);
        if (arrival->family == AF_UNIX) {
                snprintf(path, sizeof path, "%s/owned", stage->daemon->directory);
                unlink(path);
        }
}

/* What was sent is not sent again. */
static void sent(struct stage *stage)
{
        static const char *const types[] = { "SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET" };
        for (size_t i = 0; i < COUNT(types); i++) {
                char path[128];
                const struct ends pair = make_pair(stage, types[i]);
                snprintf(path, sizeof path, "/v1/sockets/%s/send", pair.near);
                if (!die_in(stage, SYS_sendmmsg, "POST", path, "{\"text\":\"abcdef\",\"offset\":0}", NULL))
                        skip();
                const struct reply *const again =
                        act(stage, pair.near, "send", 200, "{'text':'abcdef','offset':0}");
                assert_true(flag_at(again, "duplicate"));
                expect_text(act(stage, pair.far, "recv", 200, "{}"), "abcdef");
                act_refused(stage, pair.far, "recv", "EAGAIN", "{'timeout_ms':0}");
        }
}

/* What nobody got to know is not there. */
static void made(struct stage *stage)
{
        if (!die_in(stage, SYS_socket, "POST", "/v1/sockets", "{}", NULL) ||
                !die_in(stage, SYS_socketpair, "POST", "/v1/socketpairs", "{}", NULL))
                skip();
        assert_int_equal(count_sockets(stage), 0);
}

/* The id goes first: what is half closed is closed. */
static void closed(struct stage *stage)
{
        char path[128];
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        snprintf(path, sizeof path, "/v1/sockets/%s", pair.near);
        if (!die_in(stage, SYS_dup3, "DELETE", path, NULL, NULL))
                skip();
        get(stage, 404, "%s", path);
        assert_true(flag_at(act(stage, pair.far, "recv", 200, "{'timeout_ms':5000}"), "eof"));
}

/* What was received is received again. */
static void received(struct stage *stage)
{
        static const char *const types[] = { "SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET" };
        for (size_t i = 0; i < COUNT(types); i++) {
                char path[128];
                const struct ends pair = make_pair(stage, types[i]);
                act(stage, pair.near, "send", 200, "{'text':'abcdef'}");
                snprintf(path, sizeof path, "/v1/sockets/%s/recv?offset=0&timeout_ms=5000", pair.far);
                if (!die_in(stage, SYS_recvmmsg, "POST", path, NULL, NULL))
                        skip();
                act(stage, pair.near, "send", 200, "{'text':'gh'}");
                const struct reply *const again =
                        act(stage, pair.far, "recv", 200, "{'offset':0,'size':6,'timeout_ms':5000}");
                expect_text(again, "abcdef");
                const int next = (int)number_at(again, "next");
                expect_text(act(stage, pair.far, "recv", 200, "{'offset':%d,'ack':%d,'timeout_ms':5000}",
                                    next, next),
                        "gh");
        }
}

/* Without positions and keys it is not repeated, but it counts: a jump shows in `offset`. */
static const struct plain {
        const char *name, *type, *action;
        long call;
        const char *json;
        int bytes, messages; /* that count then; -1: not shown */
        bool gathered;       /* an earlier recv has left bytes, which go too */
} plains[] = {
        { "plain recv, a stream", "SOCK_STREAM", "recv", SYS_recvmsg, NULL, .bytes = 1, .messages = -1 },
        { "plain recv, a stream, until", "SOCK_STREAM", "recv", SYS_recvmsg, "{\"until\":{\"bytes\":6}}",
                .bytes = 1, .messages = -1 },
        { "plain recv, a stream, until, the second time", "SOCK_STREAM", "recv", SYS_recvmsg,
                "{\"until\":{\"bytes\":9}}", .bytes = 4, .messages = -1, .gathered = true },
        { "plain recv, all that is asked for", "SOCK_STREAM", "recv", SYS_recvmsg,
                "{\"size\":6,\"flags\":[\"MSG_WAITALL\"]}", .bytes = 1, .messages = -1 },
        { "plain recv, datagrams", "SOCK_DGRAM", "recv", SYS_recvmsg, NULL, .bytes = 1, .messages = 1 },
        { "plain recvfrom, datagrams", "SOCK_DGRAM", "recvfrom", SYS_recvmsg, NULL, .bytes = 1,
                .messages = 1 },
        { "plain recvfrom, packets", "SOCK_SEQPACKET", "recvfrom", SYS_recvmsg, NULL, .bytes = 1,
                .messages = 1 },
        { "plain recvmsg, a stream", "SOCK_STREAM", "recvmsg", SYS_recvmsg, NULL, .bytes = 1,
                .messages = -1 },
        { "plain recvmsg, packets", "SOCK_SEQPACKET", "recvmsg", SYS_recvmsg, NULL, .bytes = 1,
                .messages = 1 },
        { "plain send, a stream", "SOCK_STREAM", "send", SYS_sendmmsg, "{\"text\":\"abcdef\"}", .bytes = 6,
                .messages = -1 },
        { "plain send, datagrams", "SOCK_DGRAM", "send", SYS_sendmmsg, "{\"text\":\"abcdef\"}", .bytes = 6,
                .messages = 1 },
        { "plain sendto", "SOCK_DGRAM", "sendto", SYS_sendmmsg,
                "{\"text\":\"abcdef\",\"address\":\"unix:@brink\"}", .bytes = 6, .messages = 1 },
};

static void play_plain(struct stage *stage, const void *row)
{
        const struct plain *const plain = row;
        const bool sends = plain->call == SYS_sendmmsg;
        char path[128];
        const struct ends pair = make_pair(stage, plain->type);
        const char *const id = sends ? pair.near : pair.far;
        if (strcmp(plain->action, "sendto") == 0)
                make(stage, "{'family':'AF_UNIX','type':'SOCK_DGRAM','bind':'unix:@brink'}");
        if (plain->gathered) {
                act(stage, pair.near, "send", 200, "{'text':'xyz'}");
                act_refused(stage, pair.far, "recv", "EAGAIN", "{'until':{'bytes':9},'timeout_ms':0}");
        }
        if (!sends)
                act(stage, pair.near, "send", 200, "{'text':'abcdef'}");
        snprintf(path, sizeof path, "/v1/sockets/%s/%s?timeout_ms=5000", id, plain->action);
        if (!die_in(stage, plain->call, "POST", path, plain->json, NULL))
                skip();
        const struct reply *const object = get(stage, 200, "/v1/sockets/%s", id);
        const char *const bytes = sends ? "sent_bytes" : "received_bytes";
        const char *const messages = sends ? "sent_messages" : "received_messages";
        assert_int_equal(number_at(object, bytes), plain->bytes);
        if (plain->messages >= 0)
                assert_int_equal(number_at(object, messages), plain->messages);
        const struct reply *const next = act(stage, pair.near, "send", 200, "{'text':'gh'}");
        const struct reply *const there =
                sends ? next : act(stage, pair.far, "recv", 200, "{'timeout_ms':5000}");
        assert_int_equal(number_at(there, "offset"), plain->messages >= 0 ? plain->messages : plain->bytes);
        if (!sends)
                expect_text(there, "gh");
}

/* With a key, who comes again gets what the call had done, once. */
static const struct keyed {
        const char *name;
        long call;
        const char *path, *json; /* %s: a listener */
        int sockets;             /* that there are then, with the listener */
} keyeds[] = {
        { "accept4, with a key", SYS_accept4, "/v1/sockets/%s/accept?timeout_ms=5000", NULL, 2 },
        { "socket, with a key", SYS_socket, "/v1/sockets", "{\"label\":\"one\"}", 2 },
        { "bind, with a key", SYS_bind, "/v1/sockets", "{\"bind\":\"127.0.0.1:0\"}", 2 },
        { "socketpair, with a key", SYS_socketpair, "/v1/socketpairs", "{}", 3 },
};

static struct reply *come_again(struct stage *stage, const char *path, const char *json, const char *key)
{
        struct reply *const reply = stage_keep(
                stage, exchange(stage->client,
                               &(struct request){
                                       .method = "POST", .path = path, .json = json, .headers = { key } }));
        expect_status(reply, 201);
        return reply;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void write_path(char *out, size_t size, const char *format, const char *id)
{
        snprintf(out, size, format, id);
}
#pragma GCC diagnostic pop

static void play_keyed(struct stage *stage, const void *row)
{
        const struct keyed *const keyed = row;
        char path[128], key[128];
        const struct reply *const listener =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':{'backlog':8}}");
        const char *const id = text_at(listener, "id");
        const int callers[] = { connect_to(stage, AF_INET, (int)number_at(listener, "local.port")),
                connect_to(stage, AF_INET, (int)number_at(listener, "local.port")) };
        write_path(path, sizeof path, keyed->path, id);
        snprintf(key, sizeof key, "Idempotency-Key: %s %s", keyed->name, id);
        if (!die_in(stage, keyed->call, "POST", path, keyed->json, key))
                skip();
        const struct reply *const first = come_again(stage, path, keyed->json, key);
        const struct reply *const second = come_again(stage, path, keyed->json, key);
        assert_string_equal(reply_header(second, "idempotency-replayed"), "true");
        assert_string_equal(second->body, first->body);
        assert_int_equal(count_sockets(stage), keyed->sockets);
        close(callers[0]);
        close(callers[1]);
}

static const struct scenario scenarios[] = {
        { "recvmmsg", received },
        { "sendmmsg", sent },
        { "socket, socketpair", made },
        { "dup3", closed },
};

int main(void)
{
        static const char *const arguments[] = { "--keeper", NULL };
        SUITE_ADD_ROWS(play_arrival, arrivals);
        SUITE_ADD_SCENARIOS(scenarios);
        SUITE_ADD_ROWS(play_plain, plains);
        SUITE_ADD_ROWS(play_keyed, keyeds);
        return suite_run("brink", arguments);
}
