/* test_kills.c: HTTP connections that are killed at any byte lose and double nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/http/peer.h"
#include "tests/http/steps.h"

/* A key that no other request of this program has. */
static const char *key_header(struct player *player)
{
        return line_of("Idempotency-Key: %s %u %llu", player->trial->name, player->number,
                (unsigned long long)++player->keys);
}

static struct reply *peer_do(
        struct player *player, const struct peer *peer, int status, const char *action, const char *json)
{
        return player_do(player, status,
                &(struct request){ .method = "POST",
                        .path = line_of("/v1/sockets/%s/%s", peer->id, action),
                        .json = line_of("%s", json) });
}

static void expect_number(
        struct player *player, const struct reply *reply, const char *name, uint64_t expected)
{
        if (reply_number(reply, name) != (int64_t)expected)
                player_fail(player, "%s is not %llu in %s", name, (unsigned long long)expected, reply->body);
}

/* What a recv gave of the stream. */
static void take_data(struct player *player, struct peer *peer, const struct reply *reply)
{
        size_t size;
        uint8_t *const bytes = base64_decode(reply_text(reply, "data"), &size);
        const uint64_t offset = (uint64_t)reply_number(reply, "offset");
        tape_move(&peer->tape, offset);
        if (!tape_add(&peer->tape, bytes, size, peer->sent))
                player_fail(player, "not of the stream: %s", reply->body);
        expect_number(player, reply, "offset", peer->tape.next - size);
        expect_number(player, reply, "next", peer->tape.next);
        free(bytes);
}

static void close_tape(struct player *player, const struct peer *peer)
{
        if (!tape_is_whole(&peer->tape, peer->sent))
                player_fail(player, "the hashes differ");
        player->outcome = (struct outcome){ .lost = peer->tape.missing + peer->sent - peer->tape.next,
                .doubled = peer->tape.repeated };
}

static void receive_stream(struct player *player)
{
        struct peer peer;
        peer_meet(player, &peer, SOCK_STREAM, peer_pours);
        for (bool ended = false; !ended && !*player->trouble;) {
                const uint64_t at = peer.tape.next;
                if (!player_goes_on(player))
                        peer_stop(&peer);
                struct reply *const reply = player_insist(player, 200,
                        &(struct request){ .method = "POST",
                                .path = line_of("/v1/sockets/%s/recv", peer.id),
                                .json = line_of("{'offset':%llu,'ack':%llu,'size':%d}",
                                        (unsigned long long)at, (unsigned long long)at,
                                        peer.enough ? 65536 : PIECE_MAX) });
                take_data(player, &peer, reply);
                expect_number(player, reply, "offset", at);
                ended = json_is_true(json_object_get(reply->json, "eof"));
                reply_free(reply);
        }
        peer_await(player, &peer);
        close_tape(player, &peer);
        peer_free(&peer);
}

static void send_stream(struct player *player)
{
        struct peer peer;
        uint8_t bytes[PIECE_MAX];
        peer_meet(player, &peer, SOCK_STREAM, peer_records);
        while (player_goes_on(player)) {
                const size_t size = 1 + dice_roll(&player->dice, PIECE_MAX);
                code_fill(bytes, size, peer.sent);
                char *const data = base64_encode(bytes, size);
                struct reply *const reply = player_insist(player, 200,
                        &(struct request){ .method = "POST",
                                .path = line_of("/v1/sockets/%s/send", peer.id),
                                .json = line_of("{'data':'%s','offset':%llu}", data,
                                        (unsigned long long)peer.sent) });
                expect_number(player, reply, "offset", peer.sent);
                peer.sent += (uint64_t)reply_number(reply, "sent");
                expect_number(player, reply, "next", peer.sent);
                reply_free(reply);
                free(data);
        }
        reply_free(peer_do(player, &peer, 200, "shutdown", "{'how':'SHUT_WR'}"));
        peer_await(player, &peer);
        close_tape(player, &peer);
        peer_free(&peer);
}

/* The number that a peer has said. */
static uint64_t number_in(const struct reply *reply)
{
        size_t size;
        char *const text = (char *)base64_decode(reply_text(reply, "data"), &size);
        const uint64_t number = strtoull(line_of("%.*s", (int)size, text), NULL, 10);
        free(text);
        return number;
}

/* A datagram's position is its number. */
static void receive_datagrams(struct player *player)
{
        struct peer peer;
        peer_meet(player, &peer, SOCK_DGRAM, peer_numbers);
        for (unsigned long long next = 0; player_goes_on(player); next++) {
                peer_go(&peer);
                struct reply *const reply = player_insist(player, 200,
                        &(struct request){ .method = "POST",
                                .path = line_of("/v1/sockets/%s/recv", peer.id),
                                .json = line_of("{'offset':%llu,'ack':%llu}", next, next) });
                expect_number(player, reply, "offset", number_in(reply));
                ledger_note(peer.ledger, number_in(reply));
                reply_free(reply);
        }
        peer_stop(&peer);
        peer_await(player, &peer);
        player->outcome = ledger_close(peer.ledger, peer.sent);
        peer_free(&peer);
}

