/* park.c: how soon a parked recv answers, and what a parked call weighs, beside many others.
 *
 * The time runs from just before the write(2) into our end of the TCP connection until the whole HTTP reply
 * is here. A pause before each lets all threads fall asleep, as they are when a call has waited for long.
 *
 * Usage: bench_park PORT TOKEN PID OTHERS SOCKETS fresh|used
 * Prints: median µs, 99th percentile µs, KiB resident per other parked call, seconds to park them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/client.h"

enum { SAMPLES = 1000, PAUSE_NS = 1000000 };
static const char PARK[] = "{\"size\":64,\"timeout_ms\":600000}";

struct bench {
        uint16_t port;
        const char *token;
        const char *pid;
        size_t others, sockets;
        bool used; /* each connection has had a request answered before */
        struct client control;
        int *connections;
        char (*ids)[ID_SIZE];
};

static void await_parked(struct client *client, const char *id, long long count)
{
        while (json_number(client_call(client, "/v1/sockets/%s", id, NULL), "parked") != count)
                continue;
}

static void open_sockets(struct bench *bench)
{
        for (size_t i = 0; i < bench->sockets; i += 2) {
                const char *const reply = client_call(&bench->control, "/v1/socketpairs", NULL, "{}");
                json_string(reply, "id", 0, bench->ids[i]);
                json_string(reply, "id", 1, bench->ids[i + 1]);
        }
}

/* One parked call on a connection of its own. */
static int park(const struct bench *bench, const char *id)
{
        static struct client client;
        char path[ID_SIZE + 32];
        client_open(&client, bench->port, bench->token);
        if (bench->used)
                client_call(&client, "/v1/sockets/%s", id, NULL);
        snprintf(path, sizeof path, "/v1/sockets/%s/recv", id);
        client_ask(&client, path, PARK);
        return client.fd;
}

static void park_others(struct bench *bench)
{
        for (size_t i = 0; i < bench->others; i++)
                bench->connections[i] = park(bench, bench->ids[i % bench->sockets]);
        for (size_t i = 0; i < bench->sockets; i++) {
                const size_t extra = i < bench->others % bench->sockets ? 1 : 0;
                await_parked(&bench->control, bench->ids[i],
                        (long long)(bench->others / bench->sockets) + (long long)extra);
        }
}

static int compare(const void *left, const void *right)
{
        const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
        return (a > b) - (a < b);
}

static void measure(struct bench *bench, int64_t samples[SAMPLES])
{
        static struct client client;
        const struct timespec pause = { .tv_nsec = PAUSE_NS };
        const char data[64] = "";
        char id[ID_SIZE], path[ID_SIZE + 32];
        const int outside = outside_socket(&bench->control, id);
        client_open(&client, bench->port, bench->token);
        snprintf(path, sizeof path, "/v1/sockets/%s/recv", id);
        for (size_t i = 0; i < SAMPLES; i++) {
                client_ask(&client, path, PARK);
                await_parked(&bench->control, id, 1);
                nanosleep(&pause, NULL);
                const int64_t start = nanoseconds();
                write_all(outside, data, sizeof data);
                const char *const reply = client_reply(&client);
                samples[i] = nanoseconds() - start;
                if (json_number(reply, "size") != sizeof data)
                        die(reply);
        }
        qsort(samples, SAMPLES, sizeof *samples, compare);
}

int main(int argc, char **argv)
{
        static struct bench bench;
        static int64_t samples[SAMPLES];
        if (argc != 7)
                return 2;
        raise_limit();
        bench.port = (uint16_t)number(argv[1]);
        bench.token = argv[2];
        bench.pid = argv[3];
        bench.others = number(argv[4]);
        bench.sockets = number(argv[5]);
        bench.used = strcmp(argv[6], "used") == 0;
        bench.connections = calloc(bench.others, sizeof *bench.connections);
        bench.ids = calloc(bench.sockets + 1, sizeof *bench.ids);
        if (bench.connections == NULL || bench.ids == NULL)
                die("calloc");
        client_open(&bench.control, bench.port, bench.token);
        open_sockets(&bench);
        const double before = resident_kib(bench.pid);
        const int64_t start = nanoseconds();
        park_others(&bench);
        const double seconds = (double)(nanoseconds() - start) / 1e9;
        const double weight = (resident_kib(bench.pid) - before) / (double)bench.others;
        measure(&bench, samples);
        const size_t middle = SAMPLES / 2, late = SAMPLES * 99 / 100;
        printf("%.0f %.0f %.1f %.1f\n", (double)samples[middle] / 1e3, (double)samples[late] / 1e3, weight,
                seconds);
        return EXIT_SUCCESS;
}
