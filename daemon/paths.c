/* paths.c: where the daemon's files are, where the command line does not say so. */
#include "daemon/paths.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/systemd.h"

/* What a service may be given for an option. */
static const struct {
        const char *name;
        size_t offset; /* of the member of struct configuration */
} credentials[] = {
        { "sockwright.tokens", offsetof(struct configuration, tokens_file) },
        { "sockwright.policy", offsetof(struct configuration, policy) },
        { "sockwright.tls-cert", offsetof(struct configuration, tls_certificate) },
        { "sockwright.tls-key", offsetof(struct configuration, tls_key) },
        { "sockwright.tls-client-ca", offsetof(struct configuration, tls_client_authority) },
};
_Static_assert(sizeof credentials / sizeof *credentials == CREDENTIAL_COUNT, "each has its place");

/* $XDG_RUNTIME_DIR, or root's folder, which is made when it is not there. */
static const char *runtime_directory(void)
{
        static const char root[] = "/run/sockwright";
        const char *const user = getenv("XDG_RUNTIME_DIR");
        if (geteuid() != 0)
                return user != NULL && user[0] == '/' ? user : NULL;
        if (mkdir(root, 0755) != 0 && errno != EEXIST)
                log_write(LOG_LEVEL_ERROR, "%s: %s", root, strerror(errno));
        return root;
}

/* Where no unix socket was passed. */
static bool choose_unix_path(struct paths *paths, const struct configuration *configuration)
{
        const char *const path = configuration->unix_path;
        const char *const directory = path == NULL ? runtime_directory() : NULL;
        if (path == NULL && directory == NULL) {
                log_write(LOG_LEVEL_ERROR, "XDG_RUNTIME_DIR is not set: say --unix PATH");
                return false;
        }
        if (path != NULL)
                snprintf(paths->unix_path, sizeof paths->unix_path, "%s", path);
        else
                snprintf(paths->unix_path, sizeof paths->unix_path, "%s/sockwright.sock", directory);
        return true;
}

/* The token that a service makes itself is its state. */
static void choose_token_file(struct paths *paths, const struct configuration *configuration)
{
        static const char name[] = "sockwright.token";
        const char *const given = configuration->token_file;
        const char *const slash = strrchr(paths->unix_path, '/');
        const int directory_size = slash == NULL ? 0 : (int)(slash - paths->unix_path) + 1;
        if (given != NULL)
                snprintf(paths->token_file, sizeof paths->token_file, "%s", given);
        else if (!systemd_find_credential(name, paths->token_file, sizeof paths->token_file) &&
                 !systemd_find_state(name, paths->token_file, sizeof paths->token_file))
                snprintf(paths->token_file, sizeof paths->token_file, "%.*s%s", directory_size,
                        paths->unix_path, name);
}

bool paths_find_credentials(struct paths *paths, struct configuration *configuration)
{
        for (size_t i = 0; i < CREDENTIAL_COUNT; i++) {
                const char **const member =
                        (const char **)(void *)((char *)configuration + credentials[i].offset);
                if (*member == NULL && systemd_find_credential(credentials[i].name, paths->credentials[i],
                                               sizeof paths->credentials[i]))
                        *member = paths->credentials[i];
        }
        if ((configuration->tls_certificate == NULL) == (configuration->tls_key == NULL))
                return true;
        log_write(LOG_LEVEL_ERROR, "the certificate of TLS and its key must be given together");
        return false;
}

/* Sockets that were passed are served on instead of all others. */
bool paths_choose(struct paths *paths, const struct configuration *configuration,
        const struct listener *listeners, size_t listener_count)
{
        if (listener_count == 0 && !choose_unix_path(paths, configuration))
                return false;
        for (size_t i = 0; i < listener_count; i++)
                if (listeners[i].unix_path != NULL)
                        snprintf(paths->unix_path, sizeof paths->unix_path, "%s", listeners[i].unix_path);
        choose_token_file(paths, configuration);
        if (strchr(paths->token_file, '/') != NULL || paths->unix_path[0] != '\0')
                return true;
        log_write(LOG_LEVEL_ERROR, "no place for the token: say --token-file FILE");
        return false;
}
