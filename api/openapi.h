/* openapi.h: the contract, as OpenAPI 3.1, made from the rows of operations and fields. */
#pragma once

#include <jansson.h>

/* The document; a new reference, or NULL without memory. */
json_t *openapi_document(void);

/* The same as text, made once and kept as long as the process lives. NULL without memory. Safe from any
 * thread. */
const char *openapi_yaml_text(void);
const char *openapi_json_text(void);
