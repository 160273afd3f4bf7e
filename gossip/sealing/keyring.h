/*
 * keyring: the secrets of a cluster, and the keys that are made of them.
 *
 * There are up to four at once, so that they can be changed while the cluster runs.
 *
 * Of each secret only a prepared HMAC key is kept:
 *
 *   PRK = HKDF-Extract-SHA256("repram/1/" + network, secret)       (RFC 5869)
 *
 * and from it, by HKDF-Expand with these labels, uuids as their 16 bytes:
 *
 *   "repram keyid 1"                      2 bytes: the key's id; 1 where that were 0
 *   "repram intro 1" + sender            32 bytes: of what a stranger says first
 *   "repram pair 1" + sender + receiver  32 bytes: of datagrams from one to the other
 *   "repram link 1"                      48 bytes: of links, a pre-shared key of TLS 1.3
 *
 * The name of the network is in PRK. So the same secret means nothing in another cluster. One item
 * of the ring may be `open`, which stands for no key at all, with the id 0. While it is there this
 * node takes what is not sealed, too.
 *
 * Left out: which key a member gets, and the text of a secret.
 */
#ifndef GOSSIP_SEALING_KEYRING_H
#define GOSSIP_SEALING_KEYRING_H

#include "core/base/rc.h"
#include "core/base/uuid.h"
#include "gossip/sealing/seal_ops.h"

enum {
    KEYRING_KEYS_MAX = 4,
    KEYRING_ID_OPEN = 0, /* of `open`, and of nothing else */
    KEYRING_ID_TEXT_SIZE = 5,
};

/* As it was configured, in its order. */
struct keyring_item {
    bool is_open;
    uint8_t key[SEAL_KEY_BYTES]; /* all zero for `open` */
};

struct keyring_items {
    uint32_t count; /* 0 means open, as one item `open` does */
    struct keyring_item items[KEYRING_KEYS_MAX];
};

struct keyring_key {
    uint16_t id;
    struct seal_mac *mac; /* of PRK; NULL for `open` */
};

struct keyring {
    const struct seal_ops *ops; /* borrowed; NULL only in an open ring */
    uint32_t count;             /* at least 1 */
    struct keyring_key keys[KEYRING_KEYS_MAX];
};

enum keyring_state {
    SEALING_OPEN,   /* no key: whoever reaches the port is a member */
    SEALING_MIXED,  /* keys, and `open` too, which whoever is on the path can choose */
    SEALING_SEALED, /* keys alone */
};

/*
 * Makes the ring of `items`, borrowed for the call; the caller wipes them. `ops` may be NULL where
 * there is no key among them. RC_EXISTS: two of them have one id, `open` twice included. RC_FULL:
 * more than KEYRING_KEYS_MAX. RC_NO_MEMORY. On an error there is nothing to release.
 */
MUST_USE enum rc keyring_init(struct keyring *ring, const struct seal_ops *ops, const char *network,
                              const struct keyring_items *items);

/* Wipes the keys. */
void keyring_fini(struct keyring *ring);

/* "3fa2", or "open" for the id 0: how keys are named to people. Returns `ret_text`. */
const char *keyring_id_text(uint16_t id, char ret_text[static KEYRING_ID_TEXT_SIZE]);

enum keyring_state keyring_state(const struct keyring *ring);
const char *keyring_state_name(enum keyring_state state); /* static: open, mixed, sealed */

/* NULL where the ring has not this id; of 0 the item `open`. */
const struct keyring_key *keyring_find(const struct keyring *ring, uint16_t id);

/* The keys made of one that is not `open`. False where there is no memory. The caller wipes them.
 */
MUST_USE bool keyring_intro_key(const struct keyring *ring, const struct keyring_key *key,
                                const struct uuid *sender, uint8_t ret_key[static SEAL_KEY_BYTES]);
MUST_USE bool keyring_pair_key(const struct keyring *ring, const struct keyring_key *key,
                               const struct uuid *sender, const struct uuid *receiver,
                               uint8_t ret_key[static SEAL_KEY_BYTES]);

/* The pre-shared key of links under the key `id`. RC_NOT_FOUND: the ring has it not, or it is
 * `open`. RC_NO_MEMORY. The caller wipes it. */
MUST_USE enum rc keyring_link_psk(const struct keyring *ring, uint16_t id,
                                  uint8_t ret_psk[static SEAL_LINK_BYTES]);

#endif
