/* op_netns.c: network namespaces: how requests name them, and which there are. */
#include "api/netns_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/record.h"

const struct fields netns_list_request_fields = { .size = sizeof(struct netns_list_request) };

static const struct field netns_page_rows[] = {
        FIELD(struct netns_page, netns, "Those that have a name, and the inode that each of them is.",
                .schema = "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"name\","
                          "\"inode\"],\"properties\":{\"name\":{\"type\":\"string\"},"
                          "\"inode\":{\"type\":\"integer\"}},\"additionalProperties\":false}}",
                .example = "[{\"name\":\"client\",\"inode\":4026532281}]"),
};
const struct fields netns_page_fields = FIELDS(struct netns_page, netns_page_rows, .title = "NetnsPage");

struct result netns_read(struct call *call, const struct value *value, char out[static NETNS_NAME_SIZE])
{
        const char *const text = json_string_value(value->json);
        const size_t size = json_string_length(value->json);
        out[0] = '\0';
        if (value->json == NULL)
                return DONE;
        if (json_is_integer(value->json) && json_integer_value(value->json) > 0)
                snprintf(out, NETNS_NAME_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value->json));
        else if (text != NULL && strlen(text) == size && netns_name_is_sound(text))
                memcpy(out, text, size + 1);
        return out[0] != '\0' ? DONE
                              : call_unsound(call, "netns",
                                        "netns: must be a name in /run/netns, without a slash, or the "
                                        "number of a process");
}

static void append(void *context, const char *name, uint64_t inode)
{
        json_array_append_new(
                context, json_pack("{so, sI}", "name", json_text(name, strlen(name)), "inode", inode));
}

struct result run_netns_list(
        struct call *call, const struct netns_list_request *request, struct netns_page *reply)
{
        (void)call;
        (void)request;
        reply->netns.json = json_array();
        return netns_list(append, reply->netns.json);
}
