/* problem.c: the table of problems, and how failures become one of its rows. */
#include "api/problem.h"

#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/utf8.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/name.h"

const struct problem_row problem_rows[PROBLEM_COUNT] = {
        [PROBLEM_ERRNO] = { .status = 422,
                .type = "errno",
                .title = "The system call was refused",
                .response = "Refused",
                .help = "The request was sound; the kernel refused it, or the wait ran out. errno says "
                        "why." },
        [PROBLEM_UNEXPECTED_OUTCOME] = { .status = 422,
                .type = "unexpected-outcome",
                .title = "Unexpected outcome",
                .response = "UnexpectedOutcome",
                .help = "The call ended in another way than the parameter expect names." },
        [PROBLEM_KEY_REUSED] = { .status = 422,
                .type = "key-reused",
                .title = "Key reused",
                .response = "KeyReused",
                .help = "The Idempotency-Key is that of another request: another path, query or body." },
        [PROBLEM_UNSOUND_REQUEST] = { .status = 400,
                .type = "unsound-request",
                .title = "Unsound request",
                .response = "UnsoundRequest",
                .help = "A parameter, or the body, is not what the operation takes. parameter names it." },
        [PROBLEM_UNAUTHORIZED] = { .status = 401,
                .type = "unauthorized",
                .title = "Unauthorized",
                .response = "Unauthorized",
                .help = "The request carries no valid bearer token." },
        [PROBLEM_FORBIDDEN] = { .status = 403,
                .type = "forbidden",
                .title = "Forbidden",
                .response = "Forbidden",
                .help = "The caller may not do this, or came from where no one may." },
        [PROBLEM_DENIED] = { .status = 403,
                .type = "denied",
                .title = "Denied by the policy",
                .response = "Denied",
                .help = "The policy denies it; rule says which rule of it, or what is built in: metadata, "
                        "control, option or default. Where the caller is not let in at all, this is "
                        "Forbidden." },
        [PROBLEM_UNKNOWN_SOCKET] = { .status = 404,
                .type = "unknown-socket",
                .title = "Unknown socket",
                .response = "UnknownSocket",
                .help = "There is no socket of this id; it may have been closed." },
        [PROBLEM_UNKNOWN_SESSION] = { .status = 404,
                .type = "unknown-session",
                .title = "Unknown session",
                .response = "UnknownSession",
                .help = "There is no session of this id; it may have ended." },
        [PROBLEM_UNKNOWN_PATH] = { .status = 404,
                .type = "unknown-path",
                .title = "Unknown path",
                .response = "UnknownPath",
                .help = "The API has no such path." },
        [PROBLEM_WRONG_METHOD] = { .status = 405,
                .type = "wrong-method",
                .title = "Wrong method",
                .response = "WrongMethod",
                .help = "The path has other methods; the header Allow lists them." },
        [PROBLEM_POSITION_AHEAD] = { .status = 409,
                .type = "position-ahead",
                .title = "Position ahead",
                .response = "PositionAhead",
                .help = "The position lies beyond where the socket stands, which next says: what is "
                        "between was never sent, or received." },
        [PROBLEM_INTERRUPTED] = { .status = 409,
                .type = "interrupted",
                .title = "Interrupted",
                .response = "Interrupted",
                .help = "An earlier request with the Idempotency-Key may have been done, in part or whole, "
                        "and its reply is lost." },
        [PROBLEM_POSITION_GONE] = { .status = 410,
                .type = "position-gone",
                .title = "Position gone",
                .response = "PositionGone",
                .help = "What stood at the position was acknowledged, or never kept; base is the first "
                        "position that still is." },
        [PROBLEM_TOO_LARGE] = { .status = 413,
                .type = "too-large",
                .title = "Request too large",
                .response = "TooLarge",
                .help = "The body, or the part of it that is no payload, is over the daemon's limit." },
        [PROBLEM_UNSUPPORTED_MEDIA] = { .status = 415,
                .type = "unsupported-media",
                .title = "Unsupported media type",
                .response = "UnsupportedMedia",
                .help = "The body is neither JSON nor, where a payload is taken, application/octet-stream." },
        [PROBLEM_UPGRADE_REQUIRED] = { .status = 426,
                .type = "upgrade-required",
                .title = "Upgrade required",
                .response = "UpgradeRequired",
                .help = "The path is for WebSockets of version 13 alone, as the headers Upgrade and "
                        "Sec-WebSocket-Version say." },
        [PROBLEM_QUOTA] = { .status = 429,
                .type = "quota",
                .title = "Limit reached",
                .response = "Quota",
                .help = "A limit is reached, of the caller's or of the daemon as a whole: sockets, parked "
                        "calls, bytes "
                        "or requests per second, which Retry-After goes with." },
        [PROBLEM_ACK_REQUIRED] = { .status = 429,
                .type = "ack-required",
                .title = "Acknowledgement required",
                .response = "AckRequired",
                .help = "The socket keeps as much as `retain` allows, from base to next, and the kernel is "
                        "not asked for more until `ack` says what need not be kept." },
        [PROBLEM_SHUTTING_DOWN] = { .status = 503,
                .type = "shutting-down",
                .title = "Shutting down",
                .response = "ShuttingDown",
                .help = "The daemon is going down; the call has done no more than it says here." },
};

