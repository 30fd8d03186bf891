/* op_metrics.c: GET /metrics: one row for each metric. */
#include <stdio.h>
#include <string.h>

#include "api/call.h"
#include "api/exposition.h"
#include "api/measure.h"
#include "api/record.h"
#include "daemon/sockets/process.h"

/* What the metrics are of, as it was when they were asked for. */
struct source {
        const struct service *service;
        struct traffic traffic;
        struct process_usage usage;
};

enum { LABELS_SIZE = 256 };

const struct fields metrics_request_fields = { .size = sizeof(struct metrics_request) };

static const struct media metric_media[] = {
        { .type = "text/plain; version=0.0.4; charset=utf-8",
                .example = "\"# TYPE sockwright_parked_calls gauge\\nsockwright_parked_calls 0\\n\"" },
        { .type = "application/openmetrics-text; version=1.0.0; charset=utf-8", .example = "\"# EOF\\n\"" },
        { .type = NULL },
};
static const struct field metric_page_rows[] = { FIELD(struct metric_page, text, "The metrics.") };
const struct fields metric_page_fields = FIELDS(struct metric_page, metric_page_rows, .media = metric_media);

static void print_durations(struct exposition *exposition, const struct metric *metric, const void *source)
{
        char labels[LABELS_SIZE];
        (void)source;
        for (size_t i = 0; i < operation_count; i++) {
                const struct measured_durations measured = measured_durations(&operations[i]);
                const struct histogram histogram = { .bounds_ns = measure_bounds_ns,
                        .classes = measured.classes,
                        .bound_count = MEASURE_BOUND_COUNT,
                        .sum_ns = measured.sum_ns };
                snprintf(labels, sizeof labels, "operation=\"%s\"", operations[i].name);
                if (measured.sum_ns > 0)
                        exposition_histogram(exposition, metric, labels, &histogram);
        }
}

/* A constant's name, or its number where it has none. */
static const char *name_or_number(const struct names *names, int number, char digits[static 16])
{
        const char *const name = name_of(names, number);
        snprintf(digits, 16, "%d", number);
        return name == NULL ? digits : name;
}

static void print_errors(struct exposition *exposition, const struct metric *metric, const void *source)
{
        char labels[LABELS_SIZE];
        (void)source;
        for (size_t i = 0; i < operation_count; i++)
                for (int error = MEASURE_ERRORS_FIRST; error < MEASURE_ERRORS_END; error++) {
                        const uint64_t count = measured_errors(&operations[i], error);
                        char digits[16];
                        if (count == 0)
                                continue;
                        snprintf(labels, sizeof labels, "operation=\"%s\",errno=\"%s\"", operations[i].name,
                                name_or_number(error < 0 ? &eai_names : &errno_names, error, digits));
                        exposition_count(exposition, metric, labels, count);
                }
}

static void print_requests(struct exposition *exposition, const struct metric *metric, const void *source)
{
        char labels[LABELS_SIZE];
        (void)source;
        for (size_t i = 0; i <= operation_count; i++) {
                const struct operation *const operation = i < operation_count ? &operations[i] : NULL;
                for (int status = MEASURE_STATUS_FIRST; status < MEASURE_STATUS_END; status++) {
                        const uint64_t count = measured_requests(operation, status);
                        snprintf(labels, sizeof labels, "operation=\"%s\",status=\"%d\"",
                                operation == NULL ? "" : operation->name, status);
                        if (count > 0)
                                exposition_count(exposition, metric, labels, count);
                }
        }
}

/* Sockets of one kind. */
struct kind_count {
        int family, type;
        const char *state;
        uint64_t count;
};
struct census {
        struct kind_count *kinds;
        size_t count;
};

/* Without memory, it is not counted. */
static bool census_add(void *context, struct socket *socket)
{
        struct census *const census = context;
        struct socket_status status;
        socket_status_read(socket, &status);
        for (size_t i = 0; i < census->count; i++) {
                struct kind_count *const kind = &census->kinds[i];
                if (kind->family == socket->family && kind->type == socket->type &&
                        kind->state == status.state) {
                        kind->count++;
                        return true;
                }
        }
        struct kind_count *const kinds = realloc(census->kinds, (census->count + 1) * sizeof *kinds);
        if (kinds == NULL)
                return true;
        census->kinds = kinds;
        kinds[census->count++] = (struct kind_count){
                .family = socket->family, .type = socket->type, .state = status.state, .count = 1
        };
        return true;
}

