/* test_poll.c: waiting for what can be seen: each condition, many sockets, beside calls that take, and how it
 * ends otherwise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/steps.h"
#include "tests/http/wire.h"

enum { FILL_SIZE = 8 << 20, MANY = 100, MOST = 1024 };

#define LONG "'timeout_ms':20000"

/* What conditions are tried on: a TCP connection's near end. */
struct scene {
        struct stage *stage;
        struct link link;
};

static void send_abc(const struct scene *scene)
{
        act(scene->stage, scene->link.far, "send", 200, "{'text':'abc'}");
}

static void send_urgent(const struct scene *scene)
{
        act(scene->stage, scene->link.far, "send", 200, "{'text':'!','flags':['MSG_OOB']}");
}

static void shut_far(const struct scene *scene)
{
        act(scene->stage, scene->link.far, "shutdown", 200, "{'how':'SHUT_WR'}");
}

static void shut_near(const struct scene *scene)
{
        act(scene->stage, scene->link.near, "shutdown", 200, "{'how':'SHUT_WR'}");
}

static void reset_far(const struct scene *scene)
{
        drop(scene->stage, 204, "/v1/sockets/%s?reset=true", scene->link.far);
}

static void set_nodelay(const struct scene *scene)
{
        act(scene->stage, scene->link.near, "setsockopt", 200,
                "{'level':'IPPROTO_TCP','option':'TCP_NODELAY','value':true}");
}

static void set_linger(const struct scene *scene)
{
        act(scene->stage, scene->link.near, "setsockopt", 200,
                "{'level':'SOL_SOCKET','option':'SO_LINGER','value':{'onoff':true,'linger':7}}");
}

/* Sends more than both ends can hold. */
static void fill(const struct scene *scene)
{
        char *const text = malloc(FILL_SIZE + 1);
        assert_non_null(text);
        memset(text, 'A', FILL_SIZE); /* base64 of zeros */
        text[FILL_SIZE] = '\0';
        act_refused(scene->stage, scene->link.near, "send", "EAGAIN",
                "{'data':'%s','all':true,'timeout_ms':50}", text);
        free(text);
}

static void drain(const struct scene *scene)
{
        char query[64];
        const struct reply *const near = get(scene->stage, 200, "/v1/sockets/%s", scene->link.near);
        snprintf(query, sizeof query, "recv?until=%lld&size=%d", (long long)number_at(near, "sent_bytes"),
                FILL_SIZE);
        act(scene->stage, scene->link.far, query, 200, "");
}

static const struct condition {
        const char *name, *json;
        void (*before)(const struct scene *scene);
        void (*act)(const struct scene *scene);
        const char *value; /* what is found then; NULL: whatever */
} conditions[] = {
        { "readable", "'events':['POLLIN']", NULL, send_abc, "['POLLIN']" },
        { "readable at the end", "'events':['POLLIN']", NULL, shut_far, "['POLLIN']" },
        { "writable", "'events':['POLLOUT']", fill, drain, "['POLLOUT']" },
        { "urgent", "'events':['POLLPRI']", NULL, send_urgent, "['POLLPRI']" },
        { "half closed", "'events':['POLLRDHUP']", NULL, shut_far, "['POLLRDHUP']" },
        { "hung up", "'events':[]", NULL, reset_far, "['POLLERR','POLLHUP']" },
        { "an error", "'events':['POLLERR']", NULL, reset_far, "['POLLERR','POLLHUP']" },
        { "bytes", "'receive_queue':6", send_abc, send_abc, "6" },
        { "a byte", "'receive_queue':1", NULL, send_abc, "3" },
        { "all acknowledged", "'send_queue':0", fill, drain, "0" },
        { "the peer's end", "'tcp_state':'TCP_CLOSE_WAIT'", NULL, shut_far, "'TCP_CLOSE_WAIT'" },
        { "the own end", "'tcp_state':'TCP_FIN_WAIT2'", NULL, shut_near, "'TCP_FIN_WAIT2'" },
        { "a reset", "'tcp_state':'TCP_CLOSE'", NULL, reset_far, "'TCP_CLOSE'" },
        { "an option", "'level':'IPPROTO_TCP','option':'TCP_NODELAY','value':true", NULL, set_nodelay,
                "true" },
        { "an option's member", "'level':'SOL_SOCKET','option':'SO_LINGER','value':{'onoff':true}", NULL,
                set_linger, "{'onoff':true,'linger':7}" },
};

static void expect_found(const struct reply *reply, const char *value)
{
        char *const wanted = requote(value);
        expect_json(json_at(reply->json, "value"), wanted);
        free(wanted);
}

