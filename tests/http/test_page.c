/* test_page.c: the page at / and its files, to anyone who asks as a browser may. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/steps.h"
#include "tests/http/wire.h"

static const struct visit {
        const char *name, *request; /* up to its Host */
        int status;
        const char *says; /* a header of the reply */
} visits[] = {
        { "the page", "GET / HTTP/1.1\r\n", 200, "Content-Type: text/html; charset=utf-8" },
        { "the page is guarded", "GET / HTTP/1.1\r\n", 200, "X-Content-Type-Options: nosniff" },
        { "the reference", "GET /docs HTTP/1.1\r\n", 200, "Content-Type: text/html; charset=utf-8" },
        { "packed", "GET /assets/style.css HTTP/1.1\r\nAccept-Encoding: gzip\r\n", 200,
                "Content-Encoding: gzip" },
        { "a query changes nothing", "GET /?token=x HTTP/1.1\r\n", 200, "Cache-Control: no-cache" },
        { "a body changes nothing", "GET / HTTP/1.1\r\nContent-Length: 2\r\n", 200,
                "Cache-Control: no-cache" },
        { "a wrong token changes nothing", "GET / HTTP/1.1\r\nAuthorization: Bearer wrong\r\n", 200,
                "Cache-Control: no-cache" },
        { "POST", "POST / HTTP/1.1\r\nContent-Length: 2\r\n", 405, "Allow: GET, HEAD" },
        { "OPTIONS", "OPTIONS /docs HTTP/1.1\r\n", 405, "Allow: GET, HEAD" },
        { "another page's request", "GET / HTTP/1.1\r\nOrigin: https://evil.example\r\n", 403,
                "Content-Type: application/problem+json" },
        { "no such file", "GET /assets/app.css HTTP/1.1\r\n", 404, "Content-Type: application/problem+json" },
        { "upwards", "GET /assets/../ HTTP/1.1\r\n", 404, "Content-Type: application/problem+json" },
        { "upwards, in escapes", "GET /assets/%2e%2e%2f HTTP/1.1\r\n", 404,
                "Content-Type: application/problem+json" },
};

static void visit_as(const struct stage *stage, const char *request, const char *host, struct wire_reply *out)
{
        const int fd = wire_open(stage->daemon, OVER_TCP);
        wire_write(
                fd, "%sHost: %s\r\n\r\n%s", request, host, strstr(request, "Content-Length: 2") ? "{}" : "");
        wire_read(fd, out);
        close(fd);
}

static void play_visit(struct stage *stage, const void *row)
{
        const struct visit *const visit = row;
        struct wire_reply reply;
        visit_as(stage, visit->request, "localhost", &reply);
        assert_int_equal(reply.status, visit->status);
        if (!strstr(reply.head, visit->says))
                fail_msg("no \"%s\" in %s", visit->says, reply.head);
        assert_int_equal(strstr(reply.head, "Content-Security-Policy: default-src 'none'") != NULL,
                visit->status == 200);
}

/* No other site can show it, or make a browser take its name for the daemon's. */
static void rebound(struct stage *stage)
{
        struct wire_reply reply;
        visit_as(stage, "GET / HTTP/1.1\r\n", "evil.example", &reply);
        assert_int_equal(reply.status, 403);
}

/* HEAD says how long the page is, and does not send it. */
static void head(struct stage *stage)
{
        struct wire_reply reply;
        const int fd = wire_open(stage->daemon, OVER_TCP);
        wire_write(fd,
                "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n");
        shutdown(fd, SHUT_WR);
        char text[4096] = "";
        size_t size = 0;
        ssize_t got;
        while ((got = recv(fd, text + size, sizeof text - 1 - size, 0)) > 0)
                size += (size_t)got;
        close(fd);
        visit_as(stage, "GET / HTTP/1.1\r\n", "localhost", &reply);
        assert_int_equal(strncmp(text, reply.head, 15), 0);
        assert_non_null(strstr(text, "Content-Security-Policy"));
        assert_null(strstr(text, "<html"));
        assert_non_null(strstr(text, "\"status\""));
}

/* A browser that has it asks for it by its tag, and is told that it has it. */
static void kept(struct stage *stage)
{
        struct wire_reply reply;
        char again[256];
        visit_as(stage, "GET /docs HTTP/1.1\r\n", "localhost", &reply);
        const char *const tag = strstr(reply.head, "ETag: ");
        assert_non_null(tag);
        snprintf(again, sizeof again, "GET /docs HTTP/1.1\r\nIf-None-Match: %.*s\r\n",
                (int)strcspn(tag + 6, "\r"), tag + 6);
        visit_as(stage, again, "localhost", &reply);
        assert_int_equal(reply.status, 304);
        assert_string_equal(reply.body, "");
}

static const struct scenario scenarios[] = {
        { "a rebound name", rebound },
        { "its head alone", head },
        { "kept by the browser", kept },
};

int main(void)
{
        SUITE_ADD_ROWS(play_visit, visits);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("page", NULL);
}
