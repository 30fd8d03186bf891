/* expect.c: what a reply says, and whether that is what a scenario expects. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/steps.h"

json_t *json_at(const json_t *json, const char *path)
{
        while (json && *path) {
                char name[64];
                const size_t size = strcspn(path, ".");
                assert_true(size < sizeof name);
                memcpy(name, path, size);
                name[size] = '\0';
                json = json_is_array(json) ? json_array_get(json, strtoul(name, NULL, 10))
                                           : json_object_get(json, name);
                path += size + (path[size] == '.');
        }
        return (json_t *)(uintptr_t)json;
}

static const json_t *must_have(const struct reply *reply, const char *path, bool right)
{
        const json_t *const json = json_at(reply->json, path);
        if (!json || !right)
                fail_msg("%s: no such \"%s\" in %s", reply->name, path, reply->body);
        return json;
}

const char *text_at(const struct reply *reply, const char *path)
{
        return json_string_value(must_have(reply, path, json_is_string(json_at(reply->json, path))));
}

int64_t number_at(const struct reply *reply, const char *path)
{
        return json_integer_value(must_have(reply, path, json_is_integer(json_at(reply->json, path))));
}

bool flag_at(const struct reply *reply, const char *path)
{
        return json_is_true(must_have(reply, path, json_is_boolean(json_at(reply->json, path))));
}

void expect_status(const struct reply *reply, int status)
{
        if (reply->status != status)
                fail_msg("%s: status %d, not %d: %s%.1000s", reply->name, reply->status, status,
                        reply->trouble, reply->body);
}

void expect_errno(const struct reply *reply, const char *errno_name)
{
        expect_problem(reply, 422, NULL);
        if (strcmp(text_at(reply, "errno"), errno_name) != 0)
                fail_msg("%s: not %s: %s", reply->name, errno_name, reply->body);
        assert_true(number_at(reply, "errno_number") > 0);
        assert_true(*text_at(reply, "call"));
        flag_at(reply, "timed_out");
        const char *const type = text_at(reply, "type");
        assert_string_equal(strrchr(type, '/') + 1, errno_name);
}

void expect_problem(const struct reply *reply, int status, const char *parameter)
{
        expect_status(reply, status);
        const char *const type = reply_header(reply, "content-type");
        if (!type || strcmp(type, "application/problem+json") != 0)
                fail_msg("%s: content type %s", reply->name, type ? type : "missing");
        assert_int_equal(number_at(reply, "status"), status);
        assert_true(*text_at(reply, "type") && *text_at(reply, "title") && *text_at(reply, "detail"));
        if (parameter && strcmp(text_at(reply, "parameter"), parameter) != 0)
                fail_msg("%s: not of \"%s\": %s", reply->name, parameter, reply->body);
}

void expect_data(const struct reply *reply, const void *bytes, size_t size)
{
        size_t decoded_size = 0;
        uint8_t *const decoded = base64_decode(text_at(reply, "data"), &decoded_size);
        if (decoded_size != size || memcmp(decoded, bytes, size) != 0)
                fail_msg("%s: received %zu bytes, not the %zu expected: %.*s", reply->name, decoded_size,
                        size, (int)(decoded_size < 200 ? decoded_size : 200), decoded);
        free(decoded);
        assert_int_equal(number_at(reply, "size"), size);
}

void expect_text(const struct reply *reply, const char *text)
{
        expect_data(reply, text, strlen(text));
}

void expect_json(const json_t *json, const char *expected)
{
        char *const text = requote(expected);
        json_t *const wanted = json_loads(text, JSON_DECODE_ANY, NULL);
        assert_non_null(wanted);
        if (!json_equal(json, wanted)) {
                char *const got = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;
                fail_msg("%s, not %s", got ? got : "nothing", text);
        }
        json_decref(wanted);
        free(text);
}

char *base64_encode(const void *bytes, size_t size)
{
        char *const text = malloc(4 * ((size + 2) / 3) + 1);
        assert_non_null(text);
        EVP_EncodeBlock((unsigned char *)text, bytes, (int)size);
        return text;
}

uint8_t *base64_decode(const char *text, size_t *size)
{
        const size_t length = strlen(text);
        uint8_t *const bytes = malloc(length + 1);
        assert_non_null(bytes);
        const int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length);
        assert_true(decoded >= 0);
        const size_t padding =
                length ? (size_t)(text[length - 1] == '=') + (size_t)(text[length - 2] == '=') : 0;
        *size = (size_t)decoded - padding;
        return bytes;
}

uint8_t *noise(size_t size)
{
        uint8_t *const bytes = malloc(size);
        assert_non_null(bytes);
        uint64_t state = 0x9e3779b97f4a7c15;
        for (size_t i = 0; i < size; i++) {
                state = state * 6364136223846793005 + 1442695040888963407;
                bytes[i] = (uint8_t)(state >> 56);
        }
        return bytes;
}

void digest(const void *bytes, size_t size, uint8_t out[static 32])
{
        assert_int_equal(EVP_Digest(bytes, size, out, NULL, EVP_sha256(), NULL), 1);
}

void reply_save(const struct reply *reply, const char *path)
{
        FILE *const file = fopen(path, "we");
        assert_non_null(file);
        assert_int_equal(fwrite(reply->body, 1, reply->size, file), reply->size);
        fclose(file);
}
