/* test_restart.c: a daemon under a keeper that is killed, stopped or replaced goes on with all that it had.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/http/kept.h"

enum { PENDING = 3, CROWD = 2 };

static const struct ending {
        const char *name;
        int signal;
} endings[] = {
        { "killed", SIGKILL },
        { "stopped", SIGTERM },
        { "aborted", SIGABRT },
};

static int connect_to(int port)
{
        const struct sockaddr_in address = { .sin_family = AF_INET,
                .sin_port = htons((uint16_t)port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(connect(fd, (const struct sockaddr *)&address, sizeof address), errno);
        return fd;
}

/* A bit of everything; then the same lists, and the same bytes. */
static void play_ending(struct stage *stage, const void *row)
{
        const struct ending *const ending = row;
        int pending[PENDING];
        char path[128];
        const struct reply *const session =
                post(stage, 201, "/v1/sessions", "{'ttl_ms':600000,'label':'job'}");
        const char *const session_id = text_at(session, "id");
        const struct reply *const listener = post(stage, 201, "/v1/sockets",
                "{'bind':'127.0.0.1:0','listen':{'backlog':16},'label':'server','session':'%s',"
                "'options':[{'level':'SOL_SOCKET','option':'SO_RCVBUF','value':50000}]}",
                session_id);
        const char *const listener_id = text_at(listener, "id");
        const int port = (int)number_at(listener, "local.port");
        const int connected = connect_to(port);
        const struct reply *const accepted =
                act(stage, listener_id, "accept", 201, "{'label':'client','timeout_ms':5000}");
        const char *const accepted_id = text_at(accepted, "id");
        assert_int_equal(send(connected, "first second", 12, 0), 12);
        expect_text(
                act(stage, accepted_id, "recv", 200, "{'until':{'bytes':6},'timeout_ms':5000}"), "first ");
        act(stage, accepted_id, "send", 200, "{'text':'sent'}");
        act(stage, accepted_id, "setsockopt", 200,
                "{'level':'IPPROTO_TCP','option':'TCP_NODELAY','value':true}");
        const struct ends pair = make_pair(stage, "SOCK_DGRAM");
        act(stage, pair.near, "send", 200, "{'text':'one'}");
        act(stage, pair.near, "send", 200, "{'text':'two'}");
        const char *const gone = make(stage, "{}");
        drop(stage, 204, "/v1/sockets/%s", gone);
        for (int i = 0; i < PENDING; i++)
                pending[i] = connect_to(port);
        snprintf(path, sizeof path, "/v1/sessions/%s", session_id);
        json_t *const sockets = kept_list(stage, "/v1/sockets"), *const sessions = kept_list(stage, path);

        kept_end(stage, ending->signal);

        kept_expect_same(sockets, kept_list(stage, "/v1/sockets"));
        kept_expect_same(sessions, kept_list(stage, path));
        assert_true(strcmp(text_at(get(stage, 200, "%s", path), "expires"), text_at(session, "expires")) > 0);
        expect_text(act(stage, accepted_id, "recv", 200, "{'size':100}"), "second");
        assert_true(flag_at(
                act(stage, accepted_id, "getsockopt", 200, "{'level':'IPPROTO_TCP','option':'TCP_NODELAY'}"),
                "value"));
        expect_text(act(stage, pair.far, "recv", 200, "{}"), "one");
        expect_text(act(stage, pair.far, "recv", 200, "{}"), "two");
        for (int i = 0; i < PENDING; i++)
                act(stage, listener_id, "accept", 201, "{'timeout_ms':5000}");
        act_refused(stage, listener_id, "accept", "EAGAIN", "{'timeout_ms':0}");
        get(stage, 404, "/v1/sockets/%s", gone);
        assert_string_not_equal(make(stage, "{}"), gone);

        /* What is closed is closed: nobody holds it open. */
        drop(stage, 204, "/v1/sockets/%s", accepted_id);
        char bytes[8];
        assert_int_equal(recv(connected, bytes, sizeof bytes, 0), 4);
        assert_int_equal(recv(connected, bytes, sizeof bytes, 0), 0);
        drop(stage, 204, "%s", path);
        get(stage, 404, "/v1/sockets/%s", listener_id);
        const char *const late = make(stage, "{}");
        act_refused(stage, late, "connect", "ECONNREFUSED", "{'address':'127.0.0.1:%d'}", port);
        close(connected);
        for (int i = 0; i < PENDING; i++)
                close(pending[i]);
}

