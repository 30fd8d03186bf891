/* restore.c: the sockets and sessions that an earlier process has left.
 *
 * The earlier process may have been killed anywhere. What it had made or ended by then is what its memory
 * says, since a record's number is written last and zeroed first. Between a system call and its record there
 * are these:
 * - accept(2) has given a connection: the record is there before the call, see socket_accept(), and
 * restore_gather() finds its descriptor: the one that has no record, and the peer that the kernel has noted
 * for that call.
 * - socket(2), socketpair(2), or descriptors that came in a message: nobody knows of them, since no reply was
 * given, and they are closed with the table. What came with a message that is kept (`retain`) is lost with
 * them.
 * - bytes and datagrams: see tally.h. */
#include "daemon/sockets/restore.h"

#include <dirent.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/deed.h"
#include "daemon/sockets/policy.h"

/* Live records of an image, in the order of their numbers. */
struct records {
        void **items;
        size_t count;
};

static uint64_t number_of(const void *record)
{
        return *(const _Atomic uint64_t *)record;
}

static int compare_records(const void *one, const void *other)
{
        const uint64_t first = number_of(*(void *const *)one), second = number_of(*(void *const *)other);
        return (first > second) - (first < second);
}

static int compare_items(const void *one, const void *other)
{
        const uint64_t first = ((const struct parcel_item *)one)->number,
                       second = ((const struct parcel_item *)other)->number;
        return (first > second) - (first < second);
}

static bool list_records(const struct store_image *image, enum store_pool pool, struct records *out)
{
        out->items = store_image_list(image, pool, &out->count);
        if (out->items == NULL)
                return false;
        qsort(out->items, out->count, sizeof *out->items, compare_records);
        return true;
}

static struct parcel_item *find_item(const struct parcel_items *list, size_t count, uint64_t number)
{
        const struct parcel_item key = { .number = number };
        return list->items == NULL ? NULL : bsearch(&key, list->items, count, sizeof key, compare_items);
}

/* Whether a connection's own address is one that the listener has. seccomp: getsockname */
static bool is_of_listener(int fd, int listener)
{
        static const struct {
                sa_family_t family;
                size_t port, size; /* where the port stands: a listener's address may be the wildcard */
        } rows[] = {
                { AF_INET, offsetof(struct sockaddr_in, sin_port), sizeof(in_port_t) },
                { AF_INET6, offsetof(struct sockaddr_in6, sin6_port), sizeof(in_port_t) },
                { AF_VSOCK, offsetof(struct sockaddr_vm, svm_port), sizeof(uint32_t) },
        };
        struct sockaddr_storage one = { .ss_family = 0 }, other = { .ss_family = 0 };
        socklen_t one_size = sizeof one, other_size = sizeof other;
        if (getsockname(fd, (struct sockaddr *)&one, &one_size) != 0 ||
                getsockname(listener, (struct sockaddr *)&other, &other_size) != 0 ||
                one.ss_family != other.ss_family)
                return false;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
                if (rows[i].family == one.ss_family)
                        return memcmp((const char *)&one + rows[i].port, (const char *)&other + rows[i].port,
                                       rows[i].size) == 0;
        return one_size == other_size && memcmp(&one, &other, one_size) == 0;
}

/* Whether a descriptor is what a coming socket's accept(2) has given. seccomp: getpeername */
static bool is_accepted(int fd, const struct stored_socket *coming, int listener)
{
        struct sockaddr_storage peer = { .ss_family = 0 };
        socklen_t size = sizeof peer;
        return socket_option(fd, SO_ACCEPTCONN, -1) == 0 &&
               socket_option(fd, SO_TYPE, -1) == socket_option(listener, SO_TYPE, -1) &&
               getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && size == coming->peer_size &&
               memcmp(&peer, &coming->peer, size) == 0 && is_of_listener(fd, listener);
}

/* Of those in the table that are in no record. */
static int find_accepted(
        const struct parcel_items *strangers, const struct stored_socket *coming, int listener)
{
        for (size_t i = 0; i < strangers->count; i++) {
                struct parcel_item *const stranger = &strangers->items[i];
                if (stranger->fd >= 0 && is_accepted(stranger->fd, coming, listener))
                        return take_fd(&stranger->fd);
        }
        return -1;
}

/* Marks those in a list, by descriptor. NULL without memory; the caller's. */
static bool *mark_known(const struct parcel_items *known, int *end)
{
        *end = 0;
        for (size_t i = 0; i < known->count; i++)
                if (known->items[i].fd >= *end)
                        *end = known->items[i].fd + 1;
        bool *const marks = calloc((size_t)*end + 1, sizeof *marks);
        for (size_t i = 0; i < known->count && marks != NULL; i++)
                marks[known->items[i].fd] = true;
        return marks;
}

