/* name.c: the C names of constants, found by name, by number, or by what was probably meant. */
#include "daemon/sockets/name.h"

#include <time.h> /* which <linux/errqueue.h> needs */

#include <ctype.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/sockets/event.h"
#include "daemon/sockets/option.h"

/* Where each group's rows begin and end. */
enum {
#define GROUP(group) group##_begin, group##_before = group##_begin - 1,
#define NAME(group, constant) group##_at_##constant,
#define GROUP_END(group) group##_end, group##_last = group##_end - 1,
#include "daemon/sockets/name.def"
#undef GROUP
#undef NAME
#undef GROUP_END
};

static const struct name rows[] = {
#define GROUP(group)
#define NAME(group, constant) { .name = #constant, .number = (long)(constant) },
#define GROUP_END(group)
#include "daemon/sockets/name.def"
#undef GROUP
#undef NAME
#undef GROUP_END
};

#define GROUP(group)                                                                                         \
        const struct names group##_names = {                                                                 \
                .title = #group,                                                                             \
                .rows = rows + group##_begin,                                                                \
                .count = (size_t)(group##_end - group##_begin),                                              \
        };
#define NAME(group, constant)
#define GROUP_END(group)
#include "daemon/sockets/name.def"
#undef GROUP
#undef NAME
#undef GROUP_END

const struct names *const all_names[] = {
#define GROUP(group) &group##_names,
#define NAME(group, constant)
#define GROUP_END(group)
#include "daemon/sockets/name.def"
#undef GROUP
#undef NAME
#undef GROUP_END
#define LEVEL(group, level) &group##_names,
#define OPTION(group, level, option, kind, access, ...)
#define LEVEL_END(group)
#include "daemon/sockets/option.def"
#undef LEVEL
#undef OPTION
#undef LEVEL_END
        &event_names,
        NULL,
};

const char *name_of(const struct names *names, long number)
{
        for (size_t i = 0; i < names->count; i++)
                if (names->rows[i].number == number)
                        return names->rows[i].name;
        return NULL;
}

bool name_number(const struct names *names, const char *text, size_t size, long *number)
{
        for (size_t i = 0; i < names->count; i++) {
                const struct name *row = &names->rows[i];
                if (strlen(row->name) == size && memcmp(row->name, text, size) == 0) {
                        *number = row->number;
                        return true;
                }
        }
        return false;
}

enum { LONGEST = 64 };

static size_t smaller(size_t one, size_t other)
{
        return one < other ? one : other;
}

size_t name_distance(const char *one, size_t one_size, const char *other, size_t limit)
{
        const size_t other_size = strlen(other);
        const size_t difference = one_size > other_size ? one_size - other_size : other_size - one_size;
        if (other_size >= LONGEST || difference >= limit)
                return limit;
        size_t row[LONGEST]; /* edits from the letters of `one` so far to each beginning of `other` */
        for (size_t j = 0; j <= other_size; j++)
                row[j] = j;
        for (size_t i = 0; i < one_size; i++) {
                size_t diagonal = row[0];
                row[0] = i + 1;
                for (size_t j = 0; j < other_size; j++) {
                        const bool same = toupper((unsigned char)one[i]) == toupper((unsigned char)other[j]);
                        const size_t replaced = diagonal + (same ? 0 : 1);
                        diagonal = row[j + 1];
                        row[j + 1] = smaller(replaced, smaller(row[j], diagonal) + 1);
                }
        }
        return smaller(row[other_size], limit);
}

/* Also tries the part behind the prefix, so that "inet" means AF_INET; that costs as much as one edit. */
static size_t distance_to_name(const char *text, size_t size, const char *name, size_t limit)
{
        const size_t whole = name_distance(text, size, name, limit);
        const char *prefix_end = strchr(name, '_');
        if (!prefix_end)
                return whole;
        return smaller(whole, smaller(name_distance(text, size, prefix_end + 1, limit) + 1, limit));
}

const char *name_nearest(const struct names *names, const char *text, size_t size)
{
        /* A third of the letters wrong, three at most, is a slip; more is another word. */
        size_t limit = smaller(size / 3, 3) + 1;
        const char *nearest = NULL;
        for (size_t i = 0; i < names->count; i++) {
                const size_t distance = distance_to_name(text, size, names->rows[i].name, limit);
                if (distance < limit) {
                        limit = distance;
                        nearest = names->rows[i].name;
                }
        }
        return nearest;
}
