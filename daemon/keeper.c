/* keeper.c: a service manager of one service, for where there is none that keeps descriptors.
 *
 * It speaks the same protocol as systemd does: sd_notify(3) with FDSTORE=1, FDSTOREREMOVE=1 and BARRIER=1,
 * and sd_listen_fds(3). The daemon's holder becomes its child when the daemon ends, so that it knows when all
 * has been handed over: then it starts the next daemon, by the path that it was itself started by, which may
 * be another version's by then. When the keeper is told to stop, it keeps nothing. When it is killed, the
 * daemon stops too: what nobody keeps would else stand in the way of the next one. */
#include "daemon/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/takeover.h"

/* A daemon that dies more often than that, within that time, and never becomes ready, is given up. */
enum { DEATHS_MAX = 5, DEATHS_S = 10, START_PAUSE_MS = 1000 };

/* As sd_notify(3) has it, and SCM_MAX_FD. */
enum { TEXT_SIZE = 4096, FDS_MAX = 253 };

/* A command line that the daemon refuses. */
enum { EXIT_USAGE = 2, EXIT_SIGNAL = 128 };

static const char KEEPER_VARIABLE[] = "SOCKWRIGHT_KEEPER";

struct keeper {
        char **line;
        int notify, signals;
        char notify_name[sizeof((struct sockaddr_un *)NULL)->sun_path + 1]; /* as $NOTIFY_SOCKET has it */
        struct estate store;
        pid_t daemon;    /* 0: it has ended */
        pid_t latest;    /* it, or the one that ended last */
        int status;      /* that it ended with */
        bool ready;      /* it has been, once */
        bool stopping;   /* the keeper was told to */
        unsigned deaths; /* since it was last ready, from `since` on */
        time_t since;
};

bool keeper_is_above(void)
{
        const char *const pid = getenv(KEEPER_VARIABLE);
        return pid != NULL && strtol(pid, NULL, 10) == getppid();
}

static time_t seconds(void)
{
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec;
}

static void forget(struct estate *store, const char *name)
{
        size_t left = 0;
        for (size_t i = 0; i < store->count; i++) {
                if (strcmp(store->items[i].name, name) == 0)
                        close(store->items[i].fd);
                else
                        store->items[left++] = store->items[i];
        }
        store->count = left;
}

/* Half a set is none: what was kept first goes, which no daemon could go on with. False when that does not
 * do.
 */
static bool make_room(struct estate *store, size_t count)
{
        size_t first = 0;
        while (first < store->count && store->count + count > ESTATE_MAX) {
                char name[HOLDER_NAME_SIZE];
                memcpy(name, store->items[first].name, sizeof name);
                if (strncmp(name, HOLDER_SET_PREFIX, strlen(HOLDER_SET_PREFIX)) != 0) {
                        first++;
                        continue;
                }
                log_write(LOG_LEVEL_ERROR, "keeper: no room: \"%s\" is let go of", name);
                forget(store, name);
        }
        return store->count + count <= ESTATE_MAX;
}

/* Takes the descriptors over: all of them are kept, or none. */
static void keep(struct estate *store, const int *fds, size_t count, const char *name)
{
        const bool fits =
                strchr(name, ':') == NULL && strlen(name) < HOLDER_NAME_SIZE && make_room(store, count);
        if (!fits)
                log_write(LOG_LEVEL_ERROR, "keeper: no room for %zu descriptors \"%s\"", count, name);
        for (size_t i = 0; i < count; i++)
                if (!fits || !estate_add(store, fds[i], name))
                        close(fds[i]);
}

/* The value of a line "NAME=value", cut off where it has no room; "" when there is none. */
static const char *value_of(const char *text, const char *name, char *out, size_t out_size)
{
        const size_t name_size = strlen(name);
        out[0] = '\0';
        for (const char *line = text; line != NULL && *line != '\0';) {
                const size_t size = strcspn(line, "\n");
                if (strncmp(line, name, name_size) == 0 && line[name_size] == '=')
                        snprintf(out, out_size, "%.*s", (int)(size - name_size - 1), line + name_size + 1);
                line += size + (line[size] == '\n');
        }
        return out;
}

