/* greeting.c: what the daemon prints once it listens. */
#include "daemon/greeting.h"

#include <limits.h>
#include <stdio.h>

void greeting_print(const struct listener *listeners, size_t count, const struct configuration *configuration,
        const char *token_file)
{
        char trust[PATH_MAX + 64] = "";
        if (configuration->tls_certificate != NULL)
                snprintf(trust, sizeof trust, " --cacert '%s'%s", configuration->tls_certificate,
                        configuration->tls_client_authority == NULL ? "" : " --cert FILE --key FILE");
        for (size_t i = 0; i < count; i++) {
                const char *const url = listeners[i].url, *const path = listeners[i].unix_path;
                printf("listening on %s\n", url);
                if (path != NULL) {
                        printf("  curl --unix-socket '%s' http://localhost/v1/sockets\n", path);
                        continue;
                }
                printf("  curl%s -H \"Authorization: Bearer $(cat '%s')\" %s/v1/sockets\n", trust, token_file,
                        url);
                printf("  echo \"%s/#token=$(cat '%s')\"\n", url, token_file);
        }
        fflush(stdout);
}
