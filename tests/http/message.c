/* message.c: datagram sockets, and what a received message says. */
#include "tests/http/message.h"

#include <string.h>

struct post make_udp(struct stage *stage, const char *local, const char *options)
{
        const struct reply *const reply = post(stage, 201, "/v1/sockets",
                "{'type':'SOCK_DGRAM','bind':'%s','options':[%s]}", local, options);
        return (struct post){ .id = text_at(reply, "id"), .port = (int)number_at(reply, "local.port") };
}

json_t *ancillary_of(const json_t *message, const char *type)
{
        const json_t *const list = json_at(message, "ancillary");
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *const item = json_array_get(list, i);
                const char *const name = json_string_value(json_object_get(item, "type"));
                if (name != NULL && strcmp(name, type) == 0)
                        return json_object_get(item, "value");
        }
        return NULL;
}

json_t *ancillary_at(const struct reply *reply, const char *type)
{
        json_t *const value = ancillary_of(reply->json, type);
        if (value == NULL)
                fail_msg("%s: no %s in %s", reply->name, type, reply->body);
        return value;
}

bool has_flag(const json_t *message, const char *flag)
{
        const json_t *const list = json_at(message, "flags");
        for (size_t i = 0; i < json_array_size(list); i++)
                if (strcmp(json_string_value(json_array_get(list, i)), flag) == 0)
                        return true;
        return false;
}
