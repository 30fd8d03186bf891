/* kind.c: the table of field kinds: one row per C type that a member may have. */
#include "api/kind.h"

#include "api/address_json.h"

static bool address_is_empty(const void *member)
{
        const struct address *const address = member;
        return !address->given;
}

const struct kind field_kinds[FIELD_KIND_COUNT] = {
        [FIELD_BOOLEAN] = { .schema = boolean_schema,
                .decode = decode_boolean,
                .encode = encode_boolean,
                .empty = boolean_is_empty },
        [FIELD_INT] = { .schema = number_schema,
                .decode = decode_number,
                .encode = encode_int,
                .empty = int_is_empty },
        [FIELD_INTEGER] = { .schema = number_schema,
                .decode = decode_number,
                .encode = encode_number,
                .empty = integer_is_empty },
        [FIELD_UNSIGNED] = { .schema = number_schema,
                .decode = decode_number,
                .encode = encode_number,
                .empty = integer_is_empty },
        [FIELD_TEXT] = { .schema = text_schema,
                .decode = decode_text,
                .encode = encode_text,
                .empty = text_is_empty },
        [FIELD_BINARY] = { .schema = binary_schema,
                .decode = decode_binary,
                .encode = encode_binary,
                .empty = binary_is_empty },
        [FIELD_PAYLOAD] = { .schema = binary_schema, .decode = decode_payload_data },
        [FIELD_ADDRESS] = { .schema = address_schema,
                .decode = decode_address,
                .encode = encode_address,
                .empty = address_is_empty },
        [FIELD_UNTIL] = { .schema = until_schema, .decode = decode_until },
        [FIELD_FRAMING] = { .schema = frame_schema, .decode = decode_frame },
        [FIELD_SETTINGS] = { .schema = settings_schema, .decode = decode_settings },
        [FIELD_LISTEN] = { .schema = listen_schema, .decode = decode_listen },
        [FIELD_STEPS] = { .schema = steps_schema, .decode = decode_steps },
        [FIELD_VALUE] = { .schema = value_schema,
                .decode = decode_value,
                .encode = encode_value,
                .empty = value_is_empty },
        [FIELD_MOMENT] = { .schema = moment_schema,
                .decode = decode_moment,
                .encode = encode_moment,
                .empty = moment_is_empty },
};
