/* policy_file.h: the file of --policy. */
#pragma once

#include <stdbool.h>

struct policy;

/* Reads a policy. False after logging what is wrong with it; *out is then untouched. It must be the daemon's
 * user's or root's, and nobody else's to change. */
bool policy_load(const char *path, struct policy **out);

/* Says on standard output that the file is sound, or on standard error what is wrong. */
bool policy_check(const char *path);
