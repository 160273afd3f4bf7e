/* `repram keys`: every key of a node, page by page. */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/output.h"
#include "cmd/client/client.h"
#include "core/base/parse.h"
#include "core/base/units.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIMEOUT_MS = 15000, /* a page */
    PAGE_KEYS = 1000,
    CURSOR_SIZE = 4096,
};

enum keys_extra { KEYS_PREFIX, KEYS_LIMIT, KEYS_EXTRA_COUNT };

static const struct option_def keys_extras[KEYS_EXTRA_COUNT] = {
    [KEYS_PREFIX] = {"prefix", 'p', true},
    [KEYS_LIMIT] = {"limit", 'n', true},
};

struct listing {
    struct client *client;
    uint64_t left; /* keys still wanted */
    char cursor[CURSOR_SIZE];
    bool is_first; /* of the JSON list */
    cJSON *base64; /* keys that are not UTF-8, for the end of the JSON */
};

static enum rc page_target(const struct listing *l, char *ret_target, size_t size)
{
    const char *prefix = l->client->extras[KEYS_PREFIX];
    (void)snprintf(ret_target, size, "/v1/keys?limit=%llu",
                   (unsigned long long)(min_u64(l->left, PAGE_KEYS)));
    enum rc rc = RC_OK;
    if (prefix != NULL) {
        (void)snprintf(ret_target + strlen(ret_target), size - strlen(ret_target), "&prefix=");
        rc = client_encode(ret_target, size, prefix, "");
    }
    if (rc == RC_OK && l->cursor[0] != '\0') {
        if (strlen(ret_target) + sizeof("&cursor=") > size) {
            return RC_TOO_LONG;
        }
        (void)snprintf(ret_target + strlen(ret_target), size - strlen(ret_target), "&cursor=");
        rc = client_encode(ret_target, size, l->cursor, "");
    }
    return rc;
}

/* One key a line. Control characters and '%' are percent-encoded, so that one line is always one
 * key. */
static void print_key(const char *key)
{
    for (; *key != '\0'; key++) {
        const unsigned char c = (unsigned char)*key;
        if (c < ' ' || c == 0x7f || c == '%') {
            (void)printf("%%%02X", c);
        } else {
            (void)putchar(c);
        }
    }
    (void)putchar('\n');
}

static void print_base64(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    unsigned bit_count = 0;
    for (; *text != '\0' && *text != '='; text++) {
        const char *digit = strchr(digits, *text);
        if (digit == NULL) {
            break;
        }
        bits = bits << 6 | (uint32_t)(digit - digits);
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            const unsigned char c = (unsigned char)(bits >> bit_count & 0xff);
            if (c > ' ' && c < 0x7f && c != '%') {
                (void)putchar(c);
            } else {
                (void)printf("%%%02X", c);
            }
        }
    }
    (void)putchar('\n');
}

static void print_item(struct listing *l, const cJSON *item, bool is_base64)
{
    const char *text = cJSON_GetStringValue(item);
    if (text == NULL || l->left == 0) {
        return;
    }
    l->left--;
    if (l->client->is_json && is_base64) {
        (void)cJSON_AddItemToArray(l->base64, cJSON_Duplicate(item, false));
    } else if (l->client->is_json) {
        char *json = cJSON_PrintUnformatted(item);
        (void)printf("%s%s", l->is_first ? "" : ",\n", json != NULL ? json : "\"\"");
        cJSON_free(json);
        l->is_first = false;
    } else if (is_base64) {
        print_base64(text);
    } else {
        print_key(text);
    }
}

/* RC_AGAIN when another page follows. */
static enum rc take_page(struct listing *l, const struct client_answer *answer)
{
    cJSON *root = cJSON_ParseWithLength((const char *)answer->body, answer->body_len);
    const cJSON *keys = cJSON_GetObjectItemCaseSensitive(root, "keys");
    const char *cursor =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "next_cursor"));
    const cJSON *item = NULL;
    if (!cJSON_IsArray(keys)) {
        cJSON_Delete(root);
        client_say(l->client, "the answer is not a list of keys");
        return RC_MALFORMED;
    }
    cJSON_ArrayForEach(item, keys)
    {
        print_item(l, item, false);
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(root, "keys_base64"))
    {
        print_item(l, item, true);
    }
    /* With a cursor that does not move this would ask for ever. */
    const bool is_more = cursor != NULL && *cursor != '\0' && strlen(cursor) < CURSOR_SIZE &&
                         strcmp(cursor, l->cursor) != 0 && l->left > 0;
    (void)snprintf(l->cursor, sizeof(l->cursor), "%s", is_more ? cursor : "");
    cJSON_Delete(root);
    return is_more ? RC_AGAIN : RC_OK;
}

static enum rc fetch_page(struct listing *l)
{
    char target[CLIENT_TARGET_MAX];
    struct client_answer answer;
    if (page_target(l, target, sizeof(target)) != RC_OK) {
        client_say(l->client, "the prefix is too long; allowed: %d bytes", CLIENT_KEY_MAX);
        return RC_TOO_LONG;
    }
    const struct client_request request = {.method = "GET", .target = target};
    /* From the node of the last page, as long as it answers; a cursor is good on any node. */
    client_ask_any(l->client, &request, &answer, NULL);
    enum rc rc = answer.rc;
    if (rc == RC_OK && answer.status != 200) {
        client_complain(l->client, &answer);
        rc = RC_REFUSED;
    } else if (rc == RC_OK) {
        rc = take_page(l, &answer);
    }
    client_answer_fini(&answer);
    return rc;
}

static void end_json(const struct listing *l)
{
    (void)putchar(']');
    if (cJSON_GetArraySize(l->base64) > 0) {
        char *json = cJSON_PrintUnformatted(l->base64);
        (void)printf(",\"keys_base64\":%s", json != NULL ? json : "[]");
        cJSON_free(json);
    }
    (void)puts("}");
}

static int keys(struct client *c)
{
    struct listing *l = calloc(1, sizeof(*l));
    const char *limit = c->extras[KEYS_LIMIT];
    enum rc rc = RC_AGAIN;
    if (l == NULL) {
        return EXIT_CODE_INTERNAL;
    }
    l->client = c;
    l->is_first = true;
    l->left = UINT64_MAX;
    if (limit != NULL &&
        (parse_u64(limit, strlen(limit), UINT64_MAX, &l->left) != RC_OK || l->left == 0)) {
        client_say(c, "--limit %s is not allowed; allowed: a whole number from 1 on", limit);
        free(l);
        return EXIT_CODE_USAGE;
    }
    l->base64 = cJSON_CreateArray();
    if (c->is_json) {
        (void)printf("{\"keys\":[");
    }
    while (rc == RC_AGAIN && output_flush()) {
        rc = fetch_page(l);
    }
    if (c->is_json) {
        end_json(l);
    }
    cJSON_Delete(l->base64);
    free(l);
    const int code = client_output("", 0);
    return rc == RC_OK ? code : EXIT_CODE_FAILED;
}

int command_keys(int argc, char **argv)
{
    const struct client_usage usage = {keys_extras, KEYS_EXTRA_COUNT, 0, 0, TIMEOUT_MS, true};
    return client_run(argc, argv, &usage, keys);
}
