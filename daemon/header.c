/* header.c: the request headers that matter, read once and strictly. */
#include "daemon/header.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define NAME(text)                                                                                           \
        {                                                                                                    \
                (text), sizeof(text) - 1                                                                     \
        }

static const struct {
        const char *text;
        size_t size;
} names[HEADER_COUNT] = {
        [HEADER_HOST] = NAME("Host"),
        [HEADER_CONTENT_LENGTH] = NAME("Content-Length"),
        [HEADER_TRANSFER_ENCODING] = NAME("Transfer-Encoding"),
        [HEADER_CONTENT_TYPE] = NAME("Content-Type"),
        [HEADER_ACCEPT] = NAME("Accept"),
        [HEADER_ACCEPT_ENCODING] = NAME("Accept-Encoding"),
        [HEADER_IF_NONE_MATCH] = NAME("If-None-Match"),
        [HEADER_AUTHORIZATION] = NAME("Authorization"),
        [HEADER_EXPECT] = NAME("Expect"),
        [HEADER_ORIGIN] = NAME("Origin"),
        [HEADER_REQUEST_METHOD] = NAME("Access-Control-Request-Method"),
        [HEADER_REQUEST_NETWORK] = NAME("Access-Control-Request-Private-Network"),
        [HEADER_KEY] = NAME("Idempotency-Key"),
        [HEADER_CONNECTION] = NAME("Connection"),
        [HEADER_UPGRADE] = NAME("Upgrade"),
        [HEADER_WEBSOCKET_VERSION] = NAME("Sec-WebSocket-Version"),
        [HEADER_WEBSOCKET_KEY] = NAME("Sec-WebSocket-Key"),
        [HEADER_WEBSOCKET_PROTOCOL] = NAME("Sec-WebSocket-Protocol"),
        [HEADER_LAST_EVENT_ID] = NAME("Last-Event-ID"),
};

/* libmicrohttpd 0.9.75 cuts a header into strings where it stands, and silently takes lines that are folded,
 * end without CR, or hold a NUL byte. It puts a zero for each byte of a line's end, so that the lines of a
 * sound header lie one behind the other, two bytes apart: `next` is where the next one must begin. */
struct walk {
        struct headers *headers;
        const char *next;
};

static const char folded[] = "a line of the header is folded, ends without CR, or holds a NUL byte";

static bool is_token(const char *text)
{
        for (; *text != '\0'; text++)
                if (!isalnum((unsigned char)*text) && strchr("-_!#$%&'*+.^`|~", *text) == NULL)
                        return false;
        return true;
}

static bool has_controls(const char *text)
{
        for (; *text != '\0'; text++)
                if (((unsigned char)*text < ' ' && *text != '\t') || *text == '\x7f')
                        return true;
        return false;
}

static enum MHD_Result note(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
        const char *value, size_t value_size)
{
        struct walk *const walk = context;
        struct headers *const headers = walk->headers;
        (void)kind;
        if (name != walk->next || value == NULL || strlen(name) != name_size || strlen(value) != value_size) {
                headers->fault = folded;
                return MHD_NO;
        }
        walk->next = value + value_size + 2;
        if (name_size == 0 || !is_token(name))
                headers->fault = "a header's name is empty, or holds what is not of a token";
        if (has_controls(value))
                headers->fault = "a header holds a control character";
        for (int i = 0; i < HEADER_COUNT; i++)
                if (name_size == names[i].size && strcasecmp(name, names[i].text) == 0 &&
                        headers->counts[i]++ == 0)
                        headers->values[i] = value;
        return MHD_YES;
}

/* Whether the request line has its three words, one blank between each. */
static bool line_is_sound(const struct request_line *line)
{
        return line->method + strlen(line->method) + 1 == line->target && is_token(line->method);
}

/* Why the header cannot be trusted to say where the request ends, or NULL. */
static const char *framing_fault(const struct headers *headers)
{
        const char *const coding = headers->values[HEADER_TRANSFER_ENCODING];
        const bool is_old = headers->is_old;
        if (headers->counts[HEADER_HOST] > 1 || (!is_old && headers->counts[HEADER_HOST] != 1))
                return "there must be exactly one Host header";
        if (headers->counts[HEADER_CONTENT_LENGTH] > 1)
                return "there is more than one Content-Length header";
        if (coding == NULL)
                return NULL;
        if (headers->counts[HEADER_CONTENT_LENGTH] > 0)
                return "Content-Length and Transfer-Encoding do not go together";
        if (headers->counts[HEADER_TRANSFER_ENCODING] > 1 || strcasecmp(coding, "chunked") != 0)
                return "the only Transfer-Encoding is chunked";
        return is_old ? "HTTP/1.0 has no Transfer-Encoding" : NULL;
}

/* What is said twice, each side of a proxy may read differently. */
static bool repeats(const struct headers *headers)
{
        static const enum header single[] = { HEADER_AUTHORIZATION, HEADER_ORIGIN, HEADER_CONTENT_TYPE };
        for (size_t i = 0; i < sizeof single / sizeof *single; i++)
                if (headers->counts[single[i]] > 1)
                        return true;
        return false;
}

void headers_read(struct MHD_Connection *connection, const struct request_line *line, struct headers *out)
{
        struct walk walk = { .headers = out, .next = line->version + strlen(line->version) + 2 };
        *out = (struct headers){ .is_old = strcmp(line->version, "HTTP/1.0") == 0 };
        MHD_get_connection_values_n(connection, MHD_HEADER_KIND, note, &walk);
        const size_t size =
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
        if (out->fault == NULL && walk.next + 2 != line->method + size)
                out->fault = folded;
        const char *const framing = framing_fault(out);
        if (!line_is_sound(line))
                out->fault = "the first line must be a method, a target and the version, with a blank "
                             "between each";
        else if (framing != NULL)
                out->fault = framing;
        else if (repeats(out))
                out->fault = "Authorization, Origin and Content-Type may be given once";
}

bool media_is(const char *value, const char *media)
{
        const size_t size = strlen(media);
        return value != NULL && strncasecmp(value, media, size) == 0 && strchr(" \t;,", value[size]) != NULL;
}

bool target_is_sound(const char *target)
{
        const char *const path_end = target + strcspn(target, "?");
        if (target[0] != '/')
                return false;
        for (const char *byte = target; *byte != '\0'; byte++)
                if (*byte == '\x7f' || (*byte > '\0' && *byte <= ' '))
                        return false;
        for (const char *escape = target; (escape = strchr(escape, '%')) != NULL; escape++)
                if (!isxdigit((unsigned char)escape[1]) || !isxdigit((unsigned char)escape[2]) ||
                        (escape < path_end && escape[1] == '0' && escape[2] == '0'))
                        return false;
        /* Where the target holds a NUL byte, its end is not what the version stands behind. */
        return strncmp(target + strlen(target) + 1, "HTTP/", 5) == 0;
}

bool target_fits(const char *target)
{
        enum { SIZE_MAX_BYTES = 4096, PARAMETERS_MAX = 32 };
        unsigned parameters = 0;
        for (const char *mark = target; (mark = strchr(mark, '&')) != NULL; mark++)
                parameters++;
        return parameters < PARAMETERS_MAX && strlen(target) <= SIZE_MAX_BYTES;
}
