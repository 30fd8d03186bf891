/* test_tokens.c: several names, what each may do and see, how much each may take, and what is noted of it. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/http/command.h"
#include "tests/http/steps.h"
#include "tests/http/tokens.h"
#include "tests/http/wire.h"

enum { NOBODY = 65534 };

/* Who the daemon knows, beside its owner. */
#define CI "ci-0123456789abcdef"
#define LAB "lab-0123456789abcdef"
#define EYE "eye-0123456789abcdef"
#define VIEWER "viewer-0123456789abcdef"
#define CHIEF "chief-0123456789abcdef"

static const struct named_token names[] = {
        { "ci", CI, "operate" },
        { "lab", LAB, "operate, lab" },
        { "eye", EYE, "watch" },
        { "viewer", VIEWER, "watch admin" },
        { "chief", CHIEF, "admin" },
};

static char tokens_path[64];

static void tokens_write(const char *more)
{
        tokens_file_write(tokens_path, names, COUNT(names), more);
}

/* One exchange over TCP with a token. */
static struct reply *as(
        struct stage *stage, const char *token, const char *method, const char *path, const char *json)
{
        char header[512];
        char *const body = json ? requote(json) : NULL;
        snprintf(header, sizeof header, "Authorization: Bearer %s", token);
        const struct request request = {
                .method = method, .path = path, .json = body, .no_token = true, .headers = { header }
        };
        struct reply *const reply = stage_keep(stage, exchange(stage->over_tcp, &request));
        free(body);
        return reply;
}

static struct reply *as_on(struct stage *stage, const char *token, const char *method, const char *id,
        const char *action, const char *json)
{
        char path[256];
        snprintf(path, sizeof path, "/v1/sockets/%s%s", id, action);
        return as(stage, token, method, path, json);
}

static const char *make_as(struct stage *stage, const char *token, const char *json)
{
        const struct reply *const reply = as(stage, token, "POST", "/v1/sockets", json);
        expect_status(reply, 201);
        return text_at(reply, "id");
}

static const struct errand {
        const char *name, *token, *method, *path, *json;
        int status;
} errands[] = {
        { "operate lists", CI, "GET", "/v1/sockets", NULL, 200 },
        { "operate makes", CI, "POST", "/v1/sockets", "{}", 201 },
        { "watch lists", EYE, "GET", "/v1/sockets", NULL, 200 },
        { "watch resolves", EYE, "GET", "/v1/inet_aton?address=127.1", NULL, 200 },
        { "watch makes nothing", EYE, "POST", "/v1/sockets", "{}", 403 },
        { "watch makes no pair", EYE, "POST", "/v1/socketpairs", "{}", 403 },
        { "watch and admin make nothing", VIEWER, "POST", "/v1/sockets", "{}", 403 },
        { "admin makes", CHIEF, "POST", "/v1/sockets", "{}", 201 },
        { "watch measures", EYE, "GET", "/metrics", NULL, 200 },
        { "nobody lists", "nobody-0123456789abcdef", "GET", "/v1/sockets", NULL, 401 },
        { "a token cut short", "ci-0123456789abcde", "GET", "/v1/sockets", NULL, 401 },
        { "a digest as token", "sha256:00", "GET", "/v1/sockets", NULL, 401 },
        { "a name as token", "ci", "GET", "/v1/sockets", NULL, 401 },
        { "nobody asks for the version", "nobody-0123456789abcdef", "GET", "/version", NULL, 200 },
        { "nobody asks for what is not there", "nobody-0123456789abcdef", "GET", "/v1/nothing", NULL, 401 },
        { "somebody asks for what is not there", CI, "GET", "/v1/nothing", NULL, 404 },
};

static void play_errand(struct stage *stage, const void *row)
{
        const struct errand *const errand = row;
        const struct reply *const reply =
                as(stage, errand->token, errand->method, errand->path, errand->json);
        expect_status(reply, errand->status);
        if (errand->status >= 400)
                expect_problem(reply, errand->status, NULL);
}