static bool says(const char *text, const char *name)
{
        char value[HOLDER_NAME_SIZE];
        return strcmp(value_of(text, name, value, sizeof value), "1") == 0;
}

/* What the daemon says goes on to whoever is above the keeper; but that it stops is the keeper's to say. */
static void hear(struct keeper *keeper, const char *text, const int *fds, size_t count)
{
        char name[HOLDER_NAME_SIZE * 2];
        value_of(text, "FDNAME", name, sizeof name);
        const bool stores = says(text, "FDSTORE"), forgets = says(text, "FDSTOREREMOVE");
        if (stores)
                keep(&keeper->store, fds, count, name[0] == '\0' ? "stored" : name);
        for (size_t i = 0; i < count && !stores; i++)
                close(fds[i]); /* of a BARRIER=1, whose sender sees that */
        if (forgets)
                forget(&keeper->store, name);
        if (says(text, "READY")) {
                keeper->ready = true;
                keeper->deaths = 0;
        }
        if (!stores && !forgets && !says(text, "BARRIER") && (!says(text, "STOPPING") || keeper->stopping))
                sd_notify(0, text);
}

static pid_t parent_of(pid_t process)
{
        char path[64], text[512];
        snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
        FILE *const file = fopen(path, "re");
        if (file == NULL)
                return 0;
        const size_t size = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        text[size] = '\0';
        /* "pid (name) state parent …", and the name may have any characters. */
        const char *const rest = strrchr(text, ')');
        return rest == NULL || strlen(rest) < 4 ? 0 : (pid_t)strtol(rest + 4, NULL, 10);
}

/* The daemon and its holder may speak; nobody else of this user, or another one. What a daemon has said last
 * may be heard when it is gone. */
static bool is_ours(const struct keeper *keeper, const struct ucred *sender)
{
        pid_t process = sender->pid;
        if (process == keeper->latest)
                return true;
        for (int depth = 0; process > 1 && depth < 4; depth++) {
                process = parent_of(process);
                if (process == getpid())
                        return sender->uid == geteuid();
        }
        return false;
}

/* A message's descriptors, and who has sent it. */
static size_t read_control(struct msghdr *message, int *fds, struct ucred *sender)
{
        size_t count = 0;
        for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
                if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) {
                        count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                        memcpy(fds, CMSG_DATA(part), count * sizeof(int));
                } else if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_CREDENTIALS) {
                        memcpy(sender, CMSG_DATA(part), sizeof *sender);
                }
        }
        return count;
}

