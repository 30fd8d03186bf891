/* command_line.h: what sockwrightd is told at its start. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/log.h"

enum { LIST_MAX = 16 };

/* What an option that may be given several times was given. */
struct text_list {
        const char *items[LIST_MAX];
        size_t count;
};

enum command {
        COMMAND_SERVE,
        COMMAND_HELP,
        COMMAND_VERSION,
        COMMAND_OPENAPI,
        COMMAND_MAKE_TOKEN,
        COMMAND_CHECK_POLICY
};

struct configuration {
        enum command command;
        const char *unix_path;
        struct text_list listen, allow_origin, host;
        const char *token_file, *tokens_file;
        const char *policy;
        const char *subject; /* of a command: who the token is for, or the policy to check */
        const char *log_level;
        int64_t threads, max_connections_per_address, max_body, max_timeout_ms, default_timeout_ms;
        int64_t stream_ping_s;
        struct configured_limits {
                int64_t sockets, parked, bytes, requests;
        } each, all; /* of every name, and of all together */
        int64_t kept_outcomes, kept_outcome_bytes, kept_outcome_s;
        const char *tls_certificate, *tls_key, *tls_client_authority;
        bool audit, insecure_listen, keeper;
};

/* Reads the arguments, which must outlive the settings. False after saying on standard error what is wrong.
 * What is not given is NULL or 0, but for the times. */
bool command_line_read(int argc, char **argv, struct configuration *out);

/* The text of --help. */
void command_line_help(void);
