/* policy_json.c: policies from the JSON that they are written in. */
#include "api/policy_json.h"

#include <stdio.h>
#include <string.h>

#include "api/json_body.h"
#include "api/policy_item.h"
#include "daemon/sockets/cleanup.h"

/* The file as it is written. */
struct policy_text {
        struct text mode;
        struct value rules;
};
static const struct field policy_rows[] = {
        FIELD(struct policy_text, mode, "enforce or report."),
        FIELD(struct policy_text, rules, "The rules.", .required = true),
};
static const struct fields policy_fields = FIELDS(struct policy_text, policy_rows);

#define LIST_FIELD(member) FIELD(struct rule_text, member, "A list.")
static const struct field rule_rows[] = {
        FIELD(struct rule_text, name, "Its name.", .min = 1, .max = RULE_NAME_SIZE - 1),
        LIST_FIELD(allow),
        LIST_FIELD(deny),
        LIST_FIELD(family),
        LIST_FIELD(type),
        LIST_FIELD(cidr),
        LIST_FIELD(ports),
        LIST_FIELD(path),
        LIST_FIELD(abstract),
        LIST_FIELD(option),
        LIST_FIELD(device),
        LIST_FIELD(netns),
        LIST_FIELD(token),
        LIST_FIELD(policy),
        LIST_FIELD(class),
};
static const struct fields rule_fields = FIELDS(struct rule_text, rule_rows);

static bool read_deeds(struct reader *reader, const char *name, json_t *list, unsigned *out)
{
        if (!json_is_array(list) || json_array_size(list) == 0)
                return decoder_fail(&reader->decoder, name, "must be a list of operations, or [\"*\"]");
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *const item = json_array_get(list, i);
                enum deed_kind kind = DEED_COUNT;
                const size_t mark = decoder_enter(&reader->decoder, "%s[%zu].", name, i);
                if (json_is_string(item) && strcmp(json_string_value(item), "*") == 0)
                        *out |= (1u << DEED_COUNT) - 1;
                else if (decode_deed(&reader->decoder, "", item, &kind))
                        *out |= 1u << kind;
                else
                        return false;
                decoder_leave(&reader->decoder, mark);
        }
        return true;
}

static bool read_class(struct reader *reader, json_t *item, void *out)
{
        static const struct {
                const char *name;
                unsigned class;
        } classes[] = { { "metadata", CLASS_METADATA }, { "control", CLASS_CONTROL } };
        const char *const text = decode_name_text(&reader->decoder, "", item, "metadata or control");
        for (size_t i = 0; text != NULL && i < sizeof classes / sizeof *classes; i++)
                if (strcmp(text, classes[i].name) == 0) {
                        *(unsigned *)out = classes[i].class;
                        return true;
                }
        return text != NULL && decoder_fail(&reader->decoder, "", "must be metadata or control");
}

/* A rule for operations that it can never fit is a mistake. */
static bool check_deeds(struct reader *reader, const char *name, unsigned fitting, unsigned deeds)
{
        for (enum deed_kind kind = 0; kind < DEED_COUNT && deeds != ANY_DEED; kind++)
                if ((deeds & ~fitting) >> kind & 1)
                        return decoder_fail(&reader->decoder, name,
                                "says nothing of %s: make that a rule of its own", deed_names[kind]);
        return true;
}

static json_t *list_given(struct reader *reader, const char *name, const struct value *value, bool *sound)
{
        *sound = value->json == NULL || json_array_size(value->json) > 0;
        if (!*sound)
                decoder_fail(&reader->decoder, name, "must be a list that is not empty");
        return *sound ? value->json : NULL;
}

static bool read_list(
        struct reader *reader, const struct rule_list *row, const struct rule_text *from, struct rule *rule)
{
        bool sound;
        json_t *const json =
                list_given(reader, row->name, (const struct value *)((const char *)from + row->from), &sound);
        if (json == NULL)
                return sound;
        struct list *const list = (struct list *)((char *)rule + row->to);
        const size_t count = json_array_size(json);
        char *const items = policy_allocate(reader->policy, count * row->size);
        if (items == NULL)
                return decoder_fail_memory(&reader->decoder);
        for (size_t i = 0; i < count; i++) {
                const size_t mark = decoder_enter(&reader->decoder, "%s[%zu].", row->name, i);
                if (!row->read(reader, json_array_get(json, i), items + i * row->size))
                        return false;
                decoder_leave(&reader->decoder, mark);
        }
        *list = (struct list){ .items = items, .count = count };
        return check_deeds(reader, row->name, row->deeds, rule->deeds);
}

