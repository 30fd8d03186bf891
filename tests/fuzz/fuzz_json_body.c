/* fuzz_json_body.c: request bodies, their payload cut out, against jansson reading the whole of them. */
#include "api/json_body.h"
#include "daemon/sockets/cleanup.h"
#include "tests/fuzz/fuzz.h"

/* A body as libFuzzer finds it, with each '#' made that long, since payloads are only cut out from
 * JSON_PAYLOAD_MINIMUM letters on. */
enum { FILL_SIZE = JSON_PAYLOAD_MINIMUM + 4, FILLS_MOST = 8 };

static char *make_body(const uint8_t *bytes, size_t size, size_t *out_size)
{
        size_t used = 0, fills = 0;
        memory_auto char *body = fuzz_room(size + (size_t)FILL_SIZE * FILLS_MOST);
        for (size_t i = 0; i < size; i++) {
                if (bytes[i] == '#' && fills < FILLS_MOST) {
                        memset(body + used, 'A', FILL_SIZE);
                        used += FILL_SIZE;
                        fills++;
                } else {
                        body[used++] = (char)bytes[i];
                }
        }
        *out_size = used;
        return fuzz_copy(body, used);
}

static size_t depth_of(const json_t *value)
{
        size_t deepest = 0, index;
        json_t *item;
        const char *name;
        json_array_foreach(value, index, item)
        {
                const size_t depth = depth_of(item);
                deepest = depth > deepest ? depth : deepest;
        }
        json_object_foreach((json_t *)(uintptr_t)value, name, item)
        {
                const size_t depth = depth_of(item);
                deepest = depth > deepest ? depth : deepest;
        }
        return json_is_object(value) || json_is_array(value) ? deepest + 1 : 0;
}

static bool is_blank(const char *body, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if (strchr(" \t\r\n", body[i]) == NULL || body[i] == '\0')
                        return false;
        return true;
}

/* The payload is taken unchecked: letters in its place make the body what jansson must agree on. */
static void check_taken(const char *body, size_t size, json_t *json, const struct json_span *payload)
{
        memory_auto char *whole = fuzz_copy(body, size);
        memory_auto char *letters = fuzz_room(payload->size);
        HOLDS(json_is_object(json) && depth_of(json) <= JSON_DEPTH_LIMIT);
        HOLDS(payload->text == NULL || (payload->text > body && payload->text + payload->size < body + size &&
                                               payload->size > JSON_PAYLOAD_MINIMUM));
        memset(letters, 'B', payload->size);
        if (payload->text != NULL)
                memcpy(whole + (payload->text - body), letters, payload->size);
        json_auto_t *expected =
                is_blank(body, size) ? json_object() : json_loadb(whole, size, JSON_REJECT_DUPLICATES, NULL);
        HOLDS(expected != NULL);
        if (payload->text != NULL) {
                json_t *const data = json_object_get(expected, "data");
                HOLDS(json_string_length(data) == payload->size &&
                        memcmp(json_string_value(data), letters, payload->size) == 0);
                json_object_set_new(expected, "data", json_string(""));
        }
        HOLDS(json_equal(json, expected));
}

static void check_refused(const char *body, size_t size, const struct problem *problem)
{
        json_auto_t *whole = json_loadb(body, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
        json_auto_t *reply = problem_to_json(problem);
        HOLDS(!json_is_object(whole) || depth_of(whole) > JSON_DEPTH_LIMIT);
        HOLDS(problem->kind == PROBLEM_UNSOUND_REQUEST && reply != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        size_t body_size = 0;
        memory_auto char *body = make_body(bytes, size, &body_size);
        json_auto_t *json = NULL;
        struct json_span payload = { .text = NULL };
        struct problem problem = { .extra = NULL };
        if (json_body_read(body, body_size, &json, &payload, &problem)) {
                check_taken(body, body_size, json, &payload);
        } else {
                HOLDS(json == NULL && payload.text == NULL);
                check_refused(body, body_size, &problem);
        }
        return 0;
}
