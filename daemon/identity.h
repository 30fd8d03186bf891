/* identity.h: the tokens file: one line per way to be known by a name. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "api/caller.h"

enum { DIGEST_SIZE = 32 };

enum credential { CREDENTIAL_TOKEN, CREDENTIAL_UID, CREDENTIAL_GID, CREDENTIAL_CERTIFICATE };

struct identity {
        struct caller caller;
        enum credential credential;
        uint8_t digest[DIGEST_SIZE]; /* SHA-256 of a token */
        id_t id;                     /* of a user or group */
};

struct identities {
        struct identity *items;
        size_t count;
};

/* Reads the lines of a text, which is changed: "NAME: CREDENTIAL, ROLES[, POLICY]", where CREDENTIAL is
 * sha256:HEX, uid:N, gid:N or certificate, and ROLES are of watch, operate, admin. Blank lines and those that
 * begin with # are skipped. 0, or the number of the first line that is unsound, with *why; *out is then
 * untouched. items are the caller's to free. */
size_t identities_read(char *text, struct accounts *accounts, struct identities *out, const char **why);

/* Whether a name may stand in the file, and in a certificate. */
bool identity_is_name(const char *name);
