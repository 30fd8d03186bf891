/* systemd.c: what the service manager and the daemon tell each other. */
#include "daemon/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/log.h"

enum { SETTLE_TIMEOUT_US = 10000000 };

static void free_names(char **names)
{
        for (char **name = names; name != NULL && *name != NULL; name++)
                free(*name);
        free(names);
}

static bool set_aside(struct estate *estate, int fd, const char *name)
{
        return strncmp(name, HOLDER_SET_PREFIX, strlen(HOLDER_SET_PREFIX)) == 0 &&
               estate_add(estate, fd, name) && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* What an earlier daemon has made is its own, as it is that daemon's. */
static bool take(struct listener *listeners, size_t capacity, size_t *count, int fd, const char *name,
        const struct configuration *configuration)
{
        if (*count == capacity)
                log_write(LOG_LEVEL_ERROR, "more sockets were passed than %zu", capacity);
        if (*count == capacity || !listener_adopt(&listeners[*count], fd, name, configuration))
                return false;
        listeners[*count].is_own = strcmp(name, HOLDER_LISTENERS) == 0;
        ++*count;
        return true;
}

bool systemd_take_listeners(struct listener *listeners, size_t capacity, size_t *count, struct estate *estate,
        const struct configuration *configuration)
{
        char **names = NULL;
        const int passed = sd_listen_fds_with_names(1, &names);
        bool sound = passed >= 0;
        if (passed < 0)
                log_write(LOG_LEVEL_ERROR, "passed sockets: %s", strerror(-passed));
        for (int i = 0; sound && i < passed; i++) {
                const int fd = SD_LISTEN_FDS_START + i;
                sound = set_aside(estate, fd, names[i]) ||
                        take(listeners, capacity, count, fd, names[i], configuration);
        }
        free_names(names);
        return sound;
}

/* "$VARIABLE/name", if the variable is set. */
static bool find(const char *variable, const char *name, char *out, size_t out_size)
{
        const char *const directory = getenv(variable);
        /* Several directories are separated by colons; the unit names one. */
        if (directory == NULL || directory[0] != '/' || strchr(directory, ':') != NULL)
                return false;
        const int size = snprintf(out, out_size, "%s/%s", directory, name);
        return size > 0 && (size_t)size < out_size;
}

bool systemd_find_credential(const char *name, char *out, size_t out_size)
{
        char path[4096];
        if (!find("CREDENTIALS_DIRECTORY", name, path, sizeof path) || access(path, F_OK) != 0 ||
                strlen(path) >= out_size)
                return false;
        memcpy(out, path, strlen(path) + 1);
        return true;
}

bool systemd_find_state(const char *name, char *out, size_t out_size)
{
        return find("STATE_DIRECTORY", name, out, out_size);
}

uint64_t systemd_watchdog_us(void)
{
        uint64_t period = 0;
        return sd_watchdog_enabled(0, &period) > 0 ? period : 0;
}

/* seccomp: socket connect getsockopt setsockopt sendmsg close */
void systemd_say(const char *state)
{
        const int told = sd_notify(0, state);
        if (told < 0)
                log_write(LOG_LEVEL_WARNING, "the service manager cannot be told: %s", strerror(-told));
}

void systemd_forget(const char *name)
{
        char text[64 + HOLDER_NAME_SIZE];
        snprintf(text, sizeof text, "FDSTOREREMOVE=1\nFDNAME=%s", name);
        systemd_say(text);
}

/* seccomp: pipe2 poll ppoll */
void systemd_settle(void)
{
        const int heard = sd_notify_barrier(0, SETTLE_TIMEOUT_US);
        if (heard < 0)
                log_write(LOG_LEVEL_WARNING, "the service manager does not listen: %s", strerror(-heard));
}
