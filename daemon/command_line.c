/* command_line.c: one option = one row. */
#include "daemon/command_line.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_TIMEOUT_MS = 30000, MAX_TIMEOUT_MS = 3600000, THREADS_MAX = 256, MAX_HELD_BYTES = 1 << 30 };
enum { DEFAULT_PING_S = 30, KEPT_OUTCOMES = 10000, KEPT_OUTCOME_BYTES = 16 << 20, KEPT_OUTCOME_S = 3600 };

/* What an option does: a command (with what it is about, if it takes an argument), a text to keep, a number
 * to read, a flag to set, or one more text for a list. */
enum effect { EFFECT_COMMAND, EFFECT_TEXT, EFFECT_NUMBER, EFFECT_FLAG, EFFECT_LIST };

struct row {
        const char *name, *argument; /* argument NULL: takes none */
        enum effect effect;
        size_t offset;    /* of the member of struct configuration */
        int64_t min, max; /* of a number; of a command: which */
        const char *help;
};

static const struct row rows[] = {
        { .name = "unix",
                .argument = "PATH",
                .effect = EFFECT_TEXT,
                .offset = offsetof(struct configuration, unix_path),
                .help = "The unix socket to serve on, instead of $XDG_RUNTIME_DIR/sockwright.sock (as root: "
                        "/run/sockwright/sockwright.sock). Only this user may use it; no token is needed "
                        "there." },
        { .name = "listen",
                .argument = "ADDRESS:PORT",
                .effect = EFFECT_LIST,
                .offset = offsetof(struct configuration, listen),
                .help = "A TCP address to serve on, instead of 127.0.0.1:7625; port 0 lets the kernel "
                        "choose. May be "
                        "given several times." },
        { .name = "token-file",
                .argument = "FILE",
                .effect = EFFECT_TEXT,
                .offset = offsetof(struct configuration, token_file),
                .help = "Where the bearer token stands that TCP clients must show; made when it is not "
                        "there. Default: "
                        "sockwright.token beside the unix socket." },
        { .name = "tokens",
                .argument = "FILE",
                .effect = EFFECT_TEXT,
                .offset = offsetof(struct configuration, tokens_file),
                .help = "More who are let in, a line each: NAME: sha256:HEX, uid:N, gid:N or certificate; "
                        "then "
                        "roles (watch, operate, admin), and a policy's name. Read again on SIGHUP." },
        { .name = "make-token",
                .argument = "NAME",
                .effect = EFFECT_COMMAND,
                .min = COMMAND_MAKE_TOKEN,
                .help = "Print a new token on standard error and its line of --tokens on standard output, "
                        "and exit." },
        { .name = "policy",
                .argument = "FILE",
                .effect = EFFECT_TEXT,
                .offset = offsetof(struct configuration, policy),
                .help = "Which operations on which addresses are allowed to whom. Default: all, but for "
                        "metadata services of clouds and the daemon's own listeners." },
        { .name = "check-policy",
                .argument = "FILE",
                .effect = EFFECT_COMMAND,
                .min = COMMAND_CHECK_POLICY,
                .help = "Say what is wrong with a policy file, and exit." },
        { .name = "audit",
                .effect = EFFECT_FLAG,
                .offset = offsetof(struct configuration, audit),
                .help = "Log each call that may change something: who, what, where to, and how it ended." },
        { .name = "allow-origin",
                .argument = "ORIGIN",
                .effect = EFFECT_LIST,
                .offset = offsetof(struct configuration, allow_origin),
                .help = "Let web pages of this origin call, as https://dash.example:8443. May be given "
                        "several times. Default: none." },
        { .name = "host",
                .argument = "NAME",
                .effect = EFFECT_LIST,
                .offset = offsetof(struct configuration, host),
                .help = "A name that TCP clients may call the daemon by, beside localhost, its addresses "
                        "and the machine's own name. May be given several times." },
        { .name = "tls-cert",
                .argument = "FILE",
                .effect = EFFECT_TEXT,
                .offset = offsetof(struct configuration, tls_certificate),
                .help = "Have all TCP listeners speak TLS (1.2 or newer) and nothing else, with this "
                        "certificate, in PEM, and those that lead to its root. Read again on SIGHUP." },
        { .name = "tls-key",
                .argument = "FILE",
                .effect = EFFECT_TEXT,
                .offset = offsetof(struct configuration, tls_key),
                .help = "The certificate's key, in PEM, which nobody else may read. Read again on SIGHUP." },
        { .name = "tls-client-ca",
                .argument = "FILE",
                .effect = EFFECT_TEXT,
                .offset = offsetof(struct configuration, tls_client_authority),
                .help = "Let only those TLS clients in who show a certificate of these authorities. Its name "
                        "is who they are, where --tokens says so. Read again on SIGHUP." },
        { .name = "insecure-listen",
                .effect = EFFECT_FLAG,
                .offset = offsetof(struct configuration, insecure_listen),
                .help = "Listen beyond loopback without TLS, where all can read along who see the packets: "
                        "tokens too." },
        { .name = "threads",
                .argument = "N",
                .effect = EFFECT_NUMBER,
                .min = 1,
                .max = THREADS_MAX,
                .offset = offsetof(struct configuration, threads),
                .help = "HTTP worker threads, and as many again for TLS. Default: one per CPU, but at least "
                        "16." },
        { .name = "max-sockets",
                .argument = "N",
                .effect = EFFECT_NUMBER,
                .min = 1,
                .max = 1 << 24,
                .offset = offsetof(struct configuration, all.sockets),
                .help = "How many sockets the daemon may own. Default: half of its descriptors." },
        { .name = "max-connections-per-address",
                .argument = "N",
                .effect = EFFECT_NUMBER,
                .min = 1,
                .max = 1 << 24,
                .offset = offsetof(struct configuration, max_connections_per_address),
                .help = "How many HTTP connections there may be from one address; of IPv6 ones, the first "
                        "64 bits count. Default: half of all, but no limit for this host itself." },
        { .name = "max-parked",
                .argument = "N",
                .effect = EFFECT_NUMBER,
                .min = 1,
                .max = 1 << 24,
                .offset = offsetof(struct configuration, all.parked),
                .help = "How many calls may wait at a time. Default: as many as it may have descriptors." },
        { .name = "max-held-bytes",
                .argument = "N",
                .effect = EFFECT_NUMBER,
                .min = 1,
                .max = INT64_C(1) << 40,
                .offset = offsetof(struct configuration, all.bytes),
                .help = "How many bytes of requests and replies the daemon may hold. Default: 1073741824." },
        { .name = "max-requests-per-second",
                .argument = "N",
                .effect = EFFECT_NUMBER,
                .min = 1,
                .max = 1000000,
                .offset = offsetof(struct configuration, all.requests),
                .help = "How many requests it takes per second. Default: no limit." },
        { .name = "token-max-sockets",
                .argument = "N",
                .effect = EFFECT_NUMBER,
                .min = 1,
                .max = 1 << 24,
                .offset = offsetof(struct configuration, each.sockets),
                .help = "The same for each name: sockets. Default: no limit of its own." },
        { .name = "token-max-parked",
                .argument = "N",
                .effect = EFFECT_NUMBER,
                .min = 1,
                .max = 1 << 24,
                .offset = offsetof(struct configuration, each.parked),
                .help = "The same for each name: parked calls. Default: no limit of its own." },
        { .name = "token-max-held-bytes",
                .argument = "N",
                .effect = EFFECT_NUMBER,
                .min = 1,
                .max = INT64_C(1) << 40,
                .offset = offsetof(struct configuration, each.bytes),
                .help = "The same for each name: held bytes. Default: no limit of its own." },
        { .name = "token-max-requests-per-second",
                .argument = "N",
                .effect = EFFECT_NUMBER,
                .min = 1,
                .max = 1000000,
                .offset = offsetof(struct configuration, each.requests),
                .help = "The same for each name: requests per second. Default: no limit of its own." },
        { .name = "kept-outcomes",
                .argument = "N",
                .effect = EFFECT_NUMBER,
                .min = 1,
                .max = 65536,
                .offset = offsetof(struct configuration, kept_outcomes),
                .help = "How many outcomes of requests with an Idempotency-Key are kept for each name, the "
                        "newest. Default: 10000; of all names together, 65536." },
        { .name = "kept-outcome-bytes",
                .argument = "N",
                .effect = EFFECT_NUMBER,
                .min = 1,
                .max = 1 << 30,
                .offset = offsetof(struct configuration, kept_outcome_bytes),
                .help = "The same in bytes of their replies; one that is longer is done, but not kept. "
                        "Default: 16777216." },
        { .name = "kept-outcome-s",
                .argument = "N",
                .effect = EFFECT_NUMBER,
                .min = 1,
                .max = INT32_MAX,
                .offset = offsetof(struct configuration, kept_outcome_s),
                .help = "For how many seconds they are kept. Default: 3600." },
        { .name = "max-body",
                .argument = "BYTES",
                .effect = EFFECT_NUMBER,
                .min = 1024,
                .max = 1 << 30,
                .offset = offsetof(struct configuration, max_body),
                .help = "The longest request body that is not streamed. Default: 67108864." },
        { .name = "max-timeout-ms",
                .argument = "N",
                .effect = EFFECT_NUMBER,
                .min = 1,
                .max = INT32_MAX,
                .offset = offsetof(struct configuration, max_timeout_ms),
                .help = "The longest that a call may wait; longer timeouts are cut to it. Default: "
                        "3600000." },
        { .name = "default-timeout-ms",
                .argument = "N",
                .effect = EFFECT_NUMBER,
                .min = 0,
                .max = INT32_MAX,
                .offset = offsetof(struct configuration, default_timeout_ms),
                .help = "How long a call waits that does not say. Default: 30000." },
        { .name = "keeper",
                .effect = EFFECT_FLAG,
                .offset = offsetof(struct configuration, keeper),
                .help = "Stay above the daemon, and start it again when it ends, with all of its sockets and "
                        "sessions as "
                        "they were. For where systemd does not do that." },
        { .name = "stream-ping-s",
                .argument = "N",
                .effect = EFFECT_NUMBER,
                .min = 1,
                .max = 86400,
                .offset = offsetof(struct configuration, stream_ping_s),
                .help = "How often, in seconds, WebSockets are pinged that say nothing; those that do not "
                        "answer until the next time are ended. Default: 30." },
        { .name = "log-level",
                .argument = "LEVEL",
                .effect = EFFECT_TEXT,
                .offset = offsetof(struct configuration, log_level),
                .help = "error, warning, notice (default), info (each request too) or debug." },
        { .name = "openapi",
                .effect = EFFECT_COMMAND,
                .min = COMMAND_OPENAPI,
                .help = "Print the API's contract as YAML, and exit." },
        { .name = "version",
                .effect = EFFECT_COMMAND,
                .min = COMMAND_VERSION,
                .help = "Print the version, and exit." },
        { .name = "help", .effect = EFFECT_COMMAND, .min = COMMAND_HELP, .help = "Print this, and exit." },
};
enum { ROW_COUNT = sizeof rows / sizeof *rows };

