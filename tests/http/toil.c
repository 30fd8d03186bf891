/* toil.c: what clients and strangers do on a daemon that may end at any moment. */
#include "tests/http/toil.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/steps.h"

enum { PIECE_MAX = 8192, RECORD_SIZE = 8, DEADLINE_MS = 20000 };

struct load load;
struct caller callers[CALLS_MAX];
_Atomic unsigned caller_count;

#define COMPLAIN(toil, ...) snprintf((toil)->complaint, sizeof(toil)->complaint, __VA_ARGS__)

/* Asks until there is a reply, which is of that status, and the caller's. A daemon that goes down says 503;
 * NULL: the kernel has refused it (422), or it went wrong. */
static struct reply *insist(
        struct toil *toil, struct client *client, const struct request *request, int status)
{
        const int64_t deadline = milliseconds() + DEADLINE_MS;
        for (;;) {
                load.in_flight++;
                struct reply *const reply = exchange(client, request);
                load.in_flight--;
                if (reply->status == status)
                        return reply;
                const bool is_gone =
                        (reply->status == 0 || reply->status == 503) && milliseconds() < deadline;
                if (!is_gone && reply->status != 422)
                        COMPLAIN(toil, "%.150s: %d %.50s%.250s", reply->name, reply->status, reply->trouble,
                                reply->body);
                const bool is_over = !is_gone;
                reply_free(reply);
                if (is_over)
                        return NULL;
                load.retried++;
                pause_us(1000);
        }
}

/* The same with a key, of which there is one for each turn. */
static struct reply *insist_with_key(struct toil *toil, struct client *client, const struct request *request,
        int status, unsigned long turn)
{
        char key[96];
        struct request keyed = *request;
        snprintf(key, sizeof key, "Idempotency-Key: %p-%lu", (void *)toil, turn);
        keyed.headers[0] = key;
        return insist(toil, client, &keyed, status);
}

static struct client *new_client(enum transport transport)
{
        struct client *const client = client_new(load.stage->daemon, transport);
        client_set_quiet(client, true);
        return client;
}

static const char *text_member(const struct reply *reply, const char *name)
{
        return json_string_value(json_object_get(reply->json, name));
}

static unsigned long number_member(const struct reply *reply, const char *name)
{
        return (unsigned long)json_integer_value(json_object_get(reply->json, name));
}

