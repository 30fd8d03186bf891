/* relay.c: stands between a client and the daemon, and kills their connection at a byte that dice choose.
 *
 * One thread serves one connection at a time: libcurl opens the next when it has lost the last. A request
 * comes whole before any of it is passed on, and a reply too (they are small), so that all their bytes are
 * equally good to be the last. A side that is not reset sees FIN, and is read from until it closes. */
#include "tests/http/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/check.h"

enum { MESSAGE_MAX = 65536, LEAVING_MAX = 64, AFTER_REQUEST_MAX_US = 500, NO_KILL_SHARE = 3 };

const char *const kill_place_names[KILL_PLACE_COUNT] = {
        [KILL_BEFORE] = "before",
        [KILL_IN_REQUEST] = "within",
        [KILL_AFTER_REQUEST] = "asked",
        [KILL_IN_REPLY] = "in reply",
        [KILL_AFTER_REPLY] = "replied",
};

struct relay {
        struct daemon daemon; /* as it is reached through here */
        uint16_t port;        /* its own */
        pthread_t thread;
        int listener, stop;
        uint64_t dice;
        _Atomic size_t requests, kills[KILL_PLACE_COUNT];

        /* The thread's own. */
        int client, server;    /* the connection, or -1 */
        bool awaits_reply;     /* or else a request */
        enum kill_place place; /* what happens to this request; KILL_PLACE_COUNT: nothing */
        int64_t kill_at_us;    /* while a reply is awaited; INT64_MAX: not by the clock */
        char message[MESSAGE_MAX];
        size_t size;
        int leaving[LEAVING_MAX]; /* sides that were sent FIN, until they close */
        size_t leaving_count;
};

/* splitmix64 */
uint64_t dice_roll(uint64_t *dice, uint64_t sides)
{
        uint64_t mixed = *dice += 0x9E3779B97F4A7C15;
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB;
        return (mixed ^ mixed >> 31) % sides;
}

static int64_t microseconds(void)
{
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void part_by_reset(int fd)
{
        const struct linger now = { .l_onoff = 1, .l_linger = 0 };
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(fd);
}

/* To close it at once would reset it, were there anything unread. The one that has been leaving for longest
 * makes room. */
static void part_by_end(struct relay *relay, int fd)
{
        shutdown(fd, SHUT_WR);
        if (relay->leaving_count == LEAVING_MAX) {
                close(relay->leaving[0]);
                memmove(relay->leaving, relay->leaving + 1, --relay->leaving_count * sizeof *relay->leaving);
        }
        relay->leaving[relay->leaving_count++] = fd;
}

static void part(struct relay *relay, int fd)
{
        if (dice_roll(&relay->dice, 2) == 0)
                part_by_reset(fd);
        else
                part_by_end(relay, fd);
}

static void connection_kill(struct relay *relay)
{
        const bool client_first = dice_roll(&relay->dice, 2) == 0;
        atomic_fetch_add(&relay->kills[relay->place], 1);
        part(relay, client_first ? relay->client : relay->server);
        part(relay, client_first ? relay->server : relay->client);
        relay->client = relay->server = -1;
}

/* One side has ended it by itself. */
static void connection_end(struct relay *relay)
{
        close(relay->client);
        close(relay->server);
        relay->client = relay->server = -1;
}

static void expect_message(struct relay *relay, bool reply)
{
        relay->awaits_reply = reply;
        relay->size = 0;
        relay->message[0] = '\0';
        relay->kill_at_us = INT64_MAX;
}

static void connection_begin(struct relay *relay)
{
        const struct sockaddr_in address = {
                .sin_family = AF_INET,
                .sin_port = htons(relay->port),
                .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) },
        };
        relay->client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
        relay->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        expect_message(relay, false);
        if (connect(relay->server, (const struct sockaddr *)&address, sizeof address) != 0)
                connection_end(relay);
}

/* Reads more of the message. False at the end of the stream. */
static bool message_read(struct relay *relay, int fd)
{
        const ssize_t got = recv(fd, relay->message + relay->size, MESSAGE_MAX - 1 - relay->size, 0);
        if (got <= 0)
                return false;
        relay->size += (size_t)got;
        relay->message[relay->size] = '\0';
        return true;
}

static bool message_is_whole(const struct relay *relay)
{
        const char *const head_end = strstr(relay->message, "\r\n\r\n");
        if (!head_end)
                return false;
        const char *const length = strcasestr(relay->message, "\r\nContent-Length:");
        const size_t body = length && length < head_end ? strtoul(length + 17, NULL, 10) : 0;
        return relay->size >= (size_t)(head_end - relay->message) + 4 + body;
}

/* A side that is gone is noticed when it is read. */
static void message_pass(const struct relay *relay, int fd, size_t size)
{
        for (size_t sent = 0; sent < size;) {
                const ssize_t now = send(fd, relay->message + sent, size - sent, MSG_NOSIGNAL);
                if (now < 0)
                        return;
                sent += (size_t)now;
        }
}

static enum kill_place choose_place(struct relay *relay)
{
        if (dice_roll(&relay->dice, NO_KILL_SHARE) == 0)
                return KILL_PLACE_COUNT;
        return (enum kill_place)dice_roll(&relay->dice, KILL_PLACE_COUNT);
}

