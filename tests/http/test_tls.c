/* test_tls.c: who is let in by TLS, what is reloaded, and how the daemon does not start. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/http/approach.h"
#include "tests/http/command.h"
#include "tests/http/steps.h"
#include "tests/http/wire.h"

enum { DEADLINE_MS = 30000 };

#define TLS10 CURL_SSLVERSION_TLSv1_0
#define TLS11 CURL_SSLVERSION_TLSv1_1
#define TLS12 CURL_SSLVERSION_TLSv1_2
#define TLS13 CURL_SSLVERSION_TLSv1_3

static const struct visit {
        const char *name;
        struct approach approach;
        const char *method, *authorization; /* authorization "{token}": the owner's */
        int status;                         /* 0: no reply, but this trouble */
        const char *trouble;
} visits[] = {
        { "TLS 1.3", { "own.crt", "ci", TLS13 }, "GET", NULL, 200, "" },
        { "TLS 1.2", { "own.crt", "ci", TLS12 }, "GET", NULL, 200, "" },
        { "TLS 1.1", { "own.crt", "ci", TLS11 }, "GET", NULL, 0, "SSL_connect" },
        { "TLS 1.0", { "own.crt", "ci", TLS10 }, "GET", NULL, 0, "SSL_connect" },
        { "a client that trusts others", { "other.crt", "ci", TLS13 }, "GET", NULL, 0,
                "certificate problem" },
        { "no certificate", { "own.crt", NULL, TLS13 }, "GET", NULL, 0, "" },
        { "no certificate, TLS 1.2", { "own.crt", NULL, TLS12 }, "GET", NULL, 0, "alert handshake failure" },
        { "no certificate but the token", { "own.crt", NULL, TLS13 }, "GET", "{token}", 0, "" },
        { "of another authority", { "own.crt", "foreign", TLS13 }, "GET", NULL, 0, "" },
        { "of another authority, TLS 1.2", { "own.crt", "foreign", TLS12 }, "GET", NULL, 0,
                "alert unknown ca" },
        { "of another authority and the token", { "own.crt", "foreign", TLS13 }, "GET", "{token}", 0, "" },
        { "expired", { "own.crt", "expired", TLS13 }, "GET", NULL, 0, "" },
        { "expired, TLS 1.2", { "own.crt", "expired", TLS12 }, "GET", NULL, 0, "verification failed" },
        { "the server's own", { "own.crt", "server", TLS13 }, "GET", NULL, 0, "" },
        { "a certificate that operates", { "own.crt", "ci", TLS13 }, "POST", NULL, 201, "" },
        { "a certificate that watches", { "own.crt", "eye", TLS13 }, "GET", NULL, 200, "" },
        { "a certificate that may only watch", { "own.crt", "eye", TLS13 }, "POST", NULL, 403, "" },
        { "a certificate of nobody known", { "own.crt", "stranger", TLS13 }, "GET", NULL, 401, "" },
        { "nobody known with the token", { "own.crt", "stranger", TLS13 }, "POST", "{token}", 201, "" },
        { "a certificate with a wrong token", { "own.crt", "ci", TLS13 }, "GET",
                "Authorization: Bearer 0123456789abcdef", 401, "" },
};

static void play_visit(struct stage *stage, const void *row)
{
        const struct visit *const visit = row;
        char trouble[CURL_ERROR_SIZE], token[512];
        const char *authorization = visit->authorization;
        snprintf(token, sizeof token, "Authorization: Bearer %s", stage->daemon->token);
        if (authorization && strcmp(authorization, "{token}") == 0)
                authorization = token;
        const int status = approach_ask(stage, &visit->approach, visit->method, authorization, trouble);
        if (status != visit->status || !strstr(trouble, visit->trouble))
                fail_msg("%d, not %d: %s", status, visit->status, trouble);
}

/* What is no TLS gets no HTTP for an answer, and the connection ends. */
static void plain_http(struct stage *stage)
{
        char bytes[256];
        const int fd = wire_open(stage->daemon, OVER_TCP);
        wire_write(fd, "GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n");
        const ssize_t got = recv(fd, bytes, sizeof bytes, MSG_WAITALL);
        assert_true(got < (ssize_t)sizeof bytes);
        for (ssize_t i = 0; i + 4 <= got; i++)
                assert_memory_not_equal(bytes + i, "HTTP", 4);
        close(fd);
}

