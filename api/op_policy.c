/* op_policy.c: what the policy would make of a call. */
#include <string.h>
#include <sys/socket.h>

#include "api/guarded.h"
#include "api/policy_json.h"
#include "api/record.h"
#include "daemon/sockets/netns.h"

/* No constant has this number. */
enum { ABSENT = INT32_MIN, WHO_MAX = ACCOUNT_NAME_SIZE - 1 };

static const struct field policy_explain_request_rows[] = {
        FIELD(struct policy_explain_request, operation,
                "What is to be done: socket, bind, connect, accept, send, join, device, option or netns.",
                .required = true,
                .schema =
                        "{\"type\":\"string\",\"enum\":[\"socket\",\"bind\",\"connect\",\"accept\",\"send\","
                        "\"join\",\"device\",\"option\",\"netns\"]}",
                .example = "\"connect\""),
        FIELD(struct policy_explain_request, address,
                "With or from which address; of join, the group. socket, device, option and netns have none.",
                .example = "\"10.0.0.1:80\""),
        FIELD(struct policy_explain_request, family,
                "The socket's family. Absent: that of the address, else AF_INET.", .names = &family_names,
                .fallback = ABSENT),
        FIELD(struct policy_explain_request, type, "The socket's type. Absent: SOCK_STREAM.",
                .names = &type_names, .fallback = SOCK_STREAM),
        FIELD(struct policy_explain_request, protocol, "Of socket: its protocol.", .names = &protocol_names),
        FIELD(struct policy_explain_request, option, "Of option: its name, or LEVEL:NUMBER."),
        FIELD(struct policy_explain_request, device, "Of device: the network interface."),
        FIELD(struct policy_explain_request, netns,
                "Of netns: the network namespace, by its name or the number of a process.",
                .max = NETNS_NAME_SIZE - 1),
        FIELD(struct policy_explain_request, token,
                "Who does it. Absent: who asks; others are for administrators to name.", .max = WHO_MAX),
        FIELD(struct policy_explain_request, policy,
                "The policy that the token has. Absent: that of who asks, or none of another token.",
                .max = POLICY_NAME_SIZE - 1),
};
const struct fields policy_explain_request_fields =
        FIELDS(struct policy_explain_request, policy_explain_request_rows);

static const struct field policy_explanation_rows[] = {
        FIELD(struct policy_explanation, allowed, "Whether it would be done.", .example = "true"),
        FIELD(struct policy_explanation, reported,
                "It would be done only because the policy is not enforced, and be noted in the log."),
        FIELD(struct policy_explanation, rule,
                "Which rule says so, or what is built in: metadata, control, option, default.",
                .example = "\"lab\""),
        FIELD(struct policy_explanation, mode, "Whether denials of the policy are enforced.",
                .schema = "{\"type\":\"string\",\"enum\":[\"enforce\",\"report\"]}",
                .example = "\"enforce\""),
        FIELD(struct policy_explanation, operation, "What was judged.", .example = "\"connect\""),
        FIELD(struct policy_explanation, judged,
                "The address that was judged: resolved, IPv4 in IPv6 as IPv4, 0.0.0.0 as what it stands for.",
                .nullable = true, .example = "\"10.0.0.1:80\""),
};
const struct fields policy_explanation_fields =
        FIELDS(struct policy_explanation, policy_explanation_rows, .title = "PolicyExplanation");

static struct text keep_text(struct call *call, const char *text)
{
        return (struct text){ .bytes = arena_copy(&call->arena, text, strlen(text)), .size = strlen(text) };
}

/* What each operation is to be told. */
static const struct {
        bool address;
        enum way way;
} needs[DEED_COUNT] = {
        [DEED_BIND] = { true, WAY_BIND },
        [DEED_CONNECT] = { true, WAY_CONNECT },
        [DEED_ACCEPT] = { true, WAY_OTHER },
        [DEED_SEND] = { true, WAY_SEND },
        [DEED_JOIN] = { true, WAY_OTHER },
};

