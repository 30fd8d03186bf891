/* measure.h: what is counted of all calls, for GET /metrics: relaxed atomics, and no lock. */
#pragma once

#include <stdint.h>

#include "api/operation.h"

struct call;

/* Upper bounds of the classes that durations fall into, in nanoseconds; one more class is for all others. */
enum { MEASURE_BOUND_COUNT = 13 };
extern const int64_t measure_bounds_ns[MEASURE_BOUND_COUNT];

/* A call has ended, once for each. */
void measure_call(const struct call *call);

/* A request has been answered; one that got as far as no operation has NULL. */
void measure_request(const struct operation *operation, int status);

/* A call waits (1), or waits no more (-1). */
void measure_parked(int change);

/* What was counted so far. Those with an operation take NULL as measure_request() does. */
enum {
        MEASURE_STATUS_FIRST = 200,
        MEASURE_STATUS_END = 600,
        MEASURE_ERRORS_FIRST = -256,
        MEASURE_ERRORS_END = 256
};

struct measured_durations {
        uint64_t classes[MEASURE_BOUND_COUNT + 1], sum_ns;
};
struct measured_durations measured_durations(const struct operation *operation);
uint64_t measured_errors(const struct operation *operation, int error);
uint64_t measured_requests(const struct operation *operation, int status);
int64_t measured_parked(void);
