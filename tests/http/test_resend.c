/* test_resend.c: sending at a position: what was sent before is not sent again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/steps.h"

/* A send of "abcdef" at position 0 was made, and then this one. */
static const struct again {
        const char *name, *json;
        int status;
        int sent, next; /* as the reply says */
        bool duplicate;
        const char *received; /* by the peer, in all */
} streams[] = {
        { "where the socket stands", "{'text':'gh','offset':6}", 200, 2, 8, false, "abcdefgh" },
        { "no position", "{'text':'gh'}", 200, 2, 8, false, "abcdefgh" },
        { "all of it again", "{'text':'abcdef','offset':0}", 200, 6, 6, true, "abcdef" },
        { "the end of it again", "{'text':'ef','offset':4}", 200, 2, 6, true, "abcdef" },
        { "a byte in the middle", "{'text':'c','offset':2}", 200, 1, 6, true, "abcdef" },
        { "partly new", "{'text':'efgh','offset':4}", 200, 4, 8, false, "abcdefgh" },
        { "all of it, and more", "{'text':'abcdefgh','offset':0,'all':true}", 200, 8, 8, false, "abcdefgh" },
        { "nothing, before", "{'text':'','offset':3}", 200, 0, 6, true, "abcdef" },
        { "beyond", "{'text':'h','offset':7}", 409, 0, 6, false, "abcdef" },
        { "far beyond", "{'text':'h','offset':9223372036854775807}", 409, 0, 6, false, "abcdef" },
        { "no position at all", "{'text':'h','offset':-1}", 400, 0, 6, false, "abcdef" },
        { "a position that is none", "{'text':'h','offset':'6'}", 400, 0, 6, false, "abcdef" },
        { "too large a position", "{'text':'h','offset':9223372036854775808}", 400, 0, 6, false, "abcdef" },
};

static const struct again messages[] = {
        { "the next message", "{'text':'gh','offset':1}", 200, 2, 2, false, "abcdef|gh|" },
        { "a message without a position", "{'text':'gh'}", 200, 2, 2, false, "abcdef|gh|" },
        { "the message again", "{'text':'abcdef','offset':0}", 200, 6, 1, true, "abcdef|" },
        { "an empty message", "{'text':'','offset':1}", 200, 0, 2, false, "abcdef||" },
        { "an empty message again", "{'text':'','offset':0}", 200, 0, 1, true, "abcdef|" },
        { "a message beyond", "{'text':'h','offset':2}", 409, 0, 1, false, "abcdef|" },
};

static void check_reply(const struct again *again, const struct reply *reply)
{
        if (again->status == 200) {
                assert_int_equal(number_at(reply, "sent"), again->sent);
                assert_int_equal(number_at(reply, "next"), again->next);
                assert_int_equal(flag_at(reply, "duplicate"), again->duplicate);
        } else {
                expect_problem(reply, again->status, "offset");
                if (again->status == 409)
                        assert_int_equal(number_at(reply, "next"), again->next);
        }
}

