/* test_stream.c: byte streams: conversations, recv's ends, raw bodies, half-close, back-pressure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/steps.h"
#include "tests/http/wire.h"

enum { MIB = 1024 * 1024, UPLOAD_SIZE = 32 * MIB };

static void conversation(struct stage *stage)
{
        const struct link link = make_link(stage);
        assert_int_equal(number_at(act(stage, link.near, "send", 200, "{'text':'hello'}"), "sent"), 5);
        const struct reply *reply = act(stage, link.far, "recv", 200, "{'size':100}");
        expect_text(reply, "hello");
        assert_false(flag_at(reply, "eof"));
        act(stage, link.far, "send", 200, "{'data':'AAH/'}");
        reply = act(stage, link.near, "recv?size=100&timeout_ms=5000", 200, "");
        expect_data(reply, (const uint8_t[]){ 0, 1, 255 }, 3);
        reply = get(stage, 200, "/v1/sockets/%s", link.near);
        assert_int_equal(number_at(reply, "sent_bytes"), 5);
        assert_int_equal(number_at(reply, "received_bytes"), 3);
}

/* What a recv takes of a stream that carries "one\r\ntwo\r\nthree" and then ends. */
static const struct taking {
        const char *name, *query, *json, *text;
        bool eof;
        const char *rest; /* what the next recv takes */
} takings[] = {
        { "all that is there", "", "{'size':1000}", "one\r\ntwo\r\nthree", .eof = false, .rest = "" },
        { "at most the size", "", "{'size':4}", "one\r", .eof = false, .rest = "\ntwo\r\nthree" },
        { "size in the query", "?size=4", "", "one\r", .eof = false, .rest = "\ntwo\r\nthree" },
        { "peeking", "", "{'size':3,'flags':['MSG_PEEK']}", "one", .eof = false,
                .rest = "one\r\ntwo\r\nthree" },
        { "until a byte count", "", "{'until':{'bytes':6}}", "one\r\nt", .eof = false,
                .rest = "wo\r\nthree" },
        { "until a byte count in the query", "?until=6", "", "one\r\nt", .eof = false,
                .rest = "wo\r\nthree" },
        { "until a delimiter", "", "{'until':{'delimiter':'DQo='}}", "one\r\n", .eof = false,
                .rest = "two\r\nthree" },
        { "until a delimiter in text", "", "{'until':{'delimiter_text':'two\\r\\n'}}", "one\r\ntwo\r\n",
                .eof = false, .rest = "three" },
        { "until end of stream", "", "{'until':{'eof':true}}", "one\r\ntwo\r\nthree", .eof = true,
                .rest = "" },
        { "until end of stream in the query", "?until=eof", "", "one\r\ntwo\r\nthree", .eof = true,
                .rest = "" },
        { "end comes before the count", "", "{'until':{'bytes':100}}", "one\r\ntwo\r\nthree", .eof = true,
                .rest = "" },
        { "end comes before the delimiter", "", "{'until':{'delimiter_text':'four'}}", "one\r\ntwo\r\nthree",
                .eof = true, .rest = "" },
};

