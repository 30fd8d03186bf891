/* access.c: who is let in: the daemon's own token, and the names of the tokens file. */
#include "daemon/access.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/identity.h"
#include "daemon/log.h"
#include "daemon/secret.h"
#include "daemon/sockets/cleanup.h"

enum { TOKEN_MIN_SIZE = 16, TOKEN_SIZE = 256, TOKEN_RANDOM_SIZE = 32, GROUPS_MAX = 1024 };

static const char owner_name[] = "owner";

struct access {
        struct accounts *accounts;
        const char *token_path, *tokens_path;
        struct caller owner;   /* the daemon's own user, and who has its token */
        pthread_rwlock_t lock; /* guards all below */
        uint8_t digest[DIGEST_SIZE];
        struct identities identities;
};

static bool digest_of(const char *bytes, size_t size, uint8_t out[static DIGEST_SIZE])
{
        return gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes, size, out) == 0;
}

static void print_hexadecimal(const uint8_t *bytes, size_t size, char *out)
{
        for (size_t i = 0; i < size; i++)
                snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* Hexadecimal, so that it can stand in a header, a URL and a shell line as it is. */
static bool make_token(char out[static TOKEN_SIZE])
{
        uint8_t random[TOKEN_RANDOM_SIZE];
        if (getrandom(random, sizeof random, 0) != sizeof random)
                return false;
        print_hexadecimal(random, sizeof random, out);
        return true;
}

/* seccomp: unlink unlinkat */
static bool create(const char *path, char out[static TOKEN_SIZE])
{
        fd_auto const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0 && make_token(out) && fchmod(fd, 0600) == 0 && dprintf(fd, "%s\n", out) > 0)
                return true;
        log_write(LOG_LEVEL_ERROR, "token file %s: %s", path, strerror(errno));
        /* Half of a token would be in the way of the next start. */
        if (fd >= 0)
                unlink(path);
        return false;
}

static bool is_token(const char *token)
{
        const size_t size = strlen(token);
        for (size_t i = 0; i < size; i++)
                if (token[i] <= ' ' || token[i] > '~')
                        return false;
        return size >= TOKEN_MIN_SIZE && size < TOKEN_SIZE;
}

static bool load_token(const char *path, uint8_t out[static DIGEST_SIZE])
{
        char token[TOKEN_SIZE] = "";
        if (access(path, F_OK) != 0 && errno == ENOENT) {
                return create(path, token) && digest_of(token, strlen(token), out);
        }
        char *text secret_auto = secret_read(path, O_NOFOLLOW);
        if (text == NULL)
                return false;
        text[strcspn(text, "\r\n")] = '\0';
        if (is_token(text))
                return digest_of(text, strlen(text), out);
        log_write(LOG_LEVEL_ERROR, "token file %s: must hold one token of %d to %d printable characters",
                path, TOKEN_MIN_SIZE, TOKEN_SIZE - 1);
        return false;
}

static bool load_identities(struct access *access, struct identities *out)
{
        const char *why;
        if (access->tokens_path == NULL)
                return true;
        char *text secret_auto = secret_read(access->tokens_path, O_NOFOLLOW);
        if (text == NULL)
                return false;
        const size_t line = identities_read(text, access->accounts, out, &why);
        if (line > 0)
                log_write(LOG_LEVEL_ERROR, "%s: line %zu: %s", access->tokens_path, line, why);
        return line == 0;
}

bool access_reload(struct access *access)
{
        uint8_t digest[DIGEST_SIZE];
        struct identities identities = { 0 };
        if (!load_token(access->token_path, digest) || !load_identities(access, &identities))
                return false;
        pthread_rwlock_wrlock(&access->lock);
        struct identity *const old = access->identities.items;
        memcpy(access->digest, digest, sizeof digest);
        access->identities = identities;
        pthread_rwlock_unlock(&access->lock);
        free(old);
        return true;
}

struct access *access_new(struct accounts *accounts, const char *token_path, const char *tokens_path)
{
        struct account *const owner = accounts_find(accounts, owner_name);
        struct access *const access = owner == NULL ? NULL : calloc(1, sizeof *access);
        if (access == NULL) {
                log_write(LOG_LEVEL_ERROR, "no memory to know who is let in");
                return NULL;
        }
        access->accounts = accounts;
        access->token_path = token_path;
        access->tokens_path = tokens_path;
        access->owner = (struct caller){ .account = owner, .operates = true, .administers = true };
        pthread_rwlock_init(&access->lock, NULL);
        if (access_reload(access))
                return access;
        access_free(access);
        return NULL;
}

void access_free(struct access *access)
{
        if (access == NULL)
                return;
        pthread_rwlock_destroy(&access->lock);
        free(access->identities.items);
        free(access);
}

static bool is_user(const struct identity *identity)
{
        return identity->credential == CREDENTIAL_UID || identity->credential == CREDENTIAL_GID;
}

