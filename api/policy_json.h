/* policy_json.h: policies from the JSON that they are written in. */
#pragma once

#include "api/field.h"
#include "daemon/sockets/policy.h"

/* The longest text of a policy. */
enum { POLICY_TEXT_MAX = 1 << 20 };

/* Reads a policy. False with a problem whose detail says where and what is wrong; *out is then untouched. It
 * comes with one reference. */
bool policy_from_json(const char *text, size_t size, struct policy **out, struct problem *problem);

/* "bind" … as the kind of a deed. False with decoder->problem filled in. */
bool decode_deed(struct decoder *decoder, const char *name, const json_t *value, enum deed_kind *out);

/* "SO_MARK", or "LEVEL:OPTION" by names or numbers; and a network interface's name. */
bool decode_option_key(
        struct decoder *decoder, const char *name, const json_t *value, struct option_key *out);
