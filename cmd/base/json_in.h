/*
 * json_in: members of a node's answers in JSON, as the client commands read them: what is not
 * there, or is something else, has a value of its own.
 */
#ifndef CMD_BASE_JSON_IN_H
#define CMD_BASE_JSON_IN_H

#include <cjson/cJSON.h>
#include <stdint.h>

/* The text of that name, borrowed; `otherwise` when there is none. `object` may be NULL. */
const char *json_in_text(const cJSON *object, const char *name, const char *otherwise);

/* The whole part of the number of that name; 0 when there is none, or it is below 0 or not below
 * 1e18. `object` may be NULL. */
uint64_t json_in_number(const cJSON *object, const char *name);

#endif
