/* `repram keys`: every key of a node, page by page. */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/output.h"
#include "cmd/base/plain.h"
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
    bool has_begun; /* a page has come: with none, nothing is printed */
    bool is_first;  /* of the JSON list */
    cJSON *base64;  /* keys that are not UTF-8, for the end of the JSON */
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

static void print_json(const cJSON *item)
{
    char *json = cJSON_PrintUnformatted(item);
    plain_print_json(stdout, json != NULL ? json : "\"\"", json != NULL ? strlen(json) : 2);
    cJSON_free(json);
}

/* One key a line: what would break a line, or a terminal, is percent-encoded. */
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
        (void)fputs(l->is_first ? "" : ",\n", stdout);
        print_json(item);
        l->is_first = false;
    } else if (is_base64) {
        plain_print_base64(stdout, text, SIZE_MAX);
        (void)putchar('\n');
    } else {
        plain_print(stdout, text, strlen(text), SIZE_MAX);
        (void)putchar('\n');
    }
}

/* RC_AGAIN when another page follows. With a cursor that does not move this would ask for ever. */
static enum rc take_cursor(struct listing *l, const cJSON *next)
{
    const char *cursor = cJSON_GetStringValue(next);
    if (next == NULL || cJSON_IsNull(next) || (cursor != NULL && *cursor == '\0')) {
        return RC_OK;
    }
    if (cursor == NULL || strlen(cursor) >= CURSOR_SIZE || strcmp(cursor, l->cursor) == 0) {
        client_say(l->client, "the answer to /v1/keys makes no sense: it says no place to go on "
                              "from, and these are not all keys");
        return RC_MALFORMED;
    }
    (void)snprintf(l->cursor, sizeof(l->cursor), "%s", cursor);
    return RC_AGAIN;
}

/* RC_AGAIN when another page follows. */
static enum rc take_page(struct listing *l, const struct client_answer *answer)
{
    cJSON *root = cJSON_ParseWithLength((const char *)answer->body, answer->body_len);
    const cJSON *keys = cJSON_GetObjectItemCaseSensitive(root, "keys");
    const cJSON *next = cJSON_GetObjectItemCaseSensitive(root, "next_cursor");
    const cJSON *item = NULL;
    if (!cJSON_IsArray(keys)) {
        cJSON_Delete(root);
        client_say(l->client, "the answer is not a list of keys");
        return RC_MALFORMED;
    }
    if (l->client->is_json && !l->has_begun) {
        (void)fputs("{\"keys\":[", stdout);
    }
    l->has_begun = true;
    cJSON_ArrayForEach(item, keys)
    {
        print_item(l, item, false);
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(root, "keys_base64"))
    {
        print_item(l, item, true);
    }
    const enum rc rc = l->left == 0 ? RC_OK : take_cursor(l, next);
    cJSON_Delete(root);
    return rc;
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
        (void)fputs(",\"keys_base64\":", stdout);
        print_json(l->base64);
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
    while (rc == RC_AGAIN && output_flush()) {
        rc = fetch_page(l);
    }
    if (c->is_json && l->has_begun) {
        end_json(l);
    }
    cJSON_Delete(l->base64);
    free(l);
    const int code = client_output("", 0);
    return rc == RC_OK ? code : EXIT_CODE_FAILED;
}

int command_keys(int argc, char **argv)
{
    const struct client_usage usage = {.extras = keys_extras,
                                       .extra_count = KEYS_EXTRA_COUNT,
                                       .timeout_ms = TIMEOUT_MS,
                                       .is_data = true};
    return client_run(argc, argv, &usage, keys);
}
