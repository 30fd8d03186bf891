/* measure.c: the counters. They are sparse: of their memory, only what has been counted takes any. */
#include "api/measure.h"

#include <stdatomic.h>

#include "api/call.h"

enum {
#define OPERATION(verb, path, row, ...) INDEX_##row,
#include "api/operations.def"
#undef OPERATION
        OPERATION_COUNT,
};

/* The last is for requests that got as far as no operation. */
static struct {
        _Atomic uint64_t classes[MEASURE_BOUND_COUNT + 1], sum_ns;
        _Atomic uint64_t errors[MEASURE_ERRORS_END - MEASURE_ERRORS_FIRST];
        _Atomic uint64_t requests[MEASURE_STATUS_END - MEASURE_STATUS_FIRST];
} counts[OPERATION_COUNT + 1];

static _Atomic int64_t parked;

const int64_t measure_bounds_ns[MEASURE_BOUND_COUNT] = { 10000, 25000, 50000, 100000, 250000, 1000000,
        5000000, 25000000, 100000000, 500000000, 2500000000, 10000000000, 60000000000 };

static size_t index_of(const struct operation *operation)
{
        return operation == NULL ? OPERATION_COUNT : (size_t)(operation - operations);
}

static void add(_Atomic uint64_t *count, uint64_t amount)
{
        atomic_fetch_add_explicit(count, amount, memory_order_relaxed);
}

static uint64_t read(const _Atomic uint64_t *count)
{
        return atomic_load_explicit(count, memory_order_relaxed);
}

void measure_call(const struct call *call)
{
        const size_t index = index_of(call->operation);
        const int64_t duration_ns = now_ns() - call->started_ns;
        size_t class = 0;
        while (class < MEASURE_BOUND_COUNT && duration_ns > measure_bounds_ns[class])
                class ++;
        add(&counts[index].classes[class], 1);
        add(&counts[index].sum_ns, (uint64_t)duration_ns);
        const int error = call->result.error;
        if (call->result.kind == RESULT_REFUSED && error >= MEASURE_ERRORS_FIRST &&
                error < MEASURE_ERRORS_END)
                add(&counts[index].errors[error - MEASURE_ERRORS_FIRST], 1);
}

void measure_request(const struct operation *operation, int status)
{
        if (status >= MEASURE_STATUS_FIRST && status < MEASURE_STATUS_END)
                add(&counts[index_of(operation)].requests[status - MEASURE_STATUS_FIRST], 1);
}

void measure_parked(int change)
{
        atomic_fetch_add_explicit(&parked, change, memory_order_relaxed);
}

struct measured_durations measured_durations(const struct operation *operation)
{
        const size_t index = index_of(operation);
        struct measured_durations out = { .sum_ns = read(&counts[index].sum_ns) };
        for (size_t i = 0; i <= MEASURE_BOUND_COUNT; i++)
                out.classes[i] = read(&counts[index].classes[i]);
        return out;
}

uint64_t measured_errors(const struct operation *operation, int error)
{
        return read(&counts[index_of(operation)].errors[error - MEASURE_ERRORS_FIRST]);
}

uint64_t measured_requests(const struct operation *operation, int status)
{
        return read(&counts[index_of(operation)].requests[status - MEASURE_STATUS_FIRST]);
}

int64_t measured_parked(void)
{
        return atomic_load_explicit(&parked, memory_order_relaxed);
}
