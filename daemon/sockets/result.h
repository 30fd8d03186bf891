/* result.h: how every step says that it worked, must wait, or which call failed and why. */
#pragma once

#include <errno.h>
#include <stdbool.h>

enum result_kind {
        RESULT_DONE,
        RESULT_WAIT,       /* would block: run it again when the socket is ready */
        RESULT_REFUSED,    /* the system call `call` failed with `error` */
        RESULT_UNSOUND,    /* the request itself is wrong; `detail` says how */
        RESULT_UNKNOWN,    /* no such socket or path */
        RESULT_GONE,       /* the position lies before what is still kept */
        RESULT_AHEAD,      /* the position lies beyond where the socket stands */
        RESULT_FULL,       /* as much is kept as may be, until some of it is acknowledged */
        RESULT_DENIED,     /* the caller may not do this; the policy says so, or the caller's role */
        RESULT_QUOTA,      /* a limit of the daemon's own is reached */
        RESULT_UNEXPECTED, /* it worked, but the caller expects it not to */
        RESULT_SHUTDOWN,   /* the daemon is going down */
};

/* call, parameter and detail are string literals or live as long as the request. */
struct result {
        enum result_kind kind;
        int error;             /* errno of a refused call, else 0 */
        const char *call;      /* the system call's name, of a refused call */
        const char *parameter; /* the unsound request's parameter, or NULL */
        const char *detail;    /* NULL: the errno says it all */
        bool timed_out;        /* the deadline passed, rather than the kernel refused */
};

#define DONE ((struct result){ .kind = RESULT_DONE })
#define WAIT ((struct result){ .kind = RESULT_WAIT })

static inline struct result refused(const char *call, int error)
{
        return (struct result){ .kind = RESULT_REFUSED, .error = error, .call = call };
}

/* For a call that gave EAGAIN, and is to be run again. */
static inline struct result would_block(const char *call)
{
        return (struct result){ .kind = RESULT_WAIT, .call = call };
}

static inline struct result unsound(const char *parameter, const char *detail)
{
        return (struct result){ .kind = RESULT_UNSOUND, .parameter = parameter, .detail = detail };
}

/* Turns a system call's return value into a result: check("bind", bind(...)). */
static inline struct result check(const char *call, long returned)
{
        return returned < 0 ? refused(call, errno) : DONE;
}

/* Returns from the calling function unless the step is done. */
#define TRY(step)                                                                                            \
        do {                                                                                                 \
                const struct result try_result = (step);                                                     \
                if (try_result.kind != RESULT_DONE)                                                          \
                        return try_result;                                                                   \
        } while (0)
