/* test_retain_messages.c: messages are kept until they are acknowledged, with all that came with them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/steps.h"

/* "one", "two" and "three" were sent, and two received, on a socket that retains; then comes this. */
static const struct again {
        const char *name, *json;
        int status;
        const char *text; /* what it receives; of a problem the parameter */
        int offset, next; /* as the reply says; of a problem: base and next */
        const char *then; /* what a recv without a position receives after it */
} rows[] = {
        { "no position", "{}", 200, "three", 2, 3, NULL },
        { "the first", "{'offset':0}", 200, "one", 0, 1, "three" },
        { "the second", "{'offset':1}", 200, "two", 1, 2, "three" },
        { "the next one", "{'offset':2}", 200, "three", 2, 3, NULL },
        { "a part of one", "{'offset':1,'size':1}", 200, "t", 1, 2, "three" },
        { "nothing of one", "{'offset':1,'size':0}", 200, "", 1, 2, "three" },
        { "acknowledging all", "{'ack':2}", 200, "three", 2, 3, NULL },
        { "acknowledging one", "{'offset':1,'ack':1}", 200, "two", 1, 2, "three" },
        { "acknowledging it", "{'offset':0,'ack':1}", 410, "offset", 1, 2, "three" },
        { "beyond", "{'offset':3}", 409, "offset", 0, 2, "three" },
        { "acknowledging what is beyond", "{'ack':3}", 409, "ack", 0, 2, "three" },
        { "before the beginning", "{'offset':-1}", 400, "offset", 0, 0, "three" },
        { "too large an offset", "{'offset':18446744073709551615}", 400, NULL, 0, 0, "three" },
        { "a look at the next one", "{'flags':['MSG_PEEK']}", 200, "three", 2, 2, "three" },
        { "a look at a kept one", "{'offset':0,'flags':['MSG_PEEK']}", 200, "one", 0, 0, "three" },
        { "a look at the one behind", "{'offset':2,'flags':['MSG_PEEK']}", 200, "three", 2, 2, "three" },
};

static void check_reply(const struct again *again, const struct reply *reply)
{
        if (again->status == 200) {
                expect_text(reply, again->text);
                assert_int_equal(number_at(reply, "offset"), again->offset);
                assert_int_equal(number_at(reply, "next"), again->next);
                return;
        }
        expect_problem(reply, again->status, again->text);
        if (again->status != 400) {
                assert_int_equal(number_at(reply, "base"), again->offset);
                assert_int_equal(number_at(reply, "next"), again->next);
        }
}

