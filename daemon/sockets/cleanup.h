/* cleanup.h: release where declared, hand over explicitly. */
#pragma once

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_fd(const int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

/* free() on a pointer to any pointer. */
static inline void cleanup_memory(void *pointer)
{
        free(*(void **)pointer);
}

static inline void cleanup_lock(pthread_mutex_t *const *lock)
{
        pthread_mutex_unlock(*lock);
}

#define fd_auto __attribute__((cleanup(cleanup_fd)))
#define memory_auto __attribute__((cleanup(cleanup_memory)))

/* Holds the mutex until the end of the scope. */
#define LOCK_SCOPE(mutex)                                                                                    \
        pthread_mutex_t *const scope_lock __attribute__((cleanup(cleanup_lock), unused)) = (mutex);          \
        pthread_mutex_lock(scope_lock)

/* Hands the descriptor over: the caller's variable no longer owns it. */
static inline int take_fd(int *fd)
{
        const int taken = *fd;
        *fd = -1;
        return taken;
}

/* Hands a pointer over: the variable no longer owns what it pointed to. */
#define TAKE(pointer)                                                                                        \
        __extension__({                                                                                      \
                __auto_type take_value = (pointer);                                                          \
                (pointer) = NULL;                                                                            \
                take_value;                                                                                  \
        })
