/* log.c: one line per event on standard error. */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { ESCAPE_SIZE = 4, LINE_SIZE = LOG_LINE_SIZE / ESCAPE_SIZE };

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
        char line[LINE_SIZE * ESCAPE_SIZE + 1];
        if (!log_wants(level))
                return;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(raw, sizeof raw, format, arguments);
        va_end(arguments);
        int size = 0;
        for (const char *byte = raw; *byte != '\0'; byte++) {
                const bool plain = *byte >= ' ' && *byte <= '~' && *byte != '\\';
                size += snprintf(line + size, sizeof line - (size_t)size, plain ? "%c" : "\\x%02x",
                        plain ? *byte : (unsigned char)*byte);
        }
        line[size] = '\0';
        log_plain(level, "", line);
}

/* seccomp: write */
void log_plain(enum log_level level, const char *title, const char *text)
{
        char line[LOG_LINE_SIZE + 64];
        if (!log_wants(level))
                return;
        int size = snprintf(line, sizeof line - 1, "%s: %s%s", log_level_names[level], title, text);
        if (size >= (int)sizeof line - 1)
                size = (int)sizeof line - 2;
        line[size++] = '\n';
        /* Where standard error is gone, there is nobody to tell. */
        (void)!write(STDERR_FILENO, line, (size_t)size);
}
