/* thread.h: threads of the daemon's own. */
#pragma once

#include <pthread.h>

/* pthread_create(3), with all signals blocked in the new thread: they are for the main one. Returns 0 or an
 * errno. */
int thread_start(pthread_t *thread, void *(*run)(void *context), void *context);
