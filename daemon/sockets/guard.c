/* guard.c: the policy that is in force, and where the daemon itself listens. */
#include "daemon/sockets/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/sockets/account.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/policy.h"

/* One listener of the daemon's own, held small: a target has room for a path. */
struct listening {
        struct address address; /* as getsockname() has it */
        dev_t device;           /* of a unix path; */
        ino_t inode;            /* else 0 */
};

void guard_set_policy(struct guard *guard, struct policy *policy)
{
        struct policy *before;
        {
                LOCK_SCOPE(&guard->lock);
                before = guard->policy;
                guard->policy = policy;
        }
        policy_release(before);
}

static struct policy *policy_in_force(struct guard *guard)
{
        LOCK_SCOPE(&guard->lock);
        return policy_reference(guard->policy);
}

bool guard_reports(struct guard *guard)
{
        struct policy *policy policy_auto = policy_in_force(guard);
        return policy != NULL && policy->reports;
}

/* seccomp: getsockname */
static void listening_read(struct listening *out, int fd)
{
        struct passage passage passage_auto = { .fd = -1 };
        *out = (struct listening){ .address.size = sizeof out->address.storage };
        if (getsockname(fd, (struct sockaddr *)&out->address.storage, &out->address.size) != 0)
                out->address.size = 0;
        /* Whatever name leads there, and wherever this one will: it is the same file. */
        passage_open(&passage, WAY_CONNECT, -1, AF_UNIX, SOCK_STREAM, &out->address);
        out->device = passage.target.device;
        out->inode = passage.target.inode;
}

bool guard_set_listeners(struct guard *guard, const int *fds, size_t count)
{
        struct listening *const listening = calloc(count + 1, sizeof *listening);
        if (listening == NULL)
                return false;
        for (size_t i = 0; i < count; i++)
                listening_read(&listening[i], fds[i]);
        LOCK_SCOPE(&guard->lock);
        free(guard->listening);
        guard->listening = listening;
        guard->listening_count = count;
        return true;
}

static bool is_wildcard(const struct target *target)
{
        static const uint8_t zero[sizeof target->ip];
        return memcmp(target->ip, zero, target->ip_size) == 0;
}

/* A listener on all addresses is reached by each of them; one on :: by those of IPv4 too. */
static bool ip_is_reached(const struct target *own, const struct target *target)
{
        if (own->kind != TARGET_IP || own->port != target->port)
                return false;
        if (is_wildcard(own))
                return (own->ip_size > target->ip_size || own->family == target->family) &&
                       target_is_local(target);
        return own->ip_size == target->ip_size && memcmp(own->ip, target->ip, own->ip_size) == 0;
}

static bool is_reached(const struct listening *listening, const struct target *target)
{
        struct target own;
        if (target->family == AF_UNIX && listening->inode != 0 && listening->inode == target->inode &&
                listening->device == target->device)
                return true;
        target_read(&own, WAY_OTHER, &listening->address.storage, listening->address.size);
        if (target->kind == TARGET_ABSTRACT)
                return own.kind == TARGET_ABSTRACT && own.name_size == target->name_size &&
                       memcmp(own.name, target->name, own.name_size) == 0;
        return target->kind == TARGET_IP && ip_is_reached(&own, target);
}

/* Only a stream reaches a TCP listener. */
static bool reaches_daemon(struct guard *guard, const struct deed *deed)
{
        const struct target *const target = deed->target;
        if ((deed->kind != DEED_CONNECT && deed->kind != DEED_SEND) || target == NULL ||
                (target->kind == TARGET_IP && deed->type == SOCK_DGRAM))
                return false;
        LOCK_SCOPE(&guard->lock);
        for (size_t i = 0; i < guard->listening_count; i++)
                if (is_reached(&guard->listening[i], target))
                        return true;
        return false;
}

void guard_judge(struct guard *guard, const struct deed *deed, struct verdict *out)
{
        struct policy *policy policy_auto = policy_in_force(guard);
        const unsigned classes = policy_class_of(deed) | (reaches_daemon(guard, deed) ? CLASS_CONTROL : 0u);
        policy_judge(policy, deed, classes, out);
}

void guard_note(const struct deed *deed, const struct verdict *verdict, const char *by,
        void (*tell)(const char *text))
{
        char text[DEED_TEXT_SIZE], line[DEED_TEXT_SIZE + RULE_NAME_SIZE + ACCOUNT_NAME_SIZE + 64];
        if (tell == NULL)
                return;
        snprintf(line, sizeof line, "%s: %s%s %s denied by \"%s\"",
                deed->token[0] == '\0' ? "nobody" : deed->token, by, deed_format(deed, text, sizeof text),
                verdict->reported ? "would be" : "is", verdict->rule);
        tell(line);
}

void guard_clear(struct guard *guard)
{
        guard_set_policy(guard, NULL);
        LOCK_SCOPE(&guard->lock);
        free(TAKE(guard->listening));
        guard->listening_count = 0;
}