/* In one of two ways, the numbers to the peer. */
static void send_numbers(struct player *player, bool by_position)
{
        struct peer peer;
        peer_meet(player, &peer, SOCK_DGRAM, peer_counts);
        for (; player_goes_on(player); peer.sent++) {
                const unsigned long long number = peer.sent;
                struct request request = { .method = "POST",
                        .path = line_of("/v1/sockets/%s/%s", peer.id, by_position ? "send" : "sendto"),
                        .json = line_of("{'text':'%llu','offset':%llu}", number, number) };
                if (!by_position) {
                        request.json =
                                line_of("{'text':'%llu','address':'127.0.0.1:%d'}", number, peer.own_port);
                        request.headers[0] = key_header(player);
                }
                struct reply *const reply = player_insist(player, 200, &request);
                expect_number(player, reply, "offset", number);
                reply_free(reply);
        }
        reply_free(peer_do(player, &peer, 200, "send", "{'text':'end'}"));
        peer_await(player, &peer);
        player->outcome = ledger_close(peer.ledger, peer.sent);
        peer_free(&peer);
}

static void send_datagrams(struct player *player)
{
        send_numbers(player, true);
}

static void send_datagrams_to(struct player *player)
{
        send_numbers(player, false);
}

/* The sockets that have the player's label, which are few. */
static struct reply *list_sockets(struct player *player)
{
        return player_do(player, 200,
                &(struct request){ .method = "GET",
                        .path = line_of("/v1/sockets?limit=1000&label=player%u", player->number) });
}

static size_t count_listed(struct player *player)
{
        struct reply *const list = list_sockets(player);
        const size_t count = json_array_size(json_object_get(list->json, "sockets"));
        reply_free(list);
        return count;
}

/* Reads the number that a connection says, and lets go of it. */
static void take_connection(struct player *player, struct peer *peer, const char *id)
{
        struct reply *const said = player_do(player, 200,
                &(struct request){ .method = "POST", .path = line_of("/v1/sockets/%s/recv?until=eof", id) });
        ledger_note(peer->ledger, number_in(said));
        reply_free(said);
        reply_free(player_do(
                player, 204, &(struct request){ .method = "DELETE", .path = line_of("/v1/sockets/%s", id) }));
}

static void accept_connections(struct player *player)
{
        struct peer peer;
        peer_find(player, &peer, peer_calls);
        while (player_goes_on(player)) {
                peer_go(&peer);
                struct reply *const reply = player_insist(player, 201,
                        &(struct request){ .method = "POST",
                                .path = line_of("/v1/sockets/%s/accept", peer.id),
                                .json = line_of("{'label':'player%u'}", player->number),
                                .headers = { key_header(player) } });
                take_connection(player, &peer, reply_text(reply, "id"));
                reply_free(reply);
        }
        peer_stop(&peer);
        peer_await(player, &peer);
        player->outcome = ledger_close(peer.ledger, peer.sent);
        player->outcome.doubled += count_listed(player);
        reply_free(peer_do(player, &peer, 422, "accept", "{'timeout_ms':0}"));
        peer_free(&peer);
}

static void insist_on_deleting(struct player *player, const char *id)
{
        reply_free(player_insist(player, 204,
                &(struct request){ .method = "DELETE",
                        .path = line_of("/v1/sockets/%s", id),
                        .headers = { key_header(player) } }));
}

/* Most of them go again. */
static void make_and_delete(struct player *player)
{
        enum { MANY = 1000 };
        char id[64];
        size_t made = 0, deleted = 0;
        while (player_goes_on(player)) {
                struct reply *const reply = player_insist(player, 201,
                        &(struct request){ .method = "POST",
                                .path = "/v1/sockets",
                                .json = line_of("{'label':'player%u'}", player->number),
                                .headers = { key_header(player) } });
                snprintf(id, sizeof id, "%s", reply_text(reply, "id"));
                reply_free(reply);
                if (++made % 3 != 0 || made > MANY) {
                        insist_on_deleting(player, id);
                        deleted++;
                }
        }
        const size_t left = count_listed(player), expected = made - deleted;
        player->outcome = (struct outcome){ .lost = left < expected ? expected - left : 0,
                .doubled = left > expected ? left - expected : 0 };
}

/* How many calls may have taken bytes that nobody got: their requests had come. */
static size_t perilous_kills(const struct player *player)
{
        return relay_kills_at(player->relay, KILL_AFTER_REQUEST) +
               relay_kills_at(player->relay, KILL_IN_REPLY) + relay_kills_at(player->relay, KILL_AFTER_REPLY);
}

