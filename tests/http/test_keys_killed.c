/* test_keys_killed.c: a daemon under a keeper is killed at random moments, while clients make calls with an
 * Idempotency-Key, and make them again until there is a reply: each is done once. KILLS says how often. */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/kept.h"
#include "tests/http/keyed.h"

#ifdef __SANITIZE_THREAD__
enum { KILLS = 15 };
#else
enum { KILLS = 50 };
#endif

enum { NAP_MOST_US = 40000, DEADLINE_MS = 60000, PIECE_MAX = 50000 };

static struct {
        struct stage *stage;
        _Atomic bool done, sent; /* no more calls; no more that send */
        _Atomic int retried, replayed;
} load;

/* One thread that makes one call after the other. Nothing here may fail the test but the main thread. */
struct worker {
        const char *name;
        bool (*work)(struct worker *worker); /* one call; false: `complaint` says why it went wrong */
        pthread_t thread;
        struct client *client;
        int number; /* which of all */
        unsigned long count;
        char complaint[512];
        char near[64], far[64]; /* sockets of its own; of a listener, the listener */
        int port;
        uint64_t position; /* of a stream */
};

static unsigned random_below(unsigned end)
{
        static uint64_t state;
        const char *const seed = getenv("SEED");
        if (state == 0)
                state = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)milliseconds();
        state = state * 6364136223846793005 + 1442695040888963407;
        return (unsigned)(state >> 33) % end;
}

/* Makes a call under a key of its own until there is a reply; NULL: it takes too long. Each call's key is
 * new, so that only its retries may be given its outcome. */
static struct reply *insist(
        struct worker *worker, const char *method, const char *path, const char *json, const char *what)
{
        char header[96];
        const int64_t deadline = milliseconds() + DEADLINE_MS;
        snprintf(header, sizeof header, "Idempotency-Key: %s %d %lu", what, worker->number, worker->count);
        const struct request request = {
                .method = method, .path = path, .json = json, .headers = { header }
        };
        while (milliseconds() < deadline) {
                struct reply *const reply = exchange(worker->client, &request);
                load.replayed += is_replayed(reply);
                if (reply->status != 0 && reply->status != 503)
                        return reply;
                reply_free(reply);
                load.retried++;
                pause_us(500);
        }
        return NULL;
}

/* Whether the reply is of that status; takes it over. */
static bool is_done(struct worker *worker, struct reply *reply, int status)
{
        const bool done = reply && reply->status == status;
        if (!done)
                snprintf(worker->complaint, sizeof worker->complaint, "%s: %d %.300s", worker->name,
                        reply ? reply->status : 0, reply && reply->body ? reply->body : "");
        reply_free(reply);
        return done;
}

static void path_of(char *out, size_t size, const char *id, const char *action)
{
        snprintf(out, size, "/v1/sockets/%s%s", id, action);
}

/* Makes, and drops: what was dropped by an attempt whose reply is lost is no 404. */
static bool make_and_drop(struct worker *worker)
{
        char path[128] = "";
        struct reply *const made = insist(worker, "POST", "/v1/sockets", "{}", "make");
        const char *const id = made ? json_string_value(json_object_get(made->json, "id")) : NULL;
        if (id)
                path_of(path, sizeof path, id, "");
        if (!is_done(worker, made, 201))
                return false;
        return is_done(worker, insist(worker, "DELETE", path, NULL, "drop"), 204);
}

static bool make_pairs(struct worker *worker)
{
        return is_done(
                worker, insist(worker, "POST", "/v1/socketpairs", "{\"label\":\"pair\"}", "pair"), 201);
}

static bool make_sessions(struct worker *worker)
{
        char path[128] = "";
        struct reply *const made =
                insist(worker, "POST", "/v1/sessions", "{\"label\":\"session\"}", "session");
        const char *const id = made ? json_string_value(json_object_get(made->json, "id")) : NULL;
        if (id)
                snprintf(path, sizeof path, "/v1/sessions/%s", id);
        if (!is_done(worker, made, 201))
                return false;
        return is_done(worker, insist(worker, "DELETE", path, NULL, "end"), 204);
}

