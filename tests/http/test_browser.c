/* test_browser.c: what web pages may do through a browser: by the Host they use, and the Origin they have. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/steps.h"
#include "tests/http/wire.h"

#define DASH "https://dash.example:8443"

/* Sends a request as it stands; "{port}" is the daemon's. */
static void send_text(const struct stage *stage, enum transport transport, const char *line,
        const char *headers, struct wire_reply *out)
{
        char text[1024], port[8];
        const char *const mark = strstr(headers, "{port}");
        const int before = mark ? (int)(mark - headers) : (int)strlen(headers);
        snprintf(port, sizeof port, "%u", stage->daemon->port);
        const char *const second = mark ? strstr(mark + 6, "{port}") : NULL;
        const int between = second ? (int)(second - mark - 6) : mark ? (int)strlen(mark + 6) : 0;
        snprintf(text, sizeof text, "%.*s%s%.*s%s%s", before, headers, mark ? port : "", between,
                mark ? mark + 6 : "", second ? port : "", second ? second + 6 : "");
        const int fd = wire_open(stage->daemon, transport);
        wire_write(fd, "%s HTTP/1.1\r\n%s\r\n", line, text);
        wire_read(fd, out);
        close(fd);
}

static bool says(const struct wire_reply *reply, const char *header)
{
        char line[256];
        snprintf(line, sizeof line, "\r\n%s\r\n", header);
        return strstr(reply->head, line) != NULL;
}

static void must_say(const struct wire_reply *reply, const char *header)
{
        if (!says(reply, header))
                fail_msg("no \"%s\" in %s", header, reply->head);
}

/* None of these needs a token. */
static const struct visit {
        const char *name, *line, *headers;
        int status;
        const char *origin; /* that may read the reply, or NULL */
} visits[] = {
        { "no browser", "GET /healthz", "Host: localhost\r\n", 200, NULL },
        { "a name of --host", "GET /healthz", "Host: lab.example:80\r\n", 200, NULL },
        { "a rebound name", "GET /healthz", "Host: evil.example\r\n", 403, NULL },
        { "an allowed page", "GET /healthz", "Host: localhost\r\nOrigin: " DASH "\r\n", 200, DASH },
        { "the daemon's own page", "GET /healthz",
                "Host: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n", 200, "http://127.0.0.1:" },
        { "another page", "GET /healthz", "Host: localhost\r\nOrigin: https://evil.example\r\n", 403, NULL },
        { "a page of another port", "GET /healthz", "Host: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1\r\n",
                403, NULL },
        { "the allowed page's name, and another port", "GET /healthz",
                "Host: localhost\r\nOrigin: https://dash.example\r\n", 403, NULL },
        { "a page of a rebound name", "GET /healthz",
                "Host: evil.example:{port}\r\nOrigin: http://evil.example:{port}\r\n", 403, NULL },
        { "a page without an origin", "GET /healthz", "Host: localhost\r\nOrigin: null\r\n", 403, NULL },
        { "two origins", "GET /healthz",
                "Host: localhost\r\nOrigin: " DASH "\r\nOrigin: https://evil.example\r\n", 400, NULL },
        { "an allowed page without a token", "GET /v1/sockets", "Host: localhost\r\nOrigin: " DASH "\r\n",
                401, DASH },
        { "another page without a token", "GET /v1/sockets",
                "Host: localhost\r\nOrigin: https://evil.example\r\n", 403, NULL },
        { "preflight of an allowed page", "OPTIONS /v1/sockets",
                "Host: localhost\r\nOrigin: " DASH "\r\nAccess-Control-Request-Method: POST\r\n", 204, DASH },
        { "preflight of another page", "OPTIONS /v1/sockets",
                "Host: localhost\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n",
                403, NULL },
        { "preflight without an origin", "OPTIONS /v1/sockets",
                "Host: localhost\r\nOrigin: null\r\nAccess-Control-Request-Method: POST\r\n", 403, NULL },
        { "preflight by a rebound name", "OPTIONS /v1/sockets",
                "Host: evil.example\r\nOrigin: " DASH "\r\nAccess-Control-Request-Method: POST\r\n", 403,
                NULL },
        { "OPTIONS that is no preflight", "OPTIONS /v1/sockets", "Host: localhost\r\nOrigin: " DASH "\r\n",
                401, DASH },
};

