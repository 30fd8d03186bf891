/* load.c: clients at work on a daemon: their threads, their requests, and what they complain of. */
#include "tests/load/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/check.h"

enum { PATH_SIZE = 512, KEY_SIZE = 64, AGAIN_US = 2000, LATE_MS = 20000, SEEN_COUNT = 1 << 16 };

void complain(struct worker *worker, const char *format, ...)
{
        struct load *const load = worker->flow->load;
        va_list arguments;
        worker->failed = true;
        pthread_mutex_lock(&load->lock);
        if (load->complaint[0] == '\0') {
                const int size =
                        snprintf(load->complaint, sizeof load->complaint, "%s: ", worker->flow->job->name);
                va_start(arguments, format);
                vsnprintf(load->complaint + size, sizeof load->complaint - (size_t)size, format, arguments);
                va_end(arguments);
        }
        pthread_mutex_unlock(&load->lock);
}

void say(struct worker *worker, const char *format, ...)
{
        va_list arguments;
        va_start(arguments, format);
        free(worker->body);
        if (vasprintf(&worker->body, format, arguments) < 0)
                abort();
        va_end(arguments);
        for (char *c = strchr(worker->body, '\''); c != NULL; c = strchr(c, '\''))
                *c = '"';
}

bool succeeded(const struct reply *reply)
{
        return reply != NULL && reply->status >= 200 && reply->status < 300;
}

/* "local.port", "sockets.0.id" */
const json_t *member_of(const struct reply *reply, const char *path)
{
        const json_t *at = reply == NULL ? NULL : reply->json;
        while (at != NULL && *path != '\0') {
                char name[32] = "";
                const size_t size = strcspn(path, ".");
                snprintf(name, sizeof name, "%.*s", (int)size, path);
                at = json_is_array(at) ? json_array_get(at, strtoul(name, NULL, 10))
                                       : json_object_get(at, name);
                path += size + (path[size] == '.');
        }
        return at;
}

void copy_id(const struct reply *reply, const char *path, char out[static LOAD_ID_SIZE])
{
        const char *const text = json_string_value(member_of(reply, path));
        snprintf(out, LOAD_ID_SIZE, "%s", text == NULL ? "" : text);
}

int64_t number_of(const struct reply *reply, const char *path)
{
        return json_integer_value(member_of(reply, path));
}

static const char *errno_of(const struct reply *reply)
{
        const char *const name = json_string_value(json_object_get(reply->json, "errno"));
        return name == NULL ? "" : name;
}

static bool is_allowed(const struct load *load, const char *errno_name)
{
        for (size_t i = 0; i < COUNT(load->allowance.errno_names); i++)
                if (load->allowance.errno_names[i] != NULL &&
                        strcmp(load->allowance.errno_names[i], errno_name) == 0)
                        return true;
        return false;
}

/* The beginning of a streamed reply, if only its headers: an error came after it. */
static bool is_cut_short(const struct reply *reply)
{
        return reply->status == 0 && json_object_size(reply->headers) > 0;
}

/* Whether the request is to be made again. */
static bool is_to_repeat(struct load *load, const struct reply *reply)
{
        const bool refused = (reply->status == 422 && is_allowed(load, errno_of(reply))) ||
                             (reply->status == 429 && load->allowance.quota);
        const bool dropped = is_cut_short(reply) ? load->allowance.errno_names[0] != NULL
                                                 : reply->status == 0 && load->allowance.drops;
        load->refused += refused;
        load->dropped += dropped;
        return refused || dropped;
}

bool is_allowed_failure(struct worker *worker, const json_t *problem)
{
        struct load *const load = worker->flow->load;
        const char *const name = json_string_value(json_object_get(problem, "errno"));
        const bool allowed = name == NULL ? load->allowance.quota : is_allowed(load, name);
        load->refused += allowed;
        return allowed;
}

static bool has_timed_out(const struct reply *reply)
{
        return reply->status == 422 && json_is_true(json_object_get(reply->json, "timed_out"));
}

/* What the kernel refused is kept as that, and to be tried again is another request. Anything else that is
 * repeated keeps its key. */
static void take_key(char key[static KEY_SIZE])
{
        static _Atomic unsigned last;
        snprintf(key, KEY_SIZE, "Idempotency-Key: load-%u", ++last);
}

static bool is_given_up(const struct load *load, const struct reply *reply)
{
        return reply->status == 409 && load->allowance.interrupted;
}

static struct reply *exchange_once(struct worker *worker, const struct request *request)
{
        struct load *const load = worker->flow->load;
        pause_us(load->pause_us);
        const bool faulty = load->faulty;
        struct reply *const reply = exchange(worker->client, request);
        load->requests++;
        load->in_flight += faulty || load->faulty;
        return reply;
}