/* Calls that wait are answered, where there is time for it; their sockets live on. */
static void parked(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        struct pending *const waiting = later(stage, pair.far, "recv", "{'timeout_ms':60000}");
        await_parked(stage, pair.far, 1);
        kept_end(stage, SIGTERM);
        expect_problem(finish(stage, waiting, 503), 503, NULL);
        act(stage, pair.near, "send", 200, "{'text':'after'}");
        expect_text(act(stage, pair.far, "recv", 200, "{}"), "after");
}

/* A lease that nobody renews ends, if later by that. */
static void lease(struct stage *stage)
{
        const struct reply *const session = post(stage, 201, "/v1/sessions", "{'ttl_ms':100}");
        const char *const id = make(stage, "{'session':'%s','bind':'127.0.0.1:0'}", text_at(session, "id"));
        kept_end(stage, SIGKILL);
        const int64_t deadline = milliseconds() + 10000;
        for (int status = 200; status == 200;) {
                char path[128];
                snprintf(path, sizeof path, "/v1/sockets/%s", id);
                struct reply *const reply =
                        exchange(stage->client, &(struct request){ .method = "GET", .path = path });
                status = reply->status;
                reply_free(reply);
                assert_true(milliseconds() < deadline);
        }
        get(stage, 404, "/v1/sessions/%s", text_at(session, "id"));
}

/* The clients' own connections wait in the daemon's listeners meanwhile: none is refused. */
static void control(struct stage *stage)
{
        const struct sockaddr_in address = { .sin_family = AF_INET,
                .sin_port = htons(stage->daemon->port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const pid_t before = kept_daemon(stage->daemon);
        assert_return_code(kill(before, SIGKILL), errno);
        for (int i = 0; i < 200; i++) {
                const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                assert_return_code(connect(fd, (const struct sockaddr *)&address, sizeof address), errno);
                close(fd);
        }
        kept_await(stage->daemon, before);
        kept_await_ready(stage);
}

/* Who is neither the daemon nor its holder is not heard by the keeper. */
static const struct garbage {
        const char *name, *text;
        bool with_descriptor;
} garbages[] = {
        { "noise", "\x01\xff===\n\n=\nFDSTORE", false },
        { "nothing", "", false },
        { "forget the listeners", "FDSTOREREMOVE=1\nFDNAME=listeners", false },
        { "keep this", "FDSTORE=1\nFDNAME=listeners\nFDPOLL=0", true },
        { "a barrier", "BARRIER=1", true },
        { "we stop", "STOPPING=1\nMAINPID=1", false },
};

static long descriptors_of(pid_t process)
{
        return daemon_descriptors(&(struct daemon){ .pid = process });
}

/* $NOTIFY_SOCKET of the daemon. */
static socklen_t notify_address(pid_t daemon, struct sockaddr_un *out)
{
        static const char variable[] = "NOTIFY_SOCKET=@";
        char path[64], environment[65536];
        snprintf(path, sizeof path, "/proc/%d/environ", (int)daemon);
        const int fd = open(path, O_RDONLY | O_CLOEXEC);
        const ssize_t size = read(fd, environment, sizeof environment);
        close(fd);
        *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
        for (const char *at = environment; at < environment + size; at += strlen(at) + 1)
                if (strncmp(at, variable, sizeof variable - 1) == 0) {
                        const size_t length = strlen(at + sizeof variable - 1);
                        memcpy(out->sun_path + 1, at + sizeof variable - 1, length);
                        return (socklen_t)(sizeof out->sun_family + 1 + length);
                }
        fail_msg("the daemon has no NOTIFY_SOCKET");
        return 0;
}

static void play_garbage(struct stage *stage, const void *row)
{
        const struct garbage *const garbage = row;
        struct sockaddr_un address;
        const char *const id = make(stage, "{'label':'mine'}");
        struct iovec bytes = { .iov_base = (char *)(uintptr_t)garbage->text,
                .iov_len = strlen(garbage->text) };
        const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fd)] = { 0 };
        struct msghdr message = { .msg_name = &address,
                .msg_namelen = notify_address(kept_daemon(stage->daemon), &address),
                .msg_iov = &bytes,
                .msg_iovlen = 1 };
        if (garbage->with_descriptor) {
                message.msg_control = control;
                message.msg_controllen = sizeof control;
                struct cmsghdr *const header = (struct cmsghdr *)(void *)control;
                *header = (struct cmsghdr){
                        .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS
                };
                memcpy(CMSG_DATA(header), &fd, sizeof fd);
        }
        const long before = descriptors_of(stage->daemon->pid);
        char *const log = daemon_log(stage->daemon);
        const size_t said = strlen(log);
        free(log);
        assert_true(sendmsg(fd, &message, 0) >= 0);
        const int64_t deadline = milliseconds() + 10000;
        for (bool noted = false; !noted;) {
                char *const more = daemon_log(stage->daemon);
                noted = strstr(more + said, "is left unheard") != NULL;
                free(more);
                assert_true(milliseconds() < deadline);
        }
        close(fd);
        assert_int_equal(descriptors_of(stage->daemon->pid), before);
        kept_end(stage, SIGKILL);
        assert_string_equal(text_at(get(stage, 200, "/v1/sockets/%s", id), "label"), "mine");
}

