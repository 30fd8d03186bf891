/* client.c: an HTTP client of the daemon. It notes every exchange, for the contract's check. */
#include "tests/http/client.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/check.h"

enum { EXCHANGE_DEADLINE_S = 60, URL_SIZE = 4096 };

struct client {
        CURL *curl;
        const struct daemon *daemon;
        enum transport transport;
        bool quiet;
};

static struct {
        pthread_mutex_t lock;
        FILE *file;
        const char *scenario;
} notes = { .lock = PTHREAD_MUTEX_INITIALIZER, .scenario = "" };

struct client_papers client_papers;

void exchanges_name(const char *scenario)
{
        pthread_mutex_lock(&notes.lock);
        notes.scenario = scenario;
        pthread_mutex_unlock(&notes.lock);
}

struct client *client_new(const struct daemon *daemon, enum transport transport)
{
        struct client *const client = calloc(1, sizeof *client);
        if (!client)
                abort();
        client->curl = curl_easy_init();
        client->daemon = daemon;
        client->transport = transport;
        return client;
}

void client_free(struct client *client)
{
        if (!client)
                return;
        curl_easy_cleanup(client->curl);
        free(client);
}

void client_disconnect(struct client *client)
{
        curl_easy_cleanup(client->curl);
        client->curl = curl_easy_init();
}

void client_set_quiet(struct client *client, bool quiet)
{
        client->quiet = quiet;
}

void reply_free(struct reply *reply)
{
        if (!reply)
                return;
        json_decref(reply->headers);
        json_decref(reply->json);
        free(reply->body);
        free(reply);
}

const char *reply_header(const struct reply *reply, const char *name)
{
        return json_string_value(json_object_get(reply->headers, name));
}

static size_t body_take(const char *bytes, size_t one, size_t count, void *context)
{
        struct reply *const reply = context;
        const size_t size = one * count;
        if (reply->size + size >= reply->capacity) {
                reply->capacity = 2 * (reply->size + size) + 1;
                char *const body = realloc(reply->body, reply->capacity);
                if (!body)
                        return 0;
                reply->body = body;
        }
        memcpy(reply->body + reply->size, bytes, size);
        reply->size += size;
        reply->body[reply->size] = '\0';
        return size;
}

static size_t header_take(const char *bytes, size_t one, size_t count, void *context)
{
        struct reply *const reply = context;
        const size_t size = one * count;
        const char *const colon = memchr(bytes, ':', size);
        if (size > 5 && memcmp(bytes, "HTTP/", 5) == 0)
                json_object_clear(reply->headers); /* a status line: what came before was a "100 Continue" */
        else if (colon) {
                char name[64] = "";
                for (size_t i = 0; i < sizeof name - 1 && bytes + i < colon; i++)
                        name[i] = (char)tolower((unsigned char)bytes[i]);
                const char *value = colon + 1, *end = bytes + size;
                while (value < end && *value == ' ')
                        value++;
                while (end > value && isspace((unsigned char)end[-1]))
                        end--;
                json_object_set_new(reply->headers, name, json_stringn(value, (size_t)(end - value)));
        }
        return size;
}

/* Gives curl a body that is held back. */
struct held_body {
        const struct request *request;
        size_t given;
};

static size_t body_give(char *buffer, size_t one, size_t count, void *context)
{
        struct held_body *const body = context;
        if (body->given == 0)
                body->request->hold(body->request->hold_context);
        const size_t left = strlen(body->request->json) - body->given;
        const size_t size = left < one * count ? left : one * count;
        memcpy(buffer, body->request->json + body->given, size);
        body->given += size;
        return size;
}

static void client_hold_body(CURL *curl, struct held_body *body)
{
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, body_give);
        curl_easy_setopt(curl, CURLOPT_READDATA, body);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)strlen(body->request->json));
        curl_easy_setopt(curl, CURLOPT_EXPECT_100_TIMEOUT_MS, 1000L * EXCHANGE_DEADLINE_S);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, body->request->method);
}

static json_t *json_string_or_null(const char *text)
{
        return text ? json_string(text) : json_null();
}

/* The body's content type as it is sent, or NULL without a body. */
static const char *request_type(const struct request *request)
{
        if (request->type)
                return request->type;
        if (request->json)
                return "application/json";
        return request->raw ? "application/octet-stream" : NULL;
}

