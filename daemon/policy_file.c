/* policy_file.c: the file of --policy. */
#include "daemon/policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/policy_json.h"
#include "daemon/log.h"
#include "daemon/sockets/cleanup.h"

enum { WHY_SIZE = PROBLEM_DETAIL_SIZE };

/* All of the file, terminated, from malloc(); NULL with errno set. What is too long is cut, but shows so. */
static char *read_all(int fd, size_t *size)
{
        char *const text = malloc(POLICY_TEXT_MAX + 2);
        *size = 0;
        for (ssize_t got = 1; text != NULL && got > 0 && *size <= POLICY_TEXT_MAX; *size += (size_t)got) {
                got = read(fd, text + *size, POLICY_TEXT_MAX + 1 - *size);
                if (got < 0) {
                        free(text);
                        return NULL;
                }
        }
        return text;
}

static bool read_policy(int fd, struct policy **out, char why[static WHY_SIZE])
{
        struct problem problem = { .extra = NULL };
        size_t size;
        char *text memory_auto = fd < 0 ? NULL : read_all(fd, &size);
        if (text == NULL)
                snprintf(why, WHY_SIZE, "%s", strerror(errno));
        else if (!policy_from_json(text, size, out, &problem))
                snprintf(why, WHY_SIZE, "%s", problem.detail);
        else
                return true;
        return false;
}

static bool is_safe(int fd)
{
        struct stat status;
        return fd < 0 || (fstat(fd, &status) == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
                                 (status.st_uid == geteuid() || status.st_uid == 0));
}

bool policy_load(const char *path, struct policy **out)
{
        char why[WHY_SIZE] = "others than the daemon's user and root may change it";
        fd_auto const int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (is_safe(fd) && read_policy(fd, out, why))
                return true;
        log_write(LOG_LEVEL_ERROR, "policy %s: %s", path, why);
        return false;
}

bool policy_check(const char *path)
{
        char why[WHY_SIZE];
        struct policy *policy policy_auto = NULL;
        fd_auto const int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (read_policy(fd, &policy, why)) {
                printf("%s: %zu rule%s, ok\n", path, policy->count, policy->count == 1 ? "" : "s");
                return true;
        }
        fprintf(stderr, "%s: %s\n", path, why);
        return false;
}
