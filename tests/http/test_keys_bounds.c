/* test_keys_bounds.c: what an Idempotency-Key may be, and how many outcomes are kept for how long. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/keyed.h"
#include "tests/http/wire.h"

enum { DEADLINE_MS = 20000, KEY_MOST = 255 };

/* The header as it is sent; "*" stands for as many of the same as the row says. */
static const struct header {
        const char *name, *lines;
        int count, status;
} headers[] = {
        { "one character", "Idempotency-Key: a\r\n", 0, 201 },
        { "a string", "Idempotency-Key: \"8e03978e-40d5\"\r\n", 0, 201 },
        { "a string with escapes", "Idempotency-Key: \"a\\\"b\\\\c\"\r\n", 0, 201 },
        { "blanks and signs", "Idempotency-Key: a b;c=\"d\", e\r\n", 0, 201 },
        { "another case", "idempotency-key: other\r\n", 0, 201 },
        { "the longest", "Idempotency-Key: *\r\n", KEY_MOST, 201 },
        { "the longest string", "Idempotency-Key: \"string*\"\r\n", KEY_MOST - 6, 201 },
        { "longer", "Idempotency-Key: *\r\n", KEY_MOST + 1, 400 },
        { "a longer string", "Idempotency-Key: \"*\"\r\n", KEY_MOST + 1, 400 },
        { "ten kilobytes", "Idempotency-Key: *\r\n", 10000, 431 },
        { "nothing", "Idempotency-Key:\r\n", 0, 400 },
        { "blanks", "Idempotency-Key:   \r\n", 0, 400 },
        { "an empty string", "Idempotency-Key: \"\"\r\n", 0, 400 },
        { "a string without an end", "Idempotency-Key: \"a\r\n", 0, 400 },
        { "a quote", "Idempotency-Key: \"\r\n", 0, 400 },
        { "more behind the string", "Idempotency-Key: \"a\"b\r\n", 0, 400 },
        { "a parameter behind the string", "Idempotency-Key: \"a\";b=c\r\n", 0, 400 },
        { "an escape of nothing", "Idempotency-Key: \"a\\\r\n", 0, 400 },
        { "an escape of a letter", "Idempotency-Key: \"a\\b\"\r\n", 0, 400 },
        { "UTF-8", "Idempotency-Key: schl\xc3\xbcssel\r\n", 0, 400 },
        { "a control",
                "Idempotency-Key: a\x01"
                "b\r\n",
                0, 400 },
        { "a tab", "Idempotency-Key: a\tb\r\n", 0, 400 },
        { "a delete",
                "Idempotency-Key: a\x7f"
                "b\r\n",
                0, 400 },
        { "twice", "Idempotency-Key: a\r\nIdempotency-Key: b\r\n", 0, 400 },
        { "twice the same", "Idempotency-Key: a\r\nIdempotency-Key: a\r\n", 0, 400 },
        { "folded", "Idempotency-Key: a\r\n b\r\n", 0, 400 },
};

static void play_header(struct stage *stage, const void *row)
{
        const struct header *const header = row;
        struct wire_reply reply;
        const char *const star = header->count ? strchr(header->lines, '*') : NULL;
        char *const many = calloc(1, (size_t)header->count + 1);
        memset(many, 'k', (size_t)header->count);
        const int before = star ? (int)(star - header->lines) : (int)strlen(header->lines);
        const int fd = wire_open(stage->daemon, OVER_UNIX);
        wire_write(fd, "POST /v1/sockets HTTP/1.1\r\nHost: localhost\r\n%.*s%s%sContent-Length: 0\r\n\r\n",
                before, header->lines, many, star ? star + 1 : "");
        wire_read(fd, &reply);
        if (reply.status != header->status)
                fail_msg("%d: %s%s", reply.status, reply.head, reply.body);
        assert_null(strstr(reply.head, "Idempotency-Replayed"));
        assert_int_equal(count_sockets(stage), header->status == 201);
        close(fd);
        free(many);
}