/* Parked first, then made true, then true at once. */
static void play_condition(struct stage *stage, const void *row)
{
        const struct condition *const condition = row;
        const struct scene scene = { .stage = stage, .link = make_link(stage) };
        if (condition->before)
                condition->before(&scene);
        act_refused(stage, scene.link.near, "wait", "EAGAIN", "{%s,'timeout_ms':0}", condition->json);
        struct pending *const waiting =
                later(stage, scene.link.near, "wait", "{%s," LONG "}", condition->json);
        await_parked(stage, scene.link.near, 1);
        condition->act(&scene);
        const struct reply *const reply = finish(stage, waiting, 200);
        expect_found(reply, condition->value);
        assert_string_equal(text_at(reply, "socket.id"), scene.link.near);
        expect_found(act(stage, scene.link.near, "wait", 200, "{%s,'timeout_ms':0}", condition->json),
                condition->value);
        await_parked(stage, scene.link.near, 0);
}

static void connection_comes(struct stage *stage)
{
        const struct link link = make_link(stage);
        act_refused(stage, link.listener, "wait", "EAGAIN", "{'connection':true,'timeout_ms':10}");
        struct pending *const one = later(stage, link.listener, "wait", "{'connection':true," LONG "}");
        struct pending *const other = later(stage, link.listener, "wait", "{'events':['POLLIN']," LONG "}");
        await_parked(stage, link.listener, 2);
        make(stage, "{'connect':'127.0.0.1:%d'}", link.port);
        expect_found(finish(stage, one, 200), "true");
        expect_found(finish(stage, other, 200), "['POLLIN']");
        act(stage, link.listener, "accept", 201, "{'timeout_ms':0}");
        act_refused(stage, link.listener, "wait", "EAGAIN", "{'connection':true,'timeout_ms':0}");
}

static const struct unsound {
        const char *name, *json, *parameter;
} waits_unsound[] = {
        { "no condition", "{}", "events" },
        { "two conditions", "{'events':['POLLIN'],'receive_queue':1}", "events" },
        { "no such event", "{'events':['POLLIM']}", "events" },
        { "no such state", "{'tcp_state':'TCP_CLOSED'}", "tcp_state" },
        { "no bytes", "{'receive_queue':0}", "receive_queue" },
        { "an option without a level", "{'option':'SO_TYPE','value':1}", "level" },
        { "an option without a value", "{'level':'SOL_SOCKET','option':'SO_TYPE'}", "value" },
        { "a level without an option", "{'level':'SOL_SOCKET','value':1}", "option" },
        { "an option of another level", "{'level':'SOL_SOCKET','option':'TCP_INFO','value':1}", "option" },
        { "an option without a name", "{'level':'SOL_SOCKET','option':9999,'value':1}", "option" },
        { "a member that the option has not",
                "{'level':'SOL_SOCKET','option':'SO_LINGER','value':{'onof':true}}", "value.onof" },
        { "a struct of a number", "{'level':'SOL_SOCKET','option':'SO_TYPE','value':{'x':1}}", "value" },
        { "a flag of a struct", "{'level':'SOL_SOCKET','option':'SO_LINGER','value':true}", "value" },
        { "an option that is consumed", "{'level':'SOL_SOCKET','option':'SO_ERROR','value':0}", "option" },
        { "a misspelt member", "{'event':['POLLIN']}", "event" },
};

static const struct unsound polls_unsound[] = {
        { "no sockets", "{'sockets':[]}", "sockets" },
        { "sockets missing", "{}", "sockets" },
        { "no list", "{'sockets':'none-1'}", "sockets" },
        { "no object", "{'sockets':['none-1']}", "sockets[0]" },
        { "no events", "{'sockets':[{'id':'none-1'}]}", "sockets[0].events" },
        { "no id", "{'sockets':[{'events':[]}]}", "sockets[0].id" },
        { "an unknown id", "{'sockets':[{'id':'none-1','events':[]}]}", "sockets[0].id" },
        { "an event that is no request's", "{'sockets':[{'id':'none-1','events':['POLLNVAL']}]}",
                "sockets[0].events" },
        { "an unknown member", "{'sockets':[{'id':'none-1','events':[],'revents':[]}]}",
                "sockets[0].revents" },
};

static void play_unsound_wait(struct stage *stage, const void *row)
{
        const struct unsound *const unsound = row;
        const struct reply *const reply = act(stage, make(stage, ""), "wait", 400, "%s", unsound->json);
        expect_problem(reply, 400, unsound->parameter);
}