/* A socket of each call's own: bound, connected, told an option. */
static bool prepare(struct worker *worker)
{
        char path[128] = "", base[64] = "";
        struct reply *const made =
                insist(worker, "POST", "/v1/sockets", "{\"type\":\"SOCK_DGRAM\"}", "prepared");
        const char *const id = made ? json_string_value(json_object_get(made->json, "id")) : NULL;
        snprintf(base, sizeof base, "%s", id ? id : "");
        static const struct {
                const char *action, *json;
        } steps[] = {
                { "/bind", "{\"address\":\"127.0.0.1:0\"}" },
                { "/connect", "{\"address\":\"127.0.0.1:9\"}" },
                { "/setsockopt", "{\"level\":\"SOL_SOCKET\",\"option\":\"SO_KEEPALIVE\",\"value\":true}" },
        };
        bool good = is_done(worker, made, 201);
        for (size_t i = 0; i < COUNT(steps) && good; i++) {
                path_of(path, sizeof path, base, steps[i].action);
                good = is_done(worker, insist(worker, "POST", path, steps[i].json, steps[i].action), 200);
        }
        path_of(path, sizeof path, base, "");
        return good && is_done(worker, insist(worker, "DELETE", path, NULL, "unprepare"), 204);
}

/* Connects from outside, which the kernel does once for each, and accepts it: by whoever is due. */
static bool accept_one(struct worker *worker)
{
        char path[128];
        uint16_t port = 0;
        const struct sockaddr_in to = { .sin_family = AF_INET,
                .sin_port = htons((uint16_t)worker->port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct sockaddr_in own = { .sin_port = 0 };
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (const struct sockaddr *)&to, sizeof to) != 0 ||
                getsockname(fd, (struct sockaddr *)&own, &(socklen_t){ sizeof own }) != 0)
                return false;
        path_of(path, sizeof path, worker->near, "/accept");
        struct reply *const reply = insist(worker, "POST", path, NULL, "accept");
        if (reply && reply->status == 201)
                port = (uint16_t)json_integer_value(json_at(reply->json, "peer.port"));
        const char *const id = reply ? json_string_value(json_object_get(reply->json, "id")) : NULL;
        path_of(path, sizeof path, id ? id : "", "");
        bool good = is_done(worker, reply, 201);
        if (good && port != ntohs(own.sin_port)) {
                snprintf(worker->complaint, sizeof worker->complaint, "another connection was accepted");
                good = false;
        }
        good = good && is_done(worker, insist(worker, "DELETE", path, NULL, "accepted"), 204);
        close(fd);
        return good;
}

/* Byte k of a stream tells k. */
static char letter_at(uint64_t position)
{
        uint64_t state = (position / 8 + 1) * 0x9e3779b97f4a7c15;
        state ^= state >> 29;
        return (char)('a' + (state * 0xbf58476d1ce4e5b9 >> (position % 8 * 8) & 15));
}

static void letters(char *out, uint64_t position, size_t size)
{
        for (size_t i = 0; i < size; i++)
                out[i] = letter_at(position + i);
        out[size] = '\0';
}

/* No offset: the key alone keeps what the kernel took from being sent twice. */
static bool send_bytes(struct worker *worker)
{
        static const char begin[] = "{\"all\":true,\"text\":\"";
        char *const json = malloc(PIECE_MAX + 64), path[128];
        const size_t size = worker->count * 7919 % PIECE_MAX + 1;
        memcpy(json, begin, sizeof begin);
        letters(json + sizeof begin - 1, worker->position, size);
        strcat(json, "\"}");
        path_of(path, sizeof path, worker->near, "/send");
        struct reply *const reply = insist(worker, "POST", path, json, "bytes");
        free(json);
        const size_t sent = reply ? (size_t)json_integer_value(json_object_get(reply->json, "sent")) : 0;
        worker->position += sent;
        if (is_done(worker, reply, 200) && sent == size)
                return true;
        if (*worker->complaint == '\0')
                snprintf(worker->complaint, sizeof worker->complaint, "%zu of %zu bytes sent", sent, size);
        return false;
}

/* Three at a time. */
static bool send_messages(struct worker *worker)
{
        char json[256], path[128];
        const unsigned long first = worker->count * 3;
        snprintf(json, sizeof json,
                "{\"messages\":[{\"buffers\":[{\"text\":\"%lu\"}]},{\"buffers\":[{\"text\":\"%lu\"}]},"
                "{\"buffers\":[{\"text\":\"%lu\"}]}]}",
                first, first + 1, first + 2);
        path_of(path, sizeof path, worker->near, "/sendmsg");
        struct reply *const reply = insist(worker, "POST", path, json, "messages");
        const json_int_t sent = reply ? json_integer_value(json_object_get(reply->json, "messages")) : 0;
        if (is_done(worker, reply, 200) && sent == 3)
                return true;
        if (*worker->complaint == '\0')
                snprintf(worker->complaint, sizeof worker->complaint, "%d messages sent", (int)sent);
        return false;
}

