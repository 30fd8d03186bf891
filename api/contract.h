/* contract.h: what the builders of the OpenAPI document share: the document under way and its components. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "api/operation.h"
#include "api/problem.h"

struct contract {
        json_t *root;                             /* the document; owned */
        json_t *schemas, *responses, *parameters; /* borrowed from it */
        bool failed;                              /* memory ran out somewhere */
};

/* Sets a member; takes over `value`, whose NULL is noted as a failure. */
void contract_set(struct contract *contract, json_t *object, const char *key, json_t *value);
void contract_append(struct contract *contract, json_t *array, json_t *value);

/* A new {"$ref": "#/components/SECTION/NAME"}. */
json_t *contract_reference(const char *section, const char *name);

/* The header of replies that are repeated, for a response's `headers`; a new reference. */
json_t *contract_replayed(void);

/* Adds the schemas Problem, ErrnoOutcome and Timed. */
void contract_add_outcomes(struct contract *contract);

/* The response of a problem, and a reference to it among the components, where its first use puts it. New
 * references. */
json_t *contract_problem(struct contract *contract, enum problem_kind kind);
json_t *contract_problem_reference(struct contract *contract, enum problem_kind kind);

/* The schema of a record, with what occurs often moved to the components; a new reference. */
json_t *contract_record(struct contract *contract, const struct fields *fields, bool request);

/* A value that a schema allows, from its examples, defaults and types; a new reference. */
json_t *contract_example(const struct contract *contract, json_t *schema);

/* The example of a record whose schema is at hand. A request's has what is required or has an example of its
 * own; a reply's has all that is not optional. A new reference. */
json_t *contract_record_example(
        struct contract *contract, const struct fields *fields, const json_t *schema, bool request);

/* The schema of all that an operation takes, the common parameters included; a new reference. The next two
 * are made from it. */
json_t *contract_request(struct contract *contract, const struct operation *operation);
json_t *contract_parameters(struct contract *contract, const struct operation *operation, json_t *schema);
json_t *contract_request_body(struct contract *contract, const struct operation *operation, json_t *schema);

/* The content of a raw body or reply; a new reference. */
json_t *contract_raw_content(void);

/* All responses of an operation, by status; a new reference. */
json_t *contract_responses(struct contract *contract, const struct operation *operation);

/* Whether an operation may also be answered by a stream of events; that, where its beginning may be said, and
 * the schema of an event. New references. */
bool operation_is_followed(const struct operation *operation);
json_t *contract_stream_content(void);
json_t *contract_last_event_id(void);
void contract_add_event(struct contract *contract);

/* Sets a response under its status; takes it over. */
void contract_set_status(struct contract *contract, json_t *responses, int status, json_t *response);

/* Whether an operation takes an Idempotency-Key. */
bool operation_takes_key(const struct operation *operation);

/* Whether an operation asks for the token. */
bool operation_is_private(const struct operation *operation);
