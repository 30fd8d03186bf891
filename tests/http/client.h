/* client.h: an HTTP client of the daemon. It notes every exchange, for the contract's check. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "tests/http/daemon.h"

enum transport { OVER_UNIX, OVER_TCP };

/* What all clients of a daemon with TLS go by: whom they trust, and what they show (NULL: nothing). Paths;
 * set before there are clients. */
extern struct client_papers {
        const char *authority, *certificate, *key;
} client_papers;

struct client;

struct request {
        const char *method, *path; /* the path with its query */
        const char *json;          /* a body of application/json, or NULL */
        const void *raw;           /* a body of application/octet-stream, or NULL */
        size_t raw_size;
        const char *type; /* instead of the body's own content type */
        const char
                *headers[4]; /* more of them: "Accept: application/octet-stream"; "Accept:" takes one away */
        bool no_token;
        /* The body is held back until the daemon asks for it ("100 Continue"); then this is called, and may
         * wait. */
        void (*hold)(void *context);
        void *hold_context;
};

struct reply {
        int status; /* 0: no reply; `trouble` says why */
        char trouble[256];
        char name[192];  /* "POST /v1/sockets", for messages */
        json_t *headers; /* by lower-case name */
        json_t *json;    /* the body, or NULL when it is no JSON */
        char *body;      /* terminated */
        size_t size, capacity;
        struct reply *next;
};

/* Not to be shared between threads. Over TCP it shows the daemon's token. */
struct client *client_new(const struct daemon *daemon, enum transport transport);
void client_free(struct client *client);

/* Exchanges of a quiet client are not noted. */
void client_set_quiet(struct client *client, bool quiet);

/* Runs one exchange, in at most 60 s. Fails no test, so any thread may call it. End with reply_free(). */
struct reply *exchange(struct client *client, const struct request *request);
void reply_free(struct reply *reply);

/* Notes one that was made by other means. */
void exchange_record(const struct request *request, const struct reply *reply);

/* Closes the connection that it keeps. */
void client_disconnect(struct client *client);

/* The scenario's name, as noted. It must live on. */
void exchanges_name(const char *scenario);

const char *reply_header(const struct reply *reply, const char *name);