static bool read_number(const struct row *row, const char *text, int64_t *out)
{
        char *end;
        errno = 0;
        const int64_t number = strtoimax(text, &end, 10);
        if (errno == 0 && end != text && *end == '\0' && number >= row->min && number <= row->max) {
                *out = number;
                return true;
        }
        fprintf(stderr, "sockwrightd: --%s must be a number from %" PRId64 " to %" PRId64 "\n", row->name,
                row->min, row->max);
        return false;
}

static bool add(const struct row *row, const char *argument, struct text_list *list)
{
        if (list->count < LIST_MAX) {
                list->items[list->count++] = argument;
                return true;
        }
        fprintf(stderr, "sockwrightd: --%s may be given %d times\n", row->name, LIST_MAX);
        return false;
}

static bool apply(const struct row *row, const char *argument, struct configuration *out)
{
        char *const member = (char *)out + row->offset;
        if (row->argument != NULL && argument[0] == '\0') {
                fprintf(stderr, "sockwrightd: --%s must not be empty\n", row->name);
                return false;
        }
        switch (row->effect) {
        case EFFECT_COMMAND:
                out->command = (enum command)row->min;
                out->subject = argument;
                return true;
        case EFFECT_FLAG:
                *(bool *)member = true;
                return true;
        case EFFECT_TEXT:
                *(const char **)(void *)member = argument;
                return true;
        case EFFECT_NUMBER:
                return read_number(row, argument, (int64_t *)(void *)member);
        case EFFECT_LIST:
                return add(row, argument, (struct text_list *)(void *)member);
        }
        return false;
}

