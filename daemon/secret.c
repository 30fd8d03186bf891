/* secret.c: files that nobody else may read: tokens and keys. */
#include "daemon/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/log.h"
#include "daemon/sockets/cleanup.h"

enum { SECRET_MAX_SIZE = 1 << 20 };

static bool is_credential(const char *path)
{
        const char *const directory = getenv("CREDENTIALS_DIRECTORY");
        const size_t size = directory == NULL ? 0 : strlen(directory);
        return size > 0 && strncmp(path, directory, size) == 0 && path[size] == '/' &&
               strchr(path + size + 1, '/') == NULL;
}

/* systemd gives a credential to root, and lets the user of the unit read it by an access list, which shows as
 * the mode of the group. */
static bool is_private(int fd, const char *path)
{
        struct stat status;
        const mode_t others = is_credential(path) ? 037 : 077;
        if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                (status.st_uid == geteuid() || status.st_uid == 0) && (status.st_mode & others) == 0)
                return true;
        log_write(LOG_LEVEL_ERROR,
                "%s: must be a plain file of this user that nobody else may read (chmod 600)", path);
        return false;
}

char *secret_read(const char *path, int flags)
{
        fd_auto const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
        if (fd < 0) {
                log_write(LOG_LEVEL_ERROR, "%s: %s", path, strerror(errno));
                return NULL;
        }
        if (!is_private(fd, path))
                return NULL;
        char *text secret_auto = calloc(1, SECRET_MAX_SIZE + 1);
        size_t size = 0;
        for (ssize_t got = 1; text != NULL && got > 0 && size < SECRET_MAX_SIZE; size += (size_t)got) {
                got = read(fd, text + size, SECRET_MAX_SIZE - size);
                if (got < 0) {
                        log_write(LOG_LEVEL_ERROR, "%s: %s", path, strerror(errno));
                        return NULL;
                }
        }
        if (text == NULL || size == SECRET_MAX_SIZE || memchr(text, '\0', size) != NULL) {
                log_write(LOG_LEVEL_ERROR, "%s: too long, or no text", path);
                return NULL;
        }
        return TAKE(text);
}

void secret_free(char *secret)
{
        if (secret != NULL)
                explicit_bzero(secret, strlen(secret));
        free(secret);
}