static void print_sockets(struct exposition *exposition, const struct metric *metric, const void *source)
{
        struct census census = { .count = 0 };
        registry_each(((const struct source *)source)->service->registry, 0, census_add, &census);
        for (size_t i = 0; i < census.count; i++) {
                char labels[LABELS_SIZE], family[16], type[16];
                const struct kind_count *const kind = &census.kinds[i];
                snprintf(labels, sizeof labels, "family=\"%s\",type=\"%s\",state=\"%s\"",
                        name_or_number(&family_names, kind->family, family),
                        name_or_number(&type_names, kind->type, type), kind->state);
                exposition_count(exposition, metric, labels, kind->count);
        }
        free(census.kinds);
}

static void print_build(struct exposition *exposition, const struct metric *metric, const void *source)
{
        (void)source;
        exposition_count(exposition, metric, "version=\"" SOCKWRIGHT_VERSION "\"", 1);
}

static void print_start(struct exposition *exposition, const struct metric *metric, const void *source)
{
        exposition_sample(exposition, metric, "", ((const struct source *)source)->usage.started);
}

/* The metrics that are one number each. */
#define NUMBER(name, expression)                                                                             \
        static void print_##name(                                                                            \
                struct exposition *exposition, const struct metric *metric, const void *context)             \
        {                                                                                                    \
                const struct source *const source = context;                                                 \
                (void)source;                                                                                \
                exposition_count(exposition, metric, "", (uint64_t)(expression));                            \
        }
NUMBER(parked, measured_parked())
NUMBER(received, source->traffic.received_bytes)
NUMBER(sent, source->traffic.sent_bytes)
NUMBER(connections, source->service->connections == NULL ? 0 : *source->service->connections)
NUMBER(outcomes, source->service->outcomes == NULL ? 0 : outcomes_count(source->service->outcomes))
NUMBER(stored, store_used())
NUMBER(resident, source->usage.resident)
NUMBER(descriptors, source->usage.descriptors)
NUMBER(most_descriptors, source->usage.most_descriptors)

static const struct metric metrics[] = {
        { "sockwright_call_duration_seconds", METRIC_HISTOGRAM, "seconds",
                "How long calls took, their waiting included.", print_durations },
        { "sockwright_call_errors", METRIC_COUNTER, NULL,
                "Calls that the kernel refused, or that waited in vain.", print_errors },
        { "sockwright_http_requests", METRIC_COUNTER, NULL,
                "Requests answered; those with no operation were for none, or not let in.", print_requests },
        { "sockwright_http_connections", METRIC_GAUGE, NULL, "Connections of clients.", print_connections },
        { "sockwright_sockets", METRIC_GAUGE, NULL, "Sockets, as the kernel has them now.", print_sockets },
        { "sockwright_parked_calls", METRIC_GAUGE, NULL, "Calls that wait.", print_parked },
        { "sockwright_received_bytes", METRIC_COUNTER, "bytes", "Bytes that sockets took from the kernel.",
                print_received },
        { "sockwright_sent_bytes", METRIC_COUNTER, "bytes", "Bytes of sockets that the kernel took.",
                print_sent },
        { "sockwright_kept_outcomes", METRIC_GAUGE, NULL,
                "Replies kept for calls that come again with their key.", print_outcomes },
        { "sockwright_stored_memory_bytes", METRIC_GAUGE, "bytes", "Memory that outlives the process.",
                print_stored },
        { "sockwright_resident_memory_bytes", METRIC_GAUGE, "bytes",
                "Memory of the process, that one included.", print_resident },
        { "sockwright_open_descriptors", METRIC_GAUGE, NULL, "Open descriptors.", print_descriptors },
        { "sockwright_max_descriptors", METRIC_GAUGE, NULL, "The most that there may be.",
                print_most_descriptors },
        { "sockwright_start_time_seconds", METRIC_GAUGE, "seconds",
                "When the daemon was started, since 1970.", print_start },
        { "sockwright_build", METRIC_INFO, NULL, "Which version runs.", print_build },
};

struct result run_metrics(struct call *call, const struct metrics_request *request, struct metric_page *reply)
{
        struct exposition exposition = { .is_open_metrics = exposition_prefers_open_metrics(call->accept) };
        const struct source source = { .service = call->service,
                .traffic = registry_traffic(call->service->registry),
                .usage = process_usage() };
        (void)request;
        for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
                exposition_add(&exposition, &metrics[i], &source);
        exposition_end(&exposition);
        call_own(call, (uint8_t *)exposition.print.bytes);
        if (exposition.print.failed)
                return lack_memory();
        call->media = exposition.is_open_metrics;
        reply->text = (struct text){ .bytes = exposition.print.bytes, .size = exposition.print.size };
        return DONE;
}
