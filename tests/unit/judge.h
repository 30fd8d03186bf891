/* judge.h: policies as they are written, with ' for ", for tests. */
#pragma once

#include "api/policy_json.h"
#include "tests/unit/rows.h"

/* NULL with a problem. */
static inline struct policy *policy_written(const char *text, struct problem *problem)
{
        struct policy *policy = NULL;
        char *const copy = strdup(text);
        for (char *at = copy; *at != '\0'; at++)
                if (*at == '\'')
                        *at = '"';
        (void)policy_from_json(copy, strlen(copy), &policy, problem);
        free(copy);
        return policy;
}