static void play_unsound_poll(struct stage *stage, const void *row)
{
        const struct unsound *const unsound = row;
        expect_problem(post(stage, 400, "/v1/poll", "%s", unsound->json), 400, unsound->parameter);
}

/* What a condition cannot be on such a socket. */
static void wrong_kinds(struct stage *stage)
{
        const struct link link = make_link(stage);
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        act_refused(stage, link.near, "wait", "EINVAL", "{'connection':true}");
        act_refused(stage, link.listener, "wait", "EINVAL", "{'receive_queue':1}");
        act_refused(stage, link.listener, "wait", "EINVAL", "{'send_queue':0}");
        act_refused(stage, pair.near, "wait", "EOPNOTSUPP", "{'tcp_state':'TCP_CLOSE'}");
        act_refused(stage, pair.near, "wait", "EOPNOTSUPP",
                "{'level':'IPPROTO_TCP','option':'TCP_NODELAY','value':true}");
}

/* A list of polled sockets, each for POLLIN; to be freed. */
static char *interests(const char *const *ids, size_t count)
{
        char *list = NULL;
        size_t size = 0;
        FILE *const out = open_memstream(&list, &size);
        assert_non_null(out);
        for (size_t i = 0; i < count; i++)
                fprintf(out, "%s{'id':'%s','events':['POLLIN']}", i > 0 ? "," : "", ids[i]);
        assert_int_equal(fclose(out), 0);
        return list;
}

static void expect_ready(const struct reply *reply, size_t count, const char *const *ids)
{
        assert_int_equal(number_at(reply, "count"), count);
        assert_int_equal(json_array_size(json_at(reply->json, "ready")), count);
        for (size_t i = 0; i < count; i++) {
                char path[64];
                snprintf(path, sizeof path, "ready.%zu.id", i);
                assert_string_equal(text_at(reply, path), ids[i]);
        }
}

/* Each of many ends what waits for any of them, and all that are ready are told of, in their order. */
static void many_sockets(struct stage *stage)
{
        const char *near[MANY], *far[MANY];
        for (size_t i = 0; i < MANY; i++) {
                const struct ends pair = make_pair(stage, "SOCK_STREAM");
                near[i] = pair.near;
                far[i] = pair.far;
        }
        char *const list = interests(near, MANY);
        static const size_t chosen[] = { MANY - 1, 0, MANY / 2 };
        for (size_t i = 0; i < COUNT(chosen); i++) {
                const char *const id = near[chosen[i]];
                struct pending *const polling =
                        later_post(stage, "/v1/poll", "{'sockets':[%s]," LONG "}", list);
                await_parked(stage, near[1], 1);
                act(stage, far[chosen[i]], "send", 200, "{'text':'x'}");
                expect_ready(finish(stage, polling, 200), 1, &id);
                act(stage, id, "recv", 200, "");
        }
        for (size_t i = 0; i < COUNT(chosen); i++)
                act(stage, far[chosen[i]], "send", 200, "{'text':'x'}");
        const char *const all[] = { near[0], near[MANY / 2], near[MANY - 1] };
        expect_ready(post(stage, 200, "/v1/poll", "{'sockets':[%s]}", list), 3, all);
        free(list);
}

static void most_sockets(struct stage *stage)
{
        const char *ids[MOST + 1];
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        for (size_t i = 0; i <= MOST; i++)
                ids[i] = pair.near;
        char *const many = interests(ids, MOST + 1), *const most = interests(ids, MOST);
        expect_problem(post(stage, 400, "/v1/poll", "{'sockets':[%s]}", many), 400, "sockets");
        struct pending *const polling = later_post(stage, "/v1/poll", "{'sockets':[%s]," LONG "}", most);
        await_parked(stage, pair.near, MOST);
        act(stage, pair.far, "send", 200, "{'text':'x'}");
        expect_ready(finish(stage, polling, 200), MOST, ids);
        await_parked(stage, pair.near, 0);
        free(many);
        free(most);
}

/* Each socket has events of its own. */
static void mixed_events(struct stage *stage)
{
        const struct link link = make_link(stage);
        static const char wanted[] = "{'sockets':[{'id':'%s','events':['POLLIN']},{'id':'%s','events':"
                                     "['POLLRDHUP','POLLPRI']},{'id':'%s','events':[]}],%s}";
        expect_errno(
                post(stage, 422, "/v1/poll", wanted, link.listener, link.near, link.far, "'timeout_ms':0"),
                "EAGAIN");
        struct pending *const polling =
                later_post(stage, "/v1/poll", wanted, link.listener, link.near, link.far, LONG);
        await_parked(stage, link.far, 1);
        act(stage, link.far, "shutdown", 200, "{'how':'SHUT_WR'}");
        char *const expected = requote("['POLLRDHUP']");
        const struct reply *const reply = finish(stage, polling, 200);
        expect_ready(reply, 1, &link.near);
        expect_json(json_at(reply->json, "ready.0.revents"), expected);
        free(expected);
}

