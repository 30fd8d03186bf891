/* systemd.c: what the service manager and the daemon tell each other. */
#include "daemon/systemd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/log.h"

static void free_names(char **names)
{
        for (char **name = names; name != NULL && *name != NULL; name++)
                free(*name);
        free(names);
}

bool systemd_take_listeners(
        struct listener *listeners, size_t capacity, size_t *count, const struct configuration *configuration)
{
        char **names = NULL;
        const int passed = sd_listen_fds_with_names(1, &names);
        bool sound = passed >= 0 && (size_t)passed <= capacity;
        if (passed < 0)
                log_write(LOG_LEVEL_ERROR, "passed sockets: %s", strerror(-passed));
        else if (!sound)
                log_write(LOG_LEVEL_ERROR, "%d sockets were passed: %zu are the most", passed, capacity);
        for (int i = 0; sound && i < passed; i++) {
                sound = listener_adopt(&listeners[*count], SD_LISTEN_FDS_START + i, names[i], configuration);
                if (sound)
                        ++*count;
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
