/* seccomp.h: the system calls that the daemon may make once it serves. */
#pragma once

#include <stdbool.h>

/* Installs the filter, for good, for this thread and those that it starts. Forbidden calls fail with ENOSYS
 * or EPERM; those that only an intruder makes kill the process. False after logging why it cannot be. */
bool seccomp_install(void);