/* Two that look and two that take: those that look all see it, and those that take keep their order. */
static void beside_receivers(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_DGRAM");
        struct pending *const first = later(stage, pair.near, "recv", "{" LONG "}");
        await_parked(stage, pair.near, 1);
        struct pending *const one = later(stage, pair.near, "wait", "{'events':['POLLIN']," LONG "}");
        struct pending *const other = later_post(
                stage, "/v1/poll", "{'sockets':[{'id':'%s','events':['POLLIN']}]," LONG "}", pair.near);
        await_parked(stage, pair.near, 3);
        struct pending *const second = later(stage, pair.near, "recv", "{" LONG "}");
        await_parked(stage, pair.near, 4);
        act(stage, pair.far, "send", 200, "{'text':'one'}");
        expect_found(finish(stage, one, 200), "['POLLIN']");
        expect_ready(finish(stage, other, 200), 1, &pair.near);
        expect_text(finish(stage, first, 200), "one");
        await_parked(stage, pair.near, 1);
        act(stage, pair.far, "send", 200, "{'text':'two'}");
        expect_text(finish(stage, second, 200), "two");
}

/* What a recv has gathered and left is there for the next one, and so can be seen. */
static void left_unread(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        act(stage, pair.far, "send", 200, "{'text':'abc'}");
        act_refused(stage, pair.near, "recv?until=9&timeout_ms=10", "EAGAIN", "");
        expect_found(act(stage, pair.near, "wait?events=POLLIN&timeout_ms=0", 200, ""), "['POLLIN']");
        struct pending *const waiting = later(stage, pair.near, "wait", "{'receive_queue':5," LONG "}");
        await_parked(stage, pair.near, 1);
        act(stage, pair.far, "send", 200, "{'text':'de'}");
        expect_found(finish(stage, waiting, 200), "5");
        expect_text(act(stage, pair.near, "recv?until=5", 200, ""), "abcde");
        act_refused(stage, pair.near, "wait?events=POLLIN&timeout_ms=0", "EAGAIN", "");
}

/* The kernel does not tell of fewer bytes than SO_RCVLOWAT. */
static void below_the_low_water_mark(struct stage *stage)
{
        const struct link link = make_link(stage);
        act(stage, link.near, "setsockopt", 200,
                "{'level':'SOL_SOCKET','option':'SO_RCVLOWAT','value':1000}");
        struct pending *const waiting = later(stage, link.near, "wait", "{'receive_queue':3," LONG "}");
        await_parked(stage, link.near, 1);
        act(stage, link.far, "send", 200, "{'text':'abc'}");
        expect_found(finish(stage, waiting, 200), "3");
}

/* A socket that a reactor serves can be looked at all the same. */
static void beside_a_reactor(struct stage *stage)
{
        const struct link link = make_link(stage);
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/reactor", link.near);
        const struct request request = { .method = "PUT", .path = path, .json = "{\"kind\":\"echo\"}" };
        expect_status(stage_keep(stage, exchange(stage->client, &request)), 200);
        struct pending *const waiting = later(stage, link.near, "wait", "{'events':['POLLRDHUP']," LONG "}");
        struct pending *const polling = later_post(
                stage, "/v1/poll", "{'sockets':[{'id':'%s','events':['POLLIN']}]," LONG "}", link.far);
        await_parked(stage, link.far, 1);
        act(stage, link.far, "send", 200, "{'text':'echo'}");
        expect_ready(finish(stage, polling, 200), 1, &link.far);
        expect_text(act(stage, link.far, "recv?until=4", 200, ""), "echo");
        act(stage, link.far, "shutdown", 200, "{'how':'SHUT_WR'}");
        expect_status(finish(stage, waiting, 200), 200);
}

/* In a batch they take the place of a sleep. */
static void in_a_batch(struct stage *stage)
{
        const struct reply *const reply = post(stage, 200, "/v1/batch",
                "{'steps':[{'name':'pair','path':'/v1/socketpairs'},"
                "{'path':'/v1/sockets/{pair/sockets/0/id}/wait','body':{'receive_queue':3},'parallel':true},"
                "{'path':'/v1/poll','body':{'sockets':[{'id':{'$ref':'pair/sockets/0/id'},"
                "'events':['POLLIN']}]},'parallel':true},"
                "{'path':'/v1/sockets/{pair/sockets/1/id}/send','body':{'text':'abc'},'parallel':true}]}");
        assert_true(json_is_null(json_at(reply->json, "failed")));
        assert_int_equal(number_at(reply, "results.1.body.value"), 3);
        assert_int_equal(number_at(reply, "results.2.body.count"), 1);
}

