/* lane.c: calls in the order they came. */
#include "daemon/sockets/lane.h"

struct lane *lane_of(const struct wait *wait)
{
        if (wait->lookout != NULL)
                return &wait->lookout->lane;
        return wait->socket == NULL ? NULL : &wait->socket->lanes[wait->direction];
}

void lane_append(struct lane *lane, struct wait *wait)
{
        wait->next = NULL;
        wait->previous = lane->last;
        *(lane->last == NULL ? &lane->first : &lane->last->next) = wait;
        lane->last = wait;
        wait->in_lane = true;
}

void lane_remove(struct lane *lane, struct wait *wait)
{
        *(wait->previous == NULL ? &lane->first : &wait->previous->next) = wait->next;
        *(wait->next == NULL ? &lane->last : &wait->next->previous) = wait->previous;
        wait->in_lane = false;
}