/* What each may do with a socket that ci has made. */
static const struct reach {
        const char *name, *token, *method, *action, *json;
        int status;
} reaches[] = {
        { "its own", CI, "GET", "", NULL, 200 },
        { "another's: show", LAB, "GET", "", NULL, 404 },
        { "another's: options", LAB, "GET", "/options", NULL, 404 },
        { "another's: bind", LAB, "POST", "/bind", "{'address':'127.0.0.1:0'}", 404 },
        { "another's: recv", LAB, "POST", "/recv?timeout_ms=0", NULL, 404 },
        { "another's: send", LAB, "POST", "/send", "{'text':'x'}", 404 },
        { "another's: setsockopt", LAB, "POST", "/setsockopt",
                "{'level':'SOL_SOCKET','option':'SO_KEEPALIVE','value':true}", 404 },
        { "another's: wait", LAB, "POST", "/wait?events=POLLIN&timeout_ms=0", NULL, 404 },
        { "another's: delete", LAB, "DELETE", "", NULL, 404 },
        { "another's: watched", EYE, "GET", "", NULL, 404 },
        { "another's: streamed", LAB, "GET", "/stream", NULL, 404 },
        { "anyone's: watched by an admin", VIEWER, "GET", "", NULL, 200 },
        { "anyone's: an option read by an admin who watches", VIEWER, "POST", "/getsockopt",
                "{'level':'SOL_SOCKET','option':'SO_TYPE'}", 200 },
        { "anyone's: waited for by an admin who watches", VIEWER, "POST", "/wait", "{'events':[]}", 200 },
        { "anyone's: not changed by an admin who watches", VIEWER, "DELETE", "", NULL, 403 },
        { "anyone's: changed by an admin", CHIEF, "POST", "/bind", "{'address':'127.0.0.1:0'}", 200 },
        { "anyone's: deleted by an admin", CHIEF, "DELETE", "", NULL, 204 },
};

static void play_reach(struct stage *stage, const void *row)
{
        const struct reach *const reach = row;
        const char *const id = make_as(stage, CI, "{}");
        const struct reply *const reply =
                as_on(stage, reach->token, reach->method, id, reach->action, reach->json);
        expect_status(reply, reach->status);
        if (reach->status == 404)
                assert_string_equal(text_at(reply, "title"), "Unknown socket");
        expect_status(as_on(stage, CI, "GET", id, "", NULL),
                strcmp(reach->method, "DELETE") == 0 && reach->status == 204 ? 404 : 200);
}

static void lists_are_ones_own(struct stage *stage)
{
        const char *const theirs = make_as(stage, CI, "{'label':'theirs'}");
        const char *const ours = make_as(stage, LAB, "{'label':'ours'}");
        const struct reply *const list = as(stage, LAB, "GET", "/v1/sockets", NULL);
        assert_int_equal(json_array_size(json_at(list->json, "sockets")), 1);
        assert_string_equal(text_at(list, "sockets.0.id"), ours);
        assert_string_equal(text_at(list, "sockets.0.owner"), "lab");
        const struct reply *const all = as(stage, VIEWER, "GET", "/v1/sockets", NULL);
        assert_int_equal(json_array_size(json_at(all->json, "sockets")), 2);
        assert_string_equal(text_at(all, "sockets.0.id"), theirs);
        assert_string_equal(text_at(all, "sockets.0.owner"), "ci");
        assert_string_equal(text_at(get(stage, 200, "/v1/sockets/%s", ours), "owner"), "lab");
}

/* Guessing: the ids of others are as unknown as those that never were. */
static void guessed_ids(struct stage *stage)
{
        const char *const id = make_as(stage, CI, "{}");
        char guess[64], poll[128];
        const size_t prefix = strcspn(id, "-") + 1;
        int found = 0;
        for (int number = 1; number < 40; number++) {
                snprintf(guess, sizeof guess, "%.*s%d", (int)prefix, id, number);
                const struct reply *const reply = as_on(stage, LAB, "GET", guess, "", NULL);
                found += reply->status != 404;
                assert_null(strstr(reply->body, "ci"));
                snprintf(poll, sizeof poll, "{'sockets':[{'id':'%s','events':[]}]}", guess);
                expect_problem(as(stage, LAB, "POST", "/v1/poll", poll), 400, "sockets[0].id");
        }
        assert_int_equal(found, 0);
}

/* An accepted socket belongs to who accepted it. */
static void accepted_sockets(struct stage *stage)
{
        const char *const listener = make_as(stage, CI, "{'bind':'127.0.0.1:0','listen':true}");
        const struct reply *const shown = as_on(stage, CI, "GET", listener, "", NULL);
        char json[128];
        snprintf(json, sizeof json, "{'connect':'127.0.0.1:%d'}", (int)number_at(shown, "local.port"));
        make_as(stage, LAB, json);
        const struct reply *const accepted = as_on(stage, CI, "POST", listener, "/accept", NULL);
        expect_status(accepted, 201);
        assert_string_equal(text_at(accepted, "owner"), "ci");
        expect_status(as_on(stage, LAB, "GET", text_at(accepted, "id"), "", NULL), 404);
}

