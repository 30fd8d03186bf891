/* test_holder.c: what the daemon's holder keeps when it is itself in trouble. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/resource.h>

#include "tests/http/kept.h"

/* A holder that is killed is missed: what it would have kept, the daemon keeps, and the next one has another
 * holder. */
static const struct orphan {
        const char *name;
        int signal; /* to the daemon too, before it can miss the holder */
} orphans[] = {
        { "the holder is killed", 0 },
        { "the holder is killed, and the daemon stopped", SIGTERM },
};

static void kill_holder(const struct stage *stage, pid_t daemon, int signal)
{
        const pid_t holder = kept_holder(stage->daemon);
        const int process = pidfd_open(holder, 0);
        assert_return_code(process, errno);
        assert_return_code(kill(daemon, SIGSTOP), errno);
        assert_return_code(kill(holder, SIGKILL), errno);
        assert_int_equal(poll(&(struct pollfd){ .fd = process, .events = POLLIN }, 1, 30000), 1);
        if (signal != 0)
                assert_return_code(kill(daemon, signal), errno);
        assert_return_code(kill(daemon, SIGCONT), errno);
        close(process);
}

static void play_orphan(struct stage *stage, const void *row)
{
        const struct orphan *const orphan = row;
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        make(stage, "{'bind':'127.0.0.1:0','listen':{'backlog':4},'label':'server'}");
        act(stage, pair.near, "send", 200, "{'text':'kept'}");
        json_t *const sockets = kept_list(stage, "/v1/sockets");
        const pid_t before = kept_daemon(stage->daemon);
        kill_holder(stage, before, orphan->signal);
        kept_await(stage->daemon, before);
        kept_await_ready(stage);
        kept_end(stage, SIGKILL);
        kept_expect_same(sockets, kept_list(stage, "/v1/sockets"));
        expect_text(act(stage, pair.far, "recv", 200, "{}"), "kept");
        if (orphan->signal == 0)
                kept_await_said(stage->daemon, "error: the holder has been killed");
}

/* A holder that has no descriptor left for what it packs waits for one. */
static void short_of_descriptors(struct stage *stage)
{
        struct rlimit before;
        const char *const id = make(stage, "{'label':'mine'}");
        const pid_t daemon = kept_daemon(stage->daemon), holder = kept_holder(stage->daemon);
        assert_return_code(prlimit(holder, RLIMIT_NOFILE, NULL, &before), errno);
        const struct rlimit none = { .rlim_cur = 0, .rlim_max = before.rlim_max };
        assert_return_code(prlimit(holder, RLIMIT_NOFILE, &none, NULL), errno);
        assert_return_code(kill(daemon, SIGKILL), errno);
        kept_await_said(stage->daemon, "not all sockets can be handed over yet: Too many open files");
        assert_return_code(prlimit(holder, RLIMIT_NOFILE, &before, NULL), errno);
        kept_await(stage->daemon, daemon);
        kept_await_ready(stage);
        assert_string_equal(text_at(get(stage, 200, "/v1/sockets/%s", id), "label"), "mine");
}

static const struct scenario scenarios[] = {
        { "the holder is short of descriptors", short_of_descriptors },
};

int main(void)
{
        static const char *const arguments[] = { "--keeper", NULL };
        SUITE_ADD_ROWS(play_orphan, orphans);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("holder", arguments);
}