bool access_has_users(struct access *access)
{
        bool found = false;
        pthread_rwlock_rdlock(&access->lock);
        for (size_t i = 0; i < access->identities.count; i++)
                found = found || is_user(&access->identities.items[i]);
        pthread_rwlock_unlock(&access->lock);
        return found;
}

/* Who is at the other end of a unix socket. */
struct peer {
        struct ucred ids;
        gid_t groups[GROUPS_MAX];
        size_t group_count;
};

/* seccomp: getsockopt */
static bool peer_read(int fd, struct peer *out)
{
        socklen_t size = sizeof out->ids;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &out->ids, &size) != 0)
                return false;
        size = sizeof out->groups;
        const bool has_groups = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, out->groups, &size) == 0;
        out->group_count = has_groups ? size / sizeof *out->groups : 0;
        return true;
}

static bool peer_is(const struct peer *peer, const struct identity *identity)
{
        if (identity->credential == CREDENTIAL_UID)
                return peer->ids.uid == identity->id;
        bool found = peer->ids.gid == identity->id;
        for (size_t i = 0; i < peer->group_count; i++)
                found = found || peer->groups[i] == identity->id;
        return identity->credential == CREDENTIAL_GID && found;
}

static bool identify_peer(struct access *access, int fd, struct caller *out)
{
        struct peer peer;
        socklen_t size = sizeof peer.ids;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer.ids, &size) != 0)
                return false;
        if (peer.ids.uid == geteuid() || peer.ids.uid == 0) {
                *out = access->owner;
                return true;
        }
        bool found = peer_read(fd, &peer);
        pthread_rwlock_rdlock(&access->lock);
        size_t i = 0;
        while (i < access->identities.count && !peer_is(&peer, &access->identities.items[i]))
                i++;
        found = found && i < access->identities.count;
        if (found)
                *out = access->identities.items[i].caller;
        pthread_rwlock_unlock(&access->lock);
        return found;
}

static bool identify_certificate(struct access *access, const char *name, struct caller *out)
{
        bool found = false;
        pthread_rwlock_rdlock(&access->lock);
        for (size_t i = 0; i < access->identities.count && !found; i++) {
                const struct identity *const identity = &access->identities.items[i];
                found = identity->credential == CREDENTIAL_CERTIFICATE &&
                        strcmp(identity->caller.account->name, name) == 0;
                if (found)
                        *out = identity->caller;
        }
        pthread_rwlock_unlock(&access->lock);
        return found;
}

/* Every digest is compared with the whole of every other, so that the time tells nothing of the tokens. */
static bool identify_token(struct access *access, const char *token, struct caller *out)
{
        uint8_t digest[DIGEST_SIZE];
        if (!digest_of(token, strlen(token), digest))
                return false;
        pthread_rwlock_rdlock(&access->lock);
        const struct caller *found =
                gnutls_memcmp(digest, access->digest, DIGEST_SIZE) == 0 ? &access->owner : NULL;
        for (size_t i = 0; i < access->identities.count; i++) {
                const struct identity *const identity = &access->identities.items[i];
                const bool same = gnutls_memcmp(digest, identity->digest, DIGEST_SIZE) == 0;
                if (same && identity->credential == CREDENTIAL_TOKEN && found == NULL)
                        found = &identity->caller;
        }
        if (found != NULL)
                *out = *found;
        pthread_rwlock_unlock(&access->lock);
        return found != NULL;
}

bool access_identify(struct access *access, const struct introduction *introduction, struct caller *out)
{
        static const char scheme[] = "Bearer ";
        const char *const shown = introduction->authorization;
        /* A token is more than the connection says: on the unix socket too, who shows one is whom it names.
         */
        if (shown != NULL && strncasecmp(shown, scheme, sizeof scheme - 1) == 0)
                return identify_token(access, shown + sizeof scheme - 1, out);
        if (shown != NULL)
                return false;
        if (introduction->certificate != NULL)
                return identify_certificate(access, introduction->certificate, out);
        return introduction->unix_fd >= 0 && identify_peer(access, introduction->unix_fd, out);
}

bool access_make_token(const char *name)
{
        char token[TOKEN_SIZE], hexadecimal[2 * DIGEST_SIZE + 1];
        uint8_t digest[DIGEST_SIZE];
        if (!identity_is_name(name)) {
                fprintf(stderr, "sockwrightd: a name has 1 to %d letters, digits, \"-\", \"_\" or \".\"\n",
                        ACCOUNT_NAME_SIZE - 1);
                return false;
        }
        if (!make_token(token) || !digest_of(token, strlen(token), digest)) {
                fprintf(stderr, "sockwrightd: no random bytes, or no SHA-256, to make a token of\n");
                return false;
        }
        print_hexadecimal(digest, sizeof digest, hexadecimal);
        fprintf(stderr, "%s's token, which is not said again: %s\n", name, token);
        printf("%s: sha256:%s, operate\n", name, hexadecimal);
        return true;
}