/* Adds the sockets of the table that are not in a list. seccomp: getdents64 */
static bool list_strangers(const struct parcel_items *known, struct parcel_items *out)
{
        int end;
        bool *const marks = mark_known(known, &end);
        DIR *const table = opendir("/proc/self/fd");
        bool good = table != NULL && marks != NULL;
        for (const struct dirent *entry; good && (entry = readdir(table)) != NULL;) {
                const int fd = (int)strtol(entry->d_name, NULL, 10);
                const bool is_known = entry->d_name[0] == '.' || (fd < end && marks[fd]);
                if (!is_known && socket_option(fd, SO_TYPE, -1) >= 0)
                        good = parcel_items_add(out, 0, fd);
        }
        if (table != NULL)
                closedir(table);
        free(marks);
        return good;
}

/* Gives the coming sockets, which stand at the end, their descriptors. One that has none was not accepted. */
static bool gather_coming(const struct store_image *image, const struct records *records, size_t first,
        struct parcel_items *list)
{
        struct parcel_items strangers = { .count = 0 };
        const size_t known = list->count;
        bool good = list_strangers(list, &strangers);
        for (size_t i = first; i < records->count && good; i++) {
                struct stored_socket *const coming = records->items[i];
                const struct parcel_item *const listener = find_item(list, known, coming->parent);
                coming->fd = listener == NULL ? -1 : find_accepted(&strangers, coming, listener->fd);
                if (coming->fd < 0)
                        continue;
                coming->cookie = socket_cookie(coming->fd);
                coming->unjudged = true;
                coming->number = store_image_take_number(image);
                good = parcel_items_add(list, coming->number, coming->fd);
        }
        free(strangers.items);
        return good;
}

bool restore_gather(const struct store_image *image, struct parcel_items *list)
{
        struct records records;
        size_t i = 0;
        bool good = list_records(image, STORE_SOCKETS, &records);
        for (; i < records.count && number_of(records.items[i]) != STORED_COMING && good; i++) {
                const struct stored_socket *const stored = records.items[i];
                if (stored->cookie != 0 && socket_cookie(stored->fd) == stored->cookie)
                        good = parcel_items_add(list, stored->number, stored->fd);
        }
        if (good && i < records.count)
                good = gather_coming(image, &records, i, list);
        free(records.items);
        return good;
}

/* Bytes of records that must be 0 or 1, before they are looked at as such. */
static const struct flag {
        enum store_pool pool;
        size_t offset;
} flags[] = {
        { STORE_SOCKETS, offsetof(struct stored_socket, shared) },
        { STORE_SOCKETS, offsetof(struct stored_socket, claimed) },
        { STORE_SOCKETS, offsetof(struct stored_socket, unjudged) },
        { STORE_OUTCOMES, offsetof(struct stored_outcome, sending) },
        { STORE_OUTCOMES, offsetof(struct stored_outcome, counts_messages) },
        { STORE_OUTCOMES, offsetof(struct stored_outcome, done) },
        { STORE_OUTCOMES, offsetof(struct stored_outcome, whole) },
};

static bool is_sound(enum store_pool pool, const void *record)
{
        for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
                if (flags[i].pool == pool && ((const uint8_t *)record)[flags[i].offset] > 1)
                        return false;
        const struct stored_session *const session = record;
        const struct stored_outcome *const outcome = record;
        return (pool != STORE_SESSIONS || (session->ttl_ms > 0 && session->ttl_ms <= TTL_MAX_MS)) &&
               (pool != STORE_OUTCOMES || outcome->ended_ns >= 0);
}

/* Each number is given once. What is coming has none yet. */
static const char *flaw_of_pool(const struct store_image *image, enum store_pool pool)
{
        struct records records;
        if (!list_records(image, pool, &records))
                return "there is no memory to read it";
        bool sound = true;
        uint64_t before = 0;
        for (size_t i = 0; i < records.count && sound; i++) {
                const uint64_t number = number_of(records.items[i]);
                const bool is_coming = pool == STORE_SOCKETS && number == STORED_COMING;
                sound = is_sound(pool, records.items[i]) &&
                        (is_coming || (number > before && number <= store_image_last_number(image)));
                before = number;
        }
        free(records.items);
        return sound ? NULL : STORE_DAMAGED;
}

const char *restore_flaw(const struct store_image *image)
{
        const char *flaw = NULL;
        for (int pool = 0; pool < STORE_POOL_COUNT && flaw == NULL; pool++)
                flaw = flaw_of_pool(image, (enum store_pool)pool);
        return flaw;
}

static struct account *owner_of(const struct restore *restore, const char *name)
{
        return name[0] == '\0' ? NULL : accounts_find(restore->accounts, name);
}

