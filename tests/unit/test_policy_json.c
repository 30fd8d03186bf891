/* test_policy_json.c: what a policy may say, and what is said of one that is unsound. */
#include "tests/unit/judge.h"

struct bad_row {
        const char *name, *text;
        const char *detail; /* a part of why */
};

#define RULE(members) "{'rules':[{'allow':['*']},{" members "}]}"
#define CONNECT(members) RULE("'allow':['connect'],'name':'x'," members)

static const struct bad_row bad_rows[] = {
        { "nothing", "", "line " },
        { "no JSON", "{'rules':[}", "line 1" },
        { "a member twice", "{'rules':[],'rules':[]}", "duplicate" },
        { "no object", "[]", "must be a JSON object" },
        { "no rules", "{}", "rules: is missing" },
        { "an unknown member", "{'rules':[],'modes':'report'}",
                "modes: is no parameter here; did you mean \"mode\"" },
        { "an unknown mode", "{'rules':[],'mode':'off'}", "mode: must be enforce or report" },
        { "a mode of another type", "{'rules':[],'mode':1}", "mode: " },
        { "rules of another type", "{'rules':{}}", "rules: must be a list" },
        { "a rule of another type", "{'rules':['x']}", "rules[0]: must be an object" },
        { "an unknown member of a rule", RULE("'allow':['*'],'cdir':[]"), "rules[1].cdir: is no parameter" },
        { "neither", RULE("'name':'x'"), "rules[1]: must have either allow or deny" },
        { "both", RULE("'allow':['*'],'deny':['*']"), "rules[1]: must have either" },
        { "no operation", RULE("'allow':[]"), "rules[1].allow: must be a list of operations" },
        { "an operation alone", RULE("'deny':'bind'"), "rules[1].deny: must be a list of operations" },
        { "an unknown operation", RULE("'deny':['bind','connct']"), "rules[1].deny[1]: must be one of" },
        { "an operation of another type", RULE("'deny':[1]"), "rules[1].deny[0]: must be one of" },
        { "an empty name", RULE("'allow':['*'],'name':''"), "rules[1].name: " },
        { "a long name",
                RULE("'allow':['*'],'name':'"
                     "0123456789012345678901234567890123456789012345678901234567890123'"),
                "rules[1].name: " },
        { "a name that is taken", RULE("'allow':['*'],'name':'control'"), "rules[1].name: must not be" },
        { "an empty list", CONNECT("'cidr':[]"), "rules[1].cidr: must be a list that is not empty" },
        { "no list", CONNECT("'cidr':'10.0.0.0/8'"), "rules[1].cidr: must be a list" },
        { "a network of words", CONNECT("'cidr':['x']"),
                "rules[1].cidr[0]: must be an address or a network" },
        { "a network of numbers", CONNECT("'cidr':[10]"), "rules[1].cidr[0]: must be an address" },
        { "a network with a NUL", CONNECT("'cidr':['10.0.0.1\\u0000']"), "line 1" },
        { "an IPv4 prefix too long", CONNECT("'cidr':['::/0','10.0.0.0/33']"), "rules[1].cidr[1]: must be" },
        { "an IPv6 prefix too long", CONNECT("'cidr':['::/129']"), "rules[1].cidr[0]: must be" },
        { "no prefix", CONNECT("'cidr':['10.0.0.0/']"), "rules[1].cidr[0]: must be" },
        { "a signed prefix", CONNECT("'cidr':['10.0.0.0/+8']"), "rules[1].cidr[0]: must be" },
        { "a half IPv4", CONNECT("'cidr':['10.0/8']"), "rules[1].cidr[0]: must be" },
        { "bits beyond", CONNECT("'cidr':['10.0.0.1/8']"),
                "rules[1].cidr[0]: has bits set beyond its first 8" },
        { "a very long network",
                CONNECT("'cidr':['1111111111111111111111111111111111111111111111111111111']"),
                "rules[1].cidr[0]: must be" },
        { "ports reversed", CONNECT("'ports':['90-80']"), "rules[1].ports[0]: ends before it begins" },
        { "a port too large", CONNECT("'ports':['65536']"), "rules[1].ports[0]: must be a port" },
        { "half a range", CONNECT("'ports':['80-']"), "rules[1].ports[0]: must be a port" },
        { "half a range below", CONNECT("'ports':['-80']"), "rules[1].ports[0]: must be a port" },
        { "a port as a number", CONNECT("'ports':[80]"), "rules[1].ports[0]: must be a port" },
        { "three ports", CONNECT("'ports':['1-2-3']"), "rules[1].ports[0]: must be a port" },
        { "a relative path", CONNECT("'path':['run']"), "rules[1].path[0]: must be an absolute path" },
        { "dots", CONNECT("'path':['/run/../tmp']"), "rules[1].path[0]: must not have" },
        { "a dot at the end", CONNECT("'path':['/run/.']"), "rules[1].path[0]: must not have" },
        { "empty parts", CONNECT("'path':['/run//x']"), "rules[1].path[0]: must not have" },
        { "a linked path", CONNECT("'path':['/proc/self']"), "rules[1].path[0]: leads to \"/proc/" },
        { "an unknown family", CONNECT("'family':['AF_INET','AF_INTE']"), "did you mean \"AF_INET\"" },
        { "an unknown type", CONNECT("'type':['SOCK_STREEM']"), "rules[1].type[0]: must not be" },
        { "an unknown option", RULE("'allow':['option'],'option':['SO_MARKS']"),
                "rules[1].option[0]: must be" },
        { "half an option", RULE("'allow':['option'],'option':['SOL_SOCKET:']"),
                "rules[1].option[0]: must be" },
        { "an option of another kind", RULE("'deny':['option'],'option':['SO_BINDTODEVICE']"),
                "rules[1].option[0]: is judged as device" },
        { "a group as an option", RULE("'deny':['option'],'option':['IP_ADD_MEMBERSHIP']"),
                "is judged as join" },
        { "a device that is none", RULE("'deny':['device'],'device':['eth*']"),
                "rules[1].device[0]: must be" },
        { "a namespace that is none", RULE("'deny':['netns'],'netns':['../lab']"),
                "rules[1].netns[0]: must be" },
        { "a namespace to connect to", RULE("'allow':['connect'],'netns':['lab']"),
                "rules[1].netns: says nothing of connect" },
        { "a long device", RULE("'deny':['device'],'device':['0123456789abcdef']"),
                "rules[1].device[0]: must be" },
        { "an unknown class", CONNECT("'class':['x']"), "rules[1].class[0]: must be metadata or control" },
        { "a token of another type", CONNECT("'token':[true]"), "rules[1].token[0]: must be text" },
        { "an empty abstract name", CONNECT("'abstract':['']"), "rules[1].abstract[0]: must be text" },
        { "what never fits", RULE("'allow':['socket','connect'],'cidr':['10.0.0.0/8']"),
                "rules[1].cidr: says nothing of socket" },
        { "a class of what has none", RULE("'allow':['bind'],'class':['control']"),
                "rules[1].class: says nothing of bind" },
        { "a path of a peer", RULE("'allow':['accept'],'path':['/tmp']"),
                "rules[1].path: says nothing of accept" },
};

