/* batch.h: many calls in one request: run one after the other, or side by side, on background threads. */
#pragma once

#include "api/call.h"

struct batch;

struct batch_plan {
        struct steps steps;
        bool rollback;      /* on failure, close what the batch has made */
        struct timespec at; /* CLOCK_REALTIME; zero: at once */
        int64_t timeout_ms; /* from the start on */
};

struct batch_outcome {
        json_t *results; /* a list, one for each step; borrowed */
        size_t failed;   /* the step that ended the batch, or SIZE_MAX */
        bool timed_out;
        struct timespec started;
};

/* Starts the steps, and parks the call until the batch has ended: WAIT, and *out is the batch. It is then the
 * owner's, but may only be looked at when the call runs again. The call's parameters, which the steps point
 * into, are the batch's from then on. A call that ends early, at the daemon's shutdown, leaves the batch
 * alone: it releases itself. */
struct result batch_start(struct call *call, const struct batch_plan *plan, struct batch **out);

/* Of a batch that has ended. */
const struct batch_outcome *batch_outcome(const struct batch *batch);

void batch_free(struct batch *batch);
