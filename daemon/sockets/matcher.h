/* matcher.h: finds byte strings in a stream that comes in pieces. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Upon these bytes, those are the answer. `when` has a byte or more. */
struct reply_rule {
        const uint8_t *when, *then;
        size_t when_size, then_size;
};

enum { REPLY_RULES_MAX = 64, REPLY_WHEN_MAX = 4096, REPLY_THEN_MAX = 65536 };

struct reply_rules {
        const struct reply_rule *items;
        size_t count;
        bool ends[UINT8_MAX + 1]; /* whether some `when` ends with that byte; set by reply_rules_prepare() */
};

void reply_rules_prepare(struct reply_rules *rules);

/* Zeroed, at the start of a stream. */
struct matcher {
        size_t kept_size;
        uint8_t kept[REPLY_WHEN_MAX]; /* the end of what was looked at since the last match */
};

/* Goes on to the end of the first match, which is no part of any later one; of rules that match at the same
 * end, the first counts. Returns how many bytes that took; all of them, with *match NULL, when there is none.
 */
size_t matcher_take(struct matcher *matcher, const struct reply_rules *rules, const uint8_t *bytes,
        size_t size, const struct reply_rule **match);
