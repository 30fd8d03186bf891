/* test_access.c: who is let in, and what is no good HTTP. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/http/command.h"
#include "tests/http/steps.h"
#include "tests/http/wire.h"

/* Over TCP; "{token}" stands for the daemon's token. */
static const struct claim {
        const char *name, *path, *authorization;
        int status;
} claims[] = {
        { "no token", "/v1/sockets", NULL, 401 },
        { "the token", "/v1/sockets", "Bearer {token}", 200 },
        { "the scheme in small letters", "/v1/sockets", "bearer {token}", 200 },
        { "a wrong token", "/v1/sockets", "Bearer wrong", 401 },
        { "an empty token", "/v1/sockets", "Bearer ", 401 },
        { "the token and more", "/v1/sockets", "Bearer {token}x", 401 },
        { "another scheme", "/v1/sockets", "Basic {token}", 401 },
        { "the token alone", "/v1/sockets", "{token}", 401 },
        { "health without", "/healthz", NULL, 200 },
        { "readiness without", "/readyz", NULL, 200 },
        { "version without", "/version", NULL, 200 },
        { "contract without", "/openapi.yaml", NULL, 200 },
};

static void play_claim(struct stage *stage, const void *row)
{
        const struct claim *const claim = row;
        char header[512] = "";
        if (claim->authorization) {
                const char *const mark = strstr(claim->authorization, "{token}");
                const size_t before =
                        mark ? (size_t)(mark - claim->authorization) : strlen(claim->authorization);
                snprintf(header, sizeof header, "Authorization: %.*s%s%s", (int)before, claim->authorization,
                        mark ? stage->daemon->token : "", mark ? mark + 7 : "");
        }
        const struct request request = {
                .method = "GET", .path = claim->path, .no_token = true, .headers = { *header ? header : NULL }
        };
        const struct reply *const reply = stage_keep(stage, exchange(stage->over_tcp, &request));
        expect_status(reply, claim->status);
        if (claim->status == 401) {
                expect_problem(reply, 401, NULL);
                assert_int_equal(strncmp(reply_header(reply, "www-authenticate"), "Bearer", 6), 0);
        }
}

