/* test_policy.c: the first rule that fits decides, then what is built in. */
#include "daemon/sockets/policy.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "api/option_json.h"
#include "tests/unit/judge.h"

/* What is done, by whom; NULL and 0 are what is usual. */
struct act {
        enum deed_kind kind;
        const char *address; /* of the deed; of DEED_DEVICE and DEED_OPTION: its name */
        int family, type;
        const char *token, *policy;
        unsigned classes;
};

static const struct judge_row {
        const char *name;
        const char *policy; /* NULL: none */
        struct act act;
        bool allowed;
        const char *rule;
        bool reported;
} rows[] = {
        /* Without a policy. */
        { "all is allowed", NULL, { .kind = DEED_CONNECT, .address = "10.0.0.1:80" }, .allowed = true,
                .rule = "default" },
        { "raw sockets too", NULL,
                { .kind = DEED_SOCKET, .address = NULL, .family = AF_INET, .type = SOCK_RAW },
                .allowed = true, .rule = "default" },
        { "but no metadata", NULL, { .kind = DEED_CONNECT, .address = "169.254.169.254:80" },
                .allowed = false, .rule = "metadata" },
        { "nor in IPv6", NULL, { .kind = DEED_SEND, .address = "[fd00:ec2::254]:80" }, .allowed = false,
                .rule = "metadata" },
        { "nor mapped", NULL, { .kind = DEED_SEND, .address = "[::ffff:169.254.169.254]:53" },
                .allowed = false, .rule = "metadata" },
        { "nor Azure's", NULL, { .kind = DEED_CONNECT, .address = "168.63.129.16:80" }, .allowed = false,
                .rule = "metadata" },
        { "metadata's neighbour", NULL, { .kind = DEED_CONNECT, .address = "169.254.169.253:80" },
                .allowed = true, .rule = "default" },
        { "binding to metadata", NULL, { .kind = DEED_BIND, .address = "169.254.169.254:80" },
                .allowed = true, .rule = "default" },
        { "control", NULL, { .kind = DEED_CONNECT, .address = "127.0.0.1:1", .classes = CLASS_CONTROL },
                .allowed = false, .rule = "control" },
        { "a mark", NULL, { .kind = DEED_OPTION, .address = "SO_MARK" }, .allowed = true, .rule = "default" },
        { "a routing header", NULL, { .kind = DEED_OPTION, .address = "IPV6_RTHDR" }, .allowed = false,
                .rule = "option" },
        /* A policy without rules. */
        { "nothing is allowed", "{'rules':[]}", { .kind = DEED_CONNECT, .address = "10.0.0.1:80" },
                .allowed = false, .rule = "default" },
        { "an ordinary socket", "{'rules':[]}", { .kind = DEED_SOCKET }, .allowed = true, .rule = "default" },
        { "a raw one", "{'rules':[]}",
                { .kind = DEED_SOCKET, .address = NULL, .family = AF_INET, .type = SOCK_RAW },
                .allowed = false, .rule = "default" },
        { "an ordinary option", "{'rules':[]}", { .kind = DEED_OPTION, .address = "TCP_NODELAY" },
                .allowed = true, .rule = "default" },
        { "a risky option", "{'rules':[]}", { .kind = DEED_OPTION, .address = "SO_MARK" }, .allowed = false,
                .rule = "default" },
        { "a device", "{'rules':[]}", { .kind = DEED_DEVICE, .address = "lo" }, .allowed = false,
                .rule = "default" },
        { "metadata by its name", "{'rules':[]}", { .kind = DEED_CONNECT, .address = "169.254.169.254:80" },
                .allowed = false, .rule = "metadata" },
        /* Operations, and their order. */
        { "another operation", "{'rules':[{'allow':['bind']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80" }, .allowed = false, .rule = "default" },
        { "all operations", "{'rules':[{'name':'x','allow':['*']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80" }, .allowed = true, .rule = "x" },
        { "the first one", "{'rules':[{'deny':['connect']},{'allow':['*']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80" }, .allowed = false, .rule = "rules[0]" },
        { "the second one", "{'rules':[{'deny':['bind']},{'allow':['*']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80" }, .allowed = true, .rule = "rules[1]" },
        /* Networks. */
        { "in the network", "{'rules':[{'allow':['*'],'cidr':['10.0.0.0/8']}]}",
                { .kind = DEED_CONNECT, .address = "10.9.8.7:80" }, .allowed = true, .rule = "rules[0]" },
        { "beside the network", "{'rules':[{'allow':['*'],'cidr':['10.0.0.0/8']}]}",
                { .kind = DEED_CONNECT, .address = "11.0.0.1:80" }, .allowed = false, .rule = "default" },
        { "odd bits, in", "{'rules':[{'allow':['*'],'cidr':['10.0.0.128/27']}]}",
                { .kind = DEED_SEND, .address = "10.0.0.159:1" }, .allowed = true, .rule = "rules[0]" },
        { "odd bits, out", "{'rules':[{'allow':['*'],'cidr':['10.0.0.128/27']}]}",
                { .kind = DEED_SEND, .address = "10.0.0.160:1" }, .allowed = false, .rule = "default" },
        { "mapped, in an IPv4 network", "{'rules':[{'deny':['*'],'cidr':['10.0.0.0/8']},{'allow':['*']}]}",
                { .kind = DEED_CONNECT, .address = "[::ffff:10.0.0.1]:80", .family = AF_INET6 },
                .allowed = false, .rule = "rules[0]" },
        { "a mapped network", "{'rules':[{'allow':['*'],'cidr':['::ffff:10.0.0.0/104']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80" }, .allowed = true, .rule = "rules[0]" },
        { "all of IPv6 is not IPv4", "{'rules':[{'allow':['*'],'cidr':['::/0']}]}",
                { .kind = DEED_CONNECT, .address = "[::ffff:10.0.0.1]:80" }, .allowed = false,
                .rule = "default" },
        { "all of IPv4", "{'rules':[{'allow':['*'],'cidr':['0.0.0.0/0']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80" }, .allowed = true, .rule = "rules[0]" },
        { "0.0.0.0 is loopback", "{'rules':[{'deny':['*'],'cidr':['127.0.0.0/8']},{'allow':['*']}]}",
                { .kind = DEED_CONNECT, .address = "0.0.0.0:80" }, .allowed = false, .rule = "rules[0]" },
        { "a path is in no network", "{'rules':[{'allow':['*'],'cidr':['0.0.0.0/0','::/0']}]}",
                { .kind = DEED_CONNECT, .address = "unix:@x" }, .allowed = false, .rule = "default" },
        { "a group", "{'rules':[{'allow':['join'],'cidr':['239.0.0.0/8']}]}",
                { .kind = DEED_JOIN, .address = "239.1.2.3:0" }, .allowed = true, .rule = "rules[0]" },
        { "another group", "{'rules':[{'allow':['join'],'cidr':['239.0.0.0/8']}]}",
                { .kind = DEED_JOIN, .address = "224.1.2.3:0" }, .allowed = false, .rule = "default" },
        /* Ports. */
        { "the port", "{'rules':[{'allow':['*'],'ports':['80']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80" }, .allowed = true, .rule = "rules[0]" },
        { "another port", "{'rules':[{'allow':['*'],'ports':['80']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:81" }, .allowed = false, .rule = "default" },
        { "a range's end", "{'rules':[{'allow':['*'],'ports':['80-90']}]}",
                { .kind = DEED_CONNECT, .address = "[2001:db8::1]:90" }, .allowed = true,
                .rule = "rules[0]" },
        { "network and port", "{'rules':[{'allow':['*'],'cidr':['10.0.0.0/8'],'ports':['80']}]}",
                { .kind = DEED_CONNECT, .address = "11.0.0.1:80" }, .allowed = false, .rule = "default" },
        /* Abstract names; paths are in test_guard.c. */
        { "an abstract name", "{'rules':[{'allow':['*'],'abstract':['lab']}]}",
                { .kind = DEED_BIND, .address = "unix:@lab-7" }, .allowed = true, .rule = "rules[0]" },
        { "another abstract name", "{'rules':[{'allow':['*'],'abstract':['lab']}]}",
                { .kind = DEED_BIND, .address = "unix:@la" }, .allowed = false, .rule = "default" },
        { "a name or a network", "{'rules':[{'allow':['*'],'abstract':['lab'],'cidr':['10.0.0.0/8']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80" }, .allowed = true, .rule = "rules[0]" },
        /* Family and type. */
        { "the family", "{'rules':[{'allow':['*'],'family':['AF_INET6']}]}",
                { .kind = DEED_CONNECT, .address = "[2001:db8::1]:1" }, .allowed = true, .rule = "rules[0]" },
        { "mapped is of IPv4", "{'rules':[{'allow':['*'],'family':['AF_INET6']}]}",
                { .kind = DEED_CONNECT, .address = "[::ffff:10.0.0.1]:1", .family = AF_INET6 },
                .allowed = false, .rule = "default" },
        { "the type", "{'rules':[{'allow':['socket'],'type':['SOCK_RAW']}]}",
                { .kind = DEED_SOCKET, .address = NULL, .family = AF_INET, .type = SOCK_RAW },
                .allowed = true, .rule = "rules[0]" },
        { "another family of raw",
                "{'rules':[{'allow':['socket'],'type':['SOCK_RAW'],'family':['AF_INET']}]}",
                { .kind = DEED_SOCKET, .address = NULL, .family = AF_PACKET, .type = SOCK_RAW },
                .allowed = false, .rule = "default" },
        { "an ordinary socket, denied", "{'rules':[{'deny':['socket'],'type':['SOCK_DGRAM']}]}",
                { .kind = DEED_SOCKET, .address = NULL, .family = AF_INET, .type = SOCK_DGRAM },
                .allowed = false, .rule = "rules[0]" },
        /* Options and devices. */
        { "the option", "{'rules':[{'allow':['option'],'option':['SO_MARK']}]}",
                { .kind = DEED_OPTION, .address = "SO_MARK" }, .allowed = true, .rule = "rules[0]" },
        { "the option by number", "{'rules':[{'allow':['option'],'option':['1:36']}]}",
                { .kind = DEED_OPTION, .address = "SO_MARK" }, .allowed = true, .rule = "rules[0]" },
        { "another option", "{'rules':[{'allow':['option'],'option':['SO_MARK']}]}",
                { .kind = DEED_OPTION, .address = "IP_TRANSPARENT" }, .allowed = false, .rule = "default" },
        { "an ordinary option, denied", "{'rules':[{'deny':['option'],'option':['TCP_NODELAY']}]}",
                { .kind = DEED_OPTION, .address = "TCP_NODELAY" }, .allowed = false, .rule = "rules[0]" },
        { "a routing header, allowed", "{'rules':[{'allow':['option'],'option':['IPV6_RTHDR']}]}",
                { .kind = DEED_OPTION, .address = "IPV6_RTHDR" }, .allowed = true, .rule = "rules[0]" },
        { "the device", "{'rules':[{'allow':['device'],'device':['lo']}]}",
                { .kind = DEED_DEVICE, .address = "lo" }, .allowed = true, .rule = "rules[0]" },
        { "another device", "{'rules':[{'allow':['device'],'device':['lo0']}]}",
                { .kind = DEED_DEVICE, .address = "lo" }, .allowed = false, .rule = "default" },
        { "an option is no connect", "{'rules':[{'allow':['*'],'option':['SO_MARK']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80" }, .allowed = false, .rule = "default" },
        /* Who. */
        { "the token", "{'rules':[{'allow':['*'],'token':['ci','lab']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80", .token = "lab" }, .allowed = true,
                .rule = "rules[0]" },
        { "another token", "{'rules':[{'allow':['*'],'token':['ci']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80", .token = "ci2" }, .allowed = false,
                .rule = "default" },
        { "nobody", "{'rules':[{'allow':['*'],'token':['ci']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80" }, .allowed = false, .rule = "default" },
        { "the policy", "{'rules':[{'allow':['*'],'policy':['lab']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80", .policy = "lab" }, .allowed = true,
                .rule = "rules[0]" },
        { "another policy", "{'rules':[{'allow':['*'],'policy':['lab']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80", .token = "lab" }, .allowed = false,
                .rule = "default" },
        /* Classes. */
        { "all but metadata", "{'rules':[{'allow':['*']}]}",
                { .kind = DEED_CONNECT, .address = "169.254.169.254:80" }, .allowed = false,
                .rule = "metadata" },
        { "metadata by its network", "{'rules':[{'allow':['*'],'cidr':['169.254.169.254']}]}",
                { .kind = DEED_CONNECT, .address = "169.254.169.254:80" }, .allowed = false,
                .rule = "metadata" },
        { "metadata by its class", "{'rules':[{'allow':['connect'],'class':['metadata']}]}",
                { .kind = DEED_CONNECT, .address = "169.254.169.254:80" }, .allowed = true,
                .rule = "rules[0]" },
        { "a class is that class alone", "{'rules':[{'allow':['connect'],'class':['metadata']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80" }, .allowed = false, .rule = "default" },
        { "another class", "{'rules':[{'allow':['connect'],'class':['metadata']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80", .classes = CLASS_CONTROL },
                .allowed = false, .rule = "control" },
        { "one class of two", "{'rules':[{'allow':['connect'],'class':['metadata']}]}",
                { .kind = DEED_CONNECT, .address = "169.254.169.254:80", .classes = CLASS_CONTROL },
                .allowed = false, .rule = "metadata" },
        { "both classes", "{'rules':[{'allow':['connect'],'class':['metadata','control']}]}",
                { .kind = DEED_CONNECT, .address = "169.254.169.254:80", .classes = CLASS_CONTROL },
                .allowed = true, .rule = "rules[0]" },
        { "a rule denies control too", "{'rules':[{'name':'no','deny':['*']}]}",
                { .kind = DEED_CONNECT, .address = "127.0.0.1:1", .classes = CLASS_CONTROL },
                .allowed = false, .rule = "no" },
        /* A policy that only reports. */
        { "reported", "{'mode':'report','rules':[]}", { .kind = DEED_CONNECT, .address = "10.0.0.1:80" },
                .allowed = true, .rule = "default", .reported = true },
        { "reported by a rule", "{'mode':'report','rules':[{'name':'no','deny':['*']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80" }, .allowed = true, .rule = "no",
                .reported = true },
        { "nothing to report", "{'mode':'report','rules':[{'allow':['*']}]}",
                { .kind = DEED_CONNECT, .address = "10.0.0.1:80" }, .allowed = true, .rule = "rules[0]" },
        { "what is built in stays", "{'mode':'report','rules':[]}",
                { .kind = DEED_CONNECT, .address = "127.0.0.1:1", .classes = CLASS_CONTROL },
                .allowed = false, .rule = "control" },
        { "what is built in stays, under a rule", "{'mode':'report','rules':[{'deny':['*']}]}",
                { .kind = DEED_CONNECT, .address = "169.254.169.254:80" }, .allowed = false,
                .rule = "metadata" },
};

