/* test_pivot.c: nobody gets to the daemon's own listeners, or to metadata services, through its sockets. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/http/steps.h"

enum { TEXT_SIZE = 1024, RAW_SIZE = 14 };

/* A folder with links to the daemon's unix socket. */
static char folder[] = "/tmp/sockwright-pivot.XXXXXX";

static const char *in_folder(const char *name)
{
        static char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, name);
        return path;
}

static void folder_fill(const struct stage *stage)
{
        if (access(in_folder("hard"), F_OK) == 0)
                return;
        assert_return_code(link(stage->daemon->socket_path, in_folder("hard")), errno);
        assert_return_code(symlink(stage->daemon->socket_path, in_folder("soft")), errno);
        assert_return_code(symlink("soft", in_folder("softer")), errno);
        assert_return_code(mkdir(in_folder("in"), 0700), errno);
        assert_return_code(symlink(stage->daemon->directory, in_folder("door")), errno);
}

static void folder_remove(void)
{
        static const char *const names[] = { "hard", "soft", "softer", "in", "door", "" };
        for (size_t i = 0; i < COUNT(names); i++)
                (void)remove(in_folder(names[i]));
}

static uint16_t ipv6_port(const struct stage *stage)
{
        static const char mark[] = "listening on http://[::1]:";
        const char *const line = strstr(stage->daemon->greeting, mark);
        assert_non_null(line);
        return (uint16_t)strtoul(line + sizeof mark - 1, NULL, 10);
}

/* A sockaddr_in behind its family, in base64. */
static char *raw_ipv4(const char *host, uint16_t port)
{
        uint8_t bytes[RAW_SIZE] = { (uint8_t)(port >> 8), (uint8_t)port };
        assert_int_equal(inet_pton(AF_INET, host, bytes + 2), 1);
        return base64_encode(bytes, sizeof bytes);
}

/* The marks of a text, replaced. */
static void fill_in(const struct stage *stage, const char *text, char out[TEXT_SIZE])
{
        char port[8], port6[8], up[128] = "";
        snprintf(port, sizeof port, "%u", stage->daemon->port);
        snprintf(port6, sizeof port6, "%u", ipv6_port(stage));
        /* Up to the root from wherever the daemon was started, and more. */
        for (int i = 0; i < 12; i++)
                strcat(up, "../");
        char *const raw = raw_ipv4("127.0.0.1", stage->daemon->port);
        char *const raw_metadata = raw_ipv4("169.254.169.254", 80);
        const struct {
                const char *mark, *text;
        } marks[] = {
                { "{port}", port },
                { "{port6}", port6 },
                { "{path}", stage->daemon->socket_path },
                { "{up}", up },
                { "{folder}", folder },
                { "{raw}", raw },
                { "{raw metadata}", raw_metadata },
        };
        size_t used = 0;
        for (const char *at = text; *at != '\0';) {
                size_t mark = 0;
                while (mark < COUNT(marks) && strncmp(at, marks[mark].mark, strlen(marks[mark].mark)) != 0)
                        mark++;
                const bool found = mark < COUNT(marks);
                used += (size_t)snprintf(
                        out + used, TEXT_SIZE - used, "%.*s", found ? 255 : 1, found ? marks[mark].text : at);
                at += found ? strlen(marks[mark].mark) : 1;
                assert_true(used < TEXT_SIZE);
        }
        free(raw);
        free(raw_metadata);
}

#define TCP "{}"
#define TCP6 "{'family':'AF_INET6'}"
#define UDP "{'type':'SOCK_DGRAM'}"
#define UDP6 "{'type':'SOCK_DGRAM','family':'AF_INET6'}"
#define UNIX "{'family':'AF_UNIX'}"
#define UNIX_DATAGRAM "{'family':'AF_UNIX','type':'SOCK_DGRAM'}"
#define TO(address) "{'address':" address "}"
#define FAST_OPEN(address) "{'address':" address ",'text':'GET / HTTP/1.1','flags':['MSG_FASTOPEN']}"
#define SEND(address) "{'address':" address ",'text':'x'}"

