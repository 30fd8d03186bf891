/* tokens.c: the file of --tokens. */
#include "tests/http/tokens.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/steps.h"

void tokens_file_write(const char *path, const struct named_token *names, size_t count, const char *more)
{
        const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        for (size_t i = 0; i < count; i++) {
                uint8_t bytes[32];
                digest(names[i].token, strlen(names[i].token), bytes);
                dprintf(fd, "%s: sha256:", names[i].name);
                for (size_t at = 0; at < sizeof bytes; at++)
                        dprintf(fd, "%02x", bytes[at]);
                dprintf(fd, ", %s\n", names[i].roles);
        }
        dprintf(fd, "%s", more);
        close(fd);
}