/* Quoted or not, it is the same key. */
static void quotes_are_no_part_of_it(struct stage *stage)
{
        const struct reply *const first =
                keyed(stage, stage->client, "as \\ it is", "POST", "/v1/sockets", "");
        expect_status(first, 201);
        expect_replay(first, keyed(stage, stage->client, "\"as \\\\ it is\"", "POST", "/v1/sockets", ""));
}

/* A daemon that keeps a few, and what is left of six of them when each is asked for again. */
static const struct bound {
        const char *name;
        const char *arguments[4];
        int kept;    /* of six; the newest */
        size_t size; /* or as many as fit into that */
} bounds[] = {
        { "a bound of their number", { "--kept-outcomes", "4" }, 4, 0 },
        { "a bound of one", { "--kept-outcomes", "1" }, 1, 0 },
        { "a bound of their bytes", { "--kept-outcome-bytes", "2000" }, 0, 2000 },
};

static void play_bound(struct stage *stage, const void *row)
{
        enum { ALL = 6 };
        const struct bound *const bound = row;
        struct stage other;
        char key[16];
        int kept = bound->kept;
        stage_open(&other, bound->arguments);
        for (int i = 0; i < ALL; i++) {
                snprintf(key, sizeof key, "key %d", i);
                const struct reply *const reply = keyed(&other, other.client, key, "POST", "/v1/sockets", "");
                expect_status(reply, 201);
                if (bound->size > 0)
                        kept = (int)(bound->size / (reply->size + 1));
        }
        assert_true(kept > 0 && kept < ALL);
        for (int i = ALL; i-- > 0;) {
                snprintf(key, sizeof key, "key %d", i);
                const struct reply *const reply = keyed(&other, other.client, key, "POST", "/v1/sockets", "");
                expect_status(reply, 201);
                if (is_replayed(reply) != (i >= ALL - kept))
                        fail_msg("the outcome %d is %skept", i, is_replayed(reply) ? "" : "not ");
                if (!is_replayed(reply))
                        break;
        }
        daemon_stop(other.daemon);
        stage_close(&other, stage);
}

/* Each replay shows that it is kept for that long at least, the first new reply that it ends. */
static void a_bound_of_their_age(struct stage *stage)
{
        struct stage other;
        static const char *const arguments[] = { "--kept-outcome-s", "1", NULL };
        stage_open(&other, arguments);
        const int64_t start = milliseconds();
        expect_status(keyed(&other, other.client, "key", "POST", "/v1/sockets", ""), 201);
        while (is_replayed(keyed(&other, other.client, "key", "POST", "/v1/sockets", "")))
                if (milliseconds() > start + DEADLINE_MS)
                        fail_msg("it is kept for good");
        assert_true(milliseconds() - start >= 1000);
        daemon_stop(other.daemon);
        stage_close(&other, stage);
}

/* As many as may be kept are under way. */
static void a_bound_of_what_runs(struct stage *stage)
{
        struct stage other;
        struct going first;
        char path[128];
        static const char *const arguments[] = { "--kept-outcomes", "1", NULL };
        stage_open(&other, arguments);
        const struct ends ends = make_pair(&other, "SOCK_STREAM");
        snprintf(path, sizeof path, "/v1/sockets/%s/recv", ends.near);
        going_begin(&other, OVER_UNIX, "key", path, "", &first);
        await_parked(&other, ends.near, 1);
        expect_problem(keyed(&other, other.client, "another", "POST", "/v1/sockets", ""), 429, NULL);
        act(&other, ends.far, "send", 200, "{'text':'once'}");
        expect_status(going_end(&other, &first), 200);
        expect_status(keyed(&other, other.client, "another", "POST", "/v1/sockets", ""), 201);
        daemon_stop(other.daemon);
        stage_close(&other, stage);
}

static const struct scenario scenarios[] = {
        { "quotes are no part of it", quotes_are_no_part_of_it },
        { "a bound of their age", a_bound_of_their_age },
        { "a bound of what runs", a_bound_of_what_runs },
};

int main(void)
{
        SUITE_ADD_ROWS(play_header, headers);
        SUITE_ADD_ROWS(play_bound, bounds);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("bounds of keys", NULL);
}
