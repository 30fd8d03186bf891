/* traffic.c: how many bytes went through sockets, told as events from their counters. */
#include "daemon/sockets/traffic.h"

#include "daemon/sockets/event.h"

enum { BATCH = 64 };

static const enum event_kind kinds[DIRECTION_COUNT] = { EVENT_RECEIVED, EVENT_SENT };

/* Moves on what was told, and returns by how much. Of two who try at once, none tells what the other does. */
static uint64_t take_news(struct socket *socket, int direction)
{
        const struct tally *const tally =
                direction == DIRECTION_RECEIVE ? &socket->stored->received : &socket->stored->sent;
        const uint64_t bytes = tally->bytes;
        uint64_t told = socket->told[direction];
        while (told < bytes)
                if (atomic_compare_exchange_weak(&socket->told[direction], &told, bytes))
                        return bytes - told;
        return 0;
}

void traffic_tell(struct socket *socket)
{
        for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
                const uint64_t bytes = event_is_wanted(kinds[direction]) ? take_news(socket, direction) : 0;
                if (bytes > 0)
                        event_publish(
                                socket, &(struct event_facts){ .kind = kinds[direction], .bytes = bytes });
        }
}

static void forget(struct socket *socket)
{
        for (int direction = 0; direction < DIRECTION_COUNT; direction++)
                take_news(socket, direction);
}

static void for_all(struct registry *registry, void (*act)(struct socket *socket))
{
        struct socket *batch[BATCH];
        uint64_t last = 0;
        for (size_t count = BATCH; count == BATCH;) {
                count = registry_list(registry, last, batch, BATCH);
                for (size_t i = 0; i < count; i++) {
                        last = batch[i]->number;
                        act(batch[i]);
                        socket_release(batch[i]);
                }
        }
}

void traffic_begin(struct registry *registry)
{
        for_all(registry, forget);
}

void traffic_tell_all(struct registry *registry)
{
        for_all(registry, traffic_tell);
}
