/* test_transcript_bounds.c: how much a socket records, of calls that are many, large, or streamed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/steps.h"

static const struct reply *transcript(struct stage *stage, const char *id)
{
        return get(stage, 200, "/v1/sockets/%s/transcript", id);
}

/* The oldest go, and are counted; what is there has its numbers in a row. */
static void bounded(struct stage *stage)
{
        enum { ROUNDS = 40, TEXT_SIZE = 1000 };
        char text[TEXT_SIZE + 1];
        const struct reply *const pair =
                post(stage, 201, "/v1/socketpairs", "{'family':'AF_UNIX','record_bytes':8192}");
        const char *const id = text_at(pair, "sockets.0.id");
        memset(text, 'x', TEXT_SIZE);
        text[TEXT_SIZE] = '\0';
        for (int i = 0; i < ROUNDS; i++)
                act(stage, id, "send", 200, "{'text':'%s'}", text);
        const struct reply *const reply = transcript(stage, id);
        const json_t *const listed = json_at(reply->json, "calls");
        const int64_t gone = number_at(reply, "gone");
        assert_in_range(json_array_size(listed), 2, 8);
        assert_int_equal(gone + (int64_t)json_array_size(listed), ROUNDS + 1);
        size_t index;
        const json_t *call;
        json_array_foreach(listed, index, call)
        {
                assert_int_equal(json_integer_value(json_at(call, "sequence")), gone + 1 + (int64_t)index);
        }
        /* One that is larger than all is gone at once, and the others are still there. */
        char *const large = malloc(20001);
        assert_non_null(large);
        memset(large, 'x', 20000);
        large[20000] = '\0';
        act(stage, id, "send", 200, "{'text':'%s'}", large);
        free(large);
        const struct reply *const after = transcript(stage, id);
        assert_int_equal(number_at(after, "gone"), gone + 1);
        assert_int_equal(json_array_size(json_at(after->json, "calls")), json_array_size(listed));
}

/* The payloads of one operation's pieces, one after the other; how many there are. */
static size_t gather(const struct reply *reply, const char *path, uint8_t *out, size_t *size)
{
        size_t index, count = 0;
        const json_t *call;
        *size = 0;
        json_array_foreach(json_at(reply->json, "calls"), index, call)
        {
                if (!json_is_true(json_at(call, "piece")))
                        continue;
                size_t piece_size;
                uint8_t *const piece = base64_decode(json_string_value(json_at(call, path)), &piece_size);
                memcpy(out + *size, piece, piece_size);
                *size += piece_size;
                free(piece);
                count++;
        }
        return count;
}

/* Nothing of a stream is held back for its recording: it is recorded in pieces, as it goes. */
static void streamed(struct stage *stage)
{
        enum { SIZE = 150000 };
        uint8_t *const bytes = noise(SIZE), *const recorded = malloc(SIZE);
        size_t size;
        const struct reply *const pair =
                post(stage, 201, "/v1/socketpairs", "{'family':'AF_UNIX','record_bytes':1048576}");
        const char *const near = text_at(pair, "sockets.0.id"), *const far = text_at(pair, "sockets.1.id");
        struct pending *const receiving = later_raw(stage, far, "recv?until=eof", NULL, 0, true);
        act_raw(stage, near, "send", 200, bytes, SIZE);
        act(stage, near, "shutdown", 200, "{'how':'SHUT_WR'}");
        assert_int_equal(finish(stage, receiving, 200)->size, SIZE);
        assert_true(gather(transcript(stage, near), "arguments.data", recorded, &size) > 1);
        assert_int_equal(size, SIZE);
        assert_memory_equal(recorded, bytes, SIZE);
        assert_true(gather(transcript(stage, far), "reply.data", recorded, &size) > 1);
        assert_int_equal(size, SIZE);
        assert_memory_equal(recorded, bytes, SIZE);
        free(bytes);
        free(recorded);
}

/* It may be read while calls of both directions are recorded, and goes on meanwhile. */
static void read_meanwhile(struct stage *stage)
{
        enum { SIZE = 3000000, ROUND = 100000 };
        uint8_t *const bytes = noise(SIZE);
        const struct reply *const pair =
                post(stage, 201, "/v1/socketpairs", "{'family':'AF_UNIX','record_bytes':200000}");
        const char *const near = text_at(pair, "sockets.0.id"), *const far = text_at(pair, "sockets.1.id");
        struct pending *const sending = later_raw(stage, near, "send", bytes, SIZE, false);
        int64_t gone = 0;
        for (int got = 0; got < SIZE; got += ROUND) {
                const struct reply *const now = transcript(stage, near);
                assert_true(number_at(now, "gone") >= gone);
                gone = number_at(now, "gone");
                act(stage, far, "recv", 200, "{'until':{'bytes':%d}}", ROUND);
                act(stage, far, "send", 200, "{'text':'x'}");
                act(stage, near, "recv", 200, "");
        }
        finish(stage, sending, 200);
        assert_true(number_at(transcript(stage, near), "gone") > 0);
        free(bytes);
}

static const struct scenario scenarios[] = {
        { "bounded", bounded },
        { "streamed", streamed },
        { "read meanwhile", read_meanwhile },
};

int main(void)
{
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("transcript bounds", NULL);
}
