/* fuzz_route.c: "METHOD PATH" to an operation, against the rows read one by one. */
#include <stdbool.h>

#include "api/route.h"
#include "daemon/sockets/cleanup.h"
#include "tests/fuzz/fuzz.h"

/* Whether the path is the row's, with anything but a slash for {id}. */
static bool path_is(const char *row, const char *path, size_t *id_size)
{
        const char *const mark = strstr(row, "{id}");
        *id_size = 0;
        if (mark == NULL)
                return strcmp(row, path) == 0;
        const size_t head = (size_t)(mark - row);
        if (strncmp(row, path, head) != 0)
                return false;
        *id_size = strcspn(path + head, "/");
        return *id_size > 0 && strcmp(mark + 4, path + head + *id_size) == 0;
}

static const struct operation *reference_find(
        const char *method, const char *path, bool *known, size_t *id_size)
{
        const struct operation *found = NULL;
        const char *const verb = strcmp(method, "HEAD") == 0 ? "GET" : method;
        *known = false;
        for (size_t i = 0; i < operation_count; i++) {
                size_t size;
                if (!path_is(operations[i].path, path, &size))
                        continue;
                *known = true;
                *id_size = size;
                if (strcmp(method_names[operations[i].method], verb) == 0)
                        found = &operations[i];
        }
        return found;
}

static void check_problem(
        const struct problem *problem, const struct route *route, bool known, bool has_method)
{
        json_auto_t *json = problem_to_json(problem);
        HOLDS(json != NULL && route->operation == NULL);
        if (!known)
                HOLDS(problem->kind == PROBLEM_UNKNOWN_PATH && route->allow[0] == '\0');
        else if (!has_method)
                HOLDS(problem->kind == PROBLEM_WRONG_METHOD && route->allow[0] != '\0');
        else
                HOLDS(problem->kind == PROBLEM_UNKNOWN_SOCKET || problem->kind == PROBLEM_UNKNOWN_SESSION);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        memory_auto char *method = fuzz_text(bytes, size);
        char *const blank = strchr(method, ' ');
        if (blank == NULL)
                return 0;
        *blank = '\0';
        memory_auto char *path = fuzz_text(blank + 1, strlen(blank + 1));
        struct route route;
        struct problem problem = { .extra = NULL };
        bool known;
        size_t id_size = 0;
        const struct operation *const expected = reference_find(method, path, &known, &id_size);
        if (route_find(method, path, &route, &problem)) {
                HOLDS(route.operation == expected && expected != NULL);
                HOLDS(strlen(route.id) == id_size && (id_size == 0 || strstr(path, route.id) != NULL));
                HOLDS(operation_has_id(expected) == (id_size > 0));
        } else {
                HOLDS(expected == NULL || id_size >= SOCKET_ID_SIZE);
                check_problem(&problem, &route, known, expected != NULL);
        }
        return 0;
}