static json_t *exchange_note(const struct request *request, const struct reply *reply)
{
        const size_t path_size = strcspn(request->path, "?");
        const char *const query = request->path[path_size] ? request->path + path_size + 1 : "";
        json_t *const body = request->json ? json_loads(request->json, JSON_DECODE_ANY, NULL) : NULL;
        return json_pack("{s:s, s:o, s:s, s:o, s:o, s:i, s:o, s:O, s:o, s:s}", "method", request->method,
                "path", json_stringn(request->path, path_size), "query", query, "request_type",
                json_string_or_null(request_type(request)), "request_body", body ? body : json_null(),
                "status", reply->status, "response_type",
                json_string_or_null(reply_header(reply, "content-type")), "response_headers", reply->headers,
                "response_body", reply->json ? json_incref(reply->json) : json_null(), "test",
                notes.scenario);
}

static FILE *notes_open(void)
{
        const char *const directory = getenv("SOCKWRIGHT_EXCHANGES");
        char path[4096];
        if (!directory)
                return NULL;
        snprintf(path, sizeof path, "%s/%s.jsonl", directory, program_invocation_short_name);
        return fopen(path, "we");
}

void exchange_record(const struct request *request, const struct reply *reply)
{
        pthread_mutex_lock(&notes.lock);
        if (!notes.file)
                notes.file = notes_open();
        if (notes.file) {
                json_t *const note = exchange_note(request, reply);
                json_dumpf(note, notes.file, JSON_COMPACT);
                fputc('\n', notes.file);
                fflush(notes.file);
                json_decref(note);
        }
        pthread_mutex_unlock(&notes.lock);
}

static struct curl_slist *request_headers(const struct client *client, const struct request *request)
{
        char line[512];
        struct curl_slist *list = curl_slist_append(NULL, request->hold ? "Expect: 100-continue" : "Expect:");
        const char *const type = request_type(request);
        snprintf(line, sizeof line, "Content-Type:%s%s", type ? " " : "", type ? type : "");
        list = curl_slist_append(list, line);
        if (client->transport == OVER_TCP && !request->no_token) {
                snprintf(line, sizeof line, "Authorization: Bearer %s", client->daemon->token);
                list = curl_slist_append(list, line);
        }
        for (size_t i = 0; i < COUNT(request->headers) && request->headers[i]; i++)
                list = curl_slist_append(list, request->headers[i]);
        return list;
}

static void client_prepare(struct client *client, const struct request *request, struct reply *reply)
{
        CURL *const curl = client->curl;
        char url[URL_SIZE];
        const bool local = client->transport == OVER_UNIX;
        curl_easy_reset(curl);
        snprintf(url, sizeof url, "%s%s", local ? "http://localhost" : client->daemon->url, request->path);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        if (local)
                curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->daemon->socket_path);
        curl_easy_setopt(curl, CURLOPT_CAINFO, client_papers.authority);
        curl_easy_setopt(curl, CURLOPT_SSLCERT, client_papers.certificate);
        curl_easy_setopt(curl, CURLOPT_SSLKEY, client_papers.key);
        const void *const body = request->json ? request->json : request->raw;
        if (body || strcmp(request->method, "POST") == 0) {
                const size_t size = request->json ? strlen(request->json) : request->raw_size;
                curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body ? body : "");
                curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
        }
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
        curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)EXCHANGE_DEADLINE_S);
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reply->trouble);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_take);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
        curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_take);
        curl_easy_setopt(curl, CURLOPT_HEADERDATA, reply);
}

struct reply *exchange(struct client *client, const struct request *request)
{
        struct reply *const reply = calloc(1, sizeof *reply);
        if (!reply)
                abort();
        reply->headers = json_object();
        reply->body = calloc(1, 1);
        snprintf(reply->name, sizeof reply->name, "%s %s", request->method, request->path);
        client_prepare(client, request, reply);
        struct held_body body = { .request = request };
        if (request->hold)
                client_hold_body(client->curl, &body);
        struct curl_slist *const headers = request_headers(client, request);
        curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
        const CURLcode code = curl_easy_perform(client->curl);
        curl_slist_free_all(headers);
        curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, NULL);
        if (code != CURLE_OK) {
                if (!*reply->trouble)
                        snprintf(reply->trouble, sizeof reply->trouble, "%s", curl_easy_strerror(code));
                return reply;
        }
        long status = 0;
        curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
        reply->status = (int)status;
        const char *const type = reply_header(reply, "content-type");
        if (type && strstr(type, "json"))
                reply->json = json_loadb(reply->body, reply->size, JSON_DECODE_ANY, NULL);
        if (!client->quiet)
                exchange_record(request, reply);
        return reply;
}