static bool is_consistent(const struct configuration *configuration)
{
        const char *const needed = configuration->tls_certificate == NULL ? "cert" : "key";
        const bool with_tls = configuration->tls_certificate != NULL || configuration->tls_key != NULL ||
                              configuration->tls_client_authority != NULL;
        if (!with_tls || (configuration->tls_certificate != NULL && configuration->tls_key != NULL))
                return true;
        fprintf(stderr, "sockwrightd: TLS needs --tls-%s too\n", needed);
        return false;
}

bool command_line_read(int argc, char **argv, struct configuration *out)
{
        struct option options[ROW_COUNT + 1] = { 0 };
        *out = (struct configuration){ .max_timeout_ms = MAX_TIMEOUT_MS,
                .default_timeout_ms = DEFAULT_TIMEOUT_MS,
                .stream_ping_s = DEFAULT_PING_S,
                .all.bytes = MAX_HELD_BYTES,
                .kept_outcomes = KEPT_OUTCOMES,
                .kept_outcome_bytes = KEPT_OUTCOME_BYTES,
                .kept_outcome_s = KEPT_OUTCOME_S };
        for (int i = 0; i < ROW_COUNT; i++)
                options[i] = (struct option){ .name = rows[i].name,
                        .val = i + 1,
                        .has_arg = rows[i].argument == NULL ? no_argument : required_argument };
        for (int found; (found = getopt_long(argc, argv, "", options, NULL)) != -1;)
                if (found == '?' || !apply(&rows[found - 1], optarg, out))
                        return false;
        if (optind < argc) {
                fprintf(stderr, "sockwrightd: unknown argument: %s\n", argv[optind]);
                return false;
        }
        return is_consistent(out);
}

void command_line_help(void)
{
        printf("Usage: sockwrightd [OPTION]...\n"
               "Owns sockets on this host, and makes every socket operation an HTTP/JSON endpoint.\n\n");
        for (int i = 0; i < ROW_COUNT; i++)
                printf("  --%s%s%s\n        %s\n", rows[i].name, rows[i].argument == NULL ? "" : " ",
                        rows[i].argument == NULL ? "" : rows[i].argument, rows[i].help);
}
