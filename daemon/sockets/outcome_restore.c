/* outcome_restore.c: the outcomes that an earlier process has kept. Its memory may be damaged: what does not
 * hold together is left out. */
#include <stdlib.h>
#include <string.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/outcome.h"

/* Printable ASCII, and terminated. */
static bool is_text(const char *text, size_t size, size_t least)
{
        const size_t length = strnlen(text, size);
        for (size_t i = 0; i < length; i++)
                if (text[i] < ' ' || text[i] > '~')
                        return false;
        return length < size && length >= least;
}

/* The bytes of its reply, or NULL. */
static const uint8_t *bytes_of(const struct store_image *image, const struct stored_outcome *old)
{
        if (old->body_size > SIZE_MAX / 2 || old->members_size > SIZE_MAX / 2)
                return NULL;
        const size_t size = old->body_size + old->members_size;
        if (old->extent != 0)
                return store_image_bytes(image, old->extent, size);
        return size <= sizeof old->small ? old->small : NULL;
}

static bool is_sound(const struct store_image *image, const struct stored_outcome *old)
{
        if (old->number > *store_last_number() || !is_text(old->owner, sizeof old->owner, 0) ||
                !is_text(old->key, sizeof old->key, 1))
                return false;
        return !old->done ||
               (old->status >= 200 && old->status <= 599 && is_text(old->media, sizeof old->media, 0) &&
                       is_text(old->location, sizeof old->location, 0) && bytes_of(image, old) != NULL);
}

static struct stored_socket *find_socket(const struct store_image *image, uint64_t number)
{
        struct stored_socket *socket = NULL;
        while ((socket = store_image_next(image, STORE_SOCKETS, socket)) != NULL &&
                socket->number != number) {
        }
        return socket;
}

/* How much of what its socket has sent was this call's: nobody else has sent since it began. */
static uint64_t taken_of(const struct store_image *image, const struct stored_outcome *old)
{
        struct stored_socket *const socket = old->sending ? find_socket(image, old->socket) : NULL;
        if (socket == NULL)
                return old->sending ? 0 : old->taken;
        tally_settle(&socket->sent);
        const uint64_t position = old->counts_messages ? socket->sent.messages : socket->sent.bytes;
        return position > old->start ? position - old->start : 0;
}

/* False without memory. */
static bool copy_reply(
        const struct store_image *image, const struct stored_outcome *old, struct stored_outcome *new)
{
        const size_t size = old->body_size + old->members_size;
        memcpy(new->media, old->media, sizeof new->media);
        memcpy(new->location, old->location, sizeof new->location);
        new->status = old->status;
        new->whole = old->whole;
        new->body_size = old->body_size;
        new->members_size = old->members_size;
        new->extent = old->extent == 0 ? 0 : store_allocate(size);
        if (old->extent != 0 && new->extent == 0)
                return false;
        memcpy(new->extent == 0 ? new->small : store_bytes(new->extent), bytes_of(image, old), size);
        new->done = true;
        return true;
}

/* False without memory. */
static bool restore(
        struct outcomes *outcomes, const struct store_image *image, const struct stored_outcome *old)
{
        struct stored_outcome *const new = store_take(STORE_OUTCOMES);
        if (new == NULL)
                return false;
        memcpy(new->owner, old->owner, sizeof new->owner);
        memcpy(new->key, old->key, sizeof new->key);
        memcpy(new->fingerprint, old->fingerprint, sizeof new->fingerprint);
        const int64_t now = now_ns();
        new->ended_ns = old->done && old->ended_ns < now ? old->ended_ns : now;
        new->taken = taken_of(image, old);
        if ((!old->done || copy_reply(image, old, new)) && outcomes_adopt(outcomes, new, old->number))
                return true;
        store_free(new->extent);
        store_give_back(STORE_OUTCOMES, new);
        return false;
}

static int compare(const void *one, const void *other)
{
        const struct stored_outcome *const first = *(struct stored_outcome *const *)one;
        const struct stored_outcome *const second = *(struct stored_outcome *const *)other;
        /* What was interrupted ends now. */
        const int64_t a = first->done ? first->ended_ns : INT64_MAX;
        const int64_t b = second->done ? second->ended_ns : INT64_MAX;
        return (a > b) - (a < b);
}

bool outcomes_restore(struct outcomes *outcomes, const struct store_image *image)
{
        size_t count;
        void **all memory_auto = store_image_list(image, STORE_OUTCOMES, &count);
        if (all == NULL)
                return false;
        qsort(all, count, sizeof *all, compare);
        for (size_t i = 0; i < count; i++) {
                const struct stored_outcome *const old = all[i];
                if (is_sound(image, old) && !outcomes_have(outcomes, old->owner, old->key) &&
                        !restore(outcomes, image, old))
                        return false;
        }
        return true;
}
