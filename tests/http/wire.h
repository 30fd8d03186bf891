/* wire.h: plain connections to the daemon, for what an HTTP library would not send. */
#pragma once

#include "tests/http/client.h"

struct wire_reply {
        int status;                  /* 0: closed without a reply */
        bool closes;                 /* it says "Connection: close" */
        char head[2048], body[8192]; /* terminated */
};

/* A connection. Close it with close(). */
int wire_open(const struct daemon *daemon, enum transport transport);

void wire_write(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes until nothing has moved for a while. Returns how many bytes went. */
size_t wire_fill(int fd);

/* A POST without a body, as a good client sends it. */
void wire_post(int fd, const struct daemon *daemon, const char *path);

/* Waits for the next reply on the connection, at most 30 s. */
void wire_read(int fd, struct wire_reply *out);

/* Whether the daemon closes the connection, within 30 s. */
bool wire_ends(int fd);

/* Closes a TCP connection with RST. */
void wire_reset(int fd);
