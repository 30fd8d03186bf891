/* approach.c: how clients come to a daemon that speaks TLS, with certificates made for the test. */
#include "tests/http/approach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/http/check.h"

enum { DEADLINE_MS = 30000, PATH_SIZE = 128 };

static char directory[] = "/tmp/sockwright-papers.XXXXXX";
struct authority *own_authority, *other_authority;

const struct paper server_paper = { .file = "server", .common_name = "server", .server = true };

static const struct paper papers[] = {
        { .file = "ci", .common_name = "ci" },
        { .file = "eye", .common_name = "eye" },
        { .file = "stranger", .common_name = "stranger" },
        { .file = "expired", .common_name = "ci", .expired = true },
        { .file = "spare", .common_name = "spare", .server = true },
};

const char *paper_path(const char *file)
{
        static char paths[32][PATH_SIZE];
        static size_t count;
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%s/%s", directory, file);
        for (size_t i = 0; i < count; i++)
                if (strcmp(paths[i], path) == 0)
                        return paths[i];
        assert_true(count < COUNT(paths));
        memcpy(paths[count], path, sizeof path);
        return paths[count++];
}

CURL *approach_open(const struct approach *approach, const char *url)
{
        char file[64];
        CURL *const curl = curl_easy_init();
        assert_non_null(curl);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)DEADLINE_MS);
        curl_easy_setopt(curl, CURLOPT_CAINFO, paper_path(approach->authority));
        /* So that it is the daemon that refuses old versions. */
        curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0");
        curl_easy_setopt(curl, CURLOPT_SSLVERSION, approach->version | approach->version << 16);
        if (approach->paper) {
                snprintf(file, sizeof file, "%s.crt", approach->paper);
                curl_easy_setopt(curl, CURLOPT_SSLCERT, paper_path(file));
                snprintf(file, sizeof file, "%s.key", approach->paper);
                curl_easy_setopt(curl, CURLOPT_SSLKEY, paper_path(file));
        }
        return curl;
}

size_t approach_ignore(const char *bytes, size_t one, size_t count, void *context)
{
        (void)bytes;
        (void)context;
        return one * count;
}

int approach_ask(const struct stage *stage, const struct approach *approach, const char *method,
        const char *authorization, char trouble[static CURL_ERROR_SIZE])
{
        char url[PATH_SIZE];
        long status = 0;
        snprintf(url, sizeof url, "%s/v1/sockets", stage->daemon->url);
        CURL *const curl = approach_open(approach, url);
        struct curl_slist *const headers = authorization ? curl_slist_append(NULL, authorization) : NULL;
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, approach_ignore);
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, trouble);
        trouble[0] = '\0';
        if (curl_easy_perform(curl) == CURLE_OK)
                curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        curl_slist_free_all(headers);
        curl_easy_cleanup(curl);
        return (int)status;
}

CURL *approach_hold(const struct stage *stage, curl_socket_t *fd)
{
        CURL *const curl = approach_open(&(struct approach){ "own.crt", "ci", 0 }, stage->daemon->url);
        curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
        assert_int_equal(curl_easy_perform(curl), CURLE_OK);
        assert_int_equal(curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, fd), CURLE_OK);
        return curl;
}

void approach_say(const struct stage *stage, CURL *curl, const char *id)
{
        char text[512];
        size_t sent;
        const int size = snprintf(text, sizeof text,
                "POST /v1/sockets/%s/recv?timeout_ms=60000 HTTP/1.1\r\nHost: localhost\r\n"
                "Authorization: Bearer %s\r\nContent-Length: 0\r\n\r\n",
                id, stage->daemon->token);
        assert_int_equal(curl_easy_send(curl, text, (size_t)size, &sent), CURLE_OK);
        assert_int_equal(sent, size);
}

void approach_hear(CURL *curl, const char *text)
{
        char heard[8192] = "";
        const int64_t deadline = milliseconds() + DEADLINE_MS;
        for (size_t size = 0, got = 0; !strstr(heard, text); size += got) {
                const CURLcode code = curl_easy_recv(curl, heard + size, sizeof heard - 1 - size, &got);
                if ((code != CURLE_OK && code != CURLE_AGAIN) || milliseconds() > deadline)
                        fail_msg("%s, '%s' wanted: %s", curl_easy_strerror(code), text, heard);
        }
}

static void file_write(const char *name, mode_t mode, const char *text)
{
        const int fd = open(paper_path(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, mode) != 0)
                abort();
        close(fd);
}

void papers_make(void)
{
        if (!mkdtemp(directory))
                abort();
        own_authority = authority_new(directory, "own");
        other_authority = authority_new(directory, "other");
        authority_issue(own_authority, &server_paper);
        for (size_t i = 0; i < COUNT(papers); i++)
                authority_issue(own_authority, &papers[i]);
        authority_issue(other_authority, &(struct paper){ .file = "foreign", .common_name = "ci" });
        file_write("tokens", 0600, "ci: certificate, operate\neye: certificate, watch\n");
        char *const key = file_read(paper_path("server.key"));
        file_write("shared.key", 0644, key);
        free(key);
        client_papers =
                (struct client_papers){ paper_path("own.crt"), paper_path("ci.crt"), paper_path("ci.key") };
}

void papers_remove(void)
{
        authority_free(own_authority);
        authority_free(other_authority);
        directory_remove(directory);
}
