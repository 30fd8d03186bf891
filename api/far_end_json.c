/* far_end_json.c: the texts that a stream takes and says, in JSON. */
#include <stdio.h>
#include <string.h>

#include "api/base64.h"
#include "api/far_end.h"
#include "api/guarded.h"
#include "api/json_body.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/interface.h"
#include "daemon/sockets/send.h"

const char far_end_is_shut[] = "{\"shutdown\":\"SHUT_WR\"}";

/* A datagram that is to be sent. */
struct datagram {
        struct address address;
        struct binary data;
};

static const struct field datagram_rows[] = {
        FIELD(struct datagram, address, "Where to; absent: to the connected peer."),
        FIELD(struct datagram, data, "The bytes.", .required = true),
};
static const struct fields datagram_fields = FIELDS(struct datagram, datagram_rows);

static const struct field sender_rows[] = { FIELD(struct arrival, address, "The sender.", .nullable = true) };

/* A new reference to the object that a text says, or NULL. */
static json_t *read_object(const char *text, size_t size)
{
        json_t *const json =
                json_depth_fits(text, size) ? json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
        if (json_is_object(json))
                return json;
        json_decref(json);
        return NULL;
}

bool far_end_asks_to_shut(const char *text, size_t size)
{
        json_auto_t *json = read_object(text, size);
        const char *const how = json_string_value(json_object_get(json, "shutdown"));
        return how != NULL && json_object_size(json) == 1 && strcmp(how, "SHUT_WR") == 0;
}

static bool decode(struct call *message, json_t *json, struct datagram *out)
{
        struct problem problem = { 0 };
        struct decoder decoder = { .arena = &message->arena, .problem = &problem };
        if (!json_is_object(json))
                decoder_fail(&decoder, "message", "must be a JSON object with `data`, and `address`");
        else if (fields_decode(&decoder, &datagram_fields, out, NULL, NULL, json)) {
                address_fit(&out->address, message->socket->family);
                if (!out->address.given || out->address.name[0] == '\0')
                        return true;
                decoder_fail(&decoder, "address", "must be numeric: names are not resolved here");
        }
        call_unsound(message, problem.parameter, "%s", problem.detail);
        return false;
}

static struct result send_datagram(struct call *message, json_t *json)
{
        struct passage passage passage_auto = { .fd = -1 };
        struct datagram datagram;
        size_t taken;
        bool repeated;
        if (!decode(message, json, &datagram))
                return message->result;
        const bool addressed = datagram.address.given;
        if (addressed)
                TRY(guarded_destination(message, message->socket, &datagram.address, 0, &passage));
        const struct parcel parcel = { .bytes = datagram.data.bytes,
                .size = datagram.data.size,
                .to = addressed ? &passage : NULL,
                .offset = SEND_ANYWHERE };
        LOCK_SCOPE(&message->socket->lanes[DIRECTION_SEND].lock);
        return send_parcel(message->socket, &parcel, &taken, &repeated);
}

static char *problem_text(const struct problem *problem)
{
        json_auto_t *json = json_pack("{s:o*}", "problem", problem_to_json(problem));
        return json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
}

char *far_end_problem(const struct result *result)
{
        struct problem problem = { 0 };
        problem_from_result(&problem, result);
        return problem_text(&problem);
}

/* What a message takes is its own, and not the stream's, which may last. */
struct result far_end_send_text(struct call *call, const char *text, size_t size, char **problem)
{
        struct call message = { .service = call->service, .caller = call->caller, .socket = call->socket };
        INTERFACES_OF(call_interfaces(call));
        json_auto_t *json = read_object(text, size);
        const struct result result = send_datagram(&message, json);
        if (result.kind != RESULT_DONE && result.kind != RESULT_WAIT)
                *problem = message.problem != NULL ? problem_text(message.problem) : far_end_problem(&result);
        if (message.problem != NULL)
                json_decref(message.problem->extra);
        arena_free(&message.arena);
        return result;
}

char *far_end_datagram(const struct call *call, const uint8_t *bytes, const struct arrival *arrival)
{
        char *data memory_auto = malloc(base64_encoded_size(arrival->size) + 1);
        if (data == NULL)
                return NULL;
        const size_t size = base64_encode(bytes, arrival->size, data);
        INTERFACES_OF(call_interfaces(call));
        json_auto_t *json = json_pack("{s:o, s:o}", "address",
                field_encode(&sender_rows[0], &arrival->address), "data", json_stringn_nocheck(data, size));
        if (json != NULL && arrival->truncated)
                json_object_set_new(json, "truncated", json_true());
        return json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
}
