/* address_json.c: socket addresses to and from JSON, by the forms of address_form.c. */
#include "api/address_json.h"

#include <string.h>

#include "api/address_form.h"
#include "daemon/sockets/cleanup.h"

struct address_family {
        int family;
};

static const struct field family_rows[] = {
        FIELD(struct address_family, family, "Address family.", .names = &family_names, .max = UINT16_MAX),
};
static const struct fields family_fields = FIELDS(struct address_family, family_rows);

static const struct address_form *form_of_family(int family)
{
        for (size_t form = 0; form < address_form_count; form++)
                if (address_forms[form].family == family)
                        return &address_forms[form];
        return NULL;
}

static size_t members_known(const struct fields *fields, json_t *object)
{
        size_t known = 0;
        const char *name = NULL;
        json_t *value = NULL;
        json_object_foreach(object, name, value) known += fields_find(fields, name) != NULL;
        return known;
}

/* Without a family: the form that knows the most of the members. A host and a port may be of either IP
 * family. */
static const struct address_form *form_of_members(json_t *object)
{
        const struct address_form *best = form_of_family(AF_UNSPEC);
        size_t best_known = members_known(&best->fields, object);
        for (size_t form = 0; form < address_form_count; form++) {
                const size_t known = members_known(&address_forms[form].fields, object);
                if (known > best_known) {
                        best = &address_forms[form];
                        best_known = known;
                }
        }
        return best_known > 0 ? best : NULL;
}

static const struct address_form *form_of_object(struct decoder *decoder, json_t *object)
{
        json_t *const named = json_object_get(object, "family");
        int family = 0;
        if (json_object_get(object, "raw") != NULL)
                return &address_raw_form;
        if (named == NULL) {
                const struct address_form *const form = form_of_members(object);
                if (form == NULL)
                        decoder_fail(decoder, "family",
                                "an address needs a family, or a host and a port, or a path");
                return form;
        }
        if (!decode_constant(decoder, &family_rows[0], named, &family))
                return NULL;
        const struct address_form *const form = form_of_family(family);
        if (form == NULL)
                decoder_fail(decoder, "raw",
                        "an address of that family needs raw: its bytes after the family, in base64");
        return form;
}

static bool decode_object(struct decoder *decoder, json_t *object, struct address *out)
{
        struct address_parts parts;
        struct address_family family;
        const struct address_form *const form = form_of_object(decoder, object);
        if (form == NULL || !fields_decode(decoder, &form->fields, &parts, &family_fields, &family, object))
                return false;
        parts.family_given = json_object_get(object, "family") != NULL;
        return form->build(decoder, parts.family_given ? family.family : form->family, &parts, out);
}

static bool decode_short(
        struct decoder *decoder, const struct field *field, json_t *value, struct address *out)
{
        const char *const text = json_string_value(value);
        if (strlen(text) != json_string_length(value))
                return decoder_fail(decoder, field->name, "an address cannot hold a NUL byte here");
        const struct result result = address_parse(text, out);
        return result.kind == RESULT_DONE || decoder_fail(decoder, field->name, "%s", result.detail);
}

bool decode_address(struct decoder *decoder, const struct field *field, json_t *value, void *member)
{
        if (json_is_string(value))
                return decode_short(decoder, field, value, member);
        if (!json_is_object(value))
                return decoder_fail(decoder, field->name,
                        "%s must be an address, as text or as an object, not %s", field->name,
                        json_kind_word(value));
        const size_t mark = decoder_enter(decoder, "%s.", field->name);
        if (!decode_object(decoder, value, member))
                return false;
        decoder_leave(decoder, mark);
        return true;
}

json_t *encode_address(const struct field *field, const void *member)
{
        (void)field;
        const struct address *const address = member;
        if (!address->given || address->size < sizeof(sa_family_t) || address->size > sizeof address->storage)
                return json_null();
        struct address_parts parts = { .family_given = true };
        const struct address_form *form = form_of_family(address->storage.ss_family);
        if (form == NULL || form->read == NULL || !form->read(address, &parts)) {
                form = &address_raw_form;
                form->read(address, &parts);
        }
        json_auto_t *members = fields_encode(&form->fields, &parts);
        fields_release(&form->fields, &parts);
        json_auto_t *object = json_object();
        if (members == NULL ||
                json_object_set_new(object, "family",
                        encode_constant(&family_names, false, address->storage.ss_family)) != 0 ||
                json_object_update(object, members) != 0)
                return NULL;
        return TAKE(object);
}

/* All the names that the family has, and its number; a reply says the first. */
static json_t *family_schema(int family, bool request)
{
        if (family < 0)
                return json_pack("{s[ss]}", "type", "string", "integer");
        if (!request)
                return json_pack("{so}", "const", encode_constant(&family_names, false, family));
        json_t *const list = json_array();
        for (size_t row = 0; row < family_names.count; row++)
                if (family_names.rows[row].number == family)
                        json_array_append_new(list, json_string(family_names.rows[row].name));
        json_array_append_new(list, json_integer(family));
        return json_pack("{so}", "enum", list);
}

/* An object of the family first, for readers, then of the form's members. */
static json_t *form_schema(const struct address_form *form, bool request)
{
        json_auto_t *schema = fields_schema(&form->fields, request);
        json_auto_t *properties = json_incref(json_object_get(schema, "properties"));
        json_auto_t *required = json_incref(json_object_get(schema, "required"));
        json_t *const all = json_pack("{so}", "family", family_schema(form->family, request));
        json_t *const needed = json_array();
        json_object_update(all, properties);
        json_object_set_new(schema, "properties", all);
        if (!request || form == &address_raw_form)
                json_array_append_new(needed, json_string("family"));
        if (required != NULL)
                json_array_extend(needed, required);
        json_object_set_new(schema, "required", needed);
        return TAKE(schema);
}

json_t *address_schema(const struct field *field, bool request)
{
        (void)field;
        json_t *const forms = json_array();
        if (request)
                json_array_append_new(
                        forms, json_pack("{ss,ss,s[sssss]}", "type", "string", "description",
                                       "Short form: host:port, [ipv6]:port, unix:/path or unix:@abstract.",
                                       "examples", "127.0.0.1:80", "[::1]:80", "example.test:80",
                                       "unix:/run/x", "unix:@x"));
        for (size_t form = 0; form < address_form_count; form++)
                if (request || address_forms[form].read != NULL)
                        json_array_append_new(forms, form_schema(&address_forms[form], request));
        json_array_append_new(forms, form_schema(&address_raw_form, request));
        return json_pack("{so}", "anyOf", forms);
}
