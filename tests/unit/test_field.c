/* test_field.c: requests' members decoded from JSON, sound and not. */
#include "api/field.h"

#include <limits.h>

#include "daemon/sockets/cleanup.h"
#include "tests/unit/rows.h"
#include "tests/unit/sample.h"

static bool decode(struct fixture *fixture, json_t *object)
{
        return fields_decode(&fixture->decoder, &sample_fields, &fixture->sample, &sample_common_fields,
                &fixture->common, object);
}

/* Requests that are not sound. */
struct refusal {
        const char *name, *json, *parameter, *detail;
};

static const struct refusal refusals[] = {
        { "boolean as text", "{\"all\":\"true\"}", "all", "all: must be true or false, not text" },
        { "boolean as number", "{\"all\":1}", "all", "not a number" },
        { "integer with a fraction", "{\"backlog\":80.0}", "backlog", "must be an integer from 0 to 65535" },
        { "integer as text", "{\"backlog\":\"80\"}", "backlog", "not text" },
        { "integer as null", "{\"backlog\":null}", "backlog", "not null" },
        { "integer as list", "{\"backlog\":[1]}", "backlog", "not a list" },
        { "one too many", "{\"backlog\":65536}", "backlog", "from 0 to 65535, not 65536" },
        { "below zero", "{\"backlog\":-1}", "backlog", "not -1" },
        { "size of -1", "{\"size\":-1}", "size", "from 1 to 1048576, not -1" },
        { "size of 0", "{\"size\":0}", "size", "not 0" },
        { "size of 2^63-1", "{\"size\":9223372036854775807}", "size", "not 9223372036854775807" },
        { "more than an int", "{\"plain\":2147483648}", "plain", "from -2147483648 to 2147483647" },
        { "less than an int", "{\"plain\":-2147483649}", "plain", "not -2147483649" },
        { "a slip in a name", "{\"family\":\"AF_INTE\"}", "family", "did you mean \"AF_INET\"?" },
        { "a name that is none", "{\"family\":\"zebra crossing\"}", "family", "/v1/constants" },
        { "an empty name", "{\"family\":\"\"}", "family", "no known family" },
        { "a number as text", "{\"family\":\"2\"}", "family", "no known family" },
        { "a family as list", "{\"family\":[\"AF_INET\"]}", "family", "not a list" },
        { "a family over an int", "{\"family\":4294967298}", "family", "not 4294967298" },
        { "a flag that is none", "{\"flags\":[\"MSG_PEEK\",\"MSG_PEAK\"]}", "flags", "\"MSG_PEEK\"?" },
        { "a flag as list", "{\"flags\":[[\"MSG_PEEK\"]]}", "flags", "not a list" },
        { "flags joined with a slip", "{\"flags\":\"MSG_PEEK|MSG_OOBB\"}", "flags", "\"MSG_OOB\"?" },
        { "flags as object", "{\"flags\":{}}", "flags", "not an object" },
        { "flags with nothing between", "{\"flags\":\"MSG_PEEK||MSG_OOB\"}", "flags", "no known" },
        { "text as number", "{\"label\":5}", "label", "must be text, not a number" },
        { "text too long", "{\"label\":\"123456789\"}", "label", "at most 8 bytes, not 9" },
        { "text too short", "{\"name\":\"a\"}", "name", "2 or more bytes, not 1" },
        { "base64 that is not", "{\"packed\":\"!!!!\"}", "packed", "is not base64" },
        { "base64 with a lost plus", "{\"packed\":\"a /=\"}", "packed", "%2B" },
        { "base64 as list", "{\"packed\":[1,2]}", "packed", "not a list" },
        { "data that is not base64", "{\"data\":\"hello\"}", "data", "is not base64" },
        { "data as number", "{\"data\":1}", "data", "not a number" },
        { "text payload as null", "{\"text\":null}", "text", "not null" },
        { "data and text", "{\"data\":\"\",\"text\":\"\"}", "text", "twice" },
        { "text and data", "{\"text\":\"\",\"data\":\"\"}", "data", "twice" },
        { "until nothing", "{\"until\":{}}", "until", "exactly one" },
        { "until false", "{\"until\":{\"eof\":false}}", "until", "exactly one" },
        { "until two things", "{\"until\":{\"bytes\":1,\"eof\":true}}", "until", "exactly one" },
        { "until 0 bytes", "{\"until\":{\"bytes\":0}}", "until.bytes", "from 1" },
        { "until 0", "{\"until\":0}", "until", "from 1" },
        { "until an empty delimiter", "{\"until\":{\"delimiter\":\"\"}}", "until", "a byte or more" },
        { "until an empty text", "{\"until\":{\"delimiter_text\":\"\"}}", "until.delimiter_text",
                "1 or more" },
        { "until what is not base64", "{\"until\":{\"delimiter\":\"x\"}}", "until.delimiter", "base64" },
        { "until a slip", "{\"until\":{\"delimitr\":\"x\"}}", "until.delimitr", "\"delimiter\"?" },
        { "until another word", "{\"until\":\"end\"}", "until", "\"eof\"" },
        { "until a list", "{\"until\":[]}", "until", "not a list" },
        { "until a fraction", "{\"until\":1.5}", "until", "a number with a fraction" },
        { "listen as text", "{\"listen\":\"yes\"}", "listen", "not text" },
        { "listen below zero", "{\"listen\":-1}", "listen", "from 0 to 2147483647" },
        { "listen over an int", "{\"listen\":{\"backlog\":2147483648}}", "listen.backlog", "to 2147483647" },
        { "listen with more", "{\"listen\":{\"back\":1}}", "listen.back", "is no parameter here" },
        { "options as object", "{\"options\":{}}", "options", "must be a list" },
        { "timeout below zero", "{\"timeout_ms\":-1}", "timeout_ms", "not -1" },
        { "timeout as text", "{\"timeout_ms\":\"1s\"}", "timeout_ms", "not text" },
        { "unknown", "{\"zebra_crossing\":1}", "zebra_crossing", "zebra_crossing: is no parameter here" },
        { "a slip", "{\"baklog\":1}", "baklog", "did you mean \"backlog\"?" },
        { "another letter case", "{\"Label\":\"\"}", "Label", "did you mean \"label\"?" },
        { "a slip in a common one", "{\"timeoutms\":1}", "timeoutms", "did you mean \"timeout_ms\"?" },
        { "an empty member name", "{\"\":1}", "", "is no parameter" },
        { "a format in a name", "{\"%s%n\":1}", "%s%n", "is no parameter" },
        { "a list of parameters", "[1]", "", "must be a JSON object" },
};

