#include "gossip/sealing/keyring.h"

#include "core/base/assert.h"
#include "core/base/cursor.h"
#include "core/base/mem.h"

#include <stdio.h>
#include <string.h>

#define SALT "repram/1/"
#define LABEL_ID "repram keyid 1"
#define LABEL_INTRO "repram intro 1"
#define LABEL_PAIR "repram pair 1"
#define LABEL_LINK "repram link 1"

enum {
    SALT_MAX = 128,                 /* with the name of a network, which is 64 at most */
    INFO_MAX = 14 + 2 * UUID_BYTES, /* a label and its uuids */
    OUT_MAX = 2 * SEAL_HASH_BYTES,  /* of a link's 48 bytes */
    BLOCK_MAX = SEAL_HASH_BYTES + INFO_MAX + 1,
};

/* HKDF-Expand (RFC 5869 section 2.3) of up to two blocks. */
static bool expand(const struct keyring *ring, const struct keyring_key *key, const uint8_t *info,
                   size_t info_len, uint8_t *ret_out, size_t out_len)
{
    uint8_t hash[SEAL_HASH_BYTES], block[BLOCK_MAX];
    bool is_done = true;
    ASSERT(key->mac != NULL && info_len <= INFO_MAX && out_len <= OUT_MAX);
    for (size_t made = 0; made < out_len && is_done; made += SEAL_HASH_BYTES) {
        struct cursor c = cursor_writer(block, sizeof(block));
        cursor_put_bytes(&c, hash, made == 0 ? 0 : SEAL_HASH_BYTES);
        cursor_put_bytes(&c, info, info_len);
        cursor_put_u8(&c, (uint8_t)(made / SEAL_HASH_BYTES + 1));
        is_done = ring->ops->mac(ring->ops->arg, key->mac, block, c.pos, hash);
        if (is_done) {
            const size_t left = out_len - made;
            memcpy(ret_out + made, hash, left < SEAL_HASH_BYTES ? left : SEAL_HASH_BYTES);
        }
    }
    mem_wipe(hash, sizeof(hash));
    mem_wipe(block, sizeof(block));
    return is_done;
}

static bool expand_label(const struct keyring *ring, const struct keyring_key *key,
                         const char *label, const struct uuid *first, const struct uuid *second,
                         uint8_t *ret_out, size_t out_len)
{
    uint8_t info[INFO_MAX];
    struct cursor c = cursor_writer(info, sizeof(info));
    cursor_put_bytes(&c, label, strlen(label));
    if (first != NULL) {
        cursor_put_uuid(&c, first);
    }
    if (second != NULL) {
        cursor_put_uuid(&c, second);
    }
    ASSERT(cursor_ok(&c));
    return expand(ring, key, info, c.pos, ret_out, out_len);
}

/* HKDF-Extract (RFC 5869 section 2.2), and what is kept of it. */
static bool make_key(const struct keyring *ring, const char *network, const uint8_t *secret,
                     struct keyring_key *ret_key)
{
    const struct seal_ops *ops = ring->ops;
    uint8_t salt[SALT_MAX], prk[SEAL_HASH_BYTES], id[2];
    struct cursor c = cursor_writer(salt, sizeof(salt));
    cursor_put_bytes(&c, SALT, strlen(SALT));
    cursor_put_bytes(&c, network, strlen(network));
    ASSERT(cursor_ok(&c));
    struct seal_mac *extract = ops->mac_new(ops->arg, salt, c.pos);
    struct keyring_key key = {.id = KEYRING_ID_OPEN};
    if (extract != NULL && ops->mac(ops->arg, extract, secret, SEAL_KEY_BYTES, prk)) {
        key.mac = ops->mac_new(ops->arg, prk, sizeof(prk));
    }
    ops->mac_free(ops->arg, extract);
    mem_wipe(prk, sizeof(prk));
    if (key.mac == NULL || !expand_label(ring, &key, LABEL_ID, NULL, NULL, id, sizeof(id))) {
        ops->mac_free(ops->arg, key.mac);
        return false;
    }
    struct cursor reader = cursor_reader(id, sizeof(id));
    key.id = cursor_u16(&reader);
    key.id = key.id == KEYRING_ID_OPEN ? 1 : key.id;
    *ret_key = key;
    return true;
}

