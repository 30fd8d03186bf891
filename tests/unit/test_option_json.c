/* test_option_json.c: socket options on real sockets, from JSON to the kernel and back. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "api/option_json.h"
#include "daemon/sockets/cleanup.h"
#include "tests/unit/rows.h"

struct kind_of_socket {
        int family, type;
};
static const struct kind_of_socket TCP = { AF_INET, SOCK_STREAM };
static const struct kind_of_socket TCP6 = { AF_INET6, SOCK_STREAM };
static const struct kind_of_socket UDP = { AF_INET, SOCK_DGRAM };
static const struct kind_of_socket UDP6 = { AF_INET6, SOCK_DGRAM };
static const struct kind_of_socket UNIX = { AF_UNIX, SOCK_STREAM };

/* Sets an option on a new socket and reads it back. */
struct round {
        const char *name;
        const struct kind_of_socket *socket;
        const char *set;  /* JSON of the setting */
        const char *read; /* JSON of the value read back; NULL: the option cannot be read */
};

static const struct round rounds[] = {
        { "flag", &TCP, "{'level':'SOL_SOCKET','option':'SO_REUSEADDR','value':true}", "true" },
        { "flag by 1", &TCP, "{'level':'SOL_SOCKET','option':'SO_KEEPALIVE','value':1}", "true" },
        { "flag by numbers", &TCP, "{'level':6,'option':1,'value':true}", "true" },
        { "level by another name", &TCP, "{'level':'SOL_TCP','option':'TCP_NODELAY','value':true}", "true" },
        { "a flag's other direction", &UDP, "{'level':0,'option':'IP_MULTICAST_LOOP','value':false}",
                "false" },
        { "integer", &TCP, "{'level':'IPPROTO_TCP','option':'TCP_KEEPIDLE','value':33}", "33" },
        { "buffer reads doubled", &UDP, "{'level':'SOL_SOCKET','option':'SO_RCVBUF','value':8192}", "16384" },
        { "unsigned", &TCP, "{'level':'IPPROTO_TCP','option':'TCP_USER_TIMEOUT','value':1234}", "1234" },
        { "unsigned from 2^31 on", &TCP,
                "{'level':'IPPROTO_TCP','option':'TCP_NOTSENT_LOWAT','value':4294967295}", "4294967295" },
        { "64 bits", &TCP, "{'level':'SOL_SOCKET','option':'SO_MAX_PACING_RATE','value':8589934592}",
                "8589934592" },
        { "64 bits, all set", &TCP,
                "{'level':'SOL_SOCKET','option':'SO_MAX_PACING_RATE','value':'18446744073709551615'}",
                "'18446744073709551615'" },
        { "linger", &TCP, "{'level':'SOL_SOCKET','option':'SO_LINGER','value':{'onoff':true,'linger':7}}",
                "{'onoff':true,'linger':7}" },
        { "dont linger", &TCP, "{'level':'SOL_SOCKET','option':'SO_DONTLINGER','value':true}", "true" },
        { "do linger", &TCP, "{'level':'SOL_SOCKET','option':'SO_DONTLINGER','value':false}", "false" },
        { "time", &UDP,
                "{'level':'SOL_SOCKET','option':'SO_RCVTIMEO','value':{'seconds':2,'microseconds':500000}}",
                "{'seconds':2,'microseconds':500000}" },
        { "time, microseconds left out", &UNIX,
                "{'level':'SOL_SOCKET','option':'SO_SNDTIMEO','value':{'seconds':3}}",
                "{'seconds':3,'microseconds':0}" },
        { "string", &TCP, "{'level':'IPPROTO_TCP','option':'TCP_CONGESTION','value':'reno'}", "'reno'" },
        { "device", &UDP, "{'level':'SOL_SOCKET','option':'SO_BINDTODEVICE','value':'lo'}", "'lo'" },
        { "device by name where an index is meant", &UDP,
                "{'level':'SOL_SOCKET','option':'SO_BINDTOIFINDEX','value':'lo'}", "'lo'" },
        { "flags by name", &UDP,
                "{'level':'SOL_SOCKET','option':'SO_TIMESTAMPING','value':['SOF_TIMESTAMPING_SOFTWARE']}",
                "['SOF_TIMESTAMPING_SOFTWARE']" },
        { "constant", &UDP, "{'level':'IPPROTO_IP','option':'IP_MTU_DISCOVER','value':'IP_PMTUDISC_DO'}",
                "'IP_PMTUDISC_DO'" },
        { "IPv6 constant", &UDP6,
                "{'level':'IPPROTO_IPV6','option':'IPV6_MTU_DISCOVER','value':'IPV6_PMTUDISC_PROBE'}",
                "'IPV6_PMTUDISC_PROBE'" },
        { "multicast interface by address", &UDP,
                "{'level':'IPPROTO_IP','option':'IP_MULTICAST_IF','value':'127.0.0.1'}", "'127.0.0.1'" },
        { "multicast interface by name", &UDP,
                "{'level':'IPPROTO_IP','option':'IP_MULTICAST_IF','value':{'interface':'lo'}}", "'0.0.0.0'" },
        { "IPv6 multicast interface", &UDP6,
                "{'level':'IPPROTO_IPV6','option':'IPV6_MULTICAST_IF','value':'lo'}", "'lo'" },
        { "network order interface", &UDP, "{'level':'IPPROTO_IP','option':'IP_UNICAST_IF','value':'lo'}",
                "'lo'" },
        { "membership", &UDP,
                "{'level':'IPPROTO_IP','option':'IP_ADD_MEMBERSHIP','value':{'group':'239.1.2.3','interface':"
                "'lo'}}",
                NULL },
        { "membership by address", &UDP,
                "{'level':0,'option':'IP_ADD_MEMBERSHIP','value':{'group':'239.1.2.3','address':'127.0.0.1'}"
                "}",
                NULL },
        { "source membership", &UDP,
                "{'level':'IPPROTO_IP','option':'IP_ADD_SOURCE_MEMBERSHIP','value':{'group':'232.1.2.3',"
                "'interface_address':'127.0.0.1','source':'127.0.0.9'}}",
                NULL },
        { "IPv6 membership", &UDP6,
                "{'level':'IPPROTO_IPV6','option':'IPV6_JOIN_GROUP','value':{'group':'ff01::1:3','interface':"
                "1}}",
                NULL },
        { "group", &UDP,
                "{'level':'IPPROTO_IP','option':'MCAST_JOIN_GROUP','value':{'group':'239.1.2.3','interface':'"
                "lo'}}",
                NULL },
        { "group and source over IPv6", &UDP6,
                "{'level':'IPPROTO_IPV6','option':'MCAST_JOIN_SOURCE_GROUP','value':{'group':'ff31::1:3',"
                "'interface':'lo','source':'::1'}}",
                NULL },
        { "IPv6 hops", &UDP6, "{'level':'IPPROTO_IPV6','option':'IPV6_UNICAST_HOPS','value':9}", "9" },
        { "IPv6 alone", &TCP6, "{'level':'IPPROTO_IPV6','option':'IPV6_V6ONLY','value':true}", "true" },
        { "datagram segments", &UDP, "{'level':'IPPROTO_UDP','option':'UDP_SEGMENT','value':1000}", "1000" },
        { "raw", &TCP, "{'level':'IPPROTO_TCP','option':'TCP_KEEPCNT','raw':'BQAAAA=='}", "5" },
        { "raw by number", &TCP, "{'level':6,'option':6,'raw':'BAAAAA=='}", "4" },
        { "integer for a number without a row", &TCP, "{'level':6,'option':19,'value':0}", "0" },
};

