/* test_inet.c: the helpers without a socket: addresses as text and bytes, name resolution, constants, the
 * service. */
#include <string.h>

#include "tests/http/steps.h"

/* One GET each. */
static const struct answer {
        const char *name, *path;
        int status;
        const char *member, *value; /* of a 200; of a 400 the parameter, without a value */
} answers[] = {
        { "aton", "/v1/inet_aton?address=123.45.67.89", 200, "packed", "'ey1DWQ=='" },
        { "aton, two parts", "/v1/inet_aton?address=127.1", 200, "packed", "'fwAAAQ=='" },
        { "aton, hexadecimal", "/v1/inet_aton?address=0x7f000001", 200, "packed", "'fwAAAQ=='" },
        { "aton, octal", "/v1/inet_aton?address=0177.0.0.1", 200, "packed", "'fwAAAQ=='" },
        { "aton, all ones", "/v1/inet_aton?address=255.255.255.255", 200, "packed", "'/////w=='" },
        { "aton, too large", "/v1/inet_aton?address=256.1.1.1", 400, "address", NULL },
        { "aton, a name", "/v1/inet_aton?address=localhost", 400, "address", NULL },
        { "aton, nothing", "/v1/inet_aton?address=", 400, "address", NULL },
        { "aton, absent", "/v1/inet_aton", 400, "address", NULL },
        { "aton, doubled", "/v1/inet_aton?address=1.1.1.1&address=1.1.1.2", 400, "address", NULL },
        { "aton, unknown parameter", "/v1/inet_aton?address=1.1.1.1&adress=1.1.1.2", 400, "adress", NULL },
        { "ntoa", "/v1/inet_ntoa?packed=ey1DWQ%3D%3D", 200, "address", "'123.45.67.89'" },
        { "ntoa, unescaped", "/v1/inet_ntoa?packed=ey1DWQ==", 200, "address", "'123.45.67.89'" },
        { "ntoa, three bytes", "/v1/inet_ntoa?packed=ey1D", 400, "packed", NULL },
        { "ntoa, six bytes", "/v1/inet_ntoa?packed=ey1DWXst", 400, "packed", NULL },
        { "ntoa, no base64", "/v1/inet_ntoa?packed=****", 400, "packed", NULL },
        { "pton", "/v1/inet_pton?family=AF_INET&address=1.2.3.4", 200, "packed", "'AQIDBA=='" },
        { "pton, IPv6", "/v1/inet_pton?family=AF_INET6&address=::1", 200, "packed",
                "'AAAAAAAAAAAAAAAAAAAAAQ=='" },
        { "pton, family by number", "/v1/inet_pton?family=10&address=::1", 200, "packed",
                "'AAAAAAAAAAAAAAAAAAAAAQ=='" },
        { "pton is strict", "/v1/inet_pton?family=AF_INET&address=127.1", 400, "address", NULL },
        { "pton, wrong family", "/v1/inet_pton?family=AF_INET&address=::1", 400, "address", NULL },
        { "pton, mistyped family", "/v1/inet_pton?family=AF_INTE&address=::1", 400, "family", NULL },
        { "ntop", "/v1/inet_ntop?family=AF_INET&packed=AQIDBA%3D%3D", 200, "address", "'1.2.3.4'" },
        { "ntop, IPv6", "/v1/inet_ntop?family=AF_INET6&packed=AAAAAAAAAAAAAAAAAAAAAQ%3D%3D", 200, "address",
                "'::1'" },
        { "ntop, wrong length", "/v1/inet_ntop?family=AF_INET6&packed=AQIDBA%3D%3D", 400, "packed", NULL },
        { "pton, a family without", "/v1/inet_pton?family=AF_UNIX&address=x", 422, NULL, NULL },
        { "ntop, a family without", "/v1/inet_ntop?family=AF_UNIX&packed=AQIDBA%3D%3D", 422, NULL, NULL },
        { "nameinfo, no name wanted and needed",
                "/v1/getnameinfo?address=127.0.0.1:80&flags=NI_NUMERICHOST,NI_NAMEREQD", 422, NULL, NULL },
        { "health", "/healthz", 200, "status", NULL },
        { "readiness", "/readyz", 200, "status", NULL },
        { "version", "/version", 200, "version", "'" SOCKWRIGHT_VERSION "'" },
        { "kernel", "/version", 200, "kernel", NULL },
        { "nameinfo", "/v1/getnameinfo?address=127.0.0.1:80&flags=NI_NUMERICHOST,NI_NUMERICSERV", 200, "host",
                "'127.0.0.1'" },
        { "nameinfo's service", "/v1/getnameinfo?address=127.0.0.1:80&flags=NI_NUMERICHOST,NI_NUMERICSERV",
                200, "service", "'80'" },
        { "nameinfo, no address", "/v1/getnameinfo?address=nonsense", 400, "address", NULL },
        { "addrinfo, nothing asked", "/v1/getaddrinfo", 422, NULL, NULL },
};

