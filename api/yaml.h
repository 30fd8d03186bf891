/* yaml.h: a JSON value printed as YAML that every parser of 1.1 and 1.2 reads back as the same value. */
#pragma once

#include <jansson.h>

/* The text, from malloc(), terminated; the caller frees it. NULL without memory. Object keys stay in their
 * order and may have 1,000 bytes at most (parsers look no farther ahead for the colon). */
char *yaml_print(const json_t *json);
