/* test_guard.c: the daemon's own listeners by all their names, paths, and policies that change. */
#include "daemon/sockets/guard.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/sockets/cleanup.h"
#include "tests/unit/judge.h"

static struct guard guard;
static char folder[] = "/tmp/sockwright-guard.XXXXXX";

enum { LISTENER_COUNT = 6 };
static int listeners[LISTENER_COUNT];
static uint16_t ports[LISTENER_COUNT];

enum { LOOPBACK, ANY, SIX, SIX_ANY, PATH, ABSTRACT };

/* "{n}" is the port of listener n, "{}" the folder. */
static const char *fill_in(const char *text, char out[256])
{
        size_t used = 0;
        for (const char *at = text; *at != '\0'; at++) {
                if (*at != '{') {
                        out[used++] = *at;
                } else if (at[1] == '}') {
                        used += (size_t)snprintf(out + used, 256 - used, "%s", folder);
                        at++;
                } else {
                        used += (size_t)snprintf(out + used, 256 - used, "%u", ports[at[1] - '0']);
                        at += 2;
                }
        }
        out[used] = '\0';
        return out;
}

static void listen_on(int place, const char *text)
{
        char filled[256];
        struct address address;
        if (address_parse(fill_in(text, filled), &address).kind != RESULT_DONE)
                abort();
        listeners[place] = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(listeners[place], (const struct sockaddr *)&address.storage, address.size) != 0 ||
                listen(listeners[place], 4) != 0)
                abort();
        address.size = sizeof address.storage;
        getsockname(listeners[place], (struct sockaddr *)&address.storage, &address.size);
        struct target target;
        target_read(&target, WAY_OTHER, &address.storage, address.size);
        ports[place] = target.port;
}

static void open_all(void)
{
        static const char *const addresses[LISTENER_COUNT] = { "127.0.0.1:0", "0.0.0.0:0", "[::1]:0",
                "[::]:0", "unix:{}/socket", "unix:@sockwright-guard" };
        char one[256], other[256];
        if (mkdtemp(folder) == NULL)
                abort();
        for (int i = 0; i < LISTENER_COUNT; i++)
                listen_on(i, addresses[i]);
        if (symlink(fill_in("{}/socket", one), fill_in("{}/soft", other)) != 0 ||
                link(one, fill_in("{}/hard", other)) != 0 || mkdir(fill_in("{}/in", other), 0700) != 0 ||
                symlink(folder, fill_in("{}/in/out", other)) != 0 ||
                symlink("/etc", fill_in("{}/in/etc", other)) != 0 ||
                !guard_set_listeners(&guard, listeners, LISTENER_COUNT))
                abort();
}

static void close_all(void)
{
        static const char *const names[] = { "{}/in/out", "{}/in/etc", "{}/in", "{}/hard", "{}/soft",
                "{}/socket", "{}" };
        char path[256];
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                (void)remove(fill_in(names[i], path));
        for (int i = 0; i < LISTENER_COUNT; i++)
                close(listeners[i]);
        guard_clear(&guard);
}

static struct verdict judge(enum deed_kind kind, int type, const char *text)
{
        char filled[256];
        struct address address;
        struct passage passage passage_auto;
        struct verdict verdict;
        static const enum way ways[DEED_COUNT] = { [DEED_CONNECT] = WAY_CONNECT, [DEED_SEND] = WAY_SEND };
        assert_int_equal(address_parse(fill_in(text, filled), &address).kind, RESULT_DONE);
        passage_open(&passage, ways[kind], -1, address.storage.ss_family, type, &address);
        const struct deed deed = { .kind = kind,
                .risk = RISK_SOME,
                .family = address.storage.ss_family,
                .type = type,
                .target = &passage.target,
                .token = "",
                .policy = "" };
        guard_judge(&guard, &deed, &verdict);
        return verdict;
}

