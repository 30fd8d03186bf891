/* log.c: one line per event on standard error. */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_SIZE = 1024, ESCAPE_SIZE = 4 };

const char *const log_level_names[LOG_LEVEL_COUNT] = { "error", "warning", "notice", "info", "debug" };

static enum log_level threshold = LOG_LEVEL_NOTICE;

void log_set_level(enum log_level level)
{
        threshold = level;
}

bool log_wants(enum log_level level)
{
        return level <= threshold;
}

void log_write(enum log_level level, const char *format, ...)
{
        char raw[LINE_SIZE];
        char line[LINE_SIZE * ESCAPE_SIZE + 16];
        if (!log_wants(level))
                return;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(raw, sizeof raw, format, arguments);
        va_end(arguments);
        int size = snprintf(line, sizeof line, "%s: ", log_level_names[level]);
        for (const char *byte = raw; *byte != '\0'; byte++) {
                const bool plain = *byte >= ' ' && *byte <= '~' && *byte != '\\';
                size += snprintf(line + size, sizeof line - (size_t)size, plain ? "%c" : "\\x%02x",
                        plain ? *byte : (unsigned char)*byte);
        }
        line[size++] = '\n';
        /* Where standard error is gone, there is nobody to tell. */
        (void)!write(STDERR_FILENO, line, (size_t)size);
}
