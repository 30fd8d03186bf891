/* kind.h: what the kinds of fields are made of, for kind.c's table; others use field.h. */
#pragma once

#include "api/field.h"

struct range {
        int64_t min, max;
};

/* A number's range: the field's own, within what its type holds. */
struct range field_range(const struct field *field);

/* Sets a number or boolean, of whatever size; other kinds have no fallback and are left alone. */
void number_store(const struct field *field, void *member, int64_t number);

json_t *boolean_schema(const struct field *field, bool request);
bool decode_boolean(struct decoder *decoder, const struct field *field, json_t *value, void *member);
json_t *encode_boolean(const struct field *field, const void *member);
bool boolean_is_empty(const void *member);

json_t *number_schema(const struct field *field, bool request);
bool decode_number(struct decoder *decoder, const struct field *field, json_t *value, void *member);
json_t *encode_number(const struct field *field, const void *member);
json_t *encode_int(const struct field *field, const void *member);
bool int_is_empty(const void *member);
bool integer_is_empty(const void *member);

/* An integer within the field's range. */
bool decode_in_range(struct decoder *decoder, const struct field *field, const json_t *value, int64_t *out);
json_t *range_schema(const struct field *field);
json_t *constant_schema(const struct field *field, bool request);

json_t *text_schema(const struct field *field, bool request);
bool decode_text(struct decoder *decoder, const struct field *field, json_t *value, void *member);
json_t *encode_text(const struct field *field, const void *member);
bool text_is_empty(const void *member);

json_t *binary_schema(const struct field *field, bool request);
bool decode_binary(struct decoder *decoder, const struct field *field, json_t *value, void *member);
json_t *encode_binary(const struct field *field, const void *member);
bool binary_is_empty(const void *member);

/* A payload is "data" or "text" in requests, and no part of what is encoded. */
bool decode_payload_data(struct decoder *decoder, const struct field *field, json_t *value, void *member);
bool decode_payload_text(struct decoder *decoder, json_t *value, struct payload *payload);

json_t *until_schema(const struct field *field, bool request);
bool decode_until(struct decoder *decoder, const struct field *field, json_t *value, void *member);
json_t *frame_schema(const struct field *field, bool request);
bool decode_frame(struct decoder *decoder, const struct field *field, json_t *value, void *member);
json_t *settings_schema(const struct field *field, bool request);
bool decode_settings(struct decoder *decoder, const struct field *field, json_t *value, void *member);
json_t *listen_schema(const struct field *field, bool request);
bool decode_listen(struct decoder *decoder, const struct field *field, json_t *value, void *member);

json_t *steps_schema(const struct field *field, bool request);
bool decode_steps(struct decoder *decoder, const struct field *field, json_t *value, void *member);

json_t *value_schema(const struct field *field, bool request);
bool decode_value(struct decoder *decoder, const struct field *field, json_t *value, void *member);
json_t *encode_value(const struct field *field, const void *member);
bool value_is_empty(const void *member);

json_t *moment_schema(const struct field *field, bool request);
bool decode_moment(struct decoder *decoder, const struct field *field, json_t *value, void *member);
json_t *encode_moment(const struct field *field, const void *member);
bool moment_is_empty(const void *member);
