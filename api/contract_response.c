/* contract_response.c: what an operation answers with: its reply, and the problems that it can meet. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/call.h"
#include "api/contract.h"

static const char location_header[] =
        "{\"Location\":{\"required\":true,\"description\":\"The path of what was made.\","
        "\"schema\":{\"type\":\"string\",\"format\":\"uri-reference\"},"
        "\"example\":\"/v1/sockets/k7f2m1q-12\"}}";

/* Which problems an operation may answer with, beside what may meet any request. */
struct rule {
        enum problem_kind problem;
        bool (*applies)(const struct operation *operation);
};

bool operation_is_private(const struct operation *operation)
{
        return operation->role != ROLE_ANYONE;
}

bool operation_takes_key(const struct operation *operation)
{
        return operation->method != METHOD_GET;
}

/* To have deleted something that is not there is as good as having deleted it. */
static bool may_be_unknown(const struct operation *operation)
{
        return operation_takes_key(operation) && operation->success != 204;
}

static bool is_any(const struct operation *operation)
{
        (void)operation;
        return true;
}

static bool has_body(const struct operation *operation)
{
        return operation->method == METHOD_POST || operation->method == METHOD_PUT;
}

static bool makes_sockets(const struct operation *operation)
{
        return operation->success == 201;
}

/* Becomes a WebSocket, which is held for long. */
static bool upgrades(const struct operation *operation)
{
        return operation->success == 101;
}

static bool takes_room(const struct operation *operation)
{
        return makes_sockets(operation) || upgrades(operation);
}

/* Where an errno may be expected, an outcome may also be unexpected. */
static bool expects(const struct operation *operation)
{
        const struct field *const expect = fields_find(&common_fields, "expect");
        return expect && common_applies(operation, expect);
}

/* These take no `expect`, but are refused: families that they do not know, or a socket that is in use. */
static bool refuses(const struct operation *operation)
{
        static const char *const others[] = { "inet_pton", "inet_ntop" };
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
                if (strcmp(operation->name, others[i]) == 0)
                        return true;
        return upgrades(operation) || expects(operation);
}

/* Health, version and contract are told to the end. */
static bool shuts_down(const struct operation *operation)
{
        return operation_is_private(operation) || strcmp(operation->name, "service_readiness") == 0;
}

/* What reaches beyond the daemon is judged by the policy. An accept that meets a denied peer goes on. */
static bool is_judged(const struct operation *operation)
{
        static const char *const judged[] = { "socket_create", "socketpair_create", "socket_bind",
                "socket_listen", "socket_connect", "socket_sendto", "socket_sendmsg", "socket_setsockopt" };
        for (size_t i = 0; i < sizeof judged / sizeof *judged; i++)
                if (strcmp(operation->name, judged[i]) == 0)
                        return true;
        return false;
}

static bool names_socket(const struct operation *operation)
{
        return operation_has_id(operation) && !operation_is_of_sessions(operation);
}

/* In the path, or as a parameter. */
static bool names_session(const struct operation *operation)
{
        return operation_is_of_sessions(operation)
                       ? operation_has_id(operation)
                       : makes_sockets(operation) && fields_find(operation->request, "session") != NULL;
}

static bool takes_position(const struct operation *operation)
{
        return fields_find(operation->request, "offset") != NULL;
}

static bool acknowledges(const struct operation *operation)
{
        return fields_find(operation->request, "ack") != NULL;
}