static void refuses(void **state)
{
        const struct refusal *const row = *state;
        struct fixture fixture fixture_auto;
        fixture_set(&fixture);
        json_auto_t *json = json_loads(row->json, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(json);
        assert_false(decode(&fixture, json));
        assert_int_equal(problem_status(&fixture.problem), 400);
        assert_string_equal(fixture.problem.parameter, row->parameter);
        if (!strstr(fixture.problem.detail, row->detail))
                fail_msg("\"%s\" does not say \"%s\"", fixture.problem.detail, row->detail);
}

static void refuses_long_names(void **state)
{
        (void)state;
        struct fixture fixture fixture_auto;
        fixture_set(&fixture);
        char name[3001];
        memset(name, 'x', sizeof name - 1);
        name[sizeof name - 1] = '\0';
        json_auto_t *json = json_pack("{si}", name, 1);
        assert_false(decode(&fixture, json));
        assert_int_equal(strlen(fixture.problem.parameter), PROBLEM_PARAMETER_SIZE - 1);
}

/* Requests that are: given by JSON, or by a query value of one member, and checked by one number or text. */
struct acceptance {
        const char *name, *json;
        size_t offset;
        int64_t number; /* of an int or a larger member, or of a bool */
};

#define AT(member) .offset = offsetof(struct sample, member)
#define NUMBERED(label_text, text, member, value)                                                            \
        {                                                                                                    \
                .name = (label_text), .json = (text), AT(member), .number = (value)                          \
        }

static const struct acceptance booleans[] = {
        NUMBERED("true", "{\"all\":true}", all, true),
        NUMBERED("false", "{\"all\":false}", all, false),
        NUMBERED("no boolean", "{}", all, false),
        NUMBERED("until end of stream", "{\"until\":\"eof\"}", until.eof, true),
        NUMBERED("until end of stream, long form", "{\"until\":{\"eof\":true}}", until.eof, true),
        NUMBERED("until bytes alone, eof false", "{\"until\":{\"eof\":false,\"bytes\":2}}", until.eof, false),
        NUMBERED("until is given", "{\"until\":1}", until.given, true),
        NUMBERED("until is not", "{}", until.given, false),
        NUMBERED("listen true", "{\"listen\":true}", listen.given, true),
        NUMBERED("listen false", "{\"listen\":false}", listen.given, false),
        NUMBERED("listen object", "{\"listen\":{}}", listen.given, true),
        NUMBERED("no listen", "{}", listen.given, false),
        NUMBERED("empty payload", "{\"data\":\"\"}", data.given, true),
        NUMBERED("no payload", "{}", data.given, false),
        NUMBERED("empty binary", "{\"packed\":\"\"}", packed.given, true),
};

static const struct acceptance ints[] = {
        NUMBERED("a fallback", "{}", backlog, 128),
        NUMBERED("the smallest", "{\"backlog\":0}", backlog, 0),
        NUMBERED("the largest", "{\"backlog\":65535}", backlog, 65535),
        NUMBERED("any int", "{\"plain\":-2147483648}", plain, INT_MIN),
        NUMBERED("a name", "{\"family\":\"AF_UNIX\"}", family, AF_UNIX),
        NUMBERED("a number for a name", "{\"family\":40}", family, 40),
        NUMBERED("a fallback name", "{}", family, AF_INET),
        NUMBERED("flags as list", "{\"flags\":[\"MSG_PEEK\",\"MSG_DONTWAIT\",256]}", flags,
                MSG_PEEK | MSG_DONTWAIT | 256),
        NUMBERED("no flags", "{\"flags\":[]}", flags, 0),
        NUMBERED("flags as number", "{\"flags\":66}", flags, 66),
        NUMBERED("flags joined", "{\"flags\":\"MSG_PEEK|MSG_OOB|64\"}", flags, MSG_PEEK | MSG_OOB | 64),
        NUMBERED("flags with commas", "{\"flags\":\"MSG_PEEK,MSG_OOB\"}", flags, MSG_PEEK | MSG_OOB),
        NUMBERED("empty flags", "{\"flags\":\"\"}", flags, 0),
        NUMBERED("listen's default", "{\"listen\":true}", listen.backlog, 128),
        NUMBERED("listen's default in an object", "{\"listen\":{}}", listen.backlog, 128),
        NUMBERED("listen as number", "{\"listen\":5}", listen.backlog, 5),
        NUMBERED("listen as object", "{\"listen\":{\"backlog\":2147483647}}", listen.backlog, INT_MAX),
};

static const struct acceptance longs[] = {
        NUMBERED("the smallest int64_t", "{\"offset\":-9223372036854775808}", offset, INT64_MIN),
        NUMBERED("the largest int64_t", "{\"offset\":9223372036854775807}", offset, INT64_MAX),
        NUMBERED("size's fallback", "{}", size, 65536),
        NUMBERED("size", "{\"size\":1048576}", size, 1048576),
        NUMBERED("until bytes", "{\"until\":{\"bytes\":7}}", until.bytes, 7),
        NUMBERED("until a number", "{\"until\":7}", until.bytes, 7),
};

static void decode_row(struct fixture *fixture, const struct acceptance *row, json_t **json)
{
        fixture_set(fixture);
        memset(&fixture->sample, 0xa5, sizeof fixture->sample);
        *json = json_loads(row->json, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(*json);
        if (!decode(fixture, *json))
                fail_msg("refused: %s", fixture->problem.detail);
        assert_int_equal(fixture->common.timeout_ms, -1);
}

static void accepts_boolean(void **state)
{
        const struct acceptance *const row = *state;
        struct fixture fixture fixture_auto;
        json_auto_t *json = NULL;
        decode_row(&fixture, row, &json);
        assert_int_equal(*(const bool *)((const char *)&fixture.sample + row->offset), row->number);
}

static void accepts_int(void **state)
{
        const struct acceptance *const row = *state;
        struct fixture fixture fixture_auto;
        json_auto_t *json = NULL;
        decode_row(&fixture, row, &json);
        assert_int_equal(
                *(const int *)(const void *)((const char *)&fixture.sample + row->offset), row->number);
}

static void accepts_long(void **state)
{
        const struct acceptance *const row = *state;
        struct fixture fixture fixture_auto;
        json_auto_t *json = NULL;
        decode_row(&fixture, row, &json);
        assert_int_equal(
                *(const int64_t *)(const void *)((const char *)&fixture.sample + row->offset), row->number);
}

static void accepts_bytes(void **state)
{
        (void)state;
        struct fixture fixture fixture_auto;
        fixture_set(&fixture);
        json_auto_t *json =
                json_pack("{ss, ss, ss, s{ss}, s[i], si}", "label", "12345678", "packed", "Zg==", "text",
                        "caf\xc3\xa9", "until", "delimiter_text", "\r\n", "value", 5, "timeout_ms", 7);
        assert_true(decode(&fixture, json));
        assert_string_equal(fixture.sample.label.bytes, "12345678");
        assert_int_equal(fixture.sample.label.size, 8);
        assert_null(fixture.sample.name.bytes);
        assert_int_equal(fixture.sample.packed.size, 1);
        assert_memory_equal(fixture.sample.packed.bytes, "f", 1);
        assert_int_equal(fixture.sample.data.size, 5);
        assert_memory_equal(fixture.sample.data.bytes, "caf\xc3\xa9", 5);
        assert_int_equal(fixture.sample.until.delimiter.size, 2);
        assert_memory_equal(fixture.sample.until.delimiter.bytes, "\r\n", 2);
        assert_ptr_equal(fixture.sample.value.json, json_object_get(json, "value"));
        assert_int_equal(fixture.common.timeout_ms, 7);
}

static void accepts_no_object(void **state)
{
        (void)state;
        struct fixture fixture fixture_auto;
        fixture_set(&fixture);
        assert_true(decode(&fixture, NULL));
        assert_int_equal(fixture.sample.backlog, 128);
        assert_int_equal(fixture.common.timeout_ms, -1);
}

struct must {
        struct text host;
};

static void misses_what_is_required(void **state)
{
        (void)state;
        static const struct field must_rows[] = { FIELD(struct must, host, "A host.", .required = true) };
        static const struct fields must_fields = FIELDS(struct must, must_rows);
        struct fixture fixture fixture_auto;
        struct must record;
        fixture_set(&fixture);
        json_auto_t *json = json_object();
        assert_false(fields_decode(&fixture.decoder, &must_fields, &record, NULL, NULL, json));
        assert_string_equal(fixture.problem.parameter, "host");
        assert_string_equal(fixture.problem.detail, "host: is missing");
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, refuses, refusals);
        rows_add_one(&all, "a very long name", refuses_long_names);
        ROWS_ADD(&all, accepts_boolean, booleans);
        ROWS_ADD(&all, accepts_int, ints);
        ROWS_ADD(&all, accepts_long, longs);
        rows_add_one(&all, "texts, bytes and values", accepts_bytes);
        rows_add_one(&all, "no object at all", accepts_no_object);
        rows_add_one(&all, "a required one is missing", misses_what_is_required);
        return rows_run("field", &all);
}