static json_t *json_from(const char *text)
{
        char copy[512];
        snprintf(copy, sizeof copy, "%s", text);
        for (char *at = copy; *at; at++)
                if (*at == '\'')
                        *at = '"';
        json_t *json = json_loads(copy, JSON_DECODE_ANY, NULL);
        assert_non_null(json);
        return json;
}

static void free_json(json_t **json)
{
        json_decref(*json);
}
#define json_scope __attribute__((cleanup(free_json))) json_t

static struct service service;

static void free_call(struct call *call)
{
        arena_free(&call->arena);
}
#define call_scope __attribute__((cleanup(free_call))) struct call

static bool decode(struct call *call, struct problem *problem, json_t *json, struct setting *out)
{
        struct decoder decoder = { .arena = &call->arena, .problem = problem };
        return decode_setting(&decoder, json, out);
}

static void sets_and_reads_back(void **state)
{
        const struct round *row = *state;
        fd_auto int fd = socket(row->socket->family, row->socket->type, 0);
        assert_true(fd >= 0);
        call_scope call = { .client_fd = -1, .service = &service };
        struct problem problem = { .extra = NULL };
        struct setting setting;
        json_scope *set = json_from(row->set);
        if (!decode(&call, &problem, set, &setting))
                fail_msg("%s", problem.detail);
        const struct result result = setting_apply(&call, fd, &setting, "");
        if (result.kind != RESULT_DONE)
                fail_msg("%s: %s", strerror(result.error), call.problem ? call.problem->detail : "");

        struct value value = { .json = NULL };
        struct binary raw = { .given = false };
        const struct result read =
                option_read(&call.arena, fd, setting.level, setting.option, 0, &value, &raw);
        if (!row->read) {
                assert_int_equal(read.kind, RESULT_REFUSED);
                return;
        }
        json_scope *got = value.json;
        json_scope *expected = json_from(row->read);
        assert_int_equal(read.kind, RESULT_DONE);
        assert_true(raw.given);
        if (!json_equal(got, expected))
                fail_msg("%s", json_dumps(got, JSON_ENCODE_ANY));
}

