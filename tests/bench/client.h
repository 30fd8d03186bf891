/* client.h: a blocking HTTP client, as little as a benchmark needs. What fails ends the program with a
 * message. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client {
        int fd;
        const char *token; /* the caller's; lives as long as the client */
        size_t used;       /* bytes in reply, headers included */
        char reply[4096];
};

enum { ID_SIZE = 64 };

_Noreturn void die(const char *what);

int64_t nanoseconds(void);

/* As many open files as are allowed. */
void raise_limit(void);

/* What a process has in memory. */
double resident_kib(const char *pid);

/* A number from the command line. */
size_t number(const char *text);

/* Connects to 127.0.0.1 with TCP_NODELAY. */
int tcp_connect(uint16_t port);

void write_all(int fd, const void *bytes, size_t size);

void client_open(struct client *client, uint16_t port, const char *token);

/* Sends a request without awaiting its reply. */
void client_ask(struct client *client, const char *path, const char *body);

/* Sends the head of a POST or PUT request alone; size < 0: without a body. */
void client_head(
        struct client *client, const char *method, const char *path, const char *headers, long long size);

/* Reads up to the end of the reply's headers; returns where the body's first bytes stand in reply. */
char *client_reply_head(struct client *client);

/* Reads one whole reply, which must be a 2xx or 101; its body lives until the next call. */
const char *client_reply(struct client *client);

/* client_ask() and client_reply(); path may hold one %s for the id. */
const char *client_call(struct client *client, const char *path, const char *id, const char *body);

/* Copies the nth string member called name (first: 0). */
void json_string(const char *json, const char *name, int nth, char out[ID_SIZE]);

/* The first number member called name. */
long long json_number(const char *json, const char *name);

/* Makes the daemon open a TCP socket to us; returns our end of the connection. */
int outside_socket(struct client *client, char id[ID_SIZE]);
