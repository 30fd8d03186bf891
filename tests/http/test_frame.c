/* test_frame.c: whole messages out of a stream: recv with a frame. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/steps.h"

/* The messages of a reply, each in single quotes; to be freed. Their bytes are texts here. */
static char *messages_of(const struct reply *reply)
{
        char *out = NULL;
        size_t out_size = 0, i;
        json_t *message;
        FILE *const file = open_memstream(&out, &out_size);
        json_array_foreach(json_at(reply->json, "messages"), i, message)
        {
                size_t size;
                uint8_t *const bytes =
                        base64_decode(json_string_value(json_object_get(message, "data")), &size);
                assert_int_equal(json_integer_value(json_object_get(message, "size")), size);
                fprintf(file, "'%.*s'", (int)size, (const char *)bytes);
                free(bytes);
        }
        fclose(file);
        return out;
}

static void expect_messages(const struct reply *reply, const char *messages)
{
        char *const got = messages_of(reply);
        assert_string_equal(got, messages);
        free(got);
        assert_string_equal(text_at(reply, "data"), "");
}

/* What recv says of a stream that carries the text; then what a plain recv takes. */
static const struct cutting {
        const char *name, *text, *frame, *messages, *rest;
} cuttings[] = {
        { "fixed", "abcdefgh", "{'bytes':3}", "'abc'", "defgh" },
        { "two fixed", "abcdefgh", "{'bytes':3,'count':2}", "'abc''def'", "gh" },
        { "as many as there are", "abcdefgh", "{'bytes':3,'count':1000}", "'abc''def'", "gh" },
        { "a delimiter", "a\\nbc\\nd", "{'delimiter':'Cg=='}", "'a\n'", "bc\nd" },
        { "a delimiter in text", "a;;b;;", "{'delimiter_text':';;','count':9}", "'a;;''b;;'", "" },
        { "at most max", "abc\\nd", "{'delimiter_text':'\\n','max':4}", "'abc\n'", "d" },
        /* '!' is 33: the header is a byte, the message ends at its 33rd. */
        { "a length", "!2345678901234567890123456789012345 rest", "{'length':{'width':1,'inclusive':true}}",
                "'!23456789012345678901234567890123'", "45 rest" },
        { "a length behind a type", "x!2345678901234567890123456789012345 rest",
                "{'length':{'width':1,'offset':1,'inclusive':true}}", "'x!2345678901234567890123456789012'",
                "345 rest" },
        { "a length of what follows", "!2345678901234567890123456789012345 rest",
                "{'length':{'width':1,'endian':'little'}}", "'!234567890123456789012345678901234'",
                "5 rest" },
};