/* Puts a program in a path's place at once: a copy of another, or a script. */
static void put_program(const char *from, const char *to, const char *script)
{
        char temporary[256];
        snprintf(temporary, sizeof temporary, "%s.new", to);
        const int in = from == NULL ? -1 : open(from, O_RDONLY | O_CLOEXEC);
        const int out = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
        assert_return_code(out, errno);
        if (script != NULL)
                assert_int_equal(write(out, script, strlen(script)), strlen(script));
        while (from != NULL && sendfile(out, in, NULL, 1 << 30) > 0)
                ;
        close(in);
        close(out);
        assert_return_code(rename(temporary, to), errno);
}

/* A stage whose program is a copy, at a path of its own. */
static void open_copy(
        struct stage *out, char directory[static 64], char program[static 128], const char *original)
{
        static const char *const arguments[] = { "--keeper", NULL };
        snprintf(directory, 64, "/tmp/sockwright-upgrade.XXXXXX");
        assert_non_null(mkdtemp(directory));
        snprintf(program, 128, "%s/sockwrightd", directory);
        put_program(original, program, NULL);
        setenv("SOCKWRIGHTD", program, 1);
        stage_open(out, arguments);
}

static const char *original_program(void)
{
        const char *const program = getenv("SOCKWRIGHTD");
        return program ? program : SOCKWRIGHTD;
}

static ino_t program_of(pid_t process)
{
        char path[64];
        struct stat status;
        snprintf(path, sizeof path, "/proc/%d/exe", (int)process);
        assert_return_code(stat(path, &status), errno);
        return status.st_ino;
}

/* The program is replaced: the next daemon is the new one. One that does not come up is waited for. */
static void upgrade(struct stage *stage)
{
        struct stage other;
        char directory[64], program[128];
        char *const original = strdup(original_program());
        open_copy(&other, directory, program, original);
        const char *const id = make(&other, "{'label':'kept','bind':'127.0.0.1:0'}");
        const ino_t before = program_of(kept_daemon(other.daemon));
        put_program(original, program, NULL);
        kept_end(&other, SIGTERM);
        assert_int_not_equal(program_of(kept_daemon(other.daemon)), before);
        assert_string_equal(text_at(get(&other, 200, "/v1/sockets/%s", id), "label"), "kept");
        put_program(NULL, program, "#!/bin/sh\nexit 1\n");
        assert_return_code(kill(kept_daemon(other.daemon), SIGKILL), errno);
        kept_await_said(other.daemon, "ended with status 1,");
        put_program(original, program, NULL);
        kept_await_ready(&other);
        assert_string_equal(text_at(get(&other, 200, "/v1/sockets/%s", id), "label"), "kept");
        struct daemon *const daemon = other.daemon;
        stage_close(&other, stage);
        daemon_stop(daemon);
        setenv("SOCKWRIGHTD", original, 1);
        free(original);
        directory_remove(directory);
}

/* Programs that do not come up. The keeper ends after as many tries, and with such a status. */
static const struct loop {
        const char *name, *program;
        int status;
        const char *said;
} loops[] = {
        { "dies at once", "#!/bin/sh\nkill -9 $$\n", 1, "given up" },
        { "fails at once", "#!/bin/sh\nexit 1\n", 1, "given up" },
        { "is no program", "nonsense", 1, "given up" },
        { "refuses its command line", "#!/bin/sh\nexit 2\n", 2, "" },
};

static void play_loop(struct stage *stage, const void *row)
{
        const struct loop *const loop = row;
        struct stage other;
        char directory[64], program[128];
        int status;
        char *const original = strdup(original_program());
        open_copy(&other, directory, program, original);
        make(&other, "{'bind':'127.0.0.1:0'}");
        put_program(NULL, program, loop->program);
        struct daemon *const daemon = other.daemon;
        assert_return_code(kill(kept_daemon(daemon), SIGKILL), errno);
        struct pollfd ended = { .fd = daemon->process, .events = POLLIN };
        assert_int_equal(poll(&ended, 1, 30000), 1);
        assert_int_equal(waitpid(daemon->pid, &status, 0), daemon->pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), loop->status);
        char *const log = daemon_log(daemon);
        if (strstr(log, loop->said) == NULL)
                fail_msg("it did not say \"%s\": %s", loop->said, log);
        free(log);
        assert_int_equal(access(daemon->socket_path, F_OK), -1);
        stage_close(&other, stage);
        close(daemon->process);
        close(daemon->output);
        directory_remove(daemon->directory);
        free(daemon);
        setenv("SOCKWRIGHTD", original, 1);
        free(original);
        directory_remove(directory);
}