/* Settings that are wrong before the kernel sees them, or that it refuses. */
struct wrong {
        const char *name;
        const struct kind_of_socket *socket;
        const char *set;
        const char *parameter; /* NULL: the kernel refuses */
        const char *says;      /* part of the detail; or the errno's name */
};

static const struct wrong wrongs[] = {
        { "level missing", &TCP, "{'option':'SO_DEBUG','value':true}", "level", "missing" },
        { "option missing", &TCP, "{'level':'SOL_SOCKET','value':true}", "option", "missing" },
        { "value missing", &TCP, "{'level':'SOL_SOCKET','option':'SO_DEBUG'}", "value", "missing" },
        { "value and raw", &TCP, "{'level':1,'option':'SO_DEBUG','value':true,'raw':''}", "raw", "beside" },
        { "unknown member", &TCP, "{'level':1,'option':'SO_DEBUG','valu':true}", "valu", "value" },
        { "no object", &TCP, "[1]", "", "object" },
        { "unknown level", &TCP, "{'level':'SOL_SOCKT','option':'SO_DEBUG','value':true}", "level",
                "SOL_SOCKET" },
        { "mistyped option", &TCP, "{'level':'SOL_SOCKET','option':'SO_REUSEADR','value':true}", "option",
                "did you mean \"SO_REUSEADDR\"" },
        { "another level's option", &TCP, "{'level':'SOL_SOCKET','option':'TCP_NODELAY','value':true}",
                "option", "belongs to IPPROTO_TCP" },
        { "option of the wrong type", &TCP, "{'level':'SOL_SOCKET','option':[],'value':true}", "option",
                "a list" },
        { "option out of range", &TCP, "{'level':1,'option':4294967296,'value':true}", "option", "from" },
        { "flag of the wrong type", &TCP, "{'level':1,'option':'SO_DEBUG','value':'yes'}", "value",
                "true or" },
        { "flag of 2", &TCP, "{'level':1,'option':'SO_DEBUG','value':2}", "value", "from 0 to 1" },
        { "integer too large", &TCP, "{'level':1,'option':'SO_RCVBUF','value':2147483648}", "value",
                "2147483647" },
        { "integer of the wrong type", &TCP, "{'level':1,'option':'SO_RCVBUF','value':1.5}", "value",
                "integer" },
        { "unsigned below zero", &TCP, "{'level':1,'option':'SO_MARK','value':-1}", "value", "from 0" },
        { "64 bits of letters", &TCP, "{'level':1,'option':'SO_MAX_PACING_RATE','value':'x'}", "value",
                "number" },
        { "64 bits too large", &TCP,
                "{'level':1,'option':'SO_MAX_PACING_RATE','value':'18446744073709551616'}", "value",
                "number" },
        { "member missing", &TCP, "{'level':1,'option':'SO_LINGER','value':{'linger':1}}", "value.onoff",
                "missing" },
        { "member too large", &TCP,
                "{'level':1,'option':'SO_LINGER','value':{'onoff':true,'linger':2147483648}}", "value.linger",
                "2147483647" },
        { "member of the wrong type", &TCP, "{'level':1,'option':'SO_RCVTIMEO','value':{'seconds':'1'}}",
                "value.seconds", "integer" },
        { "member unknown", &TCP, "{'level':1,'option':'SO_LINGER','value':{'onoff':true,'x':1}}", "value",
                "\"x\"" },
        { "struct of the wrong type", &TCP, "{'level':1,'option':'SO_LINGER','value':true}", "value",
                "object" },
        { "no interface", &UDP, "{'level':'IPPROTO_IP','option':'IP_UNICAST_IF','value':'nosuch0'}", "value",
                "no interface" },
        { "no address", &UDP, "{'level':0,'option':'IP_ADD_MEMBERSHIP','value':{'group':'x'}}", "value.group",
                "IPv4" },
        { "no IPv6 address", &UDP6, "{'level':41,'option':'IPV6_JOIN_GROUP','value':{'group':'127.0.0.1'}}",
                "value.group", "IPv6" },
        { "string too long", &TCP, "{'level':6,'option':'TCP_CONGESTION','value':'abcdefghijklmnop'}",
                "value", "at most 15" },
        { "constant unknown", &UDP, "{'level':0,'option':'IP_MTU_DISCOVER','value':'IP_PMTUDISC_D'}", "value",
                "IP_PMTUDISC_DO" },
        { "object for a number without a row", &TCP, "{'level':6,'option':999,'value':{}}", "value", "raw" },
        { "addresses of the daemon", &TCP, "{'level':1,'option':26,'raw':''}", "option", "daemon" },
        { "no base64", &TCP, "{'level':1,'option':26,'raw':'*'}", "raw", "base64" },
        { "microseconds past a second", &TCP,
                "{'level':1,'option':'SO_RCVTIMEO','value':{'seconds':1,'microseconds':1000000}}", NULL,
                "EDOM" },
        { "read only", &TCP, "{'level':1,'option':'SO_TYPE','value':'SOCK_RAW'}", NULL, "ENOPROTOOPT" },
        { "too short", &TCP, "{'level':6,'option':'TCP_NODELAY','raw':'AQ=='}", NULL, "EINVAL" },
        { "too short for SO_DONTLINGER", &TCP, "{'level':1,'option':'SO_DONTLINGER','raw':'AQ=='}", NULL,
                "EINVAL" },
        { "not of that socket", &UNIX, "{'level':6,'option':'TCP_NODELAY','value':true}", NULL,
                "EOPNOTSUPP" },
        { "no such congestion control", &TCP, "{'level':6,'option':'TCP_CONGESTION','value':'nosuch'}", NULL,
                "ENOENT" },
};

