/*
 * fuzz_plain: any bytes as what a terminal may show.
 *
 * What is cleaned, percent-encoded or written as JSON is plain, whatever it was; what was plain
 * stays as it is; and no more columns are written than asked for. The first byte says how many.
 */
#include "cmd/base/plain.h"
#include "core/base/assert.h"

#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_all_plain(const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        const struct plain c = plain_next(text + at, len - at);
        ASSERT(c.len >= 1 && c.len <= 4 && c.len <= len - at);
        /* Said once more, without the table: no byte below a blank, and no C1. */
        ASSERT(!c.is_plain || ((uint8_t)text[at] >= ' ' && text[at] != 0x7f));
        ASSERT(!c.is_plain || (uint8_t)text[at] != 0xC2 || (uint8_t)text[at + 1] >= 0xA0);
        if (!c.is_plain) {
            return false;
        }
        at += c.len;
    }
    return true;
}

static void check_clean(const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    ASSERT(copy != NULL);
    memcpy(copy, text, len);
    const size_t cleaned = plain_clean(copy, len);
    ASSERT(cleaned <= len && is_all_plain(copy, cleaned));
    ASSERT(!is_all_plain(text, len) || (cleaned == len && memcmp(copy, text, len) == 0));
    free(copy);
}

static void check_print(const char *text, size_t len, size_t columns_max)
{
    char *shown = NULL;
    size_t shown_len = 0;
    FILE *out = open_memstream(&shown, &shown_len);
    ASSERT(out != NULL);
    plain_print(out, text, len, columns_max);
    ASSERT(fclose(out) == 0);
    ASSERT(is_all_plain(shown, shown_len));
    const size_t columns = plain_columns(shown, shown_len);
    ASSERT(columns <= columns_max || (columns == 3 && strcmp(shown, "...") == 0));
    free(shown);
}

/* The JSON that a client would print stays the same JSON. */
static void check_json(const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    ASSERT(copy != NULL);
    memcpy(copy, text, len);
    copy[len] = '\0';
    cJSON *root = cJSON_CreateString(copy);
    char *json = cJSON_PrintUnformatted(root);
    char *shown = NULL;
    size_t shown_len = 0;
    FILE *out = open_memstream(&shown, &shown_len);
    ASSERT(json != NULL && out != NULL);
    plain_print_json(out, json, strlen(json));
    ASSERT(fclose(out) == 0);
    ASSERT(is_all_plain(shown, shown_len));
    cJSON *again = cJSON_ParseWithLength(shown, shown_len);
    ASSERT(cJSON_IsString(again));
    bool is_utf8 = true;
    for (size_t at = 0; copy[at] != '\0';) {
        const struct plain c = plain_next(copy + at, strlen(copy) - at);
        is_utf8 = is_utf8 && (c.is_plain || c.code != PLAIN_NO_CHARACTER);
        at += c.len;
    }
    ASSERT(!is_utf8 || strcmp(cJSON_GetStringValue(again), copy) == 0);
    cJSON_Delete(root);
    cJSON_Delete(again);
    cJSON_free(json);
    free(shown);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const char *text = (const char *)data + 1;
    check_clean(text, size - 1);
    check_print(text, size - 1, data[0]);
    check_json(text, size - 1);
    return 0;
}
