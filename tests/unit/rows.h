/* rows.h: one cmocka test per row of a table, called by the row's name. Includes cmocka with what it needs.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS_LIMIT = 512 };

struct row_tests {
        struct CMUnitTest tests[ROWS_LIMIT];
        size_t count;
};

/* Adds a test per row; the first member of each row is its name. */
static inline void rows_add(
        struct row_tests *all, CMUnitTestFunction function, const void *rows, size_t count, size_t row_size)
{
        for (size_t i = 0; i < count && all->count < ROWS_LIMIT; i++) {
                const char *const row = (const char *)rows + i * row_size;
                all->tests[all->count++] =
                        (struct CMUnitTest){ .name = *(const char *const *)(const void *)row,
                                .test_func = function,
                                .initial_state = (void *)(uintptr_t)row };
        }
}
#define ROWS_ADD(all, function, rows)                                                                        \
        rows_add((all), (function), (rows), sizeof(rows) / sizeof *(rows), sizeof *(rows))

/* Adds a test that has no table. */
static inline void rows_add_one(struct row_tests *all, const char *name, CMUnitTestFunction function)
{
        if (all->count < ROWS_LIMIT)
                all->tests[all->count++] = (struct CMUnitTest){ .name = name, .test_func = function };
}

/* Runs them all; main() returns what it returns. */
static inline int rows_run(const char *group, const struct row_tests *all)
{
        return _cmocka_run_group_tests(group, all->tests, all->count, NULL, NULL);
}
