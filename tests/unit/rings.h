/*
 * rings: keyrings by letters: each is a key of its own, O is `open`. "AO" is the ring A,open.
 */
#ifndef TESTS_RINGS_H
#define TESTS_RINGS_H

#include "gossip/sealing/keyring.h"

#include <string.h>

static inline struct keyring_items rings_items(const char *letters)
{
    struct keyring_items items = {.count = (uint32_t)strlen(letters)};
    for (uint32_t i = 0; i < items.count && i < KEYRING_KEYS_MAX; i++) {
        items.items[i].is_open = letters[i] == 'O';
        memset(items.items[i].key, items.items[i].is_open ? 0 : letters[i], SEAL_KEY_BYTES);
    }
    return items;
}

#endif