/* False when there is nothing to be heard. */
static bool listen_once(struct keeper *keeper)
{
        char text[TEXT_SIZE];
        _Alignas(struct cmsghdr) char
                control[CMSG_SPACE(FDS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
        struct iovec bytes = { .iov_base = text, .iov_len = sizeof text - 1 };
        struct msghdr message = {
                .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
        };
        int fds[FDS_MAX];
        struct ucred sender = { .pid = 0 };
        const ssize_t size = recvmsg(keeper->notify, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size < 0)
                return errno == EINTR;
        text[size] = '\0';
        const size_t count = read_control(&message, fds, &sender);
        const bool whole = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
        if (whole && is_ours(keeper, &sender)) {
                hear(keeper, text, fds, count);
                return true;
        }
        log_write(LOG_LEVEL_WARNING, "keeper: a message of process %d is left unheard", (int)sender.pid);
        for (size_t i = 0; i < count; i++)
                close(fds[i]);
        return true;
}

static int compare_items(const void *one, const void *other)
{
        return ((const struct estate_item *)one)->fd - ((const struct estate_item *)other)->fd;
}

/* In the child: puts what is kept from 3 on. In the order of their numbers, none stands where another is to
 * go. */
static void pass_store(struct estate *store)
{
        char number[16], names[ESTATE_MAX * HOLDER_NAME_SIZE] = "";
        size_t size = 0;
        qsort(store->items, store->count, sizeof *store->items, compare_items);
        for (size_t i = 0; i < store->count; i++) {
                const int place = SD_LISTEN_FDS_START + (int)i;
                if (store->items[i].fd == place)
                        fcntl(place, F_SETFD, 0);
                else
                        dup2(store->items[i].fd, place);
                size += (size_t)snprintf(
                        names + size, sizeof names - size, "%s%s", i == 0 ? "" : ":", store->items[i].name);
        }
        snprintf(number, sizeof number, "%d", (int)getpid());
        if (getenv("WATCHDOG_PID") != NULL)
                setenv("WATCHDOG_PID", number, 1);
        if (store->count == 0)
                return;
        setenv("LISTEN_PID", number, 1);
        setenv("LISTEN_FDNAMES", names, 1);
        snprintf(number, sizeof number, "%zu", store->count);
        setenv("LISTEN_FDS", number, 1);
}

/* In the child. */
static _Noreturn void become_daemon(struct keeper *keeper, pid_t parent)
{
        char number[16];
        sigset_t none;
        snprintf(number, sizeof number, "%d", (int)parent);
        setenv(KEEPER_VARIABLE, number, 1);
        setenv("NOTIFY_SOCKET", keeper->notify_name, 1);
        pass_store(&keeper->store);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() == parent)
                execv((const char *)getauxval(AT_EXECFN), keeper->line);
        log_write(LOG_LEVEL_ERROR, "keeper: %s: %s", keeper->line[0], strerror(errno));
        _exit(EXIT_FAILURE);
}

static bool start(struct keeper *keeper)
{
        const pid_t self = getpid();
        fflush(NULL);
        keeper->daemon = fork();
        if (keeper->daemon == 0)
                become_daemon(keeper, self);
        if (keeper->daemon > 0) {
                keeper->latest = keeper->daemon;
                return true;
        }
        log_write(LOG_LEVEL_ERROR, "keeper: the daemon cannot be started: %s", strerror(errno));
        keeper->daemon = 0;
        keeper->status = EXIT_FAILURE << 8;
        return false;
}

static int status_of(const struct keeper *keeper)
{
        return WIFEXITED(keeper->status) ? WEXITSTATUS(keeper->status)
                                         : EXIT_SIGNAL + WTERMSIG(keeper->status);
}

/* Whether to start it again. What a first start says of its command line or its surroundings would be said
 * again. */
static bool goes_on(struct keeper *keeper)
{
        const bool refuses = WIFEXITED(keeper->status) && (!keeper->ready || status_of(keeper) == EXIT_USAGE);
        if (keeper->stopping || refuses)
                return false;
        if (keeper->deaths == 0 || seconds() - keeper->since >= DEATHS_S) {
                keeper->deaths = 0;
                keeper->since = seconds();
        }
        if (++keeper->deaths <= DEATHS_MAX) {
                log_write(LOG_LEVEL_WARNING, "keeper: the daemon ended with status %d, and is started again",
                        status_of(keeper));
                return true;
        }
        log_write(LOG_LEVEL_ERROR,
                "keeper: the daemon ended %u times within %d s, and never was ready: given up",
                keeper->deaths, DEATHS_S);
        keeper->status = EXIT_FAILURE << 8;
        return false;
}

static void obey(struct keeper *keeper)
{
        struct signalfd_siginfo told;
        while (read(keeper->signals, &told, sizeof told) == sizeof told) {
                const int number = (int)told.ssi_signo;
                if (number == SIGCHLD)
                        continue;
                keeper->stopping |= number != SIGHUP;
                if (keeper->daemon > 0)
                        kill(keeper->daemon, number);
        }
}

/* What keeps one from starting, as a program that is just being replaced or a lack of memory, is given time
 * to pass: with the keeper all that it keeps ends. */
static bool start_again(struct keeper *keeper)
{
        struct pollfd told = { .fd = keeper->signals, .events = POLLIN };
        do {
                if (!goes_on(keeper))
                        return false;
                if (keeper->deaths > 1)
                        poll(&told, 1, START_PAUSE_MS);
                obey(keeper);
        } while (!keeper->stopping && !start(keeper));
        return !keeper->stopping;
}

/* False when no process is left: neither the daemon nor its holder. */
static bool reap(struct keeper *keeper)
{
        int status;
        pid_t ended;
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
                if (ended != keeper->daemon)
                        continue;
                keeper->daemon = 0;
                keeper->status = status;
        }
        return ended == 0;
}

