/* test_dashboard.c: daemon/grafana.json is what Grafana loads, asks for what there is, and shows all of it.
 */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/steps.h"

enum { NAME_SIZE = 128 };

/* Enough for every metric to have a sample. */
static const struct reply *full_metrics(struct stage *stage)
{
        make_pair(stage, "SOCK_STREAM");
        expect_errno(post(stage, 422, "/v1/sockets", "{'connect':'127.0.0.1:1'}"), "ECONNREFUSED");
        return get(stage, 200, "/metrics");
}

/* Every name in a query is that of a sample. */
static void check_query(const char *query, const char *samples)
{
        regex_t pattern;
        regmatch_t match;
        assert_int_equal(regcomp(&pattern, "sockwright_[a-z_]+", REG_EXTENDED), 0);
        size_t found = 0;
        for (const char *at = query; regexec(&pattern, at, 1, &match, 0) == 0; at += match.rm_eo, found++) {
                char brace[NAME_SIZE], blank[NAME_SIZE];
                const int size = (int)(match.rm_eo - match.rm_so);
                snprintf(brace, sizeof brace, "\n%.*s{", size, at + match.rm_so);
                snprintf(blank, sizeof blank, "\n%.*s ", size, at + match.rm_so);
                if (strstr(samples, brace) == NULL && strstr(samples, blank) == NULL)
                        fail_msg("the dashboard asks for what there is not: %s", brace + 1);
        }
        assert_true(found > 0);
        regfree(&pattern);
}

static void check_panel(const json_t *panel, const char *samples)
{
        static const char *const sides[] = { "gridPos.x", "gridPos.y", "gridPos.w", "gridPos.h" };
        const json_t *const targets = json_at(panel, "targets");
        size_t index;
        const json_t *target;
        assert_true(json_is_integer(json_at(panel, "id")) && json_is_string(json_at(panel, "title")) &&
                    json_is_string(json_at(panel, "type")));
        assert_string_equal(json_string_value(json_at(panel, "datasource.type")), "prometheus");
        for (size_t i = 0; i < COUNT(sides); i++)
                assert_true(json_is_integer(json_at(panel, sides[i])));
        assert_true(json_array_size(targets) > 0);
        json_array_foreach(targets, index, target)
        {
                assert_true(json_is_string(json_at(target, "refId")));
                check_query(json_string_value(json_at(target, "expr")), samples);
        }
}

/* What Grafana must find in a file to load it, and that it shows what the daemon has. */
static void dashboard(struct stage *stage)
{
        const char *const path = getenv("GRAFANA");
        assert_non_null(path);
        json_error_t error;
        json_t *const board = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
        const struct reply *const reply = full_metrics(stage);
        if (board == NULL)
                fail_msg("%s:%d: %s", path, error.line, error.text);
        assert_true(json_integer_value(json_at(board, "schemaVersion")) >= 36);
        assert_true(json_is_string(json_at(board, "title")) && json_is_string(json_at(board, "uid")));
        assert_true(json_is_array(json_at(board, "templating.list")));
        const json_t *const panels = json_at(board, "panels");
        assert_true(json_array_size(panels) > 10);
        bool seen[64] = { false };
        size_t index;
        const json_t *panel;
        json_array_foreach(panels, index, panel)
        {
                const size_t id = (size_t)json_integer_value(json_at(panel, "id"));
                assert_true(id < COUNT(seen) && !seen[id]);
                seen[id] = true;
                check_panel(panel, reply->body);
        }
        json_decref(board);
}

/* Each metric is one that the dashboard shows. */
static void all_shown(struct stage *stage)
{
        char *const board = file_read(getenv("GRAFANA"));
        const struct reply *const reply = full_metrics(stage);
        assert_non_null(board);
        for (const char *line = reply->body; (line = strstr(line, "# TYPE ")) != NULL; line++) {
                char name[NAME_SIZE];
                assert_int_equal(sscanf(line, "# TYPE %127s", name), 1);
                if (strstr(board, name) == NULL)
                        fail_msg("the dashboard does not show %s", name);
        }
        free(board);
}

static const struct scenario scenarios[] = {
        { "it loads", dashboard },
        { "it shows all", all_shown },
};

int main(void)
{
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("dashboard", NULL);
}