static const struct attack {
        const char *name;
        const char *socket; /* NULL: the socket is made with the request itself */
        const char *action, *json;
        const char *rule;
} attacks[] = {
        { "IPv4", TCP, "connect", TO("'127.0.0.1:{port}'"), "control" },
        { "IPv4, in the making", NULL, "", "{'connect':'127.0.0.1:{port}'}", "control" },
        { "IPv4, as an object", TCP, "connect", TO("{'host':'127.0.0.1','port':{port}}"), "control" },
        { "IPv4, raw", TCP, "connect", TO("{'family':'AF_INET','raw':'{raw}'}"), "control" },
        { "by its name", TCP, "connect", TO("'localhost:{port}'"), "control" },
        { "by its name, in the making", NULL, "", "{'connect':'localhost:{port}'}", "control" },
        { "0.0.0.0", TCP, "connect", TO("'0.0.0.0:{port}'"), "control" },
        { "0.0.0.0, in the making", NULL, "", "{'connect':':{port}'}", "control" },
        { "mapped", TCP6, "connect", TO("'[::ffff:127.0.0.1]:{port}'"), "control" },
        { "mapped, other digits", TCP6, "connect", TO("'[0:0:0:0:0:ffff:7f00:1]:{port}'"), "control" },
        { "mapped 0.0.0.0", TCP6, "connect", TO("'[::ffff:0:0]:{port}'"), "control" },
        { "mapped, in the making", NULL, "", "{'connect':'[::ffff:127.0.0.1]:{port}'}", "control" },
        { "IPv6", TCP6, "connect", TO("'[::1]:{port6}'"), "control" },
        { "::", TCP6, "connect", TO("'[::]:{port6}'"), "control" },
        { "IPv6 with a scope", TCP6, "connect", TO("'[::1%lo]:{port6}'"), "control" },
        { "MPTCP", "{'protocol':'IPPROTO_MPTCP'}", "connect", TO("'127.0.0.1:{port}'"), "control" },
        { "fast open", TCP, "sendto", FAST_OPEN("'127.0.0.1:{port}'"), "control" },
        { "fast open, 0.0.0.0", TCP, "sendto", FAST_OPEN("'0.0.0.0:{port}'"), "control" },
        { "fast open, AF_UNSPEC", TCP, "sendto", FAST_OPEN("{'family':'AF_UNSPEC','raw':'{raw}'}"),
                "control" },
        { "fast open, mapped", TCP6, "sendto", FAST_OPEN("'[::ffff:127.0.0.1]:{port}'"), "control" },
        { "fast open, IPv6", TCP6, "sendto", FAST_OPEN("'[::1]:{port6}'"), "control" },
        { "path", UNIX, "connect", TO("'unix:{path}'"), "control" },
        { "path, in the making", NULL, "", "{'connect':'unix:{path}'}", "control" },
        { "path, as an object", UNIX, "connect", TO("{'family':'AF_UNIX','path':'{path}'}"), "control" },
        { "path, relative", UNIX, "connect", TO("'unix:{up}{path}'"), "control" },
        { "path, slashes", UNIX, "connect", TO("'unix://.{path}'"), "control" },
        { "path, dots", UNIX, "connect", TO("'unix:{folder}/in/../soft'"), "control" },
        { "symbolic link", UNIX, "connect", TO("'unix:{folder}/soft'"), "control" },
        { "link to a link", NULL, "", "{'connect':'unix:{folder}/softer'}", "control" },
        { "hard link", UNIX, "connect", TO("'unix:{folder}/hard'"), "control" },
        { "linked folder", UNIX, "connect", TO("'unix:{folder}/door/sockwright.sock'"), "control" },
        { "the process's root", UNIX, "connect", TO("'unix:/proc/self/root{path}'"), "control" },
        { "datagram to the path", UNIX_DATAGRAM, "sendto", SEND("'unix:{folder}/soft'"), "control" },
        { "datagrams to the path", UNIX_DATAGRAM, "connect", TO("'unix:{path}'"), "control" },
        { "metadata", TCP, "connect", TO("'169.254.169.254:80'"), "metadata" },
        { "metadata, in the making", NULL, "", "{'connect':'169.254.169.254:80'}", "metadata" },
        { "metadata, raw", TCP, "connect", TO("{'family':'AF_INET','raw':'{raw metadata}'}"), "metadata" },
        { "metadata, mapped", TCP6, "connect", TO("'[::ffff:169.254.169.254]:80'"), "metadata" },
        { "metadata, IPv6", TCP6, "connect", TO("'[fd00:ec2::254]:80'"), "metadata" },
        { "metadata, UDP", UDP, "sendto", SEND("'169.254.169.254:53'"), "metadata" },
        { "metadata, UDP, AF_UNSPEC", UDP, "sendto", SEND("{'family':'AF_UNSPEC','raw':'{raw metadata}'}"),
                "metadata" },
        { "metadata, UDP, IPv4 on IPv6", UDP6, "sendto", SEND("{'family':'AF_INET','raw':'{raw metadata}'}"),
                "metadata" },
        { "metadata, UDP, connected", UDP, "connect", TO("'169.254.169.254:53'"), "metadata" },
        { "metadata, fast open", TCP, "sendto", FAST_OPEN("'169.254.169.254:80'"), "metadata" },
        { "a source route", TCP, "setsockopt",
                "{'level':'IPPROTO_IP','option':'IP_OPTIONS','raw':'gwcEfwAAAQA='}", "option" },
        { "a source route, in the making", NULL, "",
                "{'options':[{'level':0,'option':4,'raw':'gwcEfwAAAQA='}]}", "option" },
};

static void expect_denied(const struct reply *reply, const char *rule)
{
        expect_problem(reply, 403, NULL);
        assert_string_equal(text_at(reply, "type"), "https://sockwright.dev/problems/denied");
        assert_string_equal(text_at(reply, "rule"), rule);
}

