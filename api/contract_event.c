/* contract_event.c: events in the OpenAPI document: what they say, and that they may be followed as a stream.
 */
#include "api/contract.h"
#include "api/follow.h"
#include "api/record.h"

static const char last_event_id[] =
        "{\"name\":\"Last-Event-ID\",\"in\":\"header\",\"description\":\"Of a stream: the `id` of the last "
        "event that a client has seen, to go on behind it; browsers send it by themselves. It goes before "
        "`after`.\",\"schema\":{\"type\":\"string\",\"pattern\":\"^[0-9]{1,18}$\"},"
        "\"example\":\"28642313000001\"}";

static const char stream_content[] =
        "{\"schema\":{\"type\":\"string\",\"description\":\"Server-Sent Events, without an end: `id` is an "
        "event's sequence, `event` its kind, `data` the Event. The first frame has an `id` alone, from where "
        "they go on. A frame of the kind `gap` says in {\\\"missed\\\":n} how many were lost there, by a "
        "client "
        "that reads too late or comes again too late; null: nobody knows, since the daemon is another one. "
        "After 15 s without an event there is a comment. What comes fast comes together, some 20 ms late.\"},"
        "\"example\":\"retry: 1000\\nid: 28642313000000\\n\\nid: 28642313000001\\nevent: closed\\n"
        "data: {\\\"sequence\\\":28642313000001,\\\"time\\\":\\\"2026-01-01T00:00:00.000000000Z\\\","
        "\\\"kind\\\":\\\"closed\\\",\\\"socket\\\":\\\"0q8k3zt-1\\\",\\\"session\\\":null,\\\"label\\\":"
        "null}\\n\\n\"}";

bool operation_is_followed(const struct operation *operation)
{
        return operation->reply == &event_list_fields;
}

void contract_add_event(struct contract *contract)
{
        json_t *const schema = contract_record(contract, &event_object_fields, false);
        contract_set(contract, contract->schemas, event_object_fields.title, schema);
}

json_t *contract_last_event_id(void)
{
        return json_loads(last_event_id, 0, NULL);
}

json_t *contract_stream_content(void)
{
        return json_loads(stream_content, 0, NULL);
}
