/* field.h: one line per member of a request or a reply; decoding, encoding and schema all come from that
 * line. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "api/arena.h"
#include "api/problem.h"
#include "daemon/sockets/address.h"
#include "daemon/sockets/name.h"

/* The types that a member may have. Each is one row of the kinds table in kind.c. */
struct text {
        const char *bytes;
        size_t size;
}; /* UTF-8, terminated; NULL: absent */
struct binary {
        const uint8_t *bytes;
        size_t size;
        bool given;
}; /* base64 in JSON */
struct payload {
        uint8_t *bytes;
        size_t size;
        bool given;
}; /* what is sent or received: data, text or raw */
struct until {
        bool given, eof;
        uint64_t bytes;
        struct binary delimiter;
}; /* when a recv is complete */
struct framing {
        const struct frame *frame;
}; /* how a stream is cut into messages; NULL: not given; in the arena */
struct setting {
        int level, option;
        json_t *value;
        struct binary raw;
}; /* one socket option to set; value borrowed */
struct settings {
        struct setting *items;
        size_t count;
}; /* a list of those */
struct listen_request {
        bool given;
        int backlog;
}; /* "listen": {"backlog": n} or true */
struct value {
        json_t *json;
}; /* any JSON; requests borrow, replies own */
struct batch_step {
        struct text name, method, path;
        struct value body, expect;
        int64_t timeout_ms; /* -1: not given */
        bool parallel;
        struct text on_error;
}; /* a call to make in a batch; all of it borrowed */
struct steps {
        struct batch_step *items;
        size_t count;
}; /* a list of those */
struct moment {
        struct timespec time;
}; /* UTC RFC 3339 with nanoseconds */

enum field_kind {
        FIELD_BOOLEAN,
        FIELD_INT,
        FIELD_INTEGER,
        FIELD_UNSIGNED,
        FIELD_TEXT,
        FIELD_BINARY,
        FIELD_PAYLOAD,
        FIELD_ADDRESS,
        FIELD_UNTIL,
        FIELD_FRAMING,
        FIELD_SETTINGS,
        FIELD_LISTEN,
        FIELD_STEPS,
        FIELD_VALUE,
        FIELD_MOMENT,
        FIELD_KIND_COUNT,
};

/* The kind follows the member's C type, so that type and schema cannot disagree. */
#define FIELD_KIND(type, member)                                                                             \
        _Generic(((type *)NULL)->member, bool                                                                \
                 : FIELD_BOOLEAN, int                                                                        \
                 : FIELD_INT, int64_t                                                                        \
                 : FIELD_INTEGER, uint64_t                                                                   \
                 : FIELD_UNSIGNED, struct text                                                               \
                 : FIELD_TEXT, struct binary                                                                 \
                 : FIELD_BINARY, struct payload                                                              \
                 : FIELD_PAYLOAD, struct address                                                             \
                 : FIELD_ADDRESS, struct until                                                               \
                 : FIELD_UNTIL, struct framing                                                               \
                 : FIELD_FRAMING, struct settings                                                            \
                 : FIELD_SETTINGS, struct listen_request                                                     \
                 : FIELD_LISTEN, struct steps                                                                \
                 : FIELD_STEPS, struct value                                                                 \
                 : FIELD_VALUE, struct moment                                                                \
                 : FIELD_MOMENT)

struct field {
        const char *name;
        const char *help;
        enum field_kind kind;
        size_t offset;
        int64_t min, max;          /* of numbers and of a text's length; both 0: what the type holds */
        int64_t fallback;          /* a number's or boolean's value when absent */
        bool required;             /* of a request */
        bool nullable;             /* a reply says null for an empty text, absent address or number 0 */
        bool optional;             /* a reply leaves it, or a false, out instead */
        bool progress;             /* a reply's, also said when the call failed halfway */
        bool flags;                /* with names: a list of them, OR-ed */
        const struct names *names; /* an int that goes by name */
        const char *schema;        /* JSON text: a value's schema, instead of the kind's own */
        const char *example;       /* JSON text */
};

/* FIELD(type, member, help, designated initialisers …). */
#define FIELD(type, ...) FIELD_ROW(type, __VA_ARGS__, )
#define FIELD_ROW(type, member, text, ...)                                                                   \
        {                                                                                                    \
                .name = #member, .help = (text), .kind = FIELD_KIND(type, member),                           \
                .offset = offsetof(type, member), __VA_ARGS__                                                \
        }

/* What a reply may be that is no JSON record. */
struct media {
        const char *type, *example; /* example: JSON text; NULL: bytes */
        const char *schema;         /* JSON text; NULL: an object, or a text, as the example is */
};

