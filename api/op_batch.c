/* op_batch.c: many calls in one request. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>

#include "api/batch.h"
#include "api/record.h"

enum { AT_MOST_AHEAD_S = 86400 };

static const struct field batch_request_rows[] = {
        FIELD(struct batch_request, steps, "The calls, in the order that they are made.", .required = true,
                .example =
                        "[{\"name\":\"server\",\"path\":\"/v1/sockets\",\"body\":{\"bind\":\"127.0.0.1:0\","
                        "\"listen\":true}},"
                        "{\"path\":\"/v1/sockets\",\"body\":{\"connect\":{\"$ref\":\"server/local\"}}}]"),
        FIELD(struct batch_request, rollback,
                "When a step ends the batch, close what the others have made, last first."),
        FIELD(struct batch_request, at,
                "Start then, by the host's clock, at most a day ahead; a time that has passed is now.",
                .example = "\"2026-01-01T00:00:00.5Z\""),
};
const struct fields batch_request_fields = FIELDS(struct batch_request, batch_request_rows);

static const struct field batch_result_rows[] = {
        FIELD(struct batch_result, results,
                "One for each step, as its own endpoint would have answered; skipped: it was not made.",
                .schema = "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
                          "\"name\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},"
                          "\"location\":{\"type\":\"string\"},\"body\":{},"
                          "\"skipped\":{\"type\":\"boolean\",\"const\":true}},"
                          "\"additionalProperties\":false}}",
                .example = "[{\"name\":\"server\",\"status\":201,\"location\":\"/v1/sockets/k7f-1\","
                           "\"body\":{\"id\":\"k7f-1\"}},{\"skipped\":true}]"),
        FIELD(struct batch_result, failed, "The number of the step that ended the batch, else null.",
                .schema = "{\"type\":[\"integer\",\"null\"]}", .nullable = true, .example = "1"),
        FIELD(struct batch_result, timed_out, "Whether the batch's own deadline ended it."),
        FIELD(struct batch_result, started, "When the first step began.",
                .example = "\"2026-01-01T00:00:00.500041187Z\""),
        FIELD(struct batch_result, late_us, "How long after `at` that was.", .optional = true),
        FIELD(struct batch_result, clock,
                "Of a batch with `at`: whether the kernel holds the host's clock to be synchronized, and its "
                "errors, as adjtimex(2) has them; null where the daemon may not ask.",
                .optional = true,
                .schema = "{\"type\":\"object\",\"properties\":{\"synchronized\":{\"type\":[\"boolean\","
                          "\"null\"]},\"estimated_error_us\":{\"type\":[\"integer\",\"null\"]},"
                          "\"maximum_error_us\":{\"type\":[\"integer\",\"null\"]}},"
                          "\"additionalProperties\":false}"),
};
const struct fields batch_result_fields = FIELDS(struct batch_result, batch_result_rows);

/* seccomp: adjtimex clock_adjtime */
static json_t *clock_state(void)
{
        struct timex state = { .modes = 0 };
        const int kind = adjtimex(&state);
        if (kind < 0)
                return json_pack("{s:n, s:n, s:n}", "synchronized", "estimated_error_us", "maximum_error_us");
        return json_pack("{s:b, s:I, s:I}", "synchronized", kind != TIME_ERROR, "estimated_error_us",
                (json_int_t)state.esterror, "maximum_error_us", (json_int_t)state.maxerror);
}

static struct result start(struct call *call, const struct batch_request *request)
{
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        if (request->at.time.tv_sec - now.tv_sec > AT_MOST_AHEAD_S)
                return call_unsound(call, "at", "at: is more than a day ahead");
        const struct batch_plan plan = {
                .steps = request->steps,
                .rollback = request->rollback,
                .at = request->at.time,
                .timeout_ms = call_timeout_ms(call),
        };
        return batch_start(call, &plan, &call->batch);
}

struct result run_batch(struct call *call, const struct batch_request *request, struct batch_result *reply)
{
        if (call->batch == NULL)
                return start(call, request);
        const struct batch_outcome *const outcome = batch_outcome(call->batch);
        reply->results.json = json_incref(outcome->results);
        if (outcome->failed != SIZE_MAX)
                reply->failed.json = json_integer((json_int_t)outcome->failed);
        reply->timed_out = outcome->timed_out;
        reply->started.time = outcome->started;
        if (request->at.time.tv_sec != 0) {
                reply->late_us = (outcome->started.tv_sec - request->at.time.tv_sec) * 1000000 +
                                 (outcome->started.tv_nsec - request->at.time.tv_nsec) / 1000;
                reply->clock.json = clock_state();
        }
        return DONE;
}
