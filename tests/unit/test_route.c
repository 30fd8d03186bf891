/* test_route.c: methods and paths, right and wrong. */
#include "api/route.h"

#include "tests/unit/rows.h"

struct route_row {
        const char *name, *method, *path;
        const char *operation; /* its name, or NULL: refused */
        const char *id;        /* NULL: "" */
        enum problem_kind kind;
        const char *allow;  /* NULL: "" */
        const char *detail; /* a part of what is said, or NULL */
};

#define UNKNOWN .kind = PROBLEM_UNKNOWN_PATH

static const struct route_row rows[] = {
        { .name = "list", .method = "GET", .path = "/v1/sockets", .operation = "socket_list" },
        { .name = "list's head", .method = "HEAD", .path = "/v1/sockets", .operation = "socket_list" },
        { .name = "create", .method = "POST", .path = "/v1/sockets", .operation = "socket_create" },
        { .name = "show",
                .method = "GET",
                .path = "/v1/sockets/k7f-1",
                .operation = "socket_show",
                .id = "k7f-1" },
        { .name = "delete",
                .method = "DELETE",
                .path = "/v1/sockets/k7f-1",
                .operation = "socket_delete",
                .id = "k7f-1" },
        { .name = "send",
                .method = "POST",
                .path = "/v1/sockets/k7f-1/send",
                .operation = "socket_send",
                .id = "k7f-1" },
        { .name = "bind is as long as send",
                .method = "POST",
                .path = "/v1/sockets/a/bind",
                .operation = "socket_bind",
                .id = "a" },
        { .name = "options",
                .method = "GET",
                .path = "/v1/sockets/a/options",
                .operation = "socket_options",
                .id = "a" },
        { .name = "an id that looks like the mark",
                .method = "GET",
                .path = "/v1/sockets/{id}",
                .operation = "socket_show",
                .id = "{id}" },
        { .name = "the longest id",
                .method = "GET",
                .path = "/v1/sockets/1234567890123456789012345678901",
                .operation = "socket_show",
                .id = "1234567890123456789012345678901" },
        { .name = "an id that is too long",
                .method = "GET",
                .path = "/v1/sockets/12345678901234567890123456789012",
                .kind = PROBLEM_UNKNOWN_SOCKET },
        { .name = "health", .method = "GET", .path = "/healthz", .operation = "service_health" },
        { .name = "openapi", .method = "GET", .path = "/openapi.json", .operation = "openapi_json" },
        { .name = "wrong method",
                .method = "DELETE",
                .path = "/v1/sockets",
                .kind = PROBLEM_WRONG_METHOD,
                .allow = "GET, HEAD, POST" },
        { .name = "wrong method of one socket",
                .method = "PUT",
                .path = "/v1/sockets/a",
                .kind = PROBLEM_WRONG_METHOD,
                .allow = "GET, HEAD, DELETE" },
        { .name = "wrong method of a call",
                .method = "GET",
                .path = "/v1/sockets/a/send",
                .kind = PROBLEM_WRONG_METHOD,
                .allow = "POST, PUT" },
        { .name = "HEAD where GET is not",
                .method = "HEAD",
                .path = "/v1/sockets/a/send",
                .kind = PROBLEM_WRONG_METHOD,
                .allow = "POST, PUT" },
        { .name = "OPTIONS",
                .method = "OPTIONS",
                .path = "/v1/constants",
                .kind = PROBLEM_WRONG_METHOD,
                .allow = "GET, HEAD" },
        { .name = "a method in small letters",
                .method = "get",
                .path = "/healthz",
                .kind = PROBLEM_WRONG_METHOD,
                .allow = "GET, HEAD" },
        { .name = "a hostile method",
                .method = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                .path = "/healthz",
                .kind = PROBLEM_WRONG_METHOD,
                .allow = "GET, HEAD" },
        { .name = "root", .method = "GET", .path = "/", UNKNOWN },
        { .name = "empty", .method = "GET", .path = "", UNKNOWN },
        { .name = "slash at the end", .method = "GET", .path = "/v1/sockets/", UNKNOWN },
        { .name = "slash behind the id", .method = "GET", .path = "/v1/sockets/a/", UNKNOWN },
        { .name = "no id", .method = "POST", .path = "/v1/sockets//send", UNKNOWN },
        { .name = "more behind the call", .method = "POST", .path = "/v1/sockets/a/send/b", UNKNOWN },
        { .name = "the mark elsewhere", .method = "GET", .path = "/v1/{id}", UNKNOWN },
        { .name = "a slip", .method = "POST", .path = "/v1/sockets/a/recieve", UNKNOWN },
        { .name = "a small slip",
                .method = "POST",
                .path = "/v1/sockets/a/acept",
                UNKNOWN,
                .detail = "did you mean /v1/sockets/{id}/accept?" },
        { .name = "another letter case",
                .method = "GET",
                .path = "/V1/Sockets",
                UNKNOWN,
                .detail = "did you mean /v1/sockets?" },
        { .name = "far off",
                .method = "GET",
                .path = "/etc/passwd/and/more",
                UNKNOWN,
                .detail = "/openapi.yaml" },
        { .name = "upwards", .method = "GET", .path = "/v1/sockets/../constants", UNKNOWN },
        { .name = "hostile bytes", .method = "GET", .path = "/\xff\xfe\x01", UNKNOWN },
};

static void finds(void **state)
{
        const struct route_row *const row = *state;
        struct route route;
        struct problem problem = { .extra = NULL };
        const bool found = route_find(row->method, row->path, &route, &problem);
        assert_int_equal(found, row->operation != NULL);
        assert_string_equal(route.allow, row->allow ? row->allow : "");
        if (row->operation) {
                assert_string_equal(route.operation->name, row->operation);
                assert_string_equal(route.id, row->id ? row->id : "");
                return;
        }
        assert_null(route.operation);
        assert_int_equal(problem.kind, row->kind);
        if (row->detail && !strstr(problem.detail, row->detail))
                fail_msg("\"%s\" does not say \"%s\"", problem.detail, row->detail);
        json_auto_t *json = problem_to_json(&problem);
        assert_non_null(json);
}

static void finds_every_row(void **state)
{
        (void)state;
        for (size_t i = 0; i < operation_count; i++) {
                struct route route;
                struct problem problem = { .extra = NULL };
                const char *const method = method_names[operations[i].method];
                assert_true(route_find(method, operations[i].path, &route, &problem));
                assert_ptr_equal(route.operation, &operations[i]);
                assert_int_equal(operation_has_id(route.operation), route.id[0] != '\0');
                assert_true(route.operation->run && route.operation->request && route.operation->reply);
        }
}

static void refuses_long_paths(void **state)
{
        (void)state;
        static char path[100000];
        struct route route;
        struct problem problem = { .extra = NULL };
        memset(path, 'a', sizeof path - 1);
        for (size_t i = 0; i < sizeof "/v1/sockets/" - 1; i++)
                path[i] = "/v1/sockets/"[i];
        assert_false(route_find("GET", path, &route, &problem));
        assert_int_equal(problem.kind, PROBLEM_UNKNOWN_SOCKET);
        path[0] = 'a';
        assert_false(route_find("GET", path, &route, &problem));
        assert_int_equal(problem.kind, PROBLEM_UNKNOWN_PATH);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, finds, rows);
        rows_add_one(&all, "every row of operations.def", finds_every_row);
        rows_add_one(&all, "very long paths", refuses_long_paths);
        return rows_run("route", &all);
}
