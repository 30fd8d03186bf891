/* kills.c: players who do one thing over and over, each through a relay of its own that kills its
 * connections, and what comes of it. */
#include "tests/http/kills.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { PLAYERS = 4, TRIALS_MAX = 16, TRIES_MAX = 1000, LINES = 8, LINE_SIZE = 4096 };

/* The thread sanitizer makes it three times as slow, and has seen kills of each kind by the hundred by then.
 */
#ifdef __SANITIZE_THREAD__
enum { KILLS = 4000 };
#else
enum { KILLS = 10000 };
#endif

/* A row of the table. */
static struct line {
        const char *name;
        size_t kills[KILL_PLACE_COUNT], requests;
        struct outcome outcome;
} lines[TRIALS_MAX];
static size_t line_count;

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
        const char *const text = getenv(variable);
        return text ? strtoull(text, NULL, 10) : otherwise;
}

/* How many in all, and what the dice start from: as these variables say, to play a run again. */
static size_t all_kills(void)
{
        return number_of("KILLS", KILLS);
}

static uint64_t seed(void)
{
        static uint64_t value;
        if (value == 0) {
                assert_int_equal(getrandom(&value, sizeof value, 0), sizeof value);
                value = number_of("SEED", value >> 32 | 1);
        }
        return value;
}

/* Dice of a player's own, whatever else is played. */
static uint64_t dice_of(const struct trial *trial, unsigned number)
{
        uint64_t dice = seed() + number;
        for (const char *c = trial->name; *c; c++)
                dice = (dice ^ (uint64_t)*c) * 0x100000001B3;
        return dice;
}

static void *player_run(void *context)
{
        struct player *const player = context;
        player->trial->play(player);
        return NULL;
}

static void player_start(struct player *player, const struct stage *stage)
{
        player->dice = dice_of(player->trial, player->number);
        player->relay = relay_start(stage->daemon, dice_roll(&player->dice, UINT64_MAX));
        player->client = client_new(relay_daemon(player->relay), OVER_TCP);
        player->calm = client_new(stage->daemon, OVER_UNIX);
        client_set_quiet(player->client, true);
        client_set_quiet(player->calm, true);
        assert_int_equal(pthread_create(&player->thread, NULL, player_run, player), 0);
}

static void line_add(struct line *sum, const struct line *line)
{
        for (int place = 0; place < KILL_PLACE_COUNT; place++)
                sum->kills[place] += line->kills[place];
        sum->requests += line->requests;
        sum->outcome.lost += line->outcome.lost;
        sum->outcome.doubled += line->outcome.doubled;
        sum->outcome.unheard += line->outcome.unheard;
}

static void player_finish(struct player *player, struct line *line)
{
        pthread_join(player->thread, NULL);
        client_free(player->client);
        client_free(player->calm);
        struct line own = { .requests = relay_requests(player->relay), .outcome = player->outcome };
        for (int place = 0; place < KILL_PLACE_COUNT; place++)
                own.kills[place] = relay_kills_at(player->relay, (enum kill_place)place);
        line_add(line, &own);
        relay_stop(player->relay);
}

static size_t kills_of(const struct line *line)
{
        size_t kills = 0;
        for (int place = 0; place < KILL_PLACE_COUNT; place++)
                kills += line->kills[place];
        return kills;
}

static void check(const struct line *line, size_t kills)
{
        enum { MANY = 100 };
        assert_int_equal(line->outcome.lost, 0);
        assert_int_equal(line->outcome.doubled, 0);
        assert_true(kills_of(line) >= kills);
        for (int place = 0; place < KILL_PLACE_COUNT && kills >= MANY; place++)
                assert_true(line->kills[place] > 0);
}

