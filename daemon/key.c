/* key.c: the Idempotency-Key of a request, and the fingerprint that tells a retry from another request. */
#include <openssl/evp.h>
#include <string.h>

#include "daemon/exchange.h"

/* Takes a string of RFC 8941 apart, or any other printable text as it is. False: it is neither. */
static bool read_key(const char *text, char *out, size_t out_size)
{
        const bool quoted = text[0] == '"';
        size_t size = 0;
        for (text += quoted; *text != '\0' && !(quoted && *text == '"'); text++) {
                if (quoted && *text == '\\' && *++text != '"' && *text != '\\')
                        return false;
                if (*text < ' ' || *text > '~' || size + 1 == out_size)
                        return false;
                out[size++] = *text;
        }
        out[size] = '\0';
        return size > 0 && (quoted ? strcmp(text, "\"") == 0 : *text == '\0');
}

/* Returns false. */
static bool fail_memory(struct request *request)
{
        request_fail(request, PROBLEM_QUOTA, NULL, "The daemon has no memory left for this.");
        return false;
}

bool request_take_key(struct request *request)
{
        const char *const text = request->headers.values[HEADER_KEY];
        if (text == NULL || request->route.operation->method == METHOD_GET)
                return true;
        struct keyed *const keyed = arena_allocate(&request->call.arena, sizeof *keyed);
        if (keyed == NULL)
                return fail_memory(request);
        if (request->headers.counts[HEADER_KEY] > 1 || !read_key(text, keyed->key, sizeof keyed->key)) {
                request_fail(request, PROBLEM_UNSOUND_REQUEST, "Idempotency-Key",
                        "An Idempotency-Key has 1 to 255 printable ASCII characters, quoted or not, and is "
                        "given once.");
                return false;
        }
        request->call.keyed = keyed;
        return true;
}

bool request_streams_with_key(struct request *request)
{
        if (request->call.keyed == NULL)
                return false;
        request_fail(request, PROBLEM_UNSOUND_REQUEST, "Idempotency-Key",
                "What is streamed is not kept, and takes no Idempotency-Key: use `offset`, which makes it "
                "repeatable too.");
        return true;
}

/* Each with its size, so that no two requests look alike. */
static void add(EVP_MD_CTX *digest, const void *bytes, size_t size)
{
        const uint64_t length = size;
        EVP_DigestUpdate(digest, &length, sizeof length);
        if (size > 0)
                EVP_DigestUpdate(digest, bytes, size);
}

static enum MHD_Result add_parameter(void *context, enum MHD_ValueKind kind, const char *name,
        size_t name_size, const char *value, size_t value_size)
{
        (void)kind;
        add(context, name, name_size);
        add(context, value, value == NULL ? 0 : value_size);
        return MHD_YES;
}

bool request_take_fingerprint(struct request *request)
{
        struct call *const call = &request->call;
        if (call->keyed == NULL)
                return true;
        EVP_MD_CTX *const digest = EVP_MD_CTX_new();
        const bool begun = digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;
        if (begun) {
                add(digest, request->method, strlen(request->method));
                add(digest, request->path, strlen(request->path));
                MHD_get_connection_values_n(
                        request->connection, MHD_GET_ARGUMENT_KIND, add_parameter, digest);
                const uint8_t forms[] = { request->stage == STAGE_RAW, call->raw_reply };
                add(digest, forms, sizeof forms);
                add(digest, request->body, request->size);
                EVP_DigestFinal_ex(digest, call->keyed->fingerprint, NULL);
        } else {
                fail_memory(request);
        }
        EVP_MD_CTX_free(digest);
        return begun;
}
