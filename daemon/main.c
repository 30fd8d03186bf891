/* main.c: sockwrightd's life: start, serve until a signal, stop without leaving a call unanswered. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/call.h"
#include "api/openapi.h"
#include "daemon/access.h"
#include "daemon/audit.h"
#include "daemon/browser.h"
#include "daemon/command_line.h"
#include "daemon/greeting.h"
#include "daemon/keeper.h"
#include "daemon/paths.h"
#include "daemon/policy_file.h"
#include "daemon/seccomp.h"
#include "daemon/server.h"
#include "daemon/sockets/background.h"
#include "daemon/sockets/observer.h"
#include "daemon/sockets/policy.h"
#include "daemon/sockets/reactor.h"
#include "daemon/sockets/store.h"
#include "daemon/systemd.h"
#include "daemon/watchdog.h"

/* Descriptors that are neither owned sockets nor HTTP connections. */
enum { RESERVED_DESCRIPTORS = 64, DESCRIPTORS_PER_THREAD = 2, SMALLEST_LIMIT = 256, THREADS_MIN = 16 };

static const int64_t NS_PER_MS = 1000000, NS_PER_S = 1000000000;

enum {
        DEFAULT_MAX_BODY = 64 << 20,
        DRAIN_TIMEOUT_MS = 5000,
        DRAIN_STEP_MS = 10,
        BACKGROUND_TIMEOUT_MS = 1000,
        EXHAUSTED_PAUSE_MS = 50
};

static const char DEFAULT_LISTEN[] = "127.0.0.1:7625";

struct daemon {
        struct configuration configuration;
        struct paths paths;
        size_t descriptors, parked; /* the most */
        int signal_fd;
        struct service service;
        struct accounts *accounts;
        struct access *access;
        struct tls *tls; /* NULL: none */
        struct server *server;
        struct watchdog *watchdog;
        struct listener listeners[LIST_MAX + 1];
        size_t listener_count;
        struct estate estate;
};

/* Returns false. */
static bool complain(void)
{
        log_write(LOG_LEVEL_ERROR, "cannot start: %s", strerror(errno));
        return false;
}

/* Of what was passed, what there is to serve on. */
static bool find_places(struct daemon *daemon)
{
        struct configuration *const configuration = &daemon->configuration;
        return paths_find_credentials(&daemon->paths, configuration) &&
               systemd_take_listeners(daemon->listeners, LIST_MAX + 1, &daemon->listener_count,
                       &daemon->estate, configuration) &&
               paths_choose(&daemon->paths, configuration, daemon->listeners, daemon->listener_count);
}

static bool set_log_level(const char *name)
{
        if (name == NULL)
                return true;
        for (int level = 0; level < LOG_LEVEL_COUNT; level++)
                if (strcmp(name, log_level_names[level]) == 0) {
                        log_set_level((enum log_level)level);
                        return true;
                }
        fprintf(stderr, "sockwrightd: --log-level must be error, warning, notice, info or debug\n");
        return false;
}

/* As many descriptors as the hard limit allows. */
static bool raise_limit(struct daemon *daemon)
{
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
                return false;
        limit.rlim_cur = limit.rlim_max;
        daemon->descriptors = limit.rlim_max > (1 << 20) ? 1 << 20 : (size_t)limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && daemon->descriptors >= SMALLEST_LIMIT)
                return true;
        log_write(LOG_LEVEL_ERROR, "the limit of open files is %zu: at least %d are needed",
                daemon->descriptors, SMALLEST_LIMIT);
        return false;
}

/* Signals are read from a descriptor, by the main thread alone. */
static bool block_signals(struct daemon *daemon)
{
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGHUP);
        sigaddset(&signals, SIGCHLD);
        signal(SIGCHLD, SIG_DFL);
        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN); /* a log that is full is no reason to die */
        daemon->signal_fd = sigprocmask(SIG_BLOCK, &signals, NULL) == 0
                                    ? signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)
                                    : -1;
        return daemon->signal_fd >= 0;
}

static struct limits limits_of(const struct configured_limits *configured)
{
        return (struct limits){ .most = { [RESOURCE_SOCKETS] = (size_t)configured->sockets,
                                        [RESOURCE_PARKED] = (size_t)configured->parked,
                                        [RESOURCE_BYTES] = (size_t)configured->bytes },
                .requests_per_s = (unsigned)configured->requests };
}