/* The deed, as the daemon makes it of such a call. */
static void do_act(const struct act *act, struct deed *deed, struct passage *passage)
{
        static const uint8_t sample[] = { 0xff };
        static const enum way ways[DEED_COUNT] = { [DEED_CONNECT] = WAY_CONNECT,
                [DEED_SEND] = WAY_SEND,
                [DEED_ACCEPT] = WAY_OTHER,
                [DEED_JOIN] = WAY_OTHER };
        struct address address;
        struct target nothing;
        *deed = deed_of_socket(
                act->family == 0 ? AF_INET : act->family, act->type == 0 ? SOCK_STREAM : act->type, 0);
        deed->token = act->token == NULL ? "" : act->token;
        deed->policy = act->policy == NULL ? "" : act->policy;
        if (act->kind == DEED_SOCKET)
                return;
        deed->risk = RISK_SOME;
        deed->kind = act->kind;
        if (act->kind == DEED_OPTION) {
                const struct option *const option = option_elsewhere(act->address, strlen(act->address));
                deed_of_option(deed, &nothing, option->level, option->number, sample, sizeof sample);
        } else if (act->kind == DEED_DEVICE) {
                deed_of_option(
                        deed, &nothing, SOL_SOCKET, SO_BINDTODEVICE, act->address, strlen(act->address));
        } else {
                assert_int_equal(address_parse(act->address, &address).kind, RESULT_DONE);
                passage_open(passage, ways[act->kind], -1, deed->family, deed->type, &address);
                deed->target = &passage->target;
        }
}

static void judges(void **state)
{
        const struct judge_row *const row = *state;
        struct problem problem = { .extra = NULL };
        struct policy *policy policy_auto =
                row->policy == NULL ? NULL : policy_written(row->policy, &problem);
        struct passage passage passage_auto = { .fd = -1 };
        struct deed deed;
        struct verdict verdict;
        if (row->policy != NULL && policy == NULL)
                fail_msg("%s", problem.detail);
        do_act(&row->act, &deed, &passage);
        policy_judge(policy, &deed, row->act.classes | policy_class_of(&deed), &verdict);
        if (verdict.allowed != row->allowed || verdict.reported != row->reported ||
                strcmp(verdict.rule, row->rule) != 0)
                fail_msg("%s%s by %s", verdict.allowed ? "allowed" : "denied",
                        verdict.reported ? ", reported," : "", verdict.rule);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, judges, rows);
        return rows_run("policy", &all);
}