static bool read_classes(struct reader *reader, const struct rule_text *from, struct rule *rule)
{
        bool sound;
        json_t *const json = list_given(reader, "class", &from->class, &sound);
        for (size_t i = 0; i < json_array_size(json); i++) {
                unsigned class = 0;
                const size_t mark = decoder_enter(&reader->decoder, "class[%zu].", i);
                if (!read_class(reader, json_array_get(json, i), &class))
                        return false;
                decoder_leave(&reader->decoder, mark);
                rule->classes |= class;
        }
        return sound &&
               (json == NULL || check_deeds(reader, "class", DEED(CONNECT) | DEED(SEND), rule->deeds));
}

/* Its name must be unlike what is built in; one without gets its place as its name. */
static bool read_name(struct reader *reader, size_t place, const struct text *name, struct rule *rule)
{
        for (size_t i = 0; name->bytes != NULL && i < policy_own_name_count; i++)
                if (strcmp(name->bytes, policy_own_names[i]) == 0)
                        return decoder_fail(&reader->decoder, "name", "must not be \"%s\", which is built in",
                                name->bytes);
        if (name->bytes != NULL)
                snprintf(rule->name, sizeof rule->name, "%s", name->bytes);
        else
                snprintf(rule->name, sizeof rule->name, "rules[%zu]", place);
        return true;
}

static bool read_rule(struct reader *reader, size_t place, json_t *json, struct rule *rule)
{
        struct rule_text text;
        if (!json_is_object(json))
                return decoder_fail(&reader->decoder, "", "must be an object, not %s", json_kind_word(json));
        if (!fields_decode(&reader->decoder, &rule_fields, &text, NULL, NULL, json) ||
                !read_name(reader, place, &text.name, rule))
                return false;
        if ((text.allow.json == NULL) == (text.deny.json == NULL))
                return decoder_fail(&reader->decoder, "", "must have either allow or deny");
        rule->allows = text.allow.json != NULL;
        if (!read_deeds(reader, rule->allows ? "allow" : "deny",
                    rule->allows ? text.allow.json : text.deny.json, &rule->deeds))
                return false;
        for (size_t i = 0; i < rule_list_count; i++)
                if (!read_list(reader, &rule_lists[i], &text, rule))
                        return false;
        return read_classes(reader, &text, rule);
}

static bool read_rules(struct reader *reader, json_t *list)
{
        struct policy *const policy = reader->policy;
        if (!json_is_array(list))
                return decoder_fail(
                        &reader->decoder, "rules", "must be a list, not %s", json_kind_word(list));
        policy->count = json_array_size(list);
        policy->rules = policy_allocate(policy, policy->count * sizeof *policy->rules);
        if (policy->rules == NULL)
                return decoder_fail_memory(&reader->decoder);
        for (size_t i = 0; i < policy->count; i++) {
                const size_t mark = decoder_enter(&reader->decoder, "rules[%zu].", i);
                if (!read_rule(reader, i, json_array_get(list, i), &policy->rules[i]))
                        return false;
                decoder_leave(&reader->decoder, mark);
        }
        return true;
}

static bool read_policy(struct reader *reader, json_t *json)
{
        struct policy_text text;
        if (!fields_decode(&reader->decoder, &policy_fields, &text, NULL, NULL, json))
                return false;
        const char *const mode = text.mode.bytes == NULL ? "enforce" : text.mode.bytes;
        reader->policy->reports = strcmp(mode, "report") == 0;
        if (!reader->policy->reports && strcmp(mode, "enforce") != 0)
                return decoder_fail(&reader->decoder, "mode", "must be enforce or report");
        return read_rules(reader, text.rules.json);
}

/* NULL with a problem. */
static json_t *parse(const char *text, size_t size, struct problem *problem)
{
        json_error_t error;
        if (size > POLICY_TEXT_MAX || !json_depth_fits(text, size)) {
                problem_set(problem, PROBLEM_UNSOUND_REQUEST, NULL, "it is longer than 1 MiB, or too deep");
                return NULL;
        }
        json_t *const json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
        if (json == NULL)
                problem_set(problem, PROBLEM_UNSOUND_REQUEST, NULL, "line %d, column %d: %s", error.line,
                        error.column, error.text);
        return json;
}

bool policy_from_json(const char *text, size_t size, struct policy **out, struct problem *problem)
{
        json_auto_t *json = parse(text, size, problem);
        struct policy *policy policy_auto = policy_new();
        struct reader reader = { .policy = policy };
        reader.decoder = (struct decoder){ .arena = &reader.arena, .problem = problem };
        if (json == NULL)
                return false;
        if (policy == NULL)
                return decoder_fail_memory(&reader.decoder);
        const bool sound = read_policy(&reader, json);
        arena_free(&reader.arena);
        if (sound)
                *out = TAKE(policy);
        return sound;
}
