/* fuzz_header.c: the first lines of a request, "VERSION TARGET" and one header a line: what is let through is
 * beyond doubt. */
#include "daemon/header.h"

#include <regex.h>
#include <strings.h>
#include <unistd.h>

#include "daemon/browser.h"
#include "daemon/sockets/cleanup.h"
#include "tests/fuzz/fuzz.h"

enum { HEADERS_MOST = 64 };

struct line {
        const char *name, *value;
        size_t name_size, value_size;
};

/* The headers of the input, which stand in for those that libmicrohttpd has parsed. */
static struct line lines[HEADERS_MOST];
static size_t line_count;

static size_t header_size;

/* libmicrohttpd's two, instead of it. */
const union MHD_ConnectionInfo *MHD_get_connection_info(
        struct MHD_Connection *connection, enum MHD_ConnectionInfoType type, ...)
{
        static union MHD_ConnectionInfo info;
        HOLDS(connection == NULL && type == MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
        info.header_size = header_size;
        return &info;
}

int MHD_get_connection_values_n(struct MHD_Connection *connection, enum MHD_ValueKind kind,
        MHD_KeyValueIteratorN iterator, void *context)
{
        HOLDS(connection == NULL && kind == MHD_HEADER_KIND);
        for (size_t i = 0; i < line_count; i++)
                if (iterator(context, kind, lines[i].name, lines[i].name_size, lines[i].value,
                            lines[i].value_size) != MHD_YES)
                        break;
        return (int)line_count;
}

/* Each line is split at its colon, and ended as a text where it ends. */
static void split_lines(char *at, const char *end)
{
        for (line_count = 0; at < end && line_count < HEADERS_MOST;) {
                char *const newline = memchr(at, '\n', (size_t)(end - at));
                char *const stop = newline == NULL ? at + (end - at) : newline;
                char *const colon = memchr(at, ':', (size_t)(stop - at));
                struct line *const line = &lines[line_count++];
                *stop = '\0';
                *line = (struct line){ .name = at, .name_size = (size_t)((colon ? colon : stop) - at) };
                if (colon != NULL) {
                        *colon = '\0';
                        line->value = colon + 1;
                        line->value_size = (size_t)(stop - colon - 1);
                }
                at = stop + 1;
        }
}

/* Appends a text of that size, and a zero for each byte of what ends it. */
static const char *lay(char **at, const char *bytes, size_t size, size_t zeros)
{
        char *const start = *at;
        memcpy(start, bytes, size);
        memset(start + size, 0, zeros);
        *at += size + zeros;
        return start;
}

/* Lays all out as it stands in libmicrohttpd's buffer, where the lines point to then. */
static struct request_line lay_out(char *wire, const char *target, const char *version)
{
        char *at = wire;
        struct request_line line = { .method = lay(&at, "GET", 3, 1) };
        line.target = lay(&at, target, strlen(target), 1);
        line.version = lay(&at, version, strlen(version), 2);
        for (size_t i = 0; i < line_count; i++) {
                lines[i].name = lay(&at, lines[i].name, lines[i].name_size, 1);
                if (lines[i].value != NULL)
                        lines[i].value = lay(&at, lines[i].value, lines[i].value_size, 2);
        }
        memset(at, 0, 2);
        header_size = (size_t)(at + 2 - wire);
        return line;
}

static size_t count_of(const char *name)
{
        size_t count = 0;
        for (size_t i = 0; i < line_count; i++)
                count += strlen(name) == lines[i].name_size &&
                         strncasecmp(name, lines[i].name, lines[i].name_size) == 0;
        return count;
}

static void check_sound(const struct headers *headers, const char *version)
{
        const char *const coding = headers->values[HEADER_TRANSFER_ENCODING];
        const size_t hosts = count_of("Host"), lengths = count_of("Content-Length");
        const size_t codings = count_of("Transfer-Encoding");
        HOLDS(hosts == 1 || (hosts == 0 && strcmp(version, "HTTP/1.0") == 0));
        HOLDS(lengths + codings <= 1);
        HOLDS((coding != NULL) == (codings == 1) && (coding == NULL || strcasecmp(coding, "chunked") == 0));
        for (size_t i = 0; i < line_count; i++) {
                HOLDS(lines[i].name_size > 0 && strcspn(lines[i].name, " \t") == lines[i].name_size);
                HOLDS(lines[i].value == NULL || strlen(lines[i].value) == lines[i].value_size);
        }
}

/* What may be a name of this machine at all. */
static bool host_may_be_own(const char *host)
{
        static regex_t own;
        static bool compiled;
        char pattern[1024], name[256] = "";
        if (!compiled) {
                gethostname(name, sizeof name - 1);
                snprintf(pattern, sizeof pattern,
                        "^(localhost|%s|[0-9]+(\\.[0-9]+){3}|\\[[0-9a-f:.]+\\])(:[0-9]*)?$", name);
                HOLDS(regcomp(&own, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB) == 0);
                compiled = true;
        }
        return regexec(&own, host, 0, NULL, 0) == 0;
}

static void check_target(const char *target)
{
        if (target_is_sound(target)) {
                const char *const query = strchrnul(target, '?');
                const char *const nul = strstr(target, "%00");
                HOLDS(nul == NULL || nul > query);
        }
        if (target_fits(target))
                HOLDS(strlen(target) <= 4096);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        memory_auto char *text = fuzz_text(bytes, size);
        char *const newline = memchr(text, '\n', size);
        struct headers headers;
        if (newline == NULL)
                return 0;
        *newline = '\0';
        char *const blank = strchr(text, ' ');
        if (blank == NULL)
                return 0;
        *blank = '\0';
        split_lines(newline + 1, text + size);
        memory_auto char *wire = fuzz_room(2 * size + 64 + 3 * line_count);
        const struct request_line line = lay_out(wire, blank + 1, text);
        check_target(line.target);
        headers_read(NULL, &line, &headers);
        if (headers.fault == NULL)
                check_sound(&headers, text);
        if (host_is_own(headers.values[HEADER_HOST]))
                HOLDS(host_may_be_own(headers.values[HEADER_HOST]));
        if (media_is(headers.values[HEADER_CONTENT_TYPE], "application/json"))
                HOLDS(strncasecmp(headers.values[HEADER_CONTENT_TYPE], "application/json", 16) == 0);
        return 0;
}
