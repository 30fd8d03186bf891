/* batch.c: each step of a batch is a call of its own, made as if it had come alone.
 *
 * One thread at a time drives a batch: it starts a step, or all steps of a group that are to run together,
 * and goes on to the next when they have ended. A step that parks lets the thread go; when it is woken, a
 * background job goes on with it, and whichever ends its group last drives on. What steps write is their own
 * until then, so that there is no lock: `active` orders it all. */
#include "api/batch.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/reference.h"
#include "api/rollback.h"
#include "api/route.h"
#include "daemon/sockets/background.h"
#include "daemon/sockets/cleanup.h"

static const int64_t NS_PER_MS = 1000000, NS_PER_S = 1000000000;

/* What a reply takes of memory as a tree, in sizes of its text, about. */
enum { TREE_FACTOR = 10 };

struct batch {
        struct background_job job; /* first, so that a job is its batch: the start */
        struct service *service;
        struct caller caller;
        struct batch_plan plan; /* its items are the batch's own copy */
        json_t *parameters;     /* they point into it */
        struct wait pause;      /* until plan.at */
        uint64_t ticket;        /* of the call that waits for the outcome */
        int client_fd;          /* a duplicate: the call may end before the batch; -1: none */
        bool client_is_local;
        int64_t deadline_ns;
        size_t first, next;    /* of the group that runs, and behind it */
        _Atomic size_t active; /* steps of the group that have not ended, and one more while it is started */
        _Atomic bool stopped;  /* no more steps: one has failed, or the client has gone */
        _Atomic size_t failed;
        _Atomic size_t held; /* bytes of the results, charged to the account */
        json_t **results;
        struct batch_outcome outcome;
};

/* A step while it runs. */
struct run {
        struct background_job job; /* first, so that a job is its run: going on after a wait */
        struct call call;
        struct batch *batch;
        size_t index;
        char path[REFERENCE_PATH_SIZE];
        int client_fd; /* while it waits */
};

static void drive(struct batch *batch);

/* SIZE_MAX: that is no step's number. */
static size_t number_of(const char *name, size_t size)
{
        size_t number = 0;
        for (size_t i = 0; i < size; i++)
                number = name[i] >= '0' && name[i] <= '9' && number < SIZE_MAX / 20
                                 ? 10 * number + (size_t)(name[i] - '0')
                                 : SIZE_MAX;
        return size == 0 || (name[0] == '0' && size > 1) ? SIZE_MAX : number;
}

static json_t *find_result(const void *context, const char *name, size_t size)
{
        const struct batch *const batch = context;
        size_t index = number_of(name, size);
        for (size_t i = 0; i < batch->first && index == SIZE_MAX; i++) {
                const struct text *const own = &batch->plan.steps.items[i].name;
                if (own->bytes != NULL && own->size == size && memcmp(own->bytes, name, size) == 0)
                        index = i;
        }
        return index < batch->first ? json_object_get(batch->results[index], "body") : NULL;
}

static bool is_json(const char *media)
{
        return media != NULL && strncmp(media, "application/", 12) == 0 && strstr(media, "json") != NULL;
}

/* Takes the reply over. A new reference, or NULL without memory. */
static json_t *result_of(const struct batch *batch, size_t index, struct call_reply *reply)
{
        const struct text *const name = &batch->plan.steps.items[index].name;
        json_t *const body = reply->body == NULL ? json_null()
                             : is_json(reply->media)
                                     ? json_loadb((char *)reply->body, reply->size, JSON_ALLOW_NUL, NULL)
                                     : json_text((char *)reply->body, reply->size);
        json_t *const result = json_pack("{s:s*, s:i, s:s*, s:o}", "name", name->bytes, "status",
                reply->status, "location", reply->location[0] == '\0' ? NULL : reply->location, "body", body);
        free(reply->body);
        free(reply->members);
        return result;
}

/* The last step of a group to end drives the batch on. */
static void leave_group(struct batch *batch)
{
        if (atomic_fetch_sub(&batch->active, 1) == 1)
                drive(batch);
}

