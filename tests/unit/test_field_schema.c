/* test_field_schema.c: replies encoded, and the schemas of requests and replies. */
#include "api/field.h"

#include "daemon/sockets/cleanup.h"
#include "tests/unit/rows.h"
#include "tests/unit/sample.h"

/* Replies. */
struct reply {
        bool eof, truncated;
        int family, flags, tcp_state, odd;
        uint64_t size;
        struct text label, hostile, absent, left_out;
        struct binary packed, raw;
        struct payload data;
        struct address peer;
        struct value value, nothing;
        struct moment created, never;
};

static const struct field reply_rows[] = {
        FIELD(struct reply, eof, ""),
        FIELD(struct reply, truncated, "", .optional = true),
        FIELD(struct reply, family, "", .names = &family_names),
        FIELD(struct reply, flags, "", .names = &message_flag_names, .flags = true),
        FIELD(struct reply, tcp_state, "", .names = &tcp_state_names, .nullable = true),
        FIELD(struct reply, odd, "", .names = &family_names),
        FIELD(struct reply, size, ""),
        FIELD(struct reply, label, ""),
        FIELD(struct reply, hostile, ""),
        FIELD(struct reply, absent, "", .nullable = true),
        FIELD(struct reply, left_out, "", .optional = true),
        FIELD(struct reply, packed, ""),
        FIELD(struct reply, raw, "", .optional = true),
        FIELD(struct reply, data, ""),
        FIELD(struct reply, peer, "", .nullable = true),
        FIELD(struct reply, value, ""),
        FIELD(struct reply, nothing, "", .nullable = true),
        FIELD(struct reply, created, ""),
        FIELD(struct reply, never, "", .nullable = true),
};
static const struct fields reply_fields = FIELDS(struct reply, reply_rows);

static void encodes(void **state)
{
        (void)state;
        struct reply reply = { .eof = true,
                .family = AF_INET6,
                .flags = MSG_PEEK | 1 << 28,
                .odd = 99,
                .size = UINT64_MAX,
                .label = { .bytes = "caf\xc3\xa9", .size = 5 },
                .hostile = { .bytes = "a\xff<", .size = 3 },
                .packed = { .bytes = (const uint8_t *)"f", .size = 1, .given = true },
                .value = { .json = json_integer(5) },
                .created = { .time = { .tv_sec = 1767225600, .tv_nsec = 42 } } };
        json_auto_t *json = fields_encode(&reply_fields, &reply);
        json_auto_t *wanted =
                json_loads("{\"eof\":true,\"family\":\"AF_INET6\",\"flags\":[\"MSG_PEEK\",268435456],"
                           "\"tcp_state\":null,\"odd\":99,\"size\":9223372036854775807,"
                           "\"label\":\"caf\xc3\xa9\",\"hostile\":\"a\xef\xbf\xbd<\",\"absent\":null,"
                           "\"packed\":\"Zg==\",\"peer\":null,\"value\":5,\"nothing\":null,"
                           "\"created\":\"2026-01-01T00:00:00.000000042Z\",\"never\":null}",
                        0, NULL);
        assert_non_null(wanted);
        if (!json_equal(json, wanted))
                fail_msg("%s", json_dumps(json, 0));
        fields_release(&reply_fields, &reply);
        assert_null(reply.value.json);
}

/* Schemas: a path of members and what must be there. */
struct schema_row {
        const char *name;
        const struct fields *fields;
        bool request;
        const char *path; /* members and indexes, joined by '/' */
        const char *json; /* NULL: nothing */
};

static const struct schema_row schemas[] = {
        { "no more members", &sample_fields, true, "additionalProperties", "false" },
        { "nothing is required", &sample_fields, true, "required", NULL },
        { "data or text is", &sample_fields, true, "oneOf",
                "[{\"required\":[\"data\"]},{\"required\":[\"text\"]}]" },
        { "boolean", &sample_fields, true, "properties/all",
                "{\"type\":\"boolean\",\"description\":\"All of it.\",\"default\":false}" },
        { "range and default", &sample_fields, true, "properties/size",
                "{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1,\"maximum\":1048576,"
                "\"description\":\"How many.\",\"default\":65536,\"examples\":[100]}" },
        { "a name's default", &sample_fields, true, "properties/family/default", "\"AF_INET\"" },
        { "a name or a number", &sample_fields, true, "properties/family/anyOf/0/type", "\"string\"" },
        { "flags' default", &sample_fields, true, "properties/flags/default", "[]" },
        { "text's length", &sample_fields, true, "properties/label/maxLength", "8" },
        { "binary", &sample_fields, true, "properties/packed/contentEncoding", "\"base64\"" },
        { "payload as text", &sample_fields, true, "properties/text/type", "\"string\"" },
        { "until", &sample_fields, true, "properties/until/anyOf/1/properties/bytes/minimum", "1" },
        { "listen", &sample_fields, true, "properties/listen/anyOf/0/properties/backlog/default", "128" },
        { "no default below zero", &sample_common_fields, true, "properties/timeout_ms/default", NULL },
        { "a reply's required", &reply_fields, false, "required",
                "[\"eof\",\"family\",\"flags\",\"tcp_state\",\"odd\",\"size\",\"label\",\"hostile\","
                "\"absent\","
                "\"packed\",\"data\",\"peer\",\"value\",\"nothing\",\"created\",\"never\"]" },
        { "a reply's data", &reply_fields, false, "properties/data/contentEncoding", "\"base64\"" },
        { "a reply has no text", &reply_fields, false, "properties/text", NULL },
        { "a reply has no default", &reply_fields, false, "properties/eof/default", NULL },
        { "null beside a type", &reply_fields, false, "properties/absent/type", "[\"string\",\"null\"]" },
        { "null beside alternatives", &reply_fields, false, "properties/tcp_state/anyOf/2",
                "{\"type\":\"null\"}" },
        { "moment", &reply_fields, false, "properties/created/format", "\"date-time\"" },
};

static json_t *at_path(json_t *schema, const char *path)
{
        char step[64];
        while (schema && *path) {
                const size_t size = strcspn(path, "/");
                (void)snprintf(step, sizeof step, "%.*s", (int)size, path);
                schema = json_is_array(schema) ? json_array_get(schema, strtoul(step, NULL, 10))
                                               : json_object_get(schema, step);
                path += size + (path[size] == '/');
        }
        return schema;
}

static void makes_schema(void **state)
{
        const struct schema_row *const row = *state;
        json_auto_t *schema = fields_schema(row->fields, row->request);
        json_auto_t *wanted = row->json ? json_loads(row->json, JSON_DECODE_ANY, NULL) : NULL;
        json_t *const found = at_path(schema, row->path);
        if (row->json ? !json_equal(found, wanted) : found != NULL)
                fail_msg("%s", json_dumps(found, JSON_ENCODE_ANY));
}

int main(void)
{
        static struct row_tests all;
        rows_add_one(&all, "a reply", encodes);
        ROWS_ADD(&all, makes_schema, schemas);
        return rows_run("field_schema", &all);
}
