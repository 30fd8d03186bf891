/* exposition.h: metrics as Prometheus reads them, in its own text format or in OpenMetrics, which differ in
 * little. */
#pragma once

#include "api/print.h"

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM, METRIC_INFO };

struct exposition;

/* One family. The name has neither `_total` nor `_info`, which the type adds. */
struct metric {
        const char *name;
        enum metric_type type;
        const char *unit; /* the name's last word; NULL: none */
        const char *help;
        void (*print)(struct exposition *exposition, const struct metric *metric, const void *source);
};

struct exposition {
        struct print print;
        bool is_open_metrics;
};

/* Prints HELP, TYPE and UNIT, then its samples from that source. */
void exposition_add(struct exposition *exposition, const struct metric *metric, const void *source);

/* For a metric's print function: one sample. `labels` is `a="b",c="d"`, or "": nothing of it needs escapes.
 */
void exposition_sample(
        struct exposition *exposition, const struct metric *metric, const char *labels, double value);
void exposition_count(
        struct exposition *exposition, const struct metric *metric, const char *labels, uint64_t value);

/* The same, of a histogram: how many fell into each class, whose bounds are in nanoseconds, and one more. */
struct histogram {
        const int64_t *bounds_ns;
        const uint64_t *classes; /* bound_count + 1 of them, not added up */
        size_t bound_count;
        uint64_t sum_ns;
};
void exposition_histogram(struct exposition *exposition, const struct metric *metric, const char *labels,
        const struct histogram *histogram);

/* Once all are printed. */
void exposition_end(struct exposition *exposition);

/* Whether OpenMetrics is what an Accept header asks for. NULL: no. */
bool exposition_prefers_open_metrics(const char *accept);