static void on_request(struct relay *relay)
{
        size_t passed = relay->size;
        atomic_fetch_add(&relay->requests, 1);
        relay->place = choose_place(relay);
        if (relay->place == KILL_BEFORE)
                passed = 0;
        else if (relay->place == KILL_IN_REQUEST)
                passed = 1 + dice_roll(&relay->dice, relay->size - 1);
        message_pass(relay, relay->server, passed);
        expect_message(relay, true);
        if (relay->place == KILL_BEFORE || relay->place == KILL_IN_REQUEST)
                connection_kill(relay);
        else if (relay->place == KILL_AFTER_REQUEST)
                relay->kill_at_us = microseconds() + (int64_t)(dice_roll(&relay->dice, 2) *
                                                               dice_roll(&relay->dice, AFTER_REQUEST_MAX_US));
}

static void on_reply(struct relay *relay)
{
        const bool cut = relay->place == KILL_IN_REPLY;
        message_pass(relay, relay->client, cut ? dice_roll(&relay->dice, relay->size) : relay->size);
        expect_message(relay, false);
        if (relay->place != KILL_PLACE_COUNT)
                connection_kill(relay);
}

/* One of the sides has something to say. */
static void connection_go_on(struct relay *relay, bool from_client)
{
        if (from_client == relay->awaits_reply ||
                !message_read(relay, from_client ? relay->client : relay->server))
                connection_end(relay);
        else if (relay->awaits_reply && relay->place == KILL_AFTER_REQUEST)
                connection_kill(relay); /* the reply was faster */
        else if (message_is_whole(relay))
                (relay->awaits_reply ? on_reply : on_request)(relay);
}

/* Reads what a side that is leaving still has to say. Whether it has gone. */
static bool has_left(int fd)
{
        char bytes[4096];
        if (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
                return false;
        close(fd);
        return true;
}

static void let_leave(struct relay *relay, const struct pollfd *ready)
{
        size_t left = 0;
        for (size_t i = 0; i < relay->leaving_count; i++)
                if (ready[i].revents == 0 || !has_left(relay->leaving[i]))
                        relay->leaving[left++] = relay->leaving[i];
        relay->leaving_count = left;
}

enum { STOP, LISTENER, CLIENT, SERVER, LEAVING };

/* Waits for something to happen. */
static void await(const struct relay *relay, struct pollfd ready[static LEAVING + LEAVING_MAX])
{
        const bool clocked = relay->client >= 0 && relay->kill_at_us != INT64_MAX;
        const int64_t left_us = clocked ? relay->kill_at_us - microseconds() : 0;
        const struct timespec timeout = { .tv_nsec = left_us > 0 ? left_us * 1000 : 0 };
        ready[STOP] = (struct pollfd){ .fd = relay->stop, .events = POLLIN };
        ready[LISTENER] = (struct pollfd){ .fd = relay->client < 0 ? relay->listener : -1, .events = POLLIN };
        ready[CLIENT] = (struct pollfd){ .fd = relay->client, .events = POLLIN };
        ready[SERVER] = (struct pollfd){ .fd = relay->server, .events = POLLIN };
        for (size_t i = 0; i < relay->leaving_count; i++)
                ready[LEAVING + i] = (struct pollfd){ .fd = relay->leaving[i], .events = POLLIN };
        ppoll(ready, LEAVING + relay->leaving_count, clocked ? &timeout : NULL, NULL);
}

static void *run(void *context)
{
        struct relay *const relay = context;
        struct pollfd ready[LEAVING + LEAVING_MAX];
        for (await(relay, ready); ready[STOP].revents == 0; await(relay, ready)) {
                let_leave(relay, ready + LEAVING);
                if (ready[LISTENER].revents != 0)
                        connection_begin(relay);
                else if (ready[CLIENT].revents != 0 || ready[SERVER].revents != 0)
                        connection_go_on(relay, ready[CLIENT].revents != 0);
                else if (relay->client >= 0 && relay->kill_at_us <= microseconds())
                        connection_kill(relay);
        }
        return NULL;
}

struct relay *relay_start(const struct daemon *daemon, uint64_t seed)
{
        struct relay *const relay = calloc(1, sizeof *relay);
        assert_non_null(relay);
        struct sockaddr_in address = { .sin_family = AF_INET,
                .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
        socklen_t size = sizeof address;
        relay->daemon = *daemon;
        relay->port = daemon->port;
        relay->dice = seed;
        relay->client = relay->server = -1;
        relay->stop = eventfd(0, EFD_CLOEXEC);
        relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(bind(relay->listener, (const struct sockaddr *)&address, size), errno);
        assert_return_code(listen(relay->listener, SOMAXCONN), errno);
        assert_return_code(getsockname(relay->listener, (struct sockaddr *)&address, &size), errno);
        relay->daemon.port = ntohs(address.sin_port);
        snprintf(relay->daemon.url, sizeof relay->daemon.url, "http://127.0.0.1:%u", relay->daemon.port);
        assert_int_equal(pthread_create(&relay->thread, NULL, run, relay), 0);
        return relay;
}

void relay_stop(struct relay *relay)
{
        assert_return_code(eventfd_write(relay->stop, 1), errno);
        pthread_join(relay->thread, NULL);
        if (relay->client >= 0)
                connection_end(relay);
        for (size_t i = 0; i < relay->leaving_count; i++)
                close(relay->leaving[i]);
        close(relay->listener);
        close(relay->stop);
        free(relay);
}

const struct daemon *relay_daemon(const struct relay *relay)
{
        return &relay->daemon;
}

size_t relay_requests(const struct relay *relay)
{
        return atomic_load(&relay->requests);
}

size_t relay_kills_at(const struct relay *relay, enum kill_place place)
{
        return atomic_load(&relay->kills[place]);
}

size_t relay_kills(const struct relay *relay)
{
        size_t kills = 0;
        for (int place = 0; place < KILL_PLACE_COUNT; place++)
                kills += relay_kills_at(relay, (enum kill_place)place);
        return kills;
}
