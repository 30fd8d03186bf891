/* fuzz_option.c: "NAME JSON" and "NAME=BYTES": values of every option to bytes, and back to the same value.
 */
#include "api/option_codec.h"
#include "api/option_json.h"
#include "daemon/sockets/cleanup.h"
#include "tests/fuzz/fuzz.h"

static bool decode(const struct option *option, json_t *json, struct option_bytes *out)
{
        struct arena arena = { .blocks = NULL };
        struct problem problem = { .extra = NULL };
        struct decoder decoder = { .arena = &arena, .problem = &problem };
        *out = (struct option_bytes){ .size = 0 };
        const bool sound = option_codecs[option->kind].decode(&decoder, option, json, out);
        json_auto_t *reply = sound ? NULL : problem_to_json(&problem);
        HOLDS(sound ? out->size <= sizeof out->bytes : reply != NULL);
        arena_free(&arena);
        return sound;
}

/* From bytes to a value, in a block of just that size. */
static json_t *encode(const struct option *option, const uint8_t *bytes, size_t size)
{
        memory_auto uint8_t *block = fuzz_copy(bytes, size);
        json_t *const json = option_codecs[option->kind].encode(option, block, size);
        char *const text = json == NULL ? NULL : json_dumps(json, JSON_ENCODE_ANY);
        HOLDS(json == NULL || text != NULL);
        free(text);
        return json;
}

/* A value that is taken reads back as one that means the same bytes. */
static void take_value(const struct option *option, const char *text, size_t size)
{
        json_auto_t *json = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        struct option_bytes set, again;
        if (json == NULL || !decode(option, json, &set))
                return;
        json_auto_t *shown = encode(option, set.bytes, set.size);
        /* An empty text is no value to read; what is set as a struct and read as an address differs. */
        if (shown == NULL || json_is_null(shown))
                return;
        HOLDS(decode(option, shown, &again));
        HOLDS(set.size == again.size && memcmp(set.bytes, again.bytes, set.size) == 0);
}

/* What is shown of bytes is a value, and where it can be set, it is shown the same again. */
static void take_bytes(const struct option *option, const char *bytes, size_t size)
{
        struct option_bytes set;
        json_auto_t *shown = encode(option, (const uint8_t *)bytes, size);
        if (shown == NULL || json_is_null(shown) || !decode(option, shown, &set))
                return;
        json_auto_t *again = encode(option, set.bytes, set.size);
        /* Of fewer bytes than the kernel's struct has, less is shown. */
        HOLDS(set.size > size || json_equal(shown, again));
}

/* A whole setting, as in requests: {"level": …, "option": …, "value" or "raw": …}. */
static void take_setting(const char *text, size_t size)
{
        json_auto_t *json = json_loadb(text, size, JSON_ALLOW_NUL, NULL);
        struct arena arena = { .blocks = NULL };
        struct problem problem = { .extra = NULL };
        struct decoder decoder = { .arena = &arena, .problem = &problem };
        struct setting setting;
        if (json == NULL)
                return;
        if (decode_setting(&decoder, json, &setting)) {
                HOLDS((setting.value != NULL) != setting.raw.given && setting.raw.size <= OPTION_MAX_SIZE);
        } else {
                json_auto_t *reply = problem_to_json(&problem);
                HOLDS(reply != NULL);
        }
        arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        const char *const text = (const char *)bytes;
        size_t name_size = 0;
        while (name_size < size && text[name_size] != ' ' && text[name_size] != '=')
                name_size++;
        if (size > 0 && text[0] == '{')
                take_setting(text, size);
        const struct option *const option = option_elsewhere(text, name_size);
        if (option == NULL || name_size == size)
                return 0;
        if (text[name_size] == ' ')
                take_value(option, text + name_size + 1, size - name_size - 1);
        else
                take_bytes(option, text + name_size + 1, size - name_size - 1);
        return 0;
}
