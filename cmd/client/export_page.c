#include "cmd/client/export_page.h"

#include "core/base/base64.h"
#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_KEYS = 2000 }; /* of up to 1 KiB; a server would give five times as many */

void export_page_init(struct export_page *p, const char *prefix)
{
    *p = (struct export_page){.prefix = prefix};
    transfer_reply_init(&p->reply);
}

/* A cursor is the last key of the page before, in base64. */
void export_page_start(struct export_page *p, const uint8_t *key, size_t len)
{
    p->cursor[base64_url_encode(key, len, p->cursor)] = '\0';
}

enum rc export_page_ask(struct export_page *p, struct transfer *t)
{
    char target[CLIENT_TARGET_MAX];
    (void)snprintf(target, sizeof(target), "/v1/keys?limit=%d", PAGE_KEYS);
    if (p->prefix != NULL) {
        (void)snprintf(target + strlen(target), sizeof(target) - strlen(target), "&prefix=");
        if (client_encode(target, sizeof(target) / 2, p->prefix, "") != RC_OK) {
            client_say(t->client, "the prefix is too long; allowed: %d bytes", CLIENT_KEY_MAX);
            return RC_TOO_LONG;
        }
    }
    if (p->cursor[0] != '\0') {
        (void)snprintf(target + strlen(target), sizeof(target) - strlen(target), "&cursor=");
        if (client_encode(target, sizeof(target), p->cursor, "") != RC_OK) {
            return transfer_no_sense(t, "/v1/keys");
        }
    }
    p->is_asked = true;
    return transfer_reply_send(t, &p->reply, "GET", target, "");
}

static int compare_keys(const void *a, const void *b)
{
    const struct export_key *left = a, *right = b;
    const size_t len = left->len < right->len ? left->len : right->len;
    const int order = memcmp(left->bytes, right->bytes, len);
    return order != 0 ? order : (left->len > right->len) - (left->len < right->len);
}

static void drop_page(struct export_page *p)
{
    cJSON_Delete(p->root);
    free(p->bytes);
    free(p->keys);
    p->root = NULL;
    p->bytes = NULL;
    p->keys = NULL;
    p->key_count = p->next = 0;
}

/* Every key of both lists, in byte order. False when one is none. */
static bool read_keys(struct export_page *p, const cJSON *texts, const cJSON *others)
{
    const size_t count = (size_t)cJSON_GetArraySize(texts) + (size_t)cJSON_GetArraySize(others);
    size_t used = 0;
    const cJSON *item = NULL;
    p->keys = mem_new(count + 1, sizeof(*p->keys));
    p->bytes = mem_new(p->reply.answer.len + 1, 1); /* more than base64 in it becomes */
    cJSON_ArrayForEach(item, texts)
    {
        const char *text = cJSON_GetStringValue(item);
        if (text == NULL || strlen(text) > KEY_BYTES_MAX) {
            return false;
        }
        p->keys[p->key_count++] = (struct export_key){text, strlen(text), true};
    }
    cJSON_ArrayForEach(item, others)
    {
        const char *text = cJSON_GetStringValue(item);
        size_t len = 0;
        if (text == NULL || base64_decode(text, strlen(text), (uint8_t *)p->bytes + used,
                                          KEY_BYTES_MAX, &len) != RC_OK) {
            return false;
        }
        p->keys[p->key_count++] = (struct export_key){p->bytes + used, len, false};
        used += len;
    }
    qsort(p->keys, p->key_count, sizeof(*p->keys), compare_keys);
    return true;
}

/* The page that has come becomes the current one, and the next one is asked for. */
enum rc export_page_take(struct export_page *p, struct transfer *t)
{
    drop_page(p);
    p->is_asked = false;
    if (p->reply.status != 200) {
        return transfer_reply_refused(t, &p->reply, "/v1/keys");
    }
    p->root = transfer_reply_json(&p->reply);
    const cJSON *texts = cJSON_GetObjectItemCaseSensitive(p->root, "keys");
    const cJSON *others = cJSON_GetObjectItemCaseSensitive(p->root, "keys_base64");
    const cJSON *next = cJSON_GetObjectItemCaseSensitive(p->root, "next_cursor");
    const char *cursor = cJSON_GetStringValue(next);
    if (!cJSON_IsArray(texts) || !read_keys(p, texts, others)) {
        return transfer_no_sense(t, "/v1/keys");
    }
    if (next == NULL || cJSON_IsNull(next)) {
        return RC_OK;
    }
    /* With a cursor that does not move this would ask for ever. */
    if (cursor == NULL || strlen(cursor) >= sizeof(p->cursor) || strcmp(cursor, p->cursor) == 0) {
        return transfer_no_sense(t, "/v1/keys");
    }
    (void)snprintf(p->cursor, sizeof(p->cursor), "%s", cursor);
    return export_page_ask(p, t);
}

void export_page_fini(struct export_page *p)
{
    drop_page(p);
    transfer_reply_fini(&p->reply);
}
