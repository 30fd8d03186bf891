/* test_matcher.c: byte strings are found wherever they stand, however the stream is cut. */
#include "daemon/sockets/matcher.h"

#include "tests/unit/rows.h"

enum { RULES_OF_ROW = 3, ANSWER_SIZE = 64 };

/* Each rule answers with its own text; `answers` is all of them together. */
static const struct match_row {
        const char *name;
        const char *when[RULES_OF_ROW], *then[RULES_OF_ROW];
        const char *stream, *answers;
} match_rows[] = {
        { "nothing", { "ping" }, { "1" }, "pong pin g", "" },
        { "one", { "ping" }, { "1" }, "a ping.", "1" },
        { "at both ends", { "ping" }, { "1" }, "ping...ping", "11" },
        { "side by side", { "ping" }, { "1" }, "pingping", "11" },
        { "no byte counts twice", { "aa" }, { "1" }, "aaaaa", "11" },
        { "a false start", { "aab" }, { "1" }, "aaab", "1" },
        { "several rules", { "get", "put" }, { "g", "p" }, "put get put", "pgp" },
        { "the first counts", { "ab", "b" }, { "1", "2" }, "ab b", "12" },
        { "the shorter one is first", { "b", "ab" }, { "1", "2" }, "ab b", "11" },
        { "the one that ends first", { "abcd", "bc" }, { "1", "2" }, "abcd", "2" },
        { "single bytes", { "a", "b", "c" }, { "1", "2", "3" }, "cabba", "31221" },
        { "no answer", { "a", "b" }, { "", "2" }, "ab", "2" },
};

/* Feeds the stream in pieces of that size. */
static void feed(const struct match_row *row, size_t piece, char answers[static ANSWER_SIZE])
{
        struct reply_rule items[RULES_OF_ROW];
        struct reply_rules rules = { .items = items };
        static struct matcher matcher;
        memset(&matcher, 0, sizeof matcher);
        for (; rules.count < RULES_OF_ROW && row->when[rules.count] != NULL; rules.count++)
                items[rules.count] = (struct reply_rule){
                        .when = (const uint8_t *)row->when[rules.count],
                        .when_size = strlen(row->when[rules.count]),
                        .then = (const uint8_t *)row->then[rules.count],
                        .then_size = strlen(row->then[rules.count]),
                };
        reply_rules_prepare(&rules);
        answers[0] = '\0';
        const size_t size = strlen(row->stream);
        for (size_t start = 0, end; start < size; start = end) {
                end = start + piece < size ? start + piece : size;
                for (size_t at = start; at < end;) {
                        const struct reply_rule *match;
                        at += matcher_take(
                                &matcher, &rules, (const uint8_t *)row->stream + at, end - at, &match);
                        if (match != NULL)
                                strncat(answers, (const char *)match->then, match->then_size);
                }
        }
}

static void however_it_is_cut(void **state)
{
        const struct match_row *const row = *state;
        char answers[ANSWER_SIZE];
        for (size_t piece = 1; piece <= strlen(row->stream); piece++) {
                feed(row, piece, answers);
                assert_string_equal(answers, row->answers);
        }
}

/* As long as may be, with as much before it, in pieces that end anywhere. */
static void longest(void **state)
{
        static uint8_t when[REPLY_WHEN_MAX], stream[3 * REPLY_WHEN_MAX];
        const struct reply_rule rule = { .when = when, .when_size = sizeof when };
        struct reply_rules rules = { .items = &rule, .count = 1 };
        (void)state;
        for (size_t i = 0; i < sizeof when; i++)
                when[i] = (uint8_t)(i * i % 251);
        memset(stream, 'x', sizeof stream);
        memcpy(stream + sizeof stream - sizeof when, when, sizeof when);
        reply_rules_prepare(&rules);
        for (size_t piece = 1; piece < sizeof stream; piece = piece * 3 + 1) {
                static struct matcher matcher;
                size_t matches = 0, at = 0;
                memset(&matcher, 0, sizeof matcher);
                while (at < sizeof stream) {
                        const struct reply_rule *match;
                        const size_t left = sizeof stream - at;
                        at += matcher_take(
                                &matcher, &rules, stream + at, piece < left ? piece : left, &match);
                        matches += match != NULL;
                }
                assert_int_equal(matches, 1);
        }
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, however_it_is_cut, match_rows);
        rows_add_one(&all, "the longest", longest);
        return rows_run("matcher", &all);
}
