/* test_metrics.c: GET /metrics says what has happened, in both formats, to promtool's liking. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/http/command.h"
#include "tests/http/steps.h"

enum { NAME_SIZE = 128 };

static const struct reply *metrics(struct stage *stage)
{
        return get(stage, 200, "/metrics");
}

/* A sample's value; 0 where there is none. */
static double value_of(const struct reply *reply, const char *sample)
{
        const size_t size = strlen(sample);
        for (const char *line = reply->body; line != NULL && *line != '\0';
                line = strchr(line, '\n') == NULL ? NULL : strchr(line, '\n') + 1)
                if (strncmp(line, sample, size) == 0 && line[size] == ' ')
                        return strtod(line + size, NULL);
        return 0;
}

/* What each of these steps adds to a sample. */
static void fail_to_connect(struct stage *stage)
{
        expect_errno(post(stage, 422, "/v1/sockets", "{'connect':'127.0.0.1:1'}"), "ECONNREFUSED");
}

static void fail_to_resolve(struct stage *stage)
{
        get(stage, 422, "/v1/getaddrinfo?host=256.0.0.1&flags=AI_NUMERICHOST");
}

static void transfer(struct stage *stage)
{
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        act(stage, ends.near, "send", 200, "{'text':'hello'}");
        expect_text(act(stage, ends.far, "recv", 200, ""), "hello");
        drop(stage, 204, "/v1/sockets/%s", ends.near);
        drop(stage, 204, "/v1/sockets/%s", ends.far);
}

static void ask_for_nothing(struct stage *stage)
{
        get(stage, 404, "/v1/nothing");
}

static void upload(struct stage *stage)
{
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        act_raw(stage, ends.near, "send", 200, "hello", 5);
}

static void download(struct stage *stage)
{
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        act(stage, ends.near, "send", 200, "{'text':'hello'}");
        assert_int_equal(act_for_raw(stage, ends.far, "recv?until=5", 200)->size, 5);
}

static void run_batch(struct stage *stage)
{
        post(stage, 200, "/v1/batch", "{'steps':[{'path':'/v1/sockets'},{'path':'/v1/sockets'}]}");
}

static const struct step {
        const char *name;
        void (*run)(struct stage *stage);
        const char *sample;
        double more;
} steps[] = {
        { "a refusal", fail_to_connect,
                "sockwright_call_errors_total{operation=\"socket_create\",errno=\"ECONNREFUSED\"}", 1 },
        { "a refusal of a lookup", fail_to_resolve,
                "sockwright_call_errors_total{operation=\"getaddrinfo\",errno=\"EAI_NONAME\"}", 1 },
        { "a refused request", fail_to_connect,
                "sockwright_http_requests_total{operation=\"socket_create\",status=\"422\"}", 1 },
        { "a request for nothing", ask_for_nothing,
                "sockwright_http_requests_total{operation=\"\",status=\"404\"}", 1 },
        { "a call", transfer, "sockwright_call_duration_seconds_count{operation=\"socket_send\"}", 1 },
        { "a call in the last class", transfer,
                "sockwright_call_duration_seconds_bucket{operation=\"socket_send\",le=\"+Inf\"}", 1 },
        { "steps of a batch", run_batch,
                "sockwright_call_duration_seconds_count{operation=\"socket_create\"}", 2 },
        { "a request that is a batch", run_batch,
                "sockwright_http_requests_total{operation=\"batch\",status=\"200\"}", 1 },
        { "an upload", upload, "sockwright_call_duration_seconds_count{operation=\"socket_send\"}", 1 },
        { "a download", download, "sockwright_call_duration_seconds_count{operation=\"socket_recv\"}", 1 },
        { "bytes received", transfer, "sockwright_received_bytes_total", 5 },
        { "bytes sent", transfer, "sockwright_sent_bytes_total", 5 },
        { "sockets", upload,
                "sockwright_sockets{family=\"AF_UNIX\",type=\"SOCK_STREAM\",state=\"connected\"}", 2 },
        { "sockets that are closed", transfer,
                "sockwright_sockets{family=\"AF_UNIX\",type=\"SOCK_STREAM\",state=\"connected\"}", 0 },
};

/* A reply is on its way before its call is counted. */
static void play_step(struct stage *stage, const void *row)
{
        const struct step *const step = row;
        const double before = value_of(metrics(stage), step->sample);
        step->run(stage);
        const int64_t deadline = milliseconds() + 10000;
        double after;
        do
                after = value_of(metrics(stage), step->sample);
        while (after < before + step->more && milliseconds() < deadline);
        if (after != before + step->more)
                fail_msg("%s: %g, then %g", step->sample, before, after);
}

