/* fuzz_request.c: a whole request, "METHOD TARGET FLAGS" and a body behind the line: route, parameters, the
 * call itself, its reply.
 *
 * An id of one letter stands for a socket that scene.h makes. FLAGS are letters: 'r', the body is raw; 'a',
 * so is the reply to be. Nothing waits, and no file is made. */
#include <ctype.h>
#include <stddef.h>
#include <sys/un.h>

#include "api/route.h"
#include "daemon/sockets/cleanup.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/scene.h"

struct request {
        struct call call; /* first, so that a call is its request */
        char *method, *path, *query, *flags, *body;
        size_t body_size;
        struct route route;
        struct call_reply reply;
};

/* A call without time to wait does not park. */
static void never(struct call *call)
{
        HOLDS(call == NULL);
}

/* As libmicrohttpd does it. Returns the size. */
static size_t unescape(char *text)
{
        char *to = text;
        for (const char *from = text; *from != '\0'; to++) {
                const bool escaped =
                        *from == '%' && isxdigit((unsigned char)from[1]) && isxdigit((unsigned char)from[2]);
                if (escaped) {
                        const char digits[] = { from[1], from[2], '\0' };
                        *(unsigned char *)to = (unsigned char)strtoul(digits, NULL, 16);
                } else if (*from == '+') {
                        *to = ' ';
                } else {
                        *to = *from;
                }
                from += escaped ? 3 : 1;
        }
        *to = '\0';
        return (size_t)(to - text);
}

static bool add_query(struct request *request)
{
        char *rest = request->query;
        for (char *part; (part = strsep(&rest, "&")) != NULL;) {
                char *value = part;
                const char *const name = strsep(&value, "=");
                const bool has_nul = unescape(part) != strlen(part);
                const size_t size = value == NULL ? 0 : unescape(value);
                if (!has_nul && !call_add_query(&request->call, name, value, size))
                        return false;
        }
        return true;
}

static bool add_body(struct request *request)
{
        struct call *const call = &request->call;
        const bool raw = strchr(request->flags, 'r') != NULL;
        if (raw && fields_payload(call->operation->request) == NULL)
                return true;
        if (raw && call_streams_in(call))
                return call->streamed = true;
        if (raw)
                return call_add_raw(call, (const uint8_t *)request->body, request->body_size);
        return request->body_size == 0 || call_add_json(call, request->body, request->body_size);
}

/* A socket's file would outlast the input. */
static bool makes_file(const struct call *call)
{
        const struct fields *const fields = call->operation->request;
        for (size_t i = 0; i < fields->count; i++) {
                if (fields->rows[i].kind != FIELD_ADDRESS)
                        continue;
                const struct address *const address =
                        (const struct address *)((const char *)call->request + fields->rows[i].offset);
                const char *const path =
                        (const char *)&address->storage + offsetof(struct sockaddr_un, sun_path);
                if (address->storage.ss_family == AF_UNIX && path[0] != '\0')
                        return true;
        }
        return false;
}

static void run_stream_in(struct request *request)
{
        size_t done = 0, used = 0;
        do {
                HOLDS(call_send_piece(&request->call, (const uint8_t *)request->body + done,
                              request->body_size - done, &used) == CALL_DONE);
                HOLDS(used <= request->body_size - done);
                done += used;
        } while (request->call.result.kind == RESULT_DONE && done < request->body_size);
}

static void run_stream_out(struct request *request)
{
        uint8_t bytes[4096];
        size_t used = 0;
        do {
                HOLDS(call_receive_piece(&request->call, bytes, sizeof bytes, &used) == CALL_DONE);
                HOLDS(used <= sizeof bytes);
        } while (request->call.result.kind == RESULT_DONE && used > 0);
}

static void run(struct request *request)
{
        struct call *const call = &request->call;
        call->common.timeout_ms = 0;
        if (call->streamed) {
                run_stream_in(request);
                return;
        }
        call->streamed = call_streams_out(call);
        if (call->streamed)
                run_stream_out(request);
        else
                HOLDS(call_run(call) == CALL_DONE);
}

static void check_problem(const struct call_reply *reply, json_t *json)
{
        static const char base[] = PROBLEM_TYPE_BASE;
        const char *const type = json_string_value(json_object_get(json, "type"));
        HOLDS(type != NULL && strncmp(type, base, sizeof base - 1) == 0);
        HOLDS(json_is_string(json_object_get(json, "title")));
        HOLDS(json_integer_value(json_object_get(json, "status")) == reply->status);
}

/* What goes into a header is printable ASCII. */
static void check_header(const char *text)
{
        for (; text != NULL && *text != '\0'; text++)
                HOLDS(*text >= ' ' && *text <= '~');
}

static void check_reply(const struct call_reply *reply)
{
        static const int statuses[] = { 200, 201, 204, 400, 403, 404, 405, 413, 422, 429 };
        bool known = false;
        for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
                known |= statuses[i] == reply->status;
        HOLDS(known && (reply->media != NULL || reply->status == 204));
        check_header(reply->members);
        check_header(reply->location);
        HOLDS(reply->location[0] == '\0' || strncmp(reply->location, "/v1/sockets/", 12) == 0 ||
                strncmp(reply->location, "/v1/sessions/", 13) == 0);
        if (reply->media == NULL || strstr(reply->media, "json") == NULL)
                return;
        json_auto_t *json = json_loadb((const char *)reply->body, reply->size, JSON_REJECT_DUPLICATES, NULL);
        HOLDS(json_is_object(json));
        HOLDS((reply->status >= 400) == (strcmp(reply->media, "application/problem+json") == 0));
        if (reply->status >= 400)
                check_problem(reply, json);
}

/* "METHOD TARGET FLAGS\nBODY": false when it is none. */
static bool split(struct request *request, char *text, size_t size)
{
        char *rest = text;
        char *const line = strsep(&rest, "\n");
        request->body_size = rest == NULL ? 0 : size - (size_t)(rest - text);
        request->body = fuzz_copy(rest, request->body_size);
        char *words = line;
        request->method = strsep(&words, " ");
        char *target = strsep(&words, " ");
        request->flags = words == NULL ? line + strlen(line) : words;
        request->path = strsep(&target, "?");
        request->query = target;
        return request->path != NULL;
}

static void make_call(struct request *request)
{
        struct call *const call = &request->call;
        char *const id = request->route.id;
        *call = (struct call){ .suspend = never, .resume = never, .client_fd = -1 };
        call->caller = (struct caller){ .account = scene_account, .operates = true };
        call->raw_reply = strchr(request->flags, 'a') != NULL;
        if (id[0] != '\0' && id[1] == '\0')
                scene_make(id[0], id);
        if (call_begin(call, &scene_service, request->route.operation, id) && add_query(request) &&
                add_body(request) && call_decode(call) && scene_is_apart && !makes_file(call))
                run(request);
        HOLDS(call_reply(call, &request->reply));
        if (!call->streamed || call->result.kind != RESULT_DONE)
                check_reply(&request->reply);
        call_release(call);
}

static void route_only(struct request *request, const struct problem *problem)
{
        HOLDS(problem_reply(problem, now_ns(), &request->reply));
        check_reply(&request->reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        memory_auto char *text = fuzz_text(bytes, size);
        struct request request = { .body = NULL };
        struct problem problem = { .extra = NULL };
        if (split(&request, text, size)) {
                scene_open();
                if (route_find(request.method, request.path, &request.route, &problem))
                        make_call(&request);
                else
                        route_only(&request, &problem);
                scene_clean();
        }
        free(request.reply.body);
        free(request.reply.members);
        free(request.body);
        return 0;
}
