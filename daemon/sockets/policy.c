/* policy.c: rules of who may do what, and their judgement. */
#include "daemon/sockets/policy.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct policy_block {
        struct policy_block *next;
        alignas(max_align_t) unsigned char bytes[];
};

struct policy *policy_new(void)
{
        struct policy *const policy = calloc(1, sizeof *policy);
        if (policy != NULL)
                policy->references = 1;
        return policy;
}

void *policy_allocate(struct policy *policy, size_t size)
{
        struct policy_block *const block = calloc(1, sizeof *block + size);
        if (block == NULL)
                return NULL;
        block->next = policy->blocks;
        policy->blocks = block;
        return block->bytes;
}

struct policy *policy_reference(struct policy *policy)
{
        if (policy != NULL)
                atomic_fetch_add_explicit(&policy->references, 1, memory_order_relaxed);
        return policy;
}

void policy_release(struct policy *policy)
{
        if (policy == NULL || atomic_fetch_sub_explicit(&policy->references, 1, memory_order_acq_rel) != 1)
                return;
        while (policy->blocks != NULL) {
                struct policy_block *const block = policy->blocks;
                policy->blocks = block->next;
                free(block);
        }
        free(policy);
}

static bool has_number(const struct list *list, int number)
{
        const int *const numbers = list->items;
        for (size_t i = 0; i < list->count; i++)
                if (numbers[i] == number)
                        return true;
        return list->count == 0;
}

static bool has_word(const struct list *list, const char *text)
{
        const struct word *const words = list->items;
        const char *const wanted = text == NULL ? "" : text;
        const size_t size = strlen(wanted);
        for (size_t i = 0; i < list->count; i++)
                if (words[i].size == size && memcmp(words[i].bytes, wanted, size) == 0)
                        return true;
        return list->count == 0;
}

static bool is_in_network(const struct network *network, const struct target *target)
{
        const size_t bytes = network->bits / 8;
        const unsigned rest = network->bits % 8;
        if (network->ip_size != target->ip_size || memcmp(network->ip, target->ip, bytes) != 0)
                return false;
        return rest == 0 || (network->ip[bytes] ^ target->ip[bytes]) >> (8 - rest) == 0;
}

static bool is_in_networks(const struct list *list, const struct target *target)
{
        const struct network *const networks = list->items;
        for (size_t i = 0; i < list->count; i++)
                if (is_in_network(&networks[i], target))
                        return true;
        return list->count == 0;
}

static bool is_in_ports(const struct list *list, const struct target *target)
{
        const struct port_range *const ranges = list->items;
        for (size_t i = 0; i < list->count; i++)
                if (ranges[i].first <= target->port && target->port <= ranges[i].last)
                        return true;
        return list->count == 0;
}

/* "/run/lab" is the beginning of itself and of "/run/lab/x", but not of "/run/labs". */
static bool is_under(const struct list *list, const struct target *target)
{
        const struct word *const words = list->items;
        for (size_t i = 0; i < list->count; i++) {
                const size_t size = words[i].size;
                if (size <= target->name_size && memcmp(words[i].bytes, target->name, size) == 0 &&
                        (size == target->name_size || target->name[size] == '/' ||
                                words[i].bytes[size - 1] == '/'))
                        return true;
        }
        return false;
}

static bool begins_with(const struct list *list, const struct target *target)
{
        const struct word *const words = list->items;
        for (size_t i = 0; i < list->count; i++)
                if (words[i].size <= target->name_size &&
                        memcmp(words[i].bytes, target->name, words[i].size) == 0)
                        return true;
        return false;
}

static bool place_fits(const struct rule *rule, const struct target *target)
{
        const size_t ip = rule->networks.count + rule->ports.count;
        if (ip + rule->paths.count + rule->abstracts.count == 0)
                return true;
        if (target == NULL)
                return false;
        switch (target->kind) {
        case TARGET_IP:
                return ip > 0 && is_in_networks(&rule->networks, target) && is_in_ports(&rule->ports, target);
        case TARGET_PATH:
                return is_under(&rule->paths, target);
        case TARGET_ABSTRACT:
                return begins_with(&rule->abstracts, target);
        case TARGET_OTHER:
                break;
        }
        return false;
}

static bool option_fits(const struct rule *rule, const struct deed *deed)
{
        const struct option_key *const keys = rule->options.items;
        for (size_t i = 0; i < rule->options.count; i++)
                if (deed->kind == DEED_OPTION && keys[i].level == deed->level &&
                        keys[i].option == deed->option)
                        return true;
        return rule->options.count == 0;
}

static bool device_fits(const struct rule *rule, const struct deed *deed)
{
        return rule->devices.count == 0 ||
               (deed->kind == DEED_DEVICE && has_word(&rule->devices, deed->device));
}