static bool load_access(struct daemon *daemon)
{
        const struct configuration *const configuration = &daemon->configuration;
        const struct limits each = limits_of(&configuration->each);
        struct limits all = limits_of(&configuration->all);
        /* More than there are connections, since the steps of a batch wait without; but each has a
         * descriptor. */
        if (all.most[RESOURCE_PARKED] == 0)
                all.most[RESOURCE_PARKED] = daemon->descriptors;
        daemon->parked = all.most[RESOURCE_PARKED];
        daemon->accounts = accounts_new(&each, &all);
        if (daemon->accounts == NULL)
                return complain();
        daemon->access = access_new(daemon->accounts, daemon->paths.token_file, configuration->tokens_file);
        return daemon->access != NULL;
}

static void note(const char *text)
{
        log_write(LOG_LEVEL_NOTICE, "policy: %s", text);
}

static void note_call(const struct call *call, int status)
{
        if (audit_is_enabled())
                audit_write(&(struct audit){ .operation = call->operation,
                        .call = call,
                        .from = "a batch",
                        .status = status,
                        .duration_us = (now_ns() - call->started_ns) / 1000 });
}

/* The policy of the command line, if any. False after logging why. */
static bool read_policy(const struct daemon *daemon, struct policy **out)
{
        return daemon->configuration.policy == NULL || policy_load(daemon->configuration.policy, out);
}

static bool load_policy(struct daemon *daemon)
{
        struct policy *policy = NULL;
        daemon->service.note = note;
        daemon->service.note_call = note_call;
        if (!read_policy(daemon, &policy))
                return false;
        service_set_policy(&daemon->service, policy);
        return true;
}

/* Nobody is to reach the daemon through its own sockets. */
static bool guard_listeners(struct daemon *daemon)
{
        int fds[LIST_MAX + 1];
        for (size_t i = 0; i < daemon->listener_count; i++)
                fds[i] = daemon->listeners[i].fd;
        return guard_set_listeners(&daemon->service.guard, fds, daemon->listener_count) || complain();
}

static bool load_tls(struct daemon *daemon)
{
        const struct configuration *const configuration = &daemon->configuration;
        const struct tls_files files = { .certificate = configuration->tls_certificate,
                .key = configuration->tls_key,
                .client_authority = configuration->tls_client_authority };
        if (files.certificate == NULL)
                return true;
        daemon->tls = tls_new(&files);
        return daemon->tls != NULL;
}

static bool open_listeners(struct daemon *daemon)
{
        const struct configuration *const configuration = &daemon->configuration;
        const char *const fallback[] = { DEFAULT_LISTEN };
        const char *const *const listen =
                configuration->listen.count > 0 ? configuration->listen.items : fallback;
        const size_t count = configuration->listen.count > 0 ? configuration->listen.count : 1;
        if (daemon->listener_count > 0) {
                holder_note_listeners(daemon->listeners, daemon->listener_count);
                return true;
        }
        if (!listener_open_unix(&daemon->listeners[daemon->listener_count], daemon->paths.unix_path))
                return false;
        listener_let_in(&daemon->listeners[daemon->listener_count], access_has_users(daemon->access));
        daemon->listener_count++;
        for (size_t i = 0; i < count; i++) {
                if (!listener_open_tcp(&daemon->listeners[daemon->listener_count], listen[i], configuration))
                        return false;
                daemon->listener_count++;
        }
        holder_note_listeners(daemon->listeners, daemon->listener_count);
        return true;
}

/* Others may go on with them. */
static void close_listeners(struct daemon *daemon)
{
        while (!holder_keeps_listeners() && daemon->listener_count > 0)
                listener_close(&daemon->listeners[--daemon->listener_count]);
}

/* At least THREADS_MIN: to wake one call, libmicrohttpd goes through all that its thread has parked, so that
 * more threads answer sooner when thousands are. */
static unsigned choose_threads(const struct configuration *configuration)
{
        const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        if (configuration->threads > 0)
                return (unsigned)configuration->threads;
        return cpus > THREADS_MIN ? (unsigned)cpus : THREADS_MIN;
}

/* What the calls work on: an earlier daemon's sockets and sessions, if there are any. */
static bool make_service(struct daemon *daemon, size_t max_sockets)
{
        struct takeover *takeover;
        if (!takeover_begin(&daemon->estate, &takeover))
                return false;
        struct service *const service = &daemon->service;
        const struct configuration *const configuration = &daemon->configuration;
        const struct outcome_bounds kept = { .count = (size_t)configuration->kept_outcomes,
                .bytes = (size_t)configuration->kept_outcome_bytes,
                .age_ns = configuration->kept_outcome_s * INT64_C(1000000000) };
        service->registry = registry_new(max_sockets);
        /* A batch that is yet to start waits beside its call; and the watchdog does. */
        if (service->registry != NULL)
                service->waiter = waiter_new(daemon->descriptors + 2 * daemon->parked);
        if (service->waiter != NULL)
                service->reactors =
                        reactors_new(daemon->descriptors, service->registry, &service->guard, service->note);
        if (service->reactors != NULL)
                service->sessions = sessions_new(service->registry, service->waiter, service->reactors);
        if (service->sessions != NULL)
                service->observer = observer_new(service->registry, service->waiter);
        if (service->observer != NULL)
                service->outcomes = outcomes_new(&kept, service->waiter);
        return (service->outcomes != NULL || complain()) &&
               takeover_finish(takeover, service, daemon->accounts);
}