static void play_cutting(struct stage *stage, const void *row)
{
        const struct cutting *const cutting = row;
        const struct link link = make_link(stage);
        act(stage, link.near, "send", 200, "{'text':'%s'}", cutting->text);
        act(stage, link.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        struct reply *const reply = act(stage, link.far, "recv", 200, "{'frame':%s}", cutting->frame);
        expect_messages(reply, cutting->messages);
        assert_true(flag_at(reply, "complete"));
        expect_text(act(stage, link.far, "recv", 200, "{'until':'eof'}"), cutting->rest);
}

/* Why there is no message. */
static const struct flaw {
        const char *name, *text, *frame, *errno_name, *incomplete, *word;
} flaws[] = {
        { "the end cuts it off", "abc", "{'bytes':4}", "EBADMSG", "YWJj", "after 3 bytes" },
        { "the end before the delimiter", "abc", "{'delimiter_text':'\\n'}", "EBADMSG", "YWJj",
                "incomplete" },
        { "the end within the header", "a", "{'length':{'width':2}}", "EBADMSG", "YQ==", "incomplete" },
        { "no delimiter up to max", "abcdef", "{'delimiter_text':'\\n','max':5}", "EMSGSIZE", NULL,
                "first 5 bytes" },
        { "a length beyond max", "aaaa", "{'length':{'width':4}}", "EMSGSIZE", NULL, "1633771877 bytes" },
        { "the longest length", "zzzzzzzz", "{'length':{'width':8}}", "EMSGSIZE", NULL, "more than max" },
        { "a length less than its header", "!", "{'length':{'width':1,'offset':40,'inclusive':true}}",
                "EBADMSG", "IQ==", "incomplete" },
        { "a length that cannot be", "1234567890123456789012345678901234567890! rest",
                "{'length':{'width':1,'offset':40,'inclusive':true}}", "EPROTO", NULL,
                "header alone has 41" },
};

static void play_flaw(struct stage *stage, const void *row)
{
        const struct flaw *const flaw = row;
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        act(stage, pair.near, "send", 200, "{'text':'%s'}", flaw->text);
        act(stage, pair.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        /* It is said as often as it is asked, since nothing is taken. */
        for (int i = 0; i < 2; i++) {
                struct reply *const reply =
                        act_refused(stage, pair.far, "recv", flaw->errno_name, "{'frame':%s}", flaw->frame);
                assert_non_null(strstr(text_at(reply, "detail"), flaw->word));
                assert_int_equal(json_at(reply->json, "incomplete") != NULL, flaw->incomplete != NULL);
                if (flaw->incomplete != NULL)
                        assert_string_equal(text_at(reply, "incomplete"), flaw->incomplete);
        }
        struct reply *const expected = act(
                stage, pair.far, "recv", 200, "{'frame':%s,'expect':['%s']}", flaw->frame, flaw->errno_name);
        assert_string_equal(text_at(expected, "errno"), flaw->errno_name);
        expect_text(act(stage, pair.far, "recv", 200, "{'until':'eof'}"), flaw->text);
}

static const struct unsound {
        const char *name, *json, *parameter;
} unsounds[] = {
        { "no way", "{'frame':{}}", "frame" },
        { "only a max", "{'frame':{'max':10}}", "frame" },
        { "two ways", "{'frame':{'bytes':3,'delimiter_text':';'}}", "frame" },
        { "no object", "{'frame':3}", "frame" },
        { "an empty delimiter", "{'frame':{'delimiter':''}}", "frame.delimiter" },
        { "an unknown width", "{'frame':{'length':{'width':5}}}", "frame.length.width" },
        { "a negative width", "{'frame':{'length':{'width':-1}}}", "frame.length.width" },
        { "no width", "{'frame':{'length':{}}}", "frame.length.width" },
        { "an unknown order", "{'frame':{'length':{'width':2,'endian':'middle'}}}", "frame.length.endian" },
        { "an offset too far", "{'frame':{'length':{'width':2,'offset':65536}}}", "frame.length.offset" },
        { "a length that is none", "{'frame':{'length':4}}", "frame.length" },
        { "a misspelt member", "{'frame':{'byte':4}}", "frame.byte" },
        { "more than max", "{'frame':{'bytes':11,'max':10}}", "frame.max" },
        { "a header beyond max", "{'frame':{'length':{'width':4,'offset':7},'max':10}}", "frame.max" },
        { "no message at all", "{'frame':{'bytes':1,'count':0}}", "frame.count" },
        { "too many messages", "{'frame':{'bytes':1,'count':1001}}", "frame.count" },
        { "until too", "{'frame':{'bytes':1},'until':{'bytes':1}}", "until" },
        { "a size too", "{'frame':{'bytes':1},'size':1}", "size" },
        { "peeking", "{'frame':{'bytes':1},'flags':['MSG_PEEK']}", "flags" },
};

static void play_unsound(struct stage *stage, const void *row)
{
        const struct unsound *const unsound = row;
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        act(stage, pair.near, "send", 200, "{'text':'abc'}");
        expect_problem(act(stage, pair.far, "recv", 400, "%s", unsound->json), 400, unsound->parameter);
        expect_text(act(stage, pair.far, "recv", 200, ""), "abc");
}

static void datagrams(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_DGRAM");
        act(stage, pair.near, "send", 200, "{'text':'abc'}");
        expect_problem(act(stage, pair.far, "recv", 400, "{'frame':{'bytes':1}}"), 400, "frame");
        expect_text(act(stage, pair.far, "recv", 200, ""), "abc");
}

/* A byte at a time, to a call that waits all the while. */
static void trickle(struct stage *stage)
{
        static const char message[] = "one|two|";
        const struct link link = make_link(stage);
        struct pending *const pending =
                later(stage, link.far, "recv", "{'frame':{'delimiter_text':'o|'},'timeout_ms':30000}");
        await_parked(stage, link.far, 1);
        for (size_t i = 0; i < sizeof message - 1; i++)
                act(stage, link.near, "send", 200, "{'text':'%c'}", message[i]);
        expect_messages(finish(stage, pending, 200), "'one|two|'");
}

/* What a call that ran out of time has gathered begins the next one's message. */
static void late(struct stage *stage)
{
        const struct link link = make_link(stage);
        act(stage, link.near, "send", 200, "{'text':'ab\\r'}");
        const struct reply *reply = act_refused(
                stage, link.far, "recv", "EAGAIN", "{'frame':{'delimiter_text':'\\r\\n'},'timeout_ms':20}");
        assert_true(flag_at(reply, "timed_out"));
        act(stage, link.near, "send", 200, "{'text':'\\ncd\\r\\ne'}");
        reply = act(stage, link.far, "recv", 200, "{'frame':{'delimiter_text':'\\r\\n','count':5}}");
        expect_messages(reply, "'ab\r\n''cd\r\n'");
        expect_text(act(stage, link.far, "recv", 200, ""), "e");
}

static void oversized_then_larger(struct stage *stage)
{
        const struct link link = make_link(stage);
        act(stage, link.near, "send", 200, "{'text':'a long one\\n'}");
        const struct reply *const reply = act_refused(
                stage, link.far, "recv", "EMSGSIZE", "{'frame':{'delimiter_text':'\\n','max':5}}");
        assert_string_equal(text_at(reply, "parameter"), "frame.max");
        expect_messages(act(stage, link.far, "recv", 200, "{'frame':{'delimiter_text':'\\n','max':11}}"),
                "'a long one\n'");
}

/* The end of the stream between two messages is no error. */
static void clean_end(struct stage *stage)
{
        const struct link link = make_link(stage);
        act(stage, link.near, "send", 200, "{'text':'abc'}");
        act(stage, link.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        expect_messages(act(stage, link.far, "recv", 200, "{'frame':{'bytes':3,'count':2}}"), "'abc'");
        const struct reply *const end = act(stage, link.far, "recv", 200, "{'frame':{'bytes':3}}");
        expect_messages(end, "");
        assert_true(flag_at(end, "eof"));
        assert_false(flag_at(end, "complete"));
        assert_int_equal(number_at(end, "size"), 0);
}

/* A raw reply has the messages one after the other; the query has the frame as JSON. */
static void raw(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        act(stage, pair.near, "send", 200, "{'text':'ab;c;d'}");
        const struct reply *const reply = act_for_raw(
                stage, pair.far, "recv?frame=%7B%22delimiter_text%22%3A%22%3B%22%2C%22count%22%3A2%7D", 200);
        assert_int_equal(reply->size, 5);
        assert_memory_equal(reply->body, "ab;c;", 5);
        expect_text(act(stage, pair.far, "recv", 200, ""), "d");
}

/* Larger than what is read at once, and than max's fallback. */
static void large(struct stage *stage)
{
        enum { SIZE = 3 << 20 };
        const struct link link = make_link(stage);
        uint8_t *const bytes = noise(SIZE);
        bytes[0] = 0, bytes[1] = (SIZE - 4) >> 16, bytes[2] = (SIZE - 4) >> 8 & 0xff,
        bytes[3] = (SIZE - 4) & 0xff;
        struct pending *const sending = later_raw(stage, link.near, "send", bytes, SIZE, false);
        act_refused(stage, link.far, "recv", "EMSGSIZE", "{'frame':{'length':{'width':4}}}");
        const struct reply *const reply =
                act(stage, link.far, "recv", 200, "{'frame':{'length':{'width':4},'max':%d}}", SIZE);
        size_t size;
        uint8_t *const got = base64_decode(text_at(reply, "messages.0.data"), &size);
        assert_int_equal(size, SIZE);
        assert_memory_equal(got, bytes, SIZE);
        finish(stage, sending, 200);
        free(got);
        free(bytes);
}

/* Later steps may name a message. */
static void batched(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        const struct reply *const reply = post(stage, 200, "/v1/batch",
                "{'steps':[{'path':'/v1/sockets/%s/send','body':{'text':'one;two;'}},"
                "{'name':'got','path':'/v1/sockets/%s/"
                "recv','body':{'frame':{'delimiter_text':';','count':2}}},"
                "{'path':'/v1/sockets/%s/send','body':{'data':{'$ref':'got/messages/1/data'}}},"
                "{'path':'/v1/sockets/%s/recv'}]}",
                pair.near, pair.far, pair.far, pair.near);
        assert_string_equal(text_at(reply, "results.3.body.data"), "dHdvOw==");
}

static const struct scenario scenarios[] = {
        { "datagrams need no frame", datagrams },
        { "a byte at a time", trickle },
        { "the time runs out within a message", late },
        { "an oversized message, then with more room", oversized_then_larger },
        { "the end between messages", clean_end },
        { "raw", raw },
        { "a large message", large },
        { "in a batch", batched },
};

int main(void)
{
        SUITE_ADD_ROWS(play_cutting, cuttings);
        SUITE_ADD_ROWS(play_flaw, flaws);
        SUITE_ADD_ROWS(play_unsound, unsounds);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("frame", NULL);
}
