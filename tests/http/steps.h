/* steps.h: what scenarios are told in: make a socket, act on it, expect this, do that meanwhile. */
#pragma once

#include "tests/http/suite.h"

/* All JSON here is written with ' for ", and formatted as printf does. "" is no body. Replies are the
 * stage's. Each step fails the test when its reply has another status than the one given. */
#define STEP(format_at) __attribute__((format(printf, (format_at), (format_at) + 1)))

struct reply *get(struct stage *stage, int status, const char *path, ...) STEP(3);
struct reply *post(struct stage *stage, int status, const char *path, const char *json, ...) STEP(4);
struct reply *drop(struct stage *stage, int status, const char *path, ...) STEP(3);

/* POST /v1/sockets/{id}/{action}; the action may have a query. */
struct reply *act(struct stage *stage, const char *id, const char *action, int status, const char *json, ...)
        STEP(5);

/* The same, refused by the kernel with this errno. */
struct reply *act_refused(struct stage *stage, const char *id, const char *action, const char *errno_name,
        const char *json, ...) STEP(5);

/* Makes a socket. Returns its id, which lives as long as the scenario. */
const char *make(struct stage *stage, const char *json, ...) STEP(2);

struct ends {
        const char *near, *far;
};
struct ends make_pair(struct stage *stage, const char *type);

struct link {
        const char *listener, *near, *far; /* far was accepted */
        int port;
};
struct link make_link(struct stage *stage);

/* An operation with a raw body and, with `raw`, a raw reply. */
struct reply *act_raw(
        struct stage *stage, const char *id, const char *action, int status, const void *bytes, size_t size);
struct reply *act_for_raw(struct stage *stage, const char *id, const char *action, int status);

/* What a reply says. A path is "local.port" or "sockets.0.id". All but json_at() fail the test when it is not
 * there. */
json_t *json_at(const json_t *json, const char *path);
const char *text_at(const struct reply *reply, const char *path);
int64_t number_at(const struct reply *reply, const char *path);
bool flag_at(const struct reply *reply, const char *path);

void expect_status(const struct reply *reply, int status);
/* Status 422 and this errno. */
void expect_errno(const struct reply *reply, const char *errno_name);
/* The reply is a problem of this status, as RFC 9457 has it, which names the parameter unless that is NULL.
 */
void expect_problem(const struct reply *reply, int status, const char *parameter);
/* The payload of a recv. */
void expect_data(const struct reply *reply, const void *bytes, size_t size);
void expect_text(const struct reply *reply, const char *text);
void expect_json(const json_t *json, const char *expected);

/* Meanwhile: an action on another thread, with a connection of its own. */
struct pending;
struct pending *later(struct stage *stage, const char *id, const char *action, const char *json, ...) STEP(4);
/* The same for any path. */
struct pending *later_post(struct stage *stage, const char *path, const char *json, ...) STEP(3);
struct pending *later_raw(struct stage *stage, const char *id, const char *action, const void *bytes,
        size_t size, bool raw_reply);
/* Waits for its reply. */
struct reply *finish(struct stage *stage, struct pending *pending, int status);

/* Returns when that many calls are parked on the socket. */
void await_parked(struct stage *stage, const char *id, int count);

/* How many sockets the daemon lists. */
size_t count_sockets(struct stage *stage);

/* " for each ', to be freed. */
char *requote(const char *text);
/* Terminated, to be freed. */
char *base64_encode(const void *bytes, size_t size);
uint8_t *base64_decode(const char *text, size_t *size);
/* Bytes that look random and are the same each time, to be freed. */
uint8_t *noise(size_t size);
/* Makes a file of a reply's body. */
void reply_save(const struct reply *reply, const char *path);
/* SHA-256. */
void digest(const void *bytes, size_t size, uint8_t out[static 32]);
