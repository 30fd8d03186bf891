/* events.c: events to many subscribers at once: how many arrive, how late, and what the daemon takes for it.
 *
 * One connection makes an event at each of RATE moments a second; all subscribers get all of them. Frames are
 * counted by their lines; of a few subscribers, the time in each event is held against the clock.
 *
 * Usage: bench_events PORT TOKEN PID SUBSCRIBERS RATE SECONDS
 * Prints: events delivered a second, median ms late, 99th percentile ms late, % of one CPU, MiB resident,
 * gaps. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/client.h"

enum {
        TIMED = 20,
        SAMPLES_MOST = 4 << 20,
        LINES_PER_FRAME = 4,
        BLOCK = 256 << 10,
        TAIL = 512,
        PATIENCE_S = 5
};

struct subscriber {
        int fd;
        bool timed;
        char tail[TAIL]; /* of a timed one: the line that has not ended */
        size_t tail_size;
        uint64_t lines;
};

struct bench {
        uint16_t port;
        const char *token, *pid;
        size_t count, rate, seconds;
        struct subscriber *subscribers;
        int epoll_fd;
        char id[ID_SIZE];
        float *late_ms;
        size_t samples, gaps;
        uint64_t lines;
};

static double process_seconds(const char *pid)
{
        char path[PATH_MAX];
        char line[1024];
        snprintf(path, sizeof path, "/proc/%s/stat", pid);
        FILE *const from = fopen(path, "re");
        if (from == NULL || fgets(line, sizeof line, from) == NULL || fclose(from) != 0)
                die(path);
        /* User and system time are the 12th and 13th words behind the name: proc_pid_stat(5). */
        char *at = strrchr(line, ')');
        for (int word = 0; word < 12 && at != NULL; word++)
                at = strchr(at + 1, ' ');
        if (at != NULL) {
                const unsigned long user = strtoul(at, &at, 10), system = strtoul(at, NULL, 10);
                return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
        }
        die(path);
}

static void subscribe(struct bench *bench, struct subscriber *subscriber)
{
        static struct client client;
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = subscriber };
        client_open(&client, bench->port, bench->token);
        client_ask(&client, "/v1/events?kind=listening", NULL);
        client_reply_head(&client);
        subscriber->fd = client.fd;
        if (epoll_ctl(bench->epoll_fd, EPOLL_CTL_ADD, client.fd, &event) != 0)
                die("epoll_ctl");
}

/* "2026-01-01T00:00:00.000000000Z" of this day, in seconds of the day. */
static double seconds_of_day(const char *time)
{
        const double hours = strtod(time + 11, NULL), minutes = strtod(time + 14, NULL);
        return hours * 3600 + minutes * 60 + strtod(time + 17, NULL);
}

static void read_line(struct bench *bench, const char *line, double now)
{
        static const char mark[] = "\"time\":\"";
        const char *const time = strncmp(line, "data: ", 6) == 0 ? strstr(line, mark) : NULL;
        bench->gaps += strncmp(line, "event: gap", 10) == 0;
        if (time != NULL && bench->samples < SAMPLES_MOST)
                bench->late_ms[bench->samples++] =
                        (float)((now - seconds_of_day(time + sizeof mark - 1)) * 1e3);
}

static void read_lines(struct bench *bench, struct subscriber *subscriber, const char *bytes, size_t size)
{
        struct timespec clock;
        clock_gettime(CLOCK_REALTIME, &clock);
        const double now = (double)(clock.tv_sec % 86400) + (double)clock.tv_nsec / 1e9;
        for (size_t i = 0; i < size; i++) {
                if (bytes[i] != '\n' && subscriber->tail_size < TAIL - 1) {
                        subscriber->tail[subscriber->tail_size++] = bytes[i];
                        continue;
                }
                subscriber->tail[subscriber->tail_size] = '\0';
                subscriber->tail_size = 0;
                read_line(bench, subscriber->tail, now);
        }
}

static uint64_t count_lines(const char *bytes, size_t size)
{
        uint64_t lines = 0;
        for (size_t i = 0; i < size; i++)
                lines += bytes[i] == '\n';
        return lines;
}

