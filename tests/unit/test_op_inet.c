/* test_op_inet.c: the helpers of op_inet.c as calls: what they answer, and what they refuse. */
#include <net/if.h>
#include <semaphore.h>

#include "api/call.h"
#include "api/problem.h"
#include "daemon/sockets/background.h"
#include "daemon/sockets/cleanup.h"
#include "tests/unit/rows.h"

struct inet_row {
        const char *name;
        const char *operation;
        const char *query[4][2]; /* names and values */
        int status;
        const char *reply; /* members that the reply must have, JSON */
};

static const struct inet_row inet_rows[] = {
        { "inet_aton, dotted", "inet_aton", { { "address", "123.45.67.89" } }, 200,
                "{\"packed\":\"ey1DWQ==\"}" },
        { "inet_aton, two parts", "inet_aton", { { "address", "127.1" } }, 200, "{\"packed\":\"fwAAAQ==\"}" },
        { "inet_aton, hexadecimal", "inet_aton", { { "address", "0x7f000001" } }, 200,
                "{\"packed\":\"fwAAAQ==\"}" },
        { "inet_aton, text behind", "inet_aton", { { "address", "127.0.0.1 x" } }, 200,
                "{\"packed\":\"fwAAAQ==\"}" },
        { "inet_aton, none", "inet_aton", { { "address", "256.1.1.1" } }, 400,
                "{\"parameter\":\"address\"}" },
        { "inet_aton, empty", "inet_aton", { { "address", "" } }, 400, "{\"parameter\":\"address\"}" },
        { "inet_aton, missing", "inet_aton", { { NULL } }, 400, "{\"parameter\":\"address\"}" },
        { "inet_ntoa", "inet_ntoa", { { "packed", "ey1DWQ==" } }, 200, "{\"address\":\"123.45.67.89\"}" },
        { "inet_ntoa, three bytes", "inet_ntoa", { { "packed", "AQID" } }, 400,
                "{\"parameter\":\"packed\"}" },
        { "inet_ntoa, five bytes", "inet_ntoa", { { "packed", "AQIDBAU=" } }, 400,
                "{\"parameter\":\"packed\"}" },
        { "inet_pton, IPv4", "inet_pton", { { "family", "AF_INET" }, { "address", "127.0.0.1" } }, 200,
                "{\"packed\":\"fwAAAQ==\"}" },
        { "inet_pton, IPv6", "inet_pton", { { "family", "AF_INET6" }, { "address", "::1" } }, 200,
                "{\"packed\":\"AAAAAAAAAAAAAAAAAAAAAQ==\"}" },
        { "inet_pton, two parts", "inet_pton", { { "family", "AF_INET" }, { "address", "127.1" } }, 400,
                "{\"parameter\":\"address\"}" },
        { "inet_pton, another family", "inet_pton", { { "family", "AF_UNIX" }, { "address", "127.1" } }, 422,
                "{\"errno\":\"EAFNOSUPPORT\",\"call\":\"inet_pton\"}" },
        { "inet_ntop, IPv4", "inet_ntop", { { "family", "AF_INET" }, { "packed", "fwAAAQ==" } }, 200,
                "{\"address\":\"127.0.0.1\"}" },
        { "inet_ntop, IPv6", "inet_ntop",
                { { "family", "AF_INET6" }, { "packed", "AAAAAAAAAAAAAAAAAAAAAQ==" } }, 200,
                "{\"address\":\"::1\"}" },
        { "inet_ntop, wrong size", "inet_ntop", { { "family", "AF_INET6" }, { "packed", "fwAAAQ==" } }, 400,
                "{\"parameter\":\"packed\"}" },
        { "inet_ntop, another family", "inet_ntop", { { "family", "77" }, { "packed", "" } }, 422,
                "{\"errno\":\"EAFNOSUPPORT\",\"call\":\"inet_ntop\"}" },
        { "getaddrinfo, numeric", "getaddrinfo",
                { { "host", "127.0.0.1" }, { "service", "80" }, { "type", "SOCK_STREAM" },
                        { "flags", "AI_NUMERICHOST" } },
                200,
                "{\"addresses\":[{\"family\":\"AF_INET\",\"type\":\"SOCK_STREAM\",\"protocol\":\"IPPROTO_"
                "TCP\",\"address\":"
                "{\"family\":\"AF_INET\",\"host\":\"127.0.0.1\",\"port\":80},\"canonical_name\":null}]}" },
        { "getaddrinfo, canonical name", "getaddrinfo",
                { { "host", "::1" }, { "type", "SOCK_DGRAM" }, { "flags", "AI_CANONNAME,AI_NUMERICHOST" } },
                200,
                "{\"addresses\":[{\"family\":\"AF_INET6\",\"type\":\"SOCK_DGRAM\",\"protocol\":\"IPPROTO_"
                "UDP\",\"address\":"
                "{\"family\":\"AF_INET6\",\"host\":\"::1\",\"port\":0,\"scope_id\":0,\"flowinfo\":0},"
                "\"canonical_name\":\"::1\"}]}" },
        { "getaddrinfo, nothing asked for", "getaddrinfo", { { NULL } }, 422,
                "{\"call\":\"getaddrinfo\",\"errno\":\"EAI_NONAME\",\"errno_number\":-2}" },
        { "getaddrinfo, no number", "getaddrinfo", { { "host", "localhost" }, { "flags", "AI_NUMERICHOST" } },
                422, "{\"call\":\"getaddrinfo\",\"errno\":\"EAI_NONAME\"}" },
        { "getaddrinfo, misspelt flag", "getaddrinfo", { { "host", "::1" }, { "flags", "AI_PASIVE" } }, 400,
                "{\"parameter\":\"flags\"}" },
        { "getnameinfo, numeric", "getnameinfo",
                { { "address", "[::1]:80" }, { "flags", "NI_NUMERICHOST|NI_NUMERICSERV" } }, 200,
                "{\"host\":\"::1\",\"service\":\"80\"}" },
        { "getnameinfo, a name first", "getnameinfo",
                { { "address", "localhost:80" }, { "flags", "NI_NUMERICSERV" } }, 200,
                "{\"service\":\"80\"}" },
        { "getnameinfo, no names there", "getnameinfo", { { "address", "{\"family\":\"AF_NETLINK\"}" } }, 422,
                "{\"call\":\"getnameinfo\",\"errno\":\"EAI_FAMILY\"}" },
        { "getnameinfo, bad address", "getnameinfo", { { "address", "::1" } }, 400,
                "{\"parameter\":\"address\"}" },
};