static void parked(struct stage *stage)
{
        const struct ends ends = make_pair(stage, "SOCK_STREAM");
        assert_true(value_of(metrics(stage), "sockwright_parked_calls") == 0);
        struct pending *const pending = later(stage, ends.near, "recv", "{'timeout_ms':30000}");
        await_parked(stage, ends.near, 1);
        const struct reply *const now = metrics(stage);
        assert_true(value_of(now, "sockwright_parked_calls") == 1);
        assert_true(value_of(now, "sockwright_http_connections") >= 2);
        act(stage, ends.far, "send", 200, "{'text':'x'}");
        finish(stage, pending, 200);
        assert_true(value_of(metrics(stage), "sockwright_parked_calls") == 0);
}

static void kept(struct stage *stage)
{
        const double before = value_of(metrics(stage), "sockwright_kept_outcomes");
        const struct request request = {
                .method = "POST", .path = "/v1/sockets", .json = "{}", .headers = { "Idempotency-Key: once" }
        };
        expect_status(stage_keep(stage, exchange(stage->client, &request)), 201);
        assert_true(value_of(metrics(stage), "sockwright_kept_outcomes") == before + 1);
}

/* As the host has it. */
static void process(struct stage *stage)
{
        const struct reply *const reply = metrics(stage);
        const double resident = value_of(reply, "sockwright_resident_memory_bytes");
        const double memory = (double)daemon_memory(stage->daemon) * 1024;
        assert_true(resident > memory / 2 && resident < memory * 2);
        assert_true(value_of(reply, "sockwright_stored_memory_bytes") > 0);
        assert_int_equal(
                (long)value_of(reply, "sockwright_open_descriptors"), daemon_descriptors(stage->daemon));
        assert_true(value_of(reply, "sockwright_max_descriptors") >= 256);
        assert_true(value_of(reply, "sockwright_build_info{version=\"0.1.0\"}") == 1);
        const double age = (double)time(NULL) - value_of(reply, "sockwright_start_time_seconds");
        assert_true(age > -2 && age < 3600);
}

static const struct negotiation {
        const char *name, *accept, *type;
        bool open;
} negotiations[] = {
        { "nothing asked for", "Accept:", "text/plain; version=0.0.4; charset=utf-8", false },
        { "OpenMetrics asked for", "Accept: application/openmetrics-text; version=1.0.0",
                "application/openmetrics-text; version=1.0.0; charset=utf-8", true },
        { "text asked for", "Accept: text/plain", "text/plain; version=0.0.4; charset=utf-8", false },
};

static void play_negotiation(struct stage *stage, const void *row)
{
        static const char end[] = "\n# EOF\n";
        const struct negotiation *const negotiation = row;
        const struct request request = {
                .method = "GET", .path = "/metrics", .headers = { negotiation->accept }
        };
        const struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
        expect_status(reply, 200);
        assert_string_equal(reply_header(reply, "content-type"), negotiation->type);
        assert_true(reply->size > sizeof end);
        const char *const last = reply->body + reply->size - (sizeof end - 1);
        assert_int_equal(strcmp(last, end) == 0, negotiation->open);
        assert_int_equal(strstr(reply->body, "# UNIT ") != NULL, negotiation->open);
}

/* Enough for every metric to have a sample. */
static const struct reply *full_metrics(struct stage *stage)
{
        fail_to_connect(stage);
        upload(stage);
        return metrics(stage);
}

static void promtool(struct stage *stage)
{
        char path[NAME_SIZE], line[1024];
        const char *const tool = getenv("PROMTOOL");
        const struct reply *const reply = full_metrics(stage);
        assert_non_null(tool);
        snprintf(path, sizeof path, "%s/metrics", stage->daemon->directory);
        FILE *const file = fopen(path, "we");
        assert_non_null(file);
        assert_int_equal(fwrite(reply->body, 1, reply->size, file), reply->size);
        fclose(file);
        snprintf(line, sizeof line, "'%s' check metrics <'%s' 2>&1", tool, path);
        int status;
        char *const verdict = output_of(line, &status);
        print_message("promtool check metrics: exit status %d, \"%s\"\n", WEXITSTATUS(status), verdict);
        assert_int_equal(status, 0);
        assert_string_equal(verdict, "");
        free(verdict);
        remove(path);
}

static const struct scenario scenarios[] = {
        { "parked", parked },
        { "kept", kept },
        { "the process", process },
        { "promtool", promtool },
};

int main(void)
{
        SUITE_ADD_ROWS(play_step, steps);
        SUITE_ADD_SCENARIOS(scenarios);
        SUITE_ADD_ROWS(play_negotiation, negotiations);
        return suite_run("metrics", NULL);
}