/* Who connects and says nothing, or not all of a greeting, is let go. */
static void silent(struct stage *stage)
{
        int fds[2];
        for (size_t i = 0; i < COUNT(fds); i++)
                fds[i] = wire_open(stage->daemon, OVER_TCP);
        wire_write(fds[1], "\x16\x03\x01");
        for (size_t i = 0; i < COUNT(fds); i++) {
                assert_true(wire_ends(fds[i]));
                close(fds[i]);
        }
}

static void hang_up(const struct stage *stage)
{
        assert_return_code(pidfd_send_signal(stage->daemon->process, SIGHUP, NULL, 0), errno);
}

/* Until a client that trusts this authority is served. */
static void await_authority(struct stage *stage, const char *authority)
{
        const struct approach approach = { authority, "ci", TLS13 };
        char trouble[CURL_ERROR_SIZE];
        const int64_t deadline = milliseconds() + DEADLINE_MS;
        while (approach_ask(stage, &approach, "GET", NULL, trouble) != 200)
                if (milliseconds() > deadline)
                        fail_msg("%s", trouble);
}

static int count_in_log(const struct stage *stage, const char *text)
{
        int count = 0;
        char *const log = daemon_log(stage->daemon);
        for (const char *at = log; (at = strstr(at, text)); at++)
                count++;
        free(log);
        return count;
}

/* New connections see what is new, old ones go on, and so does what is parked on them. */
static void reload(struct stage *stage)
{
        char trouble[CURL_ERROR_SIZE];
        curl_socket_t fd;
        stage->client = stage->over_tcp;
        const struct link link = make_link(stage);
        CURL *const curl = approach_hold(stage, &fd);
        approach_say(stage, curl, link.far);
        await_parked(stage, link.far, 1);
        authority_issue(other_authority, &server_paper);
        hang_up(stage);
        await_authority(stage, "other.crt");
        assert_int_equal(
                approach_ask(stage, &(struct approach){ "own.crt", "ci", TLS13 }, "GET", NULL, trouble), 0);
        act(stage, link.near, "send", 200, "{'text':'still here'}");
        approach_hear(curl, "c3RpbGwgaGVyZQ==");
        authority_issue(own_authority, &server_paper);
        hang_up(stage);
        await_authority(stage, "own.crt");
        curl_easy_cleanup(curl);
}

/* What is unsound is not taken, and said; the old goes on. */
static void bad_reload(struct stage *stage)
{
        char trouble[CURL_ERROR_SIZE];
        const int before = count_in_log(stage, "reloading failed");
        const int64_t deadline = milliseconds() + DEADLINE_MS;
        assert_return_code(rename(paper_path("server.key"), paper_path("kept.key")), errno);
        assert_return_code(link(paper_path("spare.key"), paper_path("server.key")), errno);
        hang_up(stage);
        while (count_in_log(stage, "reloading failed") == before)
                assert_true(milliseconds() < deadline);
        assert_true(count_in_log(stage, "do not match") > 0);
        assert_int_equal(
                approach_ask(stage, &(struct approach){ "own.crt", "ci", TLS13 }, "GET", NULL, trouble), 200);
        assert_return_code(rename(paper_path("kept.key"), paper_path("server.key")), errno);
}

/* The line that it prints for its TCP listener works when pasted into a shell; nothing is asked of clients
 * without --tls-client-ca. */
static void curl_line(struct stage *stage)
{
        const char *const arguments[] = { "--tls-cert", paper_path("server.crt"), "--tls-key",
                paper_path("server.key"), "--listen", "0.0.0.0:0", NULL };
        struct daemon *const daemon = daemon_start(arguments);
        const char *const line = strstr(daemon->greeting, "curl --cacert");
        char *command = NULL;
        int status;
        (void)stage;
        assert_non_null(line);
        assert_true(asprintf(&command, "%.*s --silent", (int)strcspn(line, "\n"), line) > 0);
        char *const output = output_of(command, &status);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !strstr(output, "\"sockets\":"))
                fail_msg("%s: %d: %s", command, status, output);
        free(output);
        free(command);
        /* Beyond loopback, with TLS, there is nothing to warn of. */
        char *const log = daemon_log(daemon);
        assert_null(strstr(log, "without TLS"));
        free(log);
        daemon_stop(daemon);
}

