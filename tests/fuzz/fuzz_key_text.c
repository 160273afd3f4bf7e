/* The list of keys that a cluster's secret is, from any bytes: what is taken is written back as it
 * was, and nothing that is said of the rest holds a piece of it. */
#include "net/crypto/key_text.h"

#include "core/base/assert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 512 };

static void check_items(const char *text, size_t len, const struct keyring_items *items)
{
    size_t at = 0;
    ASSERT(items->count >= 1 && items->count <= KEYRING_KEYS_MAX);
    for (uint32_t i = 0; i < items->count; i++) {
        char key[KEY_TEXT_SIZE] = "open";
        if (!items->items[i].is_open) {
            const enum rc rc = key_text_make(items->items[i].key, key);
            ASSERT(rc == RC_OK);
        }
        ASSERT(at + strlen(key) <= len && memcmp(text + at, key, strlen(key)) == 0);
        at += strlen(key);
        ASSERT(i + 1 == items->count ? at == len : text[at] == ',');
        at++;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_MAX] = {0}, fault[KEY_TEXT_FAULT_SIZE];
    struct keyring_items items;
    if (size > sizeof(text)) {
        return 0;
    }
    if (size > 0) {
        memcpy(text, data, size);
    }
    const enum rc rc = key_text_parse(text, size, &items, fault);
    if (rc == RC_OK) {
        check_items(text, size, &items);
    } else {
        ASSERT(strlen(fault) > 0 && strlen(fault) < sizeof(fault) - 1);
    }
    return 0;
}
