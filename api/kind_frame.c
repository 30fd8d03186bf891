/* kind_frame.c: the member "frame": how a stream is cut into messages. */
#include <string.h>

#include "api/kind.h"
#include "daemon/sockets/frame.h"

enum {
        FRAME_DEFAULT_MAX = 1 << 20,
        FRAME_LARGEST_MAX = 1 << 30,
        FRAME_MAX_COUNT = 1000,
        OFFSET_MAX = 65535,
};

/* The object form of "frame", and of its "length". */
struct frame_object {
        uint64_t bytes;
        struct binary delimiter;
        struct text delimiter_text;
        struct value length;
        uint64_t max;
        int count;
};
struct length_object {
        int width, offset;
        struct text endian;
        bool inclusive;
};

static const struct field frame_rows[] = {
        FIELD(struct frame_object, bytes, "Each message has so many bytes.", .min = 1,
                .max = FRAME_LARGEST_MAX, .example = "64"),
        FIELD(struct frame_object, delimiter, "Each message ends with these bytes.", .example = "\"DQo=\""),
        FIELD(struct frame_object, delimiter_text, "Each message ends with this text.", .min = 1,
                .max = 65536, .example = "\"\\n\""),
        FIELD(struct frame_object, length, "Each message begins with a header that says its length."),
        FIELD(struct frame_object, max,
                "The most bytes that one message may have. A longer one is refused with EMSGSIZE, and stays.",
                .min = 1, .max = FRAME_LARGEST_MAX, .fallback = FRAME_DEFAULT_MAX),
        FIELD(struct frame_object, count,
                "The most messages to receive: the first one is waited for, others are taken if they are "
                "there.",
                .min = 1, .max = FRAME_MAX_COUNT, .fallback = 1),
};
static const struct fields frame_fields = FIELDS(struct frame_object, frame_rows);

static const struct field length_rows[] = {
        FIELD(struct length_object, width, "The bytes of the length.", .required = true,
                .schema = "{\"type\":\"integer\",\"enum\":[1,2,3,4,8]}", .example = "4"),
        FIELD(struct length_object, endian,
                "The order of those: big (of the network), or little. Absent: big.",
                .schema = "{\"type\":\"string\",\"enum\":[\"big\",\"little\"],\"default\":\"big\"}"),
        FIELD(struct length_object, offset, "The bytes of the header before the length.", .max = OFFSET_MAX),
        FIELD(struct length_object, inclusive,
                "The length counts the header too: what is before it, and itself. Else only what follows "
                "it."),
};
static const struct fields length_fields = FIELDS(struct length_object, length_rows);

json_t *frame_schema(const struct field *field, bool request)
{
        (void)field;
        json_t *const schema = fields_schema(&frame_fields, request);
        json_t *const length = json_object_get(json_object_get(schema, "properties"), "length");
        json_t *const record = fields_schema(&length_fields, request);
        json_object_update(length, record);
        json_decref(record);
        json_object_set_new(schema, "oneOf",
                json_pack("[{s[s]}, {s[s]}, {s[s]}, {s[s]}]", "required", "bytes", "required", "delimiter",
                        "required", "delimiter_text", "required", "length"));
        return schema;
}

static bool width_is_known(int width)
{
        return width == 8 || (width >= 1 && width <= 4);
}

static bool decode_length(struct decoder *decoder, json_t *value, struct frame *frame)
{
        struct length_object object;
        if (!json_is_object(value))
                return decoder_fail(decoder, "length", "must be an object, not %s", json_kind_word(value));
        const size_t mark = decoder_enter(decoder, "%s.", "length");
        if (!fields_decode(decoder, &length_fields, &object, NULL, NULL, value))
                return false;
        const char *const endian = object.endian.bytes == NULL ? "big" : object.endian.bytes;
        frame->little_endian = strcmp(endian, "little") == 0;
        if (!frame->little_endian && strcmp(endian, "big") != 0)
                return decoder_fail(decoder, "endian", "must be big or little");
        if (!width_is_known(object.width))
                return decoder_fail(decoder, "width", "must be 1, 2, 3, 4 or 8");
        frame->offset = (size_t)object.offset;
        frame->width = (size_t)object.width;
        frame->inclusive = object.inclusive;
        decoder_leave(decoder, mark);
        return true;
}

/* The frame's way; what it is bounded by is there already. */
static bool frame_from_object(struct decoder *decoder, const struct frame_object *object, struct frame *frame)
{
        const bool has_text = object->delimiter_text.bytes != NULL, has_length = object->length.json != NULL;
        if ((object->bytes > 0) + object->delimiter.given + has_text + has_length != 1)
                return decoder_fail(
                        decoder, "", "needs exactly one of bytes, delimiter, delimiter_text and length");
        if (has_length && !decode_length(decoder, object->length.json, frame))
                return false;
        frame->bytes = (size_t)object->bytes;
        if (object->delimiter.given) {
                frame->delimiter = object->delimiter.bytes;
                frame->delimiter_size = object->delimiter.size;
        } else if (has_text) {
                frame->delimiter = (const uint8_t *)object->delimiter_text.bytes;
                frame->delimiter_size = object->delimiter_text.size;
        }
        if (object->delimiter.given && frame->delimiter_size == 0)
                return decoder_fail(decoder, "delimiter", "must have a byte or more");
        if (frame->bytes + frame->delimiter_size + frame->offset + frame->width > frame->max)
                return decoder_fail(decoder, "max", "must be no less than the least message");
        return true;
}

bool decode_frame(struct decoder *decoder, const struct field *field, json_t *value, void *member)
{
        struct frame_object object;
        if (!json_is_object(value))
                return decoder_fail(decoder, field->name, "must be an object, not %s", json_kind_word(value));
        struct frame *const frame = arena_allocate(decoder->arena, sizeof *frame);
        if (!frame)
                return decoder_fail_memory(decoder);
        const size_t mark = decoder_enter(decoder, "%s.", field->name);
        if (!fields_decode(decoder, &frame_fields, &object, NULL, NULL, value))
                return false;
        frame->max = (size_t)object.max;
        frame->count = (size_t)object.count;
        if (!frame_from_object(decoder, &object, frame))
                return false;
        decoder_leave(decoder, mark);
        ((struct framing *)member)->frame = frame;
        return true;
}