static struct service service = {
        .default_timeout_ms = 30000, .max_timeout_ms = 30000, .max_body_size = 65536
};

/* A call whose owner waits for it. */
struct held_call {
        struct call call; /* first, so that a call is its owner */
        sem_t resumed;
};

static void suspend_held(struct call *call)
{
        (void)call;
}

static void resume_held(struct call *call)
{
        sem_post(&((struct held_call *)call)->resumed);
}

static const struct operation *operation_named(const char *name)
{
        for (size_t i = 0; i < operation_count; i++)
                if (strcmp(operations[i].name, name) == 0)
                        return &operations[i];
        fail_msg("no operation %s", name);
        return NULL;
}

static bool prepare(struct call *call, const struct inet_row *row)
{
        if (!call_begin(call, &service, operation_named(row->operation), NULL))
                return false;
        for (size_t i = 0; i < 4 && row->query[i][0] != NULL; i++)
                if (!call_add_query(call, row->query[i][0], row->query[i][1], strlen(row->query[i][1])))
                        return false;
        return call_decode(call);
}

/* The reply's JSON, a new reference. */
static json_t *run(const struct inet_row *row, int *status)
{
        struct held_call held = { .call = {
                                          .suspend = suspend_held, .resume = resume_held, .client_fd = -1 } };
        struct call_reply reply = { .status = 0 };
        sem_init(&held.resumed, 0, 0);
        if (prepare(&held.call, row))
                while (call_run(&held.call) == CALL_PARKED)
                        while (sem_wait(&held.resumed) != 0)
                                assert_int_equal(errno, EINTR);
        assert_true(call_reply(&held.call, &reply));
        call_release(&held.call);
        sem_destroy(&held.resumed);
        json_t *const json = json_loadb((const char *)reply.body, reply.size, 0, NULL);
        *status = reply.status;
        free(reply.body);
        free(reply.members);
        return json;
}

static void inet(void **state)
{
        const struct inet_row *const row = *state;
        int status = 0;
        const char *name = NULL;
        json_t *value = NULL;
        json_auto_t *wanted = json_loads(row->reply, 0, NULL);
        json_auto_t *reply = run(row, &status);
        memory_auto char *text = json_dumps(reply, JSON_COMPACT);
        if (status != row->status)
                fail_msg("%d %s", status, text);
        json_object_foreach(wanted, name, value) if (!json_equal(json_object_get(reply, name), value))
                fail_msg("%s differs: %s", name, text);
}

static void interfaces(void **state)
{
        (void)state;
        static const struct inet_row row = { .operation = "if_nameindex" };
        int status = 0;
        bool found = false;
        json_auto_t *reply = run(&row, &status);
        json_t *const list = json_object_get(reply, "interfaces");
        assert_int_equal(status, 200);
        for (size_t i = 0; i < json_array_size(list); i++) {
                json_t *const each = json_array_get(list, i);
                const char *const name = json_string_value(json_object_get(each, "name"));
                if (strcmp(name, "lo") == 0)
                        found = json_integer_value(json_object_get(each, "index")) == if_nametoindex("lo");
        }
        assert_true(found);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, inet, inet_rows);
        rows_add_one(&all, "interfaces", interfaces);
        service.waiter = waiter_new(64);
        service.registry = registry_new(64);
        if (service.waiter == NULL || service.registry == NULL)
                return EXIT_FAILURE;
        const int failed = rows_run("op_inet", &all);
        if (!background_stop(now_ns() + INT64_C(60000000000)))
                return EXIT_FAILURE;
        waiter_shut_down(service.waiter);
        waiter_free(service.waiter);
        registry_free(service.registry);
        return failed;
}
