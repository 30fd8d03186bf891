/* keyed.c: requests with an Idempotency-Key, one after the other and side by side. */
#include "tests/http/keyed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *new_key(void)
{
        static char key[32];
        static int count;
        snprintf(key, sizeof key, "key %d", ++count);
        return key;
}

struct reply *keyed(struct stage *stage, struct client *client, const char *key, const char *method,
        const char *path, const char *json)
{
        char header[512];
        char *const body = json && *json ? requote(json) : NULL;
        snprintf(header, sizeof header, "Idempotency-Key: %s", key);
        const struct request request = {
                .method = method, .path = path, .json = body, .headers = { header }
        };
        struct reply *const reply = stage_keep(stage, exchange(client, &request));
        free(body);
        return reply;
}

bool is_replayed(const struct reply *reply)
{
        const char *const header = reply_header(reply, "idempotency-replayed");
        assert_true(!header || strcmp(header, "true") == 0);
        return header != NULL;
}

static void expect_same_header(const struct reply *one, const struct reply *other, const char *name)
{
        const char *const first = reply_header(one, name), *const second = reply_header(other, name);
        assert_int_equal(first != NULL, second != NULL);
        if (first && second)
                assert_string_equal(first, second);
}

void expect_replay(const struct reply *first, const struct reply *again)
{
        expect_status(again, first->status);
        assert_false(is_replayed(first));
        assert_true(is_replayed(again));
        assert_int_equal(first->size, again->size);
        assert_memory_equal(first->body ? first->body : "", again->body ? again->body : "", first->size);
        expect_same_header(first, again, "location");
        expect_same_header(first, again, "content-type");
        expect_same_header(first, again, "sockwright-reply");
}

static void *go(void *context)
{
        struct going *const going = context;
        going->reply = exchange(going->client, &going->request);
        while (going->reply->status == 429) {
                reply_free(going->reply);
                going->reply = exchange(going->client, &going->request);
        }
        return NULL;
}

void going_begin(struct stage *stage, enum transport transport, const char *key, const char *path,
        const char *json, struct going *out)
{
        *out = (struct going){ .client = client_new(stage->daemon, transport),
                .body = *json ? requote(json) : NULL };
        snprintf(out->path, sizeof out->path, "%s", path);
        snprintf(out->header, sizeof out->header, "Idempotency-Key: %s", key);
        out->request = (struct request){
                .method = "POST", .path = out->path, .json = out->body, .headers = { out->header }
        };
        assert_int_equal(pthread_create(&out->thread, NULL, go, out), 0);
}

struct reply *going_end(struct stage *stage, struct going *going)
{
        pthread_join(going->thread, NULL);
        client_free(going->client);
        free(going->body);
        return stage_keep(stage, going->reply);
}
