/* brink.h: kills a process when a system call of its has just been done, before it can note what came of it.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct brink;

/* Watches all threads of a process but its first, until one of them has made that call with success. NULL:
 * nobody may trace it here. */
struct brink *brink_begin(pid_t process, long call);

/* Waits until the process is dead. Fails the test when no such call came in time. */
void brink_end(struct brink *brink);
