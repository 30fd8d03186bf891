/* test_killed.c: a daemon under a keeper is killed again and again, at random moments, while clients work on
 * it: nothing is lost, nothing comes twice. Prints what it has done; KILLS says how often, SEED when. */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/http/kept.h"
#include "tests/http/toil.h"

#ifdef __SANITIZE_THREAD__
enum { KILLS = 30 };
#else
enum { KILLS = 100 };
#endif

enum { BACKLOG = 4096 };

/* How the daemon ends, one row after the other over and over. */
static struct fault {
        const char *name;
        int signal;
        bool starting; /* while it takes over, else while it serves */
        int share;     /* of so many in all */
        int times, in_flight;
} faults[] = {
        { "kill -9 while it serves", SIGKILL, false, 8, 0, 0 },
        { "kill -9 while it takes over", SIGKILL, true, 2, 0, 0 },
        { "SIGTERM", SIGTERM, false, 1, 0, 0 },
};

/* What came of a kind of toil. */
struct account {
        const char *name;
        unsigned long made, lost, doubled;
};

static unsigned long setting(const char *name, unsigned long otherwise)
{
        const char *const text = getenv(name);
        return text == NULL ? otherwise : strtoul(text, NULL, 10);
}

static unsigned random_below(unsigned end)
{
        static uint64_t state;
        if (state == 0)
                state = setting("SEED", (unsigned long)milliseconds());
        state = state * 6364136223846793005 + 1442695040888963407;
        return (unsigned)(state >> 33) % end;
}

static void end_daemon(struct fault *fault, pid_t *daemon)
{
        if (!fault->starting)
                kept_await_ready(load.stage);
        pause_us(fault->starting ? random_below(40000) : random_below(100000));
        fault->in_flight += load.in_flight;
        fault->times++;
        assert_return_code(kill(*daemon, fault->signal), errno);
        *daemon = kept_await(load.stage->daemon, *daemon);
}

static void end_daemons(void)
{
        const unsigned long kills = setting("KILLS", KILLS);
        pid_t daemon = kept_daemon(load.stage->daemon);
        for (unsigned long done = 0; done < kills;)
                for (size_t i = 0; i < COUNT(faults); i++)
                        for (int share = 0; share < faults[i].share; share++, done++)
                                end_daemon(&faults[i], &daemon);
        kept_await_ready(load.stage);
}

/* Those that nobody has accepted yet still wait in the listener. Returns how many. */
static unsigned long accept_rest(struct stage *stage, const char *listener)
{
        unsigned long count = 0;
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/accept?timeout_ms=0", listener);
        for (int status = 201; status == 201;) {
                struct reply *const reply =
                        exchange(stage->client, &(struct request){ .method = "POST", .path = path });
                status = reply->status;
                count += status == 201;
                reply_free(reply);
        }
        return count;
}

/* Counts, by the peer's port, the sockets that the listener gave, and reads who calls there. */
static void count_accepted(struct stage *stage, const char *listener, unsigned char *times)
{
        char cursor[64] = "";
        int others = 0;
        do {
                const struct reply *const page =
                        get(stage, 200, "/v1/sockets?limit=1000%s%s", *cursor ? "&cursor=" : "", cursor);
                const json_t *const sockets = json_at(page->json, "sockets");
                for (size_t i = 0; i < json_array_size(sockets); i++) {
                        const json_t *const socket = json_array_get(sockets, i);
                        const char *const parent = json_string_value(json_at(socket, "parent"));
                        const json_int_t port = json_integer_value(json_at(socket, "peer.port"));
                        others += parent == NULL || strcmp(parent, listener) != 0;
                        if (parent == NULL || strcmp(parent, listener) != 0)
                                continue;
                        times[port]++;
                        assert_int_equal(json_integer_value(json_at(socket, "receive_queue")), 2);
                }
                const char *const next = json_string_value(json_at(page->json, "next"));
                snprintf(cursor, sizeof cursor, "%s", next == NULL ? "" : next);
        } while (*cursor);
        /* The listener itself, and what is sent and received on. */
        assert_int_equal(others, 1 + 4);
}

/* `accepted`: by those who were told so. */
static struct account account_calls(struct stage *stage, const char *listener, unsigned long accepted)
{
        static unsigned char times[65536];
        struct account account = { .name = "accepted connections" };
        accepted += accept_rest(stage, listener);
        memset(times, 0, sizeof times);
        count_accepted(stage, listener, times);
        for (unsigned i = 0; i < caller_count; i++) {
                account.made++;
                account.lost += times[callers[i].port] == 0;
                account.doubled += times[callers[i].port] > 1;
        }
        /* Nobody was told of those, or somebody twice. */
        account.lost += accepted < caller_count ? caller_count - accepted : 0;
        account.doubled += accepted > caller_count ? accepted - caller_count : 0;
        return account;
}

static void set_id(struct toil *toil, const char *id)
{
        snprintf(toil->id, sizeof toil->id, "%s", id);
}

/* A socket that is connected to one of ours. */
static void open_stream(struct stage *stage, struct toil *sender, struct toil *reader)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(bind(listener, (const struct sockaddr *)&address, sizeof address), errno);
        assert_return_code(listen(listener, 1), errno);
        assert_return_code(
                getsockname(listener, (struct sockaddr *)&address, &(socklen_t){ sizeof address }), errno);
        set_id(sender, make(stage, "{'connect':'127.0.0.1:%d'}", ntohs(address.sin_port)));
        reader->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_return_code(reader->fd, errno);
        close(listener);
}

