/* secret.h: files that nobody else may read: tokens and keys. */
#pragma once

/* The whole of such a file; from malloc(), terminated. NULL after logging why: it must be a plain file of
 * this user (or of root) that nobody else may read. What systemd has put into $CREDENTIALS_DIRECTORY is
 * guarded by that directory, and by an access list instead of a mode. `flags` may be O_NOFOLLOW, or 0. */
char *secret_read(const char *path, int flags);

/* Wipes it and frees it. Accepts NULL. */
void secret_free(char *secret);

static inline void cleanup_secret(char **secret)
{
        secret_free(*secret);
}
#define secret_auto __attribute__((cleanup(cleanup_secret)))