static struct reply *insist(struct worker *worker, const struct request *request)
{
        struct load *const load = worker->flow->load;
        const int64_t deadline = milliseconds() + LATE_MS;
        const bool keyed = worker->flow->job->careful && strcmp(request->method, "GET") != 0;
        char key[KEY_SIZE];
        struct request once = *request;
        take_key(key);
        if (keyed)
                once.headers[1] = key;
        while (!worker->failed) {
                struct reply *const reply = exchange_once(worker, &once);
                if (succeeded(reply) || has_timed_out(reply) || is_given_up(load, reply))
                        return reply;
                const bool again = is_to_repeat(load, reply) && milliseconds() < deadline;
                /* What has been sent, or received, is not to be sent or received again. */
                if (again && (number_of(reply, "sent") > 0 || is_cut_short(reply)))
                        return reply;
                if (!again)
                        complain(worker, "%.150s: %d %.80s%.250s", reply->name, reply->status, reply->trouble,
                                reply->body);
                if (reply->status == 422)
                        take_key(key);
                reply_free(reply);
                pause_us(AGAIN_US);
        }
        return NULL;
}

static struct reply *insist_on_body(struct worker *worker, const char *method, const char *path)
{
        const bool has_body = worker->body != NULL && worker->body[0] != '\0';
        struct reply *const reply = insist(worker, &(struct request){ .method = method,
                                                           .path = path,
                                                           .json = has_body ? worker->body : NULL,
                                                           .headers = { "Accept: */*" } });
        free(worker->body);
        worker->body = NULL;
        return reply;
}

struct reply *ask(struct worker *worker, const char *method, const char *path, ...)
{
        char text[PATH_SIZE];
        va_list arguments;
        va_start(arguments, path);
        vsnprintf(text, sizeof text, path, arguments);
        va_end(arguments);
        return insist_on_body(worker, method, text);
}

bool tell(struct worker *worker, const char *method, const char *path, ...)
{
        char text[PATH_SIZE];
        va_list arguments;
        va_start(arguments, path);
        vsnprintf(text, sizeof text, path, arguments);
        va_end(arguments);
        struct reply *const reply = insist_on_body(worker, method, text);
        const bool success = succeeded(reply);
        reply_free(reply);
        return success;
}

struct reply *ask_raw(
        struct worker *worker, const char *method, const void *bytes, size_t size, const char *path, ...)
{
        char text[PATH_SIZE];
        va_list arguments;
        va_start(arguments, path);
        vsnprintf(text, sizeof text, path, arguments);
        va_end(arguments);
        return insist(worker, &(struct request){ .method = method,
                                      .path = text,
                                      .raw = bytes,
                                      .raw_size = size,
                                      .headers = { "Accept: application/octet-stream" } });
}

bool make_socket(struct worker *worker, char id[static LOAD_ID_SIZE], int *port)
{
        struct reply *const reply = ask(worker, "POST", "/v1/sockets");
        copy_id(reply, "id", id);
        if (port != NULL)
                *port = (int)number_of(reply, "local.port");
        reply_free(reply);
        return id[0] != '\0';
}

bool link_up(struct worker *worker, char near[static LOAD_ID_SIZE], char far[static LOAD_ID_SIZE])
{
        char listener[LOAD_ID_SIZE];
        int port;
        say(worker, "{'bind':'127.0.0.1:0','listen':{'backlog':4}}");
        if (!make_socket(worker, listener, &port))
                return false;
        say(worker, "{'connect':'127.0.0.1:%d'}", port);
        if (!make_socket(worker, near, NULL))
                return false;
        struct reply *const reply = ask(worker, "POST", "/v1/sockets/%s/accept", listener);
        copy_id(reply, "id", far);
        reply_free(reply);
        return far[0] != '\0' && tell(worker, "DELETE", "/v1/sockets/%s", listener);
}

void take_number(struct flow *flow, uint64_t number)
{
        uint64_t *const place = &flow->seen[number % SEEN_COUNT];
        if (*place == number + 1) {
                flow->doubled++;
                return;
        }
        *place = number + 1;
        flow->taken++;
}