static void is_refused(void **state)
{
        const struct wrong *row = *state;
        fd_auto int fd = socket(row->socket->family, row->socket->type, 0);
        call_scope call = { .client_fd = -1, .service = &service };
        struct problem problem = { .extra = NULL };
        struct setting setting;
        json_scope *set = json_from(row->set);
        const struct problem *found = &problem;
        if (decode(&call, &problem, set, &setting)) {
                const struct result result = setting_apply(&call, fd, &setting, "");
                if (!row->parameter) {
                        assert_int_equal(result.kind, RESULT_REFUSED);
                        assert_string_equal(result.call, "setsockopt");
                        assert_string_equal(name_of(&errno_names, result.error), row->says);
                        return;
                }
                assert_int_equal(result.kind, RESULT_UNSOUND);
                assert_non_null(call.problem);
                found = call.problem;
        }
        assert_non_null(row->parameter);
        assert_string_equal(found->parameter, row->parameter);
        if (!strstr(found->detail, row->says))
                fail_msg("%s", found->detail);
}

static void names_the_place_in_a_list(void **state)
{
        (void)state;
        fd_auto int fd = socket(AF_INET, SOCK_STREAM, 0);
        call_scope call = { .client_fd = -1, .service = &service };
        json_scope *text = json_string("x");
        const struct setting setting = { .level = SOL_SOCKET, .option = SO_LINGER, .value = text };
        assert_int_equal(setting_apply(&call, fd, &setting, "options[2].").kind, RESULT_UNSOUND);
        assert_string_equal(call.problem->parameter, "options[2].value");
        const struct setting filter = { .level = SOL_SOCKET, .option = SO_ATTACH_FILTER };
        assert_int_equal(setting_apply(&call, fd, &filter, "options[3].").kind, RESULT_UNSOUND);
        assert_string_equal(call.problem->parameter, "options[3].option");
}

static bool has_option(const json_t *list, const char *name)
{
        size_t found = 0;
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *option = json_object_get(json_array_get(list, i), "option");
                found += strcmp(json_string_value(option), name) == 0;
        }
        assert_true(found <= 1);
        return found == 1;
}

