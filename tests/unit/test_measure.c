/* test_measure.c: what is counted of calls and requests, and in which class a duration falls. */
#include "api/measure.h"

#include <errno.h>
#include <netdb.h>

#include "api/call.h"
#include "tests/unit/rows.h"

static const struct duration_row {
        const char *name;
        int64_t age_ns;
        size_t class;
} duration_rows[] = {
        { "at once", 0, 0 },
        { "half a second", 400000000, 9 },
        { "a second", 1000000000, 10 },
        { "a minute", 59000000000, 12 },
        { "an hour", 3600000000000, MEASURE_BOUND_COUNT },
};

/* A call takes as long as it has been there, so the first class may be missed on a machine that is busy. */
static void test_duration(void **state)
{
        const struct duration_row *const row = *state;
        const struct operation *const operation = &operations[row - duration_rows];
        const struct call call = { .operation = operation, .started_ns = now_ns() - row->age_ns };
        measure_call(&call);
        const struct measured_durations measured = measured_durations(operation);
        size_t found = 0;
        while (found < MEASURE_BOUND_COUNT && measured.classes[found] == 0)
                found++;
        assert_int_equal(measured.classes[found], 1);
        assert_in_range(found, row->class, row->age_ns == 0 ? 5 : row->class);
        assert_true((int64_t)measured.sum_ns >= row->age_ns);
}

static const struct error_row {
        const char *name;
        struct result result;
        uint64_t count;
} error_rows[] = {
        { "an errno", { .kind = RESULT_REFUSED, .error = ECONNREFUSED }, 1 },
        { "an error of a lookup", { .kind = RESULT_REFUSED, .error = EAI_NONAME }, 1 },
        { "the last errno", { .kind = RESULT_REFUSED, .error = MEASURE_ERRORS_END - 1 }, 1 },
        { "the first error", { .kind = RESULT_REFUSED, .error = MEASURE_ERRORS_FIRST }, 1 },
        { "not refused", { .kind = RESULT_UNSOUND, .error = EPERM }, 0 },
};

static void test_error(void **state)
{
        const struct error_row *const row = *state;
        const struct call call = { .operation = operations, .started_ns = now_ns(), .result = row->result };
        const uint64_t before = measured_errors(operations, row->result.error);
        measure_call(&call);
        assert_int_equal(measured_errors(operations, row->result.error), before + row->count);
}

/* What no class is for is counted nowhere, and nothing else is counted instead. */
static void test_outside(void **state)
{
        (void)state;
        const struct call low = { .operation = operations,
                .started_ns = now_ns(),
                .result = { .kind = RESULT_REFUSED, .error = MEASURE_ERRORS_FIRST - 1 } };
        struct call high = low;
        high.result.error = MEASURE_ERRORS_END;
        measure_call(&low);
        measure_call(&high);
        measure_request(operations, MEASURE_STATUS_FIRST - 1);
        measure_request(operations, MEASURE_STATUS_END);
        for (int status = MEASURE_STATUS_FIRST; status < MEASURE_STATUS_END; status++)
                assert_int_equal(measured_requests(operations, status), 0);
}

static void test_requests(void **state)
{
        (void)state;
        measure_request(&operations[1], 201);
        measure_request(&operations[1], 201);
        measure_request(NULL, 404);
        assert_int_equal(measured_requests(&operations[1], 201), 2);
        assert_int_equal(measured_requests(NULL, 404), 1);
        assert_int_equal(measured_requests(&operations[operation_count - 1], 404), 0);
}

static void test_parked(void **state)
{
        (void)state;
        measure_parked(1);
        measure_parked(1);
        measure_parked(-1);
        assert_int_equal(measured_parked(), 1);
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        ROWS_ADD(&all, test_duration, duration_rows);
        ROWS_ADD(&all, test_error, error_rows);
        rows_add_one(&all, "outside of all", test_outside);
        rows_add_one(&all, "requests", test_requests);
        rows_add_one(&all, "parked", test_parked);
        return rows_run("measure", &all);
}
