/* peer.c: the other ends of a daemon's sockets: the test's own, each with a thread, and what came there of
 * streams and numbers that say where they belong. */
#include "tests/http/peer.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/steps.h"

enum { JITTER_MAX_US = 400, SURE_SIZE = 16, NUMBER_SIZE = 24 };

void code_fill(uint8_t *bytes, size_t size, uint64_t position)
{
        for (size_t i = 0; i < size; i++) {
                uint64_t dice = position + i;
                bytes[i] = (uint8_t)dice_roll(&dice, 256);
        }
}

/* At most SURE_SIZE bytes. */
static bool code_is_at(const uint8_t *bytes, size_t size, uint64_t position)
{
        uint8_t right[SURE_SIZE];
        code_fill(right, size, position);
        return memcmp(bytes, right, size) == 0;
}

/* Where bytes stand that are not where they should: beyond it, or before. UINT64_MAX: nowhere. */
static uint64_t code_find(const uint8_t *bytes, size_t size, uint64_t expected, uint64_t end)
{
        for (uint64_t at = expected; at + size <= end; at++)
                if (code_is_at(bytes, size, at))
                        return at;
        for (uint64_t at = expected; at-- > 0;)
                if (code_is_at(bytes, size, at))
                        return at;
        return UINT64_MAX;
}

static void tape_keep(struct tape *tape, const uint8_t *bytes, size_t size)
{
        if (tape->size + size > tape->capacity) {
                tape->capacity = 2 * (tape->size + size);
                tape->bytes = realloc(tape->bytes, tape->capacity);
                if (!tape->bytes)
                        abort();
        }
        memcpy(tape->bytes + tape->size, bytes, size);
        tape->size += size;
}

void tape_move(struct tape *tape, uint64_t position)
{
        tape->missing += position > tape->next ? position - tape->next : 0;
        tape->repeated += position < tape->next ? tape->next - position : 0;
        tape->next = position;
}

bool tape_add(struct tape *tape, const uint8_t *bytes, size_t size, uint64_t end)
{
        if (size == 0)
                return true;
        tape_keep(tape, bytes, size);
        for (size_t i = 0; i < size; i++, tape->next++) {
                if (code_is_at(bytes + i, 1, tape->next))
                        continue;
                const size_t sure = size - i < SURE_SIZE ? size - i : SURE_SIZE;
                const uint64_t at = code_find(bytes + i, sure, tape->next, end);
                if (at == UINT64_MAX)
                        return false;
                tape_move(tape, at);
        }
        return true;
}

bool tape_is_whole(const struct tape *tape, uint64_t sent)
{
        uint8_t in[32], out[32];
        uint8_t *const bytes = malloc(sent + 1);
        if (!bytes)
                abort();
        code_fill(bytes, sent, 0);
        digest(bytes, sent, in);
        digest(tape->bytes, tape->size, out);
        free(bytes);
        return memcmp(in, out, sizeof in) == 0;
}

void ledger_note(uint8_t *ledger, uint64_t number)
{
        if (number < LEDGER_SIZE && ledger[number] < UINT8_MAX)
                ledger[number]++;
}

struct outcome ledger_close(const uint8_t *ledger, uint64_t count)
{
        struct outcome outcome = { 0 };
        for (uint64_t i = 0; i < LEDGER_SIZE; i++) {
                const unsigned right = i < count;
                outcome.lost += ledger[i] < right ? right - ledger[i] : 0;
                outcome.doubled += ledger[i] > right ? ledger[i] - right : 0;
        }
        return outcome;
}