/* A memory may be damaged: no text in it is to go on for ever. */
#define END_TEXT(text) ((text)[sizeof(text) - 1] = '\0')

static bool restore_sessions(struct restore *restore, const struct store_image *image)
{
        struct records records;
        bool good = list_records(image, STORE_SESSIONS, &records);
        for (size_t i = 0; i < records.count && good; i++) {
                struct stored_session *const stored = records.items[i];
                END_TEXT(stored->label);
                END_TEXT(stored->owner);
                good = sessions_restore(restore->sessions, owner_of(restore, stored->owner), stored);
                restore->session_count++;
        }
        free(records.items);
        return good;
}

/* Whether the policy lets the owner have a connection that was accepted and not judged any more. */
static bool is_welcome(
        const struct restore *restore, const struct socket *socket, const struct stored_socket *old)
{
        struct target target;
        struct verdict verdict;
        if (!old->unjudged || old->peer_size > sizeof old->peer)
                return !old->unjudged;
        target_read(&target, WAY_OTHER, &old->peer, old->peer_size);
        const struct deed deed = { .kind = DEED_ACCEPT,
                .risk = RISK_SOME,
                .family = socket->family,
                .type = socket->type,
                .target = &target,
                .token = old->owner,
                .policy = old->policy };
        guard_judge(restore->guard, &deed, &verdict);
        if (!verdict.allowed || verdict.reported)
                guard_note(&deed, &verdict, "", restore->note);
        return verdict.allowed;
}

/* All that the old record says of it. False without memory. */
static bool copy(struct restore *restore, const struct store_image *image, struct socket *socket,
        struct stored_socket *old)
{
        struct stored_socket *const stored = socket->stored;
        END_TEXT(old->label);
        END_TEXT(old->owner);
        END_TEXT(old->netns);
        END_TEXT(old->policy);
        socket->number = old->number;
        socket->parent = old->parent;
        socket->owner = owner_of(restore, old->owner);
        socket->netns = old->netns[0] == '\0' ? NULL : strdup(old->netns);
        stored->made_by = old->made_by;
        stored->created = old->created;
        memcpy(stored->label, old->label, sizeof stored->label);
        stored->shared = old->shared;
        stored->claimed = old->claimed;
        tally_settle(&old->sent);
        stored->sent.bytes = old->sent.bytes;
        stored->sent.messages = old->sent.messages;
        restore->emptied += !inbox_restore(socket, image, old);
        return old->netns[0] == '\0' || socket->netns != NULL;
}

/* Takes the descriptor over. False without memory. */
static bool restore_socket(
        struct restore *restore, const struct store_image *image, struct stored_socket *old, int *fd)
{
        struct socket *socket socket_auto = socket_new(*fd, socket_option(*fd, SO_DOMAIN, -1),
                socket_option(*fd, SO_TYPE, -1), socket_option(*fd, SO_PROTOCOL, -1));
        if (socket == NULL)
                return false;
        take_fd(fd);
        if (!copy(restore, image, socket, old))
                return false;
        if (!is_welcome(restore, socket, old)) {
                socket_turn_away(socket);
                restore->ended++;
                return true;
        }
        socket->session = old->session == 0 ? NULL : sessions_find(restore->sessions, old->session);
        /* Charged before it is there, since whoever closes it gives that back. */
        account_add(socket->owner, RESOURCE_SOCKETS, 1);
        if ((old->session == 0 || socket->session != NULL) && registry_publish(restore->registry, socket)) {
                restore->socket_count++;
                return true;
        }
        account_give_back(socket->owner, RESOURCE_SOCKETS, 1);
        restore->ended++;
        return true;
}

static bool restore_sockets(
        struct restore *restore, const struct store_image *image, struct parcel_items *list)
{
        struct records records;
        bool good = list_records(image, STORE_SOCKETS, &records);
        if (list->count > 0)
                qsort(list->items, list->count, sizeof *list->items, compare_items);
        for (size_t i = 0; i < records.count && good; i++) {
                struct stored_socket *const old = records.items[i];
                struct parcel_item *const item = find_item(list, list->count, number_of(old));
                if (item != NULL && item->fd >= 0)
                        good = restore_socket(restore, image, old, &item->fd);
                else
                        restore->missing += number_of(old) != STORED_COMING;
        }
        free(records.items);
        return good;
}

/* seccomp: close */
bool restore_run(struct restore *restore, const struct store_image *image, struct parcel_items *list)
{
        const bool good = restore_sessions(restore, image) && restore_sockets(restore, image, list);
        for (size_t i = 0; i < list->count; i++) {
                if (list->items[i].fd < 0)
                        continue;
                close(take_fd(&list->items[i].fd));
                restore->unknown++;
        }
        return good;
}
