/*
 * sealing: datagrams of this node sealed and opened, by the keys of its ring.
 *
 * A sealed datagram has its header in clear, which is authenticated, and everything else under
 * AES-256-GCM. The key is made of sender and receiver, so it opens at one receiver and in one life
 * of both. The nonce is the header's counter, which a process uses once. An INTRO or
 * UNREAD goes to whoever is at an address. Its key is made of the sender alone.
 *
 * To a member goes the first key of our own ring that it holds. So nodes may be given another ring
 * in any order, and in any number at once. What a member holds its card says. Where its last
 * datagram came under a key that is not in the card, the card is old, and that key is taken until a
 * newer card comes.
 *
 * Nothing is allocated for a datagram that does not open, and nothing is answered here. It knows no
 * member table, sends nothing, and reads no clock.
 */
#ifndef GOSSIP_SEALING_SEALING_H
#define GOSSIP_SEALING_SEALING_H

#include "gossip/sealing/budget.h"
#include "gossip/sealing/copies.h"
#include "gossip/sealing/keyring.h"
#include "gossip/sealing/windows.h"
#include "gossip/wire/packet.h"

/* Why datagrams were refused. X(name, text of the metric's label). */
#define SEALING_REFUSALS(X)                                                    \
    X(OPEN, "open")        /* not sealed, and `open` is not in the ring */     \
    X(KEY, "unknown_key")  /* under a key that the ring has not */             \
    X(SENDER, "no_sender") /* a short header's tag is nobody's here */         \
    X(REPLAY, "replay")    /* it has come before, or is too old to tell */     \
    X(FORGED, "forged")    /* it does not open: meant for another, or false */ \
    X(BUDGET, "budget")    /* an INTRO, while too many fail */

enum sealing_refusal {
#define SEALING_REFUSAL_ENUM(name, text) SEALING_REFUSED_##name,
    SEALING_REFUSALS(SEALING_REFUSAL_ENUM)
#undef SEALING_REFUSAL_ENUM
        SEALING_REFUSED_KINDS,
    SEALING_OPENED = SEALING_REFUSED_KINDS, /* it was not */
};

/* Static: the metric's label. */
const char *sealing_refusal_text(enum sealing_refusal refusal);

/* What a key of the ring was used for; `open` too. */
struct sealing_use {
    uint64_t sent, received; /* datagrams */
    uint64_t used_us;        /* the last of them; 0: none */
};

struct sealing {
    const struct seal_ops *ops; /* borrowed; NULL: it is always open */
    char network[NAME_SIZE];
    struct uuid self;
    struct keyring ring;
    enum keyring_state state;
    struct sealing_use uses[KEYRING_KEYS_MAX]; /* of the ring's keys, in its order */
    struct windows windows;
    struct budget intros;    /* from strangers */
    struct copies copies;    /* of these */
    struct budget elsewhere; /* those among them that came from another address before */
    uint64_t refused[SEALING_REFUSED_KINDS];
};

struct sealing_config {
    const struct seal_ops *ops; /* NULL where no key is ever set */
    const char *network;
    struct uuid self;
    uint64_t seed; /* unpredictable */
    uint32_t senders_max;
};

/* With an open ring. */
void sealing_init(struct sealing *x, const struct sealing_config *config);
void sealing_fini(struct sealing *x);

/* Another ring, at any time; as keyring_init(), and nothing is changed on an error. What was
 * counted of keys that stay goes on. */
MUST_USE enum rc sealing_set_keys(struct sealing *x, const struct keyring_items *items);

/* The ring's ids as a card names them: in their order, and none where the ring is `open` alone. */
void sealing_name_keys(const struct sealing *x, struct member_card *card);

/* How much longer datagrams may be once sealed: 0 while the ring is `open` alone. */
size_t sealing_tag_bytes(const struct sealing *x);

/* Under which key of our ring the member is written to. */
uint16_t sealing_key_to(const struct sealing *x, const struct member *m);

/* Whether the member's card names the key of our ring number `i`, whether it names any, and whether
 * it names one that our ring has not. */
bool sealing_has(const struct sealing *x, const struct member *m, uint32_t i);
bool sealing_has_any(const struct sealing *x, const struct member *m);
bool sealing_has_another(const struct sealing *x, const struct member *m);

/*
 * Seals `len` bytes of a packet of this node, in place: the tag goes behind, where there is room.
 * `to` is the receiver; NULL for an INTRO or UNREAD. The header names the key and the counter.
 * Returns the length then, or 0 when the ring has not the key (any more), or there is no memory.
 */
size_t sealing_seal(struct sealing *x, const struct uuid *to, uint8_t *data, size_t len,
                    uint64_t now_us);

/* A datagram that came: whose header it is (NULL where nobody knows its tag), the incarnation of
 * the card of it that is held (0 for none), from where, and whether that is one of this host's own
 * addresses. */
struct sealing_from {
    const struct uuid *sender;
    uint64_t incarnation;
    const struct addr *addr;
    bool is_near;
};

/*
 * Opens `len` bytes with that header. What was sealed stands in ret_data then, behind a copy of the
 * header; it is SEAL_TAG_BYTES shorter. Any refusal is counted.
 */
enum sealing_refusal sealing_open(struct sealing *x, const struct packet_head *head,
                                  const struct sealing_from *from, const uint8_t *data, size_t len,
                                  uint64_t now_us, uint8_t ret_data[static DATAGRAM_BYTES_MAX]);

/* Whether a datagram that is not sealed may be taken; a refusal is counted. */
bool sealing_takes_open(struct sealing *x);

/* Whether the member's last datagram came under the key of our ring number `i`. */
bool sealing_last_was(const struct sealing *x, const struct member *m, uint32_t i);

/* A datagram that was not sealed was taken in the member's name: a use of `open`, and for
 * sealing_last_was(). What is sent to it does not hang on that, as anybody could have sent it. */
void sealing_note_open(struct sealing *x, const struct member *m, uint64_t now_us);

void sealing_check(const struct sealing *x);

#endif
