/* paths.h: where the daemon's files are, where the command line does not say so. */
#pragma once

#include <limits.h>

#include "daemon/listener.h"

enum { CREDENTIAL_COUNT = 5 };

/* The configuration points into it. */
struct paths {
        char unix_path[PATH_MAX], token_file[PATH_MAX], credentials[CREDENTIAL_COUNT][PATH_MAX];
};

/* A service's files are its credentials, unless the command line says otherwise. False after logging what is
 * amiss. */
bool paths_find_credentials(struct paths *paths, struct configuration *configuration);

/* Where to serve, unless listeners were passed, and where the token stands. False after logging why there is
 * no place. */
bool paths_choose(struct paths *paths, const struct configuration *configuration,
        const struct listener *listeners, size_t listener_count);