static void closed_meanwhile(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM"), other = make_pair(stage, "SOCK_STREAM");
        static const char *const waits[] = { "{'events':['POLLIN']," LONG "}", "{'receive_queue':1," LONG "}",
                "{'level':'SOL_SOCKET','option':'SO_KEEPALIVE','value':true," LONG "}" };
        struct pending *waiting[COUNT(waits) + 1];
        for (size_t i = 0; i < COUNT(waits); i++)
                waiting[i] = later(stage, pair.near, "wait", "%s", waits[i]);
        waiting[COUNT(waits)] = later_post(stage, "/v1/poll",
                "{'sockets':[{'id':'%s','events':['POLLIN']},{'id':'%s','events':['POLLIN']}]," LONG "}",
                other.near, pair.near);
        await_parked(stage, pair.near, COUNT(waiting));
        struct pending *const receiving = later(stage, pair.near, "recv", "{" LONG "}");
        await_parked(stage, pair.near, COUNT(waiting) + 1);
        drop(stage, 204, "/v1/sockets/%s", pair.near);
        for (size_t i = 0; i < COUNT(waiting); i++)
                expect_errno(finish(stage, waiting[i], 422), "ECANCELED");
        expect_errno(finish(stage, receiving, 422), "ECANCELED");
        await_parked(stage, other.near, 0);
}

static void deadlines(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        const int64_t started = milliseconds();
        const struct reply *const waited =
                act_refused(stage, pair.near, "wait?receive_queue=1&timeout_ms=60", "EAGAIN", "");
        const struct reply *const polled = post(stage, 422, "/v1/poll",
                "{'sockets':[{'id':'%s','events':['POLLIN']}],'timeout_ms':60}", pair.near);
        assert_in_range(milliseconds() - started, 119, 10000);
        expect_errno(polled, "EAGAIN");
        assert_true(flag_at(waited, "timed_out") && flag_at(polled, "timed_out"));
        act(stage, pair.near, "wait", 200, "{'events':['POLLIN'],'timeout_ms':0,'expect':['EAGAIN']}");
}

/* A client goes away: nobody waits any more. */
static void client_vanishes(struct stage *stage)
{
        const struct ends pair = make_pair(stage, "SOCK_STREAM");
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/wait?events=POLLIN&timeout_ms=20000", pair.near);
        const int fd = wire_open(stage->daemon, OVER_UNIX);
        wire_post(fd, stage->daemon, path);
        await_parked(stage, pair.near, 1);
        close(fd);
        await_parked(stage, pair.near, 0);
}

static void shutdown_answers(struct stage *stage)
{
        struct stage other;
        stage_open(&other, NULL);
        const struct ends pair = make_pair(&other, "SOCK_STREAM");
        struct pending *const waiting = later(&other, pair.near, "wait", "{'events':['POLLIN']," LONG "}");
        struct pending *const polling =
                later_post(&other, "/v1/poll", "{'sockets':[{'id':'%s','events':[]}]," LONG "}", pair.far);
        await_parked(&other, pair.near, 1);
        await_parked(&other, pair.far, 1);
        daemon_terminate(other.daemon);
        expect_problem(finish(&other, waiting, 503), 503, NULL);
        expect_problem(finish(&other, polling, 503), 503, NULL);
        daemon_wait(other.daemon);
        stage_close(&other, stage);
}

static const struct scenario scenarios[] = {
        { "a connection comes", connection_comes },
        { "wrong kinds of socket", wrong_kinds },
        { "many sockets", many_sockets },
        { "the most sockets", most_sockets },
        { "mixed events", mixed_events },
        { "beside receivers", beside_receivers },
        { "left unread", left_unread },
        { "below the low-water mark", below_the_low_water_mark },
        { "beside a reactor", beside_a_reactor },
        { "in a batch", in_a_batch },
        { "closed meanwhile", closed_meanwhile },
        { "deadlines", deadlines },
        { "a client vanishes", client_vanishes },
        { "shutdown answers", shutdown_answers },
};

int main(void)
{
        SUITE_ADD_ROWS(play_condition, conditions);
        SUITE_ADD_ROWS(play_unsound_wait, waits_unsound);
        SUITE_ADD_ROWS(play_unsound_poll, polls_unsound);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("poll", NULL);
}
