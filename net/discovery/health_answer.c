#include "net/discovery/health_answer.h"

#include "core/base/parse.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

static enum rc parse_uuid(const char *text, struct uuid *ret_uuid)
{
    if (strlen(text) != UUID_TEXT_SIZE - 1) {
        return RC_MALFORMED;
    }
    for (size_t i = 0; i < UUID_BYTES; i++) {
        uint64_t byte = 0;
        if (parse_hex_u64(text + 2 * i, 2, &byte) != RC_OK) {
            return RC_MALFORMED;
        }
        ret_uuid->bytes[i] = (uint8_t)byte;
    }
    return RC_OK;
}

/* The name goes into our log: what is not printable ASCII, or too long, is not taken. */
static void take_name(const cJSON *name, char *ret_name)
{
    ret_name[0] = '\0';
    if (!cJSON_IsString(name) || strlen(name->valuestring) >= NAME_SIZE) {
        return;
    }
    for (const char *c = name->valuestring; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~') {
            return;
        }
    }
    memcpy(ret_name, name->valuestring, strlen(name->valuestring) + 1);
}

enum rc health_answer_parse(const void *body, size_t len, struct health_answer *ret_answer)
{
    if (body == NULL || len > HEALTH_ANSWER_BYTES_MAX) {
        return RC_MALFORMED;
    }
    cJSON *json = cJSON_ParseWithLengthOpts(body, len, NULL, false);
    const cJSON *uuid = cJSON_GetObjectItemCaseSensitive(json, "uuid");
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(json, "status");
    struct health_answer answer = {.is_claiming = false};
    enum rc rc = RC_MALFORMED;
    if (cJSON_IsString(uuid) && cJSON_IsString(status)) {
        rc = parse_uuid(uuid->valuestring, &answer.uuid);
    }
    if (rc == RC_OK) {
        answer.is_claiming = strcmp(status->valuestring, "claiming") == 0;
        take_name(cJSON_GetObjectItemCaseSensitive(json, "node_id"), answer.name);
        *ret_answer = answer;
    }
    cJSON_Delete(json);
    return rc;
}

size_t health_answer_write_claiming(const struct uuid *uuid, uint16_t port, char *ret_text,
                                    size_t size)
{
    char text[UUID_TEXT_SIZE];
    const int len =
        snprintf(ret_text, size, "{\"status\":\"claiming\",\"uuid\":\"%s\",\"port\":%u}\n",
                 uuid_format(uuid, text), port);
    return (size_t)len < size ? (size_t)len : size - 1;
}
