/* test_events_lost.c: what becomes of events and of those who follow them when there are too many, when
 * somebody does not read, when the daemon ends, and when they are another's. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/follower.h"
#include "tests/http/kept.h"
#include "tests/http/tokens.h"
#include "tests/http/wire.h"

#define CI "ci-0123456789abcdef"
#define LAB "lab-0123456789abcdef"
#define EYE "eye-0123456789abcdef"

/* More events than are kept, of one socket. */
enum { FLOOD_BATCHES = 10, FLOOD_STEPS = 1000, KEPT = 8192 };

static void flood(struct stage *stage)
{
        char step[128];
        char *const steps = calloc(FLOOD_STEPS + 1, sizeof step);
        assert_non_null(steps);
        const char *const id = make(stage, "{}");
        snprintf(step, sizeof step, "{'path':'/v1/sockets/%s/listen'},", id);
        for (int i = 0; i < FLOOD_STEPS; i++)
                strcat(steps, step);
        steps[strlen(steps) - 1] = '\0';
        for (int i = 0; i < FLOOD_BATCHES; i++)
                post(stage, 200, "/v1/batch", "{'steps':[%s],'timeout_ms':60000}", steps);
        free(steps);
}

static void a_gap_is_told(struct stage *stage)
{
        char header[64];
        struct follower *follower = follow(stage, "", NULL);
        const long long start = strtoll(follower_start(follower), NULL, 10);
        follower_close(follower);
        flood(stage);
        const char *const last = make(stage, "{'label':'last'}");
        snprintf(header, sizeof header, "Last-Event-ID: %lld", start);
        follower = follow(stage, "", header);
        const struct frame *frame = hear(follower, "gap", NULL);
        const long long missed = json_integer_value(json_object_get(frame->data, "missed"));
        const long long end = number_at(get(stage, 200, "/v1/events?timeout_ms=0"), "next");
        assert_int_equal(missed, end - start - KEPT);
        assert_int_equal(strtoll(frame->id, NULL, 10), start + missed);
        for (int heard = 0; heard < KEPT - 1; heard++)
                assert_int_equal(
                        strtoll(hear(follower, "listening", NULL)->id, NULL, 10), start + missed + heard + 1);
        hear(follower, "made", last);
        follower_close(follower);
        const struct reply *const polled = get(stage, 200, "/v1/events?after=%lld&kind=made", start);
        assert_true(flag_at(polled, "gap"));
        assert_string_equal(text_at(polled, "events.0.socket"), last);
        /* All of them, in pages. */
        size_t count = 0;
        int64_t next = start;
        for (size_t size = 1; size > 0; count += size) {
                const struct reply *const page =
                        get(stage, 200, "/v1/events?timeout_ms=0&after=%lld", (long long)next);
                size = json_array_size(json_at(page->json, "events"));
                next = number_at(page, "next");
        }
        assert_int_equal(count, KEPT);
}

/* Who does not read holds up nobody, and is told of the gap when he reads on. */
static void slow_reader(struct stage *stage)
{
        struct client *const clients[] = { stage->over_unix, stage->over_tcp };
        struct follower *const follower = follow(stage, "?kind=made", NULL);
        struct follower *slow[COUNT(clients)];
        for (size_t i = 0; i < COUNT(slow); i++) {
                stage->client = clients[i];
                slow[i] = follow(stage, "", NULL);
        }
        /* One flood for their buffers, and another for the ring. */
        flood(stage);
        flood(stage);
        const char *const id = make(stage, "{}");
        for (int i = 0; i < 2; i++)
                hear(follower, "made", NULL);
        hear(follower, "made", id);
        follower_close(follower);
        for (size_t i = 0; i < COUNT(slow); i++) {
                long long last = strtoll(follower_start(slow[i]), NULL, 10), missed = 0;
                for (;;) {
                        const struct frame *const frame = hear_event(slow[i]);
                        const long long number = strtoll(frame->id, NULL, 10);
                        const bool is_gap = strcmp(frame->event, "gap") == 0;
                        const json_t *const lost = json_object_get(frame->data, "missed");
                        missed += json_integer_value(lost);
                        assert_int_equal(number, last + (is_gap ? json_integer_value(lost) : 1));
                        last = number;
                        const json_t *const socket = json_object_get(frame->data, "socket");
                        if (socket != NULL && strcmp(json_string_value(socket), id) == 0)
                                break;
                }
                assert_true(missed > 0);
                follower_close(slow[i]);
        }
}

/* Numbers go on behind those of the daemon before; what was in between nobody knows. */
static void over_a_restart(struct stage *stage)
{
        const char *const arguments[] = { "--keeper", NULL };
        char header[64], query[64];
        struct stage other;
        stage_open(&other, arguments);
        struct follower *follower = follow(&other, "", NULL);
        const char *const kept = make(&other, "{}");
        const long long before = strtoll(hear(follower, "made", kept)->id, NULL, 10);
        kept_end(&other, SIGKILL);
        assert_null(hear_any(follower));
        follower_close(follower);
        snprintf(header, sizeof header, "Last-Event-ID: %lld", before);
        follower = follow(&other, "", header);
        assert_true(strtoll(follower_start(follower), NULL, 10) > before);
        const struct frame *frame = hear(follower, "gap", NULL);
        assert_true(json_is_null(json_object_get(frame->data, "missed")));
        drop(&other, 204, "/v1/sockets/%s", kept);
        frame = hear(follower, "closed", kept);
        assert_true(strtoll(frame->id, NULL, 10) > before);
        follower_close(follower);
        snprintf(query, sizeof query, "/v1/events?after=%lld", before);
        const struct reply *const polled = get(&other, 200, "%s", query);
        assert_true(flag_at(polled, "gap"));
        assert_string_equal(text_at(polled, "events.0.socket"), kept);
        daemon_stop(other.daemon);
        stage_close(&other, stage);
}