/* What nobody can know is said: never is it done twice. */
static bool make_a_batch(struct worker *worker)
{
        char json[128], label[32];
        snprintf(label, sizeof label, "batch %lu", worker->count);
        snprintf(json, sizeof json, "{\"steps\":[{\"path\":\"/v1/sockets\",\"body\":{\"label\":\"%s\"}}]}",
                label);
        struct reply *const reply = insist(worker, "POST", "/v1/batch", json, "batch");
        if (reply && reply->status == 409)
                return is_done(worker, reply, 409);
        return is_done(worker, reply, 200);
}

/* Receives at the far end, without keys: at its position. NULL: nothing has come. */
static struct reply *receive(struct worker *worker)
{
        char path[192];
        snprintf(path, sizeof path, "/v1/sockets/%s/recv?offset=%lu&ack=%lu&timeout_ms=100", worker->far,
                (unsigned long)worker->position, (unsigned long)worker->position);
        const struct request request = {
                .method = "POST", .path = path, .headers = { "Accept: application/octet-stream" }
        };
        struct reply *const reply = exchange(worker->client, &request);
        if (reply->status == 200)
                return reply;
        if (reply->status != 0 && reply->status != 422 && reply->status != 503)
                snprintf(worker->complaint, sizeof worker->complaint, "at %lu: %d %.300s",
                        (unsigned long)worker->position, reply->status, reply->body);
        reply_free(reply);
        return NULL;
}

/* What comes must be what follows. */
static bool receive_bytes(struct worker *worker)
{
        char due[65537];
        struct reply *const reply = receive(worker);
        if (!reply)
                return true;
        letters(due, worker->position, reply->size);
        if (memcmp(due, reply->body ? reply->body : "", reply->size) != 0)
                snprintf(worker->complaint, sizeof worker->complaint, "other bytes at %lu",
                        (unsigned long)worker->position);
        worker->position += reply->size;
        reply_free(reply);
        return true;
}

static bool receive_message(struct worker *worker)
{
        char due[32];
        struct reply *const reply = receive(worker);
        if (!reply)
                return true;
        snprintf(due, sizeof due, "%lu", (unsigned long)worker->position++);
        if (!reply->body || strcmp(due, reply->body) != 0)
                snprintf(worker->complaint, sizeof worker->complaint, "not %s but %.100s", due,
                        reply->body ? reply->body : "nothing");
        reply_free(reply);
        return true;
}

static void *work_on(void *context)
{
        struct worker *const worker = context;
        const bool receives = *worker->far != '\0';
        for (; !(receives ? load.sent : load.done) && *worker->complaint == '\0'; worker->count++)
                if (!worker->work(worker))
                        break;
        return NULL;
}

enum { PAIRS = 2, ACCEPTED = 5, BYTES, BYTES_END, MESSAGES, MESSAGES_END, BATCHES, WORKERS };

static struct worker workers[WORKERS] = {
        { .name = "made and dropped", .work = make_and_drop },
        { .name = "made and dropped too", .work = make_and_drop },
        { .name = "pairs", .work = make_pairs },
        { .name = "sessions", .work = make_sessions },
        { .name = "prepared", .work = prepare },
        { .name = "accepted", .work = accept_one },
        { .name = "bytes", .work = send_bytes },
        { .name = "bytes received", .work = receive_bytes },
        { .name = "messages", .work = send_messages },
        { .name = "messages received", .work = receive_message },
        { .name = "batches", .work = make_a_batch },
};

static void pair_of(struct worker *sender, struct worker *receiver, const char *type)
{
        const struct ends ends = make_pair(load.stage, type);
        snprintf(sender->near, sizeof sender->near, "%s", ends.near);
        snprintf(receiver->far, sizeof receiver->far, "%s", ends.far);
}

static void start(struct stage *stage)
{
        const struct reply *const listener =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':{'backlog':64}}");
        snprintf(workers[ACCEPTED].near, sizeof workers[ACCEPTED].near, "%s", text_at(listener, "id"));
        workers[ACCEPTED].port = (int)number_at(listener, "local.port");
        pair_of(&workers[BYTES], &workers[BYTES_END], "SOCK_STREAM");
        pair_of(&workers[MESSAGES], &workers[MESSAGES_END], "SOCK_SEQPACKET");
        for (int i = 0; i < WORKERS; i++) {
                workers[i].number = i;
                workers[i].client = client_new(stage->daemon, i % 2 ? OVER_TCP : OVER_UNIX);
                client_set_quiet(workers[i].client, true);
                assert_int_equal(pthread_create(&workers[i].thread, NULL, work_on, &workers[i]), 0);
        }
}

