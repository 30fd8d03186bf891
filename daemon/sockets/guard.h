/* guard.h: the policy that is in force, and where the daemon itself listens. */
#pragma once

#include <pthread.h>

#include "daemon/sockets/deed.h"

struct policy;
struct verdict;

/* Zeroed, it has no policy and guards no listeners. Safe from any thread. */
struct guard {
        pthread_mutex_t lock;
        struct policy *policy; /* a reference; NULL: what is built in */
        struct listening *listening;
        size_t listening_count;
};

/* Puts a policy in force, whose reference it takes over; NULL: only what is built in. Judgements under way
 * end with the one before. */
void guard_set_policy(struct guard *guard, struct policy *policy);

/* Whether there is a policy, and whether it only reports. */
bool guard_reports(struct guard *guard);

/* Notes where the daemon listens now, in place of what was noted before. False without memory: nothing has
 * changed then. */
bool guard_set_listeners(struct guard *guard, const int *fds, size_t count);

void guard_judge(struct guard *guard, const struct deed *deed, struct verdict *out);

/* Tells, in a line of text, who is denied what by which rule, or would be; `by` stands before the deed, as in
 * "a reactor's ". `tell` may be NULL. */
void guard_note(const struct deed *deed, const struct verdict *verdict, const char *by,
        void (*tell)(const char *text));

/* Lets go of all, when nobody judges any more. */
void guard_clear(struct guard *guard);