static bool stops(const struct batch_step *step)
{
        return step->on_error.bytes == NULL || strcmp(step->on_error.bytes, "stop") == 0;
}

static void end_step(struct batch *batch, size_t index, struct call_reply *reply, bool made)
{
        const bool failed = !made || reply->status >= 400;
        if (failed && stops(&batch->plan.steps.items[index])) {
                size_t none = SIZE_MAX;
                atomic_compare_exchange_strong(&batch->failed, &none, index);
                batch->stopped = true;
        }
        const size_t held = made ? reply->size * TREE_FACTOR : 0;
        account_add(batch->caller.account, RESOURCE_BYTES, held);
        batch->held += held;
        batch->results[index] = made ? result_of(batch, index, reply) : NULL;
        leave_group(batch);
}

static void end_run(struct run *run)
{
        struct batch *const batch = run->batch;
        struct call_reply reply;
        const size_t index = run->index;
        const bool made = call_reply(&run->call, &reply);
        if (made && batch->service->note_call != NULL)
                batch->service->note_call(&run->call, reply.status);
        if (run->call.wait.end == WAIT_ABANDONED)
                batch->stopped = true;
        call_release(&run->call);
        free(run);
        end_step(batch, index, &reply, made);
}

static void go_on(struct background_job *job)
{
        struct run *const run = (struct run *)job;
        if (run->client_fd >= 0)
                close(run->client_fd);
        if (call_run(&run->call) == CALL_DONE)
                end_run(run);
}

/* While it waits, a step watches the client by a descriptor of its own: an epoll has each only once. */
static void suspend(struct call *call)
{
        struct run *const run = (struct run *)((char *)call - offsetof(struct run, call));
        const int client_fd = run->batch->client_fd;
        run->client_fd = client_fd < 0 ? -1 : fcntl(client_fd, F_DUPFD_CLOEXEC, 0);
        call->wait.client_fd = run->client_fd;
}

static void resume(struct call *call)
{
        struct run *const run = (struct run *)((char *)call - offsetof(struct run, call));
        run->job.run = go_on;
        background_submit(&run->job);
}

/* The parameters that a step has beside its body. */
static bool add_common(json_t *parameters, const struct batch_step *step, struct problem *problem)
{
        const struct {
                const char *name;
                json_t *value;
        } members[] = {
                { "timeout_ms", step->timeout_ms < 0 ? NULL : json_integer(step->timeout_ms) },
                { "expect", json_incref(step->expect.json) },
        };
        bool sound = true;
        for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
                if (members[i].value == NULL)
                        continue;
                if (json_object_get(parameters, members[i].name) != NULL) {
                        problem_set(problem, PROBLEM_UNSOUND_REQUEST, members[i].name, "%s: is given twice",
                                members[i].name);
                        sound = false;
                }
                json_object_set_new(parameters, members[i].name, members[i].value);
        }
        return sound;
}

static bool is_batch(const struct operation *operation)
{
        return strcmp(operation->name, "batch") == 0;
}

/* Where the step leads. False: problem says why it leads nowhere. */
static bool find_operation(
        struct run *run, struct references *references, struct route *route, struct problem *problem)
{
        const struct batch_step *const step = &run->batch->plan.steps.items[run->index];
        if (!references_fill_path(references, step->path.bytes, run->path)) {
                problem_set(problem, PROBLEM_UNSOUND_REQUEST, "path", "%s", references->detail);
                return false;
        }
        if (!route_find(step->method.bytes == NULL ? "POST" : step->method.bytes, run->path, route, problem))
                return false;
        if (is_batch(route->operation))
                problem_set(problem, PROBLEM_UNSOUND_REQUEST, "path", "a batch has no batches in it");
        return !is_batch(route->operation);
}

/* The step's parameters; a new reference. NULL: problem says why. */
static json_t *find_parameters(
        const struct batch_step *step, struct references *references, struct problem *problem)
{
        json_auto_t *parameters = json_object();
        json_auto_t *body =
                step->body.json == NULL ? json_object() : references_resolve(references, step->body.json);
        if (body != NULL && !json_is_object(body)) {
                problem_set(problem, PROBLEM_UNSOUND_REQUEST, "body", "body: must be an object, not %s",
                        json_kind_word(body));
                return NULL;
        }
        if (body == NULL || parameters == NULL || json_object_update(parameters, body) != 0) {
                problem_set(problem, PROBLEM_UNSOUND_REQUEST, "body", "%s", references->detail);
                return NULL;
        }
        return add_common(parameters, step, problem) ? json_incref(parameters) : NULL;
}