static bool netns_fits(const struct rule *rule, const struct deed *deed)
{
        return rule->netns.count == 0 || (deed->kind == DEED_NETNS && has_word(&rule->netns, deed->netns));
}

/* What is in a class is only allowed by a rule that names it. */
static bool classes_fit(const struct rule *rule, unsigned classes)
{
        const unsigned unnamed = classes & ~rule->classes;
        return (rule->classes == 0 || (rule->classes & classes) != 0) && !(rule->allows && unnamed != 0);
}

static bool fits(const struct rule *rule, const struct deed *deed, unsigned classes)
{
        const int family = deed->target == NULL ? deed->family : deed->target->family;
        return (rule->deeds >> deed->kind & 1) != 0 && classes_fit(rule, classes) &&
               has_number(&rule->families, family) && has_number(&rule->types, deed->type) &&
               place_fits(rule, deed->target) && option_fits(rule, deed) && device_fits(rule, deed) &&
               netns_fits(rule, deed) && has_word(&rule->tokens, deed->token) &&
               has_word(&rule->policies, deed->policy);
}

static const struct rule *find(const struct policy *policy, const struct deed *deed, unsigned classes)
{
        for (size_t i = 0; policy != NULL && i < policy->count; i++)
                if (fits(&policy->rules[i], deed, classes))
                        return &policy->rules[i];
        return NULL;
}

/* AWS, Google and most others share the first one. */
static const struct network metadata[] = {
        { .ip = { 169, 254, 169, 254 }, .ip_size = 4, .bits = 32 },
        { .ip = { 169, 254, 170, 2 }, .ip_size = 4, .bits = 32 },   /* AWS, containers */
        { .ip = { 169, 254, 170, 23 }, .ip_size = 4, .bits = 32 },  /* AWS, pods */
        { .ip = { 169, 254, 42, 42 }, .ip_size = 4, .bits = 32 },   /* Scaleway */
        { .ip = { 168, 63, 129, 16 }, .ip_size = 4, .bits = 32 },   /* Azure */
        { .ip = { 100, 100, 100, 200 }, .ip_size = 4, .bits = 32 }, /* Alibaba */
        { .ip = { 192, 0, 0, 192 }, .ip_size = 4, .bits = 32 },     /* Oracle */
        { .ip = { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54 }, .ip_size = 16, .bits = 128 },
        { .ip = { 0xfd, 0x00, 0x0e, 0xc2, [15] = 0x23 }, .ip_size = 16, .bits = 128 },
        { .ip = { 0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54 },
                .ip_size = 16,
                .bits = 128 }, /* Google */
        { .ip = { 0xfd, 0x00, 0x00, 0x42, [15] = 0x42 }, .ip_size = 16, .bits = 128 },
};

unsigned policy_class_of(const struct deed *deed)
{
        const bool goes = deed->kind == DEED_CONNECT || deed->kind == DEED_SEND;
        if (!goes || deed->target == NULL || deed->target->kind != TARGET_IP)
                return 0;
        for (size_t i = 0; i < sizeof metadata / sizeof *metadata; i++)
                if (is_in_network(&metadata[i], deed->target))
                        return CLASS_METADATA;
        return 0;
}

enum { OWN_DEFAULT, OWN_METADATA, OWN_CONTROL, OWN_OPTION };

const char *const policy_own_names[] = {
        [OWN_DEFAULT] = "default",
        [OWN_METADATA] = "metadata",
        [OWN_CONTROL] = "control",
        [OWN_OPTION] = "option",
};
const size_t policy_own_name_count = sizeof policy_own_names / sizeof *policy_own_names;

/* Which built-in denial applies; OWN_DEFAULT: none. */
static int own_denial(const struct deed *deed, unsigned classes)
{
        if ((classes & CLASS_METADATA) != 0)
                return OWN_METADATA;
        if ((classes & CLASS_CONTROL) != 0)
                return OWN_CONTROL;
        return deed->kind == DEED_OPTION && deed->risk == RISK_DETOUR ? OWN_OPTION : OWN_DEFAULT;
}

static void say(struct verdict *out, bool allowed, const char *rule)
{
        out->allowed = allowed;
        snprintf(out->rule, sizeof out->rule, "%s", rule);
}

void policy_judge(const struct policy *policy, const struct deed *deed, unsigned classes, struct verdict *out)
{
        const struct rule *const rule = find(policy, deed, classes);
        const int own = own_denial(deed, classes);
        out->reported = false;
        if (rule != NULL)
                say(out, rule->allows, rule->name);
        else
                say(out, own == OWN_DEFAULT && (policy == NULL || deed->risk == RISK_NONE),
                        policy_own_names[own]);
        /* A policy that only reports denies no more than none would. */
        if (out->allowed || policy == NULL || !policy->reports)
                return;
        if (own == OWN_DEFAULT)
                out->allowed = out->reported = true;
        else
                say(out, false, policy_own_names[own]);
}