static void lists_each_option_once(void **state)
{
        (void)state;
        fd_auto int tcp = socket(AF_INET, SOCK_STREAM, 0);
        fd_auto int udp = socket(AF_INET6, SOCK_DGRAM, 0);
        fd_auto int local = socket(AF_UNIX, SOCK_STREAM, 0);
        json_scope *tcp_list = options_list(tcp, AF_INET, IPPROTO_TCP);
        json_scope *udp_list = options_list(udp, AF_INET6, IPPROTO_UDP);
        json_scope *local_list = options_list(local, AF_UNIX, 0);
        assert_true(has_option(tcp_list, "TCP_NODELAY") && has_option(tcp_list, "IP_TTL"));
        assert_true(has_option(tcp_list, "SO_LINGER") && has_option(tcp_list, "SO_COOKIE"));
        assert_false(has_option(tcp_list, "IP_MTU")); /* not connected */
        assert_false(has_option(tcp_list, "SO_ERROR"));
        assert_false(has_option(tcp_list, "UDP_SEGMENT") || has_option(tcp_list, "IP_ADD_MEMBERSHIP"));
        assert_true(has_option(udp_list, "UDP_GRO") && has_option(udp_list, "IPV6_V6ONLY"));
        assert_false(has_option(udp_list, "TCP_NODELAY"));
        assert_true(has_option(local_list, "SO_PASSCRED"));
        assert_false(has_option(local_list, "IP_TTL") || has_option(local_list, "TCP_NODELAY"));
}

/* The operations themselves, on an owned socket. */
static void operations_set_get_and_list(void **state)
{
        (void)state;
        call_scope call = { .client_fd = -1, .service = &service };
        socket_auto struct socket *owned =
                socket_new(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), AF_INET, SOCK_STREAM, 0);
        call.socket = owned;
        json_scope *name = json_string("SO_RCVBUF");
        json_scope *size = json_integer(4096);
        const struct socket_setsockopt_request set = {
                .level = SOL_SOCKET, .option.json = name, .value.json = size
        };
        struct option_set was_set = { .raw.given = false };
        assert_int_equal(run_socket_setsockopt(&call, &set, &was_set).kind, RESULT_DONE);
        json_scope *read_back = was_set.value.json;
        assert_int_equal(json_integer_value(read_back), 8192);
        assert_true(was_set.raw.given);

        const struct socket_getsockopt_request get = { .level = SOL_SOCKET, .option.json = name, .size = 2 };
        struct option_value got = { .raw.given = false };
        assert_int_equal(run_socket_getsockopt(&call, &get, &got).kind, RESULT_DONE);
        json_scope *cut = got.value.json;
        assert_true(json_is_null(cut));
        assert_int_equal(got.raw.size, 2);

        struct option_page page = { .options.json = NULL };
        const struct socket_options_request list = { .unused = 0 };
        assert_int_equal(run_socket_options(&call, &list, &page).kind, RESULT_DONE);
        json_scope *all = page.options.json;
        assert_true(has_option(all, "TCP_NODELAY"));
}

static void operations_name_what_is_wrong(void **state)
{
        (void)state;
        call_scope call = { .client_fd = -1, .service = &service };
        json_scope *name = json_string("TCP_INFO");
        const struct socket_getsockopt_request get = { .level = SOL_SOCKET, .option.json = name };
        struct option_value got = { .raw.given = false };
        assert_int_equal(run_socket_getsockopt(&call, &get, &got).kind, RESULT_UNSOUND);
        assert_string_equal(call.problem->parameter, "option");
        const struct socket_setsockopt_request set = { .level = IPPROTO_TCP, .option.json = name };
        struct option_set was_set = { .raw.given = false };
        assert_int_equal(run_socket_setsockopt(&call, &set, &was_set).kind, RESULT_UNSOUND);
        assert_string_equal(call.problem->parameter, "value");
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        ROWS_ADD(&all, sets_and_reads_back, rounds);
        ROWS_ADD(&all, is_refused, wrongs);
        rows_add_one(&all, "names the place in a list", names_the_place_in_a_list);
        rows_add_one(&all, "lists each option once", lists_each_option_once);
        rows_add_one(&all, "operations set get and list", operations_set_get_and_list);
        rows_add_one(&all, "operations name what is wrong", operations_name_what_is_wrong);
        return rows_run("option_json", &all);
}
