/* tokens.h: the file of --tokens. */
#pragma once

#include <stddef.h>

struct named_token {
        const char *name, *token, *roles;
};

/* Mode 0600, a line for each by its token's digest, and `more` behind them. */
void tokens_file_write(const char *path, const struct named_token *names, size_t count, const char *more);
