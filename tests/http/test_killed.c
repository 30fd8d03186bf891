/* test_killed.c: a daemon under a keeper is killed again and again, at random moments, while clients work on
 * it: nothing is lost, nothing comes twice. Prints what it has done; KILLS says how often, SEED when. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/http/kept.h"

#ifdef __SANITIZE_THREAD__
enum { KILLS = 30 };
#else
enum { KILLS = 100 };
#endif

enum { CALLS_MAX = 3000, BACKLOG = 4096, PIECE_MAX = 8192, RECORD_SIZE = 8, DEADLINE_MS = 20000 };

/* What all threads share. */
static struct load {
        struct stage *stage;
        _Atomic bool done;
        _Atomic int in_flight, retried; /* requests whose reply is awaited, and those that were made again */
        char complaint[512];            /* the first one, once its thread has ended */
} load;

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

/* What came of a kind of work. */
struct account {
        const char *name;
        unsigned long made, lost, doubled;
};

static unsigned random_below(unsigned end)
{
        static uint64_t state;
        if (state == 0)
                state = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : (uint64_t)milliseconds();
        state = state * 6364136223846793005 + 1442695040888963407;
        return (unsigned)(state >> 33) % end;
}

static void nap_us(unsigned us)
{
        nanosleep(&(struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 }, NULL);
}

/* Asks until there is a reply; a daemon that goes down says so with 503. NULL: it takes too long. */
static struct reply *insist(struct client *client, const struct request *request)
{
        const int64_t deadline = milliseconds() + DEADLINE_MS;
        while (milliseconds() < deadline) {
                load.in_flight++;
                struct reply *const reply = exchange(client, request);
                load.in_flight--;
                if (reply->status != 0 && reply->status != 503)
                        return reply;
                reply_free(reply);
                load.retried++;
                nap_us(1000);
        }
        return NULL;
}

static struct client *new_client(enum transport transport)
{
        struct client *const client = client_new(load.stage->daemon, transport);
        client_set_quiet(client, true);
        return client;
}

/* A thread's work. Nothing here may fail the test but the main thread. */
struct work {
        pthread_t thread;
        char id[48];
        int fd, port;
        bool records; /* numbered messages, rather than a counted stream */
        char complaint[512];
        unsigned long made, lost, doubled;
};

/* A stranger's connections, each of which says who it is. */
static struct caller {
        int fd;
        uint16_t port;
} callers[CALLS_MAX];
static _Atomic unsigned caller_count;

