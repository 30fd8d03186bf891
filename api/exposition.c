/* exposition.c: metrics as Prometheus reads them. */
#include "api/exposition.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LINE_SIZE = 512, LABELS_SIZE = 256 };

static const double NS_PER_S = 1e9;

/* What a type is called, and what its samples' name ends with. Prometheus' own format has no infos, and has
 * the family go by the samples' name. */
static const struct {
        const char *open, *plain, *suffix;
} types[] = {
        [METRIC_GAUGE] = { "gauge", "gauge", "" },
        [METRIC_COUNTER] = { "counter", "counter", "_total" },
        [METRIC_HISTOGRAM] = { "histogram", "histogram", "" },
        [METRIC_INFO] = { "info", "gauge", "_info" },
};

/* What does not fit is cut: no line of ours is as long. */
static void print_line(struct exposition *exposition, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

static void print_line(struct exposition *exposition, const char *format, ...)
{
        char line[LINE_SIZE];
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(line, sizeof line, format, arguments);
        va_end(arguments);
        print_text(&exposition->print, line, strlen(line));
        PRINT(&exposition->print, "\n");
}

void exposition_add(struct exposition *exposition, const struct metric *metric, const void *source)
{
        const bool open = exposition->is_open_metrics;
        const char *const suffix = open ? "" : types[metric->type].suffix;
        print_line(exposition, "# HELP %s%s %s", metric->name, suffix, metric->help);
        print_line(exposition, "# TYPE %s%s %s", metric->name, suffix,
                open ? types[metric->type].open : types[metric->type].plain);
        if (open && metric->unit != NULL)
                print_line(exposition, "# UNIT %s %s", metric->name, metric->unit);
        metric->print(exposition, metric, source);
}

static void print_sample(struct exposition *exposition, const struct metric *metric, const char *suffix,
        const char *labels, const char *value)
{
        const bool bare = labels[0] == '\0';
        print_line(exposition, "%s%s%s%s%s %s", metric->name, suffix, bare ? "" : "{", labels,
                bare ? "" : "}", value);
}

static const char *count_text(char out[static 32], uint64_t value)
{
        (void)snprintf(out, 32, "%" PRIu64, value);
        return out;
}

void exposition_sample(
        struct exposition *exposition, const struct metric *metric, const char *labels, double value)
{
        char text[64];
        (void)snprintf(text, sizeof text, "%.3f", value);
        print_sample(exposition, metric, types[metric->type].suffix, labels, text);
}

void exposition_count(
        struct exposition *exposition, const struct metric *metric, const char *labels, uint64_t value)
{
        char text[32];
        print_sample(exposition, metric, types[metric->type].suffix, labels, count_text(text, value));
}

void exposition_histogram(struct exposition *exposition, const struct metric *metric, const char *labels,
        const struct histogram *histogram)
{
        char text[32], bounded[LABELS_SIZE], seconds[64];
        uint64_t so_far = 0;
        for (size_t i = 0; i <= histogram->bound_count; i++) {
                if (i == histogram->bound_count)
                        (void)snprintf(seconds, sizeof seconds, "+Inf");
                else
                        (void)snprintf(
                                seconds, sizeof seconds, "%.6g", (double)histogram->bounds_ns[i] / NS_PER_S);
                so_far += histogram->classes[i];
                (void)snprintf(bounded, sizeof bounded, "%s,le=\"%s\"", labels, seconds);
                print_sample(exposition, metric, "_bucket", bounded, count_text(text, so_far));
        }
        (void)snprintf(seconds, sizeof seconds, "%.9f", (double)histogram->sum_ns / NS_PER_S);
        print_sample(exposition, metric, "_sum", labels, seconds);
        print_sample(exposition, metric, "_count", labels, count_text(text, so_far));
}

void exposition_end(struct exposition *exposition)
{
        if (exposition->is_open_metrics)
                PRINT(&exposition->print, "# EOF\n");
}

/* Whether a part of such a range rules it out: another version than ours, or "not by any means". */
static bool is_against(const char *part)
{
        return (strncasecmp(part, "version=", 8) == 0 && strcmp(part + 8, "1.0.0") != 0) ||
               (strncasecmp(part, "q=", 2) == 0 && strspn(part + 2, "0.") == strlen(part + 2));
}

/* Whether a range of an Accept header, "type/subtype;version=1.0.0;q=0.5", is for OpenMetrics as we write it.
 */
static bool asks_for_open_metrics(char *range)
{
        char *rest = range, *part;
        bool asked = false;
        while ((part = strsep(&rest, "; \t")) != NULL) {
                if (is_against(part))
                        return false;
                asked = asked || strcasecmp(part, "application/openmetrics-text") == 0;
        }
        return asked;
}

bool exposition_prefers_open_metrics(const char *accept)
{
        char range[LINE_SIZE];
        for (size_t size; accept != NULL && *accept != '\0'; accept += size + (accept[size] == ',')) {
                size = strcspn(accept, ",");
                (void)snprintf(range, sizeof range, "%.*s",
                        (int)(size < sizeof range ? size : sizeof range - 1), accept);
                if (asks_for_open_metrics(range))
                        return true;
        }
        return false;
}
