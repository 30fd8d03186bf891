/* policy_item.h: what stands in the lists of a policy's rules, for policy_json.c. */
#pragma once

#include "api/policy_json.h"

/* A rule as it is written. */
struct rule_text {
        struct text name;
        struct value allow, deny;
        struct value family, type, cidr, ports, path, abstract, option, device, netns, token, policy, class;
};

/* A reading under way. */
struct reader {
        struct decoder decoder;
        struct arena arena;
        struct policy *policy;
};

/* Operations, as bits. */
#define DEED(kind) (1u << DEED_##kind)
enum { ANY_DEED = (1u << DEED_COUNT) - 1 };

/* A list of a rule, and the operations that it can say something of. */
struct rule_list {
        const char *name;
        size_t from, to; /* in struct rule_text and in struct rule */
        size_t size;     /* of an item */
        unsigned deeds;
        bool (*read)(struct reader *reader, json_t *item, void *out); /* false with a problem */
};
extern const struct rule_list rule_lists[];
extern const size_t rule_list_count;

/* Text that is not empty and has no NUL, or NULL with a problem that says what it must be. */
const char *decode_name_text(
        struct decoder *decoder, const char *name, const json_t *value, const char *what);
