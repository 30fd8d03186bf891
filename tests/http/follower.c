/* follower.c: a client that follows the daemon's events as a stream. */
#include "tests/http/follower.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAR_DEADLINE_MS = 30000, WAIT_MS = 1000 };

struct follower {
        CURLM *multi;
        CURL *curl;
        struct curl_slist *headers;
        char *text; /* that has come, terminated */
        size_t size, read;
        bool ended;
        char start[32];
        struct frame frame;
};

static size_t take(const char *bytes, size_t one, size_t count, void *context)
{
        struct follower *const follower = context;
        const size_t size = one * count;
        char *const text = realloc(follower->text, follower->size + size + 1);
        if (!text)
                return 0;
        memcpy(text + follower->size, bytes, size);
        follower->text = text;
        follower->size += size;
        text[follower->size] = '\0';
        return size;
}

static void read_line(struct frame *frame, const char *line, size_t size)
{
        const struct {
                const char *name;
                char *out;
                size_t out_size;
        } fields[] = {
                { "id: ", frame->id, sizeof frame->id },
                { "event: ", frame->event, sizeof frame->event },
                { ": ", frame->comment, sizeof frame->comment },
        };
        static const char data[] = "data: ";
        for (size_t i = 0; i < COUNT(fields); i++) {
                const size_t name_size = strlen(fields[i].name);
                if (size >= name_size && memcmp(line, fields[i].name, name_size) == 0)
                        snprintf(fields[i].out, fields[i].out_size, "%.*s", (int)(size - name_size),
                                line + name_size);
        }
        if (size >= sizeof data && memcmp(line, data, sizeof data - 1) == 0) {
                frame->data = json_loadb(line + sizeof data - 1, size - sizeof data + 1, 0, NULL);
                assert_non_null(frame->data);
        }
}

/* False: it has not come whole. */
static bool read_frame(struct follower *follower)
{
        const char *line = follower->text ? follower->text + follower->read : "";
        const char *const end = strstr(line, "\n\n");
        if (!end)
                return false;
        json_decref(follower->frame.data);
        follower->frame = (struct frame){ .data = NULL };
        while (line < end) {
                const size_t size = strcspn(line, "\n");
                read_line(&follower->frame, line, size);
                line += size + 1;
        }
        follower->read = (size_t)(end - follower->text) + 2;
        return true;
}

static void wait(struct follower *follower)
{
        int running = 0;
        const size_t before = follower->size;
        assert_int_equal(curl_multi_perform(follower->multi, &running), CURLM_OK);
        follower->ended = running == 0;
        if (!follower->ended && follower->size == before)
                assert_int_equal(curl_multi_poll(follower->multi, NULL, 0, WAIT_MS, NULL), CURLM_OK);
}

const struct frame *hear_any(struct follower *follower)
{
        const int64_t deadline = milliseconds() + HEAR_DEADLINE_MS;
        while (!read_frame(follower)) {
                if (follower->ended)
                        return NULL;
                if (milliseconds() > deadline)
                        fail_msg("no frame within %d ms", HEAR_DEADLINE_MS);
                wait(follower);
        }
        return &follower->frame;
}

const struct frame *hear_event(struct follower *follower)
{
        const struct frame *frame;
        do
                frame = hear_any(follower);
        while (frame != NULL && frame->comment[0] != '\0');
        assert_non_null(frame);
        return frame;
}

const struct frame *hear(struct follower *follower, const char *kind, const char *id)
{
        const struct frame *const frame = hear_event(follower);
        assert_string_equal(frame->event, kind);
        if (id)
                assert_string_equal(json_string_value(json_object_get(frame->data, "socket")), id);
        return frame;
}

struct follower *follow(struct stage *stage, const char *query, const char *header)
{
        struct follower *const follower = calloc(1, sizeof *follower);
        char url[512], token[512];
        long status = 0;
        assert_non_null(follower);
        const bool local = stage->client == stage->over_unix;
        snprintf(url, sizeof url, "%s/v1/events%s", local ? "http://localhost" : stage->daemon->url, query);
        snprintf(token, sizeof token, "Authorization: Bearer %s", stage->daemon->token);
        CURL *const curl = follower->curl = curl_easy_init();
        follower->multi = curl_multi_init();
        follower->headers = curl_slist_append(NULL, "Accept: text/event-stream");
        if (!local && (!header || strncmp(header, "Authorization", 13) != 0))
                follower->headers = curl_slist_append(follower->headers, token);
        if (header)
                follower->headers = curl_slist_append(follower->headers, header);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        if (local)
                curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, stage->daemon->socket_path);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, follower->headers);
        curl_easy_setopt(curl, CURLOPT_CAINFO, client_papers.authority);
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, follower);
        assert_int_equal(curl_multi_add_handle(follower->multi, curl), CURLM_OK);
        const struct frame *const first = hear_any(follower);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        assert_non_null(first);
        assert_int_equal(status, 200);
        snprintf(follower->start, sizeof follower->start, "%s", first->id);
        return follower;
}

const char *follower_start(const struct follower *follower)
{
        return follower->start;
}

void follower_close(struct follower *follower)
{
        curl_multi_remove_handle(follower->multi, follower->curl);
        curl_easy_cleanup(follower->curl);
        curl_multi_cleanup(follower->multi);
        curl_slist_free_all(follower->headers);
        json_decref(follower->frame.data);
        free(follower->text);
        free(follower);
}
