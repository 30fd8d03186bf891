/* traffic.c: how many bytes went through sockets, told as events from their counters. */
#include "daemon/sockets/traffic.h"

#include "daemon/sockets/event.h"

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

static bool tell(void *context, struct socket *socket)
{
        (void)context;
        for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
                const uint64_t bytes = event_is_wanted(kinds[direction]) ? take_news(socket, direction) : 0;
                if (bytes > 0)
                        event_publish(
                                socket, &(struct event_facts){ .kind = kinds[direction], .bytes = bytes });
        }
        return true;
}

void traffic_tell(struct socket *socket)
{
        tell(NULL, socket);
}

static bool forget(void *context, struct socket *socket)
{
        (void)context;
        for (int direction = 0; direction < DIRECTION_COUNT; direction++)
                take_news(socket, direction);
        return true;
}

void traffic_begin(struct registry *registry)
{
        registry_each(registry, 0, forget, NULL);
}

void traffic_tell_all(struct registry *registry)
{
        registry_each(registry, 0, tell, NULL);
}
