/* suite.c: a test program: one daemon, and the scenarios that are played on it, one after the other. */
#include "tests/http/suite.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/approach.h"

/* A test that fails leaves memory behind: only the daemon's own leaks count. Read by the address sanitizer,
 * if any. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
        return "detect_leaks=0";
}

struct play {
        const char *name;
        void (*run)(struct stage *stage, const void *row);
        const void *row;
        size_t number;
};

static struct {
        struct play *plays;
        size_t count;
        const char *const *arguments;
        struct stage stage;
        struct client *broom; /* clears up behind each scenario */
        bool ended_well;      /* cmocka forgives what fails in a group's setup or teardown; we do not */
} suite;

void suite_add(const char *name, void (*run)(struct stage *stage, const void *row), const void *row)
{
        suite.plays = realloc(suite.plays, (suite.count + 1) * sizeof *suite.plays);
        if (!suite.plays)
                abort();
        suite.plays[suite.count] =
                (struct play){ .name = name, .run = run, .row = row, .number = suite.count };
        suite.count++;
}

static void scenario_run(struct stage *stage, const void *row)
{
        const struct scenario *const scenario = row;
        scenario->run(stage);
}

void suite_add_scenario(const struct scenario *scenario)
{
        suite_add(scenario->name, scenario_run, scenario);
}

struct reply *stage_keep(struct stage *stage, struct reply *reply)
{
        reply->next = stage->replies;
        stage->replies = reply;
        return reply;
}

void stage_open(struct stage *out, const char *const *arguments)
{
        *out = (struct stage){ .daemon = daemon_start(arguments) };
        out->over_unix = client_new(out->daemon, OVER_UNIX);
        out->over_tcp = client_new(out->daemon, OVER_TCP);
        out->client = out->over_unix;
}

void stage_close(struct stage *stage, struct stage *heir)
{
        client_free(stage->over_unix);
        client_free(stage->over_tcp);
        while (stage->replies) {
                struct reply *const reply = stage->replies;
                stage->replies = reply->next;
                stage_keep(heir, reply);
        }
}

static int group_setup(void **state)
{
        (void)state;
        curl_global_init(CURL_GLOBAL_DEFAULT);
        signal(SIGPIPE, SIG_IGN);
        stage_open(&suite.stage, suite.arguments);
        suite.broom = client_new(suite.stage.daemon, OVER_UNIX);
        client_set_quiet(suite.broom, true);
        return 0;
}

static int group_teardown(void **state)
{
        (void)state;
        client_free(suite.stage.over_unix);
        client_free(suite.stage.over_tcp);
        client_free(suite.broom);
        daemon_stop(suite.stage.daemon);
        curl_global_cleanup();
        suite.ended_well = true;
        return 0;
}

static void play_run(void **state)
{
        const struct play *const play = *state;
        struct stage *const stage = &suite.stage;
        exchanges_name(play->name);
        stage->client = play->number % 2 ? stage->over_tcp : stage->over_unix;
        play->run(stage, play->row);
}

/* Deletes what one page of the list shows. Returns how many, or -1 when the daemon does not answer. */
static int sockets_sweep(void)
{
        struct reply *const list =
                exchange(suite.broom, &(struct request){ .method = "GET", .path = "/v1/sockets?limit=100" });
        const json_t *const sockets = json_object_get(list->json, "sockets");
        const int count = list->status == 200 ? (int)json_array_size(sockets) : -1;
        for (int i = 0; i < count; i++) {
                char path[128];
                const json_t *const socket = json_array_get(sockets, (size_t)i);
                snprintf(path, sizeof path, "/v1/sockets/%s",
                        json_string_value(json_object_get(socket, "id")));
                reply_free(exchange(suite.broom, &(struct request){ .method = "DELETE", .path = path }));
        }
        if (count < 0)
                print_error("cannot clear up: %d %s\n", list->status, list->trouble);
        reply_free(list);
        return count;
}

static int play_teardown(void **state)
{
        (void)state;
        while (suite.stage.replies) {
                struct reply *const reply = suite.stage.replies;
                suite.stage.replies = reply->next;
                reply_free(reply);
        }
        int swept;
        do
                swept = sockets_sweep();
        while (swept > 0);
        return swept;
}

/* Whether the scenarios are played over TLS, though they are not about it. */
static bool with_tls(void)
{
        return getenv("SOCKWRIGHT_TLS") != NULL;
}

static const char *const *tls_arguments(void)
{
        static const char *arguments[] = { "--tls-cert", NULL, "--tls-key", NULL, NULL };
        papers_make();
        arguments[1] = paper_path("server.crt");
        arguments[3] = paper_path("server.key");
        return arguments;
}

int suite_run(const char *title, const char *const *arguments)
{
        struct CMUnitTest *const tests = calloc(suite.count, sizeof *tests);
        if (!tests)
                abort();
        for (size_t i = 0; i < suite.count; i++)
                tests[i] = (struct CMUnitTest){
                        .name = suite.plays[i].name,
                        .test_func = play_run,
                        .teardown_func = play_teardown,
                        .initial_state = &suite.plays[i],
                };
        assert_true(!with_tls() || arguments == NULL);
        suite.arguments = with_tls() ? tls_arguments() : arguments;
        cmocka_set_test_filter(getenv("SCENARIO")); /* "raw*" plays those alone */
        const int failed = _cmocka_run_group_tests(title, tests, suite.count, group_setup, group_teardown);
        if (with_tls())
                papers_remove();
        free(tests);
        free(suite.plays);
        return failed + !suite.ended_well;
}