/* Sent as they stand; then the daemon answers and, where it cannot be sure of what follows, hangs up. */
static const struct wording {
        const char *name, *head; /* behind "POST /v1/sockets HTTP/1.1\r\n" */
        const char *body;
        int status;
        bool ends;
} wordings[] = {
        { "good", "Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n", "{}", 201,
                false },
        { "good and chunked",
                "Host: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
                "2\r\n{}\r\n0\r\n\r\n", 201, .ends = false },
        { "two lengths", "Host: localhost\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n", "", 400,
                .ends = true },
        { "the same length twice", "Host: localhost\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", "",
                400, .ends = true },
        { "length and chunks", "Host: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                "0\r\n\r\n", 400, .ends = true },
        { "chunks of another name", "Host: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n", "0\r\n\r\n",
                400, .ends = true },
        { "two hosts", "Host: localhost\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", "", 400,
                .ends = true },
        { "no host", "Content-Length: 0\r\n\r\n", "", 400, .ends = true },
        { "a length of words", "Host: localhost\r\nContent-Length: two\r\n\r\n", "", 400, .ends = true },
        { "a length below 0", "Host: localhost\r\nContent-Length: -1\r\n\r\n", "", 400, .ends = true },
        { "a length of 2^64", "Host: localhost\r\nContent-Length: 18446744073709551616\r\n\r\n", "", 413,
                true },
        { "a length over the limit",
                "Host: localhost\r\nContent-Type: application/json\r\n"
                "Content-Length: 99999999999\r\n\r\n",
                "", 413, .ends = true },
};

static void play_wording(struct stage *stage, const void *row)
{
        const struct wording *const wording = row;
        struct wire_reply reply;
        const size_t before = count_sockets(stage);
        const bool over_tcp = stage->client == stage->over_tcp;
        const int fd = wire_open(stage->daemon, over_tcp ? OVER_TCP : OVER_UNIX);
        wire_write(fd, "POST /v1/sockets HTTP/1.1\r\nAuthorization: Bearer %s\r\n%s%s", stage->daemon->token,
                wording->head, wording->body);
        wire_read(fd, &reply);
        if (reply.status != wording->status)
                fail_msg("%d, not %d: %s%s", reply.status, wording->status, reply.head, reply.body);
        if (wording->ends)
                assert_true(wire_ends(fd));
        close(fd);
        assert_int_equal(count_sockets(stage) - before, wording->status == 201);
}

/* A page of another site must not reach the daemon through a browser: neither by a name of its own, nor by
 * ours. */
static const struct caller {
        const char *name, *headers;
        int status;
} callers[] = {
        { "localhost", "Host: localhost", 200 },
        { "localhost with a port", "Host: localhost:7625", 200 },
        { "an address", "Host: 127.0.0.1", 200 },
        { "IPv6", "Host: [::1]", 200 },
        { "another name", "Host: evil.example", 403 },
        { "another name that starts well", "Host: localhost.evil.example", 403 },
};

static void play_caller(struct stage *stage, const void *row)
{
        const struct caller *const caller = row;
        struct wire_reply reply;
        const int fd = wire_open(stage->daemon, OVER_TCP);
        wire_write(fd, "GET /v1/sockets HTTP/1.1\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n",
                stage->daemon->token, caller->headers);
        wire_read(fd, &reply);
        close(fd);
        if (reply.status != caller->status)
                fail_msg("%d, not %d: %s%s", reply.status, caller->status, reply.head, reply.body);
}

/* Who shows no token does not learn which paths there are. Not noted: the contract has no such path. */
static void no_token_no_path(struct stage *stage)
{
        const struct request request = { .method = "GET", .path = "/v1/nothing", .no_token = true };
        client_set_quiet(stage->over_tcp, true);
        expect_problem(stage_keep(stage, exchange(stage->over_tcp, &request)), 401, NULL);
        client_set_quiet(stage->over_tcp, false);
}

static void forbidden_host(struct stage *stage)
{
        const struct request request = {
                .method = "GET", .path = "/v1/sockets", .headers = { "Host: evil.example" }
        };
        expect_problem(stage_keep(stage, exchange(stage->over_tcp, &request)), 403, NULL);
}

static void unix_needs_no_token(struct stage *stage)
{
        const struct request request = { .method = "GET", .path = "/v1/sockets" };
        expect_status(stage_keep(stage, exchange(stage->over_unix, &request)), 200);
        struct stat status;
        assert_return_code(stat(stage->daemon->socket_path, &status), errno);
        assert_int_equal(status.st_mode & 07777, 0600);
        assert_int_equal(status.st_uid, geteuid());
}

static void token_file(struct stage *stage)
{
        struct stat status;
        assert_return_code(stat(stage->daemon->token_path, &status), errno);
        assert_int_equal(status.st_mode & 07777, 0600);
        assert_true(strlen(stage->daemon->token) >= 32);
        char *const log = daemon_log(stage->daemon);
        assert_null(strstr(log, stage->daemon->token));
        free(log);
}

/* What the daemon made at its first start is good at its second, and its unix socket's path is free again. */
static void token_is_kept(struct stage *stage)
{
        (void)stage;
        char directory[] = "/tmp/sockwright-kept.XXXXXX", path[128];
        assert_non_null(mkdtemp(directory));
        struct daemon *daemon = daemon_start_in(directory, NULL);
        char *const token = strdup(daemon->token);
        assert_int_equal(access(daemon->socket_path, F_OK), 0);
        daemon_stop(daemon);
        snprintf(path, sizeof path, "%s/sockwright.sock", directory);
        assert_int_equal(access(path, F_OK), -1);
        daemon = daemon_start_in(directory, NULL);
        assert_string_equal(daemon->token, token);
        free(token);
        daemon_stop(daemon);
        snprintf(path, sizeof path, "%s/token", directory);
        unlink(path);
        snprintf(path, sizeof path, "%s/log", directory);
        unlink(path);
        assert_return_code(rmdir(directory), errno);
}

/* Its owner could read the token, or write one that he knows. */
static void token_of_another(struct stage *stage)
{
        (void)stage;
        enum { NOBODY = 65534 };
        if (geteuid() != 0) {
                print_message("skipped: only root can give a file away\n");
                skip();
        }
        char directory[] = "/tmp/sockwright-other.XXXXXX", path[64], line[1024];
        const char *const program = getenv("SOCKWRIGHTD");
        int status;
        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof path, "%s/token", directory);
        const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, "0123456789abcdef0123456789abcdef\n", 33), 33);
        assert_return_code(fchown(fd, NOBODY, NOBODY), errno);
        close(fd);
        snprintf(line, sizeof line,
                "timeout 30 %s --unix %s/socket --listen 127.0.0.1:0 --token-file %s 2>&1",
                program ? program : SOCKWRIGHTD, directory, path);
        char *const output = output_of(line, &status);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 1 || !strstr(output, path))
                fail_msg("%s: wait status %#x: %.1000s", line, (unsigned)status, output);
        free(output);
        unlink(path);
        assert_return_code(rmdir(directory), errno);
}