static const struct way_in {
        const char *name;
        const char *address;
        enum deed_kind kind;
        int type;
        bool is_control;
} ways_in[] = {
        { "its address", "127.0.0.1:{0}", DEED_CONNECT, SOCK_STREAM, true },
        { "fast open", "127.0.0.1:{0}", DEED_SEND, SOCK_STREAM, true },
        { "mapped", "[::ffff:127.0.0.1]:{0}", DEED_CONNECT, SOCK_STREAM, true },
        { "compatible", "[::127.0.0.1]:{0}", DEED_CONNECT, SOCK_STREAM, true },
        { "unspecified", "0.0.0.0:{0}", DEED_CONNECT, SOCK_STREAM, true },
        { "mapped unspecified", "[::ffff:0.0.0.0]:{0}", DEED_CONNECT, SOCK_STREAM, true },
        { "another type of stream", "127.0.0.1:{0}", DEED_CONNECT, SOCK_SEQPACKET, true },
        { "another loopback address", "127.0.0.2:{0}", DEED_CONNECT, SOCK_STREAM, false },
        { "IPv6 loopback", "[::1]:{0}", DEED_CONNECT, SOCK_STREAM, false },
        { "another host", "203.0.113.9:{0}", DEED_CONNECT, SOCK_STREAM, false },
        { "UDP", "127.0.0.1:{0}", DEED_SEND, SOCK_DGRAM, false },
        { "binding", "127.0.0.1:{0}", DEED_BIND, SOCK_STREAM, false },
        { "a peer", "127.0.0.1:{0}", DEED_ACCEPT, SOCK_STREAM, false },
        { "any: loopback", "127.0.0.1:{1}", DEED_CONNECT, SOCK_STREAM, true },
        { "any: all of loopback", "127.9.9.9:{1}", DEED_CONNECT, SOCK_STREAM, true },
        { "any: unspecified", "0.0.0.0:{1}", DEED_CONNECT, SOCK_STREAM, true },
        { "any: another host", "203.0.113.9:{1}", DEED_CONNECT, SOCK_STREAM, false },
        { "any: IPv6", "[::1]:{1}", DEED_CONNECT, SOCK_STREAM, false },
        { "IPv6", "[::1]:{2}", DEED_CONNECT, SOCK_STREAM, true },
        { "IPv6 unspecified", "[::]:{2}", DEED_CONNECT, SOCK_STREAM, true },
        { "IPv6: IPv4", "127.0.0.1:{2}", DEED_CONNECT, SOCK_STREAM, false },
        { "IPv6 any", "[::1]:{3}", DEED_CONNECT, SOCK_STREAM, true },
        { "IPv6 any: IPv4", "127.0.0.1:{3}", DEED_CONNECT, SOCK_STREAM, true },
        { "IPv6 any: mapped", "[::ffff:127.0.0.5]:{3}", DEED_CONNECT, SOCK_STREAM, true },
        { "IPv6 any: another host", "[2001:db8::9]:{3}", DEED_CONNECT, SOCK_STREAM, false },
        { "path", "unix:{}/socket", DEED_CONNECT, SOCK_STREAM, true },
        { "path with dots", "unix:{}/in/../socket", DEED_CONNECT, SOCK_STREAM, true },
        { "path with slashes", "unix:{}//./socket", DEED_CONNECT, SOCK_STREAM, true },
        { "symbolic link", "unix:{}/soft", DEED_CONNECT, SOCK_STREAM, true },
        { "hard link", "unix:{}/hard", DEED_CONNECT, SOCK_STREAM, true },
        { "linked folder", "unix:{}/in/out/hard", DEED_CONNECT, SOCK_STREAM, true },
        { "the process's root", "unix:/proc/self/root{}/socket", DEED_CONNECT, SOCK_STREAM, true },
        { "datagrams to the path", "unix:{}/socket", DEED_SEND, SOCK_DGRAM, true },
        { "another path", "unix:{}/none", DEED_CONNECT, SOCK_STREAM, false },
        { "abstract", "unix:@sockwright-guard", DEED_CONNECT, SOCK_STREAM, true },
        { "another abstract name", "unix:@sockwright-guard2", DEED_CONNECT, SOCK_STREAM, false },
};

static void knows_its_listeners(void **state)
{
        const struct way_in *const row = *state;
        const struct verdict verdict = judge(row->kind, row->type, row->address);
        assert_string_equal(verdict.rule, row->is_control ? "control" : "default");
        assert_int_equal(verdict.allowed, !row->is_control);
}