static void play_answer(struct stage *stage, const void *row)
{
        const struct answer *const answer = row;
        const struct reply *const reply = get(stage, answer->status, "%s", answer->path);
        if (answer->status != 200)
                expect_problem(reply, answer->status, answer->member);
        else if (answer->value)
                expect_json(json_at(reply->json, answer->member), answer->value);
        else
                assert_true(*text_at(reply, answer->member));
}

static void numeric_resolution(struct stage *stage)
{
        const struct reply *const reply = get(stage, 200,
                "/v1/getaddrinfo?host=127.0.0.1&service=80&type=SOCK_STREAM&flags=AI_NUMERICHOST");
        assert_int_equal(json_array_size(json_at(reply->json, "addresses")), 1);
        assert_string_equal(text_at(reply, "addresses.0.address.host"), "127.0.0.1");
        assert_int_equal(number_at(reply, "addresses.0.address.port"), 80);
        assert_string_equal(text_at(reply, "addresses.0.type"), "SOCK_STREAM");
}

/* In /etc/hosts, so no name server is asked. */
static void localhost(struct stage *stage)
{
        const struct reply *const reply = get(stage, 200, "/v1/getaddrinfo?host=localhost&family=AF_INET");
        assert_string_equal(text_at(reply, "addresses.0.address.host"), "127.0.0.1");
        const struct reply *const server =
                post(stage, 201, "/v1/sockets", "{'bind':'127.0.0.1:0','listen':true}");
        const char *const id =
                make(stage, "{'connect':'localhost:%d'}", (int)number_at(server, "local.port"));
        assert_string_equal(text_at(get(stage, 200, "/v1/sockets/%s", id), "peer.host"), "127.0.0.1");
}

static void unknown_name(struct stage *stage)
{
        const struct reply *const reply =
                get(stage, 422, "/v1/getaddrinfo?host=127.0.0.300&flags=AI_NUMERICHOST");
        expect_problem(reply, 422, NULL);
        assert_non_null(strstr(reply->body, "EAI_NONAME"));
}

/* Where no name server can be asked, that is what it says. */
static void expected_unknown_name(struct stage *stage)
{
        const struct reply *const reply =
                get(stage, 200, "/v1/getaddrinfo?host=no-such-host.invalid&expect=EAI_NONAME,EAI_AGAIN");
        assert_string_equal(text_at(reply, "call"), "getaddrinfo");
        const char *const name = text_at(reply, "errno");
        assert_true(strcmp(name, "EAI_NONAME") == 0 || strcmp(name, "EAI_AGAIN") == 0);
}

static void interfaces(struct stage *stage)
{
        const struct reply *const reply = get(stage, 200, "/v1/if_nameindex");
        assert_string_equal(text_at(reply, "interfaces.0.name"), "lo");
        assert_int_equal(number_at(reply, "interfaces.0.index"), 1);
}

static void constants(struct stage *stage)
{
        const struct reply *const reply = get(stage, 200, "/v1/constants");
        static const char *const some[] = { "AF_INET", "SOCK_SEQPACKET", "MSG_PEEK", "ECONNREFUSED",
                "SO_REUSEADDR", "TCP_NODELAY", "IPV6_V6ONLY", "SHUT_RDWR", "AI_PASSIVE", "NI_NUMERICHOST" };
        for (size_t i = 0; i < COUNT(some); i++)
                if (!strstr(reply->body, some[i]))
                        fail_msg("%s is missing", some[i]);
}

static void documents(struct stage *stage)
{
        const struct reply *const yaml = get(stage, 200, "/openapi.yaml");
        assert_int_equal(strncmp(yaml->body, "openapi: ", 9), 0);
        const struct reply *const json = get(stage, 200, "/openapi.json");
        assert_int_equal(strncmp(text_at(json, "openapi"), "3.1", 3), 0);
        assert_non_null(json_object_get(json_at(json->json, "paths"), "/v1/sockets/{id}/recv"));
}

static const struct scenario scenarios[] = {
        { "numeric resolution", numeric_resolution },
        { "localhost", localhost },
        { "unknown name", unknown_name },
        { "expected unknown name", expected_unknown_name },
        { "interfaces", interfaces },
        { "constants", constants },
        { "documents", documents },
};

int main(void)
{
        SUITE_ADD_ROWS(play_answer, answers);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("inet", NULL);
}
