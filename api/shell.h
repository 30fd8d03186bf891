/* shell.h: words of a POSIX shell's command line. */
#pragma once

#include "api/print.h"

/* Any bytes as one word, which the shell takes as they are. */
void shell_quote(struct print *print, const char *text, size_t size);