/* A step counts as a request, and the results of those before it are held. */
static bool admit(const struct batch *batch, struct problem *problem)
{
        struct account *const account = batch->caller.account;
        int64_t wait_ns;
        const bool has_room = account_has_room(account, RESOURCE_BYTES);
        if (has_room && account_admit(account, now_ns(), &wait_ns))
                return true;
        problem_set(problem, PROBLEM_QUOTA, NULL, "%s",
                has_room ? account_over_rate : account_over(RESOURCE_BYTES).detail);
        return false;
}

/* Begins the step's call. False: problem says why there is none. */
static bool begin(struct run *run, struct problem *problem)
{
        struct batch *const batch = run->batch;
        struct references references = { .find = find_result,
                .context = batch,
                .room = batch->service->max_body_size,
                .detail = "no memory" };
        struct route route;
        if (!admit(batch, problem) || !find_operation(run, &references, &route, problem))
                return false;
        json_auto_t *parameters = find_parameters(&batch->plan.steps.items[run->index], &references, problem);
        if (parameters == NULL)
                return false;
        struct call *const call = &run->call;
        call->caller = batch->caller;
        call->suspend = suspend;
        call->resume = resume;
        call->latest_ns = batch->deadline_ns;
        call->client_fd = -1;
        call->client_is_local = batch->client_is_local;
        const size_t copied = batch->service->max_body_size - references.room;
        if (call_begin(call, batch->service, route.operation, route.id) && call_hold(call, copied) &&
                call_add_members(call, parameters) && call_decode(call) && call_run(call) == CALL_PARKED)
                return true;
        end_run(run);
        return true;
}

static void start_step(struct batch *batch, size_t index)
{
        struct problem problem = { 0 };
        struct call_reply reply = { 0 };
        struct run *const run = calloc(1, sizeof *run);
        if (run != NULL) {
                run->batch = batch;
                run->index = index;
                if (begin(run, &problem))
                        return;
                free(run);
        } else {
                problem_set_memory(&problem);
        }
        const bool made = problem_reply(&problem, now_ns(), &reply);
        json_decref(problem.extra);
        end_step(batch, index, &reply, made);
}

/* Behind the steps that run together from there on. */
static size_t group_end(const struct steps *steps, size_t first)
{
        size_t end = first + 1;
        while (steps->items[first].parallel && end < steps->count && steps->items[end].parallel)
                end++;
        return end;
}

static json_t *skipped(const struct text *name)
{
        return json_pack("{s:s*, s:b}", "name", name->bytes, "skipped", 1);
}

/* Hands the outcome over to the call that waits for it; without one, nobody wants it. */
static void end(struct batch *batch)
{
        const struct steps *const steps = &batch->plan.steps;
        if (batch->plan.rollback && batch->stopped)
                for (size_t i = batch->next; i-- > 0;)
                        rollback_result(batch->service, &batch->caller, batch->results[i]);
        batch->outcome.failed = batch->failed;
        batch->outcome.results = json_array();
        for (size_t i = 0; i < steps->count; i++)
                json_array_append_new(batch->outcome.results,
                        batch->results[i] == NULL ? skipped(&steps->items[i].name) : batch->results[i]);
        if (!waiter_complete(batch->service->waiter, batch->ticket))
                batch_free(batch);
}

static bool goes_on(struct batch *batch)
{
        if (batch->stopped || batch->next == batch->plan.steps.count)
                return false;
        /* A timeout of 0 is for the steps: none of them waits. */
        batch->outcome.timed_out = batch->plan.timeout_ms > 0 && now_ns() >= batch->deadline_ns;
        if (batch->outcome.timed_out)
                batch->stopped = true;
        return !batch->outcome.timed_out;
}