static void play_stream(struct stage *stage, const void *row)
{
        const struct again *const again = row;
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        const struct reply *const first = act(stage, pair.near, "send", 200, "{'text':'abcdef','offset':0}");
        assert_int_equal(number_at(first, "offset"), 0);
        assert_int_equal(number_at(first, "next"), 6);
        check_reply(again, act(stage, pair.near, "send", again->status, "%s", again->json));
        act(stage, pair.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        expect_text(act(stage, pair.far, "recv", 200, "{'until':{'eof':true}}"), again->received);
}

static void expect_messages(struct stage *stage, const char *id, const char *received)
{
        for (const char *at = received, *end; *at != '\0'; at = end + 1) {
                char text[64];
                end = strchr(at, '|');
                snprintf(text, sizeof text, "%.*s", (int)(end - at), at);
                expect_text(act(stage, id, "recv", 200, "{'timeout_ms':5000}"), text);
        }
        act_refused(stage, id, "recv", "EAGAIN", "{'timeout_ms':0}");
}

static void play_message(struct stage *stage, const void *row)
{
        static const char *const types[] = { "SOCK_DGRAM", "SOCK_SEQPACKET" };
        const struct again *const again = row;
        for (size_t i = 0; i < COUNT(types); i++) {
                const struct ends pair = make_pair(stage, types[i]);
                act(stage, pair.near, "send", 200, "{'text':'abcdef','offset':0}");
                check_reply(again, act(stage, pair.near, "send", again->status, "%s", again->json));
                expect_messages(stage, pair.far, again->received);
        }
}

static void sends_to_an_address(struct stage *stage)
{
        const char *const far = make(stage, "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        const char *const near = make(stage, "{'type':'SOCK_DGRAM'}");
        const int64_t port = number_at(get(stage, 200, "/v1/sockets/%s", far), "local.port");
        for (int i = 0; i < 6; i++) {
                const struct reply *const reply = act(stage, near, "sendto", 200,
                        "{'address':'127.0.0.1:%d','text':'%d','offset':%d}", (int)port, i / 2, i / 2);
                assert_int_equal(flag_at(reply, "duplicate"), i % 2);
                assert_int_equal(number_at(reply, "offset"), i / 2);
        }
        act(stage, near, "sendto", 409, "{'address':'127.0.0.1:%d','text':'x','offset':4}", (int)port);
        expect_messages(stage, far, "0|1|2|");
}

/* An upload that breaks off goes on where the kernel stands, whatever of it is repeated. */
static void uploads_go_on(struct stage *stage)
{
        enum { SIZE = 1 << 20, BEFORE = 300000 };
        const struct link link = make_link(stage);
        uint8_t *const bytes = noise(SIZE);
        struct pending *const receiving = later(stage, link.far, "recv", "{'until':{'bytes':%d}}", SIZE);
        act_raw(stage, link.near, "send?offset=0", 200, bytes, BEFORE);
        const struct reply *const reply = act_raw(stage, link.near, "send?offset=0", 200, bytes, SIZE);
        assert_int_equal(number_at(reply, "sent"), SIZE);
        assert_int_equal(number_at(reply, "next"), SIZE);
        assert_false(flag_at(reply, "duplicate"));
        const struct reply *const repeated = act_raw(stage, link.near, "send?offset=0", 200, bytes, SIZE);
        assert_true(flag_at(repeated, "duplicate"));
        expect_problem(act_raw(stage, link.near, "send?offset=1048577", 409, bytes, SIZE), 409, "offset");
        expect_data(finish(stage, receiving, 200), bytes, SIZE);
        free(bytes);
}

/* The kernel's buffer is full: what it took of the first attempt is not sent twice. */
static void goes_on_after_a_timeout(struct stage *stage)
{
        enum { SIZE = 1 << 20 };
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        uint8_t *const bytes = noise(SIZE);
        char *const data = base64_encode(bytes, SIZE);
        const struct reply *const stopped = act(
                stage, pair.near, "send", 422, "{'data':'%s','all':true,'offset':0,'timeout_ms':50}", data);
        expect_errno(stopped, "EAGAIN");
        assert_true(number_at(stopped, "sent") > 0);
        struct pending *const receiving = later(stage, pair.far, "recv", "{'until':{'bytes':%d}}", SIZE);
        const struct reply *const reply =
                act(stage, pair.near, "send", 200, "{'data':'%s','all':true,'offset':0}", data);
        assert_int_equal(number_at(reply, "next"), SIZE);
        expect_data(finish(stage, receiving, 200), bytes, SIZE);
        act_refused(stage, pair.far, "recv", "EAGAIN", "{'timeout_ms':0}");
        free(data);
        free(bytes);
}

static const struct scenario scenarios[] = {
        { "to an address", sends_to_an_address },
        { "uploads go on where they broke off", uploads_go_on },
        { "goes on after a timeout", goes_on_after_a_timeout },
};

int main(void)
{
        SUITE_ADD_ROWS(play_stream, streams);
        SUITE_ADD_ROWS(play_message, messages);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("sending at a position", NULL);
}