static void await_status(struct stage *stage, const char *token, int status)
{
        const int64_t deadline = milliseconds() + 10000;
        while (as(stage, token, "GET", "/v1/sockets", NULL)->status != status)
                if (milliseconds() > deadline)
                        fail_msg("%s has not come to %d in time", token, status);
}

static void await_log(struct stage *stage, const char *text)
{
        const int64_t deadline = milliseconds() + 10000;
        for (bool found = false; !found;) {
                char *const log = daemon_log(stage->daemon);
                found = strstr(log, text) != NULL;
                free(log);
                if (!found && milliseconds() > deadline)
                        fail_msg("the log does not say in time: %s", text);
        }
}

/* "new-0123456789abcdef" comes with the second reading; an unsound file changes nothing. */
static void reading_again(struct stage *stage)
{
        static const char new_token[] = "new-0123456789abcdef";
        const char *const id = make_as(stage, CI, "{}");
        uint8_t bytes[32];
        char line[128] = "new: sha256:";
        digest(new_token, strlen(new_token), bytes);
        for (size_t at = 0; at < sizeof bytes; at++)
                snprintf(line + strlen(line), sizeof line - strlen(line), "%02x", bytes[at]);
        snprintf(line + strlen(line), sizeof line - strlen(line), ", operate\n");
        expect_status(as(stage, new_token, "GET", "/v1/sockets", NULL), 401);
        tokens_write(line);
        assert_return_code(kill(stage->daemon->pid, SIGHUP), errno);
        await_status(stage, new_token, 200);
        expect_status(as_on(stage, CI, "GET", id, "", NULL), 200);

        tokens_write("nonsense\n");
        assert_return_code(kill(stage->daemon->pid, SIGHUP), errno);
        await_log(stage, "line 6");
        await_log(stage, "reloading failed");
        expect_status(as(stage, new_token, "GET", "/v1/sockets", NULL), 200);

        tokens_write("");
        assert_return_code(kill(stage->daemon->pid, SIGHUP), errno);
        await_status(stage, new_token, 401);
        expect_status(as_on(stage, CI, "GET", id, "", NULL), 200);
}

