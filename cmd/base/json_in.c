#include "cmd/base/json_in.h"

const char *json_in_text(const cJSON *object, const char *name, const char *otherwise)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text != NULL ? text : otherwise;
}

uint64_t json_in_number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    const double number = cJSON_IsNumber(item) ? cJSON_GetNumberValue(item) : 0;
    return number > 0 && number < 1e18 ? (uint64_t)number : 0;
}
