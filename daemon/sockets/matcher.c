/* matcher.c: finds byte strings in a stream that comes in pieces. */
#include "daemon/sockets/matcher.h"

#include <string.h>

void reply_rules_prepare(struct reply_rules *rules)
{
        memset(rules->ends, 0, sizeof rules->ends);
        for (size_t i = 0; i < rules->count; i++)
                rules->ends[rules->items[i].when[rules->items[i].when_size - 1]] = true;
}

/* Whether what was kept, and the `size` bytes behind it, end with the rule's bytes. */
static bool ends_with(
        const struct matcher *matcher, const struct reply_rule *rule, const uint8_t *bytes, size_t size)
{
        if (rule->when_size <= size)
                return memcmp(bytes + size - rule->when_size, rule->when, rule->when_size) == 0;
        const size_t before = rule->when_size - size;
        return before <= matcher->kept_size &&
               memcmp(matcher->kept + matcher->kept_size - before, rule->when, before) == 0 &&
               memcmp(bytes, rule->when + before, size) == 0;
}

/* Keeps the end of what was looked at: as much as a match may begin in. */
static void keep(struct matcher *matcher, const uint8_t *bytes, size_t size)
{
        const size_t room = sizeof matcher->kept;
        const size_t taken = size < room ? size : room;
        const size_t left = matcher->kept_size < room - taken ? matcher->kept_size : room - taken;
        memmove(matcher->kept, matcher->kept + matcher->kept_size - left, left);
        memcpy(matcher->kept + left, bytes + size - taken, taken);
        matcher->kept_size = left + taken;
}

size_t matcher_take(struct matcher *matcher, const struct reply_rules *rules, const uint8_t *bytes,
        size_t size, const struct reply_rule **match)
{
        *match = NULL;
        for (size_t at = 0; at < size; at++) {
                if (!rules->ends[bytes[at]])
                        continue;
                for (size_t i = 0; i < rules->count; i++)
                        if (ends_with(matcher, &rules->items[i], bytes, at + 1)) {
                                *match = &rules->items[i];
                                matcher->kept_size = 0;
                                return at + 1;
                        }
        }
        keep(matcher, bytes, size);
        return size;
}
