/* test_retain.c: bytes of streams are kept until they are acknowledged, and received again at a position. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/steps.h"

/* "abcdef" was sent, and "abcd" received, on a socket that retains; then comes this. */
static const struct again {
        const char *name, *json;
        int status;
        const char *text; /* what it receives; of a problem the parameter */
        int offset, next; /* as the reply says; of a problem: base and next */
        const char *then; /* what a recv without a position receives after it */
} rows[] = {
        { "no position", "{}", 200, "ef", 4, 6, NULL },
        { "at the beginning", "{'offset':0}", 200, "abcd", 0, 4, "ef" },
        { "some of it", "{'offset':0,'size':2}", 200, "ab", 0, 2, "ef" },
        { "in the middle", "{'offset':2}", 200, "cd", 2, 4, "ef" },
        { "nothing of it", "{'offset':2,'size':0}", 200, "", 2, 2, "ef" },
        { "at the end of what is kept", "{'offset':4}", 200, "ef", 4, 6, NULL },
        { "acknowledging all", "{'ack':4}", 200, "ef", 4, 6, NULL },
        { "acknowledging before it", "{'offset':2,'ack':2}", 200, "cd", 2, 4, "ef" },
        { "acknowledging nothing", "{'offset':0,'ack':0}", 200, "abcd", 0, 4, "ef" },
        { "acknowledging it", "{'offset':2,'ack':3}", 410, "offset", 3, 4, "ef" },
        { "beyond", "{'offset':5}", 409, "offset", 0, 4, "ef" },
        { "far beyond", "{'offset':9223372036854775807}", 409, "offset", 0, 4, "ef" },
        { "acknowledging what is beyond", "{'ack':5}", 409, "ack", 0, 4, "ef" },
        { "acknowledging far beyond", "{'ack':9223372036854775807}", 409, "ack", 0, 4, "ef" },
        { "before the beginning", "{'offset':-1}", 400, "offset", 0, 0, "ef" },
        { "acknowledging less than nothing", "{'ack':-1}", 400, "ack", 0, 0, "ef" },
        { "too large an offset", "{'offset':18446744073709551615}", 400, NULL, 0, 0, "ef" },
        { "an offset just too large", "{'offset':9223372036854775808}", 400, NULL, 0, 0, "ef" },
        { "no number", "{'offset':'0'}", 400, "offset", 0, 0, "ef" },
        { "a fraction", "{'ack':0.5}", 400, "ack", 0, 0, "ef" },
        { "a look at new bytes", "{'flags':['MSG_PEEK']}", 200, "ef", 4, 4, "ef" },
        { "a look at kept ones", "{'offset':1,'flags':['MSG_PEEK']}", 200, "bcd", 1, 1, "ef" },
        { "thrown away", "{'flags':['MSG_TRUNC']}", 400, "flags", 0, 0, "ef" },
        { "out of band at a position", "{'offset':4,'flags':['MSG_OOB']}", 400, "flags", 0, 0, "ef" },
        { "until so many bytes", "{'offset':0,'until':{'bytes':6}}", 200, "abcdef", 0, 6, NULL },
        { "until fewer bytes", "{'offset':1,'until':{'bytes':2}}", 200, "bc", 1, 3, "ef" },
        { "until a kept delimiter", "{'offset':1,'until':{'delimiter_text':'cd'}}", 200, "bcd", 1, 4, "ef" },
        { "until a delimiter across", "{'offset':1,'until':{'delimiter_text':'de'}}", 200, "bcde", 1, 5,
                "f" },
        { "until a limit", "{'offset':0,'size':5,'until':{'delimiter_text':'z'}}", 200, "abcde", 0, 5, "f" },
        { "waiting for all", "{'offset':3,'size':3,'flags':['MSG_WAITALL']}", 200, "def", 3, 6, NULL },
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

/* Whether or not it was made so: the first position makes it retain. */
static void play_on(struct stage *stage, const struct again *again, const char *near, const char *far)
{
        act(stage, near, "send", 200, "{'text':'abcdef'}");
        const struct reply *const first = act(stage, far, "recv", 200, "{'size':4,'ack':0}");
        expect_text(first, "abcd");
        assert_int_equal(number_at(first, "offset"), 0);
        assert_int_equal(number_at(first, "next"), 4);
        check_reply(again, act(stage, far, "recv", again->status, "%s", again->json));
        if (again->then == NULL)
                act_refused(stage, far, "recv", "EAGAIN", "{'timeout_ms':0}");
        else
                expect_text(act(stage, far, "recv", 200, "{'timeout_ms':0}"), again->then);
}

static const char *make_retaining(struct stage *stage, int retain, const char **peer)
{
        const struct reply *const pair = post(stage, 201, "/v1/socketpairs", "{'retain':%d}", retain);
        *peer = text_at(pair, "sockets.1.id");
        return text_at(pair, "sockets.0.id");
}

static void play_again(struct stage *stage, const void *row)
{
        for (int retain = 0; retain <= 65536; retain += 65536) {
                const char *near;
                const char *const far = make_retaining(stage, retain, &near);
                play_on(stage, row, near, far);
        }
        const struct link link = make_link(stage);
        play_on(stage, row, link.near, link.far);
}

/* What is gathered before the first position is named counts as kept. */
static void begins_with_what_was_gathered(struct stage *stage)
{
        const struct link link = make_link(stage);
        act(stage, link.near, "send", 200, "{'text':'abcdef'}");
        expect_text(act(stage, link.far, "recv", 200, "{'size':1}"), "a");
        act_refused(stage, link.far, "recv", "EAGAIN", "{'until':{'bytes':9},'timeout_ms':50}");
        expect_problem(act(stage, link.far, "recv", 410, "{'offset':0}"), 410, "offset");
        assert_true(json_is_null(json_at(get(stage, 200, "/v1/sockets/%s", link.far)->json, "base")));
        const struct reply *const reply = act(stage, link.far, "recv", 200, "{'offset':1,'size':2}");
        expect_text(reply, "bc");
        assert_int_equal(number_at(reply, "next"), 3);
        const struct reply *const shown = get(stage, 200, "/v1/sockets/%s", link.far);
        assert_int_equal(number_at(shown, "retain"), 262144);
        assert_int_equal(number_at(shown, "base"), 1);
        assert_int_equal(number_at(shown, "receive_queue"), 3);
        expect_text(act(stage, link.far, "recv", 200, ""), "def");
        expect_text(act(stage, link.far, "recv", 200, "{'offset':1}"), "bcdef");
}

static void shows_positions_without_retaining(struct stage *stage)
{
        const struct link link = make_link(stage);
        act(stage, link.near, "send", 200, "{'text':'abcdef'}");
        static const struct {
                const char *json;
                int offset, next;
        } calls[] = { { "{'size':2}", 0, 2 }, { "{'size':1,'flags':['MSG_PEEK']}", 2, 2 },
                { "{'until':{'bytes':2}}", 2, 4 }, { "{'frame':{'bytes':1}}", 4, 5 }, { "{}", 5, 6 } };
        for (size_t i = 0; i < COUNT(calls); i++) {
                const struct reply *const reply = act(stage, link.far, "recv", 200, "%s", calls[i].json);
                assert_int_equal(number_at(reply, "offset"), calls[i].offset);
                assert_int_equal(number_at(reply, "next"), calls[i].next);
        }
        assert_int_equal(number_at(get(stage, 200, "/v1/sockets/%s", link.far), "retain"), 0);
}

static const struct retaining {
        const char *name, *asked;
        int status, shown;
} retainings[] = {
        { "none", "0", 201, 0 },
        { "a byte", "1", 201, 4096 },
        { "the least", "4096", 201, 4096 },
        { "an odd number", "5001", 201, 5001 },
        { "the most", "67108864", 201, 67108864 },
        { "more than the most", "67108865", 400, 0 },
        { "less than none", "-1", 400, 0 },
        { "a huge number", "18446744073709551616", 400, 0 },
        { "a text", "'1'", 400, 0 },
};

static void play_retaining(struct stage *stage, const void *row)
{
        const struct retaining *const retaining = row;
        const struct reply *const made =
                post(stage, retaining->status, "/v1/sockets", "{'retain':%s}", retaining->asked);
        if (retaining->status != 201)
                return;
        assert_int_equal(number_at(made, "retain"), retaining->shown);
        assert_int_equal(json_is_null(json_at(made->json, "base")), retaining->shown == 0);
        const struct reply *const pair =
                post(stage, 201, "/v1/socketpairs", "{'retain':%s}", retaining->asked);
        assert_int_equal(number_at(pair, "sockets.0.retain"), retaining->shown);
        assert_int_equal(number_at(pair, "sockets.1.retain"), retaining->shown);
}

static void accepted_ones_inherit(struct stage *stage)
{
        static const struct {
                const char *json;
                int shown;
        } accepts[] = { { "{}", 5000 }, { "{'retain':0}", 0 }, { "{'retain':9000}", 9000 } };
        const char *const listener = make(stage, "{'bind':'127.0.0.1:0','listen':true,'retain':5000}");
        const int64_t port = number_at(get(stage, 200, "/v1/sockets/%s", listener), "local.port");
        for (size_t i = 0; i < COUNT(accepts); i++) {
                make(stage, "{'connect':'127.0.0.1:%d'}", (int)port);
                const struct reply *const accepted =
                        act(stage, listener, "accept", 201, "%s", accepts[i].json);
                assert_int_equal(number_at(accepted, "retain"), accepts[i].shown);
        }
}

/* Not a byte more is taken from the kernel than may be kept, and none that nobody asks for. */
static void is_full_until_acknowledged(struct stage *stage)
{
        enum { RETAIN = 4096, SIZE = 3 * RETAIN };
        const char *peer;
        const char *const id = make_retaining(stage, RETAIN, &peer);
        uint8_t *const bytes = noise(SIZE);
        act_raw(stage, peer, "send", 200, bytes, SIZE);
        expect_data(act(stage, id, "recv", 200, "{'size':1000}"), bytes, 1000);
        assert_int_equal(number_at(get(stage, 200, "/v1/sockets/%s", id), "receive_queue"), SIZE - 1000);
        expect_data(act(stage, id, "recv", 200, ""), bytes + 1000, RETAIN - 1000);
        const struct reply *const full = act(stage, id, "recv", 429, "{'timeout_ms':0}");
        expect_problem(full, 429, NULL);
        assert_string_equal(text_at(full, "type"), "https://sockwright.dev/problems/ack-required");
        assert_int_equal(number_at(full, "base"), 0);
        assert_int_equal(number_at(full, "next"), RETAIN);
        act(stage, id, "recv", 429, "{'until':{'bytes':1}}");
        act(stage, id, "recv", 429, "{'frame':{'bytes':1}}");
        expect_data(act(stage, id, "recv", 200, "{'flags':['MSG_PEEK']}"), bytes + RETAIN, RETAIN);
        expect_data(act(stage, id, "recv", 200, "{'offset':0}"), bytes, RETAIN);
        expect_data(act(stage, id, "recv", 200, "{'ack':10}"), bytes + RETAIN, 10);
        expect_data(act(stage, id, "recv", 200, "{'ack':4000}"), bytes + RETAIN + 10, 3990);
        expect_data(act(stage, id, "recv", 200, "{'offset':4000}"), bytes + 4000, RETAIN);
        expect_data(act(stage, id, "recv", 200, "{'ack':8096}"), bytes + 8096, RETAIN);
        expect_data(act(stage, id, "recv", 200, "{'ack':12192,'until':{'bytes':96}}"), bytes + 12192, 96);
        act_refused(stage, id, "recv", "EAGAIN", "{'timeout_ms':0}");
        free(bytes);
}

/* The peer's send blocks, and goes on when room is made. */
static void pressure_reaches_the_peer(struct stage *stage)
{
        enum { SIZE = 2 << 20, RETAIN = 65536 };
        const char *peer;
        const char *const id = make_retaining(stage, RETAIN, &peer);
        uint8_t *const bytes = noise(SIZE);
        struct pending *const sending = later_raw(stage, peer, "send?timeout_ms=30000", bytes, SIZE, false);
        for (size_t got = 0, base = 0; got < SIZE;) {
                const bool full = got - base == RETAIN;
                const struct reply *reply = act(stage, id, "recv", full ? 429 : 200, "{'size':50000}");
                if (full) {
                        if (SIZE - got > 500000)
                                await_parked(stage, peer, 1);
                        base = got - 1;
                        reply = act(stage, id, "recv", 200, "{'offset':%zu,'ack':%zu}", base, base);
                        expect_data(reply, bytes + base, 1);
                        continue;
                }
                const size_t size = (size_t)number_at(reply, "size");
                expect_data(reply, bytes + got, size);
                assert_int_equal(number_at(reply, "offset"), got);
                got += size;
        }
        finish(stage, sending, 200);
        free(bytes);
}

/* A repeat of any kind gives the end again. */
static void the_end_repeats(struct stage *stage)
{
        const char *peer;
        const char *const id = make_retaining(stage, 4096, &peer);
        act(stage, peer, "send", 200, "{'text':'abc'}");
        act(stage, peer, "shutdown", 200, "{'how':'SHUT_WR'}");
        expect_text(act(stage, id, "recv", 200, ""), "abc");
        for (int i = 0; i < 3; i++) {
                const struct reply *const end = act(stage, id, "recv", 200, i == 0 ? "" : "{'offset':3}");
                assert_true(flag_at(end, "eof"));
                assert_int_equal(number_at(end, "offset"), 3);
                assert_int_equal(number_at(end, "next"), 3);
        }
        const struct reply *const all = act(stage, id, "recv", 200, "{'offset':0,'until':{'eof':true}}");
        expect_text(all, "abc");
        assert_true(flag_at(all, "eof"));
        assert_true(flag_at(all, "complete"));
        expect_text(act(stage, id, "recv", 200, "{'offset':1,'size':9,'flags':['MSG_WAITALL']}"), "bc");
        const struct reply *const cut =
                act_refused(stage, id, "recv", "EBADMSG", "{'offset':0,'frame':{'bytes':9}}");
        assert_non_null(json_at(cut->json, "incomplete"));
        expect_text(act(stage, id, "recv", 200, "{'offset':0}"), "abc");
}

/* recvmmsg(2) says the error first; recv(2) would give the bytes. */
static void a_reset_comes_behind_the_bytes(struct stage *stage)
{
        const struct link link = make_link(stage);
        act_refused(stage, link.far, "recv", "EAGAIN", "{'offset':0,'timeout_ms':0}");
        act(stage, link.near, "send", 200, "{'text':'abcdef'}");
        act(stage, link.far, "wait", 200, "{'receive_queue':6}");
        drop(stage, 204, "/v1/sockets/%s?reset=true", link.near);
        act(stage, link.far, "wait", 200, "{'events':['POLLERR']}");
        expect_text(act(stage, link.far, "recv", 200, "{'size':2}"), "ab");
        expect_text(act(stage, link.far, "recv", 200, "{'until':{'delimiter_text':'d'}}"), "cd");
        expect_text(act(stage, link.far, "recv", 200, "{'size':3}"), "ef");
        for (int i = 0; i < 3; i++)
                act_refused(stage, link.far, "recv", "ECONNRESET", i == 1 ? "{'offset':6}" : "");
        act_refused(stage, link.far, "recv", "ECONNRESET", "{'until':{'eof':true}}");
        act_refused(stage, link.far, "recv", "ECONNRESET", "{'flags':['MSG_PEEK']}");
        expect_text(act(stage, link.far, "recv", 200, "{'offset':0}"), "abcdef");
        act_refused(stage, link.far, "recv", "ECONNRESET", "{'ack':6,'expect':[]}");
        expect_problem(act(stage, link.far, "recv", 410, "{'offset':5}"), 410, "offset");
}

/* A turn each: no byte goes to both. */
static void receivers_share_no_byte(struct stage *stage)
{
        enum { TURNS = 40 };
        const char *peer;
        const char *const id = make_retaining(stage, 65536, &peer);
        bool seen[2 * TURNS] = { false };
        for (int turn = 0; turn < TURNS; turn++) {
                struct pending *const one = later(stage, id, "recv", "{'size':1}");
                struct pending *const other = later(stage, id, "recv", "{'size':1}");
                act(stage, peer, "send", 200, "{'text':'%c%c'}", 'a' + turn % 26, 'A' + turn % 26);
                const struct reply *const replies[] = { finish(stage, one, 200), finish(stage, other, 200) };
                for (int i = 0; i < 2; i++) {
                        const int64_t offset = number_at(replies[i], "offset");
                        const char text[] = { (char)((offset % 2 == 0 ? 'a' : 'A') + turn % 26), '\0' };
                        expect_text(replies[i], text);
                        assert_int_equal(offset / 2, turn);
                        assert_false(seen[offset]);
                        seen[offset] = true;
                }
        }
}

/* Another one waits for what is to come; what is kept waits for nobody. */
static void repeats_wait_for_nobody(struct stage *stage)
{
        const char *peer;
        const char *const id = make_retaining(stage, 4096, &peer);
        act(stage, peer, "send", 200, "{'text':'abcdef'}");
        expect_text(act(stage, id, "recv", 200, "{}"), "abcdef");
        struct pending *const waiting = later(stage, id, "recv", "{'until':{'delimiter_text':'z'}}");
        await_parked(stage, id, 1);
        expect_text(act(stage, id, "recv", 200, "{'offset':0,'timeout_ms':0}"), "abcdef");
        expect_text(act(stage, id, "recvmsg", 200, "{'offset':1,'timeout_ms':0}"), "bcdef");
        expect_text(act(stage, id, "recvfrom", 200, "{'offset':5,'ack':5,'timeout_ms':0}"), "f");
        expect_problem(act(stage, id, "recv", 410, "{'offset':4,'timeout_ms':0}"), 410, "offset");
        expect_problem(act(stage, id, "recv", 409, "{'offset':7,'timeout_ms':0}"), 409, "offset");
        act_refused(stage, id, "recv", "EAGAIN", "{'offset':6,'timeout_ms':0}");
        act(stage, peer, "send", 200, "{'text':'gh'}");
        act(stage, id, "wait", 200, "{'receive_queue':2}");
        while (number_at(get(stage, 200, "/v1/sockets/%s", id), "received_bytes") < 8)
                ;
        expect_text(act(stage, id, "recv", 200, "{'offset':7,'ack':7,'timeout_ms':0}"), "h");
        act(stage, peer, "send", 200, "{'text':'z'}");
        expect_text(finish(stage, waiting, 200), "hz"); /* but for what was acknowledged */
}

static void raw_replies_are_gathered(struct stage *stage)
{
        const char *peer;
        const char *const id = make_retaining(stage, 4096, &peer);
        act(stage, peer, "send", 200, "{'text':'abcdef'}");
        act(stage, peer, "shutdown", 200, "{'how':'SHUT_WR'}");
        for (int i = 0; i < 2; i++) {
                const struct reply *const reply =
                        act_for_raw(stage, id, i == 0 ? "recv?until=eof" : "recv?until=eof&offset=0", 200);
                assert_int_equal(reply->size, 6);
                assert_memory_equal(reply->body, "abcdef", 6);
                json_t *const members = json_loads(reply_header(reply, "sockwright-reply"), 0, NULL);
                assert_int_equal(json_integer_value(json_object_get(members, "next")), 6);
                json_decref(members);
        }
}

static struct reply *start_echo(struct stage *stage, const char *id, int status)
{
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/reactor", id);
        const struct request request = { .method = "PUT", .path = path, .json = "{\"kind\":\"echo\"}" };
        struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
        expect_status(reply, status);
        return reply;
}

/* What a reactor takes is not retained, so it is the one or the other. */
static void reactors_keep_away(struct stage *stage)
{
        const char *peer;
        const char *const id = make_retaining(stage, 4096, &peer);
        expect_errno(start_echo(stage, id, 422), "EBUSY");
        const struct link link = make_link(stage);
        start_echo(stage, link.far, 200);
        act_refused(stage, link.far, "recv", "EBUSY", "{'offset':0}");
        drop(stage, 200, "/v1/sockets/%s/reactor", link.far);
        act_refused(stage, link.far, "recv", "EAGAIN", "{'offset':0,'timeout_ms':0}");
        expect_errno(start_echo(stage, link.far, 422), "EBUSY");
        const char *const listener = make(stage, "{'bind':'127.0.0.1:0','listen':true,'retain':5000}");
        start_echo(stage, listener, 200);
}

static void waits_see_what_is_kept(struct stage *stage)
{
        const struct link link = make_link(stage);
        act_refused(stage, link.far, "recv", "EAGAIN", "{'ack':0,'timeout_ms':0}");
        act(stage, link.near, "send", 200, "{'text':'abcdef'}");
        act_refused(stage, link.far, "recv", "EAGAIN", "{'until':{'bytes':9},'timeout_ms':50}");
        act(stage, link.far, "wait", 200, "{'events':['POLLIN'],'timeout_ms':0}");
        act(stage, link.far, "wait", 200, "{'receive_queue':6,'timeout_ms':0}");
        expect_text(act(stage, link.far, "recv", 200, ""), "abcdef");
        act_refused(stage, link.far, "wait", "EAGAIN", "{'events':['POLLIN'],'timeout_ms':0}");
}

static const struct scenario scenarios[] = {
        { "begins with what was gathered", begins_with_what_was_gathered },
        { "shows positions without retaining", shows_positions_without_retaining },
        { "accepted ones inherit", accepted_ones_inherit },
        { "is full until acknowledged", is_full_until_acknowledged },
        { "pressure reaches the peer", pressure_reaches_the_peer },
        { "the end repeats", the_end_repeats },
        { "a reset comes behind the bytes", a_reset_comes_behind_the_bytes },
        { "receivers share no byte", receivers_share_no_byte },
        { "repeats wait for nobody", repeats_wait_for_nobody },
        { "raw replies are gathered", raw_replies_are_gathered },
        { "reactors keep away", reactors_keep_away },
        { "waits see what is kept", waits_see_what_is_kept },
};

int main(void)
{
        SUITE_ADD_ROWS(play_again, rows);
        SUITE_ADD_ROWS(play_retaining, retainings);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("retaining what is received", NULL);
}