/* Of one status, the last that applies is the response: it has the others among its examples. */
static const struct rule rules[] = {
        { .problem = PROBLEM_UNSOUND_REQUEST, .applies = is_any },
        { .problem = PROBLEM_UNAUTHORIZED, .applies = operation_is_private },
        { .problem = PROBLEM_DENIED, .applies = is_judged },
        { .problem = PROBLEM_UNKNOWN_SOCKET, .applies = names_socket },
        { .problem = PROBLEM_UNKNOWN_SESSION, .applies = names_session },
        { .problem = PROBLEM_INTERRUPTED, .applies = may_be_unknown },
        { .problem = PROBLEM_POSITION_AHEAD, .applies = takes_position },
        { .problem = PROBLEM_POSITION_GONE, .applies = acknowledges },
        { .problem = PROBLEM_TOO_LARGE, .applies = has_body },
        { .problem = PROBLEM_UNSUPPORTED_MEDIA, .applies = has_body },
        { .problem = PROBLEM_KEY_REUSED, .applies = operation_takes_key },
        { .problem = PROBLEM_ERRNO, .applies = refuses },
        { .problem = PROBLEM_UPGRADE_REQUIRED, .applies = upgrades },
        { .problem = PROBLEM_QUOTA, .applies = takes_room },
        { .problem = PROBLEM_ACK_REQUIRED, .applies = acknowledges },
        { .problem = PROBLEM_SHUTTING_DOWN, .applies = shuts_down },
};

/* The schema of a reply record alone, moved to the components if it has a title. Fills in its example too. */
static json_t *record_schema(struct contract *contract, const struct fields *reply, json_t **example)
{
        json_t *const schema = contract_record(contract, reply, false);
        *example = contract_record_example(contract, reply, schema, false);
        json_object_del(schema, "additionalProperties");
        if (!reply->title)
                return schema;
        if (json_object_get(contract->schemas, reply->title))
                json_decref(schema);
        else
                contract_set(contract, contract->schemas, reply->title, schema);
        return contract_reference("schemas", reply->title);
}

static json_t *json_content(struct contract *contract, const struct operation *operation)
{
        json_t *example = NULL;
        json_t *schema = record_schema(contract, operation->reply, &example);
        schema = json_pack("{s:[o, o], s:b}", "allOf", schema, contract_reference("schemas", "Timed"),
                "unevaluatedProperties", 0);
        contract_set(contract, example, "duration_us", json_integer(42));
        if (expects(operation) && operation->success == 200)
                schema = json_pack(
                        "{s:[o, o]}", "anyOf", schema, contract_reference("schemas", "ErrnoOutcome"));
        return json_pack("{s:o, s:o}", "schema", schema, "example", example);
}

/* A reply that is no JSON record. */
static json_t *document_content(const struct media *media)
{
        if (!media->example)
                return contract_raw_content();
        json_t *const example = json_loads(media->example, JSON_DECODE_ANY, NULL);
        if (media->schema)
                return json_pack(
                        "{s:o, s:o}", "schema", json_loads(media->schema, 0, NULL), "example", example);
        return json_pack("{s:{s:s}, s:o}", "schema", "type", json_is_object(example) ? "object" : "string",
                "example", example);
}

/* By its type without parameters. */
static void set_document(struct contract *contract, json_t *content, const struct media *media)
{
        char type[MEDIA_SIZE];
        (void)snprintf(type, sizeof type, "%.*s", (int)strcspn(media->type, ";"), media->type);
        contract_set(contract, content, type, document_content(media));
}

static const char stream_text[] =
        "The connection is a WebSocket (RFC 6455) from here on. With the subprotocol `sockwright.bytes`, or "
        "none, binary messages are bytes both ways, or whole messages where the socket has boundaries; the "
        "text {\"shutdown\":\"SHUT_WR\"} ends what is sent. With `sockwright.datagrams` each message is a "
        "text, {\"address\":A,\"data\":base64}, and one datagram; without `address` it goes to the connected "
        "peer. A message that could not be sent is answered by {\"problem\":P}. The daemon closes with 1000 "
        "at the end of the peer's stream, 1001 when it goes down or the socket is deleted, 1011 when the "
        "kernel refuses, with the errno as the reason, 1002, 1003, 1007, 1008 or 1009 for what it cannot "
        "take. While it lasts, other calls that would send or receive are refused with EBUSY. What it gives "
        "and takes counts as that of other calls, and the socket outlives it: what was on its way when it "
        "broke is the difference to `received_bytes` and `sent_bytes`. It acknowledges nothing, so a socket "
        "that retains is refused with EBUSY. A browser, which cannot set Authorization, offers the "
        "subprotocol `bearer.TOKEN` beside the one that it wants.";

