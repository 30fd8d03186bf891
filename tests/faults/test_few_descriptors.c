/* test_few_descriptors.c: a daemon that may have few descriptors, and is asked for more than they do for. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/http/steps.h"
#include "tests/http/wire.h"

enum { DESCRIPTORS = 300, STEPS = 2 * DESCRIPTORS, CONNECTIONS = DESCRIPTORS };

static char starter[] = "/tmp/sockwright-starter.XXXXXX";

/* The daemon raises its own limit to the hard one, which is the starter's. */
static void write_starter(void)
{
        const char *const program = getenv("SOCKWRIGHTD");
        const int fd = mkstemp(starter);
        assert_return_code(fd, errno);
        dprintf(fd, "#!/bin/sh\nulimit -n %d\nexec '%s' \"$@\"\n", DESCRIPTORS,
                program == NULL ? SOCKWRIGHTD : program);
        assert_return_code(fchmod(fd, 0700), errno);
        close(fd);
        setenv("SOCKWRIGHTD", starter, 1);
}

/* The steps of one batch wait together: those beyond the limit are refused, and the others go on. */
static void many_steps(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_DGRAM");
        json_t *const steps = json_array();
        unsigned waited = 0, refused = 0;
        for (int i = 0; i < STEPS; i++)
                json_array_append_new(
                        steps, json_pack("{s:o, s:{s:i}, s:b, s:s}", "path",
                                       json_sprintf("/v1/sockets/%s/recv", pair.near), "body", "timeout_ms",
                                       1000, "parallel", 1, "on_error", "continue"));
        json_t *const batch = json_pack("{s:o}", "steps", steps);
        char *const body = json_dumps(batch, JSON_COMPACT);
        const struct request request = { .method = "POST", .path = "/v1/batch", .json = body };
        client_set_quiet(stage->client, true);
        const struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
        client_set_quiet(stage->client, false);
        expect_status(reply, 200);
        for (int i = 0; i < STEPS; i++) {
                char path[64];
                snprintf(path, sizeof path, "results.%d.status", i);
                waited += number_at(reply, path) == 422;
                refused += number_at(reply, path) == 429;
        }
        free(body);
        json_decref(batch);
        assert_int_equal(waited + refused, STEPS);
        assert_true(waited > 0 && refused > 0);
        act(stage, pair.far, "send", 200, "{'text':'whole'}");
        expect_text(act(stage, pair.near, "recv", 200, "{'size':9}"), "whole");
}

/* More connections than it may have wait in the listener's queue; those that it has are served. */
static void many_connections(struct stage *stage)
{
        int connections[CONNECTIONS];
        get(stage, 200, "/healthz");
        for (int i = 0; i < CONNECTIONS; i++)
                connections[i] = wire_open(stage->daemon, OVER_TCP);
        get(stage, 200, "/healthz");
        for (int i = 0; i < CONNECTIONS; i++)
                close(connections[i]);
        client_disconnect(stage->client);
        get(stage, 200, "/healthz");
}

/* Sockets beyond the limit are refused, and there is room again when others are closed. */
static void many_sockets(struct stage *stage)
{
        const char *ids[DESCRIPTORS] = { "" };
        int made = 0;
        for (int status = 201; status == 201;) {
                const struct request request = { .method = "POST", .path = "/v1/sockets" };
                const struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
                status = reply->status;
                assert_true(made < DESCRIPTORS);
                if (status == 201)
                        ids[made++] = text_at(reply, "id");
                else
                        expect_status(reply, 429);
        }
        drop(stage, 204, "/v1/sockets/%s", ids[0]);
        make(stage, "{}");
}

static const struct scenario scenarios[] = {
        { "more steps than may wait", many_steps },
        { "more connections than it may have", many_connections },
        { "more sockets than it may have", many_sockets },
};

int main(void)
{
        SUITE_ADD_SCENARIOS(scenarios);
        write_starter();
        const int failed = suite_run("few descriptors", NULL);
        unlink(starter);
        return failed;
}
