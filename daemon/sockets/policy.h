/* policy.h: rules of who may do what, and their judgement. */
#pragma once

#include "daemon/sockets/deed.h"

enum { RULE_NAME_SIZE = 64 };

/* What only a rule that names it allows. */
enum {
        CLASS_METADATA = 1, /* where clouds tell their machines secrets */
        CLASS_CONTROL = 2,  /* where the daemon itself listens */
};

/* An array in the policy's memory. */
struct list {
        void *items;
        size_t count;
};

struct network {
        uint8_t ip[16];
        size_t ip_size; /* 4 or 16 */
        unsigned bits;
};
struct port_range {
        uint16_t first, last;
};
struct option_key {
        int level, option;
};
struct word {
        const char *bytes;
        size_t size;
};

/* All that is given must hold; an empty list is not given. Of networks and ports (together), paths and
 * abstract names, one must hold. */
struct rule {
        char name[RULE_NAME_SIZE];
        bool allows;
        unsigned deeds;               /* bits, by enum deed_kind */
        unsigned classes;             /* bits; 0: not given */
        struct list families, types;  /* of int */
        struct list networks;         /* of struct network */
        struct list ports;            /* of struct port_range */
        struct list paths, abstracts; /* of struct word: beginnings */
        struct list options;          /* of struct option_key */
        struct list devices, netns;   /* of struct word */
        struct list tokens, policies; /* of struct word */
};

/* Constant once it is in force. */
struct policy {
        bool reports; /* its own denials are told of, but not enforced */
        struct rule *rules;
        size_t count;
        _Atomic unsigned references;
        struct policy_block *blocks;
};

/* An empty policy, with one reference; NULL without memory. */
struct policy *policy_new(void);

/* Zeroed memory that lives as long as the policy, or NULL. */
void *policy_allocate(struct policy *policy, size_t size);

struct policy *policy_reference(struct policy *policy);

/* Lets go. Accepts NULL. */
void policy_release(struct policy *policy);

static inline void cleanup_policy(struct policy **policy)
{
        policy_release(*policy);
}
#define policy_auto __attribute__((cleanup(cleanup_policy)))

struct verdict {
        bool allowed;
        bool reported;             /* allowed only as the policy does not enforce its denials */
        char rule[RULE_NAME_SIZE]; /* whose word it is: a rule's name, or one of those below */
};

/* The names of what is built in. */
extern const char *const policy_own_names[];
extern const size_t policy_own_name_count;

/* The classes of addresses that need no knowledge of the daemon: CLASS_METADATA or none. */
unsigned policy_class_of(const struct deed *deed);

/* The first rule that fits decides; then the built-in denials; then all is denied that has a risk. Without a
 * policy (NULL), all is allowed that is not denied by what is built in. Safe from any thread. */
void policy_judge(
        const struct policy *policy, const struct deed *deed, unsigned classes, struct verdict *out);