int connect_own(struct worker *worker)
{
        const struct sockaddr_in address = { .sin_family = AF_INET,
                .sin_port = htons((uint16_t)worker->flow->port),
                .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
        const struct timeval patience = { .tv_sec = LATE_MS / 1000 };
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
                connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
                return fd;
        complain(worker, "connect: %s", strerror(errno));
        if (fd >= 0)
                close(fd);
        return -1;
}

static void rest(struct worker *worker)
{
        while (worker->flow->load->held) {
                worker->resting = true;
                pause_us(AGAIN_US);
        }
        worker->resting = false;
}

static void *give(void *context)
{
        struct worker *const worker = context;
        struct flow *const flow = worker->flow;
        while (!flow->load->stopping && !worker->failed) {
                flow->job->give(worker);
                rest(worker);
        }
        flow->given_all = true;
        return NULL;
}

/* For as long as something comes, or may. */
static void *take(void *context)
{
        struct worker *const worker = context;
        struct flow *const flow = worker->flow;
        uint64_t taken = 0;
        for (int64_t late = milliseconds() + LATE_MS; !worker->failed && milliseconds() < late;) {
                if (flow->given_all && (flow->taken >= flow->given || flow->load->complaint[0] != '\0'))
                        break;
                flow->job->take(worker);
                /* A giver may wait for what it takes. */
                if (flow->giver.resting)
                        rest(worker);
                if (flow->taken != taken || !flow->given_all)
                        late = milliseconds() + LATE_MS;
                taken = flow->taken;
        }
        return NULL;
}

static void worker_prepare(struct worker *worker, struct flow *flow, enum transport transport)
{
        worker->flow = flow;
        worker->client = client_new(flow->load->daemon, transport);
        client_set_quiet(worker->client, true);
}

static bool flow_open(struct flow *flow, size_t number)
{
        flow->fd = -1;
        flow->seen = calloc(SEEN_COUNT, sizeof *flow->seen);
        if (flow->seen == NULL)
                abort();
        sem_init(&flow->ready, 0, 0);
        sem_init(&flow->done, 0, 0);
        worker_prepare(&flow->giver, flow, number % 2 == 0 ? OVER_UNIX : OVER_TCP);
        worker_prepare(&flow->taker, flow, number % 2 == 0 ? OVER_TCP : OVER_UNIX);
        return flow->job->open(flow);
}

static void flow_start(struct flow *flow)
{
        if (pthread_create(&flow->giver.thread, NULL, give, &flow->giver) != 0 ||
                (flow->job->take != NULL &&
                        pthread_create(&flow->taker.thread, NULL, take, &flow->taker) != 0))
                abort();
}

bool load_start(struct load *load, const struct daemon *daemon, const struct job *const *jobs, size_t count)
{
        load->daemon = daemon;
        load->started = true;
        pthread_mutex_init(&load->lock, NULL);
        for (; load->flow_count < count && load->started; load->flow_count++) {
                struct flow *const flow = &load->flows[load->flow_count];
                *flow = (struct flow){ .load = load, .job = jobs[load->flow_count] };
                load->started = flow_open(flow, load->flow_count);
        }
        for (size_t i = 0; i < load->flow_count && load->started; i++)
                flow_start(&load->flows[i]);
        return load->started;
}

static bool is_resting(const struct flow *flow)
{
        return flow->giver.resting && (flow->job->take == NULL || flow->taker.resting);
}

void load_hold(struct load *load)
{
        const int64_t deadline = milliseconds() + LATE_MS;
        load->held = true;
        for (size_t i = 0; i < load->flow_count && load->complaint[0] == '\0';) {
                if (is_resting(&load->flows[i]))
                        i++;
                else if (milliseconds() < deadline)
                        pause_us(AGAIN_US);
                else
                        complain(&load->flows[i].giver, "does not come to rest");
        }
}

void load_let_go(struct load *load)
{
        load->held = false;
}

static void flow_close(struct flow *flow)
{
        struct worker *const worker = &flow->giver;
        worker->failed = false;
        if (flow->job->close != NULL)
                flow->job->close(flow);
        for (size_t i = 0; i < LOAD_IDS; i++)
                if (flow->ids[i][0] != '\0')
                        tell(worker, "DELETE", "/v1/sockets/%s", flow->ids[i]);
        if (flow->fd >= 0)
                close(flow->fd);
        client_free(flow->giver.client);
        client_free(flow->taker.client);
        free(flow->giver.body);
        free(flow->taker.body);
        free(flow->seen);
}

void load_stop(struct load *load)
{
        load->stopping = true;
        for (size_t i = 0; i < load->flow_count && load->started; i++) {
                struct flow *const flow = &load->flows[i];
                pthread_join(flow->giver.thread, NULL);
                if (flow->job->take != NULL)
                        pthread_join(flow->taker.thread, NULL);
        }
        for (size_t i = 0; i < load->flow_count; i++)
                flow_close(&load->flows[i]);
        pthread_mutex_destroy(&load->lock);
}

uint64_t load_lost(const struct load *load)
{
        uint64_t lost = 0;
        for (size_t i = 0; i < load->flow_count; i++)
                if (load->flows[i].taken < load->flows[i].given)
                        lost += load->flows[i].given - load->flows[i].taken;
        return lost;
}

uint64_t load_doubled(const struct load *load)
{
        uint64_t doubled = 0;
        for (size_t i = 0; i < load->flow_count; i++)
                doubled += load->flows[i].doubled;
        return doubled;
}