/* Where it jumps, calls were killed that had taken what is missing. */
static void take_what_is_left(struct player *player, struct peer *peer, const struct reply *reply)
{
        const uint64_t missing = peer->tape.missing;
        take_data(player, peer, reply);
        if (peer->tape.missing > missing && ++peer->jumps > perilous_kills(player))
                player_fail(player, "%zu jumps, but only %zu calls were killed", peer->jumps,
                        perilous_kills(player));
}

/* Asks for what the peer does about now. Where a connection ends that was used before, libcurl asks again by
 * itself: for what the first call has taken, perhaps, so that the second times out. NULL: there was no
 * answer, or that. */
static struct reply *ask_for_next(struct player *player, struct peer *peer, int status, const char *action)
{
        peer_go(peer);
        struct reply *const reply = player_try(player,
                &(struct request){ .method = "POST",
                        .path = line_of("/v1/sockets/%s/%s", peer->id, action),
                        .json = line_of("{'timeout_ms':20%s}",
                                status == 201 ? line_of(",'label':'player%u'", player->number) : "") });
        if (reply->status == status)
                return reply;
        if (reply->status != 0 && strcmp(reply_text(reply, "errno"), "EAGAIN") != 0)
                player_fail(player, "%s: %s", reply->name, reply->body);
        reply_free(reply);
        return NULL;
}

static void receive_parked(struct player *player, struct peer *peer)
{
        struct reply *const reply = ask_for_next(player, peer, 200, "recv");
        if (reply)
                take_what_is_left(player, peer, reply);
        reply_free(reply);
}

/* Clients of parked calls that go as the data comes, without keys or positions: no byte comes twice, what is
 * missing was in a reply that was on its way, and all else is still there. */
static void receive_without_keys(struct player *player)
{
        struct peer peer;
        peer_meet(player, &peer, SOCK_STREAM, peer_dribbles);
        while (player_goes_on(player))
                receive_parked(player, &peer);
        peer_stop(&peer);
        peer_await(player, &peer);
        /* At the end the position tells what was taken last. */
        struct reply *const rest = peer_do(player, &peer, 200, "recv", "{'until':{'eof':true}}");
        take_what_is_left(player, &peer, rest);
        player->outcome = (struct outcome){ .lost = peer.sent - (uint64_t)reply_number(rest, "next"),
                .doubled = peer.tape.repeated,
                .unheard = peer.tape.missing };
        reply_free(rest);
        peer_free(&peer);
}

static void accept_parked(struct player *player, struct peer *peer)
{
        struct reply *const reply = ask_for_next(player, peer, 201, "accept");
        if (reply)
                take_connection(player, peer, reply_text(reply, "id"));
        reply_free(reply);
}

/* Accepts one that still waits. Whether there was one. */
static bool accept_rest(struct player *player, struct peer *peer)
{
        struct reply *const reply = exchange(
                player->calm, &(struct request){ .method = "POST",
                                      .path = line_of("/v1/sockets/%s/accept?timeout_ms=0", peer->id) });
        const bool accepted = reply->status == 201;
        if (accepted)
                take_connection(player, peer, reply_text(reply, "id"));
        reply_free(reply);
        return accepted;
}

/* The same for accept: a connection whose reply nobody got is listed as one that nobody has claimed. */
static void accept_without_keys(struct player *player)
{
        struct peer peer;
        peer_find(player, &peer, peer_calls);
        while (player_goes_on(player))
                accept_parked(player, &peer);
        peer_stop(&peer);
        peer_await(player, &peer);
        while (accept_rest(player, &peer))
                ;
        struct reply *const list = list_sockets(player);
        const json_t *const sockets = json_object_get(list->json, "sockets");
        for (size_t i = 0; i < json_array_size(sockets); i++) {
                const json_t *const socket = json_array_get(sockets, i);
                if (!json_is_true(json_object_get(socket, "unclaimed")))
                        player_fail(player, "claimed by nobody that we know: %s", list->body);
                take_connection(player, &peer, json_string_value(json_object_get(socket, "id")));
        }
        player->outcome = ledger_close(peer.ledger, peer.sent);
        player->outcome.unheard = json_array_size(sockets);
        reply_free(list);
        peer_free(&peer);
}

static const struct trial trials[] = {
        { "a stream, received", receive_stream, 20 },
        { "a stream, sent", send_stream, 20 },
        { "datagrams, received", receive_datagrams, 10 },
        { "datagrams, sent", send_datagrams, 10 },
        { "datagrams, sent with keys", send_datagrams_to, 10 },
        { "connections, accepted", accept_connections, 10 },
        { "sockets, made and deleted", make_and_delete, 10 },
        { "a stream, without keys", receive_without_keys, 5 },
        { "connections, without keys", accept_without_keys, 5 },
};

int main(void)
{
        SUITE_ADD_ROWS(kills_play, trials);
        const int failed = suite_run("connections that are killed", NULL);
        kills_report();
        return failed;
}