void *toil_call(void *context)
{
        struct toil *const toil = context;
        const struct sockaddr_in to = { .sin_family = AF_INET,
                .sin_port = htons((uint16_t)toil->port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        while (!load.done && caller_count < CALLS_MAX && !*toil->complaint) {
                struct sockaddr_in own = { .sin_port = 0 };
                struct caller *const caller = &callers[caller_count];
                caller->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                if (connect(caller->fd, (const struct sockaddr *)&to, sizeof to) != 0 ||
                        getsockname(caller->fd, (struct sockaddr *)&own, &(socklen_t){ sizeof own }) != 0)
                        COMPLAIN(toil, "connect: %s", strerror(errno));
                caller->port = ntohs(own.sin_port);
                if (send(caller->fd, &caller->port, sizeof caller->port, MSG_NOSIGNAL) != sizeof caller->port)
                        COMPLAIN(toil, "call: %s", strerror(errno));
                caller_count++;
                pause_us(4000);
        }
        return NULL;
}

void *toil_accept(void *context)
{
        struct toil *const toil = context;
        struct client *const client = new_client(OVER_UNIX);
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/accept?timeout_ms=50", toil->id);
        for (unsigned long turn = 0; !load.done && !*toil->complaint; turn++) {
                struct reply *const reply = insist_with_key(
                        toil, client, &(struct request){ .method = "POST", .path = path }, 201, turn);
                toil->made += reply != NULL;
                if (reply != NULL)
                        reply_free(reply);
        }
        client_free(client);
        return NULL;
}

/* One socket's life. Returns its number, or 0. */
static unsigned long make_one(struct toil *toil, struct client *client)
{
        char path[128];
        struct reply *const made = insist_with_key(toil, client,
                &(struct request){ .method = "POST", .path = "/v1/sockets", .json = "{}" }, 201,
                2 * toil->made);
        if (made == NULL)
                return 0;
        const char *const id = text_member(made, "id");
        const unsigned long number = strtoul(strchr(id, '-') + 1, NULL, 10);
        snprintf(path, sizeof path, "/v1/sockets/%s", id);
        reply_free(made);
        struct reply *const shown =
                insist(toil, client, &(struct request){ .method = "GET", .path = path }, 200);
        toil->lost += shown == NULL;
        if (shown != NULL)
                reply_free(shown);
        struct reply *const dropped = insist_with_key(
                toil, client, &(struct request){ .method = "DELETE", .path = path }, 204, 2 * toil->made + 1);
        if (dropped != NULL)
                reply_free(dropped);
        return number;
}

void *toil_make(void *context)
{
        struct toil *const toil = context;
        struct client *const client = new_client(OVER_UNIX);
        for (unsigned long last = 0; !load.done && !*toil->complaint; toil->made++) {
                const unsigned long number = make_one(toil, client);
                toil->doubled += number <= last;
                last = number;
                pause_us(500);
        }
        client_free(client);
        return NULL;
}

static uint8_t byte_at(uint64_t position)
{
        uint64_t state = (position / 8 + 1) * 0x9e3779b97f4a7c15;
        state ^= state >> 29;
        return (uint8_t)(state * 0xbf58476d1ce4e5b9 >> (position % 8 * 8));
}

/* The next piece of what is made: bytes in sizes of all kinds, or a message. Returns its size. */
static size_t next_piece(const struct toil *toil, uint8_t bytes[static PIECE_MAX])
{
        const size_t size = toil->records ? RECORD_SIZE : toil->made * 7919 % PIECE_MAX + 1;
        for (size_t i = 0; i < size; i++)
                bytes[i] = byte_at(toil->made + i);
        if (toil->records)
                memcpy(bytes, &toil->made, RECORD_SIZE);
        return size;
}

/* What comes is to be the next. */
static void check_piece(struct toil *toil, const uint8_t *bytes, size_t size)
{
        unsigned long number = 0;
        if (toil->records) {
                memcpy(&number, bytes, size < sizeof number ? size : sizeof number);
                toil->lost += number > toil->made ? number - toil->made : 0;
                toil->doubled += number < toil->made;
                return;
        }
        for (size_t i = 0; i < size && !*toil->complaint; i++)
                if (bytes[i] != byte_at(toil->made + i))
                        COMPLAIN(toil, "the byte at %zu is another one", (size_t)toil->made + i);
}

void *toil_send(void *context)
{
        struct toil *const toil = context;
        struct client *const client = new_client(OVER_TCP);
        while (!load.done && !*toil->complaint) {
                uint8_t bytes[PIECE_MAX];
                char path[160];
                const size_t size = next_piece(toil, bytes);
                snprintf(path, sizeof path, "/v1/sockets/%s/send?offset=%lu&timeout_ms=1000", toil->id,
                        toil->made);
                struct reply *const reply = insist(toil, client,
                        &(struct request){ .method = "POST", .path = path, .raw = bytes, .raw_size = size },
                        200);
                if (reply == NULL)
                        continue;
                toil->made = number_member(reply, "next");
                reply_free(reply);
        }
        client_free(client);
        return NULL;
}

void *toil_read(void *context)
{
        struct toil *const toil = context;
        uint8_t bytes[PIECE_MAX];
        for (ssize_t size; (size = recv(toil->fd, bytes, sizeof bytes, 0)) > 0;) {
                check_piece(toil, bytes, (size_t)size);
                toil->made += toil->records ? 1 : (unsigned long)size;
        }
        return NULL;
}

void *toil_write(void *context)
{
        struct toil *const toil = context;
        const struct timeval patience = { .tv_sec = DEADLINE_MS / 1000 };
        setsockopt(toil->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        while (!load.done && !*toil->complaint) {
                uint8_t bytes[PIECE_MAX];
                const size_t size = next_piece(toil, bytes);
                const ssize_t sent = send(toil->fd, bytes, size, MSG_NOSIGNAL);
                if (sent < 0)
                        COMPLAIN(toil, "write: %s", strerror(errno));
                else
                        toil->made += toil->records ? 1 : (unsigned long)sent;
        }
        shutdown(toil->fd, SHUT_WR);
        return NULL;
}

/* False at the end. */
static bool take_received(struct toil *toil, const struct reply *reply)
{
        size_t size;
        uint8_t *const bytes = base64_decode(text_member(reply, "data"), &size);
        const bool is_end = json_is_true(json_object_get(reply->json, "eof")) || size == 0;
        if (number_member(reply, "offset") != toil->made)
                COMPLAIN(toil, "received at %lu, not %lu", number_member(reply, "offset"), toil->made);
        if (size > 0) {
                check_piece(toil, bytes, size);
                toil->made = number_member(reply, "next");
        }
        free(bytes);
        return !is_end;
}

void *toil_receive(void *context)
{
        struct toil *const toil = context;
        struct client *const client = new_client(OVER_TCP);
        for (bool goes_on = true; goes_on && !*toil->complaint;) {
                char path[192];
                snprintf(path, sizeof path, "/v1/sockets/%s/recv?offset=%lu&ack=%lu&size=%d&timeout_ms=1000",
                        toil->id, toil->made, toil->made, PIECE_MAX);
                struct reply *const reply =
                        insist(toil, client, &(struct request){ .method = "POST", .path = path }, 200);
                if (reply == NULL)
                        continue;
                goes_on = take_received(toil, reply);
                reply_free(reply);
        }
        client_free(client);
        return NULL;
}

void toil_start(struct toil *toil, void *(*run)(void *))
{
        assert_int_equal(pthread_create(&toil->thread, NULL, run, toil), 0);
}

void toil_finish(struct toil *toil)
{
        pthread_join(toil->thread, NULL);
        if (*toil->complaint && !*load.complaint)
                snprintf(load.complaint, sizeof load.complaint, "%s", toil->complaint);
}
