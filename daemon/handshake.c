/* handshake.c: the headers that ask for a WebSocket. */
#include "daemon/handshake.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/base64.h"

const char handshake_bytes[] = "sockwright.bytes", handshake_datagrams[] = "sockwright.datagrams";

static const char bearer[] = "bearer.";

/* The next of a list's items, without the blanks around it; NULL behind the last. */
static const char *next_item(const char **list, size_t *size)
{
        const char *const start = *list + strspn(*list, " \t,");
        *size = strcspn(start, ",");
        *list = start + *size;
        while (*size > 0 && (start[*size - 1] == ' ' || start[*size - 1] == '\t'))
                --*size;
        return *size == 0 ? NULL : start;
}

static bool has_item(const char *list, const char *wanted)
{
        size_t size;
        for (const char *item; list != NULL && (item = next_item(&list, &size)) != NULL;)
                if (size == strlen(wanted) && strncasecmp(item, wanted, size) == 0)
                        return true;
        return false;
}

/* Sixteen bytes in base64. */
static bool is_key(const char *key)
{
        enum { KEY_SIZE = 16, ENCODED_SIZE = 24, ROOM = 18 };
        uint8_t bytes[ROOM];
        size_t size = 0;
        return key != NULL && strlen(key) == ENCODED_SIZE && base64_decode(key, ENCODED_SIZE, bytes, &size) &&
               size == KEY_SIZE;
}

static bool make_accept(const char *key, char out[static HANDSHAKE_ACCEPT_SIZE])
{
        enum { SHA1_SIZE = 20 };
        char text[128];
        uint8_t digest[SHA1_SIZE];
        const int size = snprintf(text, sizeof text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
        if (EVP_Digest(text, (size_t)size, digest, NULL, EVP_sha1(), NULL) != 1)
                return false;
        base64_encode(digest, sizeof digest, out);
        return true;
}

/* Of what the client offers, the first that there is. False: it offers others alone. */
static bool choose_protocol(const char *offered, struct handshake *out)
{
        static const char *const known[] = { handshake_bytes, handshake_datagrams };
        size_t size;
        if (offered == NULL)
                return true;
        for (const char *item; out->protocol == NULL && (item = next_item(&offered, &size)) != NULL;)
                for (size_t i = 0; i < sizeof known / sizeof *known; i++)
                        if (size == strlen(known[i]) && strncmp(item, known[i], size) == 0)
                                out->protocol = known[i];
        out->datagrams = out->protocol == handshake_datagrams;
        return out->protocol != NULL;
}

static bool fail(
        struct handshake_fault *fault, enum problem_kind kind, const char *header, const char *detail)
{
        *fault = (struct handshake_fault){ .kind = kind, .header = header, .detail = detail };
        return false;
}

/* What is said twice, each side of a proxy may read differently. */
static const char *repeated(const struct headers *headers)
{
        static const struct {
                enum header header;
                const char *name;
        } single[] = {
                { HEADER_WEBSOCKET_VERSION, "Sec-WebSocket-Version" },
                { HEADER_WEBSOCKET_KEY, "Sec-WebSocket-Key" },
                { HEADER_WEBSOCKET_PROTOCOL, "Sec-WebSocket-Protocol" },
        };
        for (size_t i = 0; i < sizeof single / sizeof *single; i++)
                if (headers->counts[single[i].header] > 1)
                        return single[i].name;
        return NULL;
}

bool handshake_read(const struct headers *headers, struct handshake *out, struct handshake_fault *fault)
{
        const char *const *const values = headers->values;
        *out = (struct handshake){ .protocol = NULL };
        if (!has_item(values[HEADER_UPGRADE], "websocket"))
                return fail(fault, PROBLEM_UPGRADE_REQUIRED, "Upgrade",
                        "This is a WebSocket's path: Upgrade: websocket, as websocat and browsers ask.");
        if (!has_item(values[HEADER_CONNECTION], "Upgrade"))
                return fail(fault, PROBLEM_UNSOUND_REQUEST, "Connection",
                        "Connection: Upgrade goes with a WebSocket's Upgrade");
        if (headers->is_old || values[HEADER_CONTENT_LENGTH] != NULL ||
                values[HEADER_TRANSFER_ENCODING] != NULL)
                return fail(fault, PROBLEM_UNSOUND_REQUEST, "Upgrade",
                        "Upgrade: goes with HTTP/1.1, and with no body");
        const char *const twice = repeated(headers);
        if (twice != NULL)
                return fail(fault, PROBLEM_UNSOUND_REQUEST, twice, "may be given once");
        const char *const version = values[HEADER_WEBSOCKET_VERSION];
        if (version == NULL || strcmp(version, "13") != 0)
                return fail(fault, PROBLEM_UPGRADE_REQUIRED, "Sec-WebSocket-Version",
                        "The only version of WebSockets here is 13.");
        if (!is_key(values[HEADER_WEBSOCKET_KEY]))
                return fail(fault, PROBLEM_UNSOUND_REQUEST, "Sec-WebSocket-Key",
                        "Sec-WebSocket-Key: must be 16 bytes in base64");
        if (!choose_protocol(values[HEADER_WEBSOCKET_PROTOCOL], out))
                return fail(fault, PROBLEM_UNSOUND_REQUEST, "Sec-WebSocket-Protocol",
                        "Sec-WebSocket-Protocol: offer sockwright.bytes or sockwright.datagrams, or none");
        return make_accept(values[HEADER_WEBSOCKET_KEY], out->accept) ||
               fail(fault, PROBLEM_QUOTA, NULL, "There is no SHA-1 to answer the key with.");
}

bool handshake_token(const struct headers *headers, char *out, size_t out_size)
{
        const char *offered = headers->values[HEADER_WEBSOCKET_PROTOCOL];
        const size_t prefix = sizeof bearer - 1;
        size_t size;
        if (!has_item(headers->values[HEADER_UPGRADE], "websocket"))
                return false;
        for (const char *item; offered != NULL && (item = next_item(&offered, &size)) != NULL;)
                if (size > prefix && strncmp(item, bearer, prefix) == 0)
                        return (size_t)snprintf(out, out_size, "Bearer %.*s", (int)(size - prefix),
                                       item + prefix) < out_size;
        return false;
}
