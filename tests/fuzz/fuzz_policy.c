/* fuzz_policy.c: "OPERATION ADDRESS" in a line, and a policy behind it: what may never be allowed is not. */
#include <netinet/in.h>

#include "api/policy_json.h"
#include "daemon/sockets/cleanup.h"
#include "tests/fuzz/fuzz.h"

enum { CONTROL_PORT = 7625 };

static bool is_known(const struct policy *policy, const char *rule)
{
        for (size_t i = 0; i < policy_own_name_count; i++)
                if (strcmp(policy_own_names[i], rule) == 0)
                        return true;
        for (size_t i = 0; i < policy->count; i++)
                if (strcmp(policy->rules[i].name, rule) == 0)
                        return true;
        return false;
}

/* Whether some rule lets through what is only let through by name. */
static bool names_class(const struct policy *policy, unsigned classes)
{
        for (size_t i = 0; i < policy->count; i++)
                if (policy->rules[i].allows && (policy->rules[i].classes & classes) == classes)
                        return true;
        return false;
}

static bool same(const struct verdict *one, const struct verdict *other)
{
        return one->allowed == other->allowed && one->reported == other->reported &&
               strcmp(one->rule, other->rule) == 0;
}

static struct verdict judge(const struct policy *policy, struct deed *deed, const struct target *target)
{
        struct verdict verdict;
        deed->target = target;
        const unsigned control =
                target->kind == TARGET_IP && target->port == CONTROL_PORT ? CLASS_CONTROL : 0;
        const unsigned classes = policy_class_of(deed) | control;
        policy_judge(policy, deed, classes, &verdict);
        HOLDS(!verdict.allowed || classes == 0 || (policy != NULL && names_class(policy, classes)));
        return verdict;
}

/* The same address as IPv4 in IPv6; false when it is none of IPv4. */
static bool map(const struct address *address, struct address *out)
{
        struct sockaddr_in in;
        if (address->size != sizeof in || address->storage.ss_family != AF_INET)
                return false;
        memcpy(&in, &address->storage, sizeof in);
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = in.sin_port };
        in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
        memcpy(in6.sin6_addr.s6_addr + 12, &in.sin_addr, sizeof in.sin_addr);
        *out = (struct address){ .given = true, .size = sizeof in6 };
        memcpy(&out->storage, &in6, sizeof in6);
        return true;
}

static void check_policy(const struct policy *policy, enum deed_kind kind, const struct address *address)
{
        const enum way way = kind == DEED_BIND      ? WAY_BIND
                             : kind == DEED_CONNECT ? WAY_CONNECT
                             : kind == DEED_SEND    ? WAY_SEND
                                                    : WAY_OTHER;
        struct deed deed = { .kind = kind, .risk = RISK_SOME, .family = AF_INET, .type = SOCK_STREAM };
        struct target target, mapped;
        struct address other;
        deed.token = deed.policy = "ci";
        target_read(&target, way, &address->storage, address->size);
        const struct verdict without = judge(NULL, &deed, &target), verdict = judge(policy, &deed, &target);
        HOLDS(is_known(policy, verdict.rule));
        HOLDS(!verdict.allowed || verdict.reported || strcmp(verdict.rule, "default") != 0);
        HOLDS(!verdict.reported || (policy->reports && verdict.allowed));
        HOLDS(!policy->reports || verdict.allowed || !without.allowed);
        if (!map(address, &other))
                return;
        target_read(&mapped, way, &other.storage, other.size);
        const struct verdict again = judge(policy, &deed, &mapped);
        HOLDS(same(&verdict, &again));
}

/* "OPERATION ADDRESS". */
static bool read_deed(char *line, enum deed_kind *kind, struct address *address)
{
        char *rest = line;
        const char *const word = strsep(&rest, " ");
        for (int i = 0; i < DEED_COUNT; i++)
                if (strcmp(word, deed_names[i]) == 0) {
                        *kind = (enum deed_kind)i;
                        return rest != NULL && address_parse(rest, address).kind == RESULT_DONE;
                }
        return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        memory_auto char *text = fuzz_text(bytes, size);
        char *const newline = memchr(text, '\n', size);
        struct problem problem = { .extra = NULL };
        struct policy *policy policy_auto = NULL;
        struct address address;
        enum deed_kind kind = DEED_COUNT;
        if (newline == NULL)
                return 0;
        *newline = '\0';
        memory_auto char *written = fuzz_copy(newline + 1, size - (size_t)(newline + 1 - text));
        if (policy_from_json(written, size - (size_t)(newline + 1 - text), &policy, &problem)) {
                HOLDS(policy != NULL);
                if (read_deed(text, &kind, &address) && address.size > 0)
                        check_policy(policy, kind, &address);
        } else {
                json_auto_t *reply = problem_to_json(&problem);
                HOLDS(policy == NULL && reply != NULL);
        }
        return 0;
}
