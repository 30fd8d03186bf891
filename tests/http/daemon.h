/* daemon.h: starts the real sockwrightd as a process of its own, and stops it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct daemon {
        pid_t pid;
        int process;          /* a pidfd */
        int output;           /* its standard output */
        char directory[64];   /* its own, removed at the end */
        char socket_path[96]; /* of its unix listener */
        char token_path[96];
        char log_path[96]; /* its standard error */
        char url[64];      /* "http://127.0.0.1:41803" */
        uint16_t port;
        char token[256];
        char greeting[4096]; /* what it printed until it was ready */
};

/* Starts it on a unix socket and on a free port of 127.0.0.1, and returns when it serves. `arguments` are
 * more of its command line, ended by NULL; NULL: none. Fails the test when it does not come up. End with
 * daemon_stop(). */
struct daemon *daemon_start(const char *const *arguments);

/* Starts it with a directory of the caller's (whose token file may be there already), which is not removed.
 */
struct daemon *daemon_start_in(const char *directory, const char *const *arguments);

/* Asks it to end, as systemd does, and does not wait. */
void daemon_terminate(const struct daemon *daemon);

/* Waits until it has ended by itself, and frees it. Fails the test unless its exit status is 0, nothing was
 * reported by a sanitizer and its token is not in its log. */
void daemon_wait(struct daemon *daemon);

/* daemon_terminate() and daemon_wait(). Accepts NULL. */
void daemon_stop(struct daemon *daemon);

/* What it has logged, to be freed. */
char *daemon_log(const struct daemon *daemon);

/* Resident memory in KiB, and open descriptors. */
long daemon_memory(const struct daemon *daemon);
long daemon_descriptors(const struct daemon *daemon);

/* Removes a directory that holds nothing but files. */
void directory_remove(const char *path);

/* Reads a small file whole. NULL when there is none; to be freed. */
char *file_read(const char *path);