static void *call_in(void *context)
{
        struct work *const work = context;
        const struct sockaddr_in to = { .sin_family = AF_INET,
                .sin_port = htons((uint16_t)work->port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        while (!load.done && caller_count < CALLS_MAX) {
                struct sockaddr_in own = { .sin_port = 0 };
                struct caller *const caller = &callers[caller_count];
                caller->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                if (connect(caller->fd, (const struct sockaddr *)&to, sizeof to) != 0 ||
                        getsockname(caller->fd, (struct sockaddr *)&own, &(socklen_t){ sizeof own }) != 0) {
                        snprintf(work->complaint, sizeof work->complaint, "connect: %s", strerror(errno));
                        return NULL;
                }
                caller->port = ntohs(own.sin_port);
                if (send(caller->fd, &caller->port, sizeof caller->port, 0) != sizeof caller->port)
                        snprintf(work->complaint, sizeof work->complaint, "send: %s", strerror(errno));
                caller_count++;
                nap_us(4000);
        }
        return NULL;
}

static const char *text_member(const struct reply *reply, const char *name)
{
        return reply == NULL ? NULL : json_string_value(json_object_get(reply->json, name));
}

/* Each call has a key of its own, and is made again with that until its reply comes. */
static struct reply *insist_with_key(
        struct client *client, const struct request *request, const void *who, unsigned long turn)
{
        char key[96];
        struct request keyed = *request;
        snprintf(key, sizeof key, "Idempotency-Key: %p-%lu", who, turn);
        keyed.headers[0] = key;
        return insist(client, &keyed);
}

static void *accept_calls(void *context)
{
        struct work *const work = context;
        struct client *const client = new_client(OVER_UNIX);
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/accept?timeout_ms=50", work->id);
        for (unsigned long turn = 0; !load.done; turn++) {
                struct reply *const reply = insist_with_key(
                        client, &(struct request){ .method = "POST", .path = path }, work, turn);
                if (reply == NULL || (reply->status != 201 && reply->status != 422))
                        snprintf(work->complaint, sizeof work->complaint, "accept: %d %.400s",
                                reply == NULL ? 0 : reply->status, reply == NULL ? "" : reply->body);
                work->made += reply != NULL && reply->status == 201;
                if (reply != NULL)
                        reply_free(reply);
        }
        client_free(client);
        return NULL;
}

/* Byte k of a stream tells k. */
static uint8_t byte_at(uint64_t position)
{
        uint64_t state = (position / 8 + 1) * 0x9e3779b97f4a7c15;
        state ^= state >> 29;
        return (uint8_t)(state * 0xbf58476d1ce4e5b9 >> (position % 8 * 8));
}

/* Sends on at its position, again wherever a reply is lost. */
static void *send_on(void *context)
{
        struct work *const work = context;
        struct client *const client = new_client(OVER_TCP);
        unsigned size = 1;
        while (!load.done && *work->complaint == '\0') {
                uint8_t bytes[PIECE_MAX];
                char path[160];
                size = work->records ? RECORD_SIZE : size * 7 % PIECE_MAX + 1;
                for (unsigned i = 0; i < size; i++)
                        bytes[i] = byte_at(work->made + i);
                if (work->records)
                        memcpy(bytes, &work->made, RECORD_SIZE);
                snprintf(path, sizeof path, "/v1/sockets/%s/send?offset=%lu&timeout_ms=1000", work->id,
                        work->made);
                struct reply *const reply = insist(client,
                        &(struct request){ .method = "POST", .path = path, .raw = bytes, .raw_size = size });
                if (reply != NULL && reply->status == 200)
                        work->made = (unsigned long)json_integer_value(json_object_get(reply->json, "next"));
                else if (reply == NULL || reply->status != 422)
                        snprintf(work->complaint, sizeof work->complaint, "send at %lu: %d %.400s",
                                work->made, reply == NULL ? 0 : reply->status,
                                reply == NULL ? "" : reply->body);
                if (reply != NULL)
                        reply_free(reply);
        }
        client_free(client);
        return NULL;
}

/* The far end of that: each byte, or record, is the next one. */
static void *read_on(void *context)
{
        struct work *const work = context;
        uint8_t bytes[PIECE_MAX];
        for (ssize_t size; (size = recv(work->fd, bytes, sizeof bytes, 0)) > 0;) {
                uint64_t number;
                memcpy(&number, bytes, sizeof number);
                if (work->records) {
                        work->lost += number > work->made ? number - work->made : 0;
                        work->doubled += number < work->made;
                        work->made = number + 1;
                        continue;
                }
                for (ssize_t i = 0; i < size && *work->complaint == '\0'; i++)
                        if (bytes[i] != byte_at(work->made + (unsigned long)i))
                                snprintf(work->complaint, sizeof work->complaint,
                                        "the byte at %lu is not the one that was sent",
                                        work->made + (unsigned long)i);
                work->made += (unsigned long)size;
        }
        return NULL;
}

/* The far end of what is received: counted bytes, or numbered records, as fast as they are taken. */
static void *write_on(void *context)
{
        struct work *const work = context;
        const struct timeval patience = { .tv_sec = DEADLINE_MS / 1000 };
        unsigned size = 1;
        setsockopt(work->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        while (!load.done && *work->complaint == '\0') {
                uint8_t bytes[PIECE_MAX];
                size = work->records ? RECORD_SIZE : size * 7 % PIECE_MAX + 1;
                for (unsigned i = 0; i < size; i++)
                        bytes[i] = byte_at(work->made + i);
                if (work->records)
                        memcpy(bytes, &work->made, RECORD_SIZE);
                const ssize_t sent = send(work->fd, bytes, size, MSG_NOSIGNAL);
                if (sent < 0)
                        snprintf(work->complaint, sizeof work->complaint, "write: %s", strerror(errno));
                else
                        work->made += work->records ? 1 : (unsigned long)sent;
        }
        shutdown(work->fd, SHUT_WR);
        return NULL;
}

/* Looks at one reply's bytes, or record. False at the end. */
static bool take_received(struct work *work, const struct reply *reply)
{
        size_t size;
        uint64_t number;
        uint8_t *const bytes = base64_decode(text_member(reply, "data"), &size);
        const bool is_end = json_is_true(json_object_get(reply->json, "eof")) || (work->records && size == 0);
        const unsigned long at = (unsigned long)json_integer_value(json_object_get(reply->json, "offset"));
        if (at != work->made)
                snprintf(work->complaint, sizeof work->complaint, "received at %lu, not %lu", at, work->made);
        for (size_t i = 0; i < size && !work->records && *work->complaint == '\0'; i++)
                if (bytes[i] != byte_at(at + i))
                        snprintf(work->complaint, sizeof work->complaint,
                                "the byte at %lu is not the one that was written", at + i);
        if (work->records && !is_end) {
                memcpy(&number, bytes, size < sizeof number ? size : sizeof number);
                work->lost += number > at ? number - at : 0;
                work->doubled += number < at;
        }
        if (!is_end || !work->records)
                work->made = (unsigned long)json_integer_value(json_object_get(reply->json, "next"));
        free(bytes);
        return !is_end && *work->complaint == '\0';
}

/* Receives on at its position, again wherever a reply is lost, and acknowledges what it has. */
static void *receive_on(void *context)
{
        struct work *const work = context;
        struct client *const client = new_client(OVER_TCP);
        for (bool goes_on = true; goes_on;) {
                char path[192];
                snprintf(path, sizeof path, "/v1/sockets/%s/recv?offset=%lu&ack=%lu&size=%d&timeout_ms=1000",
                        work->id, work->made, work->made, PIECE_MAX);
                struct reply *const reply =
                        insist(client, &(struct request){ .method = "POST", .path = path });
                if (reply != NULL && reply->status == 200)
                        goes_on = take_received(work, reply);
                else if (reply == NULL || reply->status != 422) {
                        snprintf(work->complaint, sizeof work->complaint, "recv at %lu: %d %.400s",
                                work->made, reply == NULL ? 0 : reply->status,
                                reply == NULL ? "" : reply->body);
                        goes_on = false;
                }
                if (reply != NULL)
                        reply_free(reply);
        }
        client_free(client);
        return NULL;
}

static unsigned long number_of_id(const char *id)
{
        return id == NULL ? 0 : strtoul(strchr(id, '-') + 1, NULL, 10);
}

/* Sockets come and go, and none has an id that was given before. */
static void *make_and_drop(void *context)
{
        struct work *const work = context;
        struct client *const client = new_client(OVER_UNIX);
        unsigned long last = 0;
        while (!load.done && *work->complaint == '\0') {
                char path[128];
                struct reply *const made = insist_with_key(client,
                        &(struct request){ .method = "POST", .path = "/v1/sockets", .json = "{}" }, work,
                        2 * work->made);
                const char *const id = text_member(made, "id");
                const unsigned long number = number_of_id(id);
                work->doubled += number <= last;
                last = number;
                snprintf(path, sizeof path, "/v1/sockets/%s", id == NULL ? "" : id);
                struct reply *const shown =
                        insist(client, &(struct request){ .method = "GET", .path = path });
                work->lost += shown == NULL || shown->status != 200;
                struct reply *const dropped = insist_with_key(client,
                        &(struct request){ .method = "DELETE", .path = path }, work, 2 * work->made + 1);
                if (dropped == NULL || dropped->status != 204)
                        snprintf(work->complaint, sizeof work->complaint, "delete: %d %.400s",
                                dropped == NULL ? 0 : dropped->status, dropped == NULL ? "" : dropped->body);
                work->made++;
                reply_free(made);
                reply_free(shown);
                reply_free(dropped);
                nap_us(500);
        }
        client_free(client);
        return NULL;
}

static void start(struct work *work, void *(*run)(void *))
{
        assert_int_equal(pthread_create(&work->thread, NULL, run, work), 0);
}

static void finish_work(struct work *work)
{
        pthread_join(work->thread, NULL);
        if (*work->complaint && !*load.complaint)
                snprintf(load.complaint, sizeof load.complaint, "%s", work->complaint);
}

static void end_daemon(struct fault *fault, pid_t *daemon)
{
        if (!fault->starting)
                kept_await_ready(load.stage);
        nap_us(fault->starting ? random_below(40000) : random_below(100000));
        fault->in_flight += load.in_flight;
        fault->times++;
        assert_return_code(kill(*daemon, fault->signal), errno);
        *daemon = kept_await(load.stage->daemon, *daemon);
}

static void end_daemons(void)
{
        const int kills = getenv("KILLS") ? atoi(getenv("KILLS")) : KILLS;
        pid_t daemon = kept_daemon(load.stage->daemon);
        for (int done = 0; done < kills;)
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

static void set_id(struct work *work, const char *id)
{
        snprintf(work->id, sizeof work->id, "%s", id);
}

/* A socket that is connected to one of ours. */
static void open_stream(struct stage *stage, struct work *sender, struct work *reader)
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
static void open_messages(struct stage *stage, struct work *sender, struct work *reader)
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
        struct stage *stage, const char *name, const struct work *sender, struct work *reader)
{
        act(stage, sender->id, "shutdown", 200, "{'how':'SHUT_WR'}");
        finish_work(reader);
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

static struct account account_received(const char *name, struct work *writer, struct work *receiver)
{
        finish_work(writer);
        finish_work(receiver);
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
        struct work calls, maker, acceptors[2];
        /* Streams, then messages. */
        struct work senders[2], readers[2], receivers[2], writers[2];
} works;

static void begin_works(struct stage *stage, const struct reply *listener)
{
        memset(&works, 0, sizeof works);
        works.calls.port = (int)number_at(listener, "local.port");
        open_stream(stage, &works.senders[0], &works.readers[0]);
        open_messages(stage, &works.senders[1], &works.readers[1]);
        open_stream(stage, &works.receivers[0], &works.writers[0]);
        open_messages(stage, &works.receivers[1], &works.writers[1]);
        start(&works.calls, call_in);
        start(&works.maker, make_and_drop);
        for (int i = 0; i < 2; i++) {
                set_id(&works.acceptors[i], text_at(listener, "id"));
                start(&works.acceptors[i], accept_calls);
                start(&works.senders[i], send_on);
                start(&works.readers[i], read_on);
                start(&works.receivers[i], receive_on);
                start(&works.writers[i], write_on);
        }
}

static void killed_under_load(struct stage *stage)
{
        load = (struct load){ .stage = stage };
        const struct reply *const listener =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':{'backlog':%d}}", BACKLOG);
        begin_works(stage, listener);
        end_daemons();
        load.done = true;
        finish_work(&works.calls);
        finish_work(&works.maker);
        for (int i = 0; i < 2; i++) {
                finish_work(&works.acceptors[i]);
                finish_work(&works.senders[i]);
        }
        const struct account accounts[] = {
                account_calls(
                        stage, text_at(listener, "id"), works.acceptors[0].made + works.acceptors[1].made),
                account_sent(stage, "bytes sent", &works.senders[0], &works.readers[0]),
                account_sent(stage, "messages sent", &works.senders[1], &works.readers[1]),
                account_received("bytes received", &works.writers[0], &works.receivers[0]),
                account_received("messages received", &works.writers[1], &works.receivers[1]),
                { "sockets made and dropped", works.maker.made, works.maker.lost, works.maker.doubled },
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