void kills_play(struct stage *stage, const void *row)
{
        const struct trial *const trial = row;
        const size_t quota = (all_kills() * trial->share / 100 + PLAYERS - 1) / PLAYERS;
        struct player players[PLAYERS];
        assert_true(line_count < TRIALS_MAX);
        struct line *const line = &lines[line_count++];
        line->name = trial->name;
        for (unsigned i = 0; i < PLAYERS; i++) {
                players[i] = (struct player){ .trial = trial, .number = i, .quota = quota };
                player_start(&players[i], stage);
        }
        for (int i = 0; i < PLAYERS; i++)
                player_finish(&players[i], line);
        for (int i = 0; i < PLAYERS; i++)
                if (*players[i].trouble)
                        fail_msg("SEED=%" PRIu64 ", player %d: %s", seed(), i, players[i].trouble);
        check(line, quota * PLAYERS);
}

static void print_line(const struct line *line)
{
        printf("%-28s %8zu %8zu", line->name, line->requests, kills_of(line));
        for (int place = 0; place < KILL_PLACE_COUNT; place++)
                printf(" %8zu", line->kills[place]);
        printf(" %8zu %8zu %8zu\n", line->outcome.lost, line->outcome.doubled, line->outcome.unheard);
}

void kills_report(void)
{
        struct line all = { .name = "all" };
        printf("SEED=%" PRIu64 " KILLS=%zu\n%-28s %8s %8s", seed(), all_kills(), "", "requests", "kills");
        for (int place = 0; place < KILL_PLACE_COUNT; place++)
                printf(" %8s", kill_place_names[place]);
        printf(" %8s %8s %8s\n", "lost", "doubled", "unheard");
        for (size_t i = 0; i < line_count; i++) {
                print_line(&lines[i]);
                line_add(&all, &lines[i]);
        }
        print_line(&all);
        printf("unheard: in replies that nobody got, without keys: bytes, as the next offset says, or "
               "sockets, "
               "listed as unclaimed\n");
        fflush(stdout);
}

bool player_goes_on(const struct player *player)
{
        return !*player->trouble && relay_kills(player->relay) < player->quota;
}

void player_fail(struct player *player, const char *format, ...)
{
        if (*player->trouble)
                return;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(player->trouble, sizeof player->trouble, format, arguments);
        va_end(arguments);
}

/* libcurl takes a head for whole that the end of the stream has cut off. */
static bool reply_is_whole(const struct reply *reply)
{
        return reply->status == 204 || reply_header(reply, "content-length");
}

struct reply *player_try(struct player *player, const struct request *request)
{
        struct reply *const reply = exchange(player->client, request);
        if (!reply_is_whole(reply))
                reply->status = 0;
        return reply;
}

static struct reply *expecting(struct player *player, int status, struct reply *reply)
{
        if (reply->status != status)
                player_fail(player, "%s: %d, not %d: %s%s", reply->name, reply->status, status,
                        reply->trouble, reply->body);
        return reply;
}

struct reply *player_insist(struct player *player, int status, const struct request *request)
{
        struct reply *reply = player_try(player, request);
        for (int tries = 1; reply->status == 0 && tries < TRIES_MAX; tries++) {
                reply_free(reply);
                reply = player_try(player, request);
        }
        return expecting(player, status, reply);
}

struct reply *player_do(struct player *player, int status, const struct request *request)
{
        return expecting(player, status, exchange(player->calm, request));
}

int64_t reply_number(const struct reply *reply, const char *name)
{
        const json_t *const value = json_object_get(reply->json, name);
        return json_is_integer(value) ? json_integer_value(value) : -1;
}

const char *reply_text(const struct reply *reply, const char *name)
{
        const char *const text = json_string_value(json_object_get(reply->json, name));
        return text ? text : "";
}

const char *line_of(const char *format, ...)
{
        static _Thread_local char ring[LINES][LINE_SIZE];
        static _Thread_local size_t turn;
        char *const line = ring[turn++ % LINES];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(line, LINE_SIZE, format, arguments);
        va_end(arguments);
        for (char *c = strchr(line, '\''); c; c = strchr(c, '\''))
                *c = '"';
        return line;
}