/* Each of these has a far end that the near one sends to. */
static struct ends udp(struct stage *stage)
{
        const char *const far = make(stage, "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        const int64_t port = number_at(get(stage, 200, "/v1/sockets/%s", far), "local.port");
        const char *const near = make(stage, "{'type':'SOCK_DGRAM','connect':'127.0.0.1:%d'}", (int)port);
        return (struct ends){ .near = near, .far = far };
}

static struct ends unix_datagrams(struct stage *stage)
{
        return make_pair(stage, "SOCK_DGRAM");
}

static struct ends packets(struct stage *stage)
{
        return make_pair(stage, "SOCK_SEQPACKET");
}

static struct ends (*const makers[])(struct stage *stage) = { udp, unix_datagrams, packets };

/* The three calls differ only in what else they say. */
static const char *const actions[] = { "recv", "recvfrom", "recvmsg" };

static void play_again(struct stage *stage, const void *row)
{
        const struct again *const again = row;
        for (size_t i = 0; i < COUNT(makers) * COUNT(actions); i++) {
                const char *const action = actions[i % COUNT(actions)];
                const struct ends ends = makers[i / COUNT(actions)](stage);
                act(stage, ends.near, "send", 200, "{'text':'one'}");
                act(stage, ends.near, "send", 200, "{'text':'two'}");
                act(stage, ends.near, "send", 200, "{'text':'three'}");
                expect_text(act(stage, ends.far, action, 200, "{'ack':0}"), "one");
                const struct reply *const second = act(stage, ends.far, action, 200, "");
                expect_text(second, "two");
                assert_int_equal(number_at(second, "offset"), 1);
                check_reply(again, act(stage, ends.far, action, again->status, "%s", again->json));
                if (again->then == NULL)
                        act_refused(stage, ends.far, action, "EAGAIN", "{'timeout_ms':0}");
                else
                        expect_text(act(stage, ends.far, action, 200, "{'timeout_ms':0}"), again->then);
                const struct reply *const shown = get(stage, 200, "/v1/sockets/%s", ends.far);
                assert_int_equal(number_at(shown, "received_messages"), 3);
                assert_int_equal(number_at(shown, "receive_queue"), 0);
        }
}

static void shows_positions_without_retaining(struct stage *stage)
{
        for (size_t i = 0; i < COUNT(makers); i++) {
                const struct ends ends = makers[i](stage);
                for (int n = 0; n < 4; n++)
                        act(stage, ends.near, "send", 200, "{'text':'%d'}", n);
                const struct reply *const first = act(stage, ends.far, "recv", 200, "");
                assert_int_equal(number_at(first, "offset"), 0);
                assert_int_equal(number_at(first, "next"), 1);
                const struct reply *const peeked =
                        act(stage, ends.far, "recvfrom", 200, "{'flags':['MSG_PEEK']}");
                assert_int_equal(number_at(peeked, "next"), 1);
                assert_int_equal(number_at(act(stage, ends.far, "recvfrom", 200, ""), "next"), 2);
                const struct reply *const many = act(stage, ends.far, "recvmsg", 200, "{'count':9}");
                assert_int_equal(number_at(many, "messages.1.offset"), 3);
                assert_int_equal(number_at(many, "messages.1.next"), 4);
                assert_int_equal(number_at(get(stage, 200, "/v1/sockets/%s", ends.near), "sent_messages"), 4);
        }
}

/* Sender, real length and flags come with each repeat. */
static void repeats_all_that_came(struct stage *stage)
{
        const struct ends ends = udp(stage);
        const char *const options = "{'level':'IPPROTO_IP','option':'IP_RECVTTL','value':true}";
        act(stage, ends.far, "setsockopt", 200, "%s", options);
        const int64_t port = number_at(get(stage, 200, "/v1/sockets/%s", ends.near), "local.port");
        act(stage, ends.near, "send", 200, "{'text':'abcdef'}");
        act(stage, ends.near, "send", 200, "{'text':''}");
        const struct reply *const cut = act(stage, ends.far, "recv", 200, "{'offset':0,'size':4}");
        expect_text(cut, "abcd");
        assert_true(flag_at(cut, "truncated"));
        expect_text(act(stage, ends.far, "recv", 200, ""), "");
        for (int i = 0; i < 2; i++) {
                const struct reply *const again =
                        act(stage, ends.far, "recvfrom", 200, "{'offset':0,'flags':['MSG_TRUNC']}");
                assert_string_equal(text_at(again, "data"), "YWJjZA==");
                assert_int_equal(number_at(again, "size"), 6);
                assert_int_equal(number_at(again, "address.port"), port);
                assert_true(flag_at(again, "truncated"));
                const struct reply *const message = act(stage, ends.far, "recvmsg", 200, "{'offset':0}");
                assert_int_equal(number_at(message, "length"), 6);
                assert_int_equal(number_at(message, "size"), 4);
                assert_int_equal(number_at(message, "address.port"), port);
                assert_string_equal(text_at(message, "flags.0"), "MSG_TRUNC");
                assert_string_equal(text_at(message, "ancillary.0.type"), "IP_TTL");
                assert_int_equal(number_at(message, "ancillary.0.value"), 64);
                const struct reply *const less =
                        act(stage, ends.far, "recvmsg", 200, "{'offset':1,'ancillary_size':0}");
                assert_string_equal(text_at(less, "flags.0"), "MSG_CTRUNC");
                assert_int_equal(number_at(less, "address.port"), port);
        }
        const struct reply *const pieces = act(stage, ends.far, "recvmsg", 200, "{'offset':0,'sizes':[1,2]}");
        assert_string_equal(text_at(pieces, "buffers.0"), "YQ==");
        assert_string_equal(text_at(pieces, "buffers.1"), "YmM=");
}

static void many_at_once(struct stage *stage)
{
        for (size_t i = 0; i < COUNT(makers); i++) {
                const struct ends ends = makers[i](stage);
                for (int n = 0; n < 4; n++)
                        act(stage, ends.near, "send", 200, "{'text':'%d'}", n);
                act(stage, ends.far, "recvmsg", 200, "{'count':2,'ack':0}");
                const struct reply *const all =
                        act(stage, ends.far, "recvmsg", 200, "{'count':3,'offset':1}");
                assert_int_equal(json_array_size(json_at(all->json, "messages")), 3);
                assert_int_equal(number_at(all, "messages.0.offset"), 1);
                assert_int_equal(number_at(all, "messages.2.next"), 4);
                act_refused(stage, ends.far, "recvmsg", "EAGAIN", "{'count':9,'timeout_ms':0}");
                const struct reply *const kept =
                        act(stage, ends.far, "recvmsg", 200, "{'count':9,'ack':2,'offset':2}");
                assert_int_equal(json_array_size(json_at(kept->json, "messages")), 2);
        }
}

/* ICMP says that nobody listens there; a client that lost that reply asks again. */
static void an_error_has_a_position(struct stage *stage)
{
        const struct ends ends = udp(stage);
        const int64_t port = number_at(get(stage, 200, "/v1/sockets/%s", ends.near), "local.port");
        act(stage, ends.far, "connect", 200, "{'address':'127.0.0.1:%d'}", (int)port);
        act(stage, ends.far, "send", 200, "{'text':'before'}");
        expect_text(act(stage, ends.near, "recv", 200, "{'offset':0}"), "before");
        drop(stage, 204, "/v1/sockets/%s", ends.far);
        for (size_t i = 0; i < COUNT(actions); i++) {
                act(stage, ends.near, "send", 200, "{'text':'x'}");
                act(stage, ends.near, "wait", 200, "{'events':['POLLERR'],'timeout_ms':5000}");
                for (int again = 0; again < 3; again++) {
                        const struct reply *const refused = act_refused(stage, ends.near, actions[i],
                                "ECONNREFUSED", again == 0 ? "{}" : "{'offset':%d}", (int)i + 1);
                        assert_int_equal(number_at(refused, "offset"), i + 1);
                        assert_int_equal(number_at(refused, "next"), i + 2);
                }
        }
        const struct reply *const expected =
                act(stage, ends.near, "recv", 200, "{'offset':1,'expect':['ECONNREFUSED']}");
        assert_int_equal(number_at(expected, "next"), 2);
        act_refused(stage, ends.near, "recv", "EAGAIN", "{'timeout_ms':0}");
        expect_text(act(stage, ends.near, "recv", 200, "{'offset':0}"), "before");
}

/* A datagram that would not fit stays with the kernel, whole; one that never could is cut off. */
static void is_full_until_acknowledged(struct stage *stage)
{
        enum { RETAIN = 4096, SIZE = 1500 };
        char *const text = malloc(2 * RETAIN + 1);
        memset(text, 'x', (size_t)2 * RETAIN);
        for (size_t i = 0; i < COUNT(makers); i++) {
                const struct reply *const pair = post(stage, 201, "/v1/socketpairs",
                        "{'retain':%d,'type':'%s'}", RETAIN, i == 2 ? "SOCK_SEQPACKET" : "SOCK_DGRAM");
                const char *const far = text_at(pair, "sockets.0.id");
                const char *const near = text_at(pair, "sockets.1.id");
                for (int n = 0; n < 3; n++)
                        act(stage, near, "send", 200, "{'text':'%.*s'}", SIZE, text);
                act(stage, near, "send", 200, "{'text':'%.*s'}", 2 * RETAIN, text);
                for (int n = 0; n < 2; n++)
                        assert_int_equal(number_at(act(stage, far, "recv", 200, ""), "size"), SIZE);
                for (size_t call = 0; call < COUNT(actions); call++) {
                        const struct reply *const full = act(stage, far, actions[call], 429, "{}");
                        expect_problem(full, 429, NULL);
                        assert_int_equal(number_at(full, "base"), 0);
                        assert_int_equal(number_at(full, "next"), 2);
                }
                const struct reply *const third = act(stage, far, "recv", 200, "{'ack':1}");
                assert_int_equal(number_at(third, "size"), SIZE);
                assert_false(flag_at(third, "truncated"));
                act(stage, far, "recv", 429, "{'ack':2}");
                const struct reply *const cut = act(stage, far, "recv", 200, "{'ack':3}");
                assert_true(flag_at(cut, "truncated"));
                assert_true(number_at(cut, "size") > RETAIN / 2 && number_at(cut, "size") < RETAIN);
        }
        free(text);
}

static void many_small_ones(struct stage *stage)
{
        enum { COUNT_OF = 400 };
        const struct ends ends = udp(stage);
        for (int n = 0; n < COUNT_OF; n++) {
                act(stage, ends.near, "send", 200, "{'text':'%d'}", n);
                char text[16];
                snprintf(text, sizeof text, "%d", n);
                expect_text(act(stage, ends.far, "recv", 200, "%s", n == 0 ? "{'ack':0}" : ""), text);
        }
        for (int n = 0; n < COUNT_OF; n += 37) {
                char text[16];
                snprintf(text, sizeof text, "%d", n);
                expect_text(act(stage, ends.far, "recv", 200, "{'offset':%d,'ack':%d}", n, n / 2), text);
                assert_int_equal(number_at(get(stage, 200, "/v1/sockets/%s", ends.far), "base"), n / 2);
        }
}

static void the_end_of_packets_repeats(struct stage *stage)
{
        const struct ends ends = packets(stage);
        act(stage, ends.near, "send", 200, "{'text':'abc'}");
        act(stage, ends.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        expect_text(act(stage, ends.far, "recv", 200, "{'offset':0}"), "abc");
        for (int i = 0; i < 3; i++) {
                const struct reply *const end = act(stage, ends.far, "recv", 200, "{'offset':1}");
                assert_true(flag_at(end, "eof"));
                assert_int_equal(number_at(end, "next"), 1);
                assert_true(flag_at(act(stage, ends.far, "recvmsg", 200, ""), "eof"));
        }
        expect_text(act(stage, ends.far, "recv", 200, "{'offset':0}"), "abc");
}

/* What came before does not move the position either. */
static void the_end_is_no_message(struct stage *stage)
{
        const struct ends ends = packets(stage);
        act(stage, ends.near, "send", 200, "{'text':'abc'}");
        act(stage, ends.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        act(stage, ends.far, "recv", 200, "");
        for (int i = 0; i < 2; i++) {
                const struct reply *const end = act(stage, ends.far, "recv", 200, "");
                assert_true(flag_at(end, "eof"));
                assert_int_equal(number_at(end, "offset"), 1);
                assert_int_equal(number_at(end, "next"), 1);
        }
}

/* A socket that retains has no place for descriptors. */
static void descriptors_are_not_kept(struct stage *stage)
{
        for (size_t i = 0; i < 2; i++) {
                const struct ends ends = i == 0 ? packets(stage) : make_pair(stage, "SOCK_STREAM");
                const size_t before = count_sockets(stage);
                act(stage, ends.near, "sendmsg", 200,
                        "{'buffers':[{'text':'x'}],'ancillary':[{'level':'SOL_SOCKET','type':'SCM_RIGHTS',"
                        "'value':{'sockets':['%s']}}]}",
                        ends.near);
                const struct reply *const reply = act(stage, ends.far, "recvmsg", 200, "{'offset':0}");
                expect_text(reply, "x");
                assert_int_equal(json_array_size(json_at(reply->json, "ancillary")), 0);
                assert_int_equal(count_sockets(stage), before);
        }
}

/* recvmsg of a stream gives what recv would. */
static void messages_of_streams(struct stage *stage)
{
        const struct link link = make_link(stage);
        act(stage, link.near, "send", 200, "{'text':'abcdef'}");
        expect_text(act(stage, link.far, "recvmsg", 200, "{'size':4,'offset':0}"), "abcd");
        const struct reply *const pieces = act(stage, link.far, "recvmsg", 200, "{'sizes':[1,9],'offset':1}");
        assert_string_equal(text_at(pieces, "buffers.1"), "Y2Q=");
        assert_int_equal(number_at(pieces, "next"), 4);
        const struct reply *const all =
                act(stage, link.far, "recvmsg", 200, "{'size':6,'offset':0,'flags':['MSG_WAITALL']}");
        expect_text(all, "abcdef");
        assert_int_equal(number_at(all, "next"), 6);
        act(stage, link.far, "recvmsg", 400, "{'flags':['MSG_TRUNC']}");
        expect_problem(act(stage, link.far, "recvmsg", 410, "{'offset':1,'ack':2}"), 410, "offset");
        expect_problem(act(stage, link.far, "recvmsg", 409, "{'offset':7}"), 409, "offset");
        act(stage, link.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        assert_true(flag_at(act(stage, link.far, "recvmsg", 200, "{'offset':6}"), "eof"));
}

static void receivers_share_no_message(struct stage *stage)
{
        enum { TURNS = 20 };
        const struct ends ends = packets(stage);
        act_refused(stage, ends.far, "recv", "EAGAIN", "{'ack':0,'timeout_ms':0}");
        for (int turn = 0; turn < TURNS; turn++) {
                struct pending *const one = later(stage, ends.far, "recv", "{}");
                struct pending *const other = later(stage, ends.far, "recvmsg", "{}");
                act(stage, ends.near, "send", 200, "{'text':'%d'}", 2 * turn);
                act(stage, ends.near, "send", 200, "{'text':'%d'}", 2 * turn + 1);
                const struct reply *const replies[] = { finish(stage, one, 200), finish(stage, other, 200) };
                assert_int_equal(
                        number_at(replies[0], "offset") + number_at(replies[1], "offset"), 4 * turn + 1);
                for (int i = 0; i < 2; i++) {
                        char text[16];
                        snprintf(text, sizeof text, "%d", (int)number_at(replies[i], "offset"));
                        expect_text(replies[i], text);
                }
        }
}

static void a_batch_has_positions(struct stage *stage)
{
        const struct ends ends = packets(stage);
        const struct reply *const reply = post(stage, 200, "/v1/batch",
                "{'steps':[{'path':'/v1/sockets/%s/send','body':{'text':'one'}},"
                "{'path':'/v1/sockets/%s/send','body':{'text':'two'}},"
                "{'name':'a','path':'/v1/sockets/%s/recv','body':{'offset':0}},"
                "{'name':'b','path':'/v1/sockets/%s/recv','body':{'offset':{'$ref':'a/next'},"
                "'ack':{'$ref':'a/next'}}},"
                "{'path':'/v1/sockets/%s/recv','body':{'offset':0}}]}",
                ends.near, ends.near, ends.far, ends.far, ends.far);
        assert_int_equal(number_at(reply, "results.3.body.next"), 2);
        assert_int_equal(number_at(reply, "results.4.status"), 410);
        assert_int_equal(number_at(reply, "results.4.body.base"), 1);
}

static const struct scenario scenarios[] = {
        { "shows positions without retaining", shows_positions_without_retaining },
        { "repeats all that came", repeats_all_that_came },
        { "many at once", many_at_once },
        { "an error has a position", an_error_has_a_position },
        { "is full until acknowledged", is_full_until_acknowledged },
        { "many small ones", many_small_ones },
        { "the end of packets repeats", the_end_of_packets_repeats },
        { "the end is no message", the_end_is_no_message },
        { "descriptors are not kept", descriptors_are_not_kept },
        { "messages of streams", messages_of_streams },
        { "receivers share no message", receivers_share_no_message },
        { "a batch has positions", a_batch_has_positions },
};

int main(void)
{
        SUITE_ADD_ROWS(play_again, rows);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("retaining messages", NULL);
}
