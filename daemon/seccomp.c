/* seccomp.c: the system calls that the daemon may make once it serves.
 *
 * What our own code calls is said beside it, in comments that begin with "seccomp:"; seccomp_calls.sh gathers
 * them. What the libraries call for us is said in seccomp.def. Everything else fails with ENOSYS, as if the
 * kernel were too old for it: that is what libraries are prepared for. */
#include "daemon/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "daemon/log.h"
#include "daemon/sockets/capability.h"

enum { OPTIMIZE_AS_TREE = 2 };

/* One rule of the filter. */
static const struct rule {
        int call;
        uint32_t action;
        unsigned argument;
        uint64_t mask, value; /* of the argument; mask 0: of any */
        unsigned capability;  /* the call is deadly without it; 0: none is needed */
} rules[] = {
#define CALL(name) { .call = SCMP_SYS(name), .action = SCMP_ACT_ALLOW },
#define ALLOWED(name) CALL(name)
#define DEADLY(name) { .call = SCMP_SYS(name), .action = SCMP_ACT_KILL_PROCESS },
#define ALLOWED_IF(name, ...) { SCMP_SYS(name), SCMP_ACT_ALLOW, __VA_ARGS__, 0 },
#define ABLE_IF(name, needed, ...) { SCMP_SYS(name), SCMP_ACT_ALLOW, __VA_ARGS__, needed },
#define REFUSED_IF(name, ...) { SCMP_SYS(name), SCMP_ACT_ERRNO(EPERM), __VA_ARGS__, 0 },
#include "daemon/seccomp.def"
#include "generated/seccomp.def"
};

static int add(scmp_filter_ctx filter, const struct rule *rule)
{
        const struct scmp_arg_cmp argument = {
                .arg = rule->argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = rule->mask, .datum_b = rule->value
        };
        /* A call that this architecture does not have needs no rule. */
        if (rule->call < 0)
                return 0;
        if (rule->capability != 0 && !capability_may_have(rule->capability))
                return seccomp_rule_add_array(filter, SCMP_ACT_KILL_PROCESS, rule->call, 0, NULL);
        return seccomp_rule_add_array(filter, rule->action, rule->call, rule->mask == 0 ? 0 : 1, &argument);
}

static int load(scmp_filter_ctx filter)
{
        int error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
        if (error == 0)
                error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_AS_TREE);
        for (size_t i = 0; i < sizeof rules / sizeof *rules && error == 0; i++)
                error = add(filter, &rules[i]);
        return error == 0 ? seccomp_load(filter) : error;
}

bool seccomp_install(void)
{
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
        const int error = filter == NULL ? -ENOMEM : load(filter);
        seccomp_release(filter);
        if (error != 0)
                log_write(LOG_LEVEL_ERROR, "seccomp: %s", strerror(-error));
        return error == 0;
}