static const struct path_row {
        const char *name, *rule; /* a path of a rule that allows; "{}" is the folder */
        enum deed_kind kind;
        const char *address;
        bool allowed;
} path_rows[] = {
        { "under it", "{}/in", DEED_BIND, "unix:{}/in/new", true },
        { "itself", "{}/new", DEED_BIND, "unix:{}/new", true },
        { "beside it", "{}/in", DEED_BIND, "unix:{}/inn", false },
        { "up from it", "{}/in", DEED_BIND, "unix:{}/in/../new", false },
        { "out of it by a link", "{}/in", DEED_BIND, "unix:{}/in/out/new", false },
        { "out of it to /etc", "{}/in", DEED_CONNECT, "unix:{}/in/etc/passwd", false },
        { "into it by a link", "{}/in", DEED_BIND, "unix:{}/in/out/in/new", true },
        { "everywhere", "/", DEED_BIND, "unix:{}/new", true },
        { "the folder itself", "{}/in", DEED_BIND, "unix:{}/in/.", false },
        { "not there", "{}/in", DEED_CONNECT, "unix:{}/in/none", true },
        { "an abstract name is no path", "/", DEED_BIND, "unix:@x", false },
        { "nor is one that looks so", "{}/in", DEED_BIND, "unix:@{}/in/x", false },
};

static void keeps_paths(void **state)
{
        const struct path_row *const row = *state;
        char path[256], text[512];
        struct problem problem = { .extra = NULL };
        snprintf(text, sizeof text, "{'rules':[{'name':'p','allow':['bind','connect'],'path':['%s']}]}",
                fill_in(row->rule, path));
        struct policy *policy = policy_written(text, &problem);
        if (policy == NULL)
                fail_msg("%s", problem.detail);
        guard_set_policy(&guard, policy);
        const struct verdict verdict = judge(row->kind, SOCK_STREAM, row->address);
        guard_set_policy(&guard, NULL);
        assert_string_equal(verdict.rule, row->allowed ? "p" : "default");
}

static void says_whether_it_reports(void **state)
{
        (void)state;
        struct problem problem = { .extra = NULL };
        assert_false(guard_reports(&guard));
        guard_set_policy(&guard, policy_written("{'mode':'report','rules':[]}", &problem));
        assert_true(guard_reports(&guard));
        guard_set_policy(&guard, NULL);
}

/* A policy is put in force as a whole: nobody sees half of one. */
static _Atomic bool done;
static _Atomic int wrong;

static void *judge_on(void *unused)
{
        struct address address;
        struct target target;
        struct verdict verdict;
        (void)unused;
        address_parse("10.0.0.1:80", &address);
        target_read(&target, WAY_CONNECT, &address.storage, address.size);
        const struct deed deed = {
                .kind = DEED_CONNECT, .risk = RISK_SOME, .target = &target, .token = "", .policy = ""
        };
        while (!done) {
                guard_judge(&guard, &deed, &verdict);
                wrong += strcmp(verdict.rule, verdict.allowed ? "yes" : "no") != 0;
        }
        return NULL;
}

static void policies_change_under_judgement(void **state)
{
        enum { THREADS = 4, CHANGES = 500 };
        static const char *const texts[] = { "{'rules':[{'name':'no','deny':['*']}]}",
                "{'rules':[{'name':'yes','allow':['*']}]}" };
        pthread_t threads[THREADS];
        struct problem problem = { .extra = NULL };
        (void)state;
        guard_set_policy(&guard, policy_written(texts[0], &problem));
        for (int i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, judge_on, NULL), 0);
        for (int i = 0; i < CHANGES; i++) {
                guard_set_policy(&guard, policy_written(texts[i % 2], &problem));
                assert_true(guard_set_listeners(&guard, listeners, LISTENER_COUNT));
        }
        done = true;
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        guard_set_policy(&guard, NULL);
        assert_int_equal(wrong, 0);
}

int main(void)
{
        static struct row_tests all;
        open_all();
        ROWS_ADD(&all, knows_its_listeners, ways_in);
        ROWS_ADD(&all, keeps_paths, path_rows);
        rows_add_one(&all, "says whether it reports", says_whether_it_reports);
        rows_add_one(&all, "policies change", policies_change_under_judgement);
        const int failed = rows_run("guard", &all);
        close_all();
        return failed;
}