static void supervise(struct keeper *keeper)
{
        struct pollfd ready[] = { { .fd = keeper->notify, .events = POLLIN },
                { .fd = keeper->signals, .events = POLLIN } };
        bool going_on = start(keeper);
        while (going_on) {
                poll(ready, sizeof ready / sizeof *ready, -1);
                obey(keeper);
                const bool is_there = reap(keeper);
                /* What the last of them has said is there by now. */
                while (listen_once(keeper))
                        ;
                if (!is_there)
                        going_on = start_again(keeper);
        }
}

/* The abstract address that the kernel gives leaves nothing behind. */
static bool open_notify(struct keeper *keeper)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        socklen_t size = sizeof address;
        keeper->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (keeper->notify < 0 ||
                setsockopt(keeper->notify, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int)) != 0 ||
                bind(keeper->notify, (const struct sockaddr *)&address, sizeof address.sun_family) != 0 ||
                getsockname(keeper->notify, (struct sockaddr *)&address, &size) != 0)
                return false;
        snprintf(keeper->notify_name, sizeof keeper->notify_name, "@%.*s",
                (int)(size - offsetof(struct sockaddr_un, sun_path) - 1), address.sun_path + 1);
        return true;
}

static bool open_signals(struct keeper *keeper)
{
        static const int numbers[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP };
        sigset_t set;
        sigemptyset(&set);
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
                sigaddset(&set, numbers[i]);
        if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
                return false;
        keeper->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return keeper->signals >= 0;
}

/* What was passed to the keeper is the daemon's each time. */
static bool take_passed(struct keeper *keeper)
{
        char **names = NULL;
        const int passed = sd_listen_fds_with_names(1, &names);
        for (int i = 0; i < passed; i++) {
                keep(&keeper->store, &(int){ SD_LISTEN_FDS_START + i }, 1, names[i]);
                free(names[i]);
        }
        free(names);
        return passed >= 0;
}

/* Takes away the paths that the daemons left to one another. */
static void remove_paths(const struct estate *store)
{
        for (size_t i = 0; i < store->count; i++) {
                struct sockaddr_un address = { .sun_family = AF_UNSPEC };
                socklen_t size = sizeof address;
                if (strcmp(store->items[i].name, HOLDER_LISTENERS) == 0 &&
                        getsockname(store->items[i].fd, (struct sockaddr *)&address, &size) == 0 &&
                        address.sun_family == AF_UNIX && address.sun_path[0] == '/')
                        unlink(address.sun_path);
        }
}

int keeper_run(char **line)
{
        static struct keeper keeper;
        keeper.line = line;
        prctl(PR_SET_NAME, "keeper");
        if (!take_passed(&keeper) || !open_notify(&keeper) || !open_signals(&keeper) ||
                prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
                log_write(LOG_LEVEL_ERROR, "keeper: %s", strerror(errno));
                return EXIT_FAILURE;
        }
        supervise(&keeper);
        remove_paths(&keeper.store);
        return status_of(&keeper);
}
