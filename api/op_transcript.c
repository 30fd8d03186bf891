/* op_transcript.c: GET /v1/sockets/{id}/transcript: what was called on a socket that records. */
#include <string.h>

#include "api/call.h"
#include "api/record.h"
#include "api/transcript_format.h"

#define COUNT "{\"type\":\"integer\",\"minimum\":0}"
#define TEXT "{\"type\":\"string\"}"
static const char schema[] =
        "{\"type\":\"object\",\"additionalProperties\":false,"
        "\"required\":[\"socket\",\"record_bytes\",\"calls\",\"gone\"],\"properties\":{"
        "\"socket\":" TEXT ",\"record_bytes\":" COUNT ",\"gone\":" COUNT
        ",\"calls\":{\"type\":\"array\",\"items\":{"
        "\"type\":\"object\",\"additionalProperties\":false,"
        "\"required\":[\"sequence\",\"time\",\"duration_us\",\"operation\",\"method\",\"path\",\"arguments\","
        "\"status\",\"reply\"],"
        "\"properties\":{\"sequence\":" COUNT
        ",\"time\":{\"type\":\"string\",\"format\":\"date-time\"},\"duration_us\":" COUNT ","
        "\"operation\":" TEXT ",\"method\":" TEXT ",\"path\":" TEXT ",\"piece\":{\"type\":\"boolean\"},"
        "\"arguments\":{\"type\":[\"object\",\"null\"]},\"status\":{\"type\":\"integer\"},"
        "\"reply\":{\"type\":[\"object\",\"null\"]}}}}}}";

static const struct media transcript_media[] = {
        { .type = "application/json",
                .example = "{\"socket\":\"0q8k3zt-1\",\"record_bytes\":262144,\"gone\":0,\"calls\":[{"
                           "\"sequence\":1,"
                           "\"time\":\"2026-01-01T00:00:00.000000000Z\",\"duration_us\":42,\"operation\":"
                           "\"socket_"
                           "send\","
                           "\"method\":\"POST\",\"path\":\"/v1/sockets/0q8k3zt-1/"
                           "send\",\"arguments\":{\"data\":\"aGVsbG8K\"},"
                           "\"status\":200,\"reply\":{\"sent\":6,\"offset\":0,\"next\":6,\"duplicate\":false,"
                           "\"duration_"
                           "us\":40}}]}",
                .schema = schema },
        { .type = "application/x-pcapng" },
        { .type = "application/x-sh", .example = "\"#!/bin/sh\\n\"" },
        { .type = NULL },
};

/* In the order of their media. */
static const struct {
        const char *name;
        void (*print)(struct print *print, const struct registry *registry, const struct socket *socket);
} formats[] = {
        { "json", transcript_print_json },
        { "pcapng", transcript_print_pcapng },
        { "curl", transcript_print_curl },
};

static const struct field socket_transcript_request_rows[] = {
        FIELD(struct socket_transcript_request, format,
                "json; pcapng, a capture with packets as they may have been; curl, a script of POSIX sh. "
                "Absent: json.",
                .example = "\"pcapng\""),
};
const struct fields socket_transcript_request_fields =
        FIELDS(struct socket_transcript_request, socket_transcript_request_rows);

static const struct field transcript_page_rows[] = { FIELD(struct transcript_page, text, "The transcript.") };
const struct fields transcript_page_fields =
        FIELDS(struct transcript_page, transcript_page_rows, .media = transcript_media);

struct result run_socket_transcript(
        struct call *call, const struct socket_transcript_request *request, struct transcript_page *reply)
{
        const char *const name = request->format.bytes == NULL ? formats[0].name : request->format.bytes;
        struct print print = { .flags = JSON_ENSURE_ASCII };
        unsigned format = 0;
        while (format < sizeof formats / sizeof *formats && strcmp(formats[format].name, name) != 0)
                format++;
        if (format == sizeof formats / sizeof *formats)
                return call_unsound(call, "format", "format: must be json, pcapng or curl");
        if (call->socket->transcript == NULL)
                return call_unsound(call, "id", "the socket does not record: it was made without `record`");
        TRY(call_room(call));
        formats[format].print(&print, call->service->registry, call->socket);
        call_own(call, (uint8_t *)print.bytes);
        call_keep(call, print.size);
        if (print.failed)
                return lack_memory();
        call->media = format;
        reply->text = (struct text){ .bytes = print.bytes, .size = print.size };
        return DONE;
}