static enum rc add_item(struct keyring *ring, const char *network, const struct keyring_item *item)
{
    struct keyring_key key = {.id = KEYRING_ID_OPEN};
    if (!item->is_open && !make_key(ring, network, item->key, &key)) {
        return RC_NO_MEMORY;
    }
    if (keyring_find(ring, key.id) != NULL) {
        if (key.mac != NULL) {
            ring->ops->mac_free(ring->ops->arg, key.mac);
        }
        return RC_EXISTS;
    }
    ring->keys[ring->count++] = key;
    return RC_OK;
}

enum rc keyring_init(struct keyring *ring, const struct seal_ops *ops, const char *network,
                     const struct keyring_items *items)
{
    struct keyring made = {.ops = ops};
    if (items->count > KEYRING_KEYS_MAX) {
        return RC_FULL;
    }
    enum rc rc = RC_OK;
    for (uint32_t i = 0; i < items->count && rc == RC_OK; i++) {
        ASSERT(items->items[i].is_open || ops != NULL);
        rc = add_item(&made, network, &items->items[i]);
    }
    if (rc != RC_OK) {
        keyring_fini(&made);
        return rc;
    }
    made.count += made.count == 0; /* of none, `open` */
    *ring = made;
    return RC_OK;
}

void keyring_fini(struct keyring *ring)
{
    for (uint32_t i = 0; i < ring->count; i++) {
        if (ring->keys[i].mac != NULL) {
            ring->ops->mac_free(ring->ops->arg, ring->keys[i].mac);
        }
    }
    *ring = (struct keyring){.count = 0};
}

const char *keyring_id_text(uint16_t id, char ret_text[static KEYRING_ID_TEXT_SIZE])
{
    if (id == KEYRING_ID_OPEN) {
        (void)snprintf(ret_text, KEYRING_ID_TEXT_SIZE, "open");
    } else {
        (void)snprintf(ret_text, KEYRING_ID_TEXT_SIZE, "%04x", id);
    }
    return ret_text;
}

enum keyring_state keyring_state(const struct keyring *ring)
{
    if (keyring_find(ring, KEYRING_ID_OPEN) == NULL) {
        return SEALING_SEALED;
    }
    return ring->count > 1 ? SEALING_MIXED : SEALING_OPEN;
}

const char *keyring_state_name(enum keyring_state state)
{
    static const char *const names[] = {"open", "mixed", "sealed"};
    ASSERT((size_t)state < sizeof(names) / sizeof(names[0]));
    return names[state];
}

const struct keyring_key *keyring_find(const struct keyring *ring, uint16_t id)
{
    for (uint32_t i = 0; i < ring->count; i++) {
        if (ring->keys[i].id == id) {
            return &ring->keys[i];
        }
    }
    return NULL;
}

bool keyring_intro_key(const struct keyring *ring, const struct keyring_key *key,
                       const struct uuid *sender, uint8_t ret_key[static SEAL_KEY_BYTES])
{
    return expand_label(ring, key, LABEL_INTRO, sender, NULL, ret_key, SEAL_KEY_BYTES);
}

bool keyring_pair_key(const struct keyring *ring, const struct keyring_key *key,
                      const struct uuid *sender, const struct uuid *receiver,
                      uint8_t ret_key[static SEAL_KEY_BYTES])
{
    return expand_label(ring, key, LABEL_PAIR, sender, receiver, ret_key, SEAL_KEY_BYTES);
}

enum rc keyring_link_psk(const struct keyring *ring, uint16_t id,
                         uint8_t ret_psk[static SEAL_LINK_BYTES])
{
    const struct keyring_key *key = keyring_find(ring, id);
    if (key == NULL || key->mac == NULL) {
        return RC_NOT_FOUND;
    }
    const bool is_made = expand_label(ring, key, LABEL_LINK, NULL, NULL, ret_psk, SEAL_LINK_BYTES);
    return is_made ? RC_OK : RC_NO_MEMORY;
}