static void play_visit(struct stage *stage, const void *row)
{
        const struct visit *const visit = row;
        struct wire_reply reply;
        send_text(stage, OVER_TCP, visit->line, visit->headers, &reply);
        if (reply.status != visit->status)
                fail_msg("%d, not %d: %s%s", reply.status, visit->status, reply.head, reply.body);
        const char *const allowed = strstr(reply.head, "\r\nAccess-Control-Allow-Origin: ");
        assert_int_equal(allowed != NULL, visit->origin != NULL);
        if (allowed && visit->origin) {
                assert_int_equal(strncmp(allowed + 31, visit->origin, strlen(visit->origin)), 0);
                must_say(&reply, "Vary: Origin");
        }
        assert_null(strstr(reply.head, "Allow-Credentials"));
        must_say(&reply, "X-Content-Type-Options: nosniff");
        must_say(&reply, "Referrer-Policy: no-referrer");
}

/* What is behind the unix socket may be a forwarder that browsers reach. */
static void other_pages_over_unix(struct stage *stage)
{
        struct wire_reply reply;
        send_text(stage, OVER_UNIX, "GET /v1/sockets", "Host: localhost\r\n", &reply);
        assert_int_equal(reply.status, 200);
        send_text(stage, OVER_UNIX, "GET /v1/sockets", "Host: localhost\r\nOrigin: http://evil.example\r\n",
                &reply);
        assert_int_equal(reply.status, 403);
        send_text(stage, OVER_UNIX, "GET /v1/sockets",
                "Host: evil.example\r\nOrigin: http://evil.example\r\n", &reply);
        assert_int_equal(reply.status, 403);
}

static void preflight(struct stage *stage)
{
        struct wire_reply reply;
        send_text(stage, OVER_TCP, "OPTIONS /v1/sockets/some-1/send",
                "Host: localhost\r\nOrigin: " DASH "\r\nAccess-Control-Request-Method: PUT\r\n"
                "Access-Control-Request-Headers: authorization, content-type\r\n",
                &reply);
        assert_int_equal(reply.status, 204);
        must_say(&reply, "Access-Control-Allow-Origin: " DASH);
        must_say(&reply, "Access-Control-Allow-Methods: GET, POST, PUT, DELETE");
        must_say(&reply, "Access-Control-Allow-Headers: Authorization, Content-Type, Accept, "
                         "Idempotency-Key, Last-Event-ID");
        must_say(&reply, "Access-Control-Max-Age: 600");
        assert_false(says(&reply, "Access-Control-Allow-Private-Network: true"));
        send_text(stage, OVER_TCP, "OPTIONS /v1/sockets",
                "Host: localhost\r\nOrigin: " DASH "\r\nAccess-Control-Request-Method: POST\r\n"
                "Access-Control-Request-Private-Network: true\r\n",
                &reply);
        must_say(&reply, "Access-Control-Allow-Private-Network: true");
}

/* All that a page does: it makes a socket, reads where it is, and deletes it. */
static void allowed_page(struct stage *stage)
{
        const struct request make = {
                .method = "POST", .path = "/v1/sockets", .json = "{}", .headers = { "Origin: " DASH }
        };
        const struct reply *const made = stage_keep(stage, exchange(stage->over_tcp, &make));
        expect_status(made, 201);
        assert_string_equal(reply_header(made, "access-control-allow-origin"), DASH);
        assert_non_null(strstr(reply_header(made, "access-control-expose-headers"), "Location"));
        const struct request drop = {
                .method = "DELETE", .path = reply_header(made, "location"), .headers = { "Origin: " DASH }
        };
        const struct reply *const gone = stage_keep(stage, exchange(stage->over_tcp, &drop));
        expect_status(gone, 204);
        assert_string_equal(reply_header(gone, "access-control-allow-origin"), DASH);
}

/* A raw reply that streams is made elsewhere, and is protected too. */
static void protected_stream(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        act(stage, pair.far, "send", 200, "{'text':'<script>'}");
        drop(stage, 204, "/v1/sockets/%s", pair.far);
        const struct reply *const reply = act_for_raw(stage, pair.near, "recv?until=eof", 200);
        assert_string_equal(reply_header(reply, "x-content-type-options"), "nosniff");
        assert_string_equal(reply_header(reply, "content-type"), "application/octet-stream");
}

static const struct scenario scenarios[] = {
        { "other pages over unix", other_pages_over_unix },
        { "preflight", preflight },
        { "an allowed page at work", allowed_page },
        { "a stream is protected", protected_stream },
};

int main(void)
{
        static const char *const arguments[] = { "--allow-origin", DASH, "--host", "lab.example", NULL };
        SUITE_ADD_ROWS(play_visit, visits);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("browser", arguments);
}
