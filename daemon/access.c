/* access.c: the bearer token that TCP clients must show. */
#include "daemon/access.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/sockets/cleanup.h"

enum { TOKEN_MIN_SIZE = 16, TOKEN_RANDOM_SIZE = 32 };

static struct account owner = { .name = "owner" };
const struct caller access_owner = { .account = &owner, .policy = "", .operates = true, .administers = true };

/* Hexadecimal, so that it can stand in a header, a URL and a shell line as it is. */
static bool make_token(struct access *access)
{
        static const char digits[] = "0123456789abcdef";
        unsigned char random[TOKEN_RANDOM_SIZE];
        if (getrandom(random, sizeof random, 0) != sizeof random)
                return false;
        for (size_t i = 0; i < sizeof random; i++) {
                access->token[2 * i] = digits[random[i] >> 4];
                access->token[2 * i + 1] = digits[random[i] & 15];
        }
        access->token_size = 2 * sizeof random;
        return true;
}

static bool create(struct access *access, const char *path)
{
        fd_auto const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0 && make_token(access) && fchmod(fd, 0600) == 0 &&
                write(fd, access->token, access->token_size) == (ssize_t)access->token_size &&
                write(fd, "\n", 1) == 1)
                return true;
        log_write(LOG_LEVEL_ERROR, "token file %s: %s", path, strerror(errno));
        return false;
}

static bool is_private(int fd, const char *path)
{
        struct stat status;
        if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
                (status.st_mode & 077) == 0)
                return true;
        log_write(LOG_LEVEL_ERROR,
                "token file %s: must be a plain file of this user that nobody else may read (chmod 600)",
                path);
        return false;
}

static bool is_token(const char *bytes, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if (bytes[i] <= ' ' || bytes[i] > '~')
                        return false;
        return size >= TOKEN_MIN_SIZE;
}

bool access_load(struct access *access, const char *path)
{
        fd_auto const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT)
                return create(access, path);
        if (fd < 0) {
                log_write(LOG_LEVEL_ERROR, "token file %s: %s", path, strerror(errno));
                return false;
        }
        if (!is_private(fd, path))
                return false;
        const ssize_t size = read(fd, access->token, sizeof access->token);
        access->token_size = size < 0 ? 0 : (size_t)size;
        while (access->token_size > 0 && strchr("\r\n", access->token[access->token_size - 1]) != NULL)
                access->token_size--;
        if (is_token(access->token, access->token_size))
                return true;
        log_write(LOG_LEVEL_ERROR, "token file %s: must hold one token of %d to %d printable characters",
                path, TOKEN_MIN_SIZE, TOKEN_SIZE - 1);
        return false;
}

bool access_allows(const struct access *access, const char *authorization)
{
        static const char scheme[] = "Bearer ";
        if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
                return false;
        const char *const shown = authorization + sizeof scheme - 1;
        return strlen(shown) == access->token_size &&
               CRYPTO_memcmp(shown, access->token, access->token_size) == 0;
}
