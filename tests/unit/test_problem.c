/* test_problem.c: failures as statuses and RFC 9457 members. */
#include "api/problem.h"

#include <netdb.h>

#include "daemon/sockets/cleanup.h"
#include "tests/unit/rows.h"

struct outcome {
        const char *name;
        struct result result;
        int status;
        const char *json; /* the members that must be there */
};

static const struct outcome outcomes[] = {
        { .name = "connection refused",
                .result = { .kind = RESULT_REFUSED, .error = ECONNREFUSED, .call = "connect" },
                .status = 422,
                .json = "{\"type\":\"" PROBLEM_TYPE_BASE
                        "errno/ECONNREFUSED\",\"title\":\"Connection refused\","
                        "\"status\":422,\"detail\":\"connect: Connection "
                        "refused\",\"call\":\"connect\","
                        "\"errno\":\"ECONNREFUSED\",\"errno_number\":111,\"timed_out\":false,"
                        "\"class\":\"refused\"}" },
        { .name = "time ran out",
                .result = { .kind = RESULT_REFUSED, .error = EAGAIN, .call = "recv", .timed_out = true },
                .status = 422,
                .json = "{\"errno\":\"EAGAIN\",\"errno_number\":11,\"timed_out\":true,"
                        "\"class\":\"timed_out\","
                        "\"detail\":\"recv: the time ran out before it was done\"}" },
        { .name = "one number, two names",
                .result = { .kind = RESULT_REFUSED, .error = ENOTSUP, .call = "listen" },
                .status = 422,
                .json = "{\"errno\":\"EOPNOTSUPP\",\"errno_number\":95}" },
        { .name = "an unknown errno",
                .result = { .kind = RESULT_REFUSED, .error = 4000, .call = "ioctl" },
                .status = 422,
                .json = "{\"type\":\"" PROBLEM_TYPE_BASE "errno/4000\",\"title\":\"Unknown error\","
                        "\"errno\":\"4000\",\"errno_number\":4000}" },
        { .name = "a name that does not resolve",
                .result = { .kind = RESULT_REFUSED, .error = EAI_NONAME, .call = "getaddrinfo" },
                .status = 422,
                .json = "{\"type\":\"" PROBLEM_TYPE_BASE
                        "eai/EAI_NONAME\",\"title\":\"Name or service not known\","
                        "\"errno\":\"EAI_NONAME\",\"errno_number\":-2,\"call\":\"getaddrinfo\"}" },
        { .name = "a detail of its own",
                .result = { .kind = RESULT_REFUSED, .error = EPERM, .call = "bind", .detail = "needs 100%s" },
                .status = 422,
                .json = "{\"detail\":\"needs 100%s\",\"errno\":\"EPERM\"}" },
        { .name = "unsound",
                .result = { .kind = RESULT_UNSOUND, .parameter = "how", .detail = "no" },
                .status = 400,
                .json = "{\"type\":\"" PROBLEM_TYPE_BASE "unsound-request\",\"title\":\"Unsound request\","
                        "\"status\":400,\"detail\":\"no\",\"parameter\":\"how\"}" },
        { .name = "unknown",
                .result = { .kind = RESULT_UNKNOWN },
                .status = 404,
                .json = "{\"status\":404}" },
        { .name = "quota", .result = { .kind = RESULT_QUOTA }, .status = 429, .json = "{\"status\":429}" },
        { .name = "shutdown",
                .result = { .kind = RESULT_SHUTDOWN },
                .status = 503,
                .json = "{\"status\":503}" },
};

static void assert_has(const json_t *object, const char *text)
{
        json_auto_t *wanted = json_loads(text, 0, NULL);
        const char *name = NULL;
        json_t *value = NULL;
        assert_non_null(wanted);
        json_object_foreach(wanted, name, value) if (!json_equal(value, json_object_get(object, name)))
                fail_msg("%s is wrong: %s", name, json_dumps(object, 0));
}

static void says_what_failed(void **state)
{
        const struct outcome *const row = *state;
        struct problem problem = { .extra = NULL };
        problem_from_result(&problem, &row->result);
        assert_int_equal(problem_status(&problem), row->status);
        json_auto_t *json = problem_to_json(&problem);
        assert_has(json, row->json);
        assert_true(json_is_string(json_object_get(json, "detail")));
        if (!row->result.parameter)
                assert_null(json_object_get(json, "parameter"));
}

static const struct {
        int error;
        const char *class; /* NULL: it says nothing of the way */
} classes[] = {
        { ECONNREFUSED, "refused" },
        { ETIMEDOUT, "timed_out" },
        { EHOSTUNREACH, "unreachable" },
        { ENETUNREACH, "unreachable" },
        { ECONNRESET, "reset" },
        { EPIPE, "reset" },
        { EINVAL, NULL },
        { EAGAIN, NULL },
        { 0, NULL },
        { EAI_NONAME, NULL },
};

static void errnos_have_classes(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
                const char *const class = error_class(classes[i].error);
                assert_int_equal(class == NULL, classes[i].class == NULL);
                if (class != NULL)
                        assert_string_equal(class, classes[i].class);
        }
}

static void every_row_is_complete(void **state)
{
        (void)state;
        for (size_t i = 0; i < PROBLEM_COUNT; i++) {
                const struct problem_row *const row = &problem_rows[i];
                assert_true(row->status >= 400 && row->status < 600 && row->status != 500);
                assert_true(row->type && row->title && row->response && row->help);
        }
}

static void hostile_bytes_become_text(void **state)
{
        (void)state;
        struct problem problem = { .extra = NULL };
        char many[1000];
        memset(many, 0xff, sizeof many - 1);
        many[sizeof many - 1] = '\0';
        problem_set(&problem, PROBLEM_UNSOUND_REQUEST, many, "%s", many);
        json_auto_t *json = problem_to_json(&problem);
        assert_non_null(json);
        assert_true(strlen(problem.detail) > 300 && strlen(problem.parameter) > 80);
        assert_non_null(json_string_value(json_object_get(json, "detail")));
        assert_non_null(json_string_value(json_object_get(json, "parameter")));
}

static void extra_members_are_merged(void **state)
{
        (void)state;
        json_auto_t *extra = json_pack("{si, si}", "sent", 5, "status", 200);
        struct problem problem = { .extra = extra };
        problem_set(&problem, PROBLEM_UNEXPECTED_OUTCOME, NULL, "the call succeeded");
        json_auto_t *json = problem_to_json(&problem);
        assert_has(json, "{\"sent\":5,\"status\":422,\"title\":\"Unexpected outcome\"}");
        assert_null(json_object_get(json, "errno"));
}

static void unexpected_errnos_are_named(void **state)
{
        (void)state;
        struct problem problem = { .extra = NULL };
        problem_set(&problem, PROBLEM_UNEXPECTED_OUTCOME, NULL, "connect failed in another way");
        problem.result = refused("connect", EHOSTUNREACH);
        json_auto_t *json = problem_to_json(&problem);
        assert_has(json, "{\"type\":\"" PROBLEM_TYPE_BASE "unexpected-outcome\",\"errno\":\"EHOSTUNREACH\","
                         "\"call\":\"connect\",\"timed_out\":false}");
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, says_what_failed, outcomes);
        rows_add_one(&all, "errnos have classes", errnos_have_classes);
        rows_add_one(&all, "every row is complete", every_row_is_complete);
        rows_add_one(&all, "hostile bytes become text", hostile_bytes_become_text);
        rows_add_one(&all, "extra members are merged", extra_members_are_merged);
        rows_add_one(&all, "unexpected errnos are named", unexpected_errnos_are_named);
        return rows_run("problem", &all);
}