struct fields {
        const struct field *rows;
        size_t count;
        size_t size;       /* of the struct that they describe */
        const char *title; /* its name among the document's schemas: "Socket"; NULL: stands inline */
        /* Of a reply that is no record: its one text member is the body, of one of these types, which
         * call->media says. Ended by a row without one; NULL: it is a record. */
        const struct media *media;
};

/* FIELDS(type, rows, designated initialisers …). */
#define FIELDS(type, ...) FIELDS_OF(type, __VA_ARGS__, )
#define FIELDS_OF(type, list, ...)                                                                           \
        {                                                                                                    \
                .rows = (list), .count = sizeof(list) / sizeof *(list), .size = sizeof(type), __VA_ARGS__    \
        }
#define NO_FIELDS                                                                                            \
        {                                                                                                    \
                .rows = NULL, .count = 0, .size = 0                                                          \
        }

/* What decoding works with. */
struct decoder {
        struct arena *arena;
        struct problem *problem;           /* filled in when a decode function returns false */
        char path[PROBLEM_PARAMETER_SIZE]; /* where it is: "options[2]." */
};

struct kind {
        /* A new reference: the JSON Schema of a field. `request` tells a request's from a reply's. */
        json_t *(*schema)(const struct field *field, bool request);
        /* Reads a member; false with decoder->problem filled in. */
        bool (*decode)(struct decoder *decoder, const struct field *field, json_t *value, void *member);
        /* A new reference, or NULL without memory. NULL for kinds that only requests have. */
        json_t *(*encode)(const struct field *field, const void *member);
        /* Whether a reply has nothing to say there: nullable ones are null then, optional ones are left out.
         */
        bool (*empty)(const void *member);
};
extern const struct kind field_kinds[FIELD_KIND_COUNT];

/* Notes what is wrong with a parameter, in words that follow "name: ", as "must be …". "" as the name is the
 * value that the path leads to. Returns false, for decoders to return. */
bool decoder_fail(struct decoder *decoder, const char *name, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Notes that memory ran out. Returns false. */
bool decoder_fail_memory(struct decoder *decoder);

/* Goes into a member or element, "%s." or "%s[%zu].", as the names in messages show. Returns the mark to
 * leave by. */
size_t decoder_enter(struct decoder *decoder, const char *format, ...) __attribute__((format(printf, 2, 3)));
void decoder_leave(struct decoder *decoder, size_t mark);

/* What a value is, for messages: "text", "a list" … */
const char *json_kind_word(const json_t *value);

/* A JSON text of bytes that need not be UTF-8: what is not becomes U+FFFD. A new reference, or NULL without
 * memory. */
json_t *json_text(const char *bytes, size_t size);

/* Sets the fallbacks, and zero elsewhere. */
void fields_reset(const struct fields *fields, void *record);

/* A field by its JSON name; "text" finds the payload too. NULL: none. */
const struct field *fields_find(const struct fields *fields, const char *name);

/* Resets the record and the common record, then fills them in from the object's members (NULL: no members),
 * each member going to the first list that knows it. `common` and its record may be NULL. An unknown member,
 * and a required one that is missing, is an error; but a required payload is for the caller to check, who may
 * have it from elsewhere. Texts and values point into the object; the rest is in the arena. False with
 * decoder->problem filled in. */
bool fields_decode(struct decoder *decoder, const struct fields *fields, void *record,
        const struct fields *common, void *common_record, json_t *object);

/* A query-string value as the JSON value that the field's decode expects; a new reference. NULL:
 * decoder->problem says why. */
json_t *field_value_from_query(
        struct decoder *decoder, const struct field *field, const char *text, size_t size);

/* Whether a reply has the member: a payload is not among them, nor what is optional and empty. */
bool field_is_said(const struct field *field, const void *member);

/* Encodes one member, null where the row says so; a new reference, or NULL without memory. */
json_t *field_encode(const struct field *field, const void *member);

/* Encodes all but the payload. A new reference, or NULL without memory. */
json_t *fields_encode(const struct fields *fields, const void *record);

/* Releases the JSON values that a reply's record owns. */
void fields_release(const struct fields *fields, void *record);

/* JSON Schema of the object; a new reference, or NULL without memory. */
json_t *fields_schema(const struct fields *fields, bool request);

/* JSON Schema of one member, with its description, default and example; a new reference. */
json_t *field_schema(const struct field *field, bool request);

/* A constant by name or number, with "did you mean"; flags: a list, a number, or "A|B". */
bool decode_constant(struct decoder *decoder, const struct field *field, json_t *value, int *out);

/* The name of a constant, or its number where it has none; flags as a list. A new reference. */
json_t *encode_constant(const struct names *names, bool flags, int number);