/* What each unsuccessful result is to a client, and what is said when the result has no detail. */
static const struct {
        enum problem_kind kind;
        const char *detail;
} outcomes[] = {
        [RESULT_REFUSED] = { PROBLEM_ERRNO, "the system call was refused" },
        [RESULT_UNSOUND] = { PROBLEM_UNSOUND_REQUEST, "the request is unsound" },
        [RESULT_UNKNOWN] = { PROBLEM_UNKNOWN_SOCKET, "there is no such socket" },
        [RESULT_GONE] = { PROBLEM_POSITION_GONE, "what stood there is not kept any more" },
        [RESULT_AHEAD] = { PROBLEM_POSITION_AHEAD, "what stands before it was not sent or received yet" },
        [RESULT_FULL] = { PROBLEM_ACK_REQUIRED, "as much is kept as may be" },
        [RESULT_DENIED] = { PROBLEM_DENIED, "the policy does not allow it" },
        [RESULT_QUOTA] = { PROBLEM_QUOTA, "a limit of the daemon is reached" },
        [RESULT_UNEXPECTED] = { PROBLEM_UNEXPECTED_OUTCOME, "the call succeeded" },
        [RESULT_SHUTDOWN] = { PROBLEM_SHUTTING_DOWN, "the daemon is shutting down" },
};

const char *error_class(int error)
{
        static const struct {
                int error;
                const char *class;
        } classes[] = {
                { ECONNREFUSED, "refused" },
                { ETIMEDOUT, "timed_out" },
                { EHOSTUNREACH, "unreachable" },
                { ENETUNREACH, "unreachable" },
                { EHOSTDOWN, "unreachable" },
                { ENONET, "unreachable" },
                { ECONNRESET, "reset" },
                { ECONNABORTED, "reset" },
                { ENETRESET, "reset" },
                { EPIPE, "reset" },
        };
        for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
                if (classes[i].error == error)
                        return classes[i].class;
        return NULL;
}

/* An error number in words: errno's, or getaddrinfo(3)'s, which are negative. */
struct error_words {
        const char *group, *name, *title;
        char digits[16];
};

static void words_find(int error, struct error_words *out)
{
        const bool is_errno = error >= 0;
        (void)snprintf(out->digits, sizeof out->digits, "%d", error);
        out->group = is_errno ? "errno" : "eai";
        out->name = name_of(is_errno ? &errno_names : &eai_names, error);
        if (!out->name && is_errno)
                out->name = strerrorname_np(error);
        if (!out->name)
                out->name = out->digits;
        /* The plain strerror() would follow the locale. */
        out->title = is_errno ? strerrordesc_np(error) : gai_strerror(error);
        if (!out->title)
                out->title = "Unknown error";
}

void problem_set(
        struct problem *problem, enum problem_kind kind, const char *parameter, const char *format, ...)
{
        char detail[PROBLEM_DETAIL_SIZE];
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(detail, sizeof detail, format, arguments);
        va_end(arguments);
        problem->kind = kind;
        problem->result = DONE;
        utf8_clean(problem->detail, sizeof problem->detail, detail, strlen(detail));
        utf8_clean(problem->parameter, sizeof problem->parameter, parameter ? parameter : "",
                parameter ? strlen(parameter) : 0);
}

const char problem_no_memory[] = "the daemon has no memory left for this";

void problem_set_memory(struct problem *problem)
{
        problem_set(problem, PROBLEM_QUOTA, NULL, "%s", problem_no_memory);
}

static void set_refused(struct problem *problem, const struct result *result)
{
        struct error_words words;
        words_find(result->error, &words);
        const char *const call = result->call ? result->call : "the system call";
        if (result->detail)
                problem_set(problem, PROBLEM_ERRNO, result->parameter, "%s", result->detail);
        else if (result->timed_out)
                problem_set(problem, PROBLEM_ERRNO, result->parameter,
                        "%s: the time ran out before it was done", call);
        else
                problem_set(problem, PROBLEM_ERRNO, result->parameter, "%s: %s", call, words.title);
        problem->result = *result;
}

void problem_from_result(struct problem *problem, const struct result *result)
{
        if (result->kind == RESULT_REFUSED) {
                set_refused(problem, result);
                return;
        }
        const char *const detail = result->detail ? result->detail : outcomes[result->kind].detail;
        problem_set(problem, outcomes[result->kind].kind, result->parameter, "%s", detail);
        problem->result = *result;
}

int problem_status(const struct problem *problem)
{
        return problem_rows[problem->kind].status;
}

static void set_call(json_t *object, const struct result *result, const struct error_words *words)
{
        json_object_set_new(object, "call", result->call ? json_string(result->call) : json_null());
        json_object_set_new(object, "errno", json_string(words->name));
        json_object_set_new(object, "errno_number", json_integer(result->error));
        json_object_set_new(object, "timed_out", json_boolean(result->timed_out));
        const char *const class = error_class(result->timed_out ? ETIMEDOUT : result->error);
        if (class)
                json_object_set_new(object, "class", json_string(class));
}

void problem_add_errno(json_t *object, const struct result *result)
{
        struct error_words words;
        words_find(result->error, &words);
        json_object_set_new(
                object, "type", json_sprintf("%s%s/%s", PROBLEM_TYPE_BASE, words.group, words.name));
        json_object_set_new(object, "title", json_string(words.title));
        set_call(object, result, &words);
}

json_t *problem_to_json(const struct problem *problem)
{
        const struct problem_row *const row = &problem_rows[problem->kind];
        json_auto_t *object =
                json_pack("{so, ss, si, ss}", "type", json_sprintf("%s%s", PROBLEM_TYPE_BASE, row->type),
                        "title", row->title, "status", row->status, "detail", problem->detail);
        if (!object)
                return NULL;
        if (problem->kind == PROBLEM_ERRNO) {
                problem_add_errno(object, &problem->result);
        } else if (problem->result.kind == RESULT_REFUSED) {
                struct error_words words;
                words_find(problem->result.error, &words);
                set_call(object, &problem->result, &words);
        }
        if (problem->parameter[0])
                json_object_set_new(object, "parameter", json_string(problem->parameter));
        if (problem->extra)
                json_object_update_missing(object, problem->extra);
        return TAKE(object);
}
