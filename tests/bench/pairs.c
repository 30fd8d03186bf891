/* pairs.c: opens socket pairs in the daemon and prints the ids of some of them, spread evenly.
 *
 * A few messages lie ready in each, so that no recv has to wait for a send that another connection carries.
 * Usage: bench_pairs PORT TOKEN OPEN PRINTED */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/client.h"

enum { READY_SIZE = 4096 };

int main(int argc, char **argv)
{
        static struct client client;
        if (argc != 5)
                return 2;
        client_open(&client, (uint16_t)number(argv[1]), argv[2]);
        const size_t open = number(argv[3]), printed = number(argv[4]);
        char text[READY_SIZE + 1] = "", ready[sizeof text + 32];
        memset(text, 'x', READY_SIZE);
        snprintf(ready, sizeof ready, "{\"text\":\"%s\"}", text);
        for (size_t i = 0, shown = 0; i < open; i++) {
                char first[ID_SIZE], second[ID_SIZE];
                const char *const reply = client_call(&client, "/v1/socketpairs", NULL, "{}");
                json_string(reply, "id", 0, first);
                json_string(reply, "id", 1, second);
                if (i < shown * open / printed)
                        continue;
                shown++;
                client_call(&client, "/v1/sockets/%s/send", first, ready);
                printf("%s %s\n", first, second);
        }
        return EXIT_SUCCESS;
}