/* Reads what has come within a while. False: nothing has. */
static bool read_some(struct bench *bench, int timeout_ms)
{
        static char block[BLOCK];
        struct epoll_event events[256];
        const int count = epoll_wait(bench->epoll_fd, events, 256, timeout_ms);
        for (int i = 0; i < count; i++) {
                struct subscriber *const subscriber = events[i].data.ptr;
                const ssize_t got = recv(subscriber->fd, block, sizeof block, MSG_DONTWAIT);
                if (got <= 0 && errno != EAGAIN)
                        die("a stream has ended");
                const size_t size = got < 0 ? 0 : (size_t)got;
                if (subscriber->timed)
                        read_lines(bench, subscriber, block, size);
                const uint64_t lines = count_lines(block, size);
                subscriber->lines += lines;
                bench->lines += lines;
        }
        return count > 0;
}

/* Makes the events, each when it is due. */
static void *make_events(void *context)
{
        static struct client client;
        const struct bench *const bench = context;
        client_open(&client, bench->port, bench->token);
        const int64_t started = nanoseconds();
        for (size_t i = 0; i < bench->rate * bench->seconds; i++) {
                const int64_t due = started + (int64_t)(i * 1000000000 / bench->rate),
                              left = due - nanoseconds();
                if (left > 0)
                        nanosleep(&(struct timespec){ .tv_nsec = left }, NULL);
                client_call(&client, "/v1/sockets/%s/listen", bench->id, "{}");
        }
        return NULL;
}

static int compare(const void *left, const void *right)
{
        const float a = *(const float *)left, b = *(const float *)right;
        return (a > b) - (a < b);
}

static void run(struct bench *bench)
{
        pthread_t maker;
        const uint64_t wanted = (uint64_t)bench->count * bench->rate * bench->seconds * LINES_PER_FRAME;
        while (read_some(bench, 200))
                continue;
        bench->lines = bench->samples = 0;
        const double cpu = process_seconds(bench->pid);
        const int64_t started = nanoseconds();
        const int64_t patience = started + (int64_t)(bench->seconds + PATIENCE_S) * 1000000000;
        if (pthread_create(&maker, NULL, make_events, bench) != 0)
                die("pthread_create");
        while (bench->lines < wanted && nanoseconds() < patience)
                read_some(bench, 100);
        const double seconds = (double)(nanoseconds() - started) / 1e9;
        pthread_join(maker, NULL);
        qsort(bench->late_ms, bench->samples, sizeof *bench->late_ms, compare);
        printf("%.0f %.1f %.1f %.0f %.1f %zu\n", (double)bench->lines / LINES_PER_FRAME / seconds,
                (double)bench->late_ms[bench->samples / 2], (double)bench->late_ms[bench->samples * 99 / 100],
                (process_seconds(bench->pid) - cpu) / seconds * 100, resident_kib(bench->pid) / 1024,
                bench->gaps);
}

int main(int argc, char **argv)
{
        static struct bench bench;
        static struct client control;
        if (argc != 7)
                return 2;
        raise_limit();
        bench.port = (uint16_t)number(argv[1]);
        bench.token = argv[2];
        bench.pid = argv[3];
        bench.count = number(argv[4]);
        bench.rate = number(argv[5]);
        bench.seconds = number(argv[6]);
        bench.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        bench.subscribers = calloc(bench.count, sizeof *bench.subscribers);
        bench.late_ms = malloc(SAMPLES_MOST * sizeof *bench.late_ms);
        if (bench.subscribers == NULL || bench.late_ms == NULL)
                die("malloc");
        client_open(&control, bench.port, bench.token);
        json_string(client_call(&control, "/v1/sockets", NULL, "{\"listen\":{\"backlog\":4}}"), "id", 0,
                bench.id);
        for (size_t i = 0; i < bench.count; i++) {
                bench.subscribers[i].timed = i % (bench.count / TIMED + 1) == 0;
                subscribe(&bench, &bench.subscribers[i]);
        }
        run(&bench);
        return EXIT_SUCCESS;
}
