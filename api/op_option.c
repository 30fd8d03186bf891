/* op_option.c: setting, reading and listing the options of a socket. */
#include <sys/socket.h>

#include "api/option_codec.h"
#include "api/option_json.h"

static const struct field socket_getsockopt_request_rows[] = {
        FIELD(struct socket_getsockopt_request, level, "The option's level, by name or number.",
                .required = true, .names = &level_names, .example = "\"SOL_SOCKET\""),
        FIELD(struct socket_getsockopt_request, option, "The option, by name or number.", .required = true,
                .schema = "{\"type\":[\"string\",\"integer\"]}", .example = "\"SO_RCVBUF\""),
        FIELD(struct socket_getsockopt_request, size,
                "Size of the buffer given to getsockopt(2). 0: what the option needs; 256 for one without a "
                "name.",
                .min = 0, .max = OPTION_MAX_SIZE, .example = "256"),
};
const struct fields socket_getsockopt_request_fields =
        FIELDS(struct socket_getsockopt_request, socket_getsockopt_request_rows);

const struct fields socket_options_request_fields = NO_FIELDS;

static const struct field option_set_rows[] = {
        FIELD(struct option_set, value,
                "What the kernel says now that it is set, or null where it says nothing.",
                .schema = option_reply_schema, .example = "true"),
        FIELD(struct option_set, raw, "The same as bytes.", .optional = true, .example = "\"AQAAAA==\""),
};
const struct fields option_set_fields = FIELDS(struct option_set, option_set_rows, .title = "OptionSet");

static const struct field option_value_rows[] = {
        FIELD(struct option_value, value,
                "The value as the kernel gives it (SO_RCVBUF doubled), or null where only `raw` can be "
                "given.",
                .schema = option_reply_schema, .example = "212992"),
        FIELD(struct option_value, raw, "Its bytes.", .example = "\"AEADAA==\""),
};
const struct fields option_value_fields =
        FIELDS(struct option_value, option_value_rows, .title = "OptionValue");

static const struct field option_page_rows[] = {
        FIELD(struct option_page, options,
                "Every option that the socket has, but for those whose reading takes something away.",
                .schema = "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
                          "\"level\":{\"type\":[\"string\",\"integer\"]},\"option\":{\"type\":\"string\"},"
                          "\"value\":{\"description\":\"As getsockopt gives it.\"},"
                          "\"raw\":{\"type\":\"string\",\"contentEncoding\":\"base64\"}},"
                          "\"required\":[\"level\",\"option\",\"value\",\"raw\"],\"additionalProperties\":"
                          "false}}",
                .example = "[{\"level\":\"SOL_SOCKET\",\"option\":\"SO_REUSEADDR\",\"value\":true,"
                           "\"raw\":\"AQAAAA==\"}]"),
};
const struct fields option_page_fields = FIELDS(struct option_page, option_page_rows, .title = "OptionPage");

struct result run_socket_setsockopt(
        struct call *call, const struct socket_setsockopt_request *request, struct option_set *reply_out)
{
        struct problem problem = { .extra = NULL };
        struct decoder decoder = { .arena = &call->arena, .problem = &problem };
        struct setting setting;
        if (!setting_from_request(&decoder, request, &setting))
                return call_fail(call, &problem);
        TRY(setting_apply(call, call->socket->fd, &setting, ""));
        /* It is set: that it cannot be read back is no failure. */
        const struct option *row = option_by_number(setting.level, setting.option);
        if (row && row->access != OPTION_READ_WRITE)
                return DONE;
        (void)option_read(&call->arena, call->socket->fd, setting.level, setting.option, 0, &reply_out->value,
                &reply_out->raw);
        return DONE;
}

struct result run_socket_getsockopt(
        struct call *call, const struct socket_getsockopt_request *request, struct option_value *reply_out)
{
        struct problem problem = { .extra = NULL };
        struct decoder decoder = { .arena = &call->arena, .problem = &problem };
        int option = 0;
        if (!decode_option_number(&decoder, request->level, request->option.json, &option))
                return call_fail(call, &problem);
        return option_read(&call->arena, call->socket->fd, request->level, option, (size_t)request->size,
                &reply_out->value, &reply_out->raw);
}

struct result run_socket_options(
        struct call *call, const struct socket_options_request *request, struct option_page *reply_out)
{
        (void)request;
        const struct socket *socket = call->socket;
        /* The protocol that the caller gave may be 0: the kernel knows better. */
        int protocol = socket->protocol;
        size_t size = sizeof protocol;
        (void)option_get(socket->fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
        reply_out->options.json = options_list(socket->fd, socket->family, protocol);
        return DONE;
}