static void play_attack(struct stage *stage, const void *row)
{
        const struct attack *const attack = row;
        char json[TEXT_SIZE];
        folder_fill(stage);
        fill_in(stage, attack->json, json);
        if (attack->socket == NULL) {
                const size_t before = count_sockets(stage);
                expect_denied(post(stage, 403, "/v1/sockets", "%s", json), attack->rule);
                assert_int_equal(count_sockets(stage), before);
                return;
        }
        const char *const id = make(stage, "%s", attack->socket);
        expect_denied(act(stage, id, attack->action, 403, "%s", json), attack->rule);
        assert_string_not_equal(text_at(get(stage, 200, "/v1/sockets/%s", id), "state"), "connected");
}

/* 0.0.0.0 is the address that the socket is bound to: here, not that of the listener. */
static void unspecified_stays_bound(struct stage *stage)
{
        const char *const id = make(stage, "{'bind':'127.0.0.2:0'}");
        act_refused(stage, id, "connect", "ECONNREFUSED", "{'address':'0.0.0.0:%u'}", stage->daemon->port);
}

/* What is no stream does not reach it. */
static void datagrams_pass(struct stage *stage)
{
        const char *const id = make(stage, UDP);
        act(stage, id, "sendto", 200, "{'address':'127.0.0.1:%u','text':'x'}", stage->daemon->port);
}

/* What was judged for its path is what the kernel is given; its errors are the kernel's own. */
static void paths_fail_as_ever(struct stage *stage)
{
        const char *const id = make(stage, UNIX);
        act_refused(stage, id, "connect", "ENOENT", "{'address':'unix:%s/none'}", folder);
        act_refused(stage, id, "connect", "ENOTDIR", "{'address':'unix:/etc/passwd/x'}");
        act_refused(stage, id, "connect", "ECONNREFUSED", "{'address':'unix:/etc/passwd'}");
        act_refused(stage, id, "bind", "ENOENT", "{'address':'unix:%s/none/x'}", folder);
        act_refused(stage, id, "bind", "EADDRINUSE", "{'address':'unix:%s'}", folder);
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        act_refused(stage, pair.near, "sendto", "EISCONN", "{'address':'unix:%s/none','text':'x'}", folder);
}

static void paths_lead_through_links(struct stage *stage)
{
        static const char *const ways[] = { "server", "in/../server", "link" };
        const char *const listener =
                make(stage, "{'family':'AF_UNIX','bind':'unix:%s/server','listen':true}", folder);
        (void)unlink(in_folder("link"));
        assert_return_code(symlink("server", in_folder("link")), errno);
        for (size_t i = 0; i < COUNT(ways); i++) {
                const struct reply *const client =
                        post(stage, 201, "/v1/sockets", "{'connect':'unix:%s/%s'}", folder, ways[i]);
                assert_string_equal(text_at(client, "peer.path"), in_folder("server"));
                act(stage, listener, "accept", 201, "");
        }
        const char *const receiver =
                make(stage, "{'family':'AF_UNIX','type':'SOCK_DGRAM','bind':'unix:%s/datagrams'}", folder);
        act(stage, make(stage, UNIX_DATAGRAM), "sendto", 200,
                "{'address':'unix:%s/in/../datagrams','text':'x'}", folder);
        expect_text(act(stage, receiver, "recvfrom", 200, ""), "x");
        static const char *const names[] = { "server", "link", "datagrams" };
        for (size_t i = 0; i < COUNT(names); i++)
                (void)unlink(in_folder(names[i]));
}

static void explain_says_so(struct stage *stage)
{
        char path[TEXT_SIZE];
        folder_fill(stage);
        const struct reply *reply = post(stage, 200, "/v1/policy/explain",
                "{'operation':'connect','address':'0.0.0.0:%u'}", stage->daemon->port);
        assert_false(flag_at(reply, "allowed"));
        assert_string_equal(text_at(reply, "rule"), "control");
        assert_string_equal(text_at(reply, "mode"), "enforce");
        assert_string_equal(text_at(reply, "operation"), "connect");
        snprintf(path, sizeof path, "127.0.0.1:%u", stage->daemon->port);
        assert_string_equal(text_at(reply, "judged"), path);
        reply = post(stage, 200, "/v1/policy/explain", "{'operation':'connect','address':'unix:%s/softer'}",
                folder);
        assert_string_equal(text_at(reply, "rule"), "control");
        snprintf(path, sizeof path, "unix:%s", stage->daemon->socket_path);
        assert_string_equal(text_at(reply, "judged"), path);
}

static const struct scenario scenarios[] = {
        { "0.0.0.0 stays bound", unspecified_stays_bound },
        { "datagrams pass", datagrams_pass },
        { "paths fail as ever", paths_fail_as_ever },
        { "paths lead through links", paths_lead_through_links },
        { "explain says so", explain_says_so },
};

int main(void)
{
        static const char *const arguments[] = { "--listen", "[::1]:0", NULL };
        if (!mkdtemp(folder))
                abort();
        SUITE_ADD_ROWS(play_attack, attacks);
        SUITE_ADD_SCENARIOS(scenarios);
        const int failed = suite_run("pivot", arguments);
        folder_remove();
        return failed;
}