static bool start_service(struct daemon *daemon)
{
        const struct configuration *const configuration = &daemon->configuration;
        const unsigned threads = choose_threads(configuration);
        const unsigned pools = daemon->tls == NULL ? 1 : 2;
        const size_t reserved = RESERVED_DESCRIPTORS + (size_t)pools * threads * DESCRIPTORS_PER_THREAD;
        if (daemon->descriptors <= reserved + 1) {
                log_write(LOG_LEVEL_ERROR, "%u threads leave nothing of %zu descriptors", threads,
                        daemon->descriptors);
                return false;
        }
        const size_t usable = daemon->descriptors - reserved;
        const size_t max_sockets =
                configuration->all.sockets > 0 ? (size_t)configuration->all.sockets : usable / 2;
        if (max_sockets >= usable) {
                log_write(LOG_LEVEL_ERROR,
                        "--max-sockets %zu leaves no descriptors for HTTP: at most %zu of %zu fit",
                        max_sockets, usable - 1, daemon->descriptors);
                return false;
        }
        daemon->service.default_timeout_ms = configuration->default_timeout_ms;
        daemon->service.max_timeout_ms = configuration->max_timeout_ms;
        daemon->service.max_body_size =
                configuration->max_body > 0 ? (size_t)configuration->max_body : DEFAULT_MAX_BODY;
        if (!make_service(daemon, max_sockets))
                return false;
        daemon->server = server_start(&daemon->service, daemon->access, daemon->tls, threads,
                (unsigned)(usable - max_sockets), configuration->stream_ping_s * NS_PER_S);
        return daemon->server != NULL &&
               server_limit_peers(daemon->server, (unsigned)configuration->max_connections_per_address);
}

static void say_ready(const struct daemon *daemon)
{
        char state[1024] = "READY=1\nSTATUS=Serving on";
        for (size_t i = 0; i < daemon->listener_count; i++) {
                const size_t size = strlen(state);
                snprintf(state + size, sizeof state - size, " %s", daemon->listeners[i].url);
        }
        systemd_say(state);
}

/* What is unsound stays as it was before, and is logged. */
static void reload(struct daemon *daemon)
{
        struct policy *policy = NULL;
        systemd_say("RELOADING=1");
        const bool judged = read_policy(daemon, &policy);
        const bool known = access_reload(daemon->access), encrypted = tls_reload(daemon->tls);
        const bool loaded = judged && known && encrypted;
        if (judged)
                service_set_policy(&daemon->service, policy);
        for (size_t i = 0; i < daemon->listener_count; i++)
                listener_let_in(&daemon->listeners[i], access_has_users(daemon->access));
        log_write(
                LOG_LEVEL_NOTICE, loaded ? "reloaded" : "reloading failed: what is unsound stays as it was");
        say_ready(daemon);
}

/* Reads a signal. Whether it is one to stop for. seccomp: read */
static bool is_to_stop(struct daemon *daemon)
{
        struct signalfd_siginfo signal;
        if (read(daemon->signal_fd, &signal, sizeof signal) != sizeof signal)
                return false;
        switch (signal.ssi_signo) {
        case SIGHUP:
                reload(daemon);
                return false;
        case SIGCHLD:
                if (holder_has_ended())
                        log_write(LOG_LEVEL_ERROR, "the holder has been killed: stopping, to be started "
                                                   "again with another one");
                return holder_has_ended();
        default:
                return true;
        }
}

