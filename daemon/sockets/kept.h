/* kept.h: one message as it is kept in a socket's inbox. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { KEPT_ALIGNMENT = 8 };

/* Stands in stored memory, at a multiple of 8; the sender's name, the ancillary data and the bytes follow it,
 * each at another one. */
struct kept {
        uint32_t name_room, control_room; /* multiples of 8 */
        uint32_t size;                    /* of the bytes; until it is received, the room for them */
        uint32_t length;                  /* the message's real one, where the kernel tells it */
        uint32_t name_size, control_size;
        int32_t flags; /* MSG_TRUNC, MSG_CTRUNC, MSG_EOR … */
        int32_t error; /* not 0: instead of a message the socket had this errno */
};

static inline size_t kept_round(size_t size)
{
        return (size + KEPT_ALIGNMENT - 1) / KEPT_ALIGNMENT * KEPT_ALIGNMENT;
}

/* What it takes in all: where the next one begins. */
static inline size_t kept_space(const struct kept *kept)
{
        return sizeof *kept + kept->name_room + kept->control_room + kept_round(kept->size);
}

static inline const uint8_t *kept_name(const struct kept *kept)
{
        return (const uint8_t *)(kept + 1);
}

static inline const uint8_t *kept_control(const struct kept *kept)
{
        return kept_name(kept) + kept->name_room;
}

static inline const uint8_t *kept_bytes(const struct kept *kept)
{
        return kept_control(kept) + kept->control_room;
}

/* Fills in what the kernel said of a message that was received into it. Done twice, it is the same. */
static inline void kept_finish(struct kept *kept, const struct mmsghdr *header)
{
        const struct msghdr *const message = &header->msg_hdr;
        kept->length = header->msg_len;
        if (kept->size > header->msg_len)
                kept->size = header->msg_len;
        kept->name_size = message->msg_namelen < kept->name_room ? message->msg_namelen : kept->name_room;
        kept->control_size = message->msg_controllen < kept->control_room ? (uint32_t)message->msg_controllen
                                                                          : kept->control_room;
        kept->flags = message->msg_flags;
}
