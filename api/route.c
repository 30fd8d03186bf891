/* route.c: compares a path, its id replaced by "{id}", with the rows of operations.def. */
#include "api/route.h"

#include <stdio.h>
#include <string.h>

enum { TEMPLATE_SIZE = 64 }; /* no row's path is longer */

/* The rows' paths with their sizes, in the order of operations[]: most rows differ in size alone. */
static const struct {
        const char *path;
        size_t size;
} paths[] = {
#define OPERATION(verb, path_text, row, call_name, turn_name, role_name, status, record, text)               \
        { .path = (path_text), .size = sizeof(path_text) - 1 },
#include "api/operations.def"
#undef OPERATION
};

/* What stands before an id, and what an unknown one is then. */
static const struct {
        const char *text, *what;
        enum problem_kind unknown;
} prefixes[] = {
        { "/v1/sockets/", "socket", PROBLEM_UNKNOWN_SOCKET },
        { "/v1/sessions/", "session", PROBLEM_UNKNOWN_SESSION },
};
enum { PREFIX_COUNT = sizeof prefixes / sizeof *prefixes };

static const char id_mark[] = "{id}";

/* A request's path as the rows write it. */
struct template
{
        char text[TEMPLATE_SIZE];
        size_t size;    /* 0: it does not fit, so it is none of theirs */
        const char *id; /* in the request's path, or NULL */
        size_t prefix;  /* of an id */
        size_t id_size;
};

/* How one request's method is written among the rows; HEAD goes as GET. */
static const struct {
        const char *text;
        enum method method;
} verbs[] = {
        { "GET", METHOD_GET },
        { "HEAD", METHOD_GET },
        { "POST", METHOD_POST },
        { "PUT", METHOD_PUT },
        { "DELETE", METHOD_DELETE },
};

static void template_set(struct template *template, const char *head, size_t head_size, const char *tail)
{
        const size_t tail_size = strlen(tail);
        template->size = 0;
        if (head_size >= TEMPLATE_SIZE || tail_size >= TEMPLATE_SIZE - head_size)
                return;
        memcpy(template->text, head, head_size);
        memcpy(template->text + head_size, tail, tail_size + 1);
        template->size = head_size + tail_size;
}

static void template_make(struct template *template, const char *path)
{
        char head[TEMPLATE_SIZE];
        size_t prefix_size = 0;
        template->id = NULL;
        template->id_size = 0;
        for (size_t i = 0; i < PREFIX_COUNT && template->id_size == 0; i++) {
                prefix_size = strlen(prefixes[i].text);
                template->prefix = i;
                if (strncmp(path, prefixes[i].text, prefix_size) == 0)
                        template->id_size = strcspn(path + prefix_size, "/");
        }
        if (template->id_size == 0) {
                template_set(template, "", 0, path);
                return;
        }
        template->id = path + prefix_size;
        memcpy(head, path, prefix_size);
        memcpy(head + prefix_size, id_mark, sizeof id_mark);
        template_set(template, head, prefix_size + sizeof id_mark - 1, template->id + template->id_size);
}

/* The method of a verb, or METHOD_COUNT for one that no row has. */
static enum method method_of(const char *verb)
{
        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
                if (strcmp(verb, verbs[i].text) == 0)
                        return verbs[i].method;
        return METHOD_COUNT;
}

static bool path_matches(size_t row, const struct template *template)
{
        return paths[row].size == template->size &&
               memcmp(paths[row].path, template->text, template->size) == 0;
}

static bool fail_path(const char *path, const struct template *template, struct problem *problem)
{
        const char *nearest = NULL;
        size_t distance = 5;
        for (size_t i = 0; template->size > 0 && i < operation_count; i++) {
                const size_t found = name_distance(template->text, template->size, paths[i].path, distance);
                if (found < distance) {
                        distance = found;
                        nearest = paths[i].path;
                }
        }
        if (nearest)
                problem_set(problem, PROBLEM_UNKNOWN_PATH, NULL, "there is no path %.100s; did you mean %s?",
                        path, nearest);
        else
                problem_set(problem, PROBLEM_UNKNOWN_PATH, NULL,
                        "there is no path %.100s; GET /openapi.yaml lists them", path);
        return false;
}

static void allow_add(struct route *route, const char *verb)
{
        const size_t used = strlen(route->allow);
        (void)snprintf(route->allow + used, sizeof route->allow - used, "%s%s", used ? ", " : "", verb);
}

static bool fail_method(const char *verb, unsigned methods, const struct template *template,
        struct route *out, struct problem *problem)
{
        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
                if (methods & 1U << verbs[i].method)
                        allow_add(out, verbs[i].text);
        problem_set(problem, PROBLEM_WRONG_METHOD, NULL, "%s has no method %.20s, but %s", template->text,
                verb, out->allow);
        return false;
}

/* An id that is too long for one is unknown, and must not become another one by being cut. */
static bool copy_id(const struct template *template, struct route *out, struct problem *problem)
{
        if (template->id_size >= sizeof out->id) {
                problem_set(problem, prefixes[template->prefix].unknown, NULL, "there is no %s %.*s…",
                        prefixes[template->prefix].what, SOCKET_ID_SIZE, template->id);
                return false;
        }
        if (template->id)
                memcpy(out->id, template->id, template->id_size);
        out->id[template->id_size] = '\0';
        return true;
}

bool route_find(const char *method, const char *path, struct route *out, struct problem *problem)
{
        struct template template;
        unsigned methods = 0;
        const enum method wanted = method_of(method);
        out->operation = NULL;
        out->id[0] = '\0';
        out->allow[0] = '\0';
        template_make(&template, path);
        for (size_t i = 0; i < operation_count; i++) {
                if (!path_matches(i, &template))
                        continue;
                methods |= 1U << operations[i].method;
                if (operations[i].method == wanted)
                        out->operation = &operations[i];
        }
        if (methods == 0)
                return fail_path(path, &template, problem);
        if (!out->operation)
                return fail_method(method, methods, &template, out, problem);
        if (copy_id(&template, out, problem))
                return true;
        out->operation = NULL;
        return false;
}