/* Those that receive last: a send may wait for them. */
static void stop(void)
{
        load.done = true;
        for (int i = 0; i < WORKERS; i++)
                if (*workers[i].far == '\0')
                        pthread_join(workers[i].thread, NULL);
        load.sent = true;
        pthread_join(workers[BYTES_END].thread, NULL);
        pthread_join(workers[MESSAGES_END].thread, NULL);
        for (int i = 0; i < WORKERS; i++)
                printf("%-24s %8lu calls %s\n", workers[i].name, workers[i].count, workers[i].complaint);
        printf("%d requests made again, %d of all replies were replays\n", load.retried, load.replayed);
        for (int i = 0; i < WORKERS; i++)
                if (*workers[i].complaint)
                        fail_msg("%s: %s", workers[i].name, workers[i].complaint);
}

static void kill_again_and_again(struct stage *stage)
{
        const char *const asked = getenv("KILLS");
        const long kills = asked != NULL ? strtol(asked, NULL, 10) : KILLS;
        pid_t daemon = kept_daemon(stage->daemon);
        for (int i = 0; i < kills; i++) {
                kept_await_ready(stage);
                pause_us(random_below(NAP_MOST_US));
                assert_return_code(kill(daemon, i % 10 == 9 ? SIGTERM : SIGKILL), errno);
                daemon = kept_await(stage->daemon, daemon);
        }
        kept_await_ready(stage);
        printf("%ld kills\n", kills);
}

/* How many sockets the daemon lists that have the label; "": any. */
static size_t count_label(struct stage *stage, const char *label)
{
        char cursor[64] = "";
        size_t count = 0;
        do {
                const struct reply *const page = get(stage, 200, "/v1/sockets?limit=1000%s%s%s%s",
                        *label ? "&label=" : "", label, *cursor ? "&cursor=" : "", cursor);
                count += json_array_size(json_at(page->json, "sockets"));
                const char *const next = json_string_value(json_at(page->json, "next"));
                snprintf(cursor, sizeof cursor, "%s", next ? next : "");
        } while (*cursor);
        return count;
}

/* What was sent last is received now that nobody kills. */
static void receive_rest(struct worker *receiver, uint64_t end)
{
        const int64_t deadline = milliseconds() + DEADLINE_MS;
        while (receiver->position < end && *receiver->complaint == '\0' && milliseconds() < deadline)
                receiver->work(receiver);
        if (*receiver->complaint)
                fail_msg("%s: %s", receiver->name, receiver->complaint);
        assert_int_equal(receiver->position, end);
        char path[128];
        path_of(path, sizeof path, receiver->far, "");
        assert_int_equal(number_at(get(load.stage, 200, "%s", path), "receive_queue"), 0);
}

/* Each batch made its socket once, or it is not known. */
static size_t count_batches(struct stage *stage)
{
        size_t count = 0;
        for (unsigned long i = 0; i < workers[BATCHES].count; i++) {
                char label[32];
                snprintf(label, sizeof label, "batch%%20%lu", i);
                const size_t made = count_label(stage, label);
                assert_true(made <= 1);
                count += made;
        }
        return count;
}

static void killed_with_keys(struct stage *stage)
{
        load.stage = stage;
        start(stage);
        kill_again_and_again(stage);
        stop();
        receive_rest(&workers[BYTES_END], workers[BYTES].position);
        receive_rest(&workers[MESSAGES_END], workers[MESSAGES].count * 3);
        const size_t pairs = workers[PAIRS].count * 2;
        assert_int_equal(count_label(stage, "pair"), pairs);
        assert_int_equal(json_array_size(json_at(get(stage, 200, "/v1/sessions")->json, "sessions")), 0);
        /* The listener, two pairs, and what has a label: nothing else is left. */
        assert_int_equal(count_label(stage, ""), 5 + pairs + count_batches(stage));
        for (int i = 0; i < WORKERS; i++)
                client_free(workers[i].client);
}

static const struct scenario scenarios[] = {
        { "killed with keys", killed_with_keys },
};

int main(void)
{
        static const char *const arguments[] = { "--keeper", NULL };
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("killed with keys", arguments);
}
