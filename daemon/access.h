/* access.h: who is let in: the daemon's own token, and the names of the tokens file. */
#pragma once

#include "api/caller.h"

struct access;

/* Reads the owner's token, or makes one there, mode 0600, when there is none; and the tokens file (NULL:
 * none). NULL after logging why. */
struct access *access_new(struct accounts *accounts, const char *token_path, const char *tokens_path);
void access_free(struct access *access);

/* Reads both files again; where one is unsound, all stays as it was. False after logging why. Safe while
 * requests are served. */
bool access_reload(struct access *access);

/* Whether other users than the daemon's own are let in on the unix socket. */
bool access_has_users(struct access *access);

/* What a request shows of its sender. */
struct introduction {
        const char *authorization; /* the header, or NULL */
        const char *certificate;   /* the name in a TLS certificate that was verified, or NULL */
        int unix_fd;               /* a connection on the unix socket; -1: not there */
};

/* Who that is. False when nobody knows; *out is then untouched. Tokens are compared in constant time. */
bool access_identify(struct access *access, const struct introduction *introduction, struct caller *out);

/* Prints a new token on standard error, and on standard output the tokens file's line for it. */
bool access_make_token(const char *name);
