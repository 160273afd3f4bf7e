/*
 * seal_ops: the cryptography that sealing needs, as a table that whoever runs the engine gives it.
 *
 * net/crypto/seal_openssl fills it for real nodes. The simulator may fill it with something cheaper
 * of the same lengths and the same failures. Everything else about keys (labels, ids, which key is
 * taken) is gossip/sealing/keyring's, and is the same for both.
 */
#ifndef GOSSIP_SEALING_SEAL_OPS_H
#define GOSSIP_SEALING_SEAL_OPS_H

#include "core/base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SEAL_KEY_BYTES = 32,  /* of AES-256, and of a key of the ring */
    SEAL_HASH_BYTES = 32, /* of SHA-256 */
    SEAL_TAG_BYTES = 16,
    SEAL_LINK_BYTES = 48, /* of a link's pre-shared key: SHA-384's, of suite 0x1302 */
};

/* A key for HMAC-SHA256 (RFC 2104), prepared; the implementation's own. */
struct seal_mac;

struct seal_ops {
    void *arg; /* the implementation's, first argument of each */

    /* NULL where there is no memory. The key's bytes are borrowed for the call. seal_mac_free()
     * wipes it, and takes NULL. */
    struct seal_mac *(*mac_new)(void *arg, const uint8_t *key, size_t len);
    void (*mac_free)(void *arg, struct seal_mac *mac);

    /* HMAC-SHA256 of `len` bytes. False, with nothing in ret_hash, where there is no memory. */
    bool (*mac)(void *arg, struct seal_mac *mac, const uint8_t *data, size_t len,
                uint8_t ret_hash[static SEAL_HASH_BYTES]);

    /*
     * AES-256-GCM (NIST SP 800-38D) with the nonce of 4 zero bytes and the counter, of which each
     * is used once with a key. Of `len` bytes at `data` the first `head_len` are authenticated and
     * stay; the rest is encrypted in place. The tag goes behind, where there is room for it. False
     * where there is no memory: then nothing at `data` may be sent.
     */
    bool (*seal)(void *arg, const uint8_t key[static SEAL_KEY_BYTES], uint64_t counter,
                 uint8_t *data, size_t head_len, size_t len);

    /* The reverse: of `len` bytes at `data`, tag included, those between head and tag go to
     * ret_plain. False when the tag is wrong or there is no memory: then what stands in ret_plain
     * means nothing. `len` is at least head_len + SEAL_TAG_BYTES. */
    bool (*open)(void *arg, const uint8_t key[static SEAL_KEY_BYTES], uint64_t counter,
                 const uint8_t *data, size_t head_len, size_t len, uint8_t *ret_plain);
};

#endif
