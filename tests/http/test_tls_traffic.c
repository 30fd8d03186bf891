/* test_tls_traffic.c: what goes through TLS: requests that wait, clients that leave, large bodies. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/http/approach.h"
#include "tests/http/steps.h"

enum { MIB = 1024 * 1024 };

static void keep_alive(struct stage *stage)
{
        char url[128];
        long connects;
        snprintf(url, sizeof url, "%s/version", stage->daemon->url);
        CURL *const curl = approach_open(&(struct approach){ "own.crt", "ci", 0 }, url);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, approach_ignore);
        for (int round = 0; round < 3; round++) {
                assert_int_equal(curl_easy_perform(curl), CURLE_OK);
                assert_int_equal(curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connects), CURLE_OK);
                assert_int_equal(connects, round == 0);
        }
        curl_easy_cleanup(curl);
}

/* What is answered without the library must not be sent in clear. */
static void long_target(struct stage *stage)
{
        char path[512] = "/v1/sockets?a=1";
        for (size_t size = strlen(path); size < sizeof path - 5; size += 4)
                memcpy(path + size, "&a=1", 5);
        client_set_quiet(stage->over_tcp, true);
        const struct request request = { .method = "GET", .path = path };
        expect_status(stage_keep(stage, exchange(stage->over_tcp, &request)), 414);
        client_set_quiet(stage->over_tcp, false);
}

static void nothing(void *context)
{
        ++*(int *)context;
}

static void continues(struct stage *stage)
{
        int held = 0;
        const struct request request = {
                .method = "POST", .path = "/v1/sockets", .json = "{}", .hold = nothing, .hold_context = &held
        };
        expect_status(stage_keep(stage, exchange(stage->over_tcp, &request)), 201);
        assert_int_equal(held, 1);
}

/* 50 MiB through the kernel, up and down, with a pause in which nobody receives. */
static void large(struct stage *stage)
{
        enum { SIZE = 50 * MIB, GROWTH_MAX_KIB = 48 * 1024 };
        stage->client = stage->over_tcp;
        uint8_t *const bytes = noise(SIZE);
        uint8_t sent[32], received[32];
        const struct link link = make_link(stage);
        digest(bytes, SIZE, sent);
        const long before = daemon_memory(stage->daemon);
        struct pending *const sending =
                later_raw(stage, link.near, "send?timeout_ms=60000", bytes, SIZE, false);
        await_parked(stage, link.near, 1);
        assert_in_range(daemon_memory(stage->daemon), 0, (unsigned long)before + GROWTH_MAX_KIB);
        char action[64];
        snprintf(action, sizeof action, "recv?until=%d", SIZE);
        const struct reply *const reply = act_for_raw(stage, link.far, action, 200);
        assert_int_equal(number_at(finish(stage, sending, 200), "sent"), SIZE);
        assert_int_equal(reply->size, SIZE);
        digest(reply->body, reply->size, received);
        assert_memory_equal(sent, received, sizeof sent);
        free(bytes);
}

static void leave_in_order(CURL *curl, curl_socket_t fd)
{
        (void)fd;
        curl_easy_cleanup(curl);
}

/* Nothing is said in TLS: the process has died. */
static void leave_by_end(CURL *curl, curl_socket_t fd)
{
        shutdown(fd, SHUT_WR);
        (void)curl;
}

static void leave_by_reset(CURL *curl, curl_socket_t fd)
{
        const struct linger linger = { .l_onoff = 1 };
        const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
        (void)curl;
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        assert_return_code(connect(fd, &nowhere, sizeof nowhere), errno);
}

static const struct departure {
        const char *name;
        void (*leave)(CURL *curl, curl_socket_t fd);
        bool cleaned;
} departures[] = {
        { "leaves while it waits", leave_in_order, true },
        { "dies while it waits", leave_by_end, false },
        { "resets while it waits", leave_by_reset, false },
};

/* The call takes nothing from the kernel any more. */
static void play_departure(struct stage *stage, const void *row)
{
        const struct departure *const departure = row;
        curl_socket_t fd;
        stage->client = stage->over_tcp;
        const struct link link = make_link(stage);
        CURL *const curl = approach_hold(stage, &fd);
        approach_say(stage, curl, link.far);
        await_parked(stage, link.far, 1);
        departure->leave(curl, fd);
        await_parked(stage, link.far, 0);
        act(stage, link.near, "send", 200, "{'text':'kept'}");
        expect_text(act(stage, link.far, "recv", 200, ""), "kept");
        if (!departure->cleaned)
                curl_easy_cleanup(curl);
}

/* A second request while the first one waits is no going away; both are answered, in order. */
static void stays(struct stage *stage)
{
        curl_socket_t fd;
        stage->client = stage->over_tcp;
        const struct link link = make_link(stage);
        CURL *const curl = approach_hold(stage, &fd);
        approach_say(stage, curl, link.far);
        await_parked(stage, link.far, 1);
        approach_say(stage, curl, link.far);
        act(stage, link.near, "send", 200, "{'text':'one'}");
        approach_hear(curl, "\"data\":\"b25l\"");
        await_parked(stage, link.far, 1);
        act(stage, link.near, "send", 200, "{'text':'two'}");
        approach_hear(curl, "\"data\":\"dHdv\"");
        curl_easy_cleanup(curl);
}

static void many_parked(struct stage *stage)
{
        enum { MANY = 100 };
        CURL *clients[MANY];
        curl_socket_t fd;
        stage->client = stage->over_tcp;
        const struct link link = make_link(stage);
        for (int i = 0; i < MANY; i++) {
                clients[i] = approach_hold(stage, &fd);
                approach_say(stage, clients[i], link.far);
                await_parked(stage, link.far, i + 1);
        }
        for (int i = 0; i < MANY; i++) {
                act(stage, link.near, "send", 200, "{'text':'x'}");
                approach_hear(clients[i], "\"data\":\"eA==\"");
                curl_easy_cleanup(clients[i]);
        }
}

/* Who has connected is answered before the daemon ends. */
static void ends_in_order(struct stage *stage)
{
        const char *const arguments[] = { "--tls-cert", paper_path("server.crt"), "--tls-key",
                paper_path("server.key"), NULL };
        struct stage own_stage;
        stage_open(&own_stage, arguments);
        own_stage.client = own_stage.over_tcp;
        const struct link link = make_link(&own_stage);
        struct pending *const waiting = later(&own_stage, link.far, "recv", "");
        await_parked(&own_stage, link.far, 1);
        struct daemon *const daemon = own_stage.daemon;
        daemon_terminate(daemon);
        finish(&own_stage, waiting, 503);
        stage_close(&own_stage, stage);
        daemon_wait(daemon);
}

static const struct scenario scenarios[] = {
        { "keep-alive", keep_alive },
        { "a target too long", long_target },
        { "100 Continue", continues },
        { "50 MiB", large },
        { "a second request while the first waits", stays },
        { "many parked", many_parked },
        { "ends in order", ends_in_order },
};

int main(void)
{
        papers_make();
        const char *const arguments[] = { "--tls-cert", paper_path("server.crt"), "--tls-key",
                paper_path("server.key"), "--tls-client-ca", paper_path("own.crt"), "--tokens",
                paper_path("tokens"), NULL };
        SUITE_ADD_ROWS(play_departure, departures);
        SUITE_ADD_SCENARIOS(scenarios);
        const int failed = suite_run("tls traffic", arguments);
        papers_remove();
        return failed;
}
