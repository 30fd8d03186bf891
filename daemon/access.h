/* access.h: the bearer token that TCP clients must show. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/caller.h"

enum { TOKEN_SIZE = 256 };

struct access {
        char token[TOKEN_SIZE]; /* never logged */
        size_t token_size;
};

/* Reads the token from a file, or makes one there, mode 0600, when there is none. False after logging why. */
bool access_load(struct access *access, const char *path);

/* Whether an Authorization header (NULL: none) shows the token; in constant time. */
bool access_allows(const struct access *access, const char *authorization);

/* Who the daemon's own user is. */
extern const struct caller access_owner;