static void drive(struct batch *batch)
{
        while (goes_on(batch)) {
                const size_t first = batch->next, end = group_end(&batch->plan.steps, first);
                batch->first = first;
                batch->next = end;
                batch->active = end - first + 1;
                for (size_t i = first; i < end; i++)
                        start_step(batch, i);
                if (atomic_fetch_sub(&batch->active, 1) > 1)
                        return;
        }
        end(batch);
}

static void start(struct background_job *job)
{
        struct batch *const batch = (struct batch *)job;
        const int64_t timeout_ns = batch->plan.timeout_ms * NS_PER_MS;
        clock_gettime(CLOCK_REALTIME, &batch->outcome.started);
        batch->deadline_ns = now_ns() + timeout_ns;
        drive(batch);
}

static bool pause_until(struct wait *pause)
{
        const struct batch *const batch =
                (const struct batch *)((char *)pause - offsetof(struct batch, pause));
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        /* How long ago may be too much for nanoseconds. */
        if (batch->plan.at.tv_sec < now.tv_sec)
                return false;
        pause->deadline_ns = now_ns() + (batch->plan.at.tv_sec - now.tv_sec) * NS_PER_S +
                             (batch->plan.at.tv_nsec - now.tv_nsec);
        return pause->deadline_ns > now_ns();
}

static void end_pause(struct wait *pause)
{
        struct batch *const batch = (struct batch *)((char *)pause - offsetof(struct batch, pause));
        batch->stopped = pause->end != WAIT_TIMED_OUT;
        background_submit(&batch->job);
}

/* The time to start at comes as a deadline does. */
static void schedule(struct batch *batch)
{
        uint64_t ticket;
        batch->pause = (struct wait){ .client_fd = batch->client_fd,
                .client_is_local = batch->client_is_local,
                .park = pause_until,
                .wake = end_pause };
        if (batch->plan.at.tv_sec == 0 ||
                !waiter_enter_detached(batch->service->waiter, &batch->pause, &ticket))
                background_submit(&batch->job);
}

static struct batch *batch_new(const struct call *call, const struct batch_plan *plan)
{
        struct batch *const batch = calloc(1, sizeof *batch);
        if (batch == NULL)
                return NULL;
        const size_t count = plan->steps.count;
        batch->client_fd = call->client_fd < 0 ? -1 : fcntl(call->client_fd, F_DUPFD_CLOEXEC, 0);
        batch->client_is_local = call->client_is_local;
        batch->service = call->service;
        batch->caller = call->caller;
        batch->job.run = start;
        batch->failed = SIZE_MAX;
        batch->plan = *plan;
        batch->plan.steps.items = calloc(count + 1, sizeof *batch->plan.steps.items);
        batch->results = calloc(count + 1, sizeof *batch->results);
        if (batch->plan.steps.items == NULL || batch->results == NULL) {
                batch_free(batch);
                return NULL;
        }
        if (count > 0)
                memcpy(batch->plan.steps.items, plan->steps.items, count * sizeof *plan->steps.items);
        return batch;
}

struct result batch_start(struct call *call, const struct batch_plan *plan, struct batch **out)
{
        struct batch *const batch = batch_new(call, plan);
        if (batch == NULL)
                return refused("malloc", ENOMEM);
        batch->parameters = TAKE(call->parameters);
        /* From the parking on, the call is touched no more: it may end early, and the batch alone. */
        *out = batch;
        const struct result result = call_await(call, &batch->ticket);
        if (result.kind == RESULT_WAIT) {
                schedule(batch);
                return result;
        }
        *out = NULL;
        batch_free(batch);
        return result;
}

const struct batch_outcome *batch_outcome(const struct batch *batch)
{
        return &batch->outcome;
}

void batch_free(struct batch *batch)
{
        if (batch == NULL)
                return;
        if (batch->client_fd >= 0)
                close(batch->client_fd);
        account_give_back(batch->caller.account, RESOURCE_BYTES, batch->held);
        json_decref(batch->outcome.results);
        json_decref(batch->parameters);
        free(batch->plan.steps.items);
        free(batch->results);
        free(batch);
}
