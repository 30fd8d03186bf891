/* takeover.c: going on with what an earlier daemon has left in the service manager's store; see holder.c for
 * the order of things. */
#include "daemon/takeover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/restore.h"
#include "daemon/systemd.h"

struct takeover {
        char name[HOLDER_NAME_SIZE];
        struct store_image *image;
        struct parcel_items list;
};

bool estate_add(struct estate *estate, int fd, const char *name)
{
        struct estate_item *const item = &estate->items[estate->count];
        if (estate->count == ESTATE_MAX || strlen(name) >= sizeof item->name)
                return false;
        item->fd = fd;
        memcpy(item->name, name, strlen(name) + 1);
        estate->count++;
        return true;
}

static void takeover_free(struct takeover *takeover)
{
        if (takeover == NULL)
                return;
        for (size_t i = 0; i < takeover->list.count; i++)
                cleanup_fd(&takeover->list.items[i].fd);
        free(takeover->list.items);
        store_image_close(takeover->image);
        free(takeover);
}

/* seccomp: fstat newfstatat */
static bool is_memory(int fd)
{
        struct stat status;
        return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* NULL after logging why it is none to go on with. */
static struct store_image *open_image(const struct estate_item *item)
{
        const char *reason;
        struct store_image *const image = store_image_open(item->fd, &reason);
        if (image != NULL)
                reason = restore_flaw(image);
        if (reason == NULL)
                return image;
        log_write(LOG_LEVEL_ERROR,
                "%s: what an earlier daemon left cannot be gone on with: %s. It stays with the service "
                "manager, with its sockets, for a daemon that can",
                item->name, reason);
        store_image_close(image);
        return NULL;
}

static bool open_parcels(struct takeover *takeover, const struct estate *estate)
{
        for (size_t i = 0; i < estate->count; i++) {
                const struct estate_item *const item = &estate->items[i];
                if (strcmp(item->name, takeover->name) == 0 && !is_memory(item->fd) &&
                        !parcel_look(item->fd, &takeover->list)) {
                        log_write(LOG_LEVEL_ERROR, "%s: not all sockets that were kept can be had: %s",
                                item->name, strerror(errno));
                        return false;
                }
        }
        return true;
}

static bool has_memory(const struct estate *estate, const char *name)
{
        for (size_t i = 0; i < estate->count; i++)
                if (strcmp(estate->items[i].name, name) == 0 && is_memory(estate->items[i].fd))
                        return true;
        return false;
}

/* When its memory was begun is in its name. */
static unsigned long long begin_of(const struct estate_item *item)
{
        return strtoull(item->name + strlen(HOLDER_SET_PREFIX), NULL, 16);
}

static int compare_newest_first(const void *one, const void *other)
{
        const unsigned long long first = begin_of(one), second = begin_of(other);
        return (first < second) - (first > second);
}

/* The newest set that can be read. */
static struct takeover *find_set(struct estate *estate)
{
        struct takeover *const takeover = calloc(1, sizeof *takeover);
        qsort(estate->items, estate->count, sizeof *estate->items, compare_newest_first);
        for (size_t i = 0; i < estate->count && takeover != NULL; i++) {
                const struct estate_item *const item = &estate->items[i];
                if (!has_memory(estate, item->name))
                        log_write(LOG_LEVEL_ERROR, "%s: what an earlier daemon left has lost its memory",
                                item->name);
                if (!is_memory(item->fd))
                        continue;
                if (takeover->image != NULL) {
                        log_write(LOG_LEVEL_ERROR, "%s: an older set: it stays with the service manager",
                                item->name);
                        continue;
                }
                takeover->image = open_image(item);
                memcpy(takeover->name, item->name, sizeof takeover->name);
        }
        if (takeover != NULL && takeover->image != NULL)
                return takeover;
        takeover_free(takeover);
        return NULL;
}

/* seccomp: close */
bool takeover_begin(struct estate *estate, struct takeover **out)
{
        *out = estate->count == 0 ? NULL : find_set(estate);
        bool good = true;
        if (*out != NULL) {
                good = open_parcels(*out, estate);
                store_continue((*out)->image);
        }
        for (size_t i = 0; i < estate->count; i++)
                close(estate->items[i].fd);
        if (good)
                return true;
        takeover_free(*out);
        *out = NULL;
        return false;
}

static bool restore(struct takeover *takeover, struct service *service, struct accounts *accounts)
{
        struct restore restored = { .registry = service->registry,
                .sessions = service->sessions,
                .accounts = accounts,
                .guard = &service->guard,
                .note = service->note };
        if (!restore_run(&restored, takeover->image, &takeover->list) ||
                !outcomes_restore(service->outcomes, takeover->image)) {
                log_write(LOG_LEVEL_ERROR, "%s: no memory to go on with it", takeover->name);
                return false;
        }
        log_write(LOG_LEVEL_NOTICE,
                "went on with %zu sockets and %zu sessions of an earlier daemon; its reactors have ended",
                restored.socket_count, restored.session_count);
        if (restored.ended > 0)
                log_write(LOG_LEVEL_NOTICE,
                        "%zu sockets are closed: their session is over, or their peer denied",
                        restored.ended);
        if (restored.emptied > 0)
                log_write(LOG_LEVEL_ERROR, "what was kept of %zu sockets cannot be had any more",
                        restored.emptied);
        if (restored.missing + restored.unknown > 0)
                log_write(LOG_LEVEL_WARNING,
                        "%zu sockets of the earlier daemon are missing; %zu descriptors are nobody's, and "
                        "closed",
                        restored.missing, restored.unknown);
        return true;
}

bool takeover_finish(struct takeover *takeover, struct service *service, struct accounts *accounts)
{
        const bool good = takeover == NULL || restore(takeover, service, accounts);
        if (good)
                holder_take_charge(takeover == NULL ? "" : takeover->name);
        if (good && takeover != NULL) {
                /* As long as the store has them too, nothing that is closed here is closed. */
                systemd_forget(takeover->name);
                systemd_settle();
        }
        takeover_free(takeover);
        return good;
}