static void play_taking(struct stage *stage, const void *row)
{
        const struct taking *const taking = row;
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        char action[64];
        act(stage, pair.near, "send", 200, "{'text':'one\\r\\ntwo\\r\\nthree'}");
        act(stage, pair.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        snprintf(action, sizeof action, "recv%s", taking->query);
        const struct reply *const reply = act(stage, pair.far, action, 200, "%s", taking->json);
        expect_text(reply, taking->text);
        assert_int_equal(flag_at(reply, "eof"), taking->eof);
        const struct reply *const rest = act(stage, pair.far, "recv", 200, "{'size':1000}");
        expect_text(rest, taking->rest);
        if (!*taking->rest)
                assert_true(flag_at(rest, "eof"));
}

/* The bytes that wait for the delimiter are not lost when it does not come in time. */
static void delimiter_comes_late(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        act(stage, pair.near, "send", 200, "{'text':'half'}");
        const struct reply *reply =
                act(stage, pair.far, "recv", 422, "{'until':{'delimiter_text':';'},'timeout_ms':50}");
        expect_errno(reply, "EAGAIN");
        assert_true(flag_at(reply, "timed_out"));
        assert_int_equal(number_at(get(stage, 200, "/v1/sockets/%s", pair.far), "receive_queue"), 4);
        struct pending *const pending =
                later(stage, pair.far, "recv", "{'until':{'delimiter_text':';'},'timeout_ms':30000}");
        await_parked(stage, pair.far, 1);
        act(stage, pair.near, "send", 200, "{'text':' done;more'}");
        expect_text(finish(stage, pending, 200), "half done;");
        expect_text(act(stage, pair.far, "recv", 200, "{'size':100}"), "more");
}

/* Three pieces, of which no one alone fulfils the call. */
static void count_comes_in_pieces(struct stage *stage)
{
        const struct link link = make_link(stage);
        struct pending *const pending = later(stage, link.far, "recv", "{'until':{'bytes':6}}");
        await_parked(stage, link.far, 1);
        for (int piece = 0; piece < 3; piece++)
                act(stage, link.near, "send", 200, "{'text':'%d%d'}", piece, piece);
        expect_text(finish(stage, pending, 200), "001122");
}

static void send_all(struct stage *stage)
{
        const struct link link = make_link(stage);
        enum { SIZE = 3 * MIB };
        uint8_t *const bytes = noise(SIZE);
        char *const data = base64_encode(bytes, SIZE);
        struct pending *const sending =
                later(stage, link.near, "send", "{'data':'%s','all':true,'timeout_ms':50000}", data);
        const struct reply *const reply = act(stage, link.far, "recv", 200, "{'until':{'bytes':%d}}", SIZE);
        assert_int_equal(number_at(finish(stage, sending, 200), "sent"), SIZE);
        expect_data(reply, bytes, SIZE);
        free(data);
        free(bytes);
}

/* Without `all`, what the kernel takes is sent, and nothing waits for a reader. */
static void send_takes_what_fits(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        uint8_t *const bytes = noise(MIB);
        char *const data = base64_encode(bytes, MIB);
        const int64_t sent = number_at(act(stage, pair.near, "send", 200, "{'data':'%s'}", data), "sent");
        assert_true(sent > 0 && sent < MIB);
        const struct reply *const reply =
                act(stage, pair.near, "send", 422, "{'data':'%s','all':true,'timeout_ms':50}", data);
        expect_errno(reply, "EAGAIN");
        assert_true(flag_at(reply, "timed_out"));
        free(data);
        free(bytes);
}

static void raw_bodies(struct stage *stage)
{
        const struct link link = make_link(stage);
        uint8_t *const bytes = noise(UPLOAD_SIZE), sent[32], received[32];
        struct pending *const sending = later_raw(stage, link.near, "send", bytes, UPLOAD_SIZE, false);
        struct pending *const receiving = later_raw(stage, link.far, "recv?until=eof", NULL, 0, true);
        assert_int_equal(number_at(finish(stage, sending, 200), "sent"), UPLOAD_SIZE);
        act(stage, link.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        const struct reply *const reply = finish(stage, receiving, 200);
        assert_string_equal(reply_header(reply, "content-type"), "application/octet-stream");
        assert_int_equal(reply->size, UPLOAD_SIZE);
        digest(bytes, UPLOAD_SIZE, sent);
        digest(reply->body, reply->size, received);
        assert_memory_equal(sent, received, sizeof sent);
        free(bytes);
}

static void raw_small_reply(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        assert_int_equal(number_at(act_raw(stage, pair.near, "send", 200, "a\0b", 3), "sent"), 3);
        const struct reply *const reply = act_for_raw(stage, pair.far, "recv?size=100", 200);
        assert_int_equal(reply->size, 3);
        assert_memory_equal(reply->body, "a\0b", 3);
        act_raw(stage, pair.near, "send", 200, "12345678", 8);
        assert_memory_equal(act_for_raw(stage, pair.far, "recv?until=5", 200)->body, "12345", 6);
        expect_errno(act_for_raw(stage, pair.far, "recv?size=100&timeout_ms=0&flags=MSG_OOB", 422), "EINVAL");
}

/* As `curl -T file` does. */
static void upload(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/send", pair.near);
        const struct request request = { .method = "PUT", .path = path, .raw = "a file", .raw_size = 6 };
        const struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
        expect_status(reply, 200);
        assert_int_equal(number_at(reply, "sent"), 6);
        expect_text(act(stage, pair.far, "recv", 200, "{'until':{'bytes':6}}"), "a file");
}

static void half_close(struct stage *stage)
{
        const struct link link = make_link(stage);
        act(stage, link.near, "send", 200, "{'text':'last words'}");
        act(stage, link.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        act_refused(stage, link.near, "send", "EPIPE", "{'text':'more'}");
        const struct reply *const reply = act(stage, link.far, "recv", 200, "{'until':{'eof':true}}");
        expect_text(reply, "last words");
        assert_true(flag_at(reply, "eof"));
        act(stage, link.far, "send", 200, "{'text':'answer'}");
        expect_text(act(stage, link.near, "recv", 200, "{'size':100}"), "answer");
        act(stage, link.near, "shutdown", 200, "{'how':'SHUT_RD'}");
        assert_true(flag_at(act(stage, link.near, "recv", 200, "{'size':1}"), "eof"));
}

static void peer_is_gone(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        drop(stage, 204, "/v1/sockets/%s", pair.far);
        act_refused(stage, pair.near, "send", "EPIPE", "{'text':'anyone?'}");
        assert_true(flag_at(act(stage, pair.near, "recv", 200, "{'size':1}"), "eof"));
}

static void not_connected(struct stage *stage)
{
        const char *const id = make(stage, "");
        act_refused(stage, id, "recv", "ENOTCONN", "{'size':1}");
        act_refused(stage, id, "shutdown", "ENOTCONN", "{'how':'SHUT_RDWR'}");
        act_refused(stage, id, "send", "EPIPE", "{'text':'x'}");
        act_refused(stage, id, "accept", "EINVAL", "");
}

/* An upload that nobody reads stops at the client, not in the daemon's memory. */
static void back_pressure(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        const long memory = daemon_memory(stage->daemon);
        const int fd = wire_open(stage->daemon, OVER_UNIX);
        wire_write(fd,
                "POST /v1/sockets/%s/send?timeout_ms=60000 HTTP/1.1\r\nHost: localhost\r\n"
                "Content-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n",
                pair.near, 1024 * MIB);
        assert_in_range(wire_fill(fd), 1, 4 * MIB);
        assert_true(daemon_memory(stage->daemon) < memory + 16L * 1024);
        close(fd);
        await_parked(stage, pair.near, 0);
}

static void urgent_data(struct stage *stage)
{
        const struct link link = make_link(stage);
        act(stage, link.near, "send", 200, "{'text':'!','flags':['MSG_OOB']}");
        act(stage, link.near, "send", 200, "{'text':'usual'}");
        expect_text(act(stage, link.far, "recv", 200, "{'size':1,'flags':['MSG_OOB']}"), "!");
        expect_text(act(stage, link.far, "recv", 200, "{'until':{'bytes':5}}"), "usual");
}

static void unix_paths(struct stage *stage)
{
        static const char *const prefixes[] = { "unix:", "unix:@" };
        for (size_t i = 0; i < COUNT(prefixes); i++) {
                char address[160];
                snprintf(address, sizeof address, "%s%s/name", prefixes[i], stage->daemon->directory);
                const char *const server = make(stage,
                        "{'family':'AF_UNIX','type':'SOCK_STREAM','bind':'%s','listen':{'backlog':2}}",
                        address);
                const char *const caller =
                        make(stage, "{'family':'AF_UNIX','type':'SOCK_STREAM','connect':'%s'}", address);
                const char *const accepted = text_at(act(stage, server, "accept", 201, ""), "id");
                act(stage, accepted, "send", 200, "{'text':'local'}");
                expect_text(act(stage, caller, "recv", 200, "{'size':9}"), "local");
        }
}

static const struct scenario scenarios[] = {
        { "conversation", conversation },
        { "delimiter comes late", delimiter_comes_late },
        { "count comes in pieces", count_comes_in_pieces },
        { "send all", send_all },
        { "send takes what fits", send_takes_what_fits },
        { "raw bodies of 32 MiB", raw_bodies },
        { "small raw bodies", raw_small_reply },
        { "upload", upload },
        { "half-close", half_close },
        { "peer is gone", peer_is_gone },
        { "not connected", not_connected },
        { "back-pressure", back_pressure },
        { "urgent data", urgent_data },
        { "unix paths", unix_paths },
};

int main(void)
{
        SUITE_ADD_ROWS(play_taking, takings);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("stream", NULL);
}