/* The same for messages, which a full queue holds back, and nothing drops. */
static void open_messages(struct stage *stage, struct toil *sender, struct toil *reader)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        snprintf(address.sun_path, sizeof address.sun_path, "%s/far", stage->daemon->directory);
        unlink(address.sun_path);
        assert_return_code(bind(listener, (const struct sockaddr *)&address, sizeof address), errno);
        assert_return_code(listen(listener, 1), errno);
        set_id(sender, make(stage, "{'type':'SOCK_SEQPACKET','connect':'unix:%s'}", address.sun_path));
        sender->records = true;
        reader->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        reader->records = true;
        assert_return_code(reader->fd, errno);
        close(listener);
}

/* Ends the near side, so that the far one comes to the end. */
static struct account account_sent(
        struct stage *stage, const char *name, const struct toil *sender, struct toil *reader)
{
        act(stage, sender->id, "shutdown", 200, "{'how':'SHUT_WR'}");
        toil_finish(reader);
        close(reader->fd);
        struct account account = {
                .name = name, .made = sender->made, .lost = reader->lost, .doubled = reader->doubled
        };
        if (reader->made < sender->made)
                account.lost += sender->made - reader->made;
        else
                account.doubled += reader->made - sender->made;
        return account;
}

static struct account account_received(const char *name, struct toil *writer, struct toil *receiver)
{
        toil_finish(writer);
        toil_finish(receiver);
        close(writer->fd);
        struct account account = {
                .name = name, .made = writer->made, .lost = receiver->lost, .doubled = receiver->doubled
        };
        if (receiver->made < writer->made)
                account.lost += writer->made - receiver->made;
        else
                account.doubled += receiver->made - writer->made;
        return account;
}

static void print(const struct account *accounts, size_t count)
{
        printf("%-32s %8s %10s\n", "fault", "times", "in flight");
        for (size_t i = 0; i < COUNT(faults); i++)
                printf("%-32s %8d %10d\n", faults[i].name, faults[i].times, faults[i].in_flight);
        printf("%-32s %8d\n\n%-32s %10s %8s %8s\n", "requests made again", load.retried, "", "made", "lost",
                "doubled");
        for (size_t i = 0; i < count; i++)
                printf("%-32s %10lu %8lu %8lu\n", accounts[i].name, accounts[i].made, accounts[i].lost,
                        accounts[i].doubled);
        fflush(stdout);
}

static struct {
        struct toil calls, maker, acceptors[2];
        /* Streams, then messages. */
        struct toil senders[2], readers[2], receivers[2], writers[2];
} toils;

static void begin_toils(struct stage *stage, const struct reply *listener)
{
        memset(&toils, 0, sizeof toils);
        toils.calls.port = (int)number_at(listener, "local.port");
        open_stream(stage, &toils.senders[0], &toils.readers[0]);
        open_messages(stage, &toils.senders[1], &toils.readers[1]);
        open_stream(stage, &toils.receivers[0], &toils.writers[0]);
        open_messages(stage, &toils.receivers[1], &toils.writers[1]);
        toil_start(&toils.calls, toil_call);
        toil_start(&toils.maker, toil_make);
        for (int i = 0; i < 2; i++) {
                set_id(&toils.acceptors[i], text_at(listener, "id"));
                toil_start(&toils.acceptors[i], toil_accept);
                toil_start(&toils.senders[i], toil_send);
                toil_start(&toils.readers[i], toil_read);
                toil_start(&toils.receivers[i], toil_receive);
                toil_start(&toils.writers[i], toil_write);
        }
}

static void killed_under_load(struct stage *stage)
{
        load = (struct load){ .stage = stage };
        const struct reply *const listener =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':{'backlog':%d}}", BACKLOG);
        begin_toils(stage, listener);
        end_daemons();
        load.done = true;
        toil_finish(&toils.calls);
        toil_finish(&toils.maker);
        for (int i = 0; i < 2; i++) {
                toil_finish(&toils.acceptors[i]);
                toil_finish(&toils.senders[i]);
        }
        const struct account accounts[] = {
                account_calls(
                        stage, text_at(listener, "id"), toils.acceptors[0].made + toils.acceptors[1].made),
                account_sent(stage, "bytes sent", &toils.senders[0], &toils.readers[0]),
                account_sent(stage, "messages sent", &toils.senders[1], &toils.readers[1]),
                account_received("bytes received", &toils.writers[0], &toils.receivers[0]),
                account_received("messages received", &toils.writers[1], &toils.receivers[1]),
                { "sockets made and dropped", toils.maker.made, toils.maker.lost, toils.maker.doubled },
        };
        print(accounts, COUNT(accounts));
        if (*load.complaint)
                fail_msg("%s", load.complaint);
        for (size_t i = 0; i < COUNT(accounts); i++)
                if (accounts[i].made == 0 || accounts[i].lost + accounts[i].doubled > 0)
                        fail_msg("%s", accounts[i].name);
        while (caller_count > 0)
                close(callers[--caller_count].fd);
}

static const struct scenario scenarios[] = {
        { "killed under load", killed_under_load },
};

int main(void)
{
        static const char *const arguments[] = { "--keeper", NULL };
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("killed", arguments);
}
