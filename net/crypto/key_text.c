#include "net/crypto/key_text.h"

#include "core/base/assert.h"
#include "core/base/base64.h"
#include "core/base/mem.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

static const char PREFIX[] = "rk1_";
static const char TOKEN_PREFIX[] = "rt1_"; /* of who asks for entries, not of a cluster */
static const char OPEN[] = "open";

enum {
    PREFIX_LEN = sizeof(PREFIX) - 1,
    OPEN_LEN = sizeof(OPEN) - 1,
    BODY_LEN = 43,
    CHECKED_LEN = PREFIX_LEN + BODY_LEN,
    CHECK_LEN = 4,
    CHECK_BYTES = 3,
};

_Static_assert(CHECKED_LEN + CHECK_LEN == KEY_TEXT_LEN, "a key is three parts");

static enum rc make_check(const char *text, char ret_check[static CHECK_LEN])
{
    uint8_t sum[EVP_MAX_MD_SIZE];
    ERR_clear_error();
    const int is_ok = EVP_Digest(text, CHECKED_LEN, sum, NULL, EVP_sha256(), NULL);
    ERR_clear_error();
    if (is_ok != 1) {
        return RC_NO_MEMORY;
    }
    const size_t len = base64_url_encode(sum, CHECK_BYTES, ret_check);
    ASSERT(len == CHECK_LEN);
    mem_wipe(sum, sizeof(sum));
    return RC_OK;
}

enum rc key_text_make(const uint8_t key[static KEY_TEXT_KEY_BYTES],
                      char ret_text[static KEY_TEXT_SIZE])
{
    char text[KEY_TEXT_SIZE];
    memcpy(text, PREFIX, PREFIX_LEN);
    const size_t len = base64_url_encode(key, KEY_TEXT_KEY_BYTES, text + PREFIX_LEN);
    ASSERT(len == BODY_LEN);
    const enum rc rc = make_check(text, text + CHECKED_LEN);
    if (rc == RC_OK) {
        text[KEY_TEXT_LEN] = '\0';
        memcpy(ret_text, text, sizeof(text));
    }
    mem_wipe(text, sizeof(text));
    return rc;
}

/* What is wrong with an item that is not `open`, before its check is looked at; NULL: nothing. */
static const char *fault_of(const char *item, size_t len)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if (len == 0) {
        return "is empty";
    }
    for (size_t i = 0; i < len; i++) {
        if (item[i] == '\0' || strchr(" \t\r\n", item[i]) != NULL) {
            return "has a blank or a line end in it";
        }
    }
    if (len >= PREFIX_LEN && memcmp(item, TOKEN_PREFIX, PREFIX_LEN) == 0) {
        return "begins with rt1_, which is a client's token";
    }
    if (len < PREFIX_LEN || memcmp(item, PREFIX, PREFIX_LEN) != 0) {
        return "is neither a key, which begins with rk1_, nor the word open; a phrase of one's own "
               "could be guessed";
    }
    for (size_t i = 0; i < len; i++) {
        if (strchr(alphabet, item[i]) == NULL) {
            return "has a character that no key has";
        }
    }
    return NULL;
}

struct list {
    struct keyring_items items;
    char *fault; /* KEY_TEXT_FAULT_SIZE bytes */
};

static enum rc refuse(struct list *list, const char *problem)
{
    (void)snprintf(list->fault, KEY_TEXT_FAULT_SIZE, "item %u %s", list->items.count + 1, problem);
    return RC_MALFORMED;
}

static enum rc refuse_twin(struct list *list, uint32_t twin)
{
    (void)snprintf(list->fault, KEY_TEXT_FAULT_SIZE, "item %u is the same as item %u",
                   list->items.count + 1, twin + 1);
    return RC_MALFORMED;
}

static enum rc take_key(struct list *list, const char *item, size_t len,
                        struct keyring_item *ret_item)
{
    char check[CHECK_LEN];
    size_t key_len = 0;
    const char *problem = fault_of(item, len);
    if (problem != NULL) {
        return refuse(list, problem);
    }
    if (len != KEY_TEXT_LEN) {
        (void)snprintf(list->fault, KEY_TEXT_FAULT_SIZE,
                       "item %u is %zu characters long, a key is %d", list->items.count + 1, len,
                       KEY_TEXT_LEN);
        return RC_MALFORMED;
    }
    const enum rc rc = make_check(item, check);
    if (rc != RC_OK) {
        return rc;
    }
    if (CRYPTO_memcmp(check, item + CHECKED_LEN, CHECK_LEN) != 0 ||
        base64_url_decode(item + PREFIX_LEN, BODY_LEN, ret_item->key, sizeof(ret_item->key),
                          &key_len) != RC_OK) {
        return refuse(list, "is mistyped: its last 4 characters, the check, do not fit the rest");
    }
    ASSERT(key_len == KEY_TEXT_KEY_BYTES);
    return RC_OK;
}

static enum rc take_item(struct list *list, const char *item, size_t len)
{
    const uint32_t count = list->items.count;
    if (count == KEYRING_KEYS_MAX) {
        (void)snprintf(list->fault, KEY_TEXT_FAULT_SIZE, "there are more than %d items",
                       KEYRING_KEYS_MAX);
        return RC_FULL;
    }
    struct keyring_item *at = &list->items.items[count];
    at->is_open = len == OPEN_LEN && memcmp(item, OPEN, OPEN_LEN) == 0;
    const enum rc rc = at->is_open ? RC_OK : take_key(list, item, len, at);
    if (rc != RC_OK) {
        return rc;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct keyring_item *other = &list->items.items[i];
        if (other->is_open == at->is_open &&
            CRYPTO_memcmp(other->key, at->key, sizeof(at->key)) == 0) {
            return refuse_twin(list, i);
        }
    }
    list->items.count++;
    return RC_OK;
}

enum rc key_text_parse(const char *text, size_t len, struct keyring_items *ret_items,
                       char ret_fault[static KEY_TEXT_FAULT_SIZE])
{
    struct list list = {.fault = ret_fault};
    enum rc rc = RC_OK;
    for (size_t at = 0; rc == RC_OK && at <= len;) {
        const char *comma = memchr(text + at, ',', len - at);
        const size_t item_len = comma != NULL ? (size_t)(comma - text) - at : len - at;
        rc = take_item(&list, text + at, item_len);
        at += item_len + 1;
    }
    if (rc == RC_OK) {
        *ret_items = list.items;
    }
    mem_wipe(&list.items, sizeof(list.items));
    return rc;
}