static int loopback_socket(int type, struct sockaddr_in *address)
{
        socklen_t size = sizeof *address;
        *address = (struct sockaddr_in){ .sin_family = AF_INET,
                .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
        const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
        const bool made = bind(fd, (const struct sockaddr *)address, size) == 0 &&
                          getsockname(fd, (struct sockaddr *)address, &size) == 0 &&
                          (type == SOCK_DGRAM || listen(fd, 1) == 0);
        if (!made)
                abort();
        return fd;
}

static int connected_socket(int type, int fd, int port)
{
        const struct sockaddr_in address = { .sin_family = AF_INET,
                .sin_port = htons((uint16_t)port),
                .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
        const int own = fd >= 0 ? fd : socket(AF_INET, type | SOCK_CLOEXEC, 0);
        if (connect(own, (const struct sockaddr *)&address, sizeof address) != 0)
                abort();
        return own;
}

static void peer_make(struct player *player, struct peer *peer, const char *json)
{
        struct reply *const reply = player_do(
                player, 201, &(struct request){ .method = "POST", .path = "/v1/sockets", .json = json });
        snprintf(peer->id, sizeof peer->id, "%s", reply_text(reply, "id"));
        peer->port = (int)json_integer_value(json_at(reply->json, "local.port"));
        reply_free(reply);
        peer->dice = player->dice + 1;
        peer->ledger = calloc(LEDGER_SIZE, 1);
        sem_init(&peer->go, 0, 0);
}

static void peer_start(struct peer *peer, void *(*run)(void *peer))
{
        if (!peer->ledger || pthread_create(&peer->thread, NULL, run, peer) != 0)
                abort();
}

/* With small buffers a stream ends soon after it is to. */
void peer_meet(struct player *player, struct peer *peer, int type, void *(*run)(void *peer))
{
        struct sockaddr_in address;
        const int small = 4096;
        *peer = (struct peer){ .fd = loopback_socket(type, &address) };
        peer->own_port = ntohs(address.sin_port);
        peer_make(player, peer,
                type == SOCK_STREAM
                        ? line_of("{'connect':'127.0.0.1:%d','options':[{'level':'SOL_SOCKET','option':"
                                  "'SO_RCVBUF','value':%d}]}",
                                  peer->own_port, small)
                        : line_of("{'type':'SOCK_DGRAM','connect':'127.0.0.1:%d'}", peer->own_port));
        if (type == SOCK_STREAM) {
                const int listener = peer->fd;
                peer->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                close(listener);
                setsockopt(peer->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        } else {
                connected_socket(type, peer->fd, peer->port);
        }
        peer_start(peer, run);
}

void peer_find(struct player *player, struct peer *peer, void *(*run)(void *peer))
{
        *peer = (struct peer){ .fd = -1 };
        peer_make(player, peer, line_of("{'bind':'127.0.0.1:0','listen':{'backlog':64}}"));
        peer_start(peer, run);
}

void peer_await(const struct player *player, struct peer *peer)
{
        if (*player->trouble) {
                peer_stop(peer);
                shutdown(peer->fd, SHUT_RDWR);
        }
        pthread_join(peer->thread, NULL);
}

void peer_free(struct peer *peer)
{
        sem_destroy(&peer->go);
        if (peer->fd >= 0)
                close(peer->fd);
        free(peer->tape.bytes);
        free(peer->ledger);
}

void peer_go(struct peer *peer)
{
        sem_post(&peer->go);
}

void peer_stop(struct peer *peer)
{
        peer->enough = true;
        sem_post(&peer->go);
}

/* Whether it is to do one more thing. */
static bool is_told_to(struct peer *peer)
{
        return sem_wait(&peer->go) == 0 && !peer->enough;
}

static void wait_a_little(struct peer *peer)
{
        const struct timespec jitter = { .tv_nsec = 1000 * (long)dice_roll(&peer->dice, JITTER_MAX_US) };
        ppoll(NULL, 0, &jitter, NULL);
}

/* False: the other end does not want it. */
static bool send_piece(struct peer *peer, size_t least)
{
        uint8_t bytes[PIECE_MAX];
        const size_t size = least + dice_roll(&peer->dice, PIECE_MAX - least);
        code_fill(bytes, size, peer->sent);
        peer->sent += size;
        return send(peer->fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

void *peer_dribbles(void *context)
{
        struct peer *const peer = context;
        while (is_told_to(peer)) {
                wait_a_little(peer);
                if (!send_piece(peer, SURE_SIZE))
                        break;
        }
        shutdown(peer->fd, SHUT_WR);
        return NULL;
}

void *peer_pours(void *context)
{
        struct peer *const peer = context;
        while (!peer->enough && send_piece(peer, 1))
                ;
        shutdown(peer->fd, SHUT_WR);
        return NULL;
}

static void say_number(int fd, uint64_t number)
{
        char text[NUMBER_SIZE];
        const int size = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
        if (send(fd, text, (size_t)size, MSG_NOSIGNAL) != size)
                abort();
}

void *peer_numbers(void *context)
{
        struct peer *const peer = context;
        while (is_told_to(peer)) {
                wait_a_little(peer);
                say_number(peer->fd, peer->sent++);
        }
        return NULL;
}

void *peer_calls(void *context)
{
        struct peer *const peer = context;
        while (is_told_to(peer)) {
                wait_a_little(peer);
                const int fd = connected_socket(SOCK_STREAM, -1, peer->port);
                say_number(fd, peer->sent++);
                close(fd);
        }
        return NULL;
}

void *peer_records(void *context)
{
        struct peer *const peer = context;
        uint8_t bytes[65536];
        ssize_t got;
        while ((got = recv(peer->fd, bytes, sizeof bytes, 0)) > 0)
                if (!tape_add(&peer->tape, bytes, (size_t)got, UINT32_MAX))
                        break;
        return NULL;
}

void *peer_counts(void *context)
{
        struct peer *const peer = context;
        char text[NUMBER_SIZE];
        ssize_t got;
        while ((got = recv(peer->fd, text, sizeof text - 1, 0)) > 0) {
                text[got] = '\0';
                if (strcmp(text, "end") == 0)
                        break;
                ledger_note(peer->ledger, strtoull(text, NULL, 10));
        }
        return NULL;
}