/* Accepts until a signal to stop comes. seccomp: poll ppoll */
static void serve(struct daemon *daemon)
{
        struct pollfd ready[LIST_MAX + 3] = { { .fd = daemon->signal_fd, .events = POLLIN } };
        for (size_t i = 0; i < daemon->listener_count; i++)
                ready[i + 2] = (struct pollfd){ .fd = daemon->listeners[i].fd, .events = POLLIN };
        bool exhausted = false;
        while (ready[0].revents == 0 || !is_to_stop(daemon)) {
                ready[1] = (struct pollfd){ .fd = watchdog_fd(daemon->watchdog), .events = POLLIN };
                poll(ready, daemon->listener_count + 2,
                        exhausted ? EXHAUSTED_PAUSE_MS : watchdog_timeout_ms(daemon->watchdog));
                exhausted = false;
                for (size_t i = 0; i < daemon->listener_count; i++) {
                        const struct listener *const listener = &daemon->listeners[i];
                        const bool takes = listener_accept(listener, daemon->access, daemon->server);
                        /* Without descriptors, a listener stays ready: pause instead of spinning. */
                        ready[i + 2].fd = takes ? listener->fd : -1;
                        exhausted |= !takes;
                }
                watchdog_run(daemon->watchdog);
        }
}

/* Every parked call is answered before the connections are closed. */
static void stop(struct daemon *daemon)
{
        log_write(LOG_LEVEL_NOTICE, "stopping");
        systemd_say("STOPPING=1");
        daemon->service.shutting_down = true;
        close_listeners(daemon);
        waiter_shut_down(daemon->service.waiter);
        server_shut_down(daemon->server);
        const int64_t until = now_ns() + (int64_t)DRAIN_TIMEOUT_MS * NS_PER_MS;
        while (server_is_busy(daemon->server) && now_ns() < until)
                poll(NULL, 0, DRAIN_STEP_MS);
        server_stop(daemon->server);
        watchdog_free(daemon->watchdog);
}

/* Closes all that is owned. */
static void end_service(struct daemon *daemon)
{
        sessions_free(daemon->service.sessions);
        reactors_free(daemon->service.reactors);
        outcomes_free(daemon->service.outcomes);
        observer_free(daemon->service.observer);
        waiter_free(daemon->service.waiter);
        registry_free(daemon->service.registry);
}

static int run(struct daemon *daemon)
{
        if (daemon->configuration.audit)
                audit_enable();
        if (!set_log_level(daemon->configuration.log_level) || !find_places(daemon) ||
                !browser_allow(&daemon->configuration.allow_origin, &daemon->configuration.host) ||
                !raise_limit(daemon) || !block_signals(daemon) || !(store_open() || complain()))
                return EXIT_FAILURE;
        holder_start();
        const bool serving = load_access(daemon) && load_policy(daemon) && load_tls(daemon) &&
                             seccomp_install() && open_listeners(daemon) && start_service(daemon) &&
                             guard_listeners(daemon);
        if (serving) {
                greeting_print(daemon->listeners, daemon->listener_count, &daemon->configuration,
                        daemon->paths.token_file);
                daemon->watchdog = watchdog_new(&daemon->service, daemon->server);
                say_ready(daemon);
                serve(daemon);
        }
        if (daemon->server != NULL)
                stop(daemon);
        close_listeners(daemon);
        /* A name resolution cannot be interrupted: one that takes too long ends with the process. */
        const bool idle = background_stop(now_ns() + (int64_t)BACKGROUND_TIMEOUT_MS * NS_PER_MS);
        const int status = serving && !holder_has_ended() ? EXIT_SUCCESS : EXIT_FAILURE;
        holder_stand_in();
        if (!idle)
                _exit(status);
        server_free(daemon->server);
        /* What is owned goes on, and its leases and reactors do on their threads to the very end: nothing
         * that they use is freed. */
        if (holder_keeps_sockets())
                return status;
        end_service(daemon);
        guard_clear(&daemon->service.guard);
        tls_free(daemon->tls);
        access_free(daemon->access);
        accounts_free(daemon->accounts);
        close(daemon->signal_fd);
        return status;
}

int main(int argc, char **argv)
{
        static struct daemon daemon;
        if (!command_line_read(argc, argv, &daemon.configuration))
                return 2;
        switch (daemon.configuration.command) {
        case COMMAND_HELP:
                command_line_help();
                return EXIT_SUCCESS;
        case COMMAND_VERSION:
                printf("sockwrightd %s\n", SOCKWRIGHT_VERSION);
                return EXIT_SUCCESS;
        case COMMAND_OPENAPI:
                fputs(openapi_yaml_text(), stdout);
                return EXIT_SUCCESS;
        case COMMAND_MAKE_TOKEN:
                return access_make_token(daemon.configuration.subject) ? EXIT_SUCCESS : EXIT_FAILURE;
        case COMMAND_CHECK_POLICY:
                return policy_check(daemon.configuration.subject) ? EXIT_SUCCESS : EXIT_FAILURE;
        case COMMAND_SERVE:
                return daemon.configuration.keeper && !keeper_is_above() ? keeper_run(argv) : run(&daemon);
        }
        return EXIT_FAILURE;
}