static void refuses(void **state)
{
        const struct bad_row *const row = *state;
        struct problem problem = { .extra = NULL };
        struct policy *policy = policy_written(row->text, &problem);
        if (policy != NULL || strstr(problem.detail, row->detail) == NULL)
                fail_msg("%s: %s", policy == NULL ? "refused" : "taken", problem.detail);
}

struct good_row {
        const char *name, *text;
        size_t count;
        bool reports;
};

static const struct good_row good_rows[] = {
        { "no rules", "{'rules':[]}", 0, false },
        { "report", "{'mode':'report','rules':[]}", 0, true },
        { "enforce", "{'mode':'enforce','rules':[]}", 0, false },
        { "all members",
                "{'rules':[{'name':'lab','allow':['connect','send'],'family':['AF_INET',10],'type':['SOCK_"
                "STREAM',2],"
                "'cidr':['10.0.0.0/8','fd00::/8','192.0.2.1','::1'],'ports':['80','8000-8999'],'path':['/run/"
                "lab/'],"
                "'abstract':['lab'],'token':['ci'],'policy':['lab'],'class':['control','metadata']},"
                "{'deny':['option'],'option':['SO_MARK','IPPROTO_IP:19','0:IP_TTL','1:36']},"
                "{'deny':['device'],'device':['eth0']}]}",
                3, false },
        { "anything of all", "{'rules':[{'deny':['*'],'cidr':['0.0.0.0/0'],'device':['lo']}]}", 1, false },
        { "the whole tree", "{'rules':[{'deny':['bind'],'path':['/']}]}", 1, false },
};

static void takes(void **state)
{
        const struct good_row *const row = *state;
        struct problem problem = { .extra = NULL };
        struct policy *policy policy_auto = policy_written(row->text, &problem);
        if (policy == NULL)
                fail_msg("%s", problem.detail);
        else
                assert_true(policy->count == row->count && policy->reports == row->reports);
}

static void refuses_what_is_too_large(void **state)
{
        (void)state;
        struct problem problem = { .extra = NULL };
        struct policy *policy = NULL;
        char *const text = malloc(POLICY_TEXT_MAX + 2);
        memset(text, '[', 100);
        assert_false(policy_from_json(text, 100, &policy, &problem));
        assert_non_null(strstr(problem.detail, "too deep"));
        memset(text, ' ', POLICY_TEXT_MAX + 1);
        assert_false(policy_from_json(text, POLICY_TEXT_MAX + 1, &policy, &problem));
        assert_non_null(strstr(problem.detail, "too deep"));
        free(text);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, refuses, bad_rows);
        ROWS_ADD(&all, takes, good_rows);
        rows_add_one(&all, "too large", refuses_what_is_too_large);
        return rows_run("policy_json", &all);
}
