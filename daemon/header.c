/* header.c: the request headers that matter, read once and strictly. */
#include "daemon/header.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

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
        [HEADER_AUTHORIZATION] = NAME("Authorization"),
        [HEADER_EXPECT] = NAME("Expect"),
};

static enum MHD_Result note(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
        const char *value, size_t value_size)
{
        struct headers *const headers = context;
        (void)kind;
        if (name_size == 0 || strcspn(name, " \t") != name_size)
                headers->fault = "a header's name is empty, or holds a blank";
        if (strlen(name) != name_size || (value != NULL && strlen(value) != value_size))
                headers->fault = "a header holds a NUL byte";
        for (int i = 0; i < HEADER_COUNT; i++)
                if (name_size == names[i].size && strcasecmp(name, names[i].text) == 0 &&
                        headers->counts[i]++ == 0)
                        headers->values[i] = value == NULL ? "" : value;
        return MHD_YES;
}

void headers_read(struct MHD_Connection *connection, const char *version, struct headers *out)
{
        *out = (struct headers){ 0 };
        MHD_get_connection_values_n(connection, MHD_HEADER_KIND, note, out);
        const char *const coding = out->values[HEADER_TRANSFER_ENCODING];
        const bool needs_host = strcmp(version, "HTTP/1.0") != 0;
        if (out->counts[HEADER_HOST] > 1 || (needs_host && out->counts[HEADER_HOST] != 1))
                out->fault = "there must be exactly one Host header";
        else if (out->counts[HEADER_CONTENT_LENGTH] > 1)
                out->fault = "there is more than one Content-Length header";
        else if (coding != NULL && out->counts[HEADER_CONTENT_LENGTH] > 0)
                out->fault = "Content-Length and Transfer-Encoding do not go together";
        else if (coding != NULL &&
                 (out->counts[HEADER_TRANSFER_ENCODING] > 1 || strcasecmp(coding, "chunked") != 0))
                out->fault = "the only Transfer-Encoding is chunked";
}

bool media_is(const char *value, const char *media)
{
        const size_t size = strlen(media);
        return value != NULL && strncasecmp(value, media, size) == 0 && strchr(" \t;,", value[size]) != NULL;
}

/* The name without its port and an IPv6 address' brackets; false when it is too long or has none. */
static bool host_name(const char *host, char *out, size_t out_size)
{
        const bool bracketed = host[0] == '[';
        const size_t size = bracketed ? strcspn(host, "]") : strcspn(host, ":");
        const char *const rest = host + size + (bracketed && host[size] == ']');
        const char *const digits = rest[0] == ':' ? rest + 1 : rest;
        if (size >= out_size || size <= (size_t)bracketed || (bracketed && host[size] != ']') ||
                (rest[0] != ':' && rest[0] != '\0'))
                return false;
        memcpy(out, host + bracketed, size - bracketed);
        out[size - bracketed] = '\0';
        return digits[strspn(digits, "0123456789")] == '\0';
}

bool host_is_own(const char *host)
{
        char name[256], own[HOST_NAME_MAX + 1] = "";
        unsigned char address[sizeof(struct in6_addr)];
        if (host == NULL || !host_name(host, name, sizeof name))
                return false;
        if (host[0] == '[')
                return inet_pton(AF_INET6, name, address) == 1;
        if (strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, address) == 1)
                return true;
        gethostname(own, sizeof own);
        return strcasecmp(name, own) == 0;
}

bool target_is_sound(const char *target)
{
        const char *const path_end = target + strcspn(target, "?");
        for (const char *escape = target; (escape = strchr(escape, '%')) != NULL; escape++)
                if (!isxdigit((unsigned char)escape[1]) || !isxdigit((unsigned char)escape[2]) ||
                        (escape < path_end && escape[1] == '0' && escape[2] == '0'))
                        return false;
        return true;
}

bool target_fits(const char *target)
{
        enum { SIZE_MAX_BYTES = 4096, PARAMETERS_MAX = 32 };
        unsigned parameters = 0;
        for (const char *mark = target; (mark = strchr(mark, '&')) != NULL; mark++)
                parameters++;
        return parameters < PARAMETERS_MAX && strlen(target) <= SIZE_MAX_BYTES;
}