static const char upgrade_headers[] =
        "{\"Upgrade\":{\"required\":true,\"description\":\"websocket\",\"schema\":{\"type\":\"string\"},"
        "\"example\":\"websocket\"},"
        "\"Sec-WebSocket-Accept\":{\"required\":true,\"description\":\"Made of the client's key.\","
        "\"schema\":{\"type\":\"string\"},\"example\":\"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\"},"
        "\"Sec-WebSocket-Protocol\":{\"description\":\"The subprotocol, where the client offered some.\","
        "\"schema\":{\"type\":\"string\"},\"example\":\"sockwright.bytes\"}}";

static const char *success_text(int status)
{
        if (status == 101)
                return stream_text;
        return status == 200 ? "What came of it." : status == 201 ? "What was made." : "It is done.";
}

static json_t *success_headers(const struct operation *operation)
{
        json_t *const headers = operation_takes_key(operation) ? contract_replayed() : json_object();
        json_auto_t *location = operation->success == 201 ? json_loads(location_header, 0, NULL) : NULL;
        if (location)
                json_object_update(headers, location);
        return headers;
}

static json_t *success_response(struct contract *contract, const struct operation *operation)
{
        const struct fields *const reply = operation->reply;
        json_t *const response = json_pack("{s:s}", "description", success_text(operation->success));
        if (upgrades(operation))
                contract_set(contract, response, "headers", json_loads(upgrade_headers, 0, NULL));
        else if (operation_takes_key(operation))
                contract_set(contract, response, "headers", success_headers(operation));
        if (operation->success == 204 || upgrades(operation))
                return response;
        json_t *const content = json_object();
        if (!reply->media)
                contract_set(contract, content, "application/json", json_content(contract, operation));
        for (const struct media *media = reply->media; media && media->type; media++)
                set_document(contract, content, media);
        if (fields_payload(reply))
                contract_set(contract, content, "application/octet-stream", contract_raw_content());
        if (operation_is_followed(operation))
                contract_set(contract, content, "text/event-stream", contract_stream_content());
        contract_set(contract, response, "content", content);
        return response;
}

/* An expected errno is a 200, also where success has another status. */
static json_t *expected_response(void)
{
        return json_pack("{s:s, s:o, s:{s:{s:o, s:{s:s, s:s, s:i, s:b, s:i}}}}", "description",
                "An errno that `expect` names.", "headers", contract_replayed(), "content",
                "application/json", "schema", contract_reference("schemas", "ErrnoOutcome"), "example",
                "call", "connect", "errno", "ECONNREFUSED", "errno_number", ECONNREFUSED, "timed_out", 0,
                "duration_us", 42);
}

void contract_set_status(struct contract *contract, json_t *responses, int status, json_t *response)
{
        const char digits[] = { (char)('0' + status / 100), (char)('0' + status / 10 % 10),
                (char)('0' + status % 10), '\0' };
        contract_set(contract, responses, digits, response);
}

json_t *contract_responses(struct contract *contract, const struct operation *operation)
{
        json_t *const responses = json_object();
        contract_set_status(contract, responses, operation->success, success_response(contract, operation));
        if (expects(operation) && operation->success != 200)
                contract_set_status(contract, responses, 200, expected_response());
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
                const struct problem_row *const row = &problem_rows[rules[i].problem];
                if (rules[i].applies(operation))
                        contract_set_status(contract, responses, row->status,
                                contract_problem_reference(contract, rules[i].problem));
        }
        return responses;
}
