/* log.h: one line per event on standard error, safe against hostile bytes. */
#pragma once

#include <stdbool.h>

enum log_level {
        LOG_LEVEL_ERROR,
        LOG_LEVEL_WARNING,
        LOG_LEVEL_NOTICE,
        LOG_LEVEL_INFO,
        LOG_LEVEL_DEBUG,
        LOG_LEVEL_COUNT
};
extern const char *const log_level_names[LOG_LEVEL_COUNT];

enum { LOG_LINE_SIZE = 4096 };

/* What is less urgent is not written. Set before threads start; LOG_LEVEL_NOTICE at first. */
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);

/* Writes one line, in one write(2). What is not printable ASCII comes out as \xNN. Safe from any thread. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for text that is printable ASCII already, and is not to be escaped again. */
void log_plain(enum log_level level, const char *title, const char *text);