/* Told to stop, it lets all sockets close and leaves no path. */
static void keeper_stops(struct stage *stage)
{
        static const char *const arguments[] = { "--keeper", NULL };
        struct stage other;
        char bytes[8], path[96];
        stage_open(&other, arguments);
        const struct reply *const listener =
                post(&other, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':{'backlog':4}}");
        const int fd = connect_to((int)number_at(listener, "local.port"));
        act(&other, text_at(listener, "id"), "accept", 201, "{'timeout_ms':5000}");
        struct daemon *const daemon = other.daemon;
        snprintf(path, sizeof path, "%s", daemon->socket_path);
        stage_close(&other, stage);
        daemon_stop(daemon);
        assert_int_equal(recv(fd, bytes, sizeof bytes, 0), 0);
        assert_int_equal(access(path, F_OK), -1);
        close(fd);
}

/* One of a crowd: connects again and again, until it is killed. */
static pid_t start_crowd(int port)
{
        const pid_t pid = fork();
        assert_return_code(pid, errno);
        if (pid > 0)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const struct sockaddr_in address = { .sin_family = AF_INET,
                .sin_port = htons((uint16_t)port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        for (;;) {
                const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                (void)connect(fd, (const struct sockaddr *)&address, sizeof address);
                close(fd);
        }
}

static void put_echo(struct stage *stage, const char *id)
{
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/reactor", id);
        const struct request request = { .method = "PUT", .path = path, .json = "{\"kind\":\"echo\"}" };
        expect_status(stage_keep(stage, exchange(stage->client, &request)), 200);
}

/* Reactors serve, and leases end, until the process has ended; a sanitizer tells what they use too late. */
static void at_work(struct stage *stage)
{
        const struct reply *const listener =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':{'backlog':64}}");
        const char *const id = text_at(listener, "id");
        pid_t crowd[CROWD];
        for (int i = 0; i < CROWD; i++)
                crowd[i] = start_crowd((int)number_at(listener, "local.port"));
        for (int i = 0; i < 3; i++) {
                put_echo(stage, id);
                kept_end(stage, SIGTERM);
        }
        for (int i = 0; i < CROWD; i++) {
                kill(crowd[i], SIGKILL);
                waitpid(crowd[i], NULL, 0);
        }
        drop(stage, 204, "/v1/sockets/%s", id);
        char *const log = daemon_log(stage->daemon);
        if (strstr(log, "Sanitizer") != NULL)
                fail_msg("it did not end well: %s", log);
        free(log);
}

/* It passes on the signal to reload. */
static void keeper_reloads(struct stage *stage)
{
        assert_return_code(kill(stage->daemon->pid, SIGHUP), errno);
        kept_await_said(stage->daemon, "notice: reloaded");
}

/* When the keeper is killed, nobody is left who keeps anything: the daemon ends. */
static void keeper_killed(struct stage *stage)
{
        static const char *const arguments[] = { "--keeper", NULL };
        struct stage other;
        stage_open(&other, arguments);
        struct daemon *const daemon = other.daemon;
        const int child = pidfd_open(kept_daemon(daemon), 0);
        assert_return_code(child, errno);
        assert_return_code(kill(daemon->pid, SIGKILL), errno);
        struct pollfd ended = { .fd = child, .events = POLLIN };
        assert_int_equal(poll(&ended, 1, 30000), 1);
        assert_int_equal(waitpid(daemon->pid, NULL, 0), daemon->pid);
        stage_close(&other, stage);
        close(child);
        close(daemon->process);
        close(daemon->output);
        directory_remove(daemon->directory);
        free(daemon);
}

static const struct scenario scenarios[] = {
        { "parked calls are answered", parked },
        { "leases go on", lease },
        { "no client is refused", control },
        { "another program", upgrade },
        { "stopped at work", at_work },
        { "the keeper stops", keeper_stops },
        { "the keeper reloads", keeper_reloads },
        { "the keeper is killed", keeper_killed },
};

int main(void)
{
        static const char *const arguments[] = { "--keeper", NULL };
        SUITE_ADD_ROWS(play_ending, endings);
        SUITE_ADD_SCENARIOS(scenarios);
        SUITE_ADD_ROWS(play_garbage, garbages);
        SUITE_ADD_ROWS(play_loop, loops);
        return suite_run("restart", arguments);
}