/* Sets an option to bytes that say nothing good: what it might do at worst. */
static struct result read_option(
        struct call *call, const struct policy_explain_request *request, struct deed *deed)
{
        static const uint8_t sample[] = { 0xff };
        struct problem problem = { .extra = NULL };
        struct decoder decoder = { .arena = &call->arena, .problem = &problem };
        struct option_key key;
        struct target nothing;
        json_t *const text = json_string(request->option.bytes == NULL ? "" : request->option.bytes);
        const bool sound = decode_option_key(&decoder, "option", text, &key);
        json_decref(text);
        if (!sound)
                return call_unsound(call, "option", "%s", problem.detail);
        deed_of_option(deed, &nothing, key.level, key.option, sample, sizeof sample);
        if (deed->kind != DEED_OPTION)
                return call_unsound(
                        call, "option", "option: is judged as the operation %s", deed_names[deed->kind]);
        return DONE;
}

static struct result read_device(
        struct call *call, const struct policy_explain_request *request, struct deed *deed)
{
        struct target nothing;
        if (request->device.size == 0)
                return call_unsound(call, "device", "device: is missing");
        deed_of_option(
                deed, &nothing, SOL_SOCKET, SO_BINDTODEVICE, request->device.bytes, request->device.size);
        return DONE;
}

static struct result read_netns(
        struct call *call, const struct policy_explain_request *request, struct deed *deed)
{
        deed->netns = request->netns.bytes;
        return request->netns.size > 0 && netns_name_is_sound(deed->netns)
                       ? DONE
                       : call_unsound(call, "netns", "netns: must be a name, or the number of a process");
}

static struct result read_deed(
        struct call *call, const struct policy_explain_request *request, struct deed *deed)
{
        struct problem problem = { .extra = NULL };
        struct decoder decoder = { .arena = &call->arena, .problem = &problem };
        enum deed_kind kind = DEED_COUNT;
        json_t *const name = json_string(request->operation.bytes);
        const bool known = decode_deed(&decoder, "operation", name, &kind);
        json_decref(name);
        if (!known)
                return call_unsound(call, "operation", "%s", problem.detail);
        const int given = request->address.given ? request->address.storage.ss_family : AF_INET;
        const int family = request->family == ABSENT ? given : request->family;
        *deed = deed_of_socket(family, request->type, request->protocol);
        if (kind == DEED_SOCKET)
                return DONE;
        deed->kind = kind;
        deed->risk = RISK_SOME;
        if (kind == DEED_OPTION)
                return read_option(call, request, deed);
        if (kind == DEED_DEVICE)
                return read_device(call, request, deed);
        if (kind == DEED_NETNS)
                return read_netns(call, request, deed);
        return request->address.given ? DONE : call_unsound(call, "address", "address: is missing");
}

/* Nobody but an administrator learns what others may do. */
static struct result sign(struct call *call, const struct policy_explain_request *request, struct deed *deed)
{
        const char *const token = request->token.bytes, *const policy = request->policy.bytes;
        deed_sign(deed, call);
        const bool other_token = token != NULL && strcmp(token, deed->token) != 0;
        const bool other_policy = policy != NULL && strcmp(policy, deed->policy) != 0;
        if ((other_token || other_policy) && !call->caller.administers)
                return call_forbidden(call, PROBLEM_FORBIDDEN, other_token ? "token" : "policy",
                        "Only administrators may ask what others may do.");
        if (other_token) {
                deed->token = token;
                deed->policy = "";
        }
        if (policy != NULL)
                deed->policy = policy;
        return DONE;
}

struct result run_policy_explain(
        struct call *call, const struct policy_explain_request *request, struct policy_explanation *reply)
{
        struct deed deed;
        struct verdict verdict;
        struct passage passage passage_auto = { .fd = -1 };
        char judged[ADDRESS_TEXT_SIZE];
        TRY(read_deed(call, request, &deed));
        TRY(sign(call, request, &deed));
        if (needs[deed.kind].address) {
                passage_open(&passage, needs[deed.kind].way, -1, deed.family, deed.type, &request->address);
                deed.target = &passage.target;
                reply->judged = keep_text(call, target_format(&passage.target, judged, sizeof judged));
        }
        guard_judge(&call->service->guard, &deed, &verdict);
        reply->allowed = verdict.allowed;
        reply->reported = verdict.reported;
        reply->rule = keep_text(call, verdict.rule);
        reply->mode = keep_text(call, guard_reports(&call->service->guard) ? "report" : "enforce");
        reply->operation = keep_text(call, deed_names[deed.kind]);
        return DONE;
}
