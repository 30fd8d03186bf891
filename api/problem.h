/* problem.h: a failed call as an HTTP status and an RFC 9457 problem: the only place that knows statuses. */
#pragma once

#include <jansson.h>

#include "daemon/sockets/result.h"

enum problem_kind {
        PROBLEM_ERRNO,              /* 422: the kernel said no */
        PROBLEM_UNEXPECTED_OUTCOME, /* 422: not what "expect" says */
        PROBLEM_KEY_REUSED,         /* 422 */
        PROBLEM_UNSOUND_REQUEST,    /* 400 */
        PROBLEM_UNAUTHORIZED,       /* 401 */
        PROBLEM_FORBIDDEN,          /* 403 */
        PROBLEM_DENIED,             /* 403: the policy said no */
        PROBLEM_UNKNOWN_SOCKET,     /* 404 */
        PROBLEM_UNKNOWN_SESSION,    /* 404 */
        PROBLEM_UNKNOWN_PATH,       /* 404 */
        PROBLEM_WRONG_METHOD,       /* 405 */
        PROBLEM_POSITION_AHEAD,     /* 409 */
        PROBLEM_INTERRUPTED,        /* 409 */
        PROBLEM_POSITION_GONE,      /* 410 */
        PROBLEM_TOO_LARGE,          /* 413 */
        PROBLEM_UNSUPPORTED_MEDIA,  /* 415 */
        PROBLEM_UPGRADE_REQUIRED,   /* 426 */
        PROBLEM_QUOTA,              /* 429 */
        PROBLEM_ACK_REQUIRED,       /* 429 */
        PROBLEM_SHUTTING_DOWN,      /* 503 */
        PROBLEM_COUNT,
};

enum { PROBLEM_DETAIL_SIZE = 384, PROBLEM_PARAMETER_SIZE = 96 };

struct problem {
        enum problem_kind kind;
        struct result result;                   /* of PROBLEM_ERRNO */
        char parameter[PROBLEM_PARAMETER_SIZE]; /* "" or the member at fault, "options[2].level" */
        char detail[PROBLEM_DETAIL_SIZE];       /* valid UTF-8 */
        json_t *extra;                          /* members to add (how much was sent …), or NULL; owned */
};

/* One row per kind, for replies and for the OpenAPI document. */
struct problem_row {
        int status;
        const char *type; /* the last part of its URI: "unknown-socket" */
        const char *title;
        const char *response; /* its name among the document's components: "UnknownSocket" */
        const char *help;
};
extern const struct problem_row problem_rows[PROBLEM_COUNT];

/* The URI that all problem types start with. */
#define PROBLEM_TYPE_BASE "https://sockwright.dev/problems/"

/* Fills in a problem; hostile bytes in the arguments come out as UTF-8. */
void problem_set(struct problem *problem, enum problem_kind kind, const char *parameter, const char *format,
        ...) __attribute__((format(printf, 4, 5)));

/* Notes that the daemon's memory ran out. */
void problem_set_memory(struct problem *problem);
extern const char problem_no_memory[];

/* The same, of a call. */
static inline struct result lack_memory(void)
{
        return (struct result){ .kind = RESULT_QUOTA, .detail = problem_no_memory };
}

/* What went wrong, from a result that is not RESULT_DONE or RESULT_WAIT. */
void problem_from_result(struct problem *problem, const struct result *result);

int problem_status(const struct problem *problem);

/* The body, a new reference, or NULL without memory. */
json_t *problem_to_json(const struct problem *problem);

/* The members that name the kernel's answer: call, errno, errno_number, timed_out, title …, set on `object`.
 */
void problem_add_errno(json_t *object, const struct result *result);

/* How the way to the peer failed: "refused", "timed_out", "unreachable", "reset"; NULL: the errno says
 * nothing of that. */
const char *error_class(int error);