/* The lines that it prints at its start work when pasted into a shell. */
static void curl_lines(struct stage *stage)
{
        int count = 0;
        for (const char *line = stage->daemon->greeting; (line = strstr(line, "curl ")); count++) {
                const size_t size = strcspn(line, "\n");
                char *command = NULL;
                int status;
                assert_true(asprintf(&command, "%.*s --silent", (int)size, line) > 0);
                char *const output = output_of(command, &status);
                if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !strstr(output, "\"sockets\":"))
                        fail_msg("%s: %d: %s", command, status, output);
                free(output);
                free(command);
                line += size;
        }
        assert_in_range(count, 1, 2);
}

static const struct command {
        const char *name, *arguments;
        int status;
        const char *says;
} commands[] = {
        { "--version", "--version", 0, SOCKWRIGHT_VERSION },
        { "--help", "--help", 0, "--token-file" },
        { "--openapi", "--openapi", 0, "openapi: 3.1" },
        { "an unknown option", "--nonesuch", 2, "" },
        { "an option without its value", "--listen", 2, "" },
        { "a listener that is none", "--unix /tmp/sockwright-$$.sock --listen nonsense", 1, "" },
        { "a number that is none", "--max-sockets many", 2, "" },
};

static void play_command(struct stage *stage, const void *row)
{
        (void)stage;
        const struct command *const command = row;
        const char *const program = getenv("SOCKWRIGHTD");
        char line[1024];
        int status;
        snprintf(line, sizeof line, "%s %s 2>&1", program ? program : SOCKWRIGHTD, command->arguments);
        char *const output = output_of(line, &status);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != command->status || !strstr(output, command->says))
                fail_msg("%s: wait status %#x: %.1000s", line, (unsigned)status, output);
        free(output);
}

static const struct scenario scenarios[] = {
        { "no token, no path", no_token_no_path },
        { "a forbidden host", forbidden_host },
        { "unix needs no token", unix_needs_no_token },
        { "the token's file", token_file },
        { "the token is kept", token_is_kept },
        { "a token of another user", token_of_another },
        { "the curl lines", curl_lines },
};

int main(void)
{
        SUITE_ADD_ROWS(play_claim, claims);
        SUITE_ADD_ROWS(play_wording, wordings);
        SUITE_ADD_ROWS(play_caller, callers);
        SUITE_ADD_ROWS(play_command, commands);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("access", NULL);
}