/* Streams end with the daemon, and it does not wait for anybody. */
static void at_the_end(struct stage *stage)
{
        struct stage other;
        stage_open(&other, NULL);
        struct follower *const follower = follow(&other, "", NULL);
        struct follower *const silent = follow(&other, "?kind=bound", NULL);
        const int64_t begun = milliseconds();
        daemon_terminate(other.daemon);
        assert_null(hear_any(follower));
        assert_null(hear_any(silent));
        follower_close(follower);
        follower_close(silent);
        daemon_wait(other.daemon);
        assert_true(milliseconds() - begun < 4000);
        stage_close(&other, stage);
}

/* They count as parked calls, until they are gone. */
static void so_many_at_a_time(struct stage *stage)
{
        const char *const arguments[] = { "--max-parked", "2", NULL };
        static const struct request third = { .method = "GET", .path = "/v1/events" };
        struct stage other;
        stage_open(&other, arguments);
        struct follower *const first = follow(&other, "", NULL);
        struct follower *const second = follow(&other, "", NULL);
        expect_problem(stage_keep(&other, exchange(other.client, &third)), 429, NULL);
        follower_close(second);
        const int64_t deadline = milliseconds() + 30000;
        int status;
        do {
                const int fd = wire_open(other.daemon, OVER_UNIX);
                struct wire_reply reply;
                wire_write(fd, "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
                wire_read(fd, &reply);
                status = reply.status;
                close(fd);
        } while (status == 429 && milliseconds() < deadline);
        assert_int_equal(status, 200);
        follower_close(first);
        daemon_stop(other.daemon);
        stage_close(&other, stage);
}

static const char *make_as(struct stage *stage, const char *authorization)
{
        const struct request request = { .method = "POST",
                .path = "/v1/sockets",
                .json = "{}",
                .no_token = true,
                .headers = { authorization } };
        struct reply *const reply = stage_keep(stage, exchange(stage->over_tcp, &request));
        expect_status(reply, 201);
        return text_at(reply, "id");
}

/* Each hears of its own sockets, and an administrator of all; by their ids neither. */
static void others_hear_nothing(struct stage *stage)
{
        static const struct named_token names[] = { { "ci", CI, "operate" }, { "lab", LAB, "operate" },
                { "eye", EYE, "watch admin" } };
        char tokens_path[64];
        const char *const arguments[] = { "--tokens", tokens_path, NULL };
        static const char ci[] = "Authorization: Bearer " CI, lab[] = "Authorization: Bearer " LAB,
                          eye[] = "Authorization: Bearer " EYE;
        char query[128];
        struct stage other;
        snprintf(tokens_path, sizeof tokens_path, "/tmp/sockwright-events-%d", (int)getpid());
        tokens_file_write(tokens_path, names, COUNT(names), "");
        stage_open(&other, arguments);
        other.client = other.over_tcp;
        struct follower *const as_ci = follow(&other, "", ci), *const as_lab = follow(&other, "", lab),
                               *const as_eye = follow(&other, "", eye);
        const char *const of_ci = make_as(&other, ci);
        snprintf(query, sizeof query, "?socket=%s&after=0", of_ci);
        struct follower *const curious = follow(&other, query, lab);
        const char *const of_lab = make_as(&other, lab);
        const char *const last = make_as(&other, ci);
        hear(as_ci, "made", of_ci);
        hear(as_ci, "made", last);
        hear(as_lab, "made", of_lab);
        hear(as_eye, "made", of_ci);
        hear(as_eye, "made", of_lab);
        hear(as_eye, "made", last);
        const struct request poll = {
                .method = "GET", .path = "/v1/events?after=0", .no_token = true, .headers = { lab }
        };
        const struct reply *const polled = stage_keep(&other, exchange(other.over_tcp, &poll));
        assert_int_equal(json_array_size(json_at(polled->json, "events")), 1);
        assert_string_equal(text_at(polled, "events.0.socket"), of_lab);
        daemon_terminate(other.daemon);
        assert_null(hear_any(curious));
        assert_null(hear_any(as_lab));
        follower_close(as_ci);
        follower_close(as_lab);
        follower_close(as_eye);
        follower_close(curious);
        daemon_wait(other.daemon);
        stage_close(&other, stage);
        unlink(tokens_path);
}

static const struct scenario scenarios[] = {
        { "a gap is told", a_gap_is_told },
        { "slow reader", slow_reader },
        { "over a restart", over_a_restart },
        { "at the end", at_the_end },
        { "so many at a time", so_many_at_a_time },
        { "others hear nothing", others_hear_nothing },
};

int main(void)
{
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("events that are lost, ended, or another's", NULL);
}
