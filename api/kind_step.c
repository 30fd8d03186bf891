/* kind_step.c: the steps of a batch as a request's member. */
#include <string.h>

#include "api/kind.h"

enum { STEPS_MOST = 2000, NAME_MOST = 64 };

static const struct field step_rows[] = {
        FIELD(struct batch_step, name,
                "What later steps call its result by, beside its number from 0: no slash, no number.",
                .max = NAME_MOST, .example = "\"server\""),
        FIELD(struct batch_step, method, "The endpoint's method. Absent: POST.",
                .schema = "{\"type\":\"string\",\"enum\":[\"GET\",\"POST\",\"PUT\",\"DELETE\"]}"),
        FIELD(struct batch_step, path,
                "The endpoint's path, without a query; {server/id} in it stands for a member of an earlier "
                "result.",
                .required = true, .example = "\"/v1/sockets/{server/id}/accept\""),
        FIELD(struct batch_step, body,
                "Its parameters, as the endpoint takes them in a body or in the query; "
                "{\"$ref\":\"server/local\"} anywhere in them stands for a member of an earlier result.",
                .schema = "{\"type\":\"object\"}", .example = "{\"label\":\"peer\"}"),
        FIELD(struct batch_step, expect, "As in the body.",
                .schema = "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"),
        FIELD(struct batch_step, timeout_ms, "As in the body.", .max = INT64_MAX, .fallback = -1),
        FIELD(struct batch_step, parallel,
                "Runs together with the steps beside it that say so too; the next one waits for them all."),
        FIELD(struct batch_step, on_error, "Whether the batch goes on when the step fails. Absent: stop.",
                .schema = "{\"type\":\"string\",\"enum\":[\"stop\",\"continue\"]}"),
};
static const struct fields step_fields = FIELDS(struct batch_step, step_rows, .title = "BatchStep");

json_t *steps_schema(const struct field *field, bool request)
{
        (void)field;
        return json_pack("{ss, so, si}", "type", "array", "items", fields_schema(&step_fields, request),
                "maxItems", STEPS_MOST);
}

static bool has_name(const struct batch_step *steps, size_t count, const struct text *name)
{
        for (size_t i = 0; i < count; i++)
                if (steps[i].name.bytes != NULL && strcmp(steps[i].name.bytes, name->bytes) == 0)
                        return true;
        return false;
}

static bool is_one_of(const struct text *text, const char *const *words)
{
        while (text->bytes != NULL && *words != NULL && strcmp(text->bytes, *words) != 0)
                words++;
        return *words != NULL;
}

static bool check_step(struct decoder *decoder, const struct batch_step *steps, size_t index)
{
        static const char *const methods[] = { "GET", "POST", "PUT", "DELETE", NULL };
        static const char *const ends[] = { "stop", "continue", NULL };
        const struct batch_step *const step = &steps[index];
        const char *const name = step->name.bytes;
        if (name != NULL && (*name == '\0' || strchr(name, '/') != NULL || (*name >= '0' && *name <= '9')))
                return decoder_fail(
                        decoder, "name", "must not be empty, have a slash, or begin with a digit");
        if (name != NULL && has_name(steps, index, &step->name))
                return decoder_fail(decoder, "name", "is another step's too");
        if (!is_one_of(&step->method, methods))
                return decoder_fail(decoder, "method", "must be GET, POST, PUT or DELETE");
        if (strchr(step->path.bytes, '?') != NULL)
                return decoder_fail(decoder, "path", "must have no query: parameters stand in body");
        if (step->body.json != NULL && !json_is_object(step->body.json))
                return decoder_fail(
                        decoder, "body", "must be an object, not %s", json_kind_word(step->body.json));
        return is_one_of(&step->on_error, ends) ||
               decoder_fail(decoder, "on_error", "must be stop or continue");
}

bool decode_steps(struct decoder *decoder, const struct field *field, json_t *value, void *member)
{
        const size_t count = json_array_size(value);
        if (!json_is_array(value))
                return decoder_fail(
                        decoder, field->name, "must be a list of steps, not %s", json_kind_word(value));
        if (count > STEPS_MOST)
                return decoder_fail(decoder, field->name, "must be at most %d steps", STEPS_MOST);
        struct batch_step *const items = arena_allocate(decoder->arena, (count + 1) * sizeof *items);
        if (items == NULL)
                return decoder_fail_memory(decoder);
        for (size_t i = 0; i < count; i++) {
                const size_t mark = decoder_enter(decoder, "%s[%zu].", field->name, i);
                json_t *const item = json_array_get(value, i);
                if (!json_is_object(item))
                        return decoder_fail(decoder, "", "must be an object, not %s", json_kind_word(item));
                if (!fields_decode(decoder, &step_fields, &items[i], NULL, NULL, item) ||
                        !check_step(decoder, items, i))
                        return false;
                decoder_leave(decoder, mark);
        }
        *(struct steps *)member = (struct steps){ .items = items, .count = count };
        return true;
}
