/* test_keys_vanished.c: the client of a call with a key resets its connection while the call waits: the call
 * goes on, and who comes again with the key gets what came of it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/keyed.h"
#include "tests/http/wire.h"

/* Where a call waits, and what ends that. */
struct place {
        struct ends pair;
        struct link link;
};

static void send_bytes(struct stage *stage, const struct place *place)
{
        act(stage, place->pair.far, "send", 200, "{'text':'once'}");
}

static void connect_there(struct stage *stage, const struct place *place)
{
        make(stage, "{'connect':'127.0.0.1:%d'}", place->link.port);
}

static const struct row {
        const char *name;
        bool listens; /* it is the listener's call, and not the pair's near end's */
        const char *action, *json;
        void (*end)(struct stage *stage, const struct place *place);
        int status;
        const char *member; /* of the reply, which the first call made */
} rows[] = {
        { "recv", false, "recv", "{'size':9,'timeout_ms':20000}", send_bytes, 200, "data" },
        { "recvmsg", false, "recvmsg", "{'sizes':[9],'timeout_ms':20000}", send_bytes, 200, "buffers.0" },
        { "recv that gathers", false, "recv", "{'until':{'bytes':4},'timeout_ms':20000}", send_bytes, 200,
                "data" },
        { "accept", true, "accept", "{'timeout_ms':20000}", connect_there, 201, "id" },
        { "wait", false, "wait", "{'events':['POLLIN'],'timeout_ms':20000}", send_bytes, 200, "value.0" },
};

/* So that libmicrohttpd looks at the connection as it does at one among others. */
static void open_others(const struct stage *stage, int others[static 2])
{
        for (int i = 0; i < 2; i++)
                others[i] = wire_open(stage->daemon, OVER_TCP);
}

static void play_row(struct stage *stage, const void *context)
{
        const struct row *const row = context;
        const struct place place = { .pair = make_pair(stage, "SOCK_STREAM"), .link = make_link(stage) };
        const char *const id = row->listens ? place.link.listener : place.pair.near;
        const char *const key = new_key();
        char *const json = requote(row->json);
        char path[128];
        int others[2];
        snprintf(path, sizeof path, "/v1/sockets/%s/%s", id, row->action);
        open_others(stage, others);
        const int client = wire_open(stage->daemon, OVER_TCP);
        wire_write(client,
                "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nIdempotency-Key: %s\r\n"
                "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                path, stage->daemon->token, key, strlen(json), json);
        free(json);
        await_parked(stage, id, 1);
        wire_reset(client);
        row->end(stage, &place);
        const struct reply *const again = keyed(stage, stage->client, key, "POST", path, row->json);
        expect_status(again, row->status);
        assert_true(is_replayed(again));
        text_at(again, row->member);
        for (int i = 0; i < 2; i++)
                close(others[i]);
}

/* The steps of a batch go on by themselves. */
static void batch(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        char json[256];
        int others[2];
        const char *const key = new_key();
        snprintf(json, sizeof json,
                "{'steps':[{'path':'/v1/sockets/%s/recv','body':{'size':9},'timeout_ms':20000}]}", pair.near);
        char *const body = requote(json);
        open_others(stage, others);
        const int client = wire_open(stage->daemon, OVER_TCP);
        wire_write(client,
                "POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nIdempotency-Key: "
                "%s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                stage->daemon->token, key, strlen(body), body);
        free(body);
        await_parked(stage, pair.near, 1);
        wire_reset(client);
        act(stage, pair.far, "send", 200, "{'text':'once'}");
        const struct reply *const again = keyed(stage, stage->client, key, "POST", "/v1/batch", json);
        expect_status(again, 200);
        assert_true(is_replayed(again));
        assert_string_equal(text_at(again, "results.0.body.data"), "b25jZQ==");
        for (int i = 0; i < 2; i++)
                close(others[i]);
}

static const struct scenario scenarios[] = { { "batch", batch } };

int main(void)
{
        static const char *const one_thread[] = { "--threads", "1", NULL };
        SUITE_ADD_ROWS(play_row, rows);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("keys of clients that vanish", one_thread);
}
