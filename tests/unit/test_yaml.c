/* test_yaml.c: what yaml.c prints is exactly this, and a parser that is not ours reads the same value back.
 */
#include "api/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/sockets/cleanup.h"

struct yaml_row {
        const char *name;
        const char *json;
        const char *yaml; /* NULL: only read back */
};

static const struct yaml_row rows[] = {
        { .name = "word", .json = "\"sockets\"", .yaml = "sockets\n" },
        { .name = "empty text", .json = "\"\"", .yaml = "\"\"\n" },
        { .name = "colon", .json = "{\"a:b\": \"a: b\"}", .yaml = "\"a:b\": \"a: b\"\n" },
        { .name = "only a colon", .json = "[\":\"]", .yaml = "- \":\"\n" },
        { .name = "hash", .json = "\"a #b\"", .yaml = "\"a #b\"\n" },
        { .name = "yes",
                .json = "[\"yes\", \"No\", \"ON\", \"off\", \"y\", \"N\", \"true\", \"False\", \"NULL\", "
                        "\"~\"]",
                .yaml = "- \"yes\"\n- \"No\"\n- \"ON\"\n- \"off\"\n- \"y\"\n- \"N\"\n- \"true\"\n- "
                        "\"False\"\n"
                        "- \"NULL\"\n- \"~\"\n" },
        { .name = "texts like numbers",
                .json = "[\"1e3\", \"0x10\", \"0o17\", \"017\", \"1_000\", \".5\", \"-1\", \"+1\", \".inf\", "
                        "\".nan\","
                        " \"1:30\", \"200\", \"2026-01-01\"]" },
        { .name = "number as a key", .json = "{\"200\": 200}", .yaml = "\"200\": 200\n" },
        { .name = "indicators",
                .json = "[\"-\", \"?\", \"- a\", \"? a\", \"&a\", \"*a\", \"!a\", \"|\", \">\", \"'a'\", "
                        "\"\\\"a\\\"\","
                        " \"%a\", \"@a\", \"`a`\", \"{a}\", \"[a]\", \"a]\", \"{\", \"]\", \"<<\", \"=\", "
                        "\"---\","
                        " \"...\", \"a, b\", \",\"]" },
        { .name = "spaces around", .json = "[\" a\", \"a \", \" \", \"a  b\"]" },
        { .name = "two lines", .json = "{\"k\": \"a\\n b\\n\\nc\"}", .yaml = "k: |-\n  a\n   b\n\n  c\n" },
        { .name = "two lines, ended",
                .json = "{\"k\": [\"a\\nb\\n\"]}",
                .yaml = "k:\n  - |\n    a\n    b\n" },
        { .name = "lines at the top", .json = "\"# a\\n---\\nb: c\"" },
        { .name = "odd line breaks",
                .json = "[\"\\n\", \"\\n\\n\", \"a\\n\\n\", \"\\na\", \" a\\nb\", \"a\\r\\nb\", \"a\\rb\", "
                        "\"a\\tb\\nc\","
                        " \"a\\n \\nb\", \"a\\n  \", \"a \\nb \"]" },
        { .name = "control characters",
                .json = "\"\\u0000\\u0001\\u0007\\b\\u001b\\u007f\\u0080\\u0085\\u009f\"",
                .yaml = "\"\\u0000\\u0001\\u0007\\u0008\\u001B\\u007F\\u0080\\u0085\\u009F\"\n" },
        { .name = "letters of the world", .json = "\"na\\u00efve \\u6f22 \\ud83d\\ude00\"" },
        { .name = "separators and marks",
                .json = "[\"\\u2028\", \"a\\u2029b\\n\", \"\\ufeffa\", \"\\ufffe\", \"\\uffff\","
                        " \"\\ud83f\\udffe\", \"\\u00a0\"]" },
        { .name = "backslash", .json = "[\"\\\\n\", \"c:\\\\x\", \"\\\\\"]" },
        { .name = "empty containers",
                .json = "{\"a\": {}, \"b\": [], \"c\": [[], {}]}",
                .yaml = "a: {}\nb: []\nc:\n  - []\n  - {}\n" },
        { .name = "nested",
                .json = "{\"a\": [{\"b\": 1, \"c\": {\"d\": null}}, [true, [false]]]}",
                .yaml = "a:\n  - b: 1\n    c:\n      d: null\n  - - true\n    - - false\n" },
        { .name = "integers",
                .json = "[0, -1, 9223372036854775807, -9223372036854775808]",
                .yaml = "- 0\n- -1\n- 9223372036854775807\n- -9223372036854775808\n" },
        { .name = "reals", .json = "[1.0, -0.5, 1e20, 1e-7, 1.5e300, 3.0000000000000004]" },
        { .name = "odd keys",
                .json = "{\"\": 1, \" \": 2, \"yes\": 3, \"null\": 4, \"a\\nb\": 5, \"#\": 6, \"-\": 7, \"? "
                        "x\": 8,"
                        " \"/v1/sockets/{id}\": 9, \"$ref\": 10}" },
};

/* Python's yaml and json modules read the two; a difference is its exit status. */
static const char comparison[] =
        "/usr/bin/python3 -c 'import sys, json, yaml\n"
        "text, expected = open(sys.argv[1], encoding=\"utf-8\", newline=\"\").read().split(\"\\n\\0\\n\")\n"
        "read = yaml.safe_load(text + \"\\n\")\n"
        "value = json.loads(expected)\n"
        "sys.exit(repr(read) != repr(value) and \"read back: %r, not %r\" % (read, value))' ";

static void prints_what_parsers_read(void **state)
{
        const struct yaml_row *const row = *state;
        json_auto_t *json = json_loads(row->json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(json);
        memory_auto char *yaml = yaml_print(json);
        assert_non_null(yaml);
        if (row->yaml)
                assert_string_equal(yaml, row->yaml);

        char path[] = "/tmp/sockwright-yaml-XXXXXX";
        FILE *const file = fdopen(mkstemp(path), "w");
        assert_non_null(file);
        fprintf(file, "%s%c\n%s", yaml, 0, row->json);
        assert_int_equal(fclose(file), 0);
        char command[sizeof comparison + sizeof path];
        (void)snprintf(command, sizeof command, "%s%s", comparison, path);
        const int status = system(command); /* NOLINT(cert-env33-c): the command is ours */
        unlink(path);
        assert_int_equal(status, 0);
}

int main(void)
{
        enum { COUNT = sizeof rows / sizeof *rows };
        struct CMUnitTest tests[COUNT];
        for (size_t i = 0; i < COUNT; i++)
                tests[i] = (struct CMUnitTest){ .name = rows[i].name,
                        .test_func = prints_what_parsers_read,
                        .initial_state = (void *)(uintptr_t)&rows[i] };
        return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
