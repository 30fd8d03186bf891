/* test_exposition.c: metrics in both of Prometheus' formats, byte for byte, and which of them is asked for.
 */
#include "api/exposition.h"

#include "daemon/sockets/cleanup.h"
#include "tests/unit/rows.h"

static void print_one(struct exposition *exposition, const struct metric *metric, const void *source)
{
        exposition_count(exposition, metric, "", *(const uint64_t *)source);
}

static void print_two(struct exposition *exposition, const struct metric *metric, const void *source)
{
        (void)source;
        exposition_sample(exposition, metric, "a=\"b\"", 1.5);
        exposition_count(exposition, metric, "a=\"c\",d=\"e\"", 3);
}

static void print_classes(struct exposition *exposition, const struct metric *metric, const void *source)
{
        static const int64_t bounds_ns[] = { 10000, 2500000000 };
        static const uint64_t classes[] = { 1, 2, 4 };
        const struct histogram histogram = {
                .bounds_ns = bounds_ns, .classes = classes, .bound_count = 2, .sum_ns = 90000000001
        };
        (void)source;
        exposition_histogram(exposition, metric, "a=\"b\"", &histogram);
}

static const struct text_row {
        const char *name;
        struct metric metric;
        const char *plain, *open;
} text_rows[] = {
        { "a gauge", { "x", METRIC_GAUGE, NULL, "Help.", print_one }, "# HELP x Help.\n# TYPE x gauge\nx 7\n",
                "# HELP x Help.\n# TYPE x gauge\nx 7\n# EOF\n" },
        { "a counter with a unit", { "x_bytes", METRIC_COUNTER, "bytes", "Help.", print_one },
                "# HELP x_bytes_total Help.\n# TYPE x_bytes_total counter\nx_bytes_total 7\n",
                "# HELP x_bytes Help.\n# TYPE x_bytes counter\n# UNIT x_bytes bytes\nx_bytes_total 7\n# "
                "EOF\n" },
        { "an info", { "x", METRIC_INFO, NULL, "Help.", print_one },
                "# HELP x_info Help.\n# TYPE x_info gauge\nx_info 7\n",
                "# HELP x Help.\n# TYPE x info\nx_info 7\n# EOF\n" },
        { "labels", { "x", METRIC_GAUGE, NULL, "Help.", print_two },
                "# HELP x Help.\n# TYPE x gauge\nx{a=\"b\"} 1.500\nx{a=\"c\",d=\"e\"} 3\n",
                "# HELP x Help.\n# TYPE x gauge\nx{a=\"b\"} 1.500\nx{a=\"c\",d=\"e\"} 3\n# EOF\n" },
        { "a histogram", { "x_seconds", METRIC_HISTOGRAM, "seconds", "Help.", print_classes },
                "# HELP x_seconds Help.\n# TYPE x_seconds histogram\nx_seconds_bucket{a=\"b\",le=\"1e-05\"} "
                "1\n"
                "x_seconds_bucket{a=\"b\",le=\"2.5\"} 3\nx_seconds_bucket{a=\"b\",le=\"+Inf\"} 7\n"
                "x_seconds_sum{a=\"b\"} 90.000000001\nx_seconds_count{a=\"b\"} 7\n",
                "# HELP x_seconds Help.\n# TYPE x_seconds histogram\n# UNIT x_seconds seconds\n"
                "x_seconds_bucket{a=\"b\",le=\"1e-05\"} 1\n"
                "x_seconds_bucket{a=\"b\",le=\"2.5\"} 3\nx_seconds_bucket{a=\"b\",le=\"+Inf\"} 7\n"
                "x_seconds_sum{a=\"b\"} 90.000000001\nx_seconds_count{a=\"b\"} 7\n# EOF\n" },
};

static void expect_text(const struct metric *metric, bool open, const char *expected)
{
        struct exposition exposition = { .is_open_metrics = open };
        const uint64_t source = 7;
        exposition_add(&exposition, metric, &source);
        exposition_end(&exposition);
        print_text(&exposition.print, "", 1);
        assert_string_equal(exposition.print.bytes, expected);
        free(exposition.print.bytes);
}

static void test_text(void **state)
{
        const struct text_row *const row = *state;
        expect_text(&row->metric, false, row->plain);
        expect_text(&row->metric, true, row->open);
}

static const struct accept_row {
        const char *name, *accept;
        bool open;
} accept_rows[] = {
        { "none", NULL, false },
        { "empty", "", false },
        { "anything", "*/*", false },
        { "text", "text/plain;version=0.0.4", false },
        { "OpenMetrics", "application/openmetrics-text", true },
        { "OpenMetrics 1.0.0", "application/openmetrics-text; version=1.0.0; charset=utf-8", true },
        { "only an earlier one", "application/openmetrics-text;version=0.0.1", false },
        { "capitals", "Application/OpenMetrics-Text", true },
        { "not by any means", "application/openmetrics-text;q=0.0,text/plain", false },
        { "something longer", "application/openmetrics-text2", false },
        { "as Prometheus asks",
                "application/openmetrics-text;version=1.0.0,application/"
                "openmetrics-text;version=0.0.1;q=0.75,"
                "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                true },
        { "as Prometheus asks, the last",
                "text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0", true },
        { "commas", ",,,", false },
};

static void test_accept(void **state)
{
        const struct accept_row *const row = *state;
        assert_int_equal(exposition_prefers_open_metrics(row->accept), row->open);
}

static void test_long_accept(void **state)
{
        char accept[4096];
        (void)state;
        memset(accept, 'a', sizeof accept);
        accept[sizeof accept - 1] = '\0';
        assert_false(exposition_prefers_open_metrics(accept));
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        ROWS_ADD(&all, test_text, text_rows);
        ROWS_ADD(&all, test_accept, accept_rows);
        rows_add_one(&all, "a very long one", test_long_accept);
        return rows_run("exposition", &all);
}