/* It was asked for, and is logged. */
static void insecure_listen(struct stage *stage)
{
        const char *const arguments[] = { "--insecure-listen", "--listen", "0.0.0.0:0", "--listen", "[::]:0",
                NULL };
        struct daemon *const daemon = daemon_start(arguments);
        (void)stage;
        char *const log = daemon_log(daemon);
        assert_non_null(strstr(log, "warning: 0.0.0.0:0: without TLS"));
        assert_non_null(strstr(log, "warning: [::]:0: without TLS"));
        assert_null(strstr(log, "127.0.0.1:0: without TLS"));
        free(log);
        daemon_stop(daemon);
}

static const struct start {
        const char *name, *arguments; /* in the papers' directory */
        int status;
        const char *says;
} starts[] = {
        { "a certificate without its key", "--tls-cert server.crt", 2, "--tls-key" },
        { "a key without its certificate", "--tls-key server.key", 2, "--tls-cert" },
        { "clients' authority alone", "--tls-client-ca own.crt", 2, "--tls-cert" },
        { "no such certificate", "--tls-cert none --tls-key server.key", 1, "none: No such file" },
        { "no such key", "--tls-cert server.crt --tls-key none", 1, "none: No such file" },
        { "another's key", "--tls-cert server.crt --tls-key spare.key", 1, "do not match" },
        { "a key that others may read", "--tls-cert server.crt --tls-key shared.key", 1, "chmod 600" },
        { "a certificate for a key", "--tls-cert server.crt --tls-key server.crt", 1, "server.crt" },
        { "no such authority", "--tls-cert server.crt --tls-key server.key --tls-client-ca none", 1,
                "none: No such file" },
        { "an authority that is none",
                "--tls-cert server.crt --tls-key server.key --tls-client-ca server.key", 1,
                "holds no certificate" },
        { "all addresses", "--listen 0.0.0.0:0", 1, "--insecure-listen" },
        { "all addresses, IPv6", "--listen '[::]:0'", 1, "--insecure-listen" },
        { "all addresses, in short", "--listen :0", 1, "--insecure-listen" },
        { "all addresses, mapped", "--listen '[::ffff:0.0.0.0]:0'", 1, "--insecure-listen" },
        { "an address of another host", "--listen 192.0.2.1:0", 1, "--insecure-listen" },
        { "loopback first", "--listen 127.0.0.1:0 --listen 0.0.0.0:0", 1, "--insecure-listen" },
};

static void play_start(struct stage *stage, const void *row)
{
        const struct start *const start = row;
        const char *const program = getenv("SOCKWRIGHTD");
        char line[2048];
        int status;
        (void)stage;
        snprintf(line, sizeof line, "cd %s && timeout 30 %s --unix start.sock --token-file token %s 2>&1",
                paper_path(""), program ? program : SOCKWRIGHTD, start->arguments);
        char *const output = output_of(line, &status);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != start->status || !strstr(output, start->says))
                fail_msg("%s: wait status %#x: %.1000s", line, (unsigned)status, output);
        free(output);
}

static const struct scenario scenarios[] = {
        { "plain HTTP", plain_http },
        { "silent clients", silent },
        { "reload", reload },
        { "a bad reload", bad_reload },
        { "the curl line", curl_line },
        { "insecure listen", insecure_listen },
};

int main(void)
{
        papers_make();
        const char *const arguments[] = { "--tls-cert", paper_path("server.crt"), "--tls-key",
                paper_path("server.key"), "--tls-client-ca", paper_path("own.crt"), "--tokens",
                paper_path("tokens"), NULL };
        SUITE_ADD_ROWS(play_visit, visits);
        SUITE_ADD_ROWS(play_start, starts);
        SUITE_ADD_SCENARIOS(scenarios);
        const int failed = suite_run("tls", arguments);
        papers_remove();
        return failed;
}
