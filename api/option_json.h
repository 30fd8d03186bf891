/* option_json.h: socket options by name or number in requests and replies: finding, setting and reading them.
 */
#pragma once

#include "api/call.h"
#include "api/record.h"
#include "daemon/sockets/option.h"

/* Reads one option to set, {"level", "option", "value" or "raw"}, into *out, whose value is borrowed from
 * `object`. False with decoder->problem filled in. */
bool decode_setting(struct decoder *decoder, json_t *object, struct setting *out);

/* The same from a request that is decoded already. */
bool setting_from_request(
        struct decoder *decoder, const struct socket_setsockopt_request *request, struct setting *out);

/* JSON Schema of what decode_setting() reads; a new reference. */
json_t *setting_schema(void);

/* An option's number, from its name or number on that level; other levels' names get told so. */
bool decode_option_number(struct decoder *decoder, int level, json_t *option, int *out);

/* Makes the setsockopt() call. `path` ("options[2].", or "") begins the names of parameters at fault. A
 * refusal for want of a capability says which one. */
struct result setting_apply(struct call *call, int fd, const struct setting *setting, const char *path);

/* Reads an option. *raw gets its bytes, in the arena; *value a new reference, null when it has no row. `size`
 * is the buffer's, or 0 for as much as the option needs. */
struct result option_read(struct arena *arena, int fd, int level, int number, size_t size,
        struct value *value, struct binary *raw);

/* The bytes of an option as JSON; null when it has no row, or they are too few. A new reference. */
json_t *option_value_json(int level, int number, const uint8_t *bytes, size_t size);

/* Every option that can be read from such a socket, as {"level", "option", "value", "raw"}, but for those
 * whose reading takes something away (SO_ERROR …). A new reference. */
json_t *options_list(int fd, int family, int protocol);
