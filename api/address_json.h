/* address_json.h: socket addresses in JSON: the short text form, and one object form per family. */
#pragma once

#include "api/field.h"

/* These make up the row of FIELD_ADDRESS in the table of kinds (see struct kind). Decoding leaves a host's
 * name to be resolved (struct address). Encoding is total: what no family's form can say exactly comes out as
 * "raw", and what has no family as null. Whatever encode_address() says, decode_address() takes. */
json_t *address_schema(const struct field *field, bool request);
bool decode_address(struct decoder *decoder, const struct field *field, json_t *value, void *member);
json_t *encode_address(const struct field *field, const void *member);
