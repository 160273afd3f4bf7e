/*
 * key_text: keys of a cluster as text, one by one and in the list that REPRAM_CLUSTER_SECRET is.
 *
 *   rk1_ | base64url of the 32 bytes, 43 characters | 4 check characters
 *
 * The check is base64url of the first 3 bytes of SHA-256 over the 47 characters before it. It is no
 * secret: with it a mistyped key ends the start, where another key would found a second cluster. A
 * list is up to KEYRING_KEYS_MAX items with commas between them and nothing else: keys, and once
 * the word `open`. What is wrong is said without a character of the text. That two keys of a list
 * have one id is a keyring's to find (gossip/sealing/keyring.h), as ids hang on the network.
 */
#ifndef NET_CRYPTO_KEY_TEXT_H
#define NET_CRYPTO_KEY_TEXT_H

#include "core/base/rc.h"
#include "gossip/sealing/keyring.h"

#include <stddef.h>
#include <stdint.h>

enum {
    KEY_TEXT_KEY_BYTES = 32,
    KEY_TEXT_LEN = 51,
    KEY_TEXT_SIZE = KEY_TEXT_LEN + 1,
    KEY_TEXT_FAULT_SIZE = 192,
};

/* Writes a key, terminated. RC_NO_MEMORY when the library has none. */
MUST_USE enum rc key_text_make(const uint8_t key[static KEY_TEXT_KEY_BYTES],
                               char ret_text[static KEY_TEXT_SIZE]);

/*
 * Reads a list; `len` bytes, of which no copy stays. RC_MALFORMED with what is wrong in
 * `ret_fault`, for people: which item, and whether it is the prefix, the length, a character or the
 * check. RC_FULL beyond KEYRING_KEYS_MAX items, likewise. RC_NO_MEMORY. The caller wipes the items.
 */
MUST_USE enum rc key_text_parse(const char *text, size_t len, struct keyring_items *ret_items,
                                char ret_fault[static KEY_TEXT_FAULT_SIZE]);

#endif
