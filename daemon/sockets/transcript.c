/* transcript.c: what was called on a socket that records. */
#include "daemon/sockets/transcript.h"

#include <stdlib.h>

#include "daemon/sockets/cleanup.h"

struct transcript {
        size_t limit;
        struct account *owner;

        pthread_mutex_t lock; /* guards all below */
        struct transcript_entry *oldest, *newest;
        size_t size;
        uint64_t last, gone;
        struct address local, peer;
};

struct transcript *transcript_new(size_t limit, struct account *owner)
{
        struct transcript *const transcript = calloc(1, sizeof *transcript);
        if (transcript == NULL)
                return NULL;
        transcript->limit = limit < RECORD_LEAST ? RECORD_LEAST : limit;
        transcript->owner = owner;
        pthread_mutex_init(&transcript->lock, NULL);
        return transcript;
}

/* Needs the lock. */
static void drop_oldest(struct transcript *transcript)
{
        struct transcript_entry *const entry = transcript->oldest;
        transcript->oldest = entry->next;
        if (entry->next == NULL)
                transcript->newest = NULL;
        transcript->size -= entry->size;
        transcript->gone++;
        account_give_back(transcript->owner, RESOURCE_BYTES, entry->size);
        free(entry);
}

void transcript_free(struct transcript *transcript)
{
        if (transcript == NULL)
                return;
        while (transcript->oldest != NULL)
                drop_oldest(transcript);
        pthread_mutex_destroy(&transcript->lock);
        free(transcript);
}

size_t transcript_limit(const struct transcript *transcript)
{
        return transcript->limit;
}

void transcript_add(struct transcript *transcript, struct transcript_entry *entry)
{
        if (entry->size > transcript->limit) {
                free(entry);
                transcript_miss(transcript);
                return;
        }
        LOCK_SCOPE(&transcript->lock);
        entry->next = NULL;
        entry->sequence = ++transcript->last;
        while (!account_take(transcript->owner, RESOURCE_BYTES, entry->size)) {
                if (transcript->oldest == NULL) {
                        transcript->gone++;
                        free(entry);
                        return;
                }
                drop_oldest(transcript);
        }
        *(transcript->newest == NULL ? &transcript->oldest : &transcript->newest->next) = entry;
        transcript->newest = entry;
        transcript->size += entry->size;
        while (transcript->size > transcript->limit && transcript->oldest != NULL)
                drop_oldest(transcript);
}

void transcript_miss(struct transcript *transcript)
{
        LOCK_SCOPE(&transcript->lock);
        transcript->last++;
        transcript->gone++;
}

static void note_end(struct address *known, struct address *end)
{
        if (end->given)
                *known = *end;
        else
                *end = *known;
}

void transcript_note_ends(struct transcript *transcript, struct address *local, struct address *peer)
{
        LOCK_SCOPE(&transcript->lock);
        note_end(&transcript->local, local);
        note_end(&transcript->peer, peer);
}

uint64_t transcript_read(struct transcript *transcript,
        void (*take)(void *context, const struct transcript_entry *entry), void *context)
{
        LOCK_SCOPE(&transcript->lock);
        for (const struct transcript_entry *entry = transcript->oldest; entry != NULL; entry = entry->next)
                take(context, entry);
        return transcript->gone;
}
