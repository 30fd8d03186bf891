/* check.h: cmocka with the headers that it needs, and the clock of all deadlines. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* CLOCK_MONOTONIC. */
static inline int64_t milliseconds(void)
{
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The step of a wait with a deadline for what tells nobody when it comes, as another process's doing; or the
 * moment at which something is to be cut. Nothing else pauses. */
static inline void pause_us(unsigned microseconds)
{
        const struct timespec pause = { .tv_sec = microseconds / 1000000,
                .tv_nsec = (long)(microseconds % 1000000) * 1000 };
        if (microseconds > 0)
                nanosleep(&pause, NULL);
}