/* What another user gets on the unix socket; 0: its connection is ended. */
static int status_for_nobody(struct stage *stage)
{
        assert_return_code(chmod(stage->daemon->directory, 0755), errno);
        const pid_t child = fork();
        assert_return_code(child, errno);
        if (child == 0) {
                if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
                        _exit(1);
                const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
                struct sockaddr_un address = { .sun_family = AF_UNIX };
                memcpy(address.sun_path, stage->daemon->socket_path, strlen(stage->daemon->socket_path) + 1);
                if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
                        _exit(2);
                static const char text[] = "GET /v1/sockets HTTP/1.1\r\nHost: localhost\r\n\r\n";
                char head[16] = "";
                if (send(fd, text, sizeof text - 1, MSG_NOSIGNAL) < 0)
                        _exit(4);
                _exit(read(fd, head, 12) == 12 && strncmp(head, "HTTP/1.1 200", 12) == 0 ? 3 : 4);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void users_of_the_unix_socket(struct stage *stage)
{
        if (geteuid() != 0) {
                print_message("skipped: only root can become another user\n");
                skip();
        }
        assert_int_equal(status_for_nobody(stage), 2); /* its mode keeps them out */
        tokens_write("tester: uid:65534, operate\n");
        assert_return_code(kill(stage->daemon->pid, SIGHUP), errno);
        const int64_t deadline = milliseconds() + 10000;
        while (status_for_nobody(stage) != 3)
                assert_true(milliseconds() < deadline);
        tokens_write("tester: gid:65534, watch\n");
        assert_return_code(kill(stage->daemon->pid, SIGHUP), errno);
        assert_int_equal(status_for_nobody(stage), 3);
        tokens_write("tester: gid:1, watch\n");
        assert_return_code(kill(stage->daemon->pid, SIGHUP), errno);
        while (status_for_nobody(stage) != 4)
                assert_true(milliseconds() < deadline);
        tokens_write("");
        assert_return_code(kill(stage->daemon->pid, SIGHUP), errno);
        while (status_for_nobody(stage) != 2)
                assert_true(milliseconds() < deadline);
        /* Who shows a token is whom it names, on the unix socket too. */
        const struct request request = { .method = "POST",
                .path = "/v1/sockets",
                .json = "{}",
                .headers = { "Authorization: Bearer " EYE } };
        expect_status(stage_keep(stage, exchange(stage->over_unix, &request)), 403);
}

static void quota_of_sockets(struct stage *stage)
{
        const char *first = NULL;
        for (int i = 0; i < 8; i++)
                first = make_as(stage, CI, "{}");
        expect_problem(as(stage, CI, "POST", "/v1/sockets", "{}"), 429, NULL);
        expect_problem(as(stage, CI, "POST", "/v1/socketpairs", "{'family':'AF_UNIX'}"), 429, NULL);
        make_as(stage, LAB, "{}");
        expect_status(as_on(stage, CI, "DELETE", first, "", NULL), 204);
        expect_status(as(stage, CI, "POST", "/v1/socketpairs", "{'family':'AF_UNIX'}"), 429);
        make_as(stage, CI, "{}");
}

/* A call of ci's that will wait, on a connection of its own. */
static int park_as_ci(struct stage *stage, const char *id)
{
        const int fd = wire_open(stage->daemon, OVER_TCP);
        wire_write(fd,
                "POST /v1/sockets/%s/recv HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " CI
                "\r\nContent-Length: 0\r\n\r\n",
                id);
        return fd;
}

static void quota_of_parked_calls(struct stage *stage)
{
        const char *const id = make_as(stage, CI, "{'type':'SOCK_DGRAM','bind':'127.0.0.1:0'}");
        const int first = park_as_ci(stage, id), second = park_as_ci(stage, id);
        await_parked(stage, id, 2);
        expect_problem(as_on(stage, CI, "POST", id, "/recv", NULL), 429, NULL);
        expect_errno(as_on(stage, CI, "POST", id, "/recv?timeout_ms=0", NULL), "EAGAIN");
        close(first);
        await_parked(stage, id, 1);
        const int third = park_as_ci(stage, id);
        await_parked(stage, id, 2);
        close(second);
        close(third);
        await_parked(stage, id, 0);
}

/* The opening, `size` letters, and the end of a JSON object; to be freed. */
static char *text_body(const char *opening, char letter, size_t size)
{
        char *body = NULL;
        char *const letters = malloc(size + 1);
        assert_non_null(letters);
        memset(letters, letter, size);
        letters[size] = '\0';
        assert_true(asprintf(&body, "%s%s'}", opening, letters) > 0);
        free(letters);
        return body;
}

/* A pair of ci's, whose second end has `size` bytes to receive. */
static const char *fill_pair(struct stage *stage, size_t size)
{
        const struct reply *const pair =
                as(stage, CI, "POST", "/v1/socketpairs", "{'family':'AF_UNIX','type':'SOCK_STREAM'}");
        expect_status(pair, 201);
        char *const json = text_body("{'all':true,'text':'", 'x', size);
        expect_status(as_on(stage, CI, "POST", text_at(pair, "sockets.0.id"), "/send", json), 200);
        free(json);
        return text_at(pair, "sockets.1.id");
}

static void quota_of_held_bytes(struct stage *stage)
{
        const char *const id = fill_pair(stage, 131072);
        enum { TOO_MUCH = 1100000 };
        char *const json = text_body("{'data':'", 'A', TOO_MUCH);
        expect_problem(as_on(stage, CI, "POST", id, "/send", json), 429, NULL);
        free(json);
        /* What it has gathered by then is not lost. */
        expect_problem(as_on(stage, CI, "POST", id, "/recv", "{'until':{'bytes':600000},'timeout_ms':0}"),
                422, NULL);
        const struct reply *const rest = as_on(stage, CI, "POST", id, "/recv?until=131072", NULL);
        expect_status(rest, 200);
        assert_int_equal(number_at(rest, "size"), 131072);
}

static void quota_of_requests(struct stage *stage)
{
        struct stage own;
        const char *const arguments[] = { "--tokens", tokens_path, "--token-max-requests-per-second", "5",
                NULL };
        stage_open(&own, arguments);
        int refused = 0;
        struct reply *last = as(&own, CI, "GET", "/v1/if_nameindex", NULL);
        for (int i = 0; i < 20; i++) {
                struct reply *const reply = as(&own, CI, "GET", "/v1/if_nameindex", NULL);
                if (reply->status == 429)
                        last = reply;
                refused += reply->status == 429;
        }
        assert_in_range(refused, 5, 16);
        expect_problem(last, 429, NULL);
        assert_string_equal(reply_header(last, "retry-after"), "1");
        expect_status(as(&own, LAB, "GET", "/v1/if_nameindex", NULL), 200);
        struct daemon *const daemon = own.daemon;
        stage_close(&own, stage);
        daemon_stop(daemon);
}

static void what_is_noted(struct stage *stage)
{
        const char *const id = make_as(stage, CI, "{'bind':'127.0.0.1:0','label':'a\\u0007b'}");
        expect_errno(as_on(stage, CI, "POST", id, "/connect", "{'address':'127.0.0.1:1'}"), "ECONNREFUSED");
        expect_status(as_on(stage, CI, "POST", id, "/send", "{'text':'confidential'}"), 422);
        expect_status(as(stage, EYE, "POST", "/v1/socketpairs", "{}"), 403);
        expect_status(as(stage, "wrong-0123456789abcdef", "POST", "/v1/sockets", "{}"), 401);
        expect_errno(as(stage, CI, "POST", "/v1/sockets", "{'bind':{'path':'/nowhere/a\\nb \\u001b[1m'}}"),
                "ENOENT");
        char expected[256];
        snprintf(expected, sizeof expected,
                "\"what\":\"socket_connect\",\"socket\":\"%s\",\"address\":\"127.0.0.1:1\",\"status\":422,"
                "\"errno\":\"ECONNREFUSED\"",
                id);
        await_log(stage, "\"who\":\"ci\",\"from\":\"127.0.0.1:");
        await_log(stage, expected);
        await_log(stage, "\"who\":\"eye\"");
        await_log(stage, "\"what\":\"socketpair_create\",\"status\":403");
        await_log(stage, "\"who\":\"nobody\"");
        await_log(stage, "\"errno\":\"ENOENT\"");
        char *const log = daemon_log(stage->daemon);
        for (const char *at = log; *at; at++)
                if (*at != '\n' && (*at < ' ' || *at > '~'))
                        fail_msg("the log holds a byte 0x%02x", (unsigned char)*at);
        assert_null(strstr(log, "confidential"));
        for (size_t i = 0; i < COUNT(names); i++)
                assert_null(strstr(log, names[i].token));
        assert_null(strstr(log, "socket_list"));
        free(log);
}

/* What --make-token prints is what the daemon takes. */
static void new_token(struct stage *stage)
{
        char command[512];
        const char *const program = getenv("SOCKWRIGHTD");
        int status;
        snprintf(command, sizeof command, "exec 2>&1; exec %s --make-token maker",
                program ? program : SOCKWRIGHTD);
        char *const said = output_of(command, &status);
        assert_int_equal(status, 0);
        assert_non_null(strchr(said, '\n'));
        char *const line = strchr(said, '\n') + 1;
        line[-1] = '\0';
        char *const token = strrchr(said, ' ') + 1;
        assert_int_equal(strlen(token), 64);
        assert_null(strstr(line, token));
        tokens_write(line);
        assert_return_code(kill(stage->daemon->pid, SIGHUP), errno);
        await_status(stage, token, 200);
        assert_string_equal(
                text_at(as_on(stage, token, "GET", make_as(stage, token, "{}"), "", NULL), "owner"), "maker");
        tokens_write("");
        assert_return_code(kill(stage->daemon->pid, SIGHUP), errno);
        await_status(stage, token, 401);
        free(said);
}

static const struct scenario scenarios[] = {
        { "lists are one's own", lists_are_ones_own },
        { "guessed ids", guessed_ids },
        { "accepted sockets", accepted_sockets },
        { "reading again", reading_again },
        { "users of the unix socket", users_of_the_unix_socket },
        { "a quota of sockets", quota_of_sockets },
        { "a quota of parked calls", quota_of_parked_calls },
        { "a quota of held bytes", quota_of_held_bytes },
        { "a quota of requests", quota_of_requests },
        { "what is noted", what_is_noted },
        { "a new token", new_token },
};

int main(void)
{
        char directory[] = "/tmp/sockwright-tokens.XXXXXX";
        const char *const arguments[] = { "--tokens", tokens_path, "--audit", "--token-max-sockets", "8",
                "--token-max-parked", "2", "--token-max-held-bytes", "1000000", NULL };
        if (!mkdtemp(directory))
                return 1;
        snprintf(tokens_path, sizeof tokens_path, "%s/tokens", directory);
        tokens_write("");
        SUITE_ADD_ROWS(play_errand, errands);
        SUITE_ADD_ROWS(play_reach, reaches);
        SUITE_ADD_SCENARIOS(scenarios);
        const int failed = suite_run("tokens", arguments);
        unlink(tokens_path);
        rmdir(directory);
        return failed;
}
